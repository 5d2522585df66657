//! What a look has found, and how that is told: [`Changes`].

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::Hash,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use notify_backend::prelude::*;

use crate::{
    root::Root,
    state::{Kind, State},
};

/// An item of the stream, and the watch that it belongs to.
pub(crate) type Item = (Arc<Root>, StreamItem);

/// What tells a file from all others: its numbers, its birth, and what it is.
type Identity = ([u64; 2], i64, Kind);

/// Differences between two looks, of all roots together: what is gone from one may have come to
/// another.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    gone: Vec<Gone>,
    came: Vec<Came>,
    /// Told as they are.
    others: Vec<Item>,
}

/// Something that is at a path, or was.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) root: Arc<Root>,
    /// The path below the root.
    pub(crate) below: PathBuf,
    pub(crate) state: State,
}

#[derive(Debug)]
struct Gone {
    place: Place,
    /// Whether there is another file of the same kind at the same path now.
    is_replaced: bool,
    /// Where it is now, as an index of `came`.
    to: Option<usize>,
}

#[derive(Debug)]
struct Came {
    place: Place,
    /// What was at the same path, if it was of the same kind, as an index of `gone`.
    replaces: Option<usize>,
    /// Where it was, as an index of `gone`.
    from: Option<usize>,
}

impl Changes {
    pub(crate) fn gone(&mut self, place: Place) {
        self.gone.push(Gone { place, is_replaced: false, to: None });
    }

    pub(crate) fn came(&mut self, place: Place) {
        self.came.push(Came { place, replaces: None, from: None });
    }

    /// At one path there is another file of the same kind.
    pub(crate) fn replaced(&mut self, old: Place, new: Place) {
        self.came.push(Came { place: new, replaces: Some(self.gone.len()), from: None });
        self.gone.push(Gone { place: old, is_replaced: true, to: None });
    }

    pub(crate) fn modified(&mut self, root: &Arc<Root>, below: &Path, kind: ModifyKind) {
        self.others.push((root.clone(), Ok(Event::modify(kind, root.spell(below)))));
    }

    /// Something happened in a folder; what it was has left no trace.
    pub(crate) fn happened(&mut self, root: &Arc<Root>, below: &Path) {
        self.others.push((root.clone(), Ok(Event::new(EventKind::Any, root.spell(below)))));
    }

    /// Something could not be looked at.
    pub(crate) fn failed(&mut self, root: &Arc<Root>, below: &Path, error: io::Error) {
        let path = root.spell(below);
        let error = StreamError::unwatched(&path, BackendError::from_io(&path, error));
        self.others.push((root.clone(), Err(error)));
    }

    /// The items that tell all of it, `next_tracker` being the number of the next rename.
    ///
    /// What is gone comes first, entries before their folders; then what is newly there, folders
    /// before their entries; then what was changed. So a path that is there has no removal as its
    /// last event.
    pub(crate) fn into_items(mut self, next_tracker: &mut u64) -> Vec<Item> {
        self.find_renames();
        let trackers: HashMap<_, _> = self
            .renames()
            .map(|to| {
                let tracker = Tracker::new(*next_tracker);
                *next_tracker = next_tracker.wrapping_add(1).max(1);
                (to, tracker)
            })
            .collect();
        let mut items = Vec::new();
        let mut gone: Vec<_> = self.gone.iter().collect();
        gone.sort_by_cached_key(|gone| Reverse(gone.place.below.clone()));
        for Gone { place, is_replaced, to } in gone {
            match to {
                Some(to) => items.extend(trackers.get(to).map(|&tracker| {
                    place.tell(EventKind::Modify(ModifyKind::Name(RenameMode::From)), tracker)
                })),
                None if *is_replaced => {}
                None => items.push(place.tell(EventKind::Remove(place.state.kind.into()), None)),
            }
        }
        let mut others = self.others;
        for (i, Came { place, replaces, from }) in self.came.iter().enumerate() {
            let replaced = replaces.map(|at| &self.gone[at]);
            let (old, is_renamed) = match (from, replaced) {
                (Some(from), _) => {
                    items.extend(trackers.get(&i).map(|&tracker| {
                        place.tell(EventKind::Modify(ModifyKind::Name(RenameMode::To)), tracker)
                    }));
                    (self.gone[*from].place.state, true)
                }
                // Most likely written anew. Some file systems give the same file another number.
                (None, Some(replaced)) if replaced.to.is_none() => (replaced.place.state, false),
                _ => {
                    items.push(place.tell(EventKind::Create(place.state.kind.into()), None));
                    continue;
                }
            };
            let changes = old.changes(&place.state, is_renamed).into_iter();
            others.extend(changes.map(|kind| place.tell(EventKind::Modify(kind), None)));
        }
        items.append(&mut others);
        items
    }

    /// Finds what has come from a place that it is gone from: first in the same root, since what
    /// lies in two roots is found in both.
    fn find_renames(&mut self) {
        self.pair(|place, identity| (Arc::as_ptr(&place.root), identity));
        self.pair(|_, identity| identity);
    }

    fn pair<K: Eq + Hash>(&mut self, key: impl Fn(&Place, Identity) -> K) {
        let key = |place: &Place| {
            let (numbers, birth) = place.state.identity()?;
            Some(key(place, (numbers, birth, place.state.kind)))
        };
        let gone = self.gone.iter().enumerate().filter(|(_, gone)| gone.to.is_none());
        let mut by_key: HashMap<K, usize> =
            gone.filter_map(|(i, gone)| Some((key(&gone.place)?, i))).collect();
        for (i, came) in self.came.iter_mut().enumerate().filter(|(_, came)| came.from.is_none()) {
            if let Some(from) = key(&came.place).and_then(|key| by_key.remove(&key))
                // Its folder was exchanged below it, and exchanged back.
                && self.gone[from].place.key() != came.place.key()
                && came.place.state.is_renamed(&self.gone[from].place.state)
            {
                came.from = Some(from);
                self.gone[from].to = Some(i);
            }
        }
    }

    /// The renames, as indices of `came`. What went along with its folder was not renamed.
    fn renames(&self) -> impl Iterator<Item = usize> {
        let pairs = || {
            let came = self.came.iter().enumerate();
            came.filter_map(|(i, came)| Some((i, &self.gone[came.from?].place, &came.place)))
        };
        let moved: HashMap<_, _> = pairs().map(|(_, from, to)| (from.key(), to.key())).collect();
        pairs().filter_map(move |(i, from, to)| {
            let folders = from.folder_key().zip(to.folder_key());
            let went_along = from.below.file_name() == to.below.file_name()
                && folders.is_some_and(|(from, to)| moved.get(&from) == Some(&to));
            (!went_along).then_some(i)
        })
    }
}

impl Place {
    fn key(&self) -> (*const Root, &Path) {
        (Arc::as_ptr(&self.root), &self.below)
    }

    fn folder_key(&self) -> Option<(*const Root, &Path)> {
        Some((Arc::as_ptr(&self.root), self.below.parent()?))
    }

    fn tell(&self, kind: EventKind, tracker: Option<Tracker>) -> Item {
        let event = Event::new(kind, self.root.spell(&self.below)).with_tracker(tracker);
        (self.root.clone(), Ok(event))
    }
}
