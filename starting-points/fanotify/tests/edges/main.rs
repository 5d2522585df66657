//! What the compliance suite does not ask of a backend, since most platforms cannot be in such a state: records
//! that were merged, handles of folders that are elsewhere by now, and other mounts.
//!
//! Only root can make the backend. The tests run in a mount namespace of their own.
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]

mod cases;
mod scene;

use std::{
    env,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Completion, Trial};

/// Set in the process that runs the tests.
const INSIDE: &str = "FANOTIFY_EDGES_INSIDE";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share a file system, which may be the one that a test makes events overflow on.
    arguments.test_threads = Some(1);
    let is_root = rustix::process::geteuid().is_root();
    if is_root && !arguments.list && env::var_os(INSIDE).is_none() {
        let program = env::current_exe().expect("a running program has a path");
        let mut command = Command::new("unshare");
        command.arg("--mount").arg(program).args(env::args_os().skip(1)).env(INSIDE, "");
        let status = command.status().expect("`unshare` can be run");
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let trials = cases::ALL.iter().map(|&(name, test)| {
        Trial::ignorable_test(name, move || {
            if is_root {
                scene::run(test);
                Ok(Completion::Completed)
            } else {
                Ok(Completion::ignored_with("only root can make the backend"))
            }
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
