//! Time from the system call to the event.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};

use super::Work;
use crate::{
    clock,
    contender::Contender,
    sheet::{Sheet, Unit},
    tally::Seen,
    watcher::{Assignment, Watcher},
};

pub(super) struct Latency {
    folder: PathBuf,
    count: usize,
}

impl Latency {
    pub(super) fn new(at: &Path, count: usize) -> Result<Self> {
        let folder = tempfile::tempdir_in(at)?.keep();
        File::create(folder.join("file"))?;
        Ok(Self { folder, count })
    }
}

impl Work for Latency {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        let Self { folder, count } = self;
        let mut watcher = Watcher::start(&Assignment {
            contender,
            batch: 1,
            folder: folder.clone(),
            recursive: false,
        })?;
        let file = folder.join("file");
        let mut times = Vec::with_capacity(*count);
        for number in 1..=*count {
            // So that the watcher sleeps when the event comes.
            thread::sleep(Duration::from_micros(300));
            let before = clock::now();
            fs::set_permissions(&file, Permissions::from_mode(0o600))?;
            let mark = watcher.next_mark()?;
            ensure!(mark.seen == Seen([0, 0, number, 0, 0]), "saw {:?}", mark.seen);
            times.push(mark.time - before);
        }
        times.sort_unstable();
        for percent in [50, 99] {
            let row = format!("time from system call to event, p{percent}");
            sheet.add(row, contender, Unit::Time, (times[times.len() * percent / 100], 1));
        }
        Ok(())
    }
}
