//! One look at a watched path: compares it with the last look.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    io, mem,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::SystemTime,
};

use super::{
    changes::{Changes, Place},
    folder::{Compared, Folder, Listed, Reading},
    listings::{Found, Listings},
    obstacle::{self, Obstacle},
    root::{Root, Tree, look_at},
    state::{Kind, State},
    touched::Touched,
};
use crate::contract::{
    error::BackendError,
    event::{DataChange, ModifyKind},
};

/// What one look at several roots shares.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) reading: Reading<'a>,
    /// Whether a missing permission is reported at once.
    pub(super) tells_at_once: bool,
    /// The folders that other roots have listed during this look.
    pub(super) listings: Listings,
    pub(super) changes: Changes,
    /// The places that were read, if there is an observer.
    pub(super) visited: HashSet<PathBuf>,
    /// Those that were read by an earlier part of the look.
    pub(super) earlier: HashSet<PathBuf>,
    /// The places that have to be read again by another look: they had been read when the need was found.
    pub(super) left: Vec<PathBuf>,
    /// The places that are gone, or not watched any more, if there is an observer.
    pub(super) gone: Vec<PathBuf>,
    /// The last birth of an entry that was known before. What was born later is known from nowhere else.
    pub(super) last_birth: i64,
    /// Whether this is a further part of a look: nothing has been reported since the last one.
    pub(super) goes_on: bool,
    /// Why the root itself could not be observed at its first look.
    pub(super) refusal: Option<BackendError>,
}

impl Root {
    /// Looks at everything, or at some places alone, and adds the differences from the last look to the changes.
    /// There are none for paths that were never looked at before.
    pub(super) fn look(self: &Arc<Self>, places: Option<&[Touched]>, shared: &mut Shared<'_>) {
        let tree = &mut *self.lock();
        tree.number += u64::from(!shared.goes_on);
        let places = places.filter(|_| tree.is_known).map(|places| self.below(places));
        if places.as_ref().is_some_and(Vec::is_empty) {
            return;
        }
        let is_whole = places.is_none();
        let mut own_state = Ok(tree.state);
        let is_own = |place: &Touched| place.path.as_os_str().is_empty();
        let looks_at_itself = places.as_ref().is_none_or(|places| places.iter().any(is_own));
        if looks_at_itself {
            own_state = self.state(shared, tree);
        }
        let state = match own_state {
            Ok(state) => state,
            Err(error) => {
                if tree.obstacle.is_to_be_told(&error, shared.tells_at_once, shared.goes_on) {
                    shared.changes.failed(self, Path::new(""), error);
                }
                return;
            }
        };
        tree.obstacle = Obstacle::default();
        let device = state.and_then(|state| state.device());
        let is_mount = device.is_some_and(|device| tree.device.replace(device) != Some(device));
        let was_known = mem::replace(&mut tree.is_known, true);
        let old_state = mem::replace(&mut tree.state, state);
        let folders = mem::take(&mut tree.folders);
        let (old, rest) =
            if is_whole { (folders, HashMap::new()) } else { (HashMap::new(), folders) };
        let mut look = Look {
            root: self,
            number: tree.number,
            recursive: self.is_recursive(),
            follow_links: self.follow_links.load(Ordering::Relaxed),
            is_whole,
            new: HashMap::with_capacity(old.len()),
            old,
            rest,
            open: Vec::new(),
            modified: HashSet::new(),
            followed: Vec::new(),
            last_birth: tree.last_birth,
            shared,
        };
        let below = PathBuf::new;
        let told = if !was_known {
            Announced::Nothing
        } else if is_mount {
            // A file system was mounted or unmounted here.
            look.compare(below(), old_state, None);
            look.compare(below(), None, state)
        } else if old_state == state {
            Announced::Nothing
        } else {
            look.compare(below(), old_state, state)
        };
        if state.is_some_and(|state| state.kind == Kind::Folder) && looks_at_itself {
            look.open.push((below(), told));
        }
        look.list_all();
        for place in places.unwrap_or_default() {
            if is_own(&place) {
                look.note_write(&place, state);
            } else {
                look.look_at(place);
            }
            look.list_all();
        }
        // What a look that was stopped has not visited is not gone.
        if !self.is_stopped() {
            look.report_what_is_left();
        }
        tree.last_birth = look.last_birth;
        let mut parts = [look.new, look.rest, look.old];
        parts.sort_by_key(|part| Reverse(part.len()));
        let [mut folders, others @ ..] = parts;
        folders.extend(others.into_iter().flatten());
        tree.folders = folders;
    }

