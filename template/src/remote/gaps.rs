//! Which paths the daemon's backend cannot watch, and why: [`Gaps`].
//!
//! A backend that has tried in vain to watch a folder says so once. If the folder is moved, that is still so, but a
//! client may watch only the place that it was moved to, and has to hear it for that one.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

use notify_backend::{event::Tracker, prelude::*};

use crate::message::{Cause, MOST_PARTS, Unwatched, WirePath, is_removal};

/// The number of paths that are remembered.
const MOST: usize = MOST_PARTS / 4;

/// The number of folders that are remembered between their two names.
const MOST_MOVING: usize = 16;

#[derive(Default)]
pub(crate) struct Gaps {
    known: BTreeMap<PathBuf, Gap>,
    /// What is below folders that have lost a name, and have no other one yet, by the trackers of their renames.
    moving: VecDeque<(Tracker, Vec<(PathBuf, Cause)>)>,
}

struct Gap {
    cause: Cause,
    /// Whether only its folder's rename says so, and not yet the backend.
    is_inferred: bool,
}

impl Gaps {
    /// Notes that the backend cannot watch a path. Returns what to publish: nothing if that was reported before.
    pub(crate) fn found(&mut self, path: PathBuf, cause: Cause) -> Option<Unwatched> {
        if let Some(gap) = self.known.get_mut(&path).filter(|gap| gap.is_inferred) {
            *gap = Gap { cause, is_inferred: false };
            return None;
        }
        self.add(&path, &cause, false);
        Some(Unwatched { path: WirePath::new(path), cause })
    }

    /// Notes an event. Returns the paths that are not watched, as they are called after it.
    pub(crate) fn after(&mut self, event: &Event) -> Vec<Unwatched> {
        let rename = match event.kind {
            EventKind::Modify(ModifyKind::Name(mode)) => event.attrs.tracker().zip(Some(mode)),
            _ => None,
        };
        if is_removal(event.kind) && !self.known.is_empty() {
            let gone = self.remove(&event.path);
            if let Some((tracker, _)) = rename.filter(|_| !gone.is_empty()) {
                self.moving.push_back((tracker, gone));
                self.moving.drain(..self.moving.len().saturating_sub(MOST_MOVING));
            }
            return vec![];
        }
        let Some((tracker, RenameMode::To)) = rename else { return vec![] };
        let Some(place) = self.moving.iter().position(|(moving, _)| *moving == tracker) else {
            return vec![];
        };
        let (_, moved) = self.moving.remove(place).unwrap_or((tracker, vec![]));
        let moved = moved.into_iter().map(|(below, cause)| (event.path.join(below), cause));
        // The backend may have said it already.
        let moved: Vec<_> = moved.filter(|(path, _)| !self.known.contains_key(path)).collect();
        for (path, cause) in &moved {
            self.add(path, cause, true);
        }
        let unwatched = |(path, cause)| Unwatched { path: WirePath::new(path), cause };
        moved.into_iter().map(unwatched).collect()
    }

    /// Returns why a path cannot be watched, if that is so.
    pub(crate) fn cause(&self, path: &Path) -> Option<&Cause> {
        self.known.get(path).map(|gap| &gap.cause)
    }

    /// Returns all paths that cannot be watched.
    pub(crate) fn all(&self) -> impl Iterator<Item = Unwatched> {
        let known = self.known.iter();
        known.map(|(path, Gap { cause, .. })| Unwatched {
            path: WirePath::new(path),
            cause: cause.clone(),
        })
    }

    fn add(&mut self, path: &Path, cause: &Cause, is_inferred: bool) {
        if self.known.len() < MOST {
            self.known.insert(path.into(), Gap { cause: cause.clone(), is_inferred });
        }
    }

    /// Forgets a path and all below it. Returns them, relative to it.
    fn remove(&mut self, folder: &Path) -> Vec<(PathBuf, Cause)> {
        let mut gone = vec![];
        self.known.retain(|path, gap| match path.strip_prefix(folder) {
            Ok(below) => {
                gone.push((below.into(), gap.cause.clone()));
                false
            }
            Err(_) => true,
        });
        gone
    }
}
