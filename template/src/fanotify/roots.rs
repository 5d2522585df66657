//! The watched paths: [`Roots`].

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::File,
    io::{
        self,
        ErrorKind::{NotADirectory, NotFound},
    },
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use notify_backend::{BackendError, StreamError, Watch};
use rustix::{
    fs::{Mode, OFlags, fstatvfs, open},
    io::Errno,
};

use crate::{
    folder::{open_folder, place_of_open},
    record::Entry,
    sys::{self, Handle},
};

/// A watched path.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) watch: Watch,
    /// The absolute path, which stays valid when the process changes its current folder.
    pub(crate) location: PathBuf,
    /// The folder; none if a file is watched, which may be replaced.
    pub(crate) folder: Option<Handle>,
    /// Its place; none if that is the top of a file system.
    pub(crate) at: Option<Entry>,
    pub(crate) mount: i32,
    /// The number of the first record after the watch was added.
    pub(crate) since: u64,
    /// The same for entries of the folders below.
    pub(crate) since_below: u64,
}

/// Finds the folder of a watch, which is the path itself or the folder above it, and opens it.
pub(crate) fn locate(watch: Watch) -> io::Result<(Root, OwnedFd)> {
    let location = std::path::absolute(&watch.path)?;
    let is_folder = watch.path.symlink_metadata()?.is_dir();
    let (opened, file_system) = open_folder(folder_of(&location, is_folder))?;
    let (handle, mount) = sys::handle(opened.as_fd(), OsStr::new(""), file_system)?;
    let (folder, at) = if is_folder {
        let at = place_of_open(opened.as_fd(), &handle)?;
        (Some(handle), at)
    } else {
        let name = location.file_name().ok_or(NotFound)?.into();
        (None, Some(Entry { folder: handle, name }))
    };
    Ok((Root { watch, location, folder, at, mount, since: 0, since_below: 0 }, opened))
}

/// The paths under which a folder is watched.
#[derive(Debug)]
pub(crate) struct Covered {
    /// Whether an entry of it is watched by its own path.
    pub(crate) has_roots_in_it: bool,
    /// The root, the first record that it reports, and the path.
    pub(crate) paths: Vec<(u32, u64, PathBuf)>,
}

/// Returns the folder at a location, or the one above it.
fn folder_of(location: &Path, is_folder: bool) -> &Path {
    if is_folder { location } else { location.parent().unwrap_or(location) }
}

impl Root {
    /// Returns the folder that it is, or is in.
    pub(crate) fn anchor(&self) -> Option<&Handle> {
        self.folder.as_ref().or(self.at.as_ref().map(|at| &at.folder))
    }

    pub(crate) fn file_system(&self) -> Option<u64> {
        self.anchor().map(Handle::file_system)
    }

    /// Returns the folder that is now at the place of the [anchor](Self::anchor), and the number of its
    /// mount; none if there is none.
    pub(crate) fn find(&self) -> io::Result<Option<(Handle, i32)>> {
        let folder = folder_of(&self.location, self.folder.is_some());
        let found = open_folder(folder);
        let found = found.and_then(|(opened, file_system)| {
            sys::handle(opened.as_fd(), OsStr::new(""), file_system)
        });
        match found {
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns the error that a file system which is mounted at `point` is not watched, if that is below
    /// this root.
    pub(crate) fn say_mounted(&self, point: &Path) -> Option<StreamError> {
        let top = self.location.canonicalize().ok().filter(|_| self.watch.recursive)?;
        let below = point.strip_prefix(top).ok().filter(|below| !below.as_os_str().is_empty())?;
        let path = self.watch.path.join(below);
        let reason = "another file system is mounted there; watch it by its own path";
        Some(StreamError::unwatched(&path, BackendError::unavailable_at(reason, [&path])))
    }

    /// Returns whether it may report an event with this path, which begins with its own path as spelled.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let own = &self.watch.path;
        let Ok(below) = path.strip_prefix(own) else { return false };
        let is_in_reach = self.watch.recursive || below.components().count() <= 1;
        // Joining an empty path would add a slash.
        let is_itself = path.as_os_str() == own.as_os_str();
        is_in_reach && (is_itself || own.join(below).as_os_str() == path.as_os_str())
    }
}

/// The watched paths, each with a number.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    all: HashMap<u32, Root>,
    last: u32,
    by_path: HashMap<OsString, u32>,
    by_folder: HashMap<Handle, Vec<u32>>,
    /// By the folder above them.
    by_place: HashMap<Handle, Vec<u32>>,
}

