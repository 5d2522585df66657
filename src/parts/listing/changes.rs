//! The differences that a look has found, and the events for them: [`Changes`].

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, hash_map::Entry},
    ffi::OsString,
    hash::Hash,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    root::Root,
    state::{Identity, Kind, State},
};
use crate::contract::{
    backend::StreamItem,
    error::{BackendError, StreamError},
    event::{ModifyKind, RenameMode, Tracker, kind::EventKind, one::Event},
};

/// An item of the stream.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) tells: StreamItem,
    /// The watch that it belongs to.
    root: Arc<Root>,
    /// Further watches that it belongs to.
    also: Vec<Arc<Root>>,
}

impl Item {
    /// Returns whether a watch that it belongs to still exists.
    pub(super) fn is_wanted(&self) -> bool {
        std::iter::once(&self.root).chain(&self.also).any(|root| !root.is_stopped())
    }
}

/// The differences between two looks, of all roots together: a file that is gone from one root may have
/// come to another, and a file that lies in two of them is found in both.
#[derive(Debug, Default)]
pub(super) struct Changes {
    gone: Vec<Gone>,
    came: Vec<Came>,
    /// Reported as they are.
    others: Vec<Item>,
}

/// A file or folder that is at a path, or was.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: Arc<Root>,
    /// The path below the root.
    pub(super) below: PathBuf,
    pub(super) state: State,
    /// Other roots that spell its path in the same way.
    also: Vec<Arc<Root>>,
    /// Whether it is already represented by the same place in another root.
    is_double: bool,
}

#[derive(Debug)]
struct Gone {
    place: Place,
    /// Whether another file of the same kind has its path now.
    is_replaced: bool,
    /// Its new place, as an index of `came`.
    to: Option<usize>,
    /// Whether an earlier look has found that it was gone, and it has been [held](Changes::into_items) since.
    was_held: bool,
}

#[derive(Debug)]
struct Came {
    place: Place,
    /// The earlier file at the same path, if it was of the same kind, as an index of `gone`.
    replaces: Option<usize>,
    /// Its old place, as an index of `gone`.
    from: Option<usize>,
}

impl Changes {
    pub(super) fn gone(&mut self, place: Place) {
        self.gone.push(Gone { place, is_replaced: false, to: None, was_held: false });
    }

    /// Adds what an earlier look has held.
    pub(super) fn held(&mut self, places: Vec<Place>) {
        let gone = |place| Gone { place, is_replaced: false, to: None, was_held: true };
        self.gone.extend(places.into_iter().map(gone));
    }

    pub(super) fn came(&mut self, place: Place) {
        self.came.push(Came { place, replaces: None, from: None });
    }

    /// Returns the places of what came.
    pub(super) fn came_to(&self) -> impl Iterator<Item = &Place> {
        self.came.iter().map(|came| &came.place)
    }

    /// Adds that a path has another file of the same kind.
    pub(super) fn replaced(&mut self, old: Place, new: Place) {
        self.came.push(Came { place: new, replaces: Some(self.gone.len()), from: None });
        self.gone.push(Gone { place: old, is_replaced: true, to: None, was_held: false });
    }

    pub(super) fn modified(&mut self, root: &Arc<Root>, below: &Path, kind: ModifyKind) {
        self.tell(root, Ok(Event::modify(kind, root.spell(below))));
    }

    /// Adds that something happened in a folder that has left no other trace.
    pub(super) fn happened(&mut self, root: &Arc<Root>, below: &Path) {
        self.tell(root, Ok(Event::new(EventKind::Any, root.spell(below))));
    }

    /// Adds that something could not be looked at.
    pub(super) fn failed(&mut self, root: &Arc<Root>, below: &Path, error: io::Error) {
        let path = root.spell(below);
        let error = StreamError::unwatched(&path, BackendError::from_io(&path, error));
        self.tell(root, Err(error));
    }

    /// Adds that something could not be observed.
    pub(super) fn unobserved(&mut self, root: &Arc<Root>, below: &Path, error: BackendError) {
        self.tell(root, Err(StreamError::unwatched(root.spell(below), error)));
    }

    /// Takes the first limit that kept something from being observed.
    pub(super) fn take_limit(&mut self) -> Option<BackendError> {
        let is_limit = |item: &mut Item| {
            let Err(StreamError::Unwatched { cause, .. }) = &item.tells else { return false };
            cause.may_suit_another()
        };
        let item = self.others.extract_if(.., is_limit).next()?;
        match item.tells {
            Err(StreamError::Unwatched { cause, .. }) => Some(*cause),
            _ => None,
        }
    }

    fn tell(&mut self, root: &Arc<Root>, item: StreamItem) {
        self.others.push(Item { tells: item, root: root.clone(), also: Vec::new() });
    }

