//! What a failure of the daemon's means for the watch: errors. {%- capture source %}

use std::{io, path::Path};

use notify_backend::{Limit, prelude::*};

use crate::{connection::Failure, target::Target};

/// Returns the error that `target` cannot be watched.
pub(crate) fn not_watched(target: &Target, socket: &Path, failure: Failure) -> BackendError {
    match failure {
        // Too many open files here.
        Failure::Io(error) if matches!(error.raw_os_error(), Some(23 | 24)) => {
            BackendError::from_io(target.path(), error)
        }
        Failure::Io(error) => BackendError::unavailable(format!(
            "Watchman cannot be reached through {}: {error}; start it, or set WATCHMAN_SOCK",
            socket.display()
        )),
        Failure::Refused(reason) => refused(target, &reason),
    }
}

/// Makes an error of the daemon's reason, which is a sentence for people.
fn refused(target: &Target, reason: &str) -> BackendError {
    let path = target.path();
    let says = |words: &[&str]| words.iter().any(|words| reason.contains(words));
    if says(&["No such file or directory"]) {
        BackendError::not_found([path])
    } else if says(&["Permission denied", "Operation not permitted"]) {
        BackendError::from_io(path, io::ErrorKind::PermissionDenied.into())
    } else if says(&["No space left on device", "max_user_watches"]) {
        // The daemon's watches are those of its user.
        let limit = Limit::new("fs.inotify.max_user_watches", None);
        BackendError::from_io(path, io::ErrorKind::StorageFull.into()).with_limit(limit)
    } else if says(&["max_user_instances"]) {
        // Each root takes one.
        let limit = Limit::new("fs.inotify.max_user_instances", None);
        BackendError::from_io(path, io::Error::from_raw_os_error(24)).with_limit(limit)
    } else {
        BackendError::unavailable_at(format!("Watchman says: {reason}"), [path])
    }
}
//~{% endcapture %}{{ source | remove: "//~" -}}
