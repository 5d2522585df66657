//! A whole file system with one mark, and its folders one by one. The work is that of other scenarios, on a
//! separate file system, since the events of other programs would cost too.

use std::path::Path;

use anyhow::{Context, Result};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

use super::{
    Work,
    events::{Events, Scale},
    tree::Watching,
};
use crate::{
    contender::Contender,
    load::{Pace, Tree},
    sheet::Sheet,
};

pub(super) struct Filesystem {
    works: Vec<Box<dyn Work>>,
    // Dropping it unmounts the file system.
    _at: Tmpfs,
}

impl Filesystem {
    pub(super) fn new(place: &Path, share: usize) -> Result<Self> {
        let tmpfs = Tmpfs::new(place)?;
        let at = tmpfs.0.path();
        let works: Vec<Box<dyn Work>> = vec![
            Box::new(Events::new(at, 50_000 / share, Pace::AsTheyCome)?),
            Box::new(Events::new(at, 50_000 / share, Pace::InBursts)?),
            Box::new(Scale::new(at, 10_000 / share)?),
            Box::new(Watching(Tree::make(at, 100_000 / share)?)),
        ];
        Ok(Self { works, _at: tmpfs })
    }
}

impl Work for Filesystem {
    fn run(&self, contender: Contender, sheet: &mut Sheet) -> Result<()> {
        self.works.iter().try_for_each(|work| work.run(contender, sheet))
    }
}

/// A file system in memory.
pub(super) struct Tmpfs(TempDir);

impl Tmpfs {
    pub(super) fn new(place: &Path) -> Result<Self> {
        let folder = tempfile::tempdir_in(place)?;
        mount("none", folder.path(), "tmpfs", MountFlags::empty(), None)
            .context("only root can mount a file system")?;
        Ok(Self(folder))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Fails if something in it is still in use.
        _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}
