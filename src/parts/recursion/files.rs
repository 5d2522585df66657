//! The watched files: [`Files`].

use std::{
    ffi::{OsStr, OsString},
    hash::Hash,
    io,
    path::{Path, PathBuf},
};

use hashbrown::HashMap;

use super::{
    engine::{Engine, Report},
    options::Options,
    seam::{EntryType, World},
};
use crate::contract::event::{Event, EventKind, ModifyKind, RemoveKind, Tracker};

/// How many links the kernel follows before it gives up; see `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// The watched files. Each is watched by its name in its folder, so a file that replaces it is watched too.
/// A watch of the file itself would end when an editor writes another file and renames it. If the file is a
/// link and links are followed, the names that it leads to are watched as well.
#[derive(Debug)]
pub(super) struct Files<I> {
    // By the folder, then by name.
    places: HashMap<I, HashMap<OsString, Vec<WatchedFile>>>,
    // The places of each file, by its path as it was given. Some may be gone by now, or belong to other
    // files only.
    by_path: HashMap<OsString, Vec<(I, OsString)>>,
}

/// A watched file that an entry of a folder belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WatchedFile {
    /// The path as it was given, as a string: two spellings are two watches.
    pub(super) path: OsString,
    /// The absolute path, which stays valid when the process changes its current folder.
    location: PathBuf,
    options: Options,
    /// Whether the path names this entry itself, and not a link that leads to it.
    is_direct: bool,
}

impl<I> Default for Files<I> {
    fn default() -> Self {
        Self { places: HashMap::new(), by_path: HashMap::new() }
    }
}

impl<I: Copy + Eq + Hash> Files<I> {
    fn add(&mut self, id: I, name: &OsStr, file: WatchedFile) {
        let files = self.places.entry(id).or_default().entry(name.into()).or_default();
        if !files.contains(&file) {
            self.by_path.entry(file.path.clone()).or_default().push((id, name.into()));
            files.push(file);
        }
    }

    /// Removes all places of a file. Returns the folders in which no file is left.
    pub(super) fn remove(&mut self, path: &OsStr) -> Vec<I> {
        let mut freed = Vec::new();
        for (id, name) in self.by_path.remove(path).unwrap_or_default() {
            let Some(names) = self.places.get_mut(&id) else { continue };
            if let Some(files) = names.get_mut(&name) {
                files.retain(|file| file.path != path);
                if files.is_empty() {
                    names.remove(&name);
                }
            }
            if names.is_empty() {
                self.places.remove(&id);
                freed.push(id);
            }
        }
        freed
    }

    /// Removes all files whose paths name an entry of this folder, and returns them.
    pub(super) fn remove_folder(&mut self, id: I) -> Vec<WatchedFile> {
        let files = self.places.remove(&id).into_iter().flat_map(HashMap::into_values).flatten();
        let direct: Vec<_> = files.filter(|file| file.is_direct).collect();
        for file in &direct {
            self.remove(&file.path);
        }
        direct
    }

    /// Returns whether a folder is watched because of a file.
    pub(super) fn are_in(&self, id: I) -> bool {
        self.places.contains_key(&id)
    }

