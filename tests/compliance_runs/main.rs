//! Whole runs of the compliance suite, as an author sees them: the output, the written files, and the exit code.
//!
//! With the variable [`PROGRAM`], this program is itself the test program of a backend.

#[cfg(target_os = "linux")]
#[path = "../shared/in_memory.rs"]
mod in_memory;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod runs;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match std::env::var(programs::PROGRAM) {
        Ok(program) => programs::main(&program),
        Err(_) => runs::main(),
    }
}

/// Does nothing: the backends are built on the inotify backend.
#[cfg(not(target_os = "linux"))]
fn main() {}
