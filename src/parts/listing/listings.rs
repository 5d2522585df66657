//! The folders in several roots that one look has listed: [`Listings`].
//!
//! Where watches overlap, each root keeps its own state, so that removing one costs the others nothing.
//! Each of them finds the changes that they share, but these are reported once. So all of them must find
//! the same at one look: each of these folders is listed once for all of them.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    folder::{Folder, Listed, Reading},
    root::Root,
    state::State,
};

/// The folders that a look has listed, if more than one root needs them.
#[derive(Debug, Default)]
pub(super) struct Listings {
    /// The roots that lie inside others.
    inner: HashSet<PathBuf>,
    /// The folders of which these are entries.
    above: HashSet<PathBuf>,
    listed: HashMap<PathBuf, io::Result<Listed>>,
    /// The files that were read by themselves.
    read: HashMap<PathBuf, Option<State>>,
}

impl Listings {
    /// Prepares a look at these roots.
    pub(super) fn of(roots: &[Arc<Root>]) -> Self {
        let mut by_location: HashMap<&Path, Vec<&Root>> = HashMap::new();
        for root in roots {
            by_location.entry(&root.location).or_default().push(root);
        }
        let is_inner = |root: &&Arc<Root>| {
            let covers = |(distance, location): (usize, &Path)| match by_location.get(location) {
                None => false,
                Some(others) if distance == 0 => others.len() > 1,
                Some(others) => distance == 1 || others.iter().any(|other| other.is_recursive()),
            };
            root.location.ancestors().enumerate().any(covers)
        };
        let inner: HashSet<_> =
            roots.iter().filter(is_inner).map(|root| root.location.clone()).collect();
        let above = inner.iter().filter_map(|location| location.parent()).map(Path::to_owned);
        Self { above: above.collect(), inner, listed: HashMap::new(), read: HashMap::new() }
    }

    /// Lists a folder as [`Folder::list`] does, with the same result for each root within one look.
    pub(super) fn list(
        &mut self,
        location: &Path,
        before: &Folder,
        reading: Reading<'_>,
        stop: &AtomicBool,
    ) -> io::Result<Listed> {
        if let Some(listed) = self.listed.get(location) {
            return copy(listed);
        }
        let listed = Folder::list(location, before, reading, stop);
        // A listing that was stopped is incomplete.
        if self.is_shared(location) && !stop.load(Ordering::Relaxed) {
            self.listed.insert(location.into(), copy(&listed));
        }
        listed
    }

    /// Returns what `read` returns, with the same result for each root within one look.
    pub(super) fn state(
        &mut self,
        location: &Path,
        read: impl FnOnce() -> Option<State>,
    ) -> Option<State> {
        if let Some(state) = self.read.get(location) {
            return *state;
        }
        let state = read();
        if self.is_shared(location) {
            self.read.insert(location.into(), state);
        }
        state
    }

    fn is_shared(&self, location: &Path) -> bool {
        !self.inner.is_empty()
            && (self.above.contains(location)
                || location.ancestors().any(|folder| self.inner.contains(folder)))
    }

    /// Returns what the listing of the folder above a root says about it, if there is one.
    pub(super) fn find(&self, location: &Path) -> Found {
        let (Some(above), Some(name)) = (location.parent(), location.file_name()) else {
            return Found::NotListed;
        };
        match self.listed.get(above) {
            Some(Ok(listed)) => listed.folder.find(name).map_or(Found::Absent, Found::There),
            _ => Found::NotListed,
        }
    }
}

/// The result of looking for a name in a listing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    NotListed,
    Absent,
    There(State),
}

fn copy(listed: &io::Result<Listed>) -> io::Result<Listed> {
    match listed {
        Ok(Listed { folder, errors, unobserved }) => {
            let errors = errors.iter().map(|(name, error)| (name.clone(), copy_of(error)));
            let unobserved = unobserved.as_ref().map(copy_of);
            Ok(Listed { folder: folder.clone(), errors: errors.collect(), unobserved })
        }
        Err(error) => Err(copy_of(error)),
    }
}

fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
