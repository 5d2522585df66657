//! What a look has found, and how that is told: [`Changes`].

use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map::Entry},
    ffi::OsString,
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

/// An item of the stream.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) tells: StreamItem,
    /// The watch that it belongs to.
    root: Arc<Root>,
    /// Others that it belongs to as well.
    also: Vec<Arc<Root>>,
}

impl Item {
    /// Whether it belongs to something that is watched still.
    pub(crate) fn is_wanted(&self) -> bool {
        std::iter::once(&self.root).chain(&self.also).any(|root| !root.is_stopped())
    }
}

/// What tells a file from all others: its numbers, its birth, and what it is.
type Identity = ([u64; 2], i64, Kind);

/// Differences between two looks, of all roots together: what is gone from one may have come to
/// another, and what lies in two of them is found in both.
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
    /// Other roots that spell it the same.
    also: Vec<Arc<Root>>,
    /// Whether another one stands for it, of a root that it lies in as well.
    is_double: bool,
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
        self.tell(root, Ok(Event::modify(kind, root.spell(below))));
    }

    /// Something happened in a folder; what it was has left no trace.
    pub(crate) fn happened(&mut self, root: &Arc<Root>, below: &Path) {
        self.tell(root, Ok(Event::new(EventKind::Any, root.spell(below))));
    }

    /// Something could not be looked at.
    pub(crate) fn failed(&mut self, root: &Arc<Root>, below: &Path, error: io::Error) {
        let path = root.spell(below);
        let error = StreamError::unwatched(&path, BackendError::from_io(&path, error));
        self.tell(root, Err(error));
    }

    fn tell(&mut self, root: &Arc<Root>, item: StreamItem) {
        self.others.push(Item { tells: item, root: root.clone(), also: Vec::new() });
    }

    /// The items that tell all of it, `next_tracker` being the number of the next rename.
    ///
    /// What is gone comes first, entries before their folders; then what is newly there, folders
    /// before their entries; then what was changed. So a path that is there has no removal as its
    /// last event.
    pub(crate) fn into_items(mut self, next_tracker: &mut u64) -> Vec<Item> {
        let is_shared = self.is_of_several_roots();
        if is_shared {
            merge(self.gone.iter_mut().map(|gone| &mut gone.place));
            merge(self.came.iter_mut().map(|came| &mut came.place));
        }
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
        let mut gone: Vec<_> = self.gone.iter().filter(|gone| !gone.place.is_double).collect();
        gone.sort_by_cached_key(|gone| Reverse(gone.place.path()));
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
        let came = self.came.iter().enumerate().filter(|(_, came)| !came.place.is_double);
        for (i, Came { place, replaces, from }) in came {
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
        items.append(&mut if is_shared { without_doubles(others) } else { others });
        items
    }

    fn is_of_several_roots(&self) -> bool {
        let places = self.gone.iter().map(|gone| &gone.place);
        let places = places.chain(self.came.iter().map(|came| &came.place));
        let mut roots =
            places.map(|place| &place.root).chain(self.others.iter().map(|it| &it.root));
        let first = roots.next();
        roots.any(|root| first.is_some_and(|first| !Arc::ptr_eq(first, root)))
    }

    /// Finds what has come from a place that it is gone from: first in the same root, since the two may
    /// have other spellings in another one.
    fn find_renames(&mut self) {
        self.pair(|place, identity| (Arc::as_ptr(&place.root), identity));
        self.pair(|_, identity| identity);
    }

    fn pair<K: Eq + Hash>(&mut self, key: impl Fn(&Place, Identity) -> K) {
        let key = |place: &Place| {
            let (numbers, birth) = place.state.identity()?;
            Some(key(place, (numbers, birth, place.state.kind)))
        };
        let is_open = |gone: &Gone| gone.to.is_none() && !gone.place.is_double;
        let gone = self.gone.iter().enumerate().filter(|(_, gone)| is_open(gone));
        let mut by_key: HashMap<K, usize> =
            gone.filter_map(|(i, gone)| Some((key(&gone.place)?, i))).collect();
        let is_open = |came: &Came| came.from.is_none() && !came.place.is_double;
        for (i, came) in self.came.iter_mut().enumerate().filter(|(_, came)| is_open(came)) {
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
    pub(crate) fn new(root: &Arc<Root>, below: PathBuf, state: State) -> Self {
        Self { root: root.clone(), below, state, also: Vec::new(), is_double: false }
    }

    /// The path as events spell it.
    fn path(&self) -> PathBuf {
        self.root.spell(&self.below)
    }

    fn key(&self) -> (*const Root, &Path) {
        (Arc::as_ptr(&self.root), &self.below)
    }

    fn folder_key(&self) -> Option<(*const Root, &Path)> {
        Some((Arc::as_ptr(&self.root), self.below.parent()?))
    }

    fn tell(&self, kind: EventKind, tracker: Option<Tracker>) -> Item {
        let event = Event::new(kind, self.path()).with_tracker(tracker);
        Item { tells: Ok(event), root: self.root.clone(), also: self.also.clone() }
    }
}

/// Lets the first of several places stand for all that are spelled the same in different roots.
fn merge<'a>(places: impl Iterator<Item = &'a mut Place>) {
    let mut first: HashMap<(OsString, Kind), &mut Place> = HashMap::new();
    for place in places {
        match first.entry((place.path().into(), place.state.kind)) {
            Entry::Vacant(entry) => _ = entry.insert(place),
            Entry::Occupied(mut first) => {
                place.is_double = true;
                first.get_mut().also.push(place.root.clone());
            }
        }
    }
}

/// The same for items that tell the same.
fn without_doubles(items: Vec<Item>) -> Vec<Item> {
    let mut indices: HashMap<(OsString, Option<EventKind>), usize> = HashMap::new();
    let mut kept: Vec<Item> = Vec::with_capacity(items.len());
    for item in items {
        let (path, kind) = match &item.tells {
            Ok(event) => (event.path.as_path(), Some(event.kind)),
            Err(error) => (error.path().unwrap_or(Path::new("")), None),
        };
        match indices.entry((path.into(), kind)) {
            Entry::Vacant(entry) => {
                entry.insert(kept.len());
                kept.push(item);
            }
            Entry::Occupied(first) => kept[*first.get()].also.push(item.root),
        }
    }
    kept
}
