//! The promises of a backend: [`Capability`], and sets of them.

#[cfg(feature = "serde")]
mod serde;
mod set;

use std::fmt;

pub use set::{Capabilities, CapabilityIter};

/// One promise that a backend can make.
///
/// The compliance suite checks every capability that a backend declares, and that the backend shows no sign
/// of an undeclared one. Declare what holds on every system that the backend runs on. If a watch asks for
/// more, the backend returns [`BackendError::NotSupported`](crate::BackendError::NotSupported) with the
/// missing capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[non_exhaustive]
pub enum Capability {
    /// Reports that files are opened, read and closed, as
    /// [`EventKind::Access`](crate::EventKind::Access), for watches that
    /// [ask for it](crate::Watch::access).
    ///
    /// - **Promised:** opening a file, reading from it and closing it are reported in this order,
    ///   and the close of one that was written to comes after the last change of its data.
    /// - **Not promised:** one event per read, for what purpose a file was opened, and by which process.
    /// - **Can be declared with** inotify, fanotify, and kqueue on FreeBSD and NetBSD; not with
    ///   FSEvents, `ReadDirectoryChangesW` or polling.
    /// - **Checked:** the order above; that the backend does not report its own reading; that no access is
    ///   reported for a watch that does not ask; and that a program comes to rest that reads every
    ///   reported file, or all files after a loss. Without the capability: that a watch which asks is
    ///   refused.
    EmitOnAccess,

    /// Follows symbolic links, for watches that [ask for it](crate::Watch::follow_links).
    ///
    /// - **Promised:** changes of a watched link's target are reported under the link's path, and so are
    ///   those of folders that links in a recursively watched folder lead to; with
    ///   [`WatchNewFolders`](Self::WatchNewFolders), also for links that appear later, or that are replaced by
    ///   links to elsewhere. A link to a file in a tree is an entry like any other: changes of the file are
    ///   not reported under it. A consumer that needs them watches the link by its own path. Links in a
    ///   circle do no harm.
    /// - **Not promised:** that a watched link is followed to a new target if it is changed later, that a
    ///   change of a link on the way to the target is noticed, and that a target which can be reached in
    ///   two ways is reported under both paths.
    /// - **Can be declared with** inotify, fanotify and kqueue, which follow links by default, and
    ///   polling; with FSEvents and `ReadDirectoryChangesW` if the backend watches the target and
    ///   translates its path.
    /// - **Checked:** a write to the target of a watched link, and the path under which it is reported;
    ///   links to folders in a tree, old and new, in chains and through other links, and circles of them; for
    ///   a watch that does not ask, that the link itself is watched and its target is not. Without the
    ///   capability: that a watch which asks is refused.
    FollowSymlinks,

    /// Gives the two halves of a rename the same [tracker](crate::event::Attrs::tracker).
    ///
    /// - **Promised:** if both names are watched, the two events have the same tracker, the old
    ///   name comes first, and no other event has this tracker.
    /// - **Not promised:** that the halves follow each other immediately, and that a half whose
    ///   other name is not watched has no tracker.
    /// - **Can be declared with** inotify (cookie) and fanotify (`FAN_RENAME`, which has both names);
    ///   with FSEvents, kqueue, polling and `ReadDirectoryChangesExW` if the backend compares file
    ///   ids; not with `ReadDirectoryChangesW`, which relates the two names only within a folder.
    /// - **Checked:** renames within a folder, between folders and in chains; that the backend does not
    ///   wait for a second half that never comes; that no tracker is on more than two events. Without the
    ///   capability: that no event has a tracker.
    TrackRelated,

    /// Watches a whole file system at no cost per folder. Implies
    /// [`WatchNewFolders`](Self::WatchNewFolders).
    ///
    /// - **Promised:** a recursive watch takes the same time and memory however many folders are
    ///   below it.
    /// - **Not promised:** changes on other file systems that are mounted below it, and that
    ///   an ordinary user may do it.
    /// - **Can be declared with** fanotify (`FAN_MARK_FILESYSTEM`), FSEvents and
    ///   `ReadDirectoryChangesW`; not with inotify, kqueue or polling.
    /// - **Checked:** the capabilities that it implies. If possible, each case runs on its own file system, a
    ///   tmpfs in a mount namespace. With `--test-threads 1`, only the cases that the least change elsewhere
    ///   disturbs do so: use this to test on another file system.
    WatchEntireFilesystem,

