//! What a backend promises: [`Capability`], and sets of them.

#[cfg(feature = "serde")]
mod serde;
mod set;

use std::fmt;

pub use set::{Capabilities, CapabilityIter};

/// One promise that a backend can make.
///
/// The compliance suite holds a backend to every capability that it declares, and checks that what
/// it does not declare does not show. Declare what holds on every system that the backend runs on;
/// where a watch asks for more, the backend answers
/// [`BackendError::NotSupported`](crate::BackendError::NotSupported) and names what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[non_exhaustive]
pub enum Capability {
    /// Reports that files are opened, read and closed, as
    /// [`EventKind::Access`](crate::EventKind::Access), to watches that
    /// [ask for it](crate::Watch::access).
    ///
    /// - **Promised:** opening a file, reading from it and closing it are reported in this order,
    ///   and the close of one that was written to comes after the last change of its data.
    /// - **Not promised:** one event for each read, what for a file was opened, and who did it.
    /// - **Can be declared with** inotify, fanotify, and kqueue on FreeBSD and NetBSD; not with
    ///   FSEvents, `ReadDirectoryChangesW` or polling.
    /// - **Checked:** the order above; that the backend does not report its own reading; that a watch
    ///   which does not ask hears of no access; and that a program comes to rest that reads every file
    ///   it hears of, or all files after a loss. Without the capability: that a watch which asks is
    ///   refused.
    EmitOnAccess,

    /// Follows symbolic links, for watches that [ask for it](crate::Watch::follow_links).
    ///
    /// - **Promised:** a watched link reports what happens to its target, under the link's path, and so
    ///   does a link to a folder in a recursively watched one; with
    ///   [`WatchNewFolders`](Self::WatchNewFolders) also one that comes later, or is replaced by one that
    ///   leads elsewhere. A link to a file in a tree is an entry like any other: what happens to the file is
    ///   not reported under it. A consumer that needs that watches the link by its own path. Links in a circle do
    ///   no harm.
    /// - **Not promised:** that a watched link which is later pointed elsewhere is followed there, that
    ///   it is noticed if a link on the way to the target is, and that a target which can be reached in two
    ///   ways is reported under both paths.
    /// - **Can be declared with** inotify, fanotify and kqueue, which follow a link that they are
    ///   given unless told otherwise, and polling; with FSEvents and `ReadDirectoryChangesW` where
    ///   the backend watches the target and translates its path.
    /// - **Checked:** a write to the target of a watched link, the path it is reported under, links to
    ///   folders in a tree, old and new, in chains and through other links, and circles of them; for a watch that does not ask, that the link itself is watched,
    ///   and what happens to its target does not show. Without the capability: that a watch which
    ///   asks is refused.
    FollowSymlinks,

    /// Gives the two halves of a rename the same [tracker](crate::event::Attrs::tracker).
    ///
    /// - **Promised:** where both names are watched, the two events have the same tracker, the old
    ///   name comes first, and no other event has it.
    /// - **Not promised:** that the halves follow each other immediately, and that a half whose
    ///   other name is not watched has no tracker.
    /// - **Can be declared with** inotify (cookie) and fanotify (`FAN_RENAME`, which has both names);
    ///   with FSEvents, kqueue, polling and `ReadDirectoryChangesExW` where the backend compares file
    ///   ids; not with `ReadDirectoryChangesW`, which relates the two names within a folder only.
    /// - **Checked:** renames within a folder, between folders and in chains; that nobody waits for
    ///   a second half that never comes; that no tracker is on more than two events. Without the
    ///   capability: that no event has a tracker.
    TrackRelated,

    /// Watches a whole file system at no cost per folder. Implies
    /// [`WatchNewFolders`](Self::WatchNewFolders).
    ///
    /// - **Promised:** a recursive watch takes the same time and memory however many folders are
    ///   below it.
    /// - **Not promised:** what happens on other file systems that are mounted below it, and that
    ///   an ordinary user may do it.
    /// - **Can be declared with** fanotify (`FAN_MARK_FILESYSTEM`), FSEvents and
    ///   `ReadDirectoryChangesW`; not with inotify, kqueue or polling.
    /// - **Checked:** what it implies. Each case runs on a file system of its own, a tmpfs in a mount
    ///   namespace, where that can be had. With `--test-threads 1`, only those do that are disturbed by the
    ///   least change elsewhere: that is how to test on another file system.
    WatchEntireFilesystem,

