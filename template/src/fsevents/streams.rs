//! What the backend needs of the system, and nothing else: [`Streams`].

use std::{
    fmt::Debug,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The number of an event. Numbers go up, for all streams and programs of a machine.
pub type EventId = u64;

/// Instead of an id: no events of the past (`kFSEventStreamEventIdSinceNow`).
pub const SINCE_NOW: EventId = EventId::MAX;

/// The number of a volume's history of events (`FSEventsCopyUUIDForDevice`). When it changes, ids of before say nothing.
pub type History = [u8; 16];

/// Takes the events of a stream, as they come.
pub type Deliver = Arc<dyn Fn(Vec<FsEvent>) + Send + Sync>;

/// Streams of events about folders with everything below them: FSEvents.
///
/// The backend is written against this trait, so that its tests can run on a model where there are no FSEvents.
pub trait Streams: Debug + Send + Sync + Sized + 'static {
    /// A running stream. Dropping it ends it; events may still be delivered for a moment.
    type Stream: Debug + Send;

    /// Connects to the service.
    ///
    /// # Errors
    ///
    /// The system's error. [`Unsupported`](io::ErrorKind::Unsupported) means that it has no FSEvents.
    fn new() -> io::Result<Self>;

    /// Returns the id of the last event, of whatever path.
    fn current(&self) -> EventId;

    /// Returns the history of the volume that a path is on, or none if that is not kept.
    fn history(&self, path: &Path) -> Option<History>;

    /// Starts a stream.
    ///
    /// # Errors
    ///
    /// If the service refuses it.
    fn start(&self, request: &Request, deliver: Deliver) -> io::Result<Self::Stream>;

    /// Has everything delivered that waits for the latency, and returns when it was.
    fn flush(&self, stream: &Self::Stream);
}

/// What a stream is asked for: events of files, and that its paths themselves are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The folders, without links in their paths.
    pub paths: Vec<PathBuf>,
    /// Events after this one are delivered, first those of the past; [`SINCE_NOW`] if no history is kept.
    pub since: EventId,
    /// How long the service collects events before it delivers them.
    pub latency: Duration,
}

/// Something may have happened at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsEvent {
    /// The path without links; as it was requested if that path itself has changed ([`Flags::ROOT_CHANGED`]).
    pub path: PathBuf,
    /// What has happened, at any time since about half a minute ago.
    pub flags: Flags,
    /// Zero if a requested path itself has changed.
    pub id: EventId,
}

/// A set of flags: `FSEventStreamEventFlags`, with its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// `MustScanSubDirs`: events below the path were lost.
    pub const MUST_SCAN_SUB_DIRS: Self = Self(0x01);
    /// `UserDropped`: events were lost between the service and this program.
    pub const USER_DROPPED: Self = Self(0x02);
    /// `KernelDropped`: events were lost between the kernel and the service.
    pub const KERNEL_DROPPED: Self = Self(0x04);
    /// `EventIdsWrapped`: the numbers have begun again.
    pub const EVENT_IDS_WRAPPED: Self = Self(0x08);
    /// `HistoryDone`: the events of the past are complete. It has no path.
    pub const HISTORY_DONE: Self = Self(0x10);
    /// `RootChanged`: a requested path, or a folder above it, was renamed, removed or created.
    pub const ROOT_CHANGED: Self = Self(0x20);
    /// `Mount`: a volume was mounted there.
    pub const MOUNT: Self = Self(0x40);
    /// `Unmount`: a volume was mounted there, and is not any more.
    pub const UNMOUNT: Self = Self(0x80);
    /// `ItemCreated`.
    pub const CREATED: Self = Self(0x100);
    /// `ItemRemoved`.
    pub const REMOVED: Self = Self(0x200);
    /// `ItemInodeMetaMod`: times or the number of names.
    pub const INODE_META_MOD: Self = Self(0x400);
    /// `ItemRenamed`, at the old and at the new path.
    pub const RENAMED: Self = Self(0x800);
    /// `ItemModified`.
    pub const MODIFIED: Self = Self(0x1000);
    /// `ItemFinderInfoMod`.
    pub const FINDER_INFO_MOD: Self = Self(0x2000);
    /// `ItemChangeOwner`: owner or mode.
    pub const CHANGE_OWNER: Self = Self(0x4000);
    /// `ItemXattrMod`.
    pub const XATTR_MOD: Self = Self(0x8000);
    /// `ItemIsFile`.
    pub const IS_FILE: Self = Self(0x1_0000);
    /// `ItemIsDir`.
    pub const IS_DIR: Self = Self(0x2_0000);
    /// `ItemIsSymlink`.
    pub const IS_SYMLINK: Self = Self(0x4_0000);

    /// Returns both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether one of these is set.
    #[must_use]
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns whether this says no more than that a file that exists was changed.
    pub(crate) fn is_change_of_file(self) -> bool {
        const CHANGES: Flags = Flags::MODIFIED
            .and(Flags::INODE_META_MOD)
            .and(Flags::FINDER_INFO_MOD)
            .and(Flags::CHANGE_OWNER)
            .and(Flags::XATTR_MOD);
        self.has_any(CHANGES) && !self.has_any(Self(!CHANGES.and(Self::IS_FILE).0))
    }
}
