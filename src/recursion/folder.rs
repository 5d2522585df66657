//! Opening and listing folders, each by the descriptor of the one above it.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat},
    io::Errno,
};

use super::Via;

/// Opens the folder at `location`.
pub(super) fn open(location: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, location, flags, Mode::empty())?)
}

/// Opens the folder `name` in `parent`, or the one that the link `name` leads to; only what `via`
/// says. The other may have the name for a moment, and would be taken for what it is not.
pub(super) fn open_in(parent: BorrowedFd<'_>, name: &OsStr, via: Via) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match via {
        Via::Name => openat(parent, name, flags | OFlags::NOFOLLOW, Mode::empty()),
        Via::Link => readlinkat(parent, name, Vec::new())
            .and_then(|target| openat(parent, target, flags, Mode::empty())),
    };
    opened.map_err(|error| match error {
        // It is no link, or one that leads in a circle.
        Errno::INVAL | Errno::LOOP => Errno::NOTDIR.into(),
        error => error.into(),
    })
}

/// Whether the entry `name` of `parent` is, or leads to, an opened folder.
pub(super) fn is_entry(parent: BorrowedFd<'_>, name: &OsStr, via: Via, opened: &OwnedFd) -> bool {
    let flags = match via {
        Via::Name => AtFlags::SYMLINK_NOFOLLOW,
        Via::Link => AtFlags::empty(),
    };
    let same = statat(parent, name, flags).and_then(|entry| {
        let folder = fstat(opened)?;
        Ok((entry.st_dev, entry.st_ino) == (folder.st_dev, folder.st_ino))
    });
    same.unwrap_or(false)
}

/// Waits until what is being done to the entries of a folder is done, and reported.
///
/// Linux changes a folder's entries, and then reports it, while it has the folder locked. The change
/// shows before the report is made. To read the folder takes the same lock (`vfs_rmdir`,
/// `vfs_rename` and `iterate_dir` in the kernel's `fs/namei.c` and `fs/readdir.c`).
pub(super) fn await_reports(location: &Path) {
    // Of one that cannot be read, a report may be taken to be missing, and everything is compared.
    if let Ok(mut entries) = open(location).and_then(Entries::new) {
        entries.next();
    }
}

/// Whether an error only says that a folder is not there any more, or that something else is.
pub(super) fn has_vanished(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The entries of an open folder, without `.` and `..`.
#[derive(Debug)]
pub(super) struct Entries(Dir);

/// What an entry is, as far as watching goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryType {
    Folder,
    Link,
    Other,
}

impl Entries {
    pub(super) fn new(folder: OwnedFd) -> io::Result<Self> {
        Ok(Self(Dir::new(folder)?))
    }

    pub(super) fn folder(&self) -> io::Result<BorrowedFd<'_>> {
        Ok(self.0.fd()?)
    }

    fn entry_type(&self, name: &OsStr, listed: FileType) -> FileType {
        // A few file systems leave the type out of the listing.
        if listed != FileType::Unknown {
            return listed;
        }
        let stat = self.0.fd().and_then(|dir| statat(dir, name, AtFlags::SYMLINK_NOFOLLOW));
        stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
    }
}

impl Iterator for Entries {
    type Item = io::Result<(OsString, EntryType)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.0.read()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsString::from_vec(name.to_owned());
            let entry_type = match self.entry_type(&name, entry.file_type()) {
                // To open what is unknown tells.
                FileType::Directory | FileType::Unknown => EntryType::Folder,
                FileType::Symlink => EntryType::Link,
                _ => EntryType::Other,
            };
            return Some(Ok((name, entry_type)));
        }
    }
}

impl EntryType {
    /// How a folder is reached through such an entry.
    pub(super) fn via(self, follow_links: bool) -> Option<Via> {
        match self {
            Self::Folder => Some(Via::Name),
            Self::Link if follow_links => Some(Via::Link),
            Self::Link | Self::Other => None,
        }
    }
}
