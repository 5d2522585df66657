//! The chosen backend, on file systems and with limits that a test can set up: in namespaces, as root, if root
//! starts the tests, and as root of a user namespace, which an ordinary user can be. Other systems have no such
//! namespaces.
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
#[path = "../../../tests/shared/users.rs"]
mod users;

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    std::process::ExitCode::SUCCESS
}
