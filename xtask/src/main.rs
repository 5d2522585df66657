//! Chores of this repository, run as `cargo xtask COMMAND`.

mod git;
mod new;
mod questions;

use std::process::ExitCode;

use clap::Parser;

/// Chores of the notify-backend repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Command {
    New(new::New),
}

fn main() -> ExitCode {
    let Command::New(new) = Command::parse();
    new.run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
