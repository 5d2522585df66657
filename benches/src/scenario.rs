//! The measured scenarios: [`Scenario`].

mod accesses;
mod events;
mod filesystem;
mod idle;
mod latency;
mod looks;
mod tree;

use std::path::Path;

use anyhow::{Error, Result};
use clap::ValueEnum;

use crate::{
    contender::Contender,
    load::{Pace, Tree},
    sheet::Sheet,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// CPU per event in one watched folder, with events read as they come.
    Events,
    /// CPU per event in one watched folder, with events read once many are queued.
    Bursts,
    /// The same, with more and more watched folders.
    Scale,
    /// Time, CPU and memory to watch a large tree.
    Tree,
    /// How often a watcher wakes while nothing happens.
    Idle,
    /// Time from the system call to the event, and CPU for it.
    Latency,
    /// Events and CPU per file that is written and read, and time to watch a large tree, with accesses and
    /// without.
    Accesses,
    /// CPU per event, and time and memory to watch a large tree, with one mark for the whole file system and
    /// with one watch per folder. It needs root.
    Filesystem,
    /// CPU and memory to look at a large tree of files.
    Looks,
}

/// A scenario, ready to be run.
pub(crate) trait Work {
    /// Measures `contender` once.
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()>;
}

impl Scenario {
    pub(crate) const ALL: [Self; 9] = [
        Self::Events,
        Self::Bursts,
        Self::Scale,
        Self::Tree,
        Self::Idle,
        Self::Latency,
        Self::Accesses,
        Self::Filesystem,
        Self::Looks,
    ];

    /// Returns the compared watchers.
    pub(crate) fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Looks => &Contender::LOOKING,
            Self::Accesses => &Contender::ASKING,
            Self::Filesystem => &Contender::MARKING,
            _ => &Contender::TOLD,
        }
    }

    /// Returns why the scenario cannot run in the folder `at`, if so.
    pub(crate) fn obstacle(self, at: &Path) -> Option<Error> {
        if self == Self::Filesystem { filesystem::Tmpfs::new(at).err() } else { None }
    }

    /// Prepares the scenario in the folder `at`; `share` divides the amount of work.
    pub(crate) fn prepare(self, at: &Path, share: usize) -> Result<Box<dyn Work>> {
        Ok(match self {
            Self::Events => Box::new(events::Events::new(at, 50_000 / share, Pace::AsTheyCome)?),
            Self::Bursts => Box::new(events::Events::new(at, 50_000 / share, Pace::InBursts)?),
            Self::Scale => Box::new(events::Scale::new(at, 100_000 / share)?),
            Self::Tree => Box::new(tree::Watching(Tree::make(at, 100_000 / share)?)),
            Self::Idle => Box::new(idle::Idle(Tree::make(at, 100)?)),
            Self::Latency => Box::new(latency::Latency::new(at, 2_000 / share)?),
            Self::Accesses => {
                Box::new(accesses::Accesses::new(at, 50_000 / share, 100_000 / share)?)
            }
            Self::Filesystem => Box::new(filesystem::Filesystem::new(at, share)?),
            Self::Looks => Box::new(looks::Looks::new(at, 100_000 / share)?),
        })
    }
}
