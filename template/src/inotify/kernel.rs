//! The kernel's side: flags, watches, raw events. See inotify(7).

use std::{
    ffi::OsStr,
    io,
    ops::Range,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    sync::{Mutex, MutexGuard, PoisonError},
    task::ready,
};

use notify_backend::{
    Limit,
    descriptor::{Descriptor, Reading},
    prelude::*,
    recursion::{FolderEvent, FolderWatcher},
};
use rustix::{
    fs::{
        MemfdFlags,
        inotify::{self, CreateFlags, ReadFlags, WatchFlags},
        memfd_create,
    },
    io::ioctl_fionread,
};

/// The changes that are requested for every folder. An open file that no longer has a name is left out: its
/// events would carry a name that may be another file's by now (`IN_EXCL_UNLINK`).
const CHANGES: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::ONLYDIR);

/// The events for opening, reading and closing files.
const ACCESSES: WatchFlags = WatchFlags::ACCESS.union(WatchFlags::CLOSE).union(WatchFlags::OPEN);

/// The meaning of each of the kernel's flags for an entry of a folder.
fn entry_kind(flags: ReadFlags) -> Option<EventKind> {
    let is_folder = flags.contains(ReadFlags::ISDIR);
    let kind = match flags.difference(ReadFlags::ISDIR) {
        // Listing a folder opens and reads it. That is no access to a file, and this backend's own
        // listing would be reported.
        ReadFlags::OPEN | ReadFlags::ACCESS | ReadFlags::CLOSE_NOWRITE if is_folder => return None,
        ReadFlags::OPEN => EventKind::Access(AccessKind::Open(AccessMode::Any)),
        ReadFlags::ACCESS => EventKind::Access(AccessKind::Read),
        ReadFlags::CLOSE_WRITE => EventKind::Access(AccessKind::Close(AccessMode::Write)),
        ReadFlags::CLOSE_NOWRITE => EventKind::Access(AccessKind::Close(AccessMode::Read)),
        ReadFlags::CREATE if is_folder => EventKind::Create(CreateKind::Folder),
        ReadFlags::CREATE => EventKind::Create(CreateKind::File),
        ReadFlags::MODIFY => EventKind::Modify(ModifyKind::Data(DataChange::Any)),
        ReadFlags::ATTRIB => EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)),
        ReadFlags::MOVED_FROM => EventKind::Modify(ModifyKind::Name(RenameMode::From)),
        ReadFlags::MOVED_TO => EventKind::Modify(ModifyKind::Name(RenameMode::To)),
        ReadFlags::DELETE if is_folder => EventKind::Remove(RemoveKind::Folder),
        ReadFlags::DELETE => EventKind::Remove(RemoveKind::File),
        _ => return None,
    };
    Some(kind)
}

/// The meaning of the kernel's flags for the watched folder itself.
fn folder_kind(flags: ReadFlags) -> Option<EventKind> {
    let kind = match flags.difference(ReadFlags::ISDIR) {
        ReadFlags::ATTRIB => EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)),
        ReadFlags::MOVE_SELF => EventKind::Modify(ModifyKind::Name(RenameMode::From)),
        ReadFlags::DELETE_SELF => EventKind::Remove(RemoveKind::Folder),
        ReadFlags::UNMOUNT => EventKind::Remove(RemoveKind::Other),
        _ => return None,
    };
    Some(kind)
}

/// The inotify instance: adds and removes watches.
#[derive(Debug)]
pub(crate) struct Kernel {
    descriptor: Descriptor,
    // The events that are requested for every folder.
    changes: WatchFlags,
    // A private in-memory file; watching and unwatching it puts an `IN_IGNORED` into the queue.
    fence: OwnedFd,
    last_fence: Mutex<Option<LastFence>>,
}

/// A fence that is still in the queue.
#[derive(Debug)]
struct LastFence {
    wd: i32,
    // The bytes in the queue up to its end. If there are no more, nothing is behind it.
    queued: u64,
}

impl Kernel {
    /// Creates an instance that reports, if `closes`, the closing of written files in every folder.
    pub(crate) fn new(closes: bool) -> io::Result<Self> {
        let descriptor = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let descriptor = Descriptor::new(descriptor)?;
        let fence = memfd_create("fence", MemfdFlags::CLOEXEC)?;
        let changes = if closes { CHANGES | WatchFlags::CLOSE_WRITE } else { CHANGES };
        Ok(Self { descriptor, changes, fence, last_fence: Mutex::new(None) })
    }

    /// Reads what is queued, and waits for it: see [`Descriptor::poll_read`].
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Reading>> {
        let reading = ready!(self.descriptor.poll_read(cx, buffer, RawEvent::LARGEST));
        *self.last_fence() = None;
        Poll::Ready(reading)
    }

