//! Tests the compliance suite with broken backends: the cases that a mutant names must catch it, and each MUST case
//! must catch one.
//!
//! A broken backend is the inotify backend with one mistake, a [`Mutation`](mutant::Mutation). To add one, write it
//! in one of the files of mutations and name it in that file's table.

#[cfg(target_os = "linux")]
mod clients;
#[cfg(target_os = "linux")]
mod construction;
#[cfg(target_os = "linux")]
mod contents;
#[cfg(target_os = "linux")]
mod demands;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod gone;
#[cfg(target_os = "linux")]
#[path = "../shared/in_memory.rs"]
mod in_memory;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod losses;
#[cfg(target_os = "linux")]
mod mutant;
#[cfg(target_os = "linux")]
mod networked;
#[cfg(target_os = "linux")]
mod places;
#[cfg(target_os = "linux")]
mod resuming;
#[cfg(target_os = "linux")]
mod streaming;
#[cfg(target_os = "linux")]
mod unread;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    kills::main()
}

/// Does nothing: the mutants are built on the inotify backend.
#[cfg(not(target_os = "linux"))]
fn main() {}