    /// Returns which of these places are in the tree, as paths below its root. What happens in the folder above may
    /// concern the root itself.
    fn below(&self, places: &[Touched]) -> Vec<Touched> {
        let below = |place: &Touched| {
            if self.location.parent() == Some(&place.path) {
                return Some(Touched::somehow(PathBuf::new()));
            }
            let path = place.path.strip_prefix(&self.location).ok()?.to_owned();
            Some(Touched { path, ..place.clone() })
        };
        places.iter().filter_map(below).collect()
    }

    /// Returns the state of the root itself; none if it does not exist.
    fn state(
        self: &Arc<Self>,
        shared: &mut Shared<'_>,
        tree: &mut Tree,
    ) -> io::Result<Option<State>> {
        let follow_links = self.follow_links.load(Ordering::Relaxed);
        match shared.listings.find(&self.location) {
            Found::Absent => return Ok(None),
            Found::There(state) if state.is_of_path(follow_links) => return Ok(Some(state)),
            Found::There(_) | Found::NotListed => {}
        }
        let start = SystemTime::now();
        let location = || self.location.clone();
        let mut unobserved = None;
        let read = || look_at(&self.location, follow_links);
        let mut state = match shared.reading.read(location, read, &mut unobserved) {
            Ok(metadata) => State::of(&metadata, start),
            Err(error) if obstacle::is_absence(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        match unobserved {
            Some(error) if !tree.is_known => shared.refusal = Some(self.explain("", error, shared)),
            error => self.note_unobserved(Path::new(""), &mut tree.is_unobserved, error, shared),
        }
        if shared.reading.compare_contents
            && let Err(error) = state.read_content(&self.location, &self.stopped)
            && state.is_less_known_than(tree.state.as_ref())
        {
            shared.changes.failed(self, Path::new(""), error);
        }
        Ok(Some(state))
    }

    /// Reports that something in a folder could not be observed, unless that was reported.
    fn note_unobserved(
        self: &Arc<Self>,
        below: &Path,
        is_unobserved: &mut bool,
        error: Option<io::Error>,
        shared: &mut Shared<'_>,
    ) {
        if let Some(error) = error
            && !mem::replace(is_unobserved, true)
        {
            let error = self.explain(below, error, shared);
            shared.changes.unobserved(self, below, error);
        }
    }

    /// Converts an error of the observer.
    fn explain(
        &self,
        below: impl AsRef<Path>,
        error: io::Error,
        shared: &Shared<'_>,
    ) -> BackendError {
        let path = self.spell(below.as_ref());
        match shared.reading.observer {
            Some(observer) => observer.explain(path, error),
            None => BackendError::from_io(path, error),
        }
    }
}

/// One look at a root.
struct Look<'a, 'b> {
    root: &'a Arc<Root>,
    /// The number of this look at the root.
    number: u64,
    recursive: bool,
    follow_links: bool,
    /// Whether it looks at everything.
    is_whole: bool,
    /// The folders of the last look that were not visited yet. Those that are left in the end are gone.
    old: HashMap<PathBuf, Folder>,
    /// The folders of the last look at which this one need not look.
    rest: HashMap<PathBuf, Folder>,
    /// The folders that were visited.
    new: HashMap<PathBuf, Folder>,
    /// Folders to be listed, each with what is reported about it. A list, and no recursion: a tree may be
    /// deeper than the stack.
    open: Vec<(PathBuf, Announced)>,
    /// The files of which a change is reported.
    modified: HashSet<PathBuf>,
    /// The targets of the links that were followed.
    followed: Vec<PathBuf>,
    /// The last birth of an entry that was found.
    last_birth: i64,
    shared: &'a mut Shared<'b>,
}

/// What this look reports about a folder. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Announced {
    /// Only changes of single entries.
    Nothing,
    /// An event after which a consumer looks at everything in it.
    Changes,
    /// The folder is new, with everything in it.
    Creation,
}

impl Look<'_, '_> {
    /// Lists the open folders.
    fn list_all(&mut self) {
        while let Some((folder, told)) = self.open.pop()
            && !self.root.is_stopped()
        {
            self.list(folder, told);
        }
    }

