//! The model of inotify, which turns the notes of a file system into events: [`Inotify`]. See `inotify(7)`,
//! and `fs/notify/inotify` in the kernel.

use std::collections::{BTreeMap, VecDeque};

use super::disk::{Entry, Inode, Itself, Name, Note};

/// The flags, with the kernel's values.
pub(super) mod flag {
    pub(in super::super) const ACCESS: u32 = 0x1;
    pub(in super::super) const MODIFY: u32 = 0x2;
    pub(in super::super) const ATTRIB: u32 = 0x4;
    pub(in super::super) const CLOSE_WRITE: u32 = 0x8;
    pub(in super::super) const CLOSE_NOWRITE: u32 = 0x10;
    pub(in super::super) const OPEN: u32 = 0x20;
    pub(in super::super) const MOVED_FROM: u32 = 0x40;
    pub(in super::super) const MOVED_TO: u32 = 0x80;
    pub(in super::super) const CREATE: u32 = 0x100;
    pub(in super::super) const DELETE: u32 = 0x200;
    pub(in super::super) const DELETE_SELF: u32 = 0x400;
    pub(in super::super) const MOVE_SELF: u32 = 0x800;
    pub(in super::super) const UNMOUNT: u32 = 0x2000;
    pub(in super::super) const Q_OVERFLOW: u32 = 0x4000;
    pub(in super::super) const IGNORED: u32 = 0x8000;
    pub(in super::super) const ISDIR: u32 = 0x4000_0000;

    /// Returns the name of a flag.
    pub(in super::super) fn name(mask: u32) -> &'static str {
        match mask & !ISDIR {
            ACCESS => "ACCESS",
            MODIFY => "MODIFY",
            ATTRIB => "ATTRIB",
            CLOSE_WRITE => "CLOSE_WRITE",
            CLOSE_NOWRITE => "CLOSE_NOWRITE",
            OPEN => "OPEN",
            MOVED_FROM => "MOVED_FROM",
            MOVED_TO => "MOVED_TO",
            CREATE => "CREATE",
            DELETE => "DELETE",
            DELETE_SELF => "DELETE_SELF",
            MOVE_SELF => "MOVE_SELF",
            UNMOUNT => "UNMOUNT",
            Q_OVERFLOW => "Q_OVERFLOW",
            IGNORED => "IGNORED",
            _ => "several flags",
        }
    }

    /// All flags except accesses.
    pub(in super::super) const CHANGES: u32 =
        MODIFY | ATTRIB | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF;
    pub(in super::super) const ACCESSES: u32 = ACCESS | CLOSE_WRITE | CLOSE_NOWRITE | OPEN;
}

/// A watch descriptor; never used twice.
pub(super) type Wd = i32;

/// `struct inotify_event`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Event {
    pub(super) wd: Wd,
    pub(super) mask: u32,
    pub(super) cookie: u32,
    /// Empty if it is about the watched inode itself.
    pub(super) name: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Watch {
    inode: Inode,
    mask: u32,
}

/// An inotify instance.
#[derive(Clone, Debug)]
pub(super) struct Inotify {
    watches: BTreeMap<Wd, Watch>,
    queue: VecDeque<Event>,
    // `fs.inotify.max_queued_events`.
    limit: usize,
    last: Wd,
    last_fence: Wd,
}

impl Inotify {
    pub(super) fn new(limit: usize) -> Self {
        Self { watches: BTreeMap::new(), queue: VecDeque::new(), limit, last: 0, last_fence: 0 }
    }

    /// Watches an inode for the events in `mask`, in addition to those that it is watched for already.
    pub(super) fn add(&mut self, inode: Inode, mask: u32) -> Wd {
        if let Some((&wd, watch)) = self.watches.iter_mut().find(|(_, it)| it.inode == inode) {
            watch.mask |= mask;
            return wd;
        }
        self.last += 1;
        self.watches.insert(self.last, Watch { inode, mask });
        self.last
    }

    /// Stops watching an inode for accesses.
    pub(super) fn mute(&mut self, inode: Inode) {
        let watches = self.watches.values_mut().filter(|it| it.inode == inode);
        watches.for_each(|watch| watch.mask &= !flag::ACCESSES);
    }

