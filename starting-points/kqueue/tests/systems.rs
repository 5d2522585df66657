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
    use std::{env, ffi::OsString, thread};

    if env::var_os(compliance::model::VARIABLE).is_some() {
        return compliance::run();
    }
    // What the suite is asked for: what this program is, or each group.
    let mut asked: Vec<Vec<OsString>> = vec![env::args_os().skip(1).collect()];
    if env::var_os(IS_WANTED).is_none() {
        println!("only {DIFFERENT:?} are proven: all cases run if {IS_WANTED} is set");
        asked = DIFFERENT.iter().map(|it| vec![it.into()]).collect();
    }
    // They mostly wait, so they run beside each other.
    let are_right = thread::scope(|scope| {
        let runs = SYSTEMS.iter().map(|&system| (system, scope.spawn(|| run(system, &asked))));
        let runs: Vec<_> = runs.collect();
        let ended = runs.into_iter().map(|(system, run)| {
            println!("\nkqueue of {system}");
            match run.join() {
                Ok(Ok((printed, is_right))) => {
                    print!("{printed}");
                    is_right
                }
                Ok(Err(error)) => {
                    eprintln!("this program cannot be started again: {error}");
                    false
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
        ended.collect::<Vec<_>>()
    });
    if are_right.into_iter().all(|it| it) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the suite on the model of a system for each list of arguments, until it fails. Returns what it prints, and
/// whether all has passed.
#[cfg(target_os = "linux")]
fn run(system: &str, asked: &[Vec<std::ffi::OsString>]) -> std::io::Result<(String, bool)> {
    use std::{env, process::Command};

    let mut printed = String::new();
    for arguments in asked {
        let mut again = Command::new(env::current_exe()?);
        let output = again.args(arguments).env(compliance::model::VARIABLE, system).output()?;
        for text in [&output.stdout, &output.stderr] {
            printed += &String::from_utf8_lossy(text);
        }
        if !output.status.success() {
            return Ok((printed, false));
        }
    }
    Ok((printed, true))
}

/// Does nothing: the models are on inotify.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