    /// Looks at one place: reads the entry, and opens it if it is a folder.
    fn look_at(&mut self, place: Touched) {
        let below = &place.path;
        let (Some(above), Some(name)) = (below.parent(), below.file_name()) else { return };
        let Some(old) = self.folder(above).and_then(|folder| folder.find(name)) else {
            return;
        };
        let is_listed = self.folder(below).is_some();
        if old.kind == Kind::Other {
            // A link that is followed.
            if is_listed {
                self.open(place.path, Announced::Nothing);
            }
            return;
        }
        let location = self.root.location.join(below);
        let new = self.read(&location, above);
        let Some(new) = new.filter(|new| new.has_numbers_of(&old)) else {
            return self.open(above.to_owned(), Announced::Nothing);
        };
        self.shared.visited.insert(location);
        for folders in [&mut self.new, &mut self.rest] {
            if let Some(folder) = folders.get_mut(above) {
                folder.set(name, new);
            }
        }
        let mut told = Announced::Nothing;
        if old != new {
            told = self.compare(below.clone(), Some(old), Some(new));
        }
        if is_listed {
            self.open(place.path, told);
        } else {
            self.note_write(&place, Some(new));
        }
    }

    /// Reports that a file was written, unless that has been seen.
    fn note_write(&mut self, place: &Touched, state: Option<State>) {
        let is_file = state.is_some_and(|state| state.kind == Kind::File);
        if place.is_written && is_file && !self.modified.contains(&place.path) {
            let kind = ModifyKind::Data(DataChange::Any);
            self.shared.changes.modified(self.root, &place.path, kind);
        }
    }

    /// Reads the state of an entry of the folder `above`. Returns none if it could not be read completely.
    fn read(&mut self, location: &Path, above: &Path) -> Option<State> {
        let (root, start) = (self.root, SystemTime::now());
        let Shared { reading, listings, .. } = &mut *self.shared;
        let mut unobserved = None;
        let state = listings.state(location, || {
            let read = || look_at(location, false);
            let metadata = reading.read(|| location.to_owned(), read, &mut unobserved).ok()?;
            let mut state = State::of(&metadata, start);
            let read =
                !reading.compare_contents || state.read_content(location, &root.stopped).is_ok();
            read.then_some(state)
        });
        for folders in [&mut self.new, &mut self.rest] {
            if let Some(folder) = folders.get_mut(above) {
                let error = unobserved.take();
                root.note_unobserved(above, &mut folder.is_unobserved, error, self.shared);
            }
        }
        state
    }

    /// Opens a folder to be listed, or leaves it to the next look if this one has listed it.
    fn open(&mut self, below: PathBuf, told: Announced) {
        let location = self.root.location.join(&below);
        // Also in an earlier part of it: read twice, an entry could be reported as changed after its removal. Other
        // roots list it in the same part.
        if self.new.contains_key(&below) || self.shared.earlier.contains(&location) {
            self.shared.left.push(location);
        } else {
            self.open.push((below, told));
        }
    }