    /// Accepts files as watched paths.
    ///
    /// - **Promised:** changes of a watched file, and its removal or renaming, are reported
    ///   under its path; those of its neighbours are not.
    /// - **Not promised:** that a new file of the same name is watched. Many editors save by
    ///   replacing the file; a consumer that has to see that watches the folder.
    /// - **Can be declared with** inotify, fanotify, kqueue and polling; with FSEvents and
    ///   `ReadDirectoryChangesW` if the backend watches the folder and drops the other events.
    /// - **Checked:** a write, a removal and a rename of the file, silence about its neighbours, and
    ///   that nothing is reported under its path once it is elsewhere. Without the capability: that
    ///   a file is refused, with its path.
    WatchFiles,

    /// Accepts folders as watched paths.
    ///
    /// - **Promised:** changes of a folder's direct entries are reported (made, changed, renamed, removed),
    ///   and so is the removal or renaming of the folder itself.
    /// - **Not promised:** that a folder which is removed and made again is still watched.
    /// - **Can be declared with** every facility; with kqueue, the backend compares listings.
    /// - **Checked:** each of these for files and folders with all sorts of names, and what happens to
    ///   the watched folder itself. Without the capability: that a folder is refused, with its path.
    WatchFolders,

    /// Watches folders that appear in a recursively watched one. Implies
    /// [`WatchRecursively`](Self::WatchRecursively).
    ///
    /// - **Promised:** entries made in the new folder are reported from the first moment on, even those made
    ///   before the platform could watch it. For a folder that was moved in, changes are reported from
    ///   then on.
    /// - **Not promised:** that an entry made in that first moment is reported only once, and that the
    ///   entries of a folder that is moved in are reported one by one: the folder itself is reported, and
    ///   consumers list it.
    /// - **Can be declared with** fanotify (`FAN_MARK_FILESYSTEM`), FSEvents and
    ///   `ReadDirectoryChangesW`, which report such entries themselves; with inotify, kqueue and polling
    ///   if the backend lists each new folder after it has begun to watch it.
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
    /// - **Promised:** changes are reported no matter which machine makes them.
    /// - **Not promised:** how soon, and in more detail than the server gives.
    /// - **Can be declared with** polling, a service's own interface, and `ReadDirectoryChangesW` on
    ///   SMB shares; not with inotify, fanotify, kqueue or FSEvents, which see only what passes
    ///   through their own system.
    /// - **Checked:** changes of files that are made behind the mount, if the suite knows how to mount
    ///   ([`Suite::seen_through`](crate::compliance::Suite::seen_through)). Otherwise nothing, because that
    ///   needs a second machine.
    WatchNetworkedFilesystem,

    /// Adds and removes watches while it runs, through
    /// [`Backend::watch`](crate::Backend::watch) and [`Backend::unwatch`](crate::Backend::unwatch).
    ///
    /// - **Promised:** other watches have no gap, and nothing is reported any more for a watch that
    ///   was removed.
    /// - **Not promised:** that it costs less than a new backend.
    /// - **Can be declared with** every facility. With FSEvents, whose streams do not change, the
    ///   backend starts another that begins with the last event of the previous one.
    /// - **Checked:** watches added and removed while others go on, paths that are not watched, and
    ///   that a failure changes nothing. Without the capability: that both functions refuse.
    ChangeWatches,

    /// Goes on from where an earlier program stopped, through
    /// [`Backend::cursor`](crate::Backend::cursor) and [`Backend::resume`](crate::Backend::resume).
    ///
    /// - **Promised:** what happened since the [cursor](crate::Cursor) was taken is reported, also if no
    ///   program was running, and what was polled before is not reported again. What the source does not
    ///   remember any longer is a [`Missed`](crate::EventKind::Missed) at the beginning, for everything or
    ///   for the part.
    /// - **Not promised:** that each change in between is reported by itself, and in the order in which they
    ///   happened: a source may remember what has changed, and not how. Its documentation says so.
    /// - **Can be declared with** a daemon or service that outlives the program (Watchman's clocks, the
    ///   sequence numbers of a message broker), FSEvents (event ids), and journals of a file system; not
    ///   with inotify, fanotify, kqueue or `ReadDirectoryChangesW`, which forget a program when it ends.
    /// - **Checked:** changes while there is no backend; cursors taken before the first item, between unread
    ///   ones and after the last; paths that the cursor knows nothing about; a source that has forgotten, if
    ///   the suite knows how to make it forget (`Suite::forgetting`); and damaged
    ///   cursors and those of others. Without the capability: that there is no cursor, and that `resume`
    ///   refuses.
    Resume,
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
        Self::Resume,
    ];

    /// Returns the capability that a backend must declare along with this one, if there is one.
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
