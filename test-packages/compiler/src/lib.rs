//! Tests whose results depend on the compiler's version. They run with the version that they were written for, and
//! are ignored with any other.

use std::{
    env, io,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The compiler that the tests are written for.
const RUSTC: &str = "rustc 1.95.";

/// The `main` of a test program with the single test `name`.
pub fn main(name: &str, test: fn()) -> ExitCode {
    // The tests run cargo, and clippy's compiler would print more.
    const WRAPPER: &str = "RUSTC_WORKSPACE_WRAPPER";
    if env::var_os(WRAPPER).is_some() {
        return again_without(WRAPPER).unwrap_or_else(|error| {
            eprintln!("failed to run this without {WRAPPER}: {error}");
            ExitCode::FAILURE
        });
    }
    let test = Trial::ignorable_test(name, move || with_the_compiler(test));
    libtest_mimic::run(&Arguments::from_args(), vec![test]).exit_code()
}

/// Runs this program again without the variable.
fn again_without(variable: &str) -> io::Result<ExitCode> {
    let mut this = Command::new(env::current_exe()?);
    let status = this.args(env::args_os().skip(1)).env_remove(variable).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn with_the_compiler(test: fn()) -> Result<Completion, Failed> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output()?.stdout;
    let version = String::from_utf8(version)?;
    if !version.starts_with(RUSTC) {
        let reason = format!("needs {RUSTC}x, this is {}", version.trim());
        return Ok(Completion::ignored_with(reason));
    }
    test();
    Ok(Completion::Completed)
}