    /// Returns what is known about a folder.
    fn folder(&self, below: &Path) -> Option<&Folder> {
        [&self.new, &self.old, &self.rest].into_iter().find_map(|folders| folders.get(below))
    }

    /// Lists a folder and compares it with the last look.
    fn list(&mut self, below: PathBuf, told: Announced) {
        let known = self.old.remove_entry(&below).or_else(|| self.rest.remove_entry(&below));
        let (below, known) = match known {
            Some((below, known)) => (below, Some(known)),
            None => (below, None),
        };
        // If nothing was known, as at the first look, nothing has changed.
        let is_known = told == Announced::Creation || known.is_some();
        let mut before = known.unwrap_or_default();
        if told == Announced::Creation {
            // The entries of another folder, which was here before.
            self.report_gone(&below, &before);
            before = Folder::default();
        }
        if told > Announced::Nothing {
            before.fresh_since = Some(self.number);
        }
        let location = self.root.location.join(&below);
        let stop = &self.root.stopped;
        let Shared { reading, listings, visited, .. } = &mut *self.shared;
        let listed = listings.list(&location, &before, *reading, stop);
        if reading.observer.is_some() || !self.is_whole {
            visited.insert(location);
        }
        let Listed { mut folder, errors, unobserved } = match listed {
            Ok(listed) => listed,
            Err(error) => return self.keep(below, before, error),
        };
        if self.root.is_stopped() {
            // The list may be incomplete. What is new in it is not known, and has to be forgotten by itself.
            for (name, _) in folder.entries().filter(|(name, _)| before.find(name).is_none()) {
                self.forget(&below.join(name));
            }
            self.new.insert(below, before);
            return;
        }
        folder.is_unobserved = before.is_unobserved && unobserved.is_some();
        self.root.note_unobserved(&below, &mut folder.is_unobserved, unobserved, self.shared);
        for (name, error) in errors {
            let new = folder.find(&name);
            if new.is_some_and(|new| new.is_less_known_than(before.find(&name).as_ref())) {
                self.shared.changes.failed(self.root, &below.join(name), error);
            }
        }
        for Compared { name, old, new } in before.compare(&folder) {
            let has_changed = is_known && old != new;
            let told_of_it = if has_changed {
                self.compare(below.join(&name), old, new)
            } else {
                Announced::Nothing
            };
            self.last_birth = self.last_birth.max(new.map_or(0, |new| new.birth()));
            if self.recursive
                && let Some(new) = new
                && self.is_to_open(new, || below.join(&name))
            {
                let child = below.join(&name);
                // A consumer that lists a folder lists the folders in it too.
                let told = told_of_it.max(told.min(Announced::Changes));
                if self.is_whole || told > Announced::Nothing || self.folder(&child).is_none() {
                    self.open.push((child, told));
                }
            }
        }
        folder.fresh_since = before.fresh_since;
        self.new.insert(below, folder);
    }

    /// Adds the changes of one path. Returns what is reported about it if it is a folder.
    fn compare(&mut self, below: PathBuf, old: Option<State>, new: Option<State>) -> Announced {
        let place = |below, state| Place::new(self.root, below, state);
        match (old, new) {
            (Some(old), Some(new)) if old.kind == new.kind && !new.is_another_folder_than(&old) => {
                let is_fresh = |folder: &Folder| {
                    folder.fresh_since.is_some_and(|since| since + 1 == self.number)
                };
                let is_fresh =
                    old.kind == Kind::Folder && self.folder(&below).is_some_and(is_fresh);
                if is_fresh {
                    // A consumer may have seen entries in it that existed only for a while.
                    self.shared.changes.happened(self.root, &below);
                }
                let identities = old.identity().zip(new.identity());
                let is_replaced = identities.is_some_and(|(old, new)| old != new);
                if is_replaced {
                    self.modified.insert(below.clone());
                    self.shared.changes.replaced(place(below.clone(), old), place(below, new));
                } else {
                    let kinds = old.changes(&new, false);
                    if !self.is_whole && !kinds.is_empty() {
                        self.modified.insert(below.clone());
                    }
                    for kind in kinds {
                        self.shared.changes.modified(self.root, &below, kind);
                    }
                }
                if is_fresh || is_replaced { Announced::Changes } else { Announced::Nothing }
            }
            (old, new) => {
                if let Some(old) = old {
                    self.shared.changes.gone(place(below.clone(), old));
                }
                if old.is_some() {
                    self.displace(&below);
                }
                match new {
                    Some(new) => self.shared.changes.came(place(below, new)),
                    None => self.forget(&below),
                }
                Announced::Creation
            }
        }
    }

