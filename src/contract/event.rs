//! The parts of an [`Event`]: the inner kinds of its [`EventKind`], and its [`Attrs`].

mod attrs;
#[cfg(feature = "serde")]
pub mod format;
pub(crate) mod kind;
mod notify;
pub(crate) mod one;
mod parse;
#[cfg(test)]
mod tests;

pub use attrs::{Attrs, Tracker};
pub(crate) use kind::EventKind; // it is at the root, `notify_backend::EventKind`
pub use notify_types::event::{
    AccessKind, AccessMode, CreateKind, DataChange, MetadataKind, ModifyKind, RemoveKind,
    RenameMode,
};
pub(crate) use one::Event; // it is at the root, `notify_backend::Event`
pub use parse::UnknownKind;