    /// Ends a watch. Returns whether there was one.
    pub(super) fn remove(&mut self, wd: Wd) -> bool {
        let is_there = self.watches.remove(&wd).is_some();
        if is_there {
            self.queue(wd, flag::IGNORED, 0, "".into());
        }
        is_there
    }

    /// Puts a fence into the queue: the end of a watch that lasts an instant, with a number of its own.
    pub(super) fn fence(&mut self) -> Wd {
        self.last += 1;
        self.last_fence = self.last;
        self.queue(self.last, flag::IGNORED, 0, "".into());
        self.last
    }

    /// Returns the last fence if nothing is queued behind it.
    pub(super) fn fence_at_end(&self) -> Option<Wd> {
        self.queue.back().map(|event| event.wd).filter(|&wd| wd == self.last_fence)
    }

    /// Returns all watched inodes.
    pub(super) fn all_watched(&self) -> impl Iterator<Item = Inode> {
        self.watches.values().map(|watch| watch.inode)
    }

    pub(super) fn is_watched(&self, inode: Inode) -> bool {
        self.watch_of(inode).is_some()
    }

    /// Returns how many events the queue holds.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes the oldest event out of the queue.
    pub(super) fn read(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    /// Queues the events of a note for the watches that it concerns.
    pub(super) fn note(&mut self, note: &Note) {
        match note {
            Note::Entry { folder, name, what, is_folder, .. } => {
                let (bit, cookie) = match *what {
                    Entry::Created => (flag::CREATE, 0),
                    Entry::Removed => (flag::DELETE, 0),
                    Entry::MovedFrom(cookie) => (flag::MOVED_FROM, cookie),
                    Entry::MovedTo(cookie) => (flag::MOVED_TO, cookie),
                };
                self.report(*folder, bit, *is_folder, cookie, name.clone());
            }
            Note::Itself { inode, what: Itself::Gone, .. } => {
                // This event has no `IN_ISDIR`, even for a folder.
                self.report(*inode, flag::DELETE_SELF, false, 0, "".into());
                self.watch_of(*inode).map(|(wd, _)| self.remove(wd));
            }
            Note::Itself { inode, what: Itself::Moved, .. } => {
                self.report(*inode, flag::MOVE_SELF, false, 0, "".into());
            }
            Note::Itself { inode, what, is_folder, entry } => {
                let bit = match what {
                    Itself::Opened => flag::OPEN,
                    Itself::Read => flag::ACCESS,
                    Itself::Written => flag::MODIFY,
                    Itself::ClosedAfterReading => flag::CLOSE_NOWRITE,
                    Itself::ClosedAfterWriting => flag::CLOSE_WRITE,
                    Itself::Metadata | Itself::Moved | Itself::Gone => flag::ATTRIB,
                };
                if let Some((folder, name)) = entry {
                    self.report(*folder, bit, *is_folder, 0, name.clone());
                }
                self.report(*inode, bit, *is_folder, 0, "".into());
            }
        }
    }

    fn watch_of(&self, inode: Inode) -> Option<(Wd, Watch)> {
        let watch = self.watches.iter().find(|(_, watch)| watch.inode == inode);
        watch.map(|(&wd, &watch)| (wd, watch))
    }

    fn report(&mut self, inode: Inode, bit: u32, is_folder: bool, cookie: u32, name: Name) {
        if let Some((wd, watch)) = self.watch_of(inode)
            && watch.mask & bit != 0
        {
            self.queue(wd, bit | if is_folder { flag::ISDIR } else { 0 }, cookie, name);
        }
    }

    fn queue(&mut self, wd: Wd, mask: u32, cookie: u32, name: Name) {
        let event = Event { wd, mask, cookie, name };
        let last = self.queue.back();
        if self.queue.len() >= self.limit {
            let overflow = Event { wd: -1, mask: flag::Q_OVERFLOW, cookie: 0, name: "".into() };
            if !self.queue.contains(&overflow) {
                self.queue.push_back(overflow);
            }
        } else if !last.is_some_and(|last| is_merged(last, &event)) {
            self.queue.push_back(event);
        }
    }
}

/// Returns whether the kernel drops an event because the last one says the same. That goes for the second
/// of two renames over one name too, although its cookie is another one (`event_compare`).
fn is_merged(last: &Event, next: &Event) -> bool {
    last.mask & flag::IGNORED == 0
        && (last.wd, last.mask, &last.name) == (next.wd, next.mask, &next.name)
}
