//! The program. Everything it does is in the library, because that shortens the first build: cargo compiles a
//! library as soon as it knows the interfaces of its dependencies, but a program only after their code is
//! generated.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::main()
}
