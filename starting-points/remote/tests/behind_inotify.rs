//! Runs the compliance suite with daemons that watch by inotify, which report each change at once.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
use notify_backend::compliance::{Profile, Suite};

#[cfg(target_os = "linux")]
#[path = "../../../template/src/remote/tests/compliance.rs"]
#[allow(dead_code, reason = "its `main` is for daemons with another backend")]
mod scene;

/// What is mounted into a tree after inotify has watched it is not seen.
#[cfg(target_os = "linux")]
const MOUNTED_LATER: &str = "the daemon may watch a folder before the case mounts something there";

/// The cases that depend on when the daemon, which watches already, comes to what a case makes before it asks for a watch.
#[cfg(target_os = "linux")]
const LEFT_OUT: &[(&str, &str)] = &[
    ("PERM06", "the daemon may watch a folder before the case locks it"),
    ("REC22", MOUNTED_LATER),
    ("REC23", MOUNTED_LATER),
    ("REC24", MOUNTED_LATER),
    ("ROOT07", MOUNTED_LATER),
];

/// The groups that always run: what a daemon and its client add to the daemon's backend.
#[cfg(target_os = "linux")]
const ALWAYS: &[&str] = &["changing", "resuming", "stream"];

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    // Between a change and its report are two processes and a server.
    let profile = Profile::default().latency(std::time::Duration::from_millis(100));
    let adapt = |suite: Suite| {
        let reason =
            "the daemon watches where the folder comes from, and has reported there what is locked";
        let suite = suite.deviation("REC11", reason);
        LEFT_OUT.iter().fold(suite, |suite, (id, reason)| suite.leave_out(id, reason))
    };
    scene::run(profile, adapt, ALWAYS, async |settings, folders| {
        type Inotify = notify_backend_inotify::InotifyBackend;
        notify_backend_remote::publish::<Inotify>(settings, folders, scene::ready).await
    })
}

/// Does nothing: there is no inotify.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
