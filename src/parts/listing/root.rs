//! A watched path: [`Root`], and its state at the last look.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{folder::Folder, obstacle::Obstacle, state::State};
use crate::contract::{backend::Watch, error::BackendError, event::CreateKind};

/// A watched path, and its state at the last look.
#[derive(Debug)]
pub(super) struct Root {
    /// The path as it was given.
    pub(super) path: PathBuf,
    /// The absolute path, which stays valid when the process changes its current folder.
    pub(super) location: PathBuf,
    recursive: AtomicBool,
    pub(super) follow_links: AtomicBool,
    /// Set when it is no longer watched: a look ends early, and its changes are not reported.
    pub(super) stopped: AtomicBool,
    tree: Mutex<Tree>,
}

/// The state that one look leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// How many looks there were.
    pub(super) number: u64,
    /// Whether there was a look yet.
    pub(super) is_known: bool,
    /// The state of the root itself; none if it does not exist.
    pub(super) state: Option<State>,
    /// The number of the file system that the root is on, or was.
    pub(super) device: Option<u64>,
    /// The error that kept the last look from the root itself.
    pub(super) obstacle: Obstacle,
    /// Whether it was reported that the root itself cannot be observed.
    pub(super) is_unobserved: bool,
    /// The last birth of an entry that was found.
    pub(super) last_birth: i64,
    /// The listed folders, by their paths below the root.
    pub(super) folders: HashMap<PathBuf, Folder>,
}

impl Root {
    /// Creates a root of which nothing is known yet.
    pub(super) fn new(watch: Watch) -> Result<Arc<Self>, BackendError> {
        let Watch { path, recursive, follow_links, .. } = watch;
        let prepared = look_at(&path, follow_links).and_then(|metadata| {
            if metadata.is_dir() {
                // A folder that cannot be listed cannot be watched.
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

    /// Takes the demands of another watch of the same path. If that changes whether links are followed, the
    /// differences are no changes of files, so all knowledge is dropped.
    pub(super) fn take_demands(&self, other: &Self) {
        if self.follows_as(other) {
            self.recursive.store(other.is_recursive(), Ordering::Relaxed);
            return;
        }
        let mut tree = self.lock();
        self.follow_links.store(other.follow_links.load(Ordering::Relaxed), Ordering::Relaxed);
        self.recursive.store(other.is_recursive(), Ordering::Relaxed);
        *tree = Tree::default();
    }

    /// Returns whether both follow links, or neither does.
    pub(super) fn follows_as(&self, other: &Self) -> bool {
        let [one, other] = [self, other].map(|root| root.follow_links.load(Ordering::Relaxed));
        one == other
    }

    pub(super) fn is_recursive(&self) -> bool {
        self.recursive.load(Ordering::Relaxed)
    }

    /// Returns whether the last look has found something at this location.
    pub(super) fn knows(&self, location: &Path) -> bool {
        let Ok(below) = location.strip_prefix(&self.location) else { return false };
        let tree = self.lock();
        let is_entry = match (below.parent(), below.file_name()) {
            (Some(above), Some(name)) => {
                tree.folders.get(above).is_some_and(|folder| folder.find(name).is_some())
            }
            _ => tree.state.is_some(),
        };
        is_entry || tree.folders.contains_key(below)
    }

    /// Returns the locations of everything that the last look has found.
    pub(super) fn locations(&self) -> Vec<PathBuf> {
        let tree = self.lock();
        let entries = |(below, folder): (&PathBuf, &Folder)| {
            let names: Vec<_> = folder.entries().map(|(name, _)| below.join(name)).collect();
            names
        };
        let below = tree.folders.iter().flat_map(entries);
        let root = tree.state.map(|_| self.location.clone());
        root.into_iter().chain(below.map(|below| self.location.join(below))).collect()
    }

    /// Returns what the last look has found at a path below the root, and in it, folders before their entries.
    pub(super) fn known(&self, below: &Path) -> Vec<(PathBuf, CreateKind)> {
        let tree = self.lock();
        let state = match (below.parent(), below.file_name()) {
            (Some(above), Some(name)) => {
                tree.folders.get(above).and_then(|folder| folder.find(name))
            }
            _ => tree.state,
        };
        let mut open: Vec<_> = state.map(|state| (below.to_owned(), state)).into_iter().collect();
        let mut known = Vec::new();
        while let Some((below, state)) = open.pop() {
            let entries = tree.folders.get(&below).into_iter().flat_map(Folder::entries);
            open.extend(entries.map(|(name, state)| (below.join(name), state)));
            known.push((self.spell(&below), state.kind.into()));
        }
        known
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Returns the path of an entry below the root as events spell it.
    pub(super) fn spell(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() { self.path.clone() } else { self.path.join(below) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Tree> {
        // A look that panicked leaves a tree of which less is known, and nothing worse.
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the metadata of a path, or of a link's target if links are followed.
pub(super) fn look_at(path: &Path, follow_links: bool) -> io::Result<fs::Metadata> {
    if follow_links { fs::metadata(path) } else { fs::symlink_metadata(path) }
}
