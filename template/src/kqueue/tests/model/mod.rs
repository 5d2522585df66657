//! A model of kqueue's `EVFILT_VNODE`, on Linux's real files: [`Model`].
//!
//! What happens to a file comes from inotify, by a watch on the inode behind each descriptor; what kqueue says about it
//! follows the rules below. Everything that kqueue does not say is thrown away: names, order, number.
//!
//! | rule | source |
//! |---|---|
//! | a knote belongs to a descriptor, follows the file's renames, and ends with `close` | kqueue(2) of FreeBSD and OpenBSD |
//! | with `EV_CLEAR`, facts are collected in one set of bits until they are read | kqueue(2), `knote()` in FreeBSD's `kern_event.c` |
//! | a folder has `NOTE_WRITE` when an entry comes or goes; nothing when an entry is written | FreeBSD's `vfs_subr.c`, `vop_create_post`, `vop_mkdir_post`, `vop_remove_post`, … |
//! | a rename: `NOTE_WRITE` for both folders, then `NOTE_RENAME` for the file, `NOTE_DELETE` for one that it replaces | `vop_rename_post` there |
//! | a file has `NOTE_DELETE` when *any* of its names is removed, mostly | kqueue(2): "`unlink()` was called"; `vop_remove_post` |
//! | a folder has `NOTE_DELETE` when it is removed, though it is open | `vop_rmdir_post` |
//! | a write is `NOTE_WRITE`, with `NOTE_EXTEND` if the file has grown; a change of mode, owner or times is `NOTE_ATTRIB` | `VOP_WRITE_POST` in FreeBSD's `vnode.h`, `vop_setattr_post` |
//! | notes are in no order, and not all are taken at once | kqueue(2) promises no order, so the model shuffles them |
//! | an open file keeps its file system busy | umount(2) of the BSDs; not so with `O_EVTONLY` on macOS |
//!
//! What differs between the systems is in `systems.rs`.
//!
//! # Where it is no kqueue
//!
//! - If inotify's own queue overflows, every file gets a note with all bits.
//! - A folder that is removed gets its note when the folder above it has its own.
//! - A file that was written and is shorter than before has only the note of having become shorter.
//! - Limits of the BSDs' file systems and `NOTE_REVOKE` are not modelled: the backend treats every note as a reason to
//!   look.

mod systems;

use std::{
    cmp::Ordering,
    collections::HashMap,
    fmt, io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::{
        FileType, Mode, OFlags, Stat, fstat,
        inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
        open,
    },
    io::Errno,
};

use crate::backend::{Note, Vnodes};

#[allow(unused_imports, reason = "not every test program chooses a system")]
pub(crate) use self::systems::{System, VARIABLE};

/// How many notes are taken at once.
const AT_ONCE: usize = 64;

/// What is asked of inotify. For a folder, what concerns its entries has a name.
const EVENTS: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::MOVE_SELF);

/// The bits of `EVFILT_VNODE`, by their numbers in the systems' `sys/event.h`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Facts(u32);

impl Facts {
    const DELETE: Self = Self(0x01);
    const WRITE: Self = Self(0x02);
    const EXTEND: Self = Self(0x04);
    const ATTRIB: Self = Self(0x08);
    const LINK: Self = Self(0x10);
    const RENAME: Self = Self(0x20);
    /// Of OpenBSD alone.
    const TRUNCATE: Self = Self(0x80);
    const ALL: Self = Self(0x3f);

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The bits that mean that contents were written, as `kqueue.rs` has it.
const WRITTEN: Facts = Facts(Facts::WRITE.0 | Facts::EXTEND.0);

/// A queue as the kernel of a BSD would fill it.
pub(crate) struct Model(Arc<Queue>);

struct Queue {
    system: System,
    inotify: OwnedFd,
    woken: OwnedFd,
    knotes: Mutex<Knotes>,
}

#[derive(Default)]
struct Knotes {
    /// By inotify's number of the watch.
    by_watch: HashMap<i32, Knote>,
    /// What was not taken yet, by token.
    active: HashMap<usize, Facts>,
    random: u64,
}

struct Knote {
    token: usize,
    descriptor: i32,
    is_folder: bool,
    links: u64,
    size: i64,
}

/// An open file, and its knote.
pub(crate) struct File {
    descriptor: OwnedFd,
    knote: OnceLock<(Arc<Queue>, i32)>,
}

impl Vnodes for Model {
    type File = File;

    fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let woken = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let system = System::of_environment();
        Ok(Self(Arc::new(Queue { system, inotify, woken, knotes: Mutex::default() })))
    }

    fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let descriptor = open(path, flags, Mode::empty())?;
        Ok(File { descriptor, knote: OnceLock::new() })
    }

    fn watch(&self, file: &File, token: usize) -> io::Result<()> {
        let descriptor = file.descriptor.as_raw_fd();
        let stat = fstat(file)?;
        let mut knotes = self.0.lock();
        let path = format!("/proc/self/fd/{descriptor}");
        let watch = inotify::add_watch(&self.0.inotify, path, EVENTS)?;
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let knote =
            Knote { token, descriptor, is_folder, links: stat.st_nlink, size: stat.st_size };
        assert!(knotes.by_watch.insert(watch, knote).is_none(), "a file is watched twice");
        file.knote.get_or_init(|| (self.0.clone(), watch));
        Ok(())
    }

    fn take(&self, timeout: Option<Duration>) -> io::Result<Vec<Note>> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        if !self.0.read()? {
            let mut ready =
                [&self.0.inotify, &self.0.woken].map(|it| PollFd::new(it, PollFlags::IN));
            match poll(&mut ready, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => self.0.read()?,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(self.0.lock().take())
    }

    fn wake(&self) {
        rustix::io::write(&self.0.woken, &1_u64.to_ne_bytes()).expect("its counter has room");
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Knotes> {
        self.knotes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what inotify has, and activates knotes. Returns whether there are active ones.
    fn read(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut knotes = self.lock();
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let (flags, is_entry) = (event.events(), event.file_name().is_some());
                    knotes.happened(self.system, event.wd(), flags, is_entry);
                }
                Err(Errno::AGAIN) => return Ok(!knotes.active.is_empty()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Knotes {
    /// Translates one event of inotify.
    fn happened(&mut self, system: System, watch: i32, flags: ReadFlags, is_entry: bool) {
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            let tokens: Vec<_> = self.by_watch.values().map(|knote| knote.token).collect();
            return tokens.into_iter().for_each(|token| self.activate(token, Facts::ALL));
        }
        // It may be closed already.
        let Some(knote) = self.by_watch.get_mut(&watch) else { return };
        let facts = if is_entry {
            // kqueue has nothing to say about an entry itself.
            let written = if flags.contains(ReadFlags::MOVED_FROM) {
                system.moved_from()
            } else {
                let names = ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_TO;
                flags.intersects(names).then_some(Facts::WRITE)
            };
            let Some(written) = written else { return };
            if flags.contains(ReadFlags::ISDIR) { written.and(Facts::LINK) } else { written }
        } else if flags.contains(ReadFlags::MODIFY) {
            let size = stat(knote.descriptor).map_or(knote.size, |stat| stat.st_size);
            match size.cmp(&std::mem::replace(&mut knote.size, size)) {
                Ordering::Less => system.shortened(),
                Ordering::Equal => Facts::WRITE,
                Ordering::Greater => Facts::WRITE.and(Facts::EXTEND),
            }
        } else if flags.contains(ReadFlags::MOVE_SELF) {
            Facts::RENAME
        } else if flags.contains(ReadFlags::DELETE_SELF) {
            Facts::DELETE
        } else if flags.contains(ReadFlags::ATTRIB) {
            // inotify has the same event for a change of the number of names.
            let links = links(knote.descriptor).unwrap_or(knote.links);
            match links.cmp(&std::mem::replace(&mut knote.links, links)) {
                Ordering::Less => system.lost_name(links > 0),
                Ordering::Equal => Facts::ATTRIB,
                Ordering::Greater => Facts::LINK,
            }
        } else {
            return;
        };
        let token = knote.token;
        self.activate(token, facts);
        let removes = ReadFlags::DELETE | ReadFlags::MOVED_TO;
        if is_entry && flags.contains(ReadFlags::ISDIR) && flags.intersects(removes) {
            self.find_removed_folders();
        }
    }

    /// Activates the knotes of folders that were removed: inotify says so only when they are closed.
    fn find_removed_folders(&mut self) {
        let is_removed = |knote: &&mut Knote| {
            knote.is_folder && knote.links > 0 && links(knote.descriptor) == Some(0)
        };
        let removed = self.by_watch.values_mut().filter(is_removed);
        let tokens: Vec<_> = removed
            .map(|knote| {
                knote.links = 0;
                knote.token
            })
            .collect();
        for token in tokens {
            self.activate(token, Facts::DELETE);
        }
    }

    fn activate(&mut self, token: usize, facts: Facts) {
        let before = self.active.entry(token).or_default();
        *before = before.and(facts);
    }

    /// Takes some of the active knotes, in an order that changes every time.
    fn take(&mut self) -> Vec<Note> {
        let mut tokens: Vec<_> = self.active.keys().copied().collect();
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let salt = self.random;
        tokens.sort_by_key(|&token| (token as u64 ^ salt).wrapping_mul(0xbf58_476d_1ce4_e5b9));
        tokens.truncate(AT_ONCE);
        let facts =
            tokens.into_iter().filter_map(|token| Some((token, self.active.remove(&token)?)));
        facts.map(|(token, facts)| Note { token, is_written: facts.has_any(WRITTEN) }).collect()
    }
}

/// Returns the number of names of an open file.
fn links(descriptor: i32) -> Option<u64> {
    stat(descriptor).map(|stat| stat.st_nlink)
}

fn stat(descriptor: i32) -> Option<Stat> {
    // SAFETY: files are closed under the lock of the queue.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    fstat(descriptor).ok()
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for File {
    /// As the kernel does when a descriptor is closed.
    fn drop(&mut self) {
        if let Some((queue, watch)) = self.knote.get() {
            let mut knotes = queue.lock();
            if let Some(knote) = knotes.by_watch.remove(watch) {
                knotes.active.remove(&knote.token);
            }
            // Fails if the file is gone, and the watch with it.
            _ = inotify::remove_watch(&queue.inotify, *watch);
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model of {} knotes", self.0.lock().by_watch.len())
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.descriptor.fmt(f)
    }
}
