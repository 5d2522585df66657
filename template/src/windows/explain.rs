//! What the system's errors mean: [`explain`].

use std::{io, path::Path};

use notify_backend::{BackendError, Limit};
use windows_sys::Win32::Foundation::{
    ERROR_INVALID_FUNCTION, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_QUOTA, ERROR_NOT_SUPPORTED,
};

/// Converts the system's error for a path; the empty one stands for the backend itself.
pub(crate) fn explain(path: &Path, error: io::Error) -> BackendError {
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED) => {
            let reason = "the file system there does not support ReadDirectoryChangesW; use a backend that \
                          looks at the files";
            BackendError::unavailable_at(reason, [path])
        }
        // The system keeps the buffers in memory of which there is little.
        Some(ERROR_NO_SYSTEM_RESOURCES | ERROR_NOT_ENOUGH_QUOTA) => {
            let error = BackendError::from_io(path, io::ErrorKind::StorageFull.into());
            error.with_limit(Limit::new("the system's memory for buffers", None))
        }
        _ => BackendError::from_io(path, error),
    }
}
