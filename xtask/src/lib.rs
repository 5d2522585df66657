//! Tasks for working in this repository, run as `cargo xtask COMMAND`.

mod answers;
mod backends;
mod environment;
mod files;
mod git;
mod interruption;
mod line_ends;
mod merge;
mod new;
mod next;
mod questions;
mod recordings;
mod release;
mod start;
mod sync;
mod template;
mod upgrade;

use std::{
    env,
    process::{self, ExitCode},
};

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser};

/// Tasks for working in the notify-backend repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Command {
    Backends(backends::Backends),
    New(new::New),
    Release(release::Release),
    Sync(sync::Sync),
    Upgrade(upgrade::Upgrade),
}

/// Runs the command that the arguments of this process name.
#[must_use]
pub fn main() -> ExitCode {
    let matches = new::with_starts(Command::command()).get_matches();
    let command = Command::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    run(&command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: &Command) -> Result<ExitCode> {
    // A process cannot safely change its own environment, so the program starts again in the changed one.
    let changes = environment::changes();
    if !changes.is_empty() {
        let mut again = process::Command::new(env::current_exe()?);
        again.args(env::args_os().skip(1));
        for (name, value) in changes {
            match value {
                Some(value) => again.env(name, value),
                None => again.env_remove(name),
            };
        }
        // On Unix it replaces this process, so that signals reach the process that does the work.
        #[cfg(unix)]
        return Err(std::os::unix::process::CommandExt::exec(&mut again).into());
        #[cfg(not(unix))]
        return Ok(if again.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    match command {
        Command::Backends(backends) => backends.run(),
        Command::New(new) => new.run(),
        Command::Release(release) => release.run(),
        Command::Sync(sync) => sync.run(),
        Command::Upgrade(upgrade) => upgrade.run(),
    }
}
