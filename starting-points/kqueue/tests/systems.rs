//! Runs the compliance suite on the models of the systems whose kernels differ from FreeBSD's, of which the crate's own
//! run has the model.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
#[path = "../../../template/src/kqueue/tests/compliance.rs"]
#[allow(dead_code, reason = "its `main` is for one system")]
mod compliance;

#[cfg(target_os = "linux")]
use notify_backend_kqueue as backend;

/// The systems.
#[cfg(target_os = "linux")]
const SYSTEMS: &[&str] = &["macOS", "NetBSD", "OpenBSD"];

/// The groups and cases in which they differ. The others run if [`IS_WANTED`] is set.
#[cfg(target_os = "linux")]
const DIFFERENT: &[&str] = &[
    "convergence::many_writers",
    "convergence::random_tree",
    "convergence::scripts",
    "files::",
    "hardlinks::",
    "renames::",
    "saves::",
    "symlinks::",
];

/// The environment variable that has the whole suite run.
#[cfg(target_os = "linux")]
const IS_WANTED: &str = "NOTIFY_BACKEND_TEST_ALL";

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use std::{env, ffi::OsString, process::Command};

    if env::var_os(compliance::model::VARIABLE).is_some() {
        return compliance::run();
    }
    // What the suite is asked for: what this program is, or each group.
    let mut asked: Vec<Vec<OsString>> = vec![env::args_os().skip(1).collect()];
    if env::var_os(IS_WANTED).is_none() {
        println!("only {DIFFERENT:?} are proven: all cases run if {IS_WANTED} is set");
        asked = DIFFERENT.iter().map(|it| vec![it.into()]).collect();
    }
    for system in SYSTEMS {
        println!("\nkqueue of {system}");
        for arguments in &asked {
            let again = env::current_exe().and_then(|this| {
                let mut again = Command::new(this);
                again.args(arguments).env(compliance::model::VARIABLE, system).status()
            });
            match again {
                Ok(status) if status.success() => {}
                Ok(_) => return ExitCode::FAILURE,
                Err(error) => {
                    eprintln!("this program cannot be started again: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    ExitCode::SUCCESS
}

/// Does nothing: the models are on inotify.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
