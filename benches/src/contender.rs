//! The compared watchers: [`Contender`].

mod backend;
mod bare;
mod fanotify;
pub(crate) mod looking;
mod notify;

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use tokio::runtime::Runtime;

use crate::tally::Tally;

/// A way to watch a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    /// inotify's system calls in a loop: the baseline.
    Bare,
    /// The same, with Tokio for waiting.
    BareTokio,
    /// This project's backend as a stream on Tokio, with accesses.
    Backend,
    /// The same, without accesses.
    BackendWithoutAccesses,
    /// The same as a watcher of `notify`.
    Adapter,
    AdapterChannel,
    /// The stable version of `notify`.
    Notify8,
    Notify8Channel,
    /// Its next version.
    Notify9,
    Notify9Channel,
    /// fanotify's system calls in a loop, with one mark for the file system: the baseline of fanotify.
    BareFanotify,
    /// This project's backend on fanotify.
    Fanotify,
    /// A walk through all files: the baseline of polling.
    Walk,
    /// This project's polling backend.
    Poll,
    /// The `PollWatcher` of the stable version of `notify`.
    NotifyPoll,
}

impl Contender {
    /// The contenders that get events from the kernel. The first is the baseline.
    pub(crate) const TOLD: [Self; 9] = [
        Self::Bare,
        Self::BareTokio,
        Self::Backend,
        Self::Adapter,
        Self::AdapterChannel,
        Self::Notify8,
        Self::Notify8Channel,
        Self::Notify9,
        Self::Notify9Channel,
    ];

    /// The backend with accesses and without; the first is the baseline.
    pub(crate) const ASKING: [Self; 2] = [Self::Backend, Self::BackendWithoutAccesses];

    /// With one mark for the whole file system, and with one watch per folder; the first is the baseline.
    pub(crate) const MARKING: [Self; 4] =
        [Self::BareFanotify, Self::Fanotify, Self::Bare, Self::Backend];

    /// The contenders that poll; the first is the baseline.
    pub(crate) const LOOKING: [Self; 3] = [Self::Walk, Self::Poll, Self::NotifyPoll];

    /// Returns its name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare loop",
            Self::BareTokio => "bare loop on Tokio",
            Self::Backend => "inotify backend",
            Self::Poll => "poll backend",
            Self::BareFanotify => "bare loop on fanotify",
            Self::Fanotify => "fanotify backend",
            Self::BackendWithoutAccesses => "the same, without accesses",
            Self::Adapter => "through the adapter",
            Self::AdapterChannel => "through the adapter, channel",
            Self::Notify8 => "notify 8.2.0",
            Self::Notify8Channel => "notify 8.2.0, channel",
            Self::Notify9 => "notify 9.0.0-rc.7",
            Self::Notify9Channel => "notify 9.0.0-rc.7, channel",
            Self::Walk => "bare walk",
            Self::NotifyPoll => "notify 8.2.0, PollWatcher",
        }
    }

    /// Returns whether it receives accesses.
    pub(crate) fn hears_accesses(self) -> bool {
        self != Self::BackendWithoutAccesses
    }

    /// Watches `folder` forever; prints a mark when it is ready, and counts the events it receives.
    pub(crate) fn watch(self, folder: &Path, recursive: bool, tally: Tally) -> Result<()> {
        match self {
            Self::Bare => bare::watch(folder, recursive, tally),
            Self::BareTokio => runtime()?.block_on(bare::watch_on_tokio(folder, recursive, tally)),
            Self::Backend | Self::BackendWithoutAccesses => {
                let watch = backend::watch(folder, recursive, self.hears_accesses(), tally);
                runtime()?.block_on(watch)
            }
            Self::Adapter => notify::adapter::with_handler(folder, recursive, tally),
            Self::AdapterChannel => notify::adapter::with_channel(folder, recursive, tally),
            Self::Notify8 => notify::version8::with_handler(folder, recursive, tally),
            Self::Notify8Channel => notify::version8::with_channel(folder, recursive, tally),
            Self::Notify9 => notify::version9::with_handler(folder, recursive, tally),
            Self::Notify9Channel => notify::version9::with_channel(folder, recursive, tally),
            Self::BareFanotify => fanotify::bare(folder, tally),
            Self::Fanotify => runtime()?.block_on(fanotify::backend(folder, recursive, tally)),
            Self::Walk => looking::bare(folder, &tally),
            Self::Poll => runtime()?.block_on(looking::backend(folder, &tally)),
            Self::NotifyPoll => looking::notify(folder, &tally),
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()
}