    fn last_fence(&self) -> MutexGuard<'_, Option<LastFence>> {
        self.last_fence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_watch(&self, opened: BorrowedFd<'_>, flags: WatchFlags) -> io::Result<i32> {
        // inotify takes a path and no descriptor; proc(5) has a path for each descriptor.
        let path = format!("/proc/self/fd/{}", opened.as_raw_fd());
        Ok(inotify::add_watch(&self.descriptor, path, flags)?)
    }
}

impl FolderWatcher for Kernel {
    type Id = i32;

    fn watch_folder(&self, folder: BorrowedFd<'_>, access: bool) -> io::Result<i32> {
        let flags = if access { self.changes | ACCESSES } else { self.changes };
        // Replacing the flags of a watch clears them for an instant, in which events are lost; so add to
        // them.
        self.add_watch(folder, flags | WatchFlags::MASK_ADD)
    }

    fn watch_accesses(&self, path: &Path) -> io::Result<i32> {
        let flags = self.changes | ACCESSES | WatchFlags::MASK_ADD;
        Ok(inotify::add_watch(&self.descriptor, path, flags)?)
    }

    fn mute(&self, folder: BorrowedFd<'_>) {
        _ = self.add_watch(folder, self.changes);
    }

    fn release(&self, wd: i32) {
        // Fails if the folder is gone; then the watch is gone too.
        _ = inotify::remove_watch(&self.descriptor, wd);
    }

    fn fence(&self) -> Option<i32> {
        let mut last = self.last_fence();
        let before = ioctl_fionread(&self.descriptor).ok()?;
        if let Some(LastFence { wd, queued }) = &*last
            && *queued == before
        {
            // It serves again: thousands of watches may be added in one go.
            return Some(*wd);
        }
        // The kernel reports the end of a watch, and gives its number to no other watch.
        let wd = self.add_watch(self.fence.as_fd(), WatchFlags::DELETE_SELF).ok()?;
        inotify::remove_watch(&self.descriptor, wd).ok()?;
        *last = Some(LastFence { wd, queued: before + HEAD as u64 });
        Some(wd)
    }

    fn explain(&self, path: PathBuf, error: io::Error) -> BackendError {
        explain(path, error)
    }
}

/// Converts an error of the kernel that concerns a path.
pub(crate) fn explain(path: PathBuf, error: io::Error) -> BackendError {
    let error = BackendError::from_io(path, error);
    let setting = match error {
        BackendError::WatchLimit { .. } => "fs.inotify.max_user_watches",
        BackendError::InstanceLimit { .. } => "fs.inotify.max_user_instances",
        _ => return error,
    };
    error.with_limit(Limit::sysctl(setting))
}

/// The size of `struct inotify_event` without the name: wd, mask, cookie, len, 4 bytes each.
const HEAD: usize = 16;

/// One event as the kernel wrote it.
#[derive(Debug)]
pub(crate) struct RawEvent<'a> {
    pub(crate) wd: i32,
    pub(crate) flags: ReadFlags,
    pub(crate) cookie: u32,
    /// The entry concerned; empty if it is the watched folder itself.
    pub(crate) name: &'a OsStr,
}

impl<'a> RawEvent<'a> {
    /// The longest that an event can be: its head, and a name of 255 bytes with its end mark.
    pub(crate) const LARGEST: usize = HEAD + 256;

    /// Returns its meaning for a watched folder; none if it is of no interest.
    pub(crate) fn meaning(&self) -> Option<FolderEvent<'a>> {
        if self.flags.contains(ReadFlags::IGNORED) {
            Some(FolderEvent::Ended)
        } else if self.name.is_empty() {
            folder_kind(self.flags).map(FolderEvent::Itself)
        } else {
            let is_folder = self.flags.contains(ReadFlags::ISDIR);
            let (name, cookie) = (self.name, self.cookie);
            entry_kind(self.flags).map(|kind| FolderEvent::Entry { name, kind, is_folder, cookie })
        }
    }

    /// Takes the next event out of the `bytes` that were read.
    pub(crate) fn take(bytes: &'a [u8], unread: &mut Range<usize>) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.get(unread.clone())?.first_chunk()?;
        let word = |i: usize| u32::from_ne_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
        let name = unread.start + HEAD..unread.start + HEAD + word(12) as usize;
        let padded = bytes.get(name.clone())?;
        let length = padded.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        unread.start = name.end;
        Some(Self {
            wd: word(0).cast_signed(),
            flags: ReadFlags::from_bits_retain(word(4)),
            cookie: word(8),
            name: OsStr::from_bytes(&padded[..length]),
        })
    }
}
