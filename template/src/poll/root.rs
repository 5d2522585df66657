//! A watched path: [`Root`], and what it was like at the last look.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use notify_backend::prelude::*;

use crate::{folder::Folder, obstacle::Obstacle, state::State};

/// A watched path, and what it was like at the last look.
#[derive(Debug)]
pub(crate) struct Root {
    /// The path as it was given.
    pub(crate) path: PathBuf,
    /// The same, but absolute: holds also after the process has changed its current folder.
    pub(crate) location: PathBuf,
    recursive: AtomicBool,
    pub(crate) follow_links: AtomicBool,
    /// Set when it is not watched any more: a look ends early, and what it found is not reported.
    pub(crate) stopped: AtomicBool,
    tree: Mutex<Tree>,
}

/// What a look leaves to the next one.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Whether there was a look already.
    pub(crate) is_known: bool,
    /// What the root itself is; none if there is nothing.
    pub(crate) state: Option<State>,
    /// The number of the file system that the root is on, or was.
    pub(crate) device: Option<u64>,
    /// What kept the last look from the root itself.
    pub(crate) obstacle: Obstacle,
    /// What is listed, by path below the root.
    pub(crate) folders: HashMap<PathBuf, Folder>,
}

impl Root {
    /// A root of which nothing is known yet.
    pub(crate) fn new(watch: Watch) -> Result<Arc<Self>, BackendError> {
        let Watch { path, recursive, follow_links, .. } = watch;
        let prepared = look_at(&path, follow_links).and_then(|metadata| {
            if metadata.is_dir() {
                // One that cannot be listed cannot be watched.
                fs::read_dir(&path)?;
            }
            std::path::absolute(&path)
        });
        let location = match prepared {
            Ok(location) => location,
            Err(error) => return Err(BackendError::from_io(path, error)),
        };
        Ok(Arc::new(Self {
            path,
            location,
            recursive: recursive.into(),
            follow_links: follow_links.into(),
            stopped: false.into(),
            tree: Mutex::default(),
        }))
    }

    /// Takes what another watch of the same path asks for. If links are followed from now on, or not
    /// any more, what differs by that has not changed, and nothing is known any more.
    pub(crate) fn take_demands(&self, other: &Self) {
        if self.follows_as(other) {
            self.recursive.store(other.is_recursive(), Ordering::Relaxed);
            return;
        }
        let mut tree = self.lock();
        self.follow_links.store(other.follow_links.load(Ordering::Relaxed), Ordering::Relaxed);
        self.recursive.store(other.is_recursive(), Ordering::Relaxed);
        *tree = Tree::default();
    }

    /// Whether both follow links, or neither.
    pub(crate) fn follows_as(&self, other: &Self) -> bool {
        let [one, other] = [self, other].map(|root| root.follow_links.load(Ordering::Relaxed));
        one == other
    }

    pub(crate) fn is_recursive(&self) -> bool {
        self.recursive.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The path of something below the root, as events spell it.
    pub(crate) fn spell(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() { self.path.clone() } else { self.path.join(below) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Tree> {
        // A look that panicked leaves a tree of which less is known, and nothing worse.
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is at a path, or what it leads to if links are followed.
pub(crate) fn look_at(path: &Path, follow_links: bool) -> io::Result<fs::Metadata> {
    if follow_links { fs::metadata(path) } else { fs::symlink_metadata(path) }
}
