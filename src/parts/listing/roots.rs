//! All watched roots: [`Roots`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::root::Root;

/// The roots by their paths, as spelled: as paths, `a/` and `a` are equal.
#[derive(Debug, Default)]
pub(super) struct Roots {
    by_path: BTreeMap<OsString, Arc<Root>>,
    /// The location and the path of each.
    locations: BTreeSet<(PathBuf, OsString)>,
}

impl Roots {
    pub(super) fn insert(&mut self, root: Arc<Root>) {
        let path = root.path.as_os_str().to_owned();
        self.locations.insert((root.location.clone(), path.clone()));
        self.by_path.insert(path, root);
    }

    pub(super) fn remove(&mut self, path: &OsStr) -> Option<Arc<Root>> {
        let root = self.by_path.remove(path)?;
        self.locations.remove(&(root.location.clone(), path.to_owned()));
        Some(root)
    }

    pub(super) fn get(&self, path: &OsStr) -> Option<&Arc<Root>> {
        self.by_path.get(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Root>> {
        self.by_path.values()
    }

    /// Returns whether `location` lies in a root, or a root in it.
    pub(super) fn overlaps(&self, location: &Path) -> bool {
        self.outermost(location).is_some() || self.within(location).next().is_some()
    }

    /// Returns all roots that lie in the outermost one around `location`.
    pub(super) fn family<'a>(&'a self, location: &'a Path) -> impl Iterator<Item = &'a Arc<Root>> {
        self.within(self.outermost(location).unwrap_or(location))
    }

    fn outermost<'a>(&self, location: &'a Path) -> Option<&'a Path> {
        let is_root = |folder: &&Path| {
            self.at_or_after(folder).next().is_some_and(|(root, _)| root == folder)
        };
        location.ancestors().filter(is_root).last()
    }

    fn within<'a>(&'a self, location: &'a Path) -> impl Iterator<Item = &'a Arc<Root>> {
        let rest = self.at_or_after(location);
        let within = rest.take_while(move |(root, _)| root.starts_with(location));
        within.filter_map(|(_, path)| self.by_path.get(path))
    }

    /// Returns the roots from the first one on that is not before `location`. Those inside it come first.
    fn at_or_after(&self, location: &Path) -> impl Iterator<Item = &(PathBuf, OsString)> {
        self.locations.range((location.to_path_buf(), OsString::new())..)
    }
}
