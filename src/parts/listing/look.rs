//! One look at a watched path: compares it with the last look.

use std::{
    collections::HashMap,
    io, mem,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::SystemTime,
};

use super::{
    changes::{Changes, Place},
    folder::{Compared, Folder, Listed},
    listings::{Found, Listings},
    obstacle::{self, Obstacle},
    root::{Root, Tree, look_at},
    state::{Kind, State},
};

impl Root {
    /// Looks at everything, and adds the differences from the last look to `changes`. There are none for
    /// paths that were never looked at before. `listings` has the folders that other roots have listed
    /// during this look.
    pub(super) fn look(
        self: &Arc<Self>,
        compare_contents: bool,
        listings: &mut Listings,
        changes: &mut Changes,
    ) {
        let tree = &mut *self.lock();
        let follow_links = self.follow_links.load(Ordering::Relaxed);
        let state = match self.state(follow_links, compare_contents, listings, tree, changes) {
            Ok(state) => state,
            Err(error) => {
                if tree.obstacle.is_to_be_told(&error) {
                    changes.failed(self, Path::new(""), error);
                }
                return;
            }
        };
        tree.obstacle = Obstacle::default();
        let device = state.and_then(|state| state.device());
        let is_mount = device.is_some_and(|device| tree.device.replace(device) != Some(device));
        let was_known = mem::replace(&mut tree.is_known, true);
        let old = mem::replace(&mut tree.state, state);
        let folders = mem::take(&mut tree.folders);
        let mut look = Look {
            root: self,
            compare_contents,
            recursive: self.is_recursive(),
            follow_links,
            new: HashMap::with_capacity(folders.len()),
            old: folders,
            open: Vec::new(),
            followed: Vec::new(),
            listings,
            changes,
        };
        let below = PathBuf::new;
        let told = if !was_known {
            Announced::Nothing
        } else if is_mount {
            // A file system was mounted or unmounted here.
            look.compare(below(), old, None);
            look.compare(below(), None, state)
        } else if old == state {
            Announced::Nothing
        } else {
            look.compare(below(), old, state)
        };
        if state.is_some_and(|state| state.kind == Kind::Folder) {
            look.open.push((below(), told));
        }
        while let Some((folder, told)) = look.open.pop()
            && !self.is_stopped()
        {
            look.list(folder, told);
        }
        look.report_what_is_left();
        tree.folders = look.new;
    }

    /// Returns the state of the root itself; none if it does not exist.
    fn state(
        self: &Arc<Self>,
        follow_links: bool,
        compare_contents: bool,
        listings: &Listings,
        tree: &Tree,
        changes: &mut Changes,
    ) -> io::Result<Option<State>> {
        match listings.find(&self.location) {
            Found::Absent => return Ok(None),
            Found::There(state) if state.is_of_path(follow_links) => return Ok(Some(state)),
            Found::There(_) | Found::NotListed => {}
        }
        let start = SystemTime::now();
        let mut state = match look_at(&self.location, follow_links) {
            Ok(metadata) => State::of(&metadata, start),
            Err(error) if obstacle::is_absence(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if compare_contents
            && let Err(error) = state.read_content(&self.location, &self.stopped)
            && state.is_less_known_than(tree.state.as_ref())
        {
            changes.failed(self, Path::new(""), error);
        }
        Ok(Some(state))
    }
}

/// One look at a root.
struct Look<'a> {
    root: &'a Arc<Root>,
    compare_contents: bool,
    recursive: bool,
    follow_links: bool,
    /// The folders of the last look that were not visited yet.
    old: HashMap<PathBuf, Folder>,
    /// The folders that were visited.
    new: HashMap<PathBuf, Folder>,
    /// Folders to be listed, each with what is reported about it. A list, and no recursion: a tree may be
    /// deeper than the stack.
    open: Vec<(PathBuf, Announced)>,
    /// The targets of the links that were followed.
    followed: Vec<PathBuf>,
    listings: &'a mut Listings,
    changes: &'a mut Changes,
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

impl Look<'_> {
    /// Lists a folder and compares it with the last look.
    fn list(&mut self, below: PathBuf, told: Announced) {
        let (below, known) = match self.old.remove_entry(&below) {
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
        before.is_fresh = told > Announced::Nothing;
        let location = self.root.location.join(&below);
        let stop = &self.root.stopped;
        let Listed { mut folder, errors } =
            match self.listings.list(&location, &before, self.compare_contents, stop) {
                Ok(listed) => listed,
                Err(error) => return self.keep(below, before, error),
            };
        for (name, error) in errors {
            let new = folder.find(&name);
            if new.is_some_and(|new| new.is_less_known_than(before.find(&name).as_ref())) {
                self.changes.failed(self.root, &below.join(name), error);
            }
        }
        for Compared { name, old, new } in before.compare(&folder) {
            let has_changed = is_known && old != new;
            let told_of_it = if has_changed {
                self.compare(below.join(&name), old, new)
            } else {
                Announced::Nothing
            };
            if self.recursive
                && let Some(new) = new
                && self.is_to_open(new, || below.join(&name))
            {
                // A consumer that lists a folder lists the folders in it too.
                self.open.push((below.join(&name), told_of_it.max(told.min(Announced::Changes))));
            }
        }
        folder.is_fresh = before.is_fresh;
        self.new.insert(below, folder);
    }

    /// Adds the changes of one path. Returns what is reported about it if it is a folder.
    fn compare(&mut self, below: PathBuf, old: Option<State>, new: Option<State>) -> Announced {
        let place = |below, state| Place::new(self.root, below, state);
        match (old, new) {
            (Some(old), Some(new)) if old.kind == new.kind && !new.is_another_folder_than(&old) => {
                let is_fresh = |folder: &Folder| folder.is_fresh;
                let is_fresh =
                    old.kind == Kind::Folder && self.old.get(&below).is_some_and(is_fresh);
                if is_fresh {
                    // A consumer may have seen entries in it that existed only for a while.
                    self.changes.happened(self.root, &below);
                }
                let identities = old.identity().zip(new.identity());
                let is_replaced = identities.is_some_and(|(old, new)| old != new);
                if is_replaced {
                    self.changes.replaced(place(below.clone(), old), place(below, new));
                } else {
                    for kind in old.changes(&new, false) {
                        self.changes.modified(self.root, &below, kind);
                    }
                }
                if is_fresh || is_replaced { Announced::Changes } else { Announced::Nothing }
            }
            (old, new) => {
                if let Some(old) = old {
                    self.changes.gone(place(below.clone(), old));
                }
                if let Some(new) = new {
                    self.changes.came(place(below, new));
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
        if !location.is_dir() {
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
        if folder.obstacle.is_to_be_told(&error) {
            self.changes.failed(self.root, &below, error);
        }
        let is_fresh = folder.is_fresh;
        let mut kept = vec![(below, folder)];
        while let Some((below, mut folder)) = kept.pop() {
            folder.is_fresh = is_fresh;
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
            }
        }
    }

    fn report_gone(&mut self, folder: &Path, known: &Folder) {
        for (name, state) in known.entries() {
            self.changes.gone(Place::new(self.root, folder.join(name), state));
        }
    }
}
