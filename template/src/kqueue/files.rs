//! The open files and folders: [`Files`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map},
    fs::Metadata,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use notify_backend::{
    Limit,
    listing::{Observer, Touched},
    prelude::*,
};
use rustix::fs::fstat;

use crate::vnodes::{Note, Vnodes};

/// The files and folders that are open, each once, with the paths that lead to it.
///
/// While a file is open, no other one gets its number, so that device and number tell which one it is.
#[derive(Debug)]
pub(crate) struct Files<V: Vnodes> {
    vnodes: V,
    open: Mutex<Open<V::File>>,
}

/// The numbers of a file system and of a file in it.
type Id = [u64; 2];

#[derive(Debug)]
struct Open<F> {
    files: HashMap<usize, File<F>>,
    tokens: HashMap<Id, usize>,
    places: HashMap<PathBuf, Place>,
    last_token: usize,
    /// Places where a file was that has been found at another one.
    left: Vec<PathBuf>,
    /// Places that may not be opened.
    unopened: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct File<F> {
    descriptor: F,
    id: Id,
    /// Where it was seen. More than one, if it has several names or was renamed.
    places: Vec<PathBuf>,
}

#[derive(Debug)]
struct Place {
    token: usize,
    /// Whether a look has found it.
    is_listed: bool,
    /// How many watched paths are directly in it.
    watched: usize,
}

impl<V: Vnodes> Files<V> {
    pub(crate) fn new() -> io::Result<Self> {
        let open = Open {
            files: HashMap::new(),
            tokens: HashMap::new(),
            places: HashMap::new(),
            last_token: 0,
            left: Vec::new(),
            unopened: BTreeSet::new(),
        };
        Ok(Self { vnodes: V::new()?, open: open.into() })
    }

    /// Locks the table. No code under the lock leaves it half changed.
    fn lock(&self) -> MutexGuard<'_, Open<V::File>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for notes, and returns the places that they are about.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Touched>> {
        let notes = self.vnodes.take(timeout)?;
        let mut open = self.lock();
        // It may have been renamed: what is at the path now has to be watched.
        let above: Vec<_> = notes.iter().flat_map(|note| open.watched_in(note)).collect();
        for folder in above {
            // If it is gone, nothing in it can come back.
            _ = self.open_at(&folder, &mut open);
        }
        Ok(open.touched(&notes))
    }

    /// Returns the places where files were that have been found elsewhere since.
    pub(crate) fn left(&self) -> Vec<Touched> {
        self.lock().left.drain(..).map(Touched::somehow).collect()
    }

    /// Ends a waiting [`wait`](Self::wait).
    pub(crate) fn wake(&self) {
        self.vnodes.wake();
    }

    /// Returns the places that may not be opened.
    pub(crate) fn unopened(&self) -> Vec<Touched> {
        self.lock().unopened.iter().cloned().map(Touched::somehow).collect()
    }

    /// Watches the folder above a watched path, in which the path may come and go.
    pub(crate) fn watch_above(&self, folder: &Path) {
        let mut open = self.lock();
        // If it may not be opened, only the path itself is watched.
        if self.open_at(folder, &mut open).is_ok()
            && let Some(place) = open.places.get_mut(folder)
        {
            place.watched += 1;
        }
    }

    /// Ends what [`watch_above`](Self::watch_above) began.
    pub(crate) fn unwatch_above(&self, folder: &Path) {
        let mut open = self.lock();
        if let Some(place) = open.places.get_mut(folder) {
            place.watched = place.watched.saturating_sub(1);
        }
        open.close_unused(folder);
    }

    /// Makes sure that what is at `path` is open. Returns whether it was not.
    fn open_at(&self, path: &Path, open: &mut Open<V::File>) -> io::Result<bool> {
        let descriptor = V::open(path)?;
        let stat = fstat(&descriptor)?;
        // Their types differ from system to system.
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "only to compare them")]
        let id = [stat.st_dev as u64, stat.st_ino as u64];
        if open.is_at(path, id) {
            return Ok(false);
        }
        if !open.tokens.contains_key(&id) {
            let token = open.last_token + 1;
            self.vnodes.watch(&descriptor, token)?;
            open.last_token = token;
            open.tokens.insert(id, token);
            open.files.insert(token, File { descriptor, id, places: Vec::new() });
        }
        open.put(path, id);
        Ok(true)
    }
}

