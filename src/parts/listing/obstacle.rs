//! Errors that keep a look from seeing a path: [`Obstacle`].

use std::io;

use super::platform;
use crate::contract::error::is_descriptor_limit;

/// The error of the last look at a path, if there was one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Obstacle(Option<Failure>);

#[derive(Clone, Copy, Debug)]
struct Failure {
    kind: io::ErrorKind,
    is_told: bool,
}

impl Obstacle {
    /// Notes that a look has failed. Returns whether to report it: once, and not before it has failed twice
    /// in a row. Systems have many errors for a path that is being removed at this very moment, such as
    /// `ESTALE` on network mounts. A further part of the same look `goes_on`, and is no second one. A missing permission
    /// may be reported `at_once`; that no more files can be opened always is, since it has nothing to do with the path,
    /// and there may be no second look.
    pub(super) fn is_to_be_told(
        &mut self,
        error: &io::Error,
        at_once: bool,
        goes_on: bool,
    ) -> bool {
        if is_absence(error) || platform::is_in_use(error) {
            return false;
        }
        let kind = error.kind();
        match &mut self.0 {
            Some(failure) if failure.kind == kind => {
                !goes_on && !std::mem::replace(&mut failure.is_told, true)
            }
            failure => {
                let is_denied = at_once && kind == io::ErrorKind::PermissionDenied;
                let is_told = is_denied || is_descriptor_limit(error);
                *failure = Some(Failure { kind, is_told });
                is_told
            }
        }
    }
}

/// Returns whether the error says that there is nothing at the path.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
