//! The template: what `cargo xtask new` accepts and refuses, and the crates that it makes.

// Helper functions are tests too; clippy's exception for tests does not see them.
#![allow(clippy::unwrap_used)]

mod answers;
mod bad_input;
mod bare_machine;
mod cargo_generate;
mod clone;
mod configuration;
mod failing_git;
mod generated;
#[cfg(target_os = "linux")]
mod inotify;
mod interruption;
mod jobs;
mod line_ends;
mod modes;
mod names;

mod next;
mod origins;
mod package;
#[cfg(target_os = "linux")]
mod picture;
mod publish;
mod registry;
mod residue;
mod support;
mod sync;
mod terminal;
mod upgrade;
#[cfg(target_os = "linux")]
mod walk_through;
mod workflows;
mod working;
