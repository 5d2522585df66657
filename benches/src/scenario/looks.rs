//! CPU, time and memory to look at a large tree of files.

use std::{fs::File, path::Path};

use anyhow::Result;

use super::Work;
use crate::{
    contender::{
        Contender,
        looking::{CHANGED, LOOKS},
    },
    load::Tree,
    sheet::{Sheet, Unit},
    watcher::{Assignment, Watcher},
};

/// The number of files in each folder.
const FILES: usize = 100;

pub(super) struct Looks {
    tree: Tree,
    entries: usize,
}

impl Looks {
    pub(super) fn new(at: &Path, files: usize) -> Result<Self> {
        let folder = tempfile::tempdir_in(at)?.keep();
        let tree = Tree::make(&folder, files / FILES)?;
        for folder in &tree.folders {
            (0..FILES).try_for_each(|number| {
                File::create(folder.join(format!("file-{number}.txt"))).map(drop)
            })?;
        }
        File::create(tree.top().join(CHANGED))?;
        let entries = tree.folders.len() * (FILES + 1);
        Ok(Self { tree, entries })
    }
}

impl Work for Looks {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        let mut watcher = Watcher::start(&Assignment {
            contender,
            batch: 1,
            folder: self.tree.top().to_owned(),
            recursive: true,
        })?;
        // The first look may read much for the first time, so it does not count.
        let first = watcher.next_mark()?;
        let mut last = first;
        for _ in 1..LOOKS {
            last = watcher.next_mark()?;
        }
        let memory = watcher.memory()?;
        let Watcher { start_memory, .. } = watcher;
        let of = self.entries;
        let mut add = |row: &str, unit, amount, count| {
            sheet.add(format!("{row} {of} entries"), contender, unit, (amount, count));
        };
        add("CPU for a look at", Unit::Time, last.cpu - first.cpu, LOOKS - 1);
        let used = |memory: u64| memory.saturating_sub(start_memory.current);
        add("memory for each of", Unit::Bytes, used(memory.current), of);
        add("peak of memory for each of", Unit::Bytes, used(memory.peak), of);
        Ok(())
    }
}
