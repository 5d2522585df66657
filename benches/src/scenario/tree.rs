//! Time, CPU and memory to watch a large tree.

use anyhow::Result;

use super::Work;
use crate::{
    contender::Contender,
    load::Tree,
    sheet::{Sheet, Unit},
    watcher::{Assignment, Watcher},
};

pub(super) struct Watching(pub(super) Tree);

impl Work for Watching {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        let Self(tree) = self;
        let folders = tree.folders.len();
        let watcher = Watcher::start(&Assignment {
            contender,
            batch: 1,
            folder: tree.top().to_owned(),
            recursive: true,
        })?;
        let Watcher { start, ready, start_memory, .. } = watcher;
        let memory = watcher.memory()?;
        let mut add = |row: &str, unit, amount, count| {
            sheet.add(format!("{row}, tree of {folders}"), contender, unit, (amount, count));
        };
        add("time to ready", Unit::Time, ready.time - start.time, 1);
        add("CPU to ready", Unit::Time, ready.cpu - start.cpu, 1);
        let row = format!("memory for a folder (its name: {} bytes)", tree.name_bytes());
        let used = |memory: u64| memory.saturating_sub(start_memory.current);
        add(&row, Unit::Bytes, used(memory.current), folders);
        add("peak of memory for a folder", Unit::Bytes, used(memory.peak), folders);
        Ok(())
    }
}
