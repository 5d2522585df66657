//! Whole runs of the compliance suite, as an author sees them: what is printed, what is written, and
//! how the program ends.
//!
//! This program is its own subject: started with [`PROGRAM`] set, it is the test program of a
//! backend.

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

/// The backends are made of the inotify backend.
#[cfg(not(target_os = "linux"))]
fn main() {}
