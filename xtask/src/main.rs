//! The program. All it does is in the library: cargo compiles that as soon as it knows the interface of
//! the libraries below, while their code is still being generated, and a program only afterwards.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::main()
}
