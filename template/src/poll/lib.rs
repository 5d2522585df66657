//! A file-system notification backend that looks at the files from time to time. {%- capture source %}
//!
//! It needs nothing of the system but the reading of folders, and so works wherever there is a file
//! system, also on network mounts, where kernels report nothing of what others change.
//!
//! This file is the backend's outside. `scanner.rs` has the thread that looks, `look.rs` what is compared
//! at a look, `root.rs` what is kept from one to the next, `roots.rs` and `listings.rs` what several roots
//! have in common, `changes.rs` how all that is told. `folder.rs` and `state.rs` are what is remembered,
//! `obstacle.rs` is about looks that fail, `platform.rs` is what systems differ in, and `settings.rs` what
//! can be chosen.
//!
//! # What it does at the edges
//!
//! - What is undone between two looks is not seen, and what one look finds is not told in the order
//!   in which it happened: first what is gone, then what is newly there, then what was changed.
//! - A reader who is told of a new folder, and looks into it, may see there what the next look does not
//!   find any more. The folder is reported once more then, as `any`, if anything happened in it.
//! - What is seen by listing a tree right after the start, and is gone before the next look, is never
//!   mentioned: no look has found it.
//! - A folder that another one has replaced is gone with all that was in it, and the other is newly
//!   there, where the system tells when a folder came to be. Elsewhere its entries are compared, as on
//!   overlayfs, which tells when it copied the folder.
//! - There is a look each second, or as often as [`Settings::interval`] or notify's configuration says. Where a look takes long, the
//!   pause after it is four times as long, so that looking takes a fifth of one core at most. Nothing
//!   is looked at while nobody reads.
//! - A file that was written is told from one whose time was set, or of which something was changed that a
//!   look does not see, only by its size, or by its content if that is
//!   [compared](Settings::compare_contents); otherwise it is reported as changed (`modify/any`).
//! - Writes that leave the size as it was are seen by the times of the file. Where these are coarse
//!   (2 seconds on FAT, one on sshfs), compare contents.
//! - What network mounts hold back for a while (sshfs for up to 20 seconds, unless told otherwise), is
//!   seen after that.
//! - Renames are seen on Unix, where the file system tells when a file came to be. Many network mounts
//!   do not, nor does ext2: a rename is a removal and a creation there, as it is on Windows. The number
//!   of a file proves nothing by itself, since a new file soon gets that of a removed one.
//! - On Windows, a file that was away between two looks, or was another one for that time, looks as if
//!   nothing had happened. A reader who looks at it at that moment, having just been told of it, is not
//!   told again: better look once more after a while.
//! - What several watches cover under one spelling is told once. To add a watch that overlaps others waits
//!   for a look that is going on.
//! - A watched path that is gone goes on being looked for, and is watched again when it is back.
//! - Where a watch asks for links to be followed, those to folders are, each where it leads to a
//!   folder that the same tree does not hold already.
//! - A folder that cannot be read is an error item, once, if two looks in a row have failed at it. So
//!   is, where contents are compared, a file that cannot be read, at the first look.
//! - The **stream** ends only if the thread that looks has panicked, after an error item.
//! - A dropped backend waits for its thread, for a second at most: the system may never answer a call
//!   to a server that has gone.

mod changes;
mod folder;
mod listings;
mod look;
mod obstacle;
mod platform;
mod root;
mod roots;
mod scanner;
mod settings;
mod state;

use notify_backend::{check_paths, prelude::*, settings::Hints};

pub use crate::settings::Settings;
use crate::{root::Root, scanner::Scanner};

const CAPABILITIES: Capabilities = {
    let all = Capabilities::declare(&[
        Capability::FollowSymlinks,
        Capability::WatchFiles,
        Capability::WatchFolders,
        Capability::WatchNewFolders,
        Capability::WatchRecursively,
        Capability::WatchNetworkedFilesystem,
        Capability::ChangeWatches,
    ]);
    if platform::HAS_IDENTITIES { all.with(Capability::TrackRelated) } else { all }
};

/// Watches paths by looking at them from time to time.
#[derive(Debug)]
pub struct PollBackend {
    scanner: Scanner,
}

impl PollBackend {
    /// As [`new`](Backend::new), but with settings other than the default.
    pub fn with_settings(settings: Settings, watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_paths(&watches, CAPABILITIES)?;
        let scanner = Scanner::new(settings).map_err(|error| {
            BackendError::unavailable(format!(
                "the thread that looks at the files could not be started: {error}"
            ))
        })?;
        let mut backend = Self { scanner };
        for watch in watches {
            backend.watch(watch)?;
        }
        Ok(backend)
    }
}

impl Backend for PollBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_settings(Settings::default(), watches)
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        Self::with_settings(hints.into(), watches)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/poll"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        if self.scanner.has_ended() {
            return Err(BackendError::ended());
        }
        watch.check(CAPABILITIES)?;
        self.scanner.add(Root::new(watch)?);
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        if self.scanner.has_ended() {
            return Err(BackendError::ended());
        }
        if self.scanner.remove(path) { Ok(()) } else { Err(BackendError::not_watched(path)) }
    }
}

impl Stream for PollBackend {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.scanner.poll_next(cx)
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "PollBackend", type_name | replace: "your-namespace/poll", backend_name -}}
