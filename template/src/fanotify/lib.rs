//! A file-system notification backend on Linux's fanotify. {%- capture source %}
//!
//! It has one mark for each file system, however many folders are watched there. The kernel then reports
//! everything that happens on it, by handles. Events outside the watched paths are dropped, and the handles
//! of the others become paths. This needs root's privileges (`CAP_SYS_ADMIN` and `CAP_DAC_READ_SEARCH`) and
//! Linux 5.17. From Linux 6.16 on, root of a user namespace, as in a container, has them for file systems
//! that were mounted in it. Without them, and for a path on a file system that cannot be marked (overlayfs,
//! FUSE, a btrfs subvolume), the backend is unavailable: put another one behind it in a
//! [`FirstOf`](notify_backend::fallback::FirstOf).
//!
//! An ordinary user could mark folders one by one, but that is less than inotify gives: it takes as many marks,
//! and the mark of a folder that was moved away cannot be removed.
//!
//! This file is the backend's outside. `filesystem.rs` sets up marks and reads; `queue.rs` puts in order what
//! was read, `places.rs` makes paths of handles, `telling.rs` makes events of records, and `explain.rs`
//! errors of those of the kernel. `folder.rs` opens folders, and `sys.rs` holds the system calls.
//!
//! # Limits and details
//!
//! - In a user namespace, the backend cannot be made without any path: only marking one shows whether it can be.
//! - A watched **file** is watched by its name, as long as its folder stays where it is: the file may be
//!   replaced, removed and made again.
//! - A watched **folder** is watched until it is removed, renamed or unmounted; that is its last
//!   event. The renaming of a folder above it is not noticed.
//! - Changes on other file systems that are **mounted below** a watched path are not reported; each such
//!   file system is an error item that names it.
//! - The **stream** ends only if reading fails, as it does once the Tokio runtime has ended.
//! - If the kernel's queue overflows (`fs.fanotify.max_queued_events`), a `Missed` stands for the lost
//!   events. The queue holds the events of all programs on the file system, and is read only when the stream
//!   is: a program that does not read for long misses more than with one watch per folder.
//! - The path of an event is where its folder was at that time, even if the folder was renamed since. Events
//!   in a folder that is gone, and whose place is unknown, are dropped; the removal of a folder above it is
//!   reported.
//! - Equal events that have not been read yet are merged, and a file that came and went may be reported
//!   before events that happened meanwhile.
//! - Accesses are requested from the kernel only if a watch asks for them, and the closing of written files also
//!   if [`Settings::report_closes`] or a hint does. Opening or reading a folder, by listing it, is not reported.
//! - Links are not followed.
//! - The kernel does not report changes through memory maps, and on a network file system it reports only
//!   changes that this machine makes. A watched path there is refused, unless
//!   [`Settings::watch_networked`] allows it.

mod explain;
mod filesystem;
mod folder;
mod mounts;
mod places;
mod queue;
mod recent;
mod record;
mod reserve;
mod roots;
mod settings;
mod sys;
mod telling;

use std::slice;

use notify_backend::{prelude::*, settings::Hints};

pub use crate::settings::Settings;
use crate::{explain::unavailable, filesystem::Filesystems};

/// Watches paths through fanotify and streams what happens to them.
#[derive(Debug)]
pub struct FanotifyBackend {
    watched: Filesystems,
    settings: Settings,
}

/// The promises, each of which the compliance tests check.
const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::EmitOnAccess,
    Capability::TrackRelated,
    Capability::WatchEntireFilesystem,
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::ChangeWatches,
]);

impl FanotifyBackend {
    /// As [`new`](Backend::new), but with settings other than the default.
    pub fn with_settings(settings: Settings, watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_watches(&watches, CAPABILITIES)?;
        settings.check(&watches)?;
        let filesystems = Filesystems::new(settings, watches.is_empty()).map_err(unavailable)?;
        let mut backend = Self { watched: filesystems, settings };
        for watch in watches {
            backend.watched.watch(watch)?;
        }
        Ok(backend)
    }
}

impl Backend for FanotifyBackend {
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
        "your-namespace/fanotify"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.watched.check_open()?;
        watch.check(CAPABILITIES)?;
        self.settings.check(slice::from_ref(&watch))?;
        self.watched.watch(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.watched.check_open()?;
        self.watched.unwatch(path)
    }
}

impl Stream for FanotifyBackend {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.watched.poll_next(cx)
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "FanotifyBackend", type_name | replace: "your-namespace/fanotify", backend_name -}}
