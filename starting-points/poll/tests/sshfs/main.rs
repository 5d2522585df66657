//! Tests on a network mount: changes behind it, about which the kernel sends no events, and a backend whose server
//! does not respond, or is gone.
//!
//! The mounts are by sshfs, with a server that sshfs itself starts on this machine. Without sshfs or the
//! permission to mount, the tests are ignored with the reason.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
#[path = "../../../../tests/shared/mount.rs"]
mod mount;
#[cfg(target_os = "linux")]
mod scene;
#[cfg(target_os = "linux")]
mod suite;
#[cfg(target_os = "linux")]
mod trials;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    trials::run()
}

/// Does nothing: there are no sshfs mounts.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
