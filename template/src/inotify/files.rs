//! The watched files: [`Files`].

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

/// How many links the kernel follows before it gives up; see `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// The watched files. Each is watched by its name in the folder that it is in, and so is what takes
/// its place there: an editor that writes another file and renames it would end a watch of the file
/// itself. Where the file is a link that is to be followed, the names that it leads to are watched as
/// well.
#[derive(Debug, Default)]
pub(crate) struct Files {
    // By the watch of the folder, then by name.
    places: HashMap<i32, HashMap<OsString, Vec<WatchedFile>>>,
}

/// What an entry of a folder is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchedFile {
    /// The path as it was given.
    pub(crate) path: PathBuf,
    /// The same, but absolute: holds also after the process has changed its current folder.
    pub(crate) location: PathBuf,
    /// Whether the entry is what the path names, and not what a link there leads to.
    pub(crate) is_direct: bool,
    /// Whether that is watched as well.
    pub(crate) follow_links: bool,
    /// Whether accesses are reported.
    pub(crate) access: bool,
}

impl Files {
    /// Adds all places that make a file what it is; `watch` watches the folder of each.
    pub(crate) fn add(
        &mut self,
        file: &WatchedFile,
        watch: impl Fn(&Path) -> io::Result<i32>,
    ) -> io::Result<()> {
        let places =
            if file.follow_links { places(&file.location) } else { vec![file.location.clone()] };
        for (i, place) in places.into_iter().enumerate() {
            let folder = place.parent().unwrap_or(Path::new(""));
            let wd = match watch(folder) {
                Ok(wd) => wd,
                // A link may lead to where nothing is yet.
                Err(_) if i > 0 => continue,
                Err(error) => return Err(error),
            };
            let name = place.file_name().unwrap_or_default().to_owned();
            let files = self.places.entry(wd).or_default().entry(name).or_default();
            let file = WatchedFile { is_direct: i == 0, ..file.clone() };
            if !files.contains(&file) {
                files.push(file);
            }
        }
        Ok(())
    }

    /// Gives up all places of a file; returns the folders in which there is none left.
    pub(crate) fn remove(&mut self, path: &Path) -> Vec<i32> {
        let mut freed = Vec::new();
        self.places.retain(|&wd, names| {
            names.retain(|_, files| {
                files.retain(|file| file.path != path);
                !files.is_empty()
            });
            if names.is_empty() {
                freed.push(wd);
            }
            !names.is_empty()
        });
        freed
    }

    /// Gives up all files that are themselves in a folder, and returns their paths.
    pub(crate) fn remove_folder(&mut self, wd: i32) -> Vec<PathBuf> {
        let files = self.places.remove(&wd).into_iter().flat_map(HashMap::into_values).flatten();
        let direct: Vec<_> = files.filter(|file| file.is_direct).map(|file| file.path).collect();
        for path in &direct {
            self.remove(path);
        }
        direct
    }

    /// The watched files that the entry `name` of a folder belongs to.
    pub(crate) fn at(&self, wd: i32, name: &OsStr) -> &[WatchedFile] {
        self.places.get(&wd).and_then(|names| names.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Whether a folder is watched for the sake of a file.
    pub(crate) fn are_in(&self, wd: i32) -> bool {
        self.places.contains_key(&wd)
    }

    pub(crate) fn contains(&self, path: &Path) -> bool {
        self.iter().any(|file| file.path == path)
    }

    /// Every watched file, once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &WatchedFile> {
        let files = self.places.values().flat_map(HashMap::values).flatten();
        files.filter(|file| file.is_direct)
    }
}

/// The path and, if it is a link, each further link on the way to the file, and the file.
fn places(path: &Path) -> Vec<PathBuf> {
    let mut places = vec![path.to_owned()];
    let Ok(target) = fs::read_link(path) else {
        return places;
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut at = folder.join(target);
    while let Some((link, target)) = first_link(&at, folder)
        && places.len() < MOST_LINKS
    {
        let beyond = at.strip_prefix(&link).unwrap_or(Path::new("")).to_owned();
        at = link.parent().unwrap_or(Path::new("")).join(target);
        if !beyond.as_os_str().is_empty() {
            at.push(beyond);
        }
        places.push(link);
    }
    places.push(at);
    places
}

/// The first part of a path that is a link, and where that leads. What leads to `folder` does not
/// count: the watch of a file never depended on it.
fn first_link(path: &Path, folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut parts: Vec<_> = path.ancestors().filter(|part| !folder.starts_with(part)).collect();
    parts.reverse();
    parts.into_iter().find_map(|part| Some((part.to_owned(), fs::read_link(part).ok()?)))
}
