//! What errors of the kernel mean for a path.

use std::{io, path::PathBuf};

use notify_backend::{BackendError, Limit};
use rustix::io::Errno;

/// What an error of the kernel means for a path.
pub(crate) fn explain(path: PathBuf, error: io::Error) -> BackendError {
    let refused = [Errno::PERM, Errno::XDEV, Errno::OPNOTSUPP, Errno::NODEV, Errno::STALE];
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
