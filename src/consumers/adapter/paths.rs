//! Several paths at once, as notify 8 has them: [`Paths`].

use std::path::Path;

use notify::{PathsMut, RecursiveMode};

use super::{NotifyWatcher, absolute};
use crate::contract::{
    backend::{Backend, Watch, check_paths},
    capability::Capabilities,
};

/// What is to be watched by a watcher.
#[derive(Debug)]
pub(super) struct Paths<'a, B: Backend> {
    watcher: &'a NotifyWatcher<B>,
    watches: Vec<Watch>,
}

impl<'a, B: Backend> Paths<'a, B> {
    pub(super) fn of(watcher: &'a NotifyWatcher<B>) -> Self {
        Self { watcher, watches: vec![] }
    }

    /// Returns whether `path` was among what is to be watched.
    fn forget(&mut self, path: &Path) -> bool {
        let before = self.watches.len();
        self.watches.retain(|watch| watch.path != path);
        self.watches.len() < before
    }
}

impl<B: Backend> PathsMut for Paths<'_, B> {
    fn add(&mut self, path: &Path, recursive_mode: RecursiveMode) -> notify::Result<()> {
        let watch = self.watcher.wish(path, recursive_mode)?;
        // What nobody has to try is answered at once, as by notify's own.
        check_paths(std::slice::from_ref(&watch), Capabilities::ALL)?;
        self.forget(&watch.path);
        self.watches.push(watch);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> notify::Result<()> {
        let path = absolute(path)?;
        let was_added = self.forget(&path);
        match self.watcher.remove(&path) {
            Err(error) if was_added && matches!(error.kind, notify::ErrorKind::WatchNotFound) => {
                Ok(())
            }
            removed => removed,
        }
    }

    fn commit(self: Box<Self>) -> notify::Result<()> {
        if !self.watches.is_empty() {
            self.watcher.add(self.watches)?;
            self.watcher.shared.wake();
        }
        Ok(())
    }
}