    /// Converts the differences into items. `next_tracker` is the tracker of the next rename. There are none if all
    /// roots are stopped, also amid the conversion: the one who has stopped them may be waiting.
    ///
    /// Removals come first, entries before their folders; then new entries, folders before their entries;
    /// then changes. So a removal is never the last event of a path that exists.
    ///
    /// Also returns the places of files that are gone, and for which `is_held` returns true: they may still be found
    /// elsewhere. It is called with a place, and whether that was held before.
    pub(super) fn into_items(
        mut self,
        next_tracker: &AtomicU64,
        is_held: impl Fn(&Place, bool) -> bool,
    ) -> (Vec<Item>, Vec<Place>) {
        if self.is_unwanted() {
            return Default::default();
        }
        let is_shared = self.is_of_several_roots();
        if is_shared {
            merge(self.gone.iter_mut().map(|gone| &mut gone.place));
            merge(self.came.iter_mut().map(|came| &mut came.place));
        }
        self.find_renames();
        // Zero would be no tracker; the numbers last for ever.
        let tracker = || Tracker::new(next_tracker.fetch_add(1, Ordering::Relaxed));
        let trackers: HashMap<_, _> = self.renames().map(|to| (to, tracker())).collect();
        let mut items = Vec::new();
        let mut held = Vec::new();
        // What has come to the path has to be reported after the removal.
        let came: HashSet<_> = self.came.iter().map(|came| came.place.key()).collect();
        let is_held = |gone: &Gone| {
            let is_open =
                gone.to.is_none() && !gone.is_replaced && !came.contains(&gone.place.key());
            is_open && is_held(&gone.place, gone.was_held)
        };
        let mut gone: Vec<_> = self.gone.iter().filter(|gone| !gone.place.is_double).collect();
        gone.sort_by_cached_key(|gone| Reverse(gone.place.path()));
        if self.is_unwanted() {
            return Default::default();
        }
        for gone in gone {
            let Gone { place, is_replaced, to, .. } = gone;
            match to {
                Some(to) => items.extend(trackers.get(to).map(|&tracker| {
                    place.tell(EventKind::Modify(ModifyKind::Name(RenameMode::From)), tracker)
                })),
                None if *is_replaced => {}
                None if is_held(gone) => held.push(place.clone()),
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
                // Most likely it was written again. Some file systems give the same file another number.
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
        (items, held)
    }

    /// Returns whether no watch exists any more that something belongs to.
    fn is_unwanted(&self) -> bool {
        self.roots().all(|root| root.is_stopped())
    }

    /// Returns the root of each difference.
    fn roots(&self) -> impl Iterator<Item = &Arc<Root>> {
        let places = self.gone.iter().map(|gone| &gone.place);
        let places = places.chain(self.came.iter().map(|came| &came.place));
        places.map(|place| &place.root).chain(self.others.iter().map(|item| &item.root))
    }

    fn is_of_several_roots(&self) -> bool {
        let mut roots = self.roots();
        let first = roots.next();
        roots.any(|root| first.is_some_and(|first| !Arc::ptr_eq(first, root)))
    }

    /// Finds the renames: first those within a root, since both paths may be spelled differently in another
    /// one.
    fn find_renames(&mut self) {
        self.pair(|place, identity| (Arc::as_ptr(&place.root), identity));
        self.pair(|_, identity| identity);
    }

    fn pair<K: Eq + Hash>(&mut self, key: impl Fn(&Place, Identity) -> K) {
        let key = |place: &Place| Some(key(place, place.state.identity()?));
        let is_open = |gone: &Gone| gone.to.is_none() && !gone.place.is_double;
        let gone = self.gone.iter().enumerate().filter(|(_, gone)| is_open(gone));
        let mut by_key: HashMap<K, usize> =
            gone.filter_map(|(i, gone)| Some((key(&gone.place)?, i))).collect();
        let is_open = |came: &Came| came.from.is_none() && !came.place.is_double;
        for (i, came) in self.came.iter_mut().enumerate().filter(|(_, came)| is_open(came)) {
            if let Some(from) = key(&came.place).and_then(|key| by_key.remove(&key))
                // Its folder was exchanged, and exchanged back.
                && self.gone[from].place.key() != came.place.key()
                && came.place.state.is_renamed(&self.gone[from].place.state)
            {
                came.from = Some(from);
                self.gone[from].to = Some(i);
            }
        }
    }

    /// Returns the renames, as indices of `came`. A file that moved with its folder was not renamed.
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
    pub(super) fn new(root: &Arc<Root>, below: PathBuf, state: State) -> Self {
        Self { root: root.clone(), below, state, also: Vec::new(), is_double: false }
    }

    /// Returns the path as events spell it.
    fn path(&self) -> PathBuf {
        self.root.spell(&self.below)
    }

    pub(super) fn location(&self) -> PathBuf {
        self.root.location.join(&self.below)
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

/// Merges all places that are spelled the same in different roots into the first of them.
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

/// Merges items that are the same in different roots into the first of them.
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
