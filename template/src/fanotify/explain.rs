//! Conversion of the kernel's errors.

use std::{io, path::PathBuf};

use notify_backend::{BackendError, Limit};
use rustix::io::Errno;

const UNPRIVILEGED: &str = "fanotify watches a whole file system only with CAP_SYS_ADMIN and \
                            CAP_DAC_READ_SEARCH in the user namespace that it was mounted in; run the \
                            program as root, or use another backend";

/// Converts the kernel's error if nothing can be watched at all.
pub(crate) fn unavailable(error: io::Error) -> BackendError {
    let reason = match Errno::from_io_error(&error) {
        Some(Errno::PERM) => UNPRIVILEGED,
        Some(Errno::INVAL) => "the kernel is older than Linux 5.17, or has fanotify in part only",
        Some(Errno::NOSYS) => "the kernel was built without fanotify",
        Some(Errno::NOENT) => "the fanotify backend needs the proc file system at /proc",
        _ => return explain(PathBuf::new(), error),
    };
    BackendError::unavailable(reason)
}

/// Converts the kernel's error for a path.
pub(crate) fn explain(path: PathBuf, error: io::Error) -> BackendError {
    if Errno::from_io_error(&error) == Some(Errno::PERM) {
        return BackendError::unavailable_at(UNPRIVILEGED, [path]);
    }
    let refused = [Errno::XDEV, Errno::OPNOTSUPP, Errno::NODEV, Errno::STALE];
    if Errno::from_io_error(&error).is_some_and(|errno| refused.contains(&errno)) {
        let reason = "fanotify cannot watch the whole of that file system, as of overlayfs, FUSE, and the \
                      subvolumes of btrfs; use another backend there";
        return BackendError::unavailable_at(reason, [path]);
    }
    let error = BackendError::from_io(path, error);
    let setting = match error {
        BackendError::WatchLimit { .. } => "fs.fanotify.max_user_marks",
        BackendError::InstanceLimit { .. } => "fs.fanotify.max_user_groups",
        _ => return error,
    };
    error.with_limit(Limit::sysctl(setting))
}
