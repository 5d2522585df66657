//! On Linux: inotify; fanotify for whole file systems, and for trees that exceed inotify's limits; polling where
//! neither can watch.

use std::{io, os::unix::fs::MetadataExt};

use notify_backend::{
    prelude::*,
    settings::{Hints, Made, Maker},
};
use notify_backend_fanotify::FanotifyBackend;
use notify_backend_inotify::InotifyBackend;
use notify_backend_poll::PollBackend;

pub(crate) type Candidates =
    (Made<WholeFileSystems>, InotifyBackend, Made<BeyondLimits>, PollBackend);

/// Those for programs that are written for notify, whose watchers follow links.
#[cfg(feature = "notify")]
pub(crate) type ForNotify = (InotifyBackend, PollBackend);

/// Makes a fanotify backend for whole file systems, on which it gets no event that is not wanted.
pub(crate) struct WholeFileSystems;

impl Maker for WholeFileSystems {
    type Backend = FanotifyBackend;

    fn make(watches: Vec<Watch>) -> Result<FanotifyBackend, BackendError> {
        Self::with_hints(watches, &Hints::default())
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<FanotifyBackend, BackendError> {
        if watches.is_empty() || !watches.iter().all(is_whole_file_system) {
            return Err(BackendError::unavailable("not a recursive watch of a whole file system"));
        }
        without_links(watches, hints)
    }
}

/// Makes a fanotify backend for trees. It comes after inotify, so it is for those that exceed its limits.
pub(crate) struct BeyondLimits;

impl Maker for BeyondLimits {
    type Backend = FanotifyBackend;

    fn make(watches: Vec<Watch>) -> Result<FanotifyBackend, BackendError> {
        Self::with_hints(watches, &Hints::default())
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<FanotifyBackend, BackendError> {
        // A few files and folders are looked at with less effort than all events of a file system.
        if !watches.iter().any(|watch| watch.recursive) {
            return Err(BackendError::unavailable("no watch is recursive"));
        }
        without_links(watches, hints)
    }
}

fn without_links(watches: Vec<Watch>, hints: &Hints) -> Result<FanotifyBackend, BackendError> {
    if watches.iter().any(|watch| watch.follow_links) {
        return Err(BackendError::unavailable("it does not follow links"));
    }
    FanotifyBackend::with_hints(watches, hints)
}

fn is_whole_file_system(watch: &Watch) -> bool {
    watch.recursive && is_mount_point(&watch.path).unwrap_or(false)
}

/// Returns whether `path` is the root of a mount. That of a folder of the same file system does not count.
fn is_mount_point(path: &Path) -> io::Result<bool> {
    let here = path.symlink_metadata()?;
    if !here.is_dir() {
        return Ok(false);
    }
    let above = path.join("..").metadata()?;
    // Above the root of all is itself.
    Ok(here.dev() != above.dev() || here.ino() == above.ino())
}
