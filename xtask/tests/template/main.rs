//! The template: what `cargo xtask new` accepts and refuses, and the crates that it makes.

// Helper functions are tests too; clippy's exception for tests does not see them.
#![allow(clippy::unwrap_used)]

mod answers;
mod backends;
mod bad_input;
mod bare_machine;
mod builds;
mod cargo_generate;
mod clone;
mod configuration;
mod failing_git;
mod generated;
mod interruption;
mod jobs;
mod line_ends;
mod modes;
mod names;
mod next;
mod origins;
mod package;
#[cfg(target_os = "linux")]
mod recordings;
mod residue;
mod support;
mod sync;
mod terminal;
mod upgrade;
mod workflows;
