//! What is asked of the kernel and what it answers: flags, watches, raw events. See inotify(7).

use std::{
    collections::VecDeque,
    ffi::OsStr,
    io,
    ops::Range,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
};

use notify_backend::{descriptor::Descriptor, prelude::*, recursion::FolderWatcher};
use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::read,
};

use crate::files::Files;

/// What every folder is watched for. An open file that has no name any more reports nothing, or its
/// events would bear a name that may be another file's by now (`IN_EXCL_UNLINK`).
const FOLDER: WatchFlags = WatchFlags::ACCESS
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CLOSE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::OPEN)
    .union(WatchFlags::EXCL_UNLINK)
    // The folder may be watched already, and for more.
    .union(WatchFlags::MASK_ADD)
    .union(WatchFlags::ONLYDIR);

/// What a folder is watched for besides where nothing above it tells what becomes of it.
const ROOT: WatchFlags = FOLDER.union(WatchFlags::DELETE_SELF).union(WatchFlags::MOVE_SELF);

/// What an event says of an entry: each of the kernel's flags, once.
pub(crate) fn entry_kind(flags: ReadFlags) -> Option<EventKind> {
    let is_folder = flags.contains(ReadFlags::ISDIR);
    let kind = match flags.difference(ReadFlags::ISDIR) {
        _ if is_listing(flags) => return None,
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

/// Whether an event comes from the listing of a folder, which opens and reads it. That is no access
/// to a file, and this backend's own listing would show.
fn is_listing(flags: ReadFlags) -> bool {
    let access = ReadFlags::OPEN | ReadFlags::ACCESS | ReadFlags::CLOSE_NOWRITE;
    flags.contains(ReadFlags::ISDIR) && flags.intersects(access)
}

/// What an event says of the watched root itself.
pub(crate) fn root_kind(flags: ReadFlags) -> Option<EventKind> {
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
    pub(crate) descriptor: Descriptor,
    /// Keep the watches of the folders that they are in.
    pub(crate) files: Files,
}

impl Kernel {
    pub(crate) fn new() -> io::Result<Self> {
        let descriptor = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { descriptor: Descriptor::new(descriptor)?, files: Files::default() })
    }

    /// Watches a folder that is a root.
    pub(crate) fn watch_root(&self, folder: &Path) -> io::Result<i32> {
        watch_root(&self.descriptor, folder)
    }

    /// Watches the file at `location`, which was given as `path`, in all places that make it what
    /// it is.
    pub(crate) fn watch_file(&mut self, path: &Path, location: &Path) -> io::Result<()> {
        let descriptor = &self.descriptor;
        self.files.add(path, location, |folder| watch_root(descriptor, folder))
    }
}

/// How much is read at a time. More takes memory that is cold each time it is reached.
pub(crate) const BUFFER: usize = 64 * 1024;

/// What was read ahead while folders were being listed. That opens and reads them, which the kernel
/// reports as well: a tree of a few thousand folders would fill its queue with that alone.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    // Each of at most `BUFFER` bytes.
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    is_drained: bool,
}

impl Backlog {
    /// Beyond this, what comes is left to the kernel, which says so when it loses events.
    const MOST: usize = 64 * 1024 * 1024;

    /// Reads all that the kernel has now, and keeps what the listing of folders did not cause.
    pub(crate) fn absorb(&mut self, kernel: &Kernel) {
        let mut buffer = vec![0; BUFFER];
        self.is_drained = false;
        while self.bytes < Self::MOST {
            // An error that is not about an empty queue comes up again at the next poll.
            let Ok(length) = read(&kernel.descriptor, &mut buffer) else {
                self.is_drained = true;
                return;
            };
            let (mut unread, mut kept) = (0..length, Vec::new());
            let mut start = 0;
            while let Some(event) = RawEvent::take(&buffer, &mut unread) {
                if !is_listing(event.flags) {
                    kept.extend_from_slice(&buffer[start..unread.start]);
                }
                start = unread.start;
            }
            if !kept.is_empty() {
                self.bytes += kept.len();
                self.chunks.push_back(kept);
            }
        }
    }

    /// The events that are next, and whether the kernel had no more when they were read.
    pub(crate) fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.len();
        Some((chunk, self.chunks.is_empty() && self.is_drained))
    }
}

fn watch_root(descriptor: &Descriptor, folder: &Path) -> io::Result<i32> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Ok(inotify::add_watch(descriptor, folder, ROOT)?)
}

impl FolderWatcher for Kernel {
    type Id = i32;

    fn watch_folder(&self, folder: BorrowedFd<'_>) -> io::Result<i32> {
        // inotify takes no descriptor for what is to be watched; proc(5) makes one a path.
        let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
        Ok(inotify::add_watch(&self.descriptor, path, FOLDER)?)
    }

    fn release(&self, wd: i32) {
        if !self.files.are_in(wd) {
            // Fails if the folder is gone, and the watch with it: that is as good.
            let _ = inotify::remove_watch(&self.descriptor, wd);
        }
    }
}

/// The size of `struct inotify_event` without the name: wd, mask, cookie, len, 4 bytes each.
const HEAD: usize = 16;

/// One event as the kernel wrote it.
#[derive(Debug)]
pub(crate) struct RawEvent<'a> {
    pub(crate) wd: i32,
    pub(crate) flags: ReadFlags,
    pub(crate) cookie: u32,
    /// The entry concerned; empty where it is the watched folder itself.
    pub(crate) name: &'a OsStr,
    /// What was read after it.
    rest: &'a [u8],
}

impl<'a> RawEvent<'a> {
    /// The longest that an event can be: its head, and a name of 255 bytes with its end mark.
    pub(crate) const LARGEST: usize = HEAD + 256;

    /// Whether the next event, among those that were read, opens the entry.
    pub(crate) fn is_opened_next(&self) -> bool {
        let next = RawEvent::take(self.rest, &mut (0..self.rest.len()));
        next.is_some_and(|next| {
            next.flags == ReadFlags::OPEN && next.wd == self.wd && next.name == self.name
        })
    }

    /// Takes the next event out of what was read into `bytes`.
    pub(crate) fn take(bytes: &'a [u8], unread: &mut Range<usize>) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.get(unread.clone())?.first_chunk()?;
        let word = |i: usize| u32::from_ne_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
        let name = unread.start + HEAD..unread.start + HEAD + word(12) as usize;
        let padded = bytes.get(name.clone())?;
        let length = padded.iter().position(|&byte| byte == 0).unwrap_or(padded.len());
        unread.start = name.end;
        Some(Self {
            wd: word(0).cast_signed(),
            flags: ReadFlags::from_bits_retain(word(4)),
            cookie: word(8),
            name: OsStr::from_bytes(&padded[..length]),
            rest: bytes.get(unread.clone()).unwrap_or_default(),
        })
    }
}