    pub(super) fn contains(&self, path: &OsStr) -> bool {
        self.by_path.contains_key(path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the watched files that the entry `name` of a folder belongs to.
    fn at(&self, id: I, name: &OsStr) -> &[WatchedFile] {
        self.places.get(&id).and_then(|names| names.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Returns every watched file, once.
    fn iter(&self) -> impl Iterator<Item = &WatchedFile> {
        let files = self.places.values().flat_map(HashMap::values).flatten();
        files.filter(|file| file.is_direct)
    }
}

impl<W: World> Engine<W> {
    /// Watches the file at `location`, which was given as `path`, in all its places.
    pub(super) fn watch_file(
        &mut self,
        path: &Path,
        location: &Path,
        options: Options,
    ) -> io::Result<()> {
        let places = self.watch_places(location, options)?;
        // Folders that are needed before and after stay watched in between.
        let before = self.files.remove(path.as_os_str());
        for (i, (id, name)) in places.into_iter().enumerate() {
            let (path, location) = (path.into(), location.into());
            let file = WatchedFile { path, location, options, is_direct: i == 0 };
            self.files.add(id, &name, file);
        }
        self.release_unused(before);
        Ok(())
    }

    /// Watches the folders of a file's places. Returns the places, the path's own first.
    fn watch_places(
        &self,
        location: &Path,
        options: Options,
    ) -> io::Result<Vec<(W::Id, OsString)>> {
        let mut places = Vec::new();
        for (i, place) in self.file_places(location, options.follow_links).into_iter().enumerate() {
            let folder = place.parent().unwrap_or(&place);
            let watched = self.world.open(folder);
            let watched = watched.and_then(|folder| self.world.watch(&folder, options.access));
            let id = match watched {
                Ok(id) => id,
                // A link may lead to a folder that does not exist yet.
                Err(_) if i > 0 => continue,
                Err(error) => return Err(error),
            };
            places.push((id, place.file_name().unwrap_or_default().into()));
        }
        Ok(places)
    }

    /// Returns the places of a file: its path and, if that is a link, each further link on the way, and the
    /// target.
    fn file_places(&self, path: &Path, follow_links: bool) -> Vec<PathBuf> {
        let mut places = vec![path.to_owned()];
        let Some(target) = self.world.read_link(path).ok().filter(|_| follow_links) else {
            return places;
        };
        let folder = path.parent().unwrap_or(path);
        let mut at = folder.join(target);
        while let Some((link, target)) = self.first_link(&at, folder)
            && places.len() < MOST_LINKS
        {
            let beyond = at.strip_prefix(&link).unwrap_or(Path::new("")).to_owned();
            at = link.parent().unwrap_or(&link).join(target);
            if !beyond.as_os_str().is_empty() {
                at.push(beyond);
            }
            places.push(link);
        }
        places.push(at);
        places
    }

    /// Returns the first part of a path that is a link, and its target. Links on the way to `folder` do not
    /// count, since the watch of a file does not depend on them.
    fn first_link(&self, path: &Path, folder: &Path) -> Option<(PathBuf, PathBuf)> {
        let mut parts: Vec<_> = path.ancestors().filter(|part| !folder.starts_with(part)).collect();
        parts.reverse();
        let target = |part: &Path| self.world.read_link(part).ok();
        parts.into_iter().find_map(|part| Some((part.to_owned(), target(part)?)))
    }

    /// Reports an event for the watched files that it concerns.
    pub(super) fn apply_to_files(
        &mut self,
        id: W::Id,
        name: &OsStr,
        kind: EventKind,
        cookie: u32,
        is_structural: bool,
    ) {
        for file in self.files.at(id, name).to_vec() {
            let is_there = |follow| self.world.entry_type(&file.location, follow);
            let mut reported = Event::new(kind, &file.path);
            if file.is_direct {
                reported = reported.with_tracker(Tracker::new(cookie.into()));
            } else if is_structural {
                // A part of the way from the link to its target has changed.
                reported.kind = if is_there(true).is_ok() {
                    EventKind::Modify(ModifyKind::Any)
                } else {
                    EventKind::Remove(RemoveKind::File)
                };
            }
            let is_wanted = file.options.access || !self.is_access(kind);
            if is_wanted && !self.new_watches.contains_key(&file.path) {
                self.ready.push_back(Ok(reported));
            }
            let is_link = || matches!(is_there(false), Ok(EntryType::Link));
            if is_structural && file.options.follow_links && (!file.is_direct || is_link()) {
                self.watch_file_again(&file);
            }
        }
    }

    /// Finds the places of a file again and watches those.
    pub(super) fn watch_file_again(&mut self, file: &WatchedFile) {
        if let Err(error) = self.watch_file(file.path.as_ref(), &file.location, file.options) {
            let freed = self.files.remove(&file.path);
            self.release_unused(freed);
            self.report_unwatched(file.path.clone().into(), Report::Unwatched(error));
        }
    }

    pub(super) fn watch_files_again(&mut self) {
        for file in self.files.iter().cloned().collect::<Vec<_>>() {
            self.watch_file_again(&file);
        }
    }
}
