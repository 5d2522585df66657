//! How often a watcher wakes while nothing happens.

use std::{thread, time::Duration};

use anyhow::Result;

use super::Work;
use crate::{
    contender::Contender,
    load::Tree,
    sheet::{Sheet, Unit},
    watcher::{Assignment, Watcher},
};

pub(super) struct Idle(pub(super) Tree);

impl Work for Idle {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        let watcher = Watcher::start(&Assignment {
            contender,
            batch: 1,
            folder: self.0.top().to_owned(),
            recursive: true,
        })?;
        watcher.settle()?;
        let before = watcher.wakeups()?;
        thread::sleep(Duration::from_secs(2));
        let wakeups = watcher.wakeups()? - before;
        sheet.add("wake-ups in 2 s without events", contender, Unit::Count, (wakeups, 1));
        Ok(())
    }
}
