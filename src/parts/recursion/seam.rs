//! The seam between the engine and the world: [`Folders`](super::Folders) sees the file system and the
//! platform only through [`World`]. [`OnDisk`](super::OnDisk) makes one of an author's
//! [`FolderWatcher`](super::FolderWatcher); the tests have one in memory.

use std::{
    ffi::OsStr,
    fmt::Debug,
    hash::Hash,
    io,
    path::{Path, PathBuf},
};

use crate::contract::{error::BackendError, event::EventKind};

/// How a folder is reached from the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Via {
    /// It is an entry of the folder.
    Name,
    /// A symbolic link leads to it.
    Link,
}

/// The type of a folder's entry, as far as watching goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryType {
    /// A folder.
    Folder,
    /// A symbolic link, whatever it leads to.
    Link,
    /// Anything else.
    Other,
}

impl EntryType {
    pub(super) fn is_folder(self) -> bool {
        self == Self::Folder
    }
}

/// The file system, and the platform that watches it.
///
/// Errors of kind `NotFound` and `NotADirectory` mean that a name leads nowhere, or to no folder.
pub(super) trait World: Send + Sync {
    /// The platform's identifier of a watched folder: the same as long as that folder is watched, and never
    /// used for another one.
    type Id: Copy + Eq + Hash + Debug + Send + Sync;
    /// An open folder. It stays the same folder wherever it is renamed to, and after it was removed.
    type Folder: Send + Sync + Debug;

    /// Opens the folder at an absolute path, following links.
    fn open(&self, location: &Path) -> io::Result<Self::Folder>;

    /// Opens the folder that is the entry `name` of `parent` ([`Via::Name`]), or that the symbolic link
    /// `name` there leads to ([`Via::Link`]). Fails with `NotADirectory` if the entry is not of that sort.
    fn open_in(&self, parent: &Self::Folder, name: &OsStr, via: Via) -> io::Result<Self::Folder>;

    /// Returns whether the entry `name` of `parent` is, or leads to, `folder` now.
    fn is_entry(
        &self,
        parent: &Self::Folder,
        name: &OsStr,
        via: Via,
        folder: &Self::Folder,
    ) -> bool;

    /// Lists the entries of a folder, without `.` and `..`.
    ///
    /// When it returns, the platform has queued the event of every change that the listing shows. The same
    /// is true of [`await_events`](Self::await_events), which lists nothing.
    fn list(
        &self,
        folder: &Self::Folder,
        found: &mut dyn FnMut(&OsStr, EntryType),
    ) -> io::Result<()>;

    /// Blocks until changes in progress to the folder's entries have finished and their events are queued.
    fn await_events(&self, folder: &Self::Folder);

    /// Returns the type of the entry at an absolute path. `follow_link` says whether a link is followed.
    fn entry_type(&self, location: &Path, follow_link: bool) -> io::Result<EntryType>;

    /// Returns the target of the symbolic link at a path.
    fn read_link(&self, location: &Path) -> io::Result<PathBuf>;

    /// Watches a folder for changes, and with `access` for accesses too. It adds to what the folder is
    /// already watched for.
    fn watch(&self, folder: &Self::Folder, access: bool) -> io::Result<Self::Id>;

    /// Watches the folder at an absolute path for accesses too.
    fn watch_accesses(&self, location: &Path) -> io::Result<Self::Id> {
        self.watch(&self.open(location)?, true)
    }

    /// Stops watching a folder for accesses, because it is about to be listed after a loss. A change that
    /// is lost with it does no harm.
    fn mute(&self, folder: &Self::Folder) {
        _ = folder;
    }

    /// Puts a fence into the platform's queue, after all events that are in it now. When it is read, it
    /// appears as [`FolderEvent::Ended`] of the returned id, which no folder ever has. The last fence may be
    /// returned again if nothing is behind it. Returns `None` on a platform without fences: looks then take
    /// effect at once.
    fn fence(&self) -> Option<Self::Id>;

    /// Removes a watch; it may already be gone. `Ended` may follow, and events that were in the queue before.
    fn release(&self, id: Self::Id);

    /// Converts a platform's error for a path.
    fn explain(&self, path: PathBuf, error: io::Error) -> BackendError {
        BackendError::from_io(path, error)
    }
}

/// A platform's event about a watched folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderEvent<'a> {
    /// Something happened to an entry of it.
    Entry {
        /// The entry's name.
        name: &'a OsStr,
        /// What happened. The tree follows `Create`, `Remove`, `Modify(Name(From))` and
        /// `Modify(Name(To))`; every kind is reported unchanged. An entry with an `Access` or a `Modify(Data)`
        /// is no link, since these go through links to their targets.
        kind: EventKind,
        /// Whether the entry is a folder.
        is_folder: bool,
        /// The number that both halves of a rename share; 0 if there is none.
        cookie: u32,
    },
    /// Something happened to the folder itself: `Modify(Metadata)`, `Modify(Name)` (it was renamed),
    /// `Remove(Folder)`, or `Remove(Other)` (its file system was unmounted).
    Itself(EventKind),
    /// The folder is not watched any more (another event says why), or the number is that of a
    /// [fence](super::FolderWatcher::fence).
    Ended,
}
