//! The folders that inotify watches for the model: [`Folders`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::inotify::{self, WatchFlags};

/// What is asked of inotify.
const EVENTS: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW);

/// Folders with everything below them, and the folders above them.
pub(super) struct Folders {
    pub(super) inotify: OwnedFd,
    /// The paths that were asked about.
    roots: BTreeSet<PathBuf>,
    /// By inotify's number of the watch.
    by_watch: HashMap<i32, PathBuf>,
    by_path: BTreeMap<PathBuf, i32>,
}

impl Folders {
    pub(super) fn new(inotify: OwnedFd) -> Self {
        Self { inotify, roots: BTreeSet::new(), by_watch: HashMap::new(), by_path: BTreeMap::new() }
    }

    /// Begins to watch a path, unless that is watched.
    pub(super) fn add(&mut self, root: &Path) {
        if !self.by_path.contains_key(root) || !self.is_recorded(root) {
            self.roots.insert(root.to_owned());
            for above in root.ancestors().skip(1) {
                self.watch(above);
            }
            self.attach(root, &mut |_, _| {});
        }
    }

    /// Returns the path of the folder that has this watch.
    pub(super) fn get(&self, watch: i32) -> Option<&Path> {
        self.by_watch.get(&watch).map(PathBuf::as_path)
    }

    /// Returns whether events of this path are recorded.
    pub(super) fn is_recorded(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.roots.contains(above))
    }

    /// Watches a folder that has come, with what is below it that is to be watched. Calls `found` with each entry that
    /// is recorded of each folder that was not watched before, and whether it is a folder.
    pub(super) fn attach(&mut self, folder: &Path, found: &mut dyn FnMut(&Path, bool)) {
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            let is_recorded = self.is_recorded(&folder);
            let is_above = || self.roots.iter().any(|root| root.starts_with(&folder));
            let known = self.by_path.get(&folder).copied();
            if !(is_recorded || is_above()) || !self.watch(&folder) {
                continue;
            }
            let is_new = self.by_path.get(&folder).copied() != known;
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_recorded && is_new {
                    found(&entry.path(), is_folder);
                }
                if is_folder {
                    open.push(entry.path());
                }
            }
        }
    }

    /// Watches a folder, and returns whether it is another one than was known at this path.
    pub(super) fn is_other(&mut self, folder: &Path) -> bool {
        let known = self.by_path.get(folder).copied();
        self.watch(folder) && self.by_path.get(folder).copied() != known
    }

    /// Returns whether it is a folder that can be watched.
    fn watch(&mut self, folder: &Path) -> bool {
        let Ok(watch) = inotify::add_watch(&self.inotify, folder, EVENTS) else { return false };
        self.by_watch.insert(watch, folder.to_owned());
        self.by_path.insert(folder.to_owned(), watch);
        true
    }

    /// Takes what was at one path for being at another one.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        for (path, watch) in self.within(from) {
            let below = path.strip_prefix(from).expect("it is within");
            let path = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
            self.by_watch.insert(watch, path.clone());
            self.by_path.insert(path, watch);
        }
    }

    /// Ends watching what has left for a place that is not watched.
    pub(super) fn detach(&mut self, folder: &Path) {
        for (path, watch) in self.within(folder) {
            // A folder that it was moved to may have been listed before the second half of the rename was read.
            if self.by_watch.get(&watch) != Some(&path) {
                continue;
            }
            self.by_watch.remove(&watch);
            // Fails if it is gone, and the watch with it.
            _ = inotify::remove_watch(&self.inotify, watch);
        }
    }

    /// Notes that a watch has ended.
    pub(super) fn ended(&mut self, watch: i32) {
        if let Some(path) = self.by_watch.remove(&watch)
            && self.by_path.get(&path) == Some(&watch)
        {
            self.by_path.remove(&path);
        }
    }

    /// Watches everything again, since something may have been missed.
    pub(super) fn attach_all(&mut self) {
        for root in self.roots.clone() {
            for above in root.ancestors().skip(1) {
                self.watch(above);
            }
            self.attach(&root, &mut |_, _| {});
        }
    }

    /// Takes out the folder and those below it.
    fn within(&mut self, folder: &Path) -> Vec<(PathBuf, i32)> {
        let from = self.by_path.range(folder.to_owned()..);
        let within: Vec<_> = from
            .take_while(|(path, _)| path.starts_with(folder))
            .map(|(path, &watch)| (path.clone(), watch))
            .collect();
        for (path, _) in &within {
            self.by_path.remove(path);
        }
        within
    }
}
