//! On a network mount: changes made behind it, of which no kernel reports anything, and what becomes
//! of a backend whose server does not answer, or is gone.
//!
//! The mounts are sshfs's, with a server that sshfs itself starts on this machine. Where sshfs or the
//! right to mount is missing, the tests are ignored, with the reason.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod mount;
#[cfg(target_os = "linux")]
mod scene;
#[cfg(target_os = "linux")]
mod trials;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    trials::run()
}

/// There are no mounts of sshfs here.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
