//! Prints the events of the given paths; see `--help`.

use std::process::ExitCode;

use notify_backend::sample;
use notify_backend_native::NativeBackend;

fn main() -> ExitCode {
    sample::main::<NativeBackend>()
}
