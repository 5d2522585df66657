//! A file-system notification backend on Linux's fanotify. {%- capture source %}
//!
//! It has one mark for each file system, however many folders are watched there. The kernel then reports
//! everything that happens on it, by handles; what is not below a watched path is left out, and the handles
//! of the rest become paths. This takes root's privileges (`CAP_SYS_ADMIN` and `CAP_DAC_READ_SEARCH`) and
//! Linux 5.17. Where they are missing, and for a path on a file system that cannot be marked (overlayfs,
//! FUSE, a btrfs subvolume), the backend is unavailable: a program has another one next in its
//! [`FirstOf`](notify_backend::fallback::FirstOf).
//!
//! This file is the backend's outside. `filesystem.rs` sets up marks and reads; `queue.rs` puts in order what
//! was read, `places.rs` makes paths of handles, `telling.rs` makes events of records, and `explain.rs`
//! errors of those of the kernel. `folder.rs` opens folders, and `sys.rs` holds the system calls.
//!
//! # What it does at the edges
//!
//! - A watched **file** is watched by its name, for as long as the folder that it is in stays where
//!   it is: it may be replaced, removed and made again.
//! - A watched **folder** is watched until it is removed, renamed or unmounted; that is its last
//!   event. That a folder above it is renamed is not noticed.
//! - Where other file systems are **mounted below** a watched path, what happens there is not reported; each
//!   is an error item that names it.
//! - The **stream** ends only if reading fails, as it does once the Tokio runtime has ended.
//! - Where the kernel's queue overflows (`fs.fanotify.max_queued_events`), a `Missed` stands for what was
//!   lost. It holds what anybody does on the file system, and is read only when the stream is: a
//!   program that does not read for long misses more than with one watch for each folder.
//! - The path of an event is where its folder was at that time, also if it was renamed since. What happened in
//!   a folder that is gone, and of which nobody can tell where it was, is left out; the removal of one above it
//!   is reported.
//! - Equal events that were not read yet are one, and a file that came and went may be told of before what
//!   happened meanwhile.
//! - Accesses are asked of the kernel only where a watch asks for them. That a folder is opened or
//!   read, by listing it, is not reported.
//! - Links are not followed.
//! - Changes through memory maps are not reported by the kernel, and of a network file system only those
//!   that this machine makes. A watched path there is refused, unless [`Settings::watch_networked`] allows it.

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

use std::{io, slice};

use notify_backend::prelude::*;
use rustix::io::Errno;

pub use crate::settings::Settings;
use crate::{explain::explain, filesystem::Filesystems};

/// Watches paths through fanotify and streams what happens to them.
#[derive(Debug)]
pub struct FanotifyBackend {
    watched: Filesystems,
    settings: Settings,
}

/// What is promised, and what the compliance tests therefore check.
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
        let mut backend = Self { watched: Filesystems::new().map_err(unavailable)?, settings };
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

/// Why nothing can be watched at all.
fn unavailable(error: io::Error) -> BackendError {
    let reason = match Errno::from_io_error(&error) {
        Some(Errno::PERM) => {
            "fanotify watches whole file systems only with CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH; run the \
             program as root, or use another backend"
        }
        Some(Errno::INVAL) => "the kernel is older than Linux 5.17, or has fanotify in part only",
        Some(Errno::NOSYS) => "the kernel was built without fanotify",
        Some(Errno::NOENT) => "the fanotify backend needs the proc file system at /proc",
        _ => return explain(PathBuf::new(), error),
    };
    BackendError::unavailable(reason)
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "FanotifyBackend", type_name | replace: "your-namespace/fanotify", backend_name -}}
