//! Opening folders, each by the descriptor of the one above it.

use std::{
    ffi::OsStr,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, fstat, openat, readlinkat, statat},
    io::Errno,
};

use super::{Via, entries::Entries};

/// An open folder. To open one, and to close it, is reported by some platforms.
#[derive(Debug)]
pub(super) enum Opened {
    Readable(OwnedFd),
    /// Nothing is reported of it, where the platform knows a way (`O_PATH`).
    Unreported(OwnedFd),
}

const READABLE: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[cfg(any(target_os = "android", target_os = "linux"))]
const UNREPORTED: OFlags = READABLE.union(OFlags::PATH);
#[cfg(not(any(target_os = "android", target_os = "linux")))]
const UNREPORTED: OFlags = READABLE;

impl Opened {
    /// The folder, opened to be read.
    pub(super) fn into_readable(self) -> io::Result<OwnedFd> {
        match self {
            Self::Readable(folder) => Ok(folder),
            Self::Unreported(folder) => Ok(openat(folder, ".", READABLE, Mode::empty())?),
        }
    }
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Readable(folder) | Self::Unreported(folder) => folder.as_fd(),
        }
    }
}

/// Opens the folder at `location`, which may be watched for everything.
pub(super) fn open(location: &Path) -> io::Result<Opened> {
    Ok(Opened::Unreported(openat(CWD, location, UNREPORTED, Mode::empty())?))
}

/// Opens the folder `name` in `parent`, or the one that the link `name` leads to; only what `via`
/// says. The other may have the name for a moment, and would be taken for what it is not.
///
/// An entry is opened to be listed. Where a link leads may be watched for everything by now.
pub(super) fn open_in(parent: impl AsFd, name: &OsStr, via: Via) -> io::Result<Opened> {
    let parent = parent.as_fd();
    let opened = match via {
        Via::Name => {
            openat(parent, name, READABLE | OFlags::NOFOLLOW, Mode::empty()).map(Opened::Readable)
        }
        Via::Link => readlinkat(parent, name, Vec::new())
            .and_then(|target| openat(parent, target, UNREPORTED, Mode::empty()))
            .map(Opened::Unreported),
    };
    opened.map_err(|error| match error {
        // It is no link, or one that leads in a circle.
        Errno::INVAL | Errno::LOOP => Errno::NOTDIR.into(),
        error => error.into(),
    })
}

/// Whether the entry `name` of `parent` is, or leads to, an opened folder.
pub(super) fn is_entry(parent: impl AsFd, name: &OsStr, via: Via, opened: &Opened) -> bool {
    let flags = match via {
        Via::Name => AtFlags::SYMLINK_NOFOLLOW,
        Via::Link => AtFlags::empty(),
    };
    let same = statat(parent.as_fd(), name, flags).and_then(|entry| {
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
