//! The cost of receiving accesses: CPU per file that is written and read.

use std::path::Path;

use anyhow::Result;

use super::{Work, tree::Watching};
use crate::{
    contender::Contender,
    load::{Load, Pace, Tree, churn},
    sheet::{Sheet, Unit},
    watcher::{Assignment, Watcher},
};

/// Files are created, written, read and removed in one folder, and a large tree is watched.
pub(super) struct Accesses {
    folder: Tree,
    files: usize,
    tree: Watching,
}

impl Accesses {
    pub(super) fn new(at: &Path, files: usize, folders: usize) -> Result<Self> {
        let place = tempfile::tempdir_in(at)?.keep();
        let tree = Watching(Tree::make(&place, folders)?);
        Ok(Self { folder: Tree::make(&place, 1)?, files, tree })
    }
}

impl Work for Accesses {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        let load = Load { reads: true, hears_accesses: contender.hears_accesses() };
        let mut watcher = Watcher::start(&Assignment {
            contender,
            batch: load.events_per_batch(),
            folder: self.folder.top().to_owned(),
            recursive: true,
        })?;
        let (start, end) =
            churn(&mut watcher, &self.folder.folders, self.files, load, Pace::InBursts)?;
        let files = end.seen.0[0] - start.seen.0[0];
        let events = u64::try_from(end.seen.total() - start.seen.total())?;
        sheet.add("events for a file, written and read", contender, Unit::Count, (events, files));
        let cpu = end.cpu - start.cpu;
        sheet.add("CPU for that, in bursts", contender, Unit::Time, (cpu, files));
        self.tree.run(contender, sheet)
    }
}