    /// Accepts files as watched paths.
    ///
    /// - **Promised:** changes of a watched file, and that it is removed or renamed, are reported
    ///   under its path; those of its neighbours are not.
    /// - **Not promised:** that a new file of the same name is watched. Many editors save by
    ///   replacing the file; a consumer that has to see that watches the folder.
    /// - **Can be declared with** inotify, fanotify, kqueue and polling; with FSEvents and
    ///   `ReadDirectoryChangesW` where the backend watches the folder and leaves out the rest.
    /// - **Checked:** a write, a removal and a rename of the file, silence about its neighbours, and
    ///   that nothing is reported under its path once it is elsewhere. Without the capability: that
    ///   a file is refused, by its path.
    WatchFiles,

    /// Accepts folders as watched paths.
    ///
    /// - **Promised:** what happens to a folder's direct entries (made, changed, renamed, removed),
    ///   and that the folder itself is removed or renamed.
    /// - **Not promised:** that a folder which is removed and made again is still watched.
    /// - **Can be declared with** every facility; with kqueue, the backend compares listings.
    /// - **Checked:** each of these for files and folders of all sorts of names, and what becomes of
    ///   the watched folder itself. Without the capability: that a folder is refused, by its path.
    WatchFolders,

    /// Watches folders that appear in a recursively watched one. Implies
    /// [`WatchRecursively`](Self::WatchRecursively).
    ///
    /// - **Promised:** what is made in the new folder is reported from the first moment on, also before
    ///   the platform could watch it. What happens in a folder that was moved there is reported from
    ///   then on.
    /// - **Not promised:** that what was made in that first moment is reported once only, and that the
    ///   content which a folder brings along when it is moved in is reported entry by entry: the folder
    ///   itself is, and its reader looks into it.
    /// - **Can be declared with** fanotify (`FAN_MARK_FILESYSTEM`), FSEvents and
    ///   `ReadDirectoryChangesW`, which report such entries themselves; with inotify, kqueue and polling
    ///   where the backend looks into each new folder after it began to watch it.
    /// - **Checked:** folders made several levels deep at once with a file at the bottom, folders
    ///   moved in, and folders removed and made again, while the backend reads and while it does
    ///   not.
    WatchNewFolders,

    /// Watches folders below a watched folder, at every depth. Implies
    /// [`WatchFolders`](Self::WatchFolders).
    ///
    /// - **Promised:** folders that exist when the watch is made are watched. One that cannot be
    ///   is named by an error item, and the others are watched anyway.
    /// - **Not promised:** anything about folders that come later.
    /// - **Can be declared with** every facility.
    /// - **Checked:** changes at several depths, folders whose names begin alike, folders that are
    ///   renamed within the tree or moved out of it. Without the capability: that a recursive watch
    ///   is refused, and that nothing below the direct entries shows.
    WatchRecursively,

    /// Sees changes that other machines make on a networked file system.
    ///
    /// - **Promised:** it does not matter which machine makes a change.
    /// - **Not promised:** how soon it is seen, and more than the server tells.
    /// - **Can be declared with** polling, a service's own interface, and `ReadDirectoryChangesW` on
    ///   SMB shares; not with inotify, fanotify, kqueue or FSEvents, which see only what passes
    ///   through their own system.
    /// - **Checked:** nothing, since it takes a second machine.
    WatchNetworkedFilesystem,

    /// Adds and removes watches while it runs, through
    /// [`Backend::watch`](crate::Backend::watch) and [`Backend::unwatch`](crate::Backend::unwatch).
    ///
    /// - **Promised:** other watches have no gap, and nothing is reported any more for a watch that
    ///   was removed.
    /// - **Not promised:** that it costs less than a new backend.
    /// - **Can be declared with** every facility. With FSEvents, whose streams do not change, the
    ///   backend starts another that begins with the last event of the one before.
    /// - **Checked:** watches added and removed among others that go on, paths that are not watched,
    ///   and that a failure leaves all as it was. Without the capability: that both are refused.
    ChangeWatches,
}

impl Capability {
    /// Every capability, in the order of declaration.
    pub const ALL: &'static [Self] = &[
        Self::EmitOnAccess,
        Self::FollowSymlinks,
        Self::TrackRelated,
        Self::WatchEntireFilesystem,
        Self::WatchFiles,
        Self::WatchFolders,
        Self::WatchNewFolders,
        Self::WatchRecursively,
        Self::WatchNetworkedFilesystem,
        Self::ChangeWatches,
    ];

    /// The capability that this one cannot be had without, if there is one.
    ///
    /// ```
    /// use notify_backend::Capability;
    ///
    /// assert_eq!(Capability::WatchRecursively.implies(), Some(Capability::WatchFolders));
    /// assert_eq!(Capability::WatchFolders.implies(), None);
    /// ```
    #[must_use]
    pub const fn implies(self) -> Option<Self> {
        match self {
            Self::WatchEntireFilesystem => Some(Self::WatchNewFolders),
            Self::WatchNewFolders => Some(Self::WatchRecursively),
            Self::WatchRecursively => Some(Self::WatchFolders),
            _ => None,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The name, as in the code.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
