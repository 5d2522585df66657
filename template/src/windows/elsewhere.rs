//! What is there on other systems: nothing.

use std::convert::Infallible;

use notify_backend::prelude::*;

/// The reader, of which there is none.
#[derive(Debug)]
pub(crate) struct Reader(Infallible);

impl Reader {
    pub(crate) fn new() -> Result<Self, BackendError> {
        let reason = "only Windows has ReadDirectoryChangesW; use another backend here";
        Err(BackendError::unavailable(reason))
    }

    pub(crate) fn tracks() -> bool {
        false
    }

    pub(crate) fn watch(&mut self, _: Watch) -> Result<(), BackendError> {
        match self.0 {}
    }

    pub(crate) fn unwatch(&mut self, _: &Path) -> Result<(), BackendError> {
        match self.0 {}
    }

    pub(crate) fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        match self.0 {}
    }
}
