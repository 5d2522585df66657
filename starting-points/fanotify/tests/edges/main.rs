//! States that the compliance suite does not test, since most platforms do not have them: merged records, handles
//! of folders that have moved since, and other mounts.
//!
//! The tests run in their own mount namespace: as root, if root starts them, and as root of a user namespace,
//! which an ordinary user can be.
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]

mod cases;
mod scene;
#[path = "../../../../tests/shared/users.rs"]
mod users;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

/// Returns whether the tests run as root of a user namespace.
fn is_in_user_namespace() -> bool {
    users::is_inside(users::NAMESPACE)
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The tests share a file system, and one of them makes its event queue overflow.
    arguments.test_threads = Some(1);
    if !arguments.list
        && let Some(result) = users::run_as_each()
    {
        return result;
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
