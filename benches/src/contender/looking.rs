//! The contenders that poll: the baseline, this project's backend, and `notify`'s `PollWatcher`. Each gets one
//! change at a time, and prints a mark when it has found it, so that there is one look at everything from mark
//! to mark.

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

/// The number of changes for each contender.
pub(crate) const LOOKS: usize = 6;

/// The changing file in the watched folder.
pub(crate) const CHANGED: &str = "changed";

/// Walks through the folder, and reads the metadata of each entry.
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

/// A change is found by one look: the pause after a look is four times as long as the look, enough for the next
/// change.
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

/// Keeps the process and its memory until it has been measured.
fn stay() -> ! {
    loop {
        thread::park();
    }
}

/// Advances the file's time by more than a second, since `notify` compares seconds.
fn change(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(CHANGED);
    let time = fs::metadata(&path)?.modified()? + Duration::from_secs(10);
    File::options().write(true).open(&path)?.set_times(FileTimes::new().set_modified(time))?;
    Ok(path)
}
