//! `cargo xtask new`, run as a newcomer runs it, and the crates that it makes.

// Helper functions are tests too; clippy's exception for tests does not see them.
#![allow(clippy::unwrap_used)]

mod generated;
mod support;
