//! A file-system notification backend on Windows' `ReadDirectoryChangesW`. {%- capture source %}
//!
//! It reads the changes of each watched folder, with everything below it, through one handle, and those of
//! the folder itself through another one of the folder above. Paths that lie in each other, and files of one
//! folder, share these handles, so that each change is read once. On other systems, it compiles and is
//! unavailable: put another backend behind it in a [`FirstOf`](notify_backend::fallback::FirstOf).
//!
//! This file is the backend's outside. `reader.rs` has the thread that reads, `place.rs` and `open.rs` open
//! folders, `explain.rs` names their errors, and `sys.rs` holds the system calls. The other files need no Windows:
//! `record.rs` parses what was read, `source.rs` is a folder that is read, `root.rs` makes reports of records,
//! `watches.rs` says what follows from each read, `begin.rs` and `adding.rs` begin a watch without a gap in
//! others, `moves.rs` relates renames, and `cover.rs`, `name.rs` and `folder.rs` are what these work with.
//!
//! # Limits and details
//!
//! - A watched **file** is watched by its name, as long as its folder stays where it is: the file may be
//!   replaced, removed and made again. A link is watched like a file, and not followed.
//! - A watched **folder** is watched until it is removed or renamed; that is its last event. If the folder
//!   above it may not be listed, its renaming is not noticed.
//! - On Windows, a folder in which another one is open cannot be renamed, so the folders above a watched one
//!   cannot.
//! - From Windows 10, version 1709, on, records have numbers of files (`ReadDirectoryChangesExW`). Then a
//!   move between watched folders is a rename, and kinds say whether it was a file or a folder. A file that
//!   has left all watched folders, or that has lost one of several names, is reported as renamed from there.
//!   A file moved between two watched paths while the backend is busy may be reported as created first.
//! - On older systems, and on file systems without such numbers (FAT), a move to another folder is a removal
//!   and a creation, and kinds are `any`. Only on older systems is `TrackRelated` not promised.
//! - What was modified is not known (`modify/any`). A folder is modified with its entries.
//! - The size and time of a file that stays open may change without an event: Windows reports them when
//!   they are written to the disk.
//! - If the system's buffer for a folder overflows (64 KiB), a `Missed` for its path stands for the lost
//!   events. If the consumer leaves 10 000 reports unread, a `Missed` for everything stands for further ones.
//! - Where the file system does not support such reads, the path is refused as unavailable.
//! - A watched path inside a recursively watched one is read through the handle of that, and goes on to be once
//!   the outer watch is **removed**: the system then still collects the changes of the whole outer folder. Then the
//!   inner folder is reported as modified with its entries, too.
//! - **Names** are reported in their long form as long as the file exists; one that is gone may be reported by its
//!   short name (`PROGRA~1`), if a program used that. A watched path keeps its spelling in reports, whatever it
//!   is: short, in other letters' case, with `\\?\`, or through links. Two spellings are two watches.
//! - **Links** in a tree are entries, and not followed; a junction counts as a link. `FollowSymlinks` is not promised:
//!   a folder's records end at its links, so a backend would have to list each tree for them, and to watch each
//!   target through a handle of its own. Without that, a tree costs the same however large it is.
//! - `WatchNetworkedFilesystem` is not promised, because it depends on the server: those of Windows report what other
//!   machines change, Samba does so only for some file systems, and others refuse. Poll if you have to be certain.
//! - While a folder is watched, its drive cannot be ejected.
//! - The **stream** ends only if reading fails as a whole, or the reading thread has panicked, after an error
//!   item.
//! - A dropped backend waits for its thread, for a second at most: a server that is gone may not give a
//!   buffer back.

#[cfg(windows)]
mod adding;
#[cfg(windows)]
mod begin;
#[cfg(windows)]
mod cover;
#[cfg(not(windows))]
mod elsewhere;
#[cfg(windows)]
mod explain;
#[cfg(windows)]
mod folder;
#[cfg(windows)]
mod moves;
#[cfg(windows)]
mod name;
#[cfg(windows)]
mod open;
#[cfg(windows)]
mod place;
#[cfg(windows)]
mod reader;
#[cfg(windows)]
mod record;
#[cfg(windows)]
mod root;
#[cfg(windows)]
mod source;
#[cfg(windows)]
mod sys;
#[cfg(windows)]
mod watches;

use notify_backend::{About, check_paths, prelude::*};

#[cfg(not(windows))]
use crate::elsewhere::Reader;
#[cfg(windows)]
use crate::reader::Reader;

/// Watches paths through `ReadDirectoryChangesW` and streams what happens to them.
#[derive(Debug)]
pub struct WindowsBackend {
    reader: Reader,
}

/// The promises, each of which the compliance tests check.
const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::WatchEntireFilesystem,
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::ChangeWatches,
]);

impl Backend for WindowsBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_paths(&watches, CAPABILITIES)?;
        let mut backend = Self { reader: Reader::new()? };
        for watch in watches {
            backend.reader.watch(watch)?;
        }
        Ok(backend)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/windows"
    }

    fn about(&self) -> About {
        let mut about = About::of::<Self>();
        if Reader::tracks() {
            about.capabilities = about.capabilities.with(Capability::TrackRelated);
        }
        about
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        watch.check(CAPABILITIES)?;
        self.reader.watch(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.reader.unwatch(path)
    }
}

impl Stream for WindowsBackend {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.reader.poll_next(cx)
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "WindowsBackend", type_name | replace: "your-namespace/windows", backend_name -}}
