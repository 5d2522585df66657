//! The changes to the watched folders: [`Tree`] and [`churn`].

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};

use crate::{
    tally::{Mark, Seen},
    watcher::Watcher,
};

/// The changes to each file, and the events that a watcher gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Whether the file is read before it is removed.
    pub(crate) reads: bool,
    /// Whether the watcher receives accesses.
    pub(crate) hears_accesses: bool,
}

impl Load {
    /// Returns the number of files after which to wait for the watcher, so that it loses no events: the kernel
    /// queues at most 16 384 (`fs.inotify.max_queued_events`).
    pub(crate) fn batch(self) -> usize {
        if self.reads { 1_500 } else { 2_500 }
    }

    /// Returns the events of a file that is created (and opened), written (and closed), possibly read (opened,
    /// read and closed), and removed.
    fn events_per_file(self) -> Seen {
        let accesses = if self.reads { 5 } else { 2 };
        Seen([1, if self.hears_accesses { accesses } else { 0 }, 1, 1, 0])
    }

    pub(crate) fn events_per_batch(self) -> usize {
        self.batch() * self.events_per_file().total()
    }
}

/// Whether the watcher reads events as they come, or after each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    AsTheyCome,
    InBursts,
}

/// Creates, writes and removes files in `folders`, some in each: one batch to warm up the watcher, then enough
/// batches for `files`. Checks that the watcher receives exactly these events. Returns its marks after the first
/// batch and at the end.
pub(crate) fn churn(
    watcher: &mut Watcher,
    folders: &[PathBuf],
    files: usize,
    load: Load,
    pace: Pace,
) -> Result<(Mark, Mark)> {
    watcher.settle()?;
    let batches = 0..=files.div_ceil(load.batch());
    let batches = batches.map(|number| batch(watcher, folders, number, load, pace));
    let marks = batches.collect::<Result<Vec<_>>>()?;
    Ok((marks[0], marks[marks.len() - 1]))
}

fn batch(
    watcher: &mut Watcher,
    folders: &[PathBuf],
    number: usize,
    load: Load,
    pace: Pace,
) -> Result<Mark> {
    if pace == Pace::InBursts {
        watcher.halt()?;
    }
    let first = number * load.batch();
    let done = first + load.batch();
    for number in first..done {
        // A prime step, so that neighbouring folders do not follow each other.
        let folder = &folders[number * 7919 % folders.len()];
        let path = folder.join(format!("file-{number}"));
        File::create(&path)?.write_all(b"content")?;
        if load.reads {
            // One call for the content: `fs::read` makes a second one to find the end.
            File::open(&path)?.read_exact(&mut [0; 7])?;
        }
        fs::remove_file(path)?;
    }
    if pace == Pace::InBursts {
        watcher.resume()?;
    }
    let mark = watcher.next_mark()?;
    let expected = Seen(load.events_per_file().0.map(|count| count * done));
    ensure!(mark.seen == expected, "saw {:?} instead of {expected:?}", mark.seen);
    Ok(mark)
}

/// A tree of folders with ten subfolders each, until all folders are used.
#[derive(Debug)]
pub(crate) struct Tree {
    /// All folders, the top first.
    pub(crate) folders: Vec<PathBuf>,
}

impl Tree {
    pub(crate) fn make(place: &Path, count: usize) -> Result<Self> {
        let mut folders = vec![place.join(format!("tree-{count}"))];
        for number in 1..count {
            folders.push(folders[(number - 1) / 10].join(format!("folder-{number}")));
        }
        folders.iter().try_for_each(fs::create_dir)?;
        Ok(Self { folders })
    }

    pub(crate) fn top(&self) -> &Path {
        &self.folders[0]
    }

    /// Returns the average length of the folders' names, in bytes.
    pub(crate) fn name_bytes(&self) -> usize {
        let name = |folder: &PathBuf| folder.file_name().map_or(0, OsStr::len);
        self.folders.iter().map(name).sum::<usize>() / self.folders.len()
    }
}
