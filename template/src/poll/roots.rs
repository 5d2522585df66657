//! All roots that are watched: [`Roots`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::root::Root;

/// The roots by their paths, as spelled: as paths, `a/` and `a` are equal.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    by_path: BTreeMap<OsString, Arc<Root>>,
    /// Where each is, and its path.
    locations: BTreeSet<(PathBuf, OsString)>,
}

impl Roots {
    pub(crate) fn insert(&mut self, root: Arc<Root>) {
        let path = root.path.as_os_str().to_owned();
        self.locations.insert((root.location.clone(), path.clone()));
        self.by_path.insert(path, root);
    }

    pub(crate) fn remove(&mut self, path: &OsStr) -> Option<Arc<Root>> {
        let root = self.by_path.remove(path)?;
        self.locations.remove(&(root.location.clone(), path.to_owned()));
        Some(root)
    }

    pub(crate) fn get(&self, path: &OsStr) -> Option<&Arc<Root>> {
        self.by_path.get(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Root>> {
        self.by_path.values()
    }

    /// Whether something that is watched lies in `location`, or that in it.
    pub(crate) fn overlaps(&self, location: &Path) -> bool {
        self.outermost(location).is_some() || self.within(location).next().is_some()
    }

    /// All that lie in the outermost root that `location` lies in.
    pub(crate) fn family<'a>(&'a self, location: &'a Path) -> impl Iterator<Item = &'a Arc<Root>> {
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

    /// From the first root on that is not before `location`; those that lie in it come first.
    fn at_or_after(&self, location: &Path) -> impl Iterator<Item = &(PathBuf, OsString)> {
        self.locations.range((location.to_path_buf(), OsString::new())..)
    }
}
