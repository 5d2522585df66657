//! What may go wrong between the backend and the daemon: it dies, the connection breaks or stands still, and what comes
//! over it is cut off, forged or huge.
//!
//! The daemon is a real one, and its own for each test; what lies between is a [`Proxy`](proxy::Proxy), which can do
//! to the bytes whatever a test wants. Where Watchman is not installed, the tests are ignored.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]

mod daemon;
mod death;
mod forgery;
mod names;
mod overflow;
mod proxy;
mod scene;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test by name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = [death::ALL, forgery::ALL, names::ALL, overflow::ALL].concat();
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::ignorable_test(name, move || {
            if !daemon::is_installed() {
                return Ok(Completion::ignored_with("needs `watchman`"));
            }
            test();
            Ok::<_, Failed>(Completion::Completed)
        })
        .with_ignored_flag(name.ends_with("many_times"))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