impl Roots {
    pub(crate) fn insert(&mut self, root: Root) {
        self.last = self.last.wrapping_add(1);
        if let Some(folder) = &root.folder {
            self.by_folder.entry(folder.clone()).or_default().push(self.last);
        }
        if let Some(at) = &root.at {
            self.by_place.entry(at.folder.clone()).or_default().push(self.last);
        }
        self.by_path.insert(root.watch.path.clone().into(), self.last);
        self.all.insert(self.last, root);
    }

    /// Removes the root of a path, spelled as it was given.
    pub(crate) fn take(&mut self, path: &Path) -> Option<Root> {
        let number = *self.by_path.get(path.as_os_str())?;
        self.remove(number)
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<Root> {
        let root = self.all.remove(&number)?;
        self.by_path.remove(root.watch.path.as_os_str());
        if let Some(folder) = &root.folder {
            leave(&mut self.by_folder, folder, number);
        }
        if let Some(at) = &root.at {
            leave(&mut self.by_place, &at.folder, number);
        }
        Some(root)
    }

    pub(crate) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<_> = self.all.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Root> {
        self.all.get(&number)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Root> {
        self.all.values()
    }

    /// Returns the roots that are this folder.
    pub(crate) fn of_folder(&self, folder: &Handle) -> impl Iterator<Item = (u32, &Root)> {
        let numbers = self.by_folder.get(folder).into_iter().flatten();
        numbers.filter_map(|&number| Some((number, self.all.get(&number)?)))
    }

    /// Returns the roots at a place.
    pub(crate) fn at(&self, folder: &Handle, name: &OsStr) -> impl Iterator<Item = (u32, &Root)> {
        let is_named = move |root: &Root| root.at.as_ref().is_some_and(|at| at.name == name);
        self.in_folder(folder).filter(move |(_, root)| is_named(root))
    }

    /// Returns the roots that are entries of a folder.
    pub(crate) fn in_folder(&self, folder: &Handle) -> impl Iterator<Item = (u32, &Root)> {
        let numbers = self.by_place.get(folder).into_iter().flatten();
        numbers.filter_map(|&number| Some((number, self.all.get(&number)?)))
    }
}

/// Open files. They would keep the file system busy, so they are open only for a moment.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// Any file of a file system, with which handles on it can be opened.
    any: Option<(u64, File)>,
    /// The folder that was opened last.
    folder: Option<(Handle, OwnedFd)>,
}

/// Opens files by their handles.
#[derive(Debug)]
pub(crate) struct Beside<'a> {
    pub(crate) roots: &'a Roots,
    pub(crate) open: &'a mut Open,
}

impl Beside<'_> {
    /// Returns an open folder of a file system. Fails with `NotFound` if no watched path leads there any
    /// more.
    pub(crate) fn of(&mut self, file_system: u64) -> io::Result<BorrowedFd<'_>> {
        let file = match self.open.any.take().filter(|(open, _)| *open == file_system) {
            Some((_, file)) => file,
            None => self.find(file_system)?,
        };
        Ok(self.open.any.insert((file_system, file)).1.as_fd())
    }

    /// Returns an open folder, which may be the one that was opened last.
    pub(crate) fn folder(&mut self, folder: &Handle) -> io::Result<BorrowedFd<'_>> {
        let opened = match self.open.folder.take().filter(|(open, _)| open == folder) {
            Some((_, opened)) => opened,
            None => sys::open_by_handle(self.of(folder.file_system())?, folder)?,
        };
        Ok(self.open.folder.insert((folder.clone(), opened)).1.as_fd())
    }

    fn find(&self, file_system: u64) -> io::Result<File> {
        let of_it = self.roots.iter().filter(|root| root.file_system() == Some(file_system));
        // The folders above it may still exist if it does not.
        for folder in of_it.flat_map(|root| root.location.ancestors()) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            match open(folder, flags, Mode::empty()) {
                Ok(file) if fstatvfs(&file)?.f_fsid == file_system => return Ok(file.into()),
                Err(error @ (Errno::MFILE | Errno::NFILE)) => return Err(error.into()),
                _ => {}
            }
        }
        Err(NotFound.into())
    }
}

fn leave(map: &mut HashMap<Handle, Vec<u32>>, key: &Handle, number: u32) {
    if let Some(numbers) = map.get_mut(key) {
        numbers.retain(|&other| other != number);
        if numbers.is_empty() {
            map.remove(key);
        }
    }
}
