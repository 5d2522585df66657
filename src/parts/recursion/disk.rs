//! The real [`World`]: the operating system's file system, and the platform behind a [`FolderWatcher`].

use std::{
    ffi::OsStr,
    fmt::Debug,
    fs,
    hash::Hash,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, openat, readlinkat_raw, statat},
    io::Errno,
};

use super::seam::{EntryType, Via, World};
use crate::contract::error::BackendError;

/// The platform's part: how one folder is watched.
pub trait FolderWatcher: Send + Sync {
    /// The platform's number for a watched folder: always the same for one folder, and never used for
    /// another one later.
    type Id: Copy + Eq + Hash + Debug + Send + Sync;

    /// Watches a folder for all changes, and with `access` also for accesses to the files in it. It adds to
    /// what the folder is already watched for.
    ///
    /// The folder is passed as an open descriptor, because a path may lead to another folder when it is
    /// looked up. For a platform that needs a path, use `/proc/self/fd/N` on Linux.
    ///
    /// # Errors
    ///
    /// The platform's error.
    fn watch_folder(&self, folder: BorrowedFd<'_>, access: bool) -> io::Result<Self::Id>;

    /// Watches the folder at an absolute path for accesses too, and returns its number. That shows which folder
    /// it was.
    ///
    /// It is called for each folder of a tree after its listing, if a watch asks for accesses. The provided method
    /// opens the folder and calls [`watch_folder`](Self::watch_folder); a platform that takes paths saves the
    /// opening.
    ///
    /// # Errors
    ///
    /// The platform's error.
    fn watch_accesses(&self, path: &Path) -> io::Result<Self::Id> {
        self.watch_folder(open_unreported(path)?.as_fd(), true)
    }

    /// Stops watching a folder for accesses, because it is about to be listed after a loss. Some platforms
    /// report that as an access, so listing all folders would make their queue overflow again. A change
    /// that is lost with it does no harm.
    ///
    /// The provided method does nothing.
    fn mute(&self, folder: BorrowedFd<'_>) {
        let _ = folder;
    }

    /// Removes the watch of a folder. The watch may already be gone.
    fn release(&self, id: Self::Id);

    /// Puts a fence into the platform's queue, behind everything that is in it now, and returns its number.
    /// The fence is an event. When the backend reads it, it calls [`Folders::apply`](super::Folders::apply)
    /// with that number and [`Ended`](super::FolderEvent::Ended).
    ///
    /// What a look at the disk has seen takes effect when the fence behind it is read, in its place among the
    /// platform's events. Events before the fence are not reported for a watch that was added meanwhile.
    /// Each fence takes room in the queue: as long as nothing is queued behind the last one, that one may be
    /// returned again. The provided method has no fences; events from before a look or a new watch may then
    /// be taken for new ones.
    fn fence(&self) -> Option<Self::Id> {
        None
    }

    /// Converts a platform's error for a path. The provided method is [`BackendError::from_io`].
    fn explain(&self, path: PathBuf, error: io::Error) -> BackendError {
        BackendError::from_io(path, error)
    }
}

/// The operating system's file system and an author's [`FolderWatcher`].
#[derive(Debug)]
pub(super) struct OnDisk<W>(pub(super) W);

/// An open folder. Some platforms send events when a folder is opened and closed.
#[derive(Debug)]
pub(super) enum Opened {
    Readable(OwnedFd),
    /// Opened without an event, on platforms that can do so (`O_PATH`).
    Unreported(OwnedFd),
}

const READABLE: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[cfg(any(target_os = "android", target_os = "linux"))]
const UNREPORTED: OFlags = READABLE.union(OFlags::PATH);
#[cfg(not(any(target_os = "android", target_os = "linux")))]
const UNREPORTED: OFlags = READABLE;

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Readable(folder) | Self::Unreported(folder) => folder.as_fd(),
        }
    }
}

impl<W: FolderWatcher> World for OnDisk<W> {
    type Id = W::Id;
    type Folder = Opened;

    fn open(&self, location: &Path) -> io::Result<Opened> {
        open_unreported(location).map(Opened::Unreported)
    }

    fn open_in(&self, parent: &Opened, name: &OsStr, via: Via) -> io::Result<Opened> {
        let opened = match via {
            // It will be listed. The target of a link is not opened like this: it may already be watched
            // for accesses.
            Via::Name => openat(parent, name, READABLE | OFlags::NOFOLLOW, Mode::empty())
                .map(Opened::Readable),
            // No system call accepts a longer target.
            Via::Link => readlinkat_raw(parent, name, &mut [MaybeUninit::uninit(); 4096])
                .and_then(|(target, _)| openat(parent, &*target, UNREPORTED, Mode::empty()))
                .map(Opened::Unreported),
        };
        opened.map_err(|error| match error {
            // It is no link, or part of a cycle of links.
            Errno::INVAL | Errno::LOOP => Errno::NOTDIR.into(),
            error => error.into(),
        })
    }

