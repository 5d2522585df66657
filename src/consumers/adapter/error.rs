//! Conversion of a backend's errors to notify's.

use std::{io, path::PathBuf};

use crate::contract::error::{BackendError, StreamError};

/// Converts an error for programs that use notify, with its paths.
///
/// | error | kind of notify's |
/// |---|---|
/// | [`NotFound`](BackendError::NotFound) | `PathNotFound` |
/// | [`NotWatched`](BackendError::NotWatched) | `WatchNotFound` |
/// | [`WatchLimit`](BackendError::WatchLimit) | `MaxFilesWatch` |
/// | [`Io`](BackendError::Io) | `Io`, with the operating system's error |
/// | [`PermissionDenied`](BackendError::PermissionDenied) | `Io`, of kind [`PermissionDenied`](io::ErrorKind::PermissionDenied), with this error in it |
/// | [`InstanceLimit`](BackendError::InstanceLimit) | `Io`, with this error in it |
/// | any other | `Generic`, with its message |
///
/// ```
/// use notify_backend::prelude::*;
///
/// let error = BackendError::not_supported(Capability::WatchRecursively, ["/srv"]);
/// let error = notify::Error::from(error);
/// assert!(error.to_string().contains("WatchRecursively"));
/// assert_eq!(error.paths, [Path::new("/srv")]);
/// ```
impl From<BackendError> for notify::Error {
    fn from(error: BackendError) -> Self {
        let paths = error.paths().to_vec();
        let error = match error {
            BackendError::NotFound { .. } => Self::path_not_found(),
            BackendError::NotWatched { .. } => Self::watch_not_found(),
            BackendError::WatchLimit { .. } => Self::new(notify::ErrorKind::MaxFilesWatch),
            BackendError::Io { error, .. } => Self::io(error),
            BackendError::PermissionDenied { .. } => {
                Self::io(io::Error::new(io::ErrorKind::PermissionDenied, error))
            }
            BackendError::InstanceLimit { .. } => Self::io(io::Error::other(error)),
            error => Self::generic(&error.to_string()),
        };
        error.set_paths(paths)
    }
}

/// Converts an error like its cause, with the path that is not watched. If reading failed, it becomes an
/// `Io` error without a path.
///
/// ```
/// use notify_backend::prelude::*;
/// use std::io;
///
/// let cause = BackendError::from_io("/srv/private", io::ErrorKind::StorageFull.into());
/// let error = StreamError::unwatched("/srv/private", cause);
/// let error = notify::Error::from(error);
/// assert!(matches!(error.kind, notify::ErrorKind::MaxFilesWatch));
/// assert_eq!(error.paths, [Path::new("/srv/private")]);
/// ```
impl From<StreamError> for notify::Error {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Unwatched { path, cause } => with_path(Self::from(*cause), path),
            StreamError::Read { error } => Self::io(error),
        }
    }
}

fn with_path(error: notify::Error, path: PathBuf) -> notify::Error {
    if error.paths.contains(&path) { error } else { error.add_path(path) }
}
