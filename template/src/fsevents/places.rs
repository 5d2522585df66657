//! The watched paths, and where the service finds them: [`Places`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use notify_backend::Watch;

use crate::streams::{EventId, History};

/// A watched path.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As it was given.
    pub(crate) path: PathBuf,
    /// The absolute path, as [`Trees`](notify_backend::listing::Trees) knows it.
    location: PathBuf,
    /// The path without links, as events spell it.
    real: PathBuf,
    /// The folder that a stream has to watch: the path itself, or the one above a file.
    pub(crate) folder: PathBuf,
    is_recursive: bool,
    /// The last event before it was watched.
    pub(crate) from: EventId,
    /// The history that the events are of, if it is kept.
    pub(crate) history: Option<History>,
}

impl Place {
    /// Finds out where a watched path is.
    pub(crate) fn of(watch: &Watch, from: EventId) -> io::Result<Self> {
        let location = std::path::absolute(&watch.path)?;
        let (real, folder) = resolve(&location)?;
        let path = watch.path.clone();
        Ok(Self {
            path,
            location,
            real,
            folder,
            is_recursive: watch.recursive,
            from,
            history: None,
        })
    }

    /// Finds out again where it is. If it is gone, it may come back where it was.
    pub(crate) fn resolve_again(&mut self) {
        if let Ok((real, folder)) = resolve(&self.location) {
            (self.real, self.folder) = (real, folder);
        }
    }

    /// Returns the path below the watched one that an event is about, if it is watched.
    pub(crate) fn below<'a>(&self, event: &'a Path) -> Option<&'a Path> {
        let below = event.strip_prefix(&self.real).ok()?;
        (self.is_recursive || below.components().count() <= 1).then_some(below)
    }

    /// Returns whether the watched path lies below the path of an event.
    pub(crate) fn is_below(&self, event: &Path) -> bool {
        self.real.starts_with(event)
    }

    /// Returns a path below the watched one as `Trees` knows it.
    pub(crate) fn locate(&self, below: &Path) -> PathBuf {
        join(&self.location, below)
    }

    /// Returns a path below the watched one as events spell it.
    pub(crate) fn spell(&self, below: &Path) -> PathBuf {
        join(&self.path, below)
    }
}

fn join(path: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { path.to_owned() } else { path.join(below) }
}

/// Returns the path without links, and the folder to watch.
fn resolve(location: &Path) -> io::Result<(PathBuf, PathBuf)> {
    // A link is an entry of its own.
    if fs::symlink_metadata(location)?.is_dir() {
        let real = location.canonicalize()?;
        return Ok((real.clone(), real));
    }
    let (Some(above), Some(name)) = (location.parent(), location.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let above = above.canonicalize()?;
    Ok((above.join(name), above))
}

/// All watched paths.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// By the path as it was given: as paths, `a/` and `a` are equal.
    by_path: BTreeMap<OsString, Place>,
}

impl Places {
    /// Adds one, or replaces the one with the same path. Returns that.
    pub(crate) fn insert(&mut self, place: Place) -> Option<Place> {
        self.by_path.insert(place.path.clone().into(), place)
    }

    pub(crate) fn remove(&mut self, path: &Path) -> Option<Place> {
        self.by_path.remove(path.as_os_str())
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&Place> {
        self.by_path.get(path.as_os_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.by_path.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        self.by_path.values_mut()
    }

    /// Returns whether a history is kept of any of them.
    pub(crate) fn have_history(&self) -> bool {
        self.iter().any(|place| place.history.is_some())
    }

    /// Returns whether a history is kept of all of them.
    pub(crate) fn all_have_history(&self) -> bool {
        self.iter().all(|place| place.history.is_some())
    }

    /// Returns the folders for one stream. Those in others are watched with them.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let all: BTreeSet<_> = self.iter().map(|place| &place.folder).collect();
        let is_inner =
            |folder: &Path| folder.ancestors().skip(1).any(|it| all.contains(&it.to_owned()));
        all.iter().filter(|folder| !is_inner(folder)).map(|&folder| folder.clone()).collect()
    }
}
