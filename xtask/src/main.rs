//! Chores of this repository, run as `cargo xtask COMMAND`.

mod answers;
mod git;
mod line_ends;
mod merge;
mod new;
mod next;
mod questions;
mod template;
mod upgrade;

use std::{
    env,
    process::{self, ExitCode},
};

use anyhow::Result;
use clap::Parser;

/// Chores of the notify-backend repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Command {
    New(new::New),
    Upgrade(upgrade::Upgrade),
}

fn main() -> ExitCode {
    let command = Command::parse();
    run(&command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: &Command) -> Result<ExitCode> {
    // The environment of a process should not be changed from within, so that of another is.
    if let Some(author) = git::missing_author() {
        let mut again = process::Command::new(env::current_exe()?);
        let status = again.args(env::args_os().skip(1)).envs(author).status()?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    match command {
        Command::New(new) => new.run(),
        Command::Upgrade(upgrade) => upgrade.run(),
    }
}
