//! The sample command of a backend that plays a script.

use std::process::ExitCode;

use sample_tests::Scripted;

fn main() -> ExitCode {
    notify_backend::sample::main::<Scripted>()
}
