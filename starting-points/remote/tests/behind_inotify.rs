//! Runs the compliance suite with daemons that watch by inotify, which report each change at once.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
use notify_backend::compliance::Profile;

#[cfg(target_os = "linux")]
#[path = "../../../template/src/remote/tests/compliance.rs"]
#[allow(dead_code, reason = "its `main` is for daemons with another backend")]
mod scene;

/// The groups that always run: what a daemon and its client add to the daemon's backend.
#[cfg(target_os = "linux")]
const ALWAYS: &[&str] = &["changing", "resuming", "stream"];

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    // Between a change and its report are two processes and a server.
    let profile = Profile::default().latency(std::time::Duration::from_millis(100));
    scene::run(
        profile,
        |suite| suite,
        ALWAYS,
        async |settings, folders| {
            type Inotify = notify_backend_inotify::InotifyBackend;
            notify_backend_remote::publish::<Inotify>(settings, folders, scene::ready).await
        },
    )
}

/// Does nothing: there is no inotify.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
