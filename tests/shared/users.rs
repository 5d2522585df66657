//! Runs a test program once for each user that can mount: root, if root starts it, and root of a user namespace,
//! which an ordinary user can be. Each gets a mount namespace of its own.

use std::{
    env,
    process::{Command, ExitCode},
};

/// Set in the processes that run the tests: the name of the user.
const INSIDE: &str = "NOTIFY_BACKEND_TEST_USER";

/// A name, and the arguments of `unshare`.
type User = (&'static str, &'static [&'static str]);

pub(crate) const ROOT: User = ("root", &["--mount"]);
pub(crate) const NAMESPACE: User =
    ("root of a user namespace", &["--user", "--map-root-user", "--mount"]);

/// Returns whether the tests run as this user.
pub(crate) fn is_inside(user: User) -> bool {
    env::var_os(INSIDE).is_some_and(|inside| inside == user.0)
}

/// Runs this program as each user, unless this process is one of those.
pub(crate) fn run_as_each() -> Option<ExitCode> {
    if env::var_os(INSIDE).is_some() {
        return None;
    }
    let is_root = rustix::process::geteuid().is_root();
    let users = if is_root { &[ROOT, NAMESPACE][..] } else { &[NAMESPACE] };
    let has_failed = users.iter().filter(|user| !is_passed_by(user)).count() > 0;
    Some(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the tests as a user; returns whether they pass.
fn is_passed_by(&(user, namespaces): &User) -> bool {
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
