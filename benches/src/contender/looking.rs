//! Those that look at the files from time to time: the limit, this project's backend, and `notify`'s
//! `PollWatcher`. Each is shown one change at a time, and marks when it has found it, so that from mark
//! to mark there is one look at everything.

use std::{
    fs::{self, File, FileTimes},
    hint::black_box,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use notify_backend::prelude::*;
use notify_backend_poll::{PollBackend, Settings};
use notify8::{Config, PollWatcher, RecursiveMode, Watcher as _};

use crate::tally::Tally;

/// How many changes each is shown.
pub(crate) const LOOKS: usize = 6;

/// The file that is changed, in the watched folder.
pub(crate) const CHANGED: &str = "changed";

/// Walks through the folder, and asks for what is known of each entry.
pub(super) fn bare(folder: &Path, tally: &Tally) -> Result<()> {
    walk(folder)?;
    tally.mark();
    for _ in 0..LOOKS {
        change(folder)?;
        walk(folder)?;
        tally.mark();
    }
    stay()
}

fn walk(folder: &Path) -> Result<()> {
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if black_box(entry.metadata()?).is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(())
}

/// There is no second look for one change: after the first, this has four times as long as it took.
pub(super) async fn backend(folder: &Path, tally: &Tally) -> Result<()> {
    let settings = Settings::default().interval(Duration::ZERO);
    let mut backend = PollBackend::with_settings(settings, vec![Watch::recursive(folder)])?;
    tally.mark();
    for _ in 0..LOOKS {
        let changed = change(folder)?;
        let event = backend.next().await.context("the stream has ended")??;
        ensure!(event.path == changed, "{event}");
        tally.mark();
    }
    stay()
}

pub(super) fn notify(folder: &Path, tally: &Tally) -> Result<()> {
    let (sender, events) = mpsc::channel();
    let mut watcher = PollWatcher::new(sender, Config::default().with_manual_polling())?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    tally.mark();
    for _ in 0..LOOKS {
        let changed = change(folder)?;
        watcher.poll()?;
        let event = events.recv()??;
        ensure!(event.paths == [changed], "{event:?}");
        tally.mark();
    }
    stay()
}

/// Keeps what there is in memory until it was measured.
fn stay() -> ! {
    loop {
        thread::park();
    }
}

/// Makes the file's time later, by more than a second: `notify` compares seconds.
fn change(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(CHANGED);
    let time = fs::metadata(&path)?.modified()? + Duration::from_secs(10);
    File::options().write(true).open(&path)?.set_times(FileTimes::new().set_modified(time))?;
    Ok(path)
}
