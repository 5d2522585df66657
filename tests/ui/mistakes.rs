//! What the compiler tells an author who makes a mistake: each file in `mistakes` makes one, and
//! the `.stderr` beside it is what is told.
//!
//! The words are those of one version of the compiler; with another one the test shows as ignored.
//! `TRYBUILD=overwrite cargo test --package ui-tests` writes them anew.

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The compiler whose words are compared.
const RUSTC: &str = "rustc 1.95.";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let test = Trial::ignorable_test("mistakes_name_their_remedy", mistakes_name_their_remedy);
    libtest_mimic::run(&arguments, vec![test]).exit_code()
}

fn mistakes_name_their_remedy() -> Result<Completion, Failed> {
    let version = compiler()?;
    if !version.starts_with(RUSTC) {
        return Ok(Completion::ignored_with(format!("needs {RUSTC}x, this is {version}")));
    }
    let mistakes = trybuild::TestCases::new();
    mistakes.compile_fail("mistakes/*.rs");
    // They run when this is dropped.
    drop(mistakes);
    Ok(Completion::Completed)
}

fn compiler() -> Result<String, Failed> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().into())
}
