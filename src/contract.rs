//! The contract: what a backend implements, and what its consumers read.

pub(crate) mod backend;
pub(crate) mod capability;
pub(crate) mod cursor;
pub(crate) mod display;
pub(crate) mod error;
pub mod event;
pub mod settings;