    fn is_entry(&self, parent: &Opened, name: &OsStr, via: Via, folder: &Opened) -> bool {
        let flags = match via {
            Via::Name => AtFlags::SYMLINK_NOFOLLOW,
            Via::Link => AtFlags::empty(),
        };
        let same = statat(parent, name, flags).and_then(|entry| {
            let folder = fstat(folder)?;
            Ok((entry.st_dev, entry.st_ino) == (folder.st_dev, folder.st_ino))
        });
        same.unwrap_or(false)
    }

    fn list(&self, folder: &Opened, found: &mut dyn FnMut(&OsStr, EntryType)) -> io::Result<()> {
        match folder {
            Opened::Readable(folder) => read_all(folder, found),
            Opened::Unreported(folder) => {
                read_all(&openat(folder, ".", READABLE, Mode::empty())?, found)
            }
        }
    }

    /// Linux changes a folder's entries and then queues the event while it holds the folder's lock, so the
    /// change shows before its event is queued. Reading the folder takes the same lock (`vfs_rmdir`,
    /// `vfs_rename` and `iterate_dir` in the kernel's `fs/namei.c` and `fs/readdir.c`).
    fn await_events(&self, folder: &Opened) {
        // Without permission to read it, there is no way to wait.
        if let Ok(readable) = openat(folder, ".", READABLE, Mode::empty()) {
            read_one(&readable);
        }
    }

    fn entry_type(&self, location: &Path, follow_link: bool) -> io::Result<EntryType> {
        let metadata =
            if follow_link { fs::metadata(location) } else { fs::symlink_metadata(location) }?;
        Ok(if metadata.is_dir() {
            EntryType::Folder
        } else if metadata.is_symlink() {
            EntryType::Link
        } else {
            EntryType::Other
        })
    }

    fn read_link(&self, location: &Path) -> io::Result<PathBuf> {
        fs::read_link(location)
    }

    fn watch(&self, folder: &Opened, access: bool) -> io::Result<W::Id> {
        self.0.watch_folder(folder.as_fd(), access)
    }

    fn watch_accesses(&self, location: &Path) -> io::Result<W::Id> {
        self.0.watch_accesses(location)
    }

    fn mute(&self, folder: &Opened) {
        self.0.mute(folder.as_fd());
    }

    fn fence(&self) -> Option<W::Id> {
        self.0.fence()
    }

    fn release(&self, id: W::Id) {
        self.0.release(id);
    }

    fn explain(&self, path: PathBuf, error: io::Error) -> BackendError {
        self.0.explain(path, error)
    }
}

/// Opens the folder at a path, without an event where the platform can do so.
fn open_unreported(path: &Path) -> io::Result<OwnedFd> {
    Ok(openat(CWD, path, UNREPORTED, Mode::empty())?)
}

/// Returns the type of the entry `name` of `folder`, which the listing gives as `listed`.
fn entry_type(folder: BorrowedFd<'_>, name: &OsStr, listed: FileType) -> EntryType {
    let file_type = if listed == FileType::Unknown {
        // A few file systems leave the type out of the listing.
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
    } else {
        listed
    };
    match file_type {
        // Opening an entry of unknown type will show.
        FileType::Directory | FileType::Unknown => EntryType::Folder,
        FileType::Symlink => EntryType::Link,
        _ => EntryType::Other,
    }
}

/// Passes all entries of an open folder to `found`, without `.` and `..`.
#[cfg(any(target_os = "android", target_os = "linux"))]
fn read_all(folder: &OwnedFd, found: &mut dyn FnMut(&OsStr, EntryType)) -> io::Result<()> {
    use rustix::fs::RawDir;

    // `Dir` allocates memory for each folder, which takes a thirtieth of the time to watch a tree.
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
            found(name, entry_type(folder.as_fd(), name, entry.file_type()));
        }
    }
    Ok(())
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn read_one(folder: &OwnedFd) {
    // Room for two entries, `.` and `..`: that is enough for the kernel to take the lock.
    let mut buffer = [MaybeUninit::uninit(); 512];
    rustix::fs::RawDir::new(folder, &mut buffer).next();
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn read_all(folder: &OwnedFd, found: &mut dyn FnMut(&OsStr, EntryType)) -> io::Result<()> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            found(name, entry_type(folder.as_fd(), name, entry.file_type()));
        }
    }
    Ok(())
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn read_one(folder: &OwnedFd) {
    if let Ok(mut entries) = rustix::fs::Dir::read_from(folder) {
        entries.next();
    }
}

/// Returns whether an error only says that a folder is gone or that something else is in its place.
pub(super) fn has_vanished(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
