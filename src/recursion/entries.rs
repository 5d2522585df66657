//! Listing folders: [`Entries`] one by one, or all at once.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
};

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::{Via, folder::Opened};

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
    pub(super) fn new(folder: Opened) -> io::Result<Self> {
        Ok(Self(Dir::new(folder.into_readable()?)?))
    }

    pub(super) fn folder(&self) -> io::Result<BorrowedFd<'_>> {
        Ok(self.0.fd()?)
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
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                let entry_type = self.folder().map(|it| EntryType::of(it, name, entry.file_type()));
                return Some(entry_type.map(|entry_type| (name.to_owned(), entry_type)));
            }
        }
    }
}

/// Hands over all entries of an open folder, without `.` and `..`.
pub(super) fn read_all(
    folder: &OwnedFd,
    mut found: impl FnMut(&OsStr, EntryType),
) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        use std::{mem::MaybeUninit, os::fd::AsFd};

        use rustix::{fs::RawDir, io::Errno};

        // `Dir` takes memory from the heap for each folder: a thirtieth of the time to watch a tree.
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut entries = RawDir::new(folder, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // The folder was removed meanwhile.
                Err(Errno::NOENT) => break,
                Err(error) => return Err(error.into()),
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                found(name, EntryType::of(folder.as_fd(), name, entry.file_type()));
            }
        }
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    for entry in Entries::new(Opened::Readable(folder.try_clone()?))? {
        let (name, entry_type) = entry?;
        found(&name, entry_type);
    }
    Ok(())
}

impl EntryType {
    /// What the entry `name` of `folder` is, of which its listing says that it is `listed`.
    fn of(folder: BorrowedFd<'_>, name: &OsStr, listed: FileType) -> Self {
        let file_type = if listed == FileType::Unknown {
            // A few file systems leave the type out of the listing.
            let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
            stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
        } else {
            listed
        };
        match file_type {
            // To open what is unknown tells.
            FileType::Directory | FileType::Unknown => Self::Folder,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }

    /// How a folder is reached through such an entry.
    pub(super) fn via(self, follow_links: impl FnOnce() -> bool) -> Option<Via> {
        match self {
            Self::Folder => Some(Via::Name),
            Self::Link if follow_links() => Some(Via::Link),
            Self::Link | Self::Other => None,
        }
    }
}
