//! A network mount beside a local folder, as a stream and in the place of notify's watcher. Without sshfs or the
//! permission to mount, the tests are ignored with the reason.
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../../../tests/shared/mount.rs"]
mod mount;

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    std::process::ExitCode::SUCCESS
}