    /// Returns whether an entry is a folder, or a link that is to be followed to a folder which the tree
    /// does not have yet.
    fn is_to_open(&mut self, entry: State, below: impl Fn() -> PathBuf) -> bool {
        if entry.kind != Kind::Other || !self.follow_links {
            return entry.kind == Kind::Folder;
        }
        let location = self.root.location.join(below());
        // Its target has to be observed before it is listed. If that fails, so does listing, most likely.
        let read = || look_at(&location, true);
        let target = self.shared.reading.read(|| location.clone(), read, &mut None);
        if !target.is_ok_and(|target| target.is_dir()) {
            return false;
        }
        let (Ok(target), Ok(root)) = (location.canonicalize(), self.root.location.canonicalize())
        else {
            return false;
        };
        let is_held = target.starts_with(root)
            || self.followed.iter().any(|followed| target.starts_with(followed));
        if !is_held {
            self.followed.push(target);
        }
        !is_held
    }

    /// Keeps the last look's result for a folder that cannot be listed now, and for everything below it.
    fn keep(&mut self, below: PathBuf, mut folder: Folder, error: io::Error) {
        // If it is gone by now, the next look at the folder above it will show that.
        if folder.obstacle.is_to_be_told(&error, self.shared.tells_at_once, self.shared.goes_on) {
            self.shared.changes.failed(self.root, &below, error);
        }
        let fresh_since = folder.fresh_since;
        let mut kept = vec![(below, folder)];
        while let Some((below, mut folder)) = kept.pop() {
            folder.fresh_since = fresh_since;
            for (name, _) in folder.entries() {
                kept.extend(self.old.remove_entry(&below.join(name)));
            }
            self.new.insert(below, folder);
        }
    }

    /// Reports the entries of folders that were not found any more as gone. Below a root that is no longer
    /// watched recursively, they are forgotten.
    fn report_what_is_left(&mut self) {
        for (folder, known) in mem::take(&mut self.old) {
            if self.recursive || folder.as_os_str().is_empty() {
                self.report_gone(&folder, &known);
            } else {
                known.entries().for_each(|(name, _)| self.forget(&folder.join(name)));
            }
        }
    }

    /// Takes the folder that was at this path, with all that is below it, for gone unless it is visited again.
    fn displace(&mut self, below: &Path) {
        let mut displaced: Vec<_> = self.rest.remove_entry(below).into_iter().collect();
        while let Some((below, folder)) = displaced.pop() {
            for (name, _) in folder.entries() {
                displaced.extend(self.rest.remove_entry(&below.join(name)));
            }
            self.old.insert(below, folder);
        }
    }

    /// Notes that there is nothing to be observed any more at a path.
    fn forget(&mut self, below: &Path) {
        if self.shared.reading.observer.is_some() {
            self.shared.gone.push(self.root.location.join(below));
        }
    }

    fn report_gone(&mut self, folder: &Path, known: &Folder) {
        for (name, state) in known.entries() {
            let below = folder.join(name);
            self.forget(&below);
            self.shared.changes.gone(Place::new(self.root, below, state));
        }
    }
}
