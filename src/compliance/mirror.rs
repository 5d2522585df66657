//! A picture of a tree that is kept up to date by events alone: [`Mirror`].

use std::{
    collections::BTreeMap,
    fs::{self, FileType},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::failure::{Check, ensure};
use crate::event::{Event, EventKind, ModifyKind, RenameMode};

/// What a consumer knows of a tree that scans it once and then goes by events.
///
/// An event says that it is worth to look at its path again, and no more than that: a literal
/// replay of, say, two files that were exchanged would be wrong.
#[derive(Debug)]
pub(super) struct Mirror {
    root: PathBuf,
    recursive: bool,
    /// Whether a removal is taken at its word, without another look.
    trusts_removals: bool,
    entries: BTreeMap<PathBuf, State>,
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    kind: FileType,
    length: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            // The size and time of a folder change with its entries, which have events of their
            // own.
            return Some(Self { kind, length: 0, modified: None });
        }
        Some(Self { kind, length: metadata.len(), modified: metadata.modified().ok() })
    }
}

impl Mirror {
    /// A picture of `root` as it is now.
    pub(super) fn of(root: &Path, recursive: bool) -> Self {
        let entries = BTreeMap::new();
        let mut mirror = Self { root: root.into(), recursive, trusts_removals: false, entries };
        mirror.scan(root);
        mirror
    }

    /// Takes removals at their word. What comes and goes between two looks of a backend that
    /// compares states is never told, so a reader must not go and see it; what is there again at
    /// the next look is told as new.
    pub(super) fn trusting_removals(mut self, trusts: bool) -> Self {
        self.trusts_removals = trusts;
        self
    }

    /// Looks again where the event says so.
    pub(super) fn apply(&mut self, event: &Event) {
        match event.kind {
            EventKind::Missed(_) => {
                self.entries.clear();
                self.scan(&self.root.clone());
            }
            EventKind::Access(_) => {}
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
                if self.trusts_removals =>
            {
                self.forget(&event.path);
            }
            // What is at the path now may be another folder with other entries.
            EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Any
            | EventKind::Other => {
                self.forget(&event.path);
                self.look_at(&event.path);
            }
            EventKind::Modify(_) => {
                let is_folder = |state: &State| state.kind.is_dir();
                let was_folder = self.entries.get(&event.path).is_some_and(is_folder);
                if !was_folder || !State::of(&event.path).as_ref().is_some_and(is_folder) {
                    self.forget(&event.path);
                    self.look_at(&event.path);
                }
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        self.entries.retain(|known, _| !known.starts_with(path));
    }

    fn look_at(&mut self, path: &Path) {
        let Some(state) = State::of(path) else { return };
        if path != self.root {
            self.entries.insert(path.into(), state);
        }
        if state.kind.is_dir() && (self.recursive || path == self.root) {
            self.scan(path);
        }
    }

    fn scan(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if !super::watcher::is_sentinel(&path) {
                self.look_at(&path);
            }
        }
    }

    /// Fails unless the picture is what is on disk.
    pub(super) fn matches_disk(&self) -> Check {
        let differences = self.differences(&Self::of(&self.root, self.recursive));
        ensure(
            differences.is_empty(),
            "a picture kept by events alone equals what is on disk",
            || {
                let shown: Vec<_> = differences.iter().take(10).map(String::as_str).collect();
                format!("{} entries differ:\n{}", differences.len(), shown.join("\n"))
            },
        )
    }

    /// The paths that `other` has and this has not, or has in another state.
    pub(super) fn changed_paths(&self, other: &Self) -> Vec<PathBuf> {
        let paths = self.entries.keys().chain(other.entries.keys());
        let changed = paths.filter(|path| self.entries.get(*path) != other.entries.get(*path));
        changed.cloned().collect()
    }

    /// What differs in `other`, in words.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let paths = self.entries.keys().chain(other.entries.keys());
        let mut paths: Vec<_> = paths.collect();
        paths.sort();
        paths.dedup();
        let describe = |path: &Path| {
            let path = path.strip_prefix(&self.root).unwrap_or(path).display();
            path.to_string()
        };
        paths
            .into_iter()
            .filter_map(|path| match (self.entries.get(path), other.entries.get(path)) {
                (Some(_), None) => Some(format!("{} is not there any more", describe(path))),
                (None, Some(_)) => Some(format!("{} is there, and nobody said so", describe(path))),
                (Some(known), Some(real)) if known != real => {
                    Some(format!("{} has changed since it was last reported", describe(path)))
                }
                _ => None,
            })
            .collect()
    }
}
