//! What is asked of the kernel and what it answers: flags, watches, raw events. See inotify(7).

use std::{
    ffi::OsStr,
    io,
    ops::Range,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
};

use notify_backend::{descriptor::Descriptor, prelude::*, recursion::FolderWatcher};
use rustix::fs::{
    MemfdFlags,
    inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    memfd_create,
};

use crate::files::{Files, WatchedFile};

/// What every folder is watched for. That files are opened, read and closed is not asked for unless a
/// watch wants to hear of it: each file that is read is three events. An open file that has no name any
/// more reports nothing, or its events would bear a name that may be another file's by now
/// (`IN_EXCL_UNLINK`).
const CHANGES: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    // To replace the flags of a watch loses what happens at that moment: they are 0 for an instant.
    .union(WatchFlags::MASK_ADD)
    .union(WatchFlags::ONLYDIR);

/// What it is watched for where accesses are wanted.
const ACCESSES: WatchFlags = WatchFlags::OPEN.union(WatchFlags::ACCESS).union(WatchFlags::CLOSE);

/// Those of them that a folder is watched for while it is listed. That opens, reads and closes it, which
/// in a tree of some thousand folders would fill the kernel's queue.
const ACCESSES_WHILE_LISTED: WatchFlags = WatchFlags::CLOSE_WRITE;

/// What an event says of an entry: each of the kernel's flags, once.
pub(crate) fn entry_kind(flags: ReadFlags) -> Option<EventKind> {
    let is_folder = flags.contains(ReadFlags::ISDIR);
    let kind = match flags.difference(ReadFlags::ISDIR) {
        // Listing a folder opens and reads it too. That is no access to a file, and this backend's
        // own listing would show.
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
    /// Whether the kernel has lost events, and all folders are being listed again.
    pub(crate) has_overflown: bool,
    /// Whether a watch wants to hear of accesses.
    pub(crate) wants_accesses: bool,
    // A file of nobody else's, to be watched for an instant.
    mark: OwnedFd,
}

impl Kernel {
    pub(crate) fn new() -> io::Result<Self> {
        let descriptor = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let descriptor = Descriptor::new(descriptor)?;
        let mark = memfd_create("mark", MemfdFlags::CLOEXEC)?;
        Ok(Self {
            descriptor,
            files: Files::default(),
            has_overflown: false,
            wants_accesses: false,
            mark,
        })
    }

    /// Watches a folder that is a root.
    pub(crate) fn watch_root(&self, folder: &Path) -> io::Result<i32> {
        watch_path(&self.descriptor, folder, self.flags())
    }

    /// Watches a file in all places that make it what it is.
    pub(crate) fn watch_file(&mut self, file: &WatchedFile) -> io::Result<()> {
        let (descriptor, flags) = (&self.descriptor, self.flags());
        self.files.add(file, |folder| watch_path(descriptor, folder, flags))
    }

    fn flags(&self) -> WatchFlags {
        if self.wants_accesses { CHANGES.union(ACCESSES) } else { CHANGES }
    }
}

fn watch_path(descriptor: &Descriptor, folder: &Path, flags: WatchFlags) -> io::Result<i32> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Ok(inotify::add_watch(descriptor, folder, flags)?)
}

fn watch_opened(
    descriptor: &Descriptor,
    opened: BorrowedFd<'_>,
    flags: WatchFlags,
) -> io::Result<i32> {
    // inotify takes no descriptor for what is to be watched; proc(5) makes one a path.
    let path = format!("/proc/self/fd/{}", opened.as_raw_fd());
    Ok(inotify::add_watch(descriptor, path, flags)?)
}

impl FolderWatcher for Kernel {
    type Id = i32;

    fn watch_folder(&self, folder: BorrowedFd<'_>) -> io::Result<i32> {
        watch_opened(&self.descriptor, folder, self.flags())
    }

    fn watch_to_list(&self, folder: BorrowedFd<'_>) -> io::Result<i32> {
        // Where it is watched already, that stays as it is, unless events were lost anyway.
        let mut flags = CHANGES;
        flags.set(ACCESSES_WHILE_LISTED, self.wants_accesses);
        flags.set(WatchFlags::MASK_ADD, !self.has_overflown);
        watch_opened(&self.descriptor, folder, flags)
    }

    fn listed(&self, location: &Path, _: i32) -> io::Result<i32> {
        watch_path(&self.descriptor, location, self.flags())
    }

    fn mark(&self) -> Option<i32> {
        // The end of a watch is reported, and no other watch is called the same.
        let wd = watch_opened(&self.descriptor, self.mark.as_fd(), WatchFlags::DELETE_SELF).ok()?;
        inotify::remove_watch(&self.descriptor, wd).ok()?;
        Some(wd)
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
