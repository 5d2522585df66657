//! A file-system notification backend that looks at the files from time to time. {%- capture source %}
//!
//! It only reads folders, so it works wherever there is a file system, even on network mounts, where
//! kernels do not report changes that other machines make.
//!
//! [`listing`] lists folders and finds the differences, in a thread of its own. This file is the backend's
//! outside; `scanner.rs` says when to look, and `settings.rs` has the settings.
//!
//! # Limits and details
//!
//! - A change that is undone between two looks is not seen. The events of one look do not come in the order
//!   in which the changes happened: first come removals, then new entries, then changes.
//! - A consumer may list a new folder and see files that are gone by the next look. The folder is then
//!   reported once more, as `any`, if anything happened in it.
//! - A file that a program sees by listing a tree right after the start, and that is gone before the next
//!   look, is never reported: no look has found it.
//! - If a folder is replaced by another one, the old folder is reported as gone with everything in it, and
//!   the other one as new, if the system knows when a folder was created. Otherwise their entries are
//!   compared, as on overlayfs, which gives the time at which it copied the folder.
//! - There is a look each second, or as often as [`Settings::interval`] or notify's configuration says. If a look takes long, the
//!   pause after it is four times as long, so that looking takes a fifth of one core at most. There are
//!   no looks while the stream is not read.
//! - Only its size, or its content if that is [compared](Settings::compare_contents), distinguishes a
//!   written file from one whose time was set, or that changed in a way that a look does not see.
//!   Otherwise it is reported as changed (`modify/any`).
//! - Writes that do not change the size are seen by the file's times. If these are coarse (2 seconds on FAT,
//!   one on sshfs), compare contents.
//! - Network mounts may show changes late (sshfs up to 20 seconds by default); they are reported after
//!   that.
//! - Renames are recognised on Unix, if the file system knows when a file was created. Many network mounts
//!   do not, nor does ext2: there, a rename is a removal and a creation, as it is on Windows. The number
//!   of a file proves nothing by itself, since a new file soon gets that of a removed one.
//! - On Windows, a file that was away between two looks, or was another one meanwhile, seems unchanged. A
//!   consumer that looks at it in that moment, because of an event, gets no further event: look once more
//!   after a while.
//! - Entries that several watches cover under one spelling are reported once. Adding a watch that overlaps
//!   others waits for the end of a running look.
//! - A watched path that is gone is still looked for, and watched again when it is back.
//! - If a watch asks for links to be followed, links to folders are followed, unless the same tree already
//!   has the folder.
//! - A folder that cannot be read is one error item, after two looks in a row have failed. So is a file that
//!   cannot be read, if contents are compared, at the first look.
//! - The **stream** ends only if the looking thread has panicked, after an error item.
//! - A dropped backend waits for its thread, for a second at most: a system call to a server that is gone
//!   may never return.

mod scanner;
mod settings;

use notify_backend::{check_paths, listing, prelude::*, settings::Hints};

use crate::scanner::Scanner;
pub use crate::settings::Settings;

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
    if listing::TRACKS_RENAMES { all.with(Capability::TrackRelated) } else { all }
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
        watch.check(CAPABILITIES)?;
        self.scanner.watch(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.scanner.unwatch(path)
    }
}

impl Stream for PollBackend {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.scanner.poll_next(cx)
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "PollBackend", type_name | replace: "your-namespace/poll", backend_name -}}