impl<V: Vnodes> Observer for Files<V> {
    fn observe(&self, location: &Path, found: &Metadata) -> io::Result<bool> {
        let mut open = self.lock();
        let id = [found.dev(), found.ino()];
        let is_new = if open.is_at(location, id) {
            false
        } else if open.tokens.contains_key(&id) {
            open.put(location, id);
            true
        } else {
            match self.open_at(location, &mut open) {
                // The folder above has a note about that.
                Err(_) if !is_at(location, id) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    open.unopened.insert(location.to_owned());
                    return Ok(false);
                }
                opened => opened?,
            }
        };
        open.unopened.remove(location);
        if let Some(place) = open.places.get_mut(location) {
            place.is_listed = true;
        }
        Ok(is_new)
    }

    fn exists(&self, location: &Path) -> bool {
        let open = self.lock();
        let token = open.places.get(location).map(|place| place.token);
        let file = token.and_then(|token| open.files.get(&token));
        file.and_then(|file| fstat(&file.descriptor).ok()).is_some_and(|stat| stat.st_nlink > 0)
    }

    fn forget(&self, location: &Path) {
        let mut open = self.lock();
        open.unopened.remove(location);
        if let Some(place) = open.places.get_mut(location) {
            place.is_listed = false;
        }
        open.close_unused(location);
    }

    fn explain(&self, path: PathBuf, error: io::Error) -> BackendError {
        if error.kind() == io::ErrorKind::Unsupported {
            return BackendError::unavailable_at(
                "its file system has no events for kqueue",
                [path],
            );
        }
        let error = BackendError::from_io(path, error);
        match error {
            BackendError::InstanceLimit { .. } => {
                error.with_limit(Limit::new("the limit of open files (ulimit -n)", None))
            }
            _ => error,
        }
    }
}

/// Returns whether this file is at the path, or a link to it.
fn is_at(path: &Path, id: Id) -> bool {
    let found = [path.symlink_metadata(), path.metadata()];
    found.into_iter().flatten().any(|found| [found.dev(), found.ino()] == id)
}

impl<F> Open<F> {
    /// Returns whether this file is known to be at the path.
    fn is_at(&self, path: &Path, id: Id) -> bool {
        let token = self.tokens.get(&id);
        token.is_some() && token == self.places.get(path).map(|place| &place.token)
    }

    /// Notes that an open file is at the path.
    fn put(&mut self, path: &Path, id: Id) {
        let Some(&token) = self.tokens.get(&id) else { return };
        let earlier = match self.places.entry(path.to_owned()) {
            hash_map::Entry::Occupied(mut place) => {
                Some(std::mem::replace(&mut place.get_mut().token, token))
            }
            hash_map::Entry::Vacant(place) => {
                place.insert(Place { token, is_listed: false, watched: 0 });
                None
            }
        };
        if let Some(file) = self.files.get_mut(&token) {
            // It was renamed, or has several names.
            self.left.extend(file.places.iter().cloned());
            file.places.push(path.to_owned());
        }
        if let Some(earlier) = earlier {
            self.take(earlier, path);
        }
    }

    /// Notes that a file is no longer at the path, and closes it if it is nowhere.
    fn take(&mut self, token: usize, path: &Path) {
        let Some(file) = self.files.get_mut(&token) else { return };
        file.places.retain(|place| place != path);
        if file.places.is_empty()
            && let Some(file) = self.files.remove(&token)
        {
            self.tokens.remove(&file.id);
        }
    }

    /// Forgets a place that is needed for nothing.
    fn close_unused(&mut self, path: &Path) {
        let is_unused = |place: &Place| !place.is_listed && place.watched == 0;
        if self.places.get(path).is_some_and(is_unused)
            && let Some(place) = self.places.remove(path)
        {
            self.take(place.token, path);
        }
    }

    /// Returns the places that a note is about, if watched paths are directly in them.
    fn watched_in(&self, note: &Note) -> Vec<PathBuf> {
        let places = self.files.get(&note.token).map_or(&[][..], |file| &file.places);
        let is_above = |path: &&PathBuf| self.places.get(*path).is_some_and(|it| it.watched > 0);
        places.iter().filter(is_above).cloned().collect()
    }

    /// Returns the places that notes are about.
    fn touched(&self, notes: &[Note]) -> Vec<Touched> {
        let mut touched: BTreeMap<&Path, bool> = BTreeMap::new();
        for note in notes {
            for place in self.files.get(&note.token).map_or(&[][..], |file| &file.places) {
                *touched.entry(place).or_default() |= note.is_written;
            }
        }
        let touched = touched.into_iter().map(|(path, is_written)| (path.to_owned(), is_written));
        let place = |(path, is_written)| {
            if is_written { Touched::written(path) } else { Touched::somehow(path) }
        };
        touched.map(place).collect()
    }
}
