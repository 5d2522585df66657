//! The backend under test, without its type: the cases are compiled once for all backends.

use std::fmt;

use crate::{
    backend::{Backend, Watch},
    capability::Capabilities,
    error::BackendError,
};

type New = fn(Vec<Watch>) -> Result<Box<dyn Backend>, BackendError>;

/// What the suite needs of a backend's type.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    /// The type's path, which tells backends apart that share a test program.
    pub(super) type_name: fn() -> &'static str,
    pub(super) new: New,
    pub(super) capabilities: fn() -> Capabilities,
    pub(super) name: fn() -> &'static str,
    pub(super) trait_version: fn() -> &'static str,
}

impl Subject {
    pub(super) const fn of<B: Backend>() -> Self {
        Self {
            type_name: std::any::type_name::<B>,
            new: |watches| Ok(Box::new(B::new(watches)?)),
            capabilities: B::capabilities,
            name: B::name,
            trait_version: B::trait_version,
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((self.type_name)())
    }
}
