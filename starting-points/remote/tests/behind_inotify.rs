//! Runs the compliance suite with daemons that watch by inotify, which report each change at once.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
use notify_backend::compliance::{Profile, Suite};

#[cfg(target_os = "linux")]
#[path = "../../../template/src/remote/tests/compliance.rs"]
#[allow(dead_code, reason = "its `main` is for daemons with another backend")]
mod scene;

/// The daemon watches before the case mounts something.
#[cfg(target_os = "linux")]
const MOUNTED_LATER: &str = "inotify does not see what is mounted into a tree after it was watched";

/// The cases that fail, and why.
#[cfg(target_os = "linux")]
const DEVIATIONS: &[(&str, &str)] = &[
    (
        "REC11",
        "the daemon watches where the folder comes from, and has reported there what is locked",
    ),
    ("REC23", MOUNTED_LATER),
    ("REC24", MOUNTED_LATER),
    ("ROOT07", MOUNTED_LATER),
];

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    // Between a change and its report are two processes and a server.
    let profile = Profile::default().latency(std::time::Duration::from_millis(100));
    let adapt = |suite: Suite| {
        DEVIATIONS.iter().fold(suite, |suite, (id, reason)| suite.deviation(id, reason))
    };
    scene::run(profile, adapt, async |settings, folders| {
        type Inotify = notify_backend_inotify::InotifyBackend;
        notify_backend_remote::publish::<Inotify>(settings, folders, scene::ready).await
    })
}

/// Does nothing: there is no inotify.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
