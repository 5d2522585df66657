//! Notify 8's way of adding several paths at once: [`Paths`].

use std::path::Path;

use notify::{PathsMut, RecursiveMode};

use super::{NotifyWatcher, absolute};
use crate::contract::{
    backend::{Backend, Watch, check_paths},
    capability::Capabilities,
};

/// Paths that a watcher is to watch.
#[derive(Debug)]
pub(super) struct Paths<'a, B: Backend> {
    watcher: &'a NotifyWatcher<B>,
    watches: Vec<Watch>,
}

impl<'a, B: Backend> Paths<'a, B> {
    pub(super) fn of(watcher: &'a NotifyWatcher<B>) -> Self {
        Self { watcher, watches: vec![] }
    }

    /// Removes `path` from the paths to watch. Returns whether it was one of them.
    fn forget(&mut self, path: &Path) -> bool {
        let before = self.watches.len();
        self.watches.retain(|watch| watch.path != path);
        self.watches.len() < before
    }
}

impl<B: Backend> PathsMut for Paths<'_, B> {
    fn add(&mut self, path: &Path, recursive_mode: RecursiveMode) -> notify::Result<()> {
        let watch = self.watcher.wish(path, recursive_mode)?;
        // Errors that need no attempt are returned at once, as notify's own watchers do.
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
