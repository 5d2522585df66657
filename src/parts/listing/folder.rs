//! The entries of a folder: [`Folder`].

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use super::{observer::Observer, obstacle::Obstacle, platform, state::State};

/// The entries of a folder at a look, sorted by name. A tree has many of them, so the names are kept in one
/// piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    names: Vec<u8>,
    entries: Vec<Entry>,
    /// The error that kept the last look from listing it. The entries are older then.
    pub(super) obstacle: Obstacle,
    /// The look that has reported something that makes a consumer list it, such as its creation.
    pub(super) fresh_since: Option<u64>,
    /// Whether it was reported that not all of it can be observed.
    pub(super) is_unobserved: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    state: State,
    name_start: u32,
    name_length: u16,
}

/// A listing, and the entries that could not be read completely.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) folder: Folder,
    pub(super) errors: Vec<(OsString, io::Error)>,
    /// The first error with which an entry could not be observed.
    pub(super) unobserved: Option<io::Error>,
}

/// How entries are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) compare_contents: bool,
    pub(super) observer: Option<&'a dyn Observer>,
}

/// The state of a name in two folders.
pub(super) struct Compared<'a> {
    pub(super) name: Cow<'a, OsStr>,
    pub(super) old: Option<State>,
    pub(super) new: Option<State>,
}

impl Folder {
    /// Lists a folder that had the state `before`. The listing is incomplete if `stop` is set.
    ///
    /// An entry that goes between the listing and its reading stays as it was before. Since the listing has its name,
    /// it may not have the new one of a rename; the next look finds both.
    pub(super) fn list(
        path: &Path,
        before: &Self,
        reading: Reading<'_>,
        stop: &AtomicBool,
    ) -> io::Result<Listed> {
        let mut folder = Self {
            names: Vec::with_capacity(before.names.len()),
            entries: Vec::with_capacity(before.entries.len()),
            ..Self::default()
        };
        let mut errors = Vec::new();
        let mut unobserved = None;
        let start = SystemTime::now();
        for entry in fs::read_dir(path)? {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let entry = entry?;
            let (state, error) = look_at(&entry, start, reading, &mut unobserved, stop);
            let name = entry.file_name();
            if let Some(state) = state.or_else(|| before.find(&name)) {
                folder.add(&name, state)?;
            }
            if let Some(error) = error {
                errors.push((name, error));
            }
        }
        let Self { names, entries, .. } = &mut folder;
        entries.sort_unstable_by(|one, other| one.name(names).cmp(other.name(names)));
        names.shrink_to_fit();
        entries.shrink_to_fit();
        Ok(Listed { folder, errors, unobserved })
    }

    fn add(&mut self, name: &OsStr, state: State) -> io::Result<()> {
        let start = self.names.len();
        platform::push_name(&mut self.names, name);
        let (Ok(name_start), Ok(name_length)) =
            (u32::try_from(start), u16::try_from(self.names.len() - start))
        else {
            return Err(io::Error::other("the names in the folder take more than 4 GB"));
        };
        self.entries.push(Entry { state, name_start, name_length });
        Ok(())
    }

    /// Returns every entry with its name.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Cow<'_, OsStr>, State)> {
        self.entries.iter().map(|entry| (platform::name(entry.name(&self.names)), entry.state))
    }

    pub(super) fn find(&self, name: &OsStr) -> Option<State> {
        self.index(name).map(|at| self.entries[at].state)
    }

    /// Changes the state of an entry, if there is one with this name.
    pub(super) fn set(&mut self, name: &OsStr, state: State) {
        if let Some(at) = self.index(name) {
            self.entries[at].state = state;
        }
    }

    /// Removes an entry, and returns its state.
    pub(super) fn remove(&mut self, name: &OsStr) -> Option<State> {
        self.index(name).map(|at| self.entries.remove(at).state)
    }

    fn index(&self, name: &OsStr) -> Option<usize> {
        let mut bytes = Vec::new();
        platform::push_name(&mut bytes, name);
        self.entries.binary_search_by(|entry| entry.name(&self.names).cmp(&bytes)).ok()
    }

    /// Returns the names of both folders in order, with the states that they have in each.
    pub(super) fn compare<'a>(&'a self, new: &'a Self) -> impl Iterator<Item = Compared<'a>> {
        let mut old_entries = self.entries.iter().peekable();
        let mut new_entries = new.entries.iter().peekable();
        std::iter::from_fn(move || {
            let old_name = old_entries.peek().map(|entry| entry.name(&self.names));
            let new_name = new_entries.peek().map(|entry| entry.name(&new.names));
            let name = match (old_name, new_name) {
                (Some(old), Some(new)) => old.min(new),
                (one, other) => one.or(other)?,
            };
            let old = old_entries.next_if(|_| old_name == Some(name));
            let new = new_entries.next_if(|_| new_name == Some(name));
            Some(Compared {
                name: platform::name(name),
                old: old.map(|entry| entry.state),
                new: new.map(|entry| entry.state),
            })
        })
    }
}

impl Entry {
    fn name<'a>(&self, names: &'a [u8]) -> &'a [u8] {
        let start = self.name_start as usize;
        &names[start..start + usize::from(self.name_length)]
    }
}

/// Returns the state of an entry, none if it is gone, and the error if it could not be read completely.
fn look_at(
    entry: &fs::DirEntry,
    start: SystemTime,
    reading: Reading<'_>,
    unobserved: &mut Option<io::Error>,
    stop: &AtomicBool,
) -> (Option<State>, Option<io::Error>) {
    let location = || entry.path();
    let metadata = match reading.read(location, || entry.metadata(), unobserved) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
        Err(error) => return (Some(State::unknown(entry.file_type())), Some(error)),
    };
    let mut state = State::of(&metadata, start);
    let read =
        if reading.compare_contents { state.read_content(&location(), stop) } else { Ok(()) };
    match read {
        // It was removed since.
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
        read => (Some(state), read.err()),
    }
}

/// How often an entry is read again because it was another one when it was observed. Then it changes so often that
/// the folder above is looked at again anyway.
const AGAIN: usize = 8;

impl Reading<'_> {
    /// Reads metadata, after it has made sure that what is there is observed.
    pub(super) fn read(
        self,
        location: impl Fn() -> PathBuf,
        read: impl Fn() -> io::Result<fs::Metadata>,
        unobserved: &mut Option<io::Error>,
    ) -> io::Result<fs::Metadata> {
        let mut metadata = read()?;
        let Some(observer) = self.observer else { return Ok(metadata) };
        for _ in 0..AGAIN {
            if !metadata.is_file() && !metadata.is_dir() {
                break;
            }
            match observer.observe(&location(), &metadata) {
                Ok(true) => match read() {
                    Ok(again) => metadata = again,
                    Err(error) => {
                        observer.forget(&location());
                        return Err(error);
                    }
                },
                Ok(false) => break,
                Err(error) => {
                    unobserved.get_or_insert(error);
                    break;
                }
            }
        }
        Ok(metadata)
    }
}
