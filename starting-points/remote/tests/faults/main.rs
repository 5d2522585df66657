//! What goes wrong between a daemon and its clients: the server is killed, the network is cut, the stream is full,
//! messages are damaged or forged. Nothing is lost without `Missed`, and nothing hangs.
//!
//! Without nats-server, the tests are ignored with the reason.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
#[path = "../../../../template/src/remote/tests/compliance.rs"]
#[allow(dead_code, reason = "only its server is used here")]
mod compliance;
#[cfg(target_os = "linux")]
mod forgery;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod proxy;
#[cfg(target_os = "linux")]
mod scene;
#[cfg(target_os = "linux")]
mod streams;
#[cfg(target_os = "linux")]
mod trials;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    trials::run()
}

/// Does nothing: the daemons watch by inotify.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
