//! The sample command of a backend that plays a script.

use std::process::ExitCode;

use notify_backend::settings::Made;
use sample_tests::FromEnvironment;

fn main() -> ExitCode {
    notify_backend::sample::main::<Made<FromEnvironment>>()
}
