//! The arguments of the command.

use std::{path::PathBuf, time::Duration};

use clap::{Arg, ArgAction, Command, value_parser};

/// The arguments of the command.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Arguments {
    pub(super) paths: Vec<PathBuf>,
    pub(super) json: bool,
    pub(super) recursive: bool,
    pub(super) access: bool,
    pub(super) follow_links: bool,
    pub(super) notify: bool,
    pub(super) debounce: Option<Duration>,
}

impl Arguments {
    /// Parses the arguments of this process. The error is to be printed instead of running: it says what is
    /// wrong, or is the requested help.
    pub(super) fn parse(backend: &str) -> Result<Self, clap::Error> {
        let mut found = command(backend).try_get_matches()?;
        let debounce = found.remove_one("debounce").map(Duration::from_millis);
        Ok(Self {
            paths: found.remove_many("path").into_iter().flatten().collect(),
            json: found.get_flag("json"),
            recursive: !found.get_flag("no-recursive"),
            access: found.get_flag("access"),
            follow_links: found.get_flag("follow-links"),
            notify: found.get_flag("notify") || debounce.is_some(),
            debounce,
        })
    }
}

fn command(backend: &str) -> Command {
    let flag = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("watch")
        .about(format!("Prints what {backend} reports about files and folders, until Ctrl-C"))
        .arg(
            Arg::new("path")
                .value_name("PATH")
                .help("What to watch; events spell it as it is given here")
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Append)
                .num_args(1..)
                .required(true),
        )
        .arg(flag("json").help("Print one JSON object per line, the first when all is watched"))
        .arg(flag("no-recursive").help("Watch a folder and its entries, and nothing below them"))
        .arg(flag("follow-links").help("Follow symbolic links, those given as PATH included"))
        .arg(
            flag("access")
                .help("Print also that files are opened, read and closed")
                // Programs that use notify get no accesses.
                .conflicts_with_all(["notify", "debounce"]),
        )
        .arg(flag("notify").help("Print the events that programs get through the notify crate"))
        .arg(
            Arg::new("debounce")
                .long("debounce")
                .value_name("MS")
                .help("Print what notify's debouncer reports after this many milliseconds")
                .value_parser(value_parser!(u64).range(1..)),
        )
}
