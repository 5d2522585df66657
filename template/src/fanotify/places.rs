//! The places of folders: [`Places`].
//!
//! The kernel identifies a folder by a handle. Its present place can be looked up; its place at the time of
//! an event is known only from the queue. So a place is looked up once, as of the record that is taken
//! next, and then changes with the records.

use std::{io, os::fd::AsFd};

use rustix::{fs::fstat, io::Errno};

use crate::{
    folder::place_of_open,
    queue::Queue,
    recent::Recent,
    record::Entry,
    roots::Beside,
    sys::{self, Handle},
};

/// The place of a folder.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    At(Entry),
    /// It is the top of its file system.
    Top,
    /// It is gone, and its place can no longer be found out.
    Unknown,
}

/// The places of folders, and which files are at the places that the kernel names, as of the record that is
/// taken next.
#[derive(Debug, Default)]
pub(crate) struct Places {
    folders: Recent<Handle, Place>,
    /// Whether a file has a name. The kernel reports events of an open file by the name under which it was
    /// opened, which it may no longer have.
    files: Recent<Handle, (Entry, bool)>,
}

impl Places {
    /// Returns the place of a folder.
    pub(crate) fn of(
        &mut self,
        folder: &Handle,
        queue: &mut Queue,
        beside: &mut Beside<'_>,
    ) -> io::Result<Place> {
        if let Some(place) = self.folders.get(folder) {
            return Ok(place.clone());
        }
        let place = look_up(folder, queue, beside)?;
        self.folders.insert(folder.clone(), place.clone());
        Ok(place)
    }

    /// Notes that a folder has come to a place.
    pub(crate) fn put(&mut self, folder: Handle, at: Entry) {
        self.folders.insert(folder, Place::At(at));
    }

    /// Notes that a file has come to a place.
    pub(crate) fn put_file(&mut self, file: Handle, at: Entry) {
        self.files.insert(file, (at, true));
    }

    /// Notes that a file or folder is gone, or that a file has lost one of its names.
    pub(crate) fn forget(&mut self, child: &Handle) {
        self.folders.remove(child);
        self.files.remove(child);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.folders.clear();
        self.files.clear();
    }

    /// Returns whether a file still has the name that the kernel gives. It was opened by this name, but an
    /// open file that was removed has none.
    pub(crate) fn is_named(
        &mut self,
        file: &Handle,
        at: &Entry,
        queue: &Queue,
        beside: &mut Beside<'_>,
    ) -> bool {
        if let Some((known, is_named)) = self.files.get(file)
            && known == at
        {
            return *is_named;
        }
        // A file that is renamed or removed later was there until then.
        let is_named =
            queue.place_of(file).as_ref() == Some(at) || is_at(file, at, beside).unwrap_or(true);
        self.files.insert(file.clone(), (at.clone(), is_named));
        is_named
    }
}

/// Returns whether a file or folder is at a place now.
pub(crate) fn is_at(child: &Handle, at: &Entry, beside: &mut Beside<'_>) -> io::Result<bool> {
    let folder = match beside.folder(&at.folder) {
        Ok(folder) => folder,
        Err(error) if is_stale(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    let Ok((found, _)) = sys::handle(folder, &at.name, at.folder.file_system()) else {
        return Ok(false);
    };
    Ok(found == *child)
}

fn is_stale(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::STALE.raw_os_error())
}

fn look_up(folder: &Handle, queue: &mut Queue, beside: &mut Beside<'_>) -> io::Result<Place> {
    if let Some(at) = queue.place_of(folder) {
        return Ok(Place::At(at));
    }
    let seen = look(folder, beside);
    // It may have moved since, or before the last record was read.
    queue.read_ahead();
    queue.place_of(folder).map_or(seen, |at| Ok(Place::At(at)))
}

/// Looks up the present place of a folder.
fn look(folder: &Handle, beside: &mut Beside<'_>) -> io::Result<Place> {
    let opened = match sys::open_by_handle(beside.of(folder.file_system())?, folder) {
        Err(error) if is_stale(&error) => return Ok(Place::Unknown),
        opened => opened?,
    };
    if fstat(&opened)?.st_nlink == 0 {
        return Ok(Place::Unknown);
    }
    place_of_open(opened.as_fd(), folder).map(|at| at.map_or(Place::Top, Place::At))
}

/// Returns whether a folder is gone.
pub(crate) fn is_gone(folder: &Handle, beside: &mut Beside<'_>) -> io::Result<bool> {
    match sys::open_by_handle(beside.of(folder.file_system())?, folder) {
        Ok(opened) => Ok(fstat(&opened)?.st_nlink == 0),
        Err(error) if is_stale(&error) => Ok(true),
        Err(error) => Err(error),
    }
}
