//! States that the compliance suite does not test, since most platforms do not have them: merged records, handles
//! of folders that have moved since, and other mounts.
//!
//! The tests run in their own mount namespace: as root, if root starts them, and as root of a user namespace,
//! which an ordinary user can be.
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]

mod cases;
mod scene;

use std::{
    env,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Completion, Trial};

/// Set in the processes that run the tests.
const INSIDE: &str = "FANOTIFY_EDGES_INSIDE";

/// The users that run the tests, with the arguments of `unshare`.
const ROOT: (&str, &[&str]) = ("root", &["--mount"]);
const NAMESPACE: (&str, &[&str]) =
    ("root of a user namespace", &["--user", "--map-root-user", "--mount"]);

/// Returns whether the tests run as root of a user namespace.
fn is_in_user_namespace() -> bool {
    env::var_os(INSIDE).is_some_and(|user| user == NAMESPACE.0)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The tests share a file system, and one of them makes its event queue overflow.
    arguments.test_threads = Some(1);
    if !arguments.list && env::var_os(INSIDE).is_none() {
        let is_root = rustix::process::geteuid().is_root();
        let users = if is_root { &[ROOT, NAMESPACE][..] } else { &[NAMESPACE] };
        let has_failed = users.iter().filter(|user| !is_passed_by(user)).count() > 0;
        return if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let obstacle = if arguments.list { None } else { scene::obstacle() };
    let trials = cases::ALL.iter().map(|&(name, test)| {
        let obstacle = obstacle.clone();
        Trial::ignorable_test(name, move || {
            if let Some(reason) = obstacle {
                return Ok(Completion::ignored_with(reason));
            }
            scene::run(test);
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Runs the tests as a user; returns whether they pass.
fn is_passed_by(&(user, namespaces): &(&str, &[&str])) -> bool {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(namespaces);
        command
    };
    println!("as {user}");
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        println!("ignored: `unshare` cannot make the namespaces here");
        return true;
    }
    let program = env::current_exe().expect("a running program has a path");
    let mut tests = unshare();
    tests.arg(program).args(env::args_os().skip(1)).env(INSIDE, user);
    tests.status().expect("`unshare` can be run").success()
}
