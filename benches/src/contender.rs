//! Who is compared: [`Contender`].

mod backend;
mod bare;
mod notify;

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use tokio::runtime::Runtime;

use crate::tally::Tally;

/// A way to watch a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// The system calls in a loop: the limit.
    Bare,
    /// The same with Tokio to wait.
    BareTokio,
    /// This project's backend, as a stream on Tokio.
    Backend,
    /// The stable version of `notify`.
    Notify8,
    /// Its next version.
    Notify9,
}

impl Contender {
    pub(crate) const ALL: [Self; 5] =
        [Self::Bare, Self::BareTokio, Self::Backend, Self::Notify8, Self::Notify9];

    /// Its name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare loop",
            Self::BareTokio => "bare loop on Tokio",
            Self::Backend => "this backend",
            Self::Notify8 => "notify 8.2.0",
            Self::Notify9 => "notify 9.0.0-rc.7",
        }
    }

    /// Its name on the command line.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareTokio => "bare-tokio",
            Self::Backend => "backend",
            Self::Notify8 => "notify8",
            Self::Notify9 => "notify9",
        }
    }

    /// Watches `folder` for ever; marks when it is ready, and tallies what it hears.
    pub(crate) fn watch(self, folder: &Path, recursive: bool, tally: Tally) -> Result<()> {
        match self {
            Self::Bare => bare::watch(folder, recursive, tally),
            Self::BareTokio => runtime()?.block_on(bare::watch_on_tokio(folder, recursive, tally)),
            Self::Backend => runtime()?.block_on(backend::watch(folder, recursive, tally)),
            Self::Notify8 => notify::watch8(folder, recursive, tally),
            Self::Notify9 => notify::watch9(folder, recursive, tally),
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()
}
