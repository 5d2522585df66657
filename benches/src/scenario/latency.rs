//! Time from the system call to the event, and CPU for it, with the watcher asleep before.

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

/// The files that change, in turn: the kernel drops an event that equals the last unread one.
const FILES: [&str; 2] = ["a", "b"];

pub(super) struct Latency {
    folder: PathBuf,
    count: usize,
}

impl Latency {
    pub(super) fn new(at: &Path, count: usize) -> Result<Self> {
        let folder = tempfile::tempdir_in(at)?.keep();
        for file in FILES {
            File::create(folder.join(file))?;
        }
        Ok(Self { folder, count })
    }

    fn watcher(&self, contender: Contender, batch: usize) -> Result<Watcher> {
        let folder = self.folder.clone();
        Watcher::start(&Assignment { contender, batch, folder, recursive: false })
    }

    /// Causes one event for a sleeping watcher.
    fn change(&self, number: usize) -> Result<u64> {
        thread::sleep(Duration::from_micros(300));
        let file = self.folder.join(FILES[number % FILES.len()]);
        let before = clock::now();
        fs::set_permissions(file, Permissions::from_mode(0o600))?;
        Ok(before)
    }
}

impl Work for Latency {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        let mut watcher = self.watcher(contender, self.count)?;
        for number in 0..self.count {
            self.change(number)?;
        }
        let cpu = watcher.next_mark()?.cpu - watcher.ready.cpu;
        let row = "CPU per event, one at a time";
        sheet.add(row, contender, Unit::Time, (cpu, self.count));

        let mut watcher = self.watcher(contender, 1)?;
        let mut times = Vec::with_capacity(self.count);
        for number in 1..=self.count {
            let before = self.change(number)?;
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
