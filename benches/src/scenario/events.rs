//! CPU per event: in one folder, and with more and more folders.

use std::path::Path;

use anyhow::Result;

use super::Work;
use crate::{
    contender::Contender,
    load::{Load, Pace, Tree, churn},
    sheet::{Sheet, Unit},
    watcher::{Assignment, Watcher},
};

/// Files are created, written and removed in one folder.
pub(super) struct Events {
    tree: Tree,
    files: usize,
    pace: Pace,
}

impl Events {
    pub(super) fn new(at: &Path, files: usize, pace: Pace) -> Result<Self> {
        let folder = tempfile::tempdir_in(at)?.keep();
        Ok(Self { tree: Tree::make(&folder, 1)?, files, pace })
    }
}

impl Work for Events {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        let pace = match self.pace {
            Pace::AsTheyCome => "as they come",
            Pace::InBursts => "in bursts",
        };
        for (recursive, mode) in [(false, ""), (true, ", recursive watch")] {
            let cost = cost(contender, &self.tree, recursive, self.files, self.pace)?;
            sheet.add(format!("CPU per event, {pace}{mode}"), contender, Unit::Time, cost);
        }
        Ok(())
    }
}

/// The same in bursts, spread over trees of growing size.
pub(super) struct Scale(Vec<Tree>);

impl Scale {
    pub(super) fn new(at: &Path, most: usize) -> Result<Self> {
        let folder = tempfile::tempdir_in(at)?.keep();
        let sizes = [100, 1_000, 10_000, 100_000].into_iter().take_while(|&size| size <= most);
        sizes.map(|size| Tree::make(&folder, size)).collect::<Result<_>>().map(Self)
    }
}

impl Work for Scale {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        for tree in &self.0 {
            let row = format!("CPU per event, in bursts, {} folders", tree.folders.len());
            let cost = cost(contender, tree, true, 10_000, Pace::InBursts)?;
            sheet.add(row, contender, Unit::Time, cost);
        }
        Ok(())
    }
}

/// Returns the CPU time of the watcher, and the number of events.
fn cost(
    contender: Contender,
    tree: &Tree,
    recursive: bool,
    files: usize,
    pace: Pace,
) -> Result<(u64, usize)> {
    let load = Load { reads: false, hears_accesses: contender.hears_accesses() };
    let mut watcher = Watcher::start(&Assignment {
        contender,
        batch: load.events_per_batch(),
        folder: tree.top().to_owned(),
        recursive,
    })?;
    let (start, end) = churn(&mut watcher, &tree.folders, files, load, pace)?;
    Ok((end.cpu - start.cpu, end.seen.total() - start.seen.total()))
}
