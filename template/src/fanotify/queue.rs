//! The kernel's records that were read and not yet applied: [`Queue`].
//!
//! Reading ahead helps, since later records show where things are now: a folder that is about to be renamed
//! is still at its old place. Records that the kernel has merged are separated again: a removal that was
//! merged into an earlier record of the same file is moved behind the events in between. And records about
//! other parts of the file system are dropped here, before they take any memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    io,
    os::fd::AsFd,
    task::{Context, Poll, ready},
};

use libc::{FAN_CREATE, FAN_DELETE, FAN_ONDIR, FAN_Q_OVERFLOW, FAN_RENAME};
use notify_backend::descriptor::Descriptor;
use rustix::io::{Errno, read};

use crate::{
    recent::Recent,
    record::{Entry, LARGEST, RawRecord, Record},
    sys::Handle,
};

/// How many records are kept. The kernel's queue holds half as many by default, so there is room for those
/// that come while it is read. More than this are treated as a loss.
const MOST: usize = 32 * 1024;

/// The records that were read, in order.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) descriptor: Descriptor,
    buffer: Box<[u8]>,
    ahead: VecDeque<Box<[u8]>>,
    /// The number of the first record in `ahead`.
    first: u64,
    /// The records in `ahead` that rename or remove a file or folder, and whether there were others before.
    moves: HashMap<Handle, VecDeque<(u64, bool)>>,
    /// How many records in `ahead` rename a folder.
    folder_moves: usize,
    /// Removals that the kernel has put too early, by the number of the record that they belong before.
    delayed: BTreeMap<u64, Vec<Record>>,
    /// Folders in which nothing is watched, and which are not about to move.
    outside: Recent<Handle, ()>,
    is_lost: bool,
}

impl Queue {
    pub(crate) fn new(descriptor: Descriptor) -> Self {
        Self {
            descriptor,
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
            ahead: VecDeque::new(),
            first: 0,
            moves: HashMap::new(),
            folder_moves: 0,
            delayed: BTreeMap::new(),
            outside: Recent::default(),
            is_lost: false,
        }
    }

    /// Reads more records, or wakes the task once there are more.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let reading = ready!(self.descriptor.poll_read(cx, &mut self.buffer, LARGEST))?;
        self.note(reading.bytes);
        Poll::Ready(Ok(()))
    }

    /// Reads all records that there are now. All events before the call are in the queue after it.
    pub(crate) fn read_ahead(&mut self) {
        loop {
            match read(self.descriptor.as_fd(), &mut *self.buffer) {
                Ok(bytes) if bytes > 0 => self.note(bytes),
                Err(Errno::INTR) => {}
                // An error other than "nothing left" comes again with the next wait.
                _ => return,
            }
        }
    }

    fn note(&mut self, bytes: usize) {
        let buffer = std::mem::take(&mut self.buffer);
        let mut unread = &buffer[..bytes];
        while let Some(record) = RawRecord::take(&mut unread) {
            if self.is_of_interest(record) {
                self.push(record);
            }
        }
        self.buffer = buffer;
    }

    /// Returns whether a record may concern a watched path.
    fn is_of_interest(&mut self, record: RawRecord<'_>) -> bool {
        let is_folder = record.is(FAN_ONDIR);
        if is_folder && record.is(FAN_RENAME) {
            // At its new place, the folder may be watched, and everything in it.
            self.outside.clear();
            return true;
        }
        let outside = &mut self.outside;
        let mut is_named = false;
        for (folder, name) in record.entries() {
            is_named = true;
            // An event of a folder itself may concern a watch of the folder above.
            if name == "." || outside.get(folder).is_none() {
                return true;
            }
        }
        if is_named
            && is_folder
            && let Some(child) = record.child()
        {
            match (record.is(FAN_CREATE), record.is(FAN_DELETE)) {
                (true, false) => Handle::told(child).into_iter().for_each(|child| {
                    outside.insert(child, ());
                }),
                (_, true) => outside.remove(child),
                _ => {}
            }
        }
        !is_named
    }

    fn push(&mut self, record: RawRecord<'_>) {
        if self.ahead.len() >= MOST {
            self.lose();
            return;
        }
        let number = self.end();
        if record.is(FAN_RENAME | FAN_DELETE)
            && let Some(child) = record.child().and_then(Handle::told)
        {
            let moves = self.moves.entry(child).or_default();
            moves.push_back((number, !moves.is_empty()));
        }
        self.folder_moves += usize::from(is_folder_move(record.mask()));
        self.ahead.push_back(record.0.into());
    }

    /// Drops everything, as if the kernel had reported an overflow.
    fn lose(&mut self) {
        self.first = self.end();
        self.ahead.clear();
        self.moves.clear();
        self.folder_moves = 0;
        self.delayed.clear();
        self.outside.clear();
        self.is_lost = true;
    }

    /// Returns the number that the next record from the kernel will get.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.ahead.len() as u64
    }

    /// Notes that nothing is watched in a folder, as of the next record.
    pub(crate) fn leave_out(&mut self, folder: &Handle) {
        if self.folder_moves == 0 {
            self.outside.insert(folder.clone(), ());
        }
    }

    /// Notes that more is watched than before.
    pub(crate) fn leave_nothing_out(&mut self) {
        self.outside.clear();
    }

    /// Takes the next record, and its number.
    pub(crate) fn next(&mut self) -> Option<(u64, Record)> {
        if std::mem::take(&mut self.is_lost) {
            return Some((self.first, Record::overflow()));
        }
        if let Some(mut delayed) = self.delayed.first_entry()
            && *delayed.key() <= self.first
        {
            let record = delayed.get_mut().remove(0);
            if delayed.get().is_empty() {
                delayed.remove();
            }
            // It is part of a record that was read before.
            return Some((self.first.saturating_sub(1), record));
        }
        let raw = self.ahead.pop_front()?;
        let mut record = RawRecord(&raw).parse();
        let number = self.first;
        self.first += 1;
        self.folder_moves -= usize::from(is_folder_move(record.mask));
        record.is_repeated = record.is(FAN_RENAME) & self.forget_move(&record, number);
        if record.is(FAN_Q_OVERFLOW) {
            self.outside.clear();
        }
        if record.is(FAN_DELETE) {
            self.put_right(&mut record);
        }
        Some((number, record))
    }

    /// Forgets a record that was taken. Returns whether there were others of the same file before it.
    fn forget_move(&mut self, record: &Record, number: u64) -> bool {
        let Some(child) = &record.child else { return false };
        let Some(moves) = self.moves.get_mut(child) else { return false };
        let Some((_, is_repeated)) = moves.front().copied().filter(|(front, _)| *front == number)
        else {
            return false;
        };
        moves.pop_front();
        if moves.is_empty() {
            self.moves.remove(child);
        }
        is_repeated
    }

    /// Takes a removal out of a record that it may have been merged into, if a later record happened before
    /// it.
    fn put_right(&mut self, record: &mut Record) {
        let is_merged = record.mask & !(FAN_DELETE | FAN_ONDIR) != 0;
        let (Some(at), Some(child)) = (&record.at, &record.child) else { return };
        let is_merged_folder = record.is_folder() && is_merged;
        if is_merged_folder {
            // The events of its entries before its removal are in the kernel's queue, if not in this one.
            self.read_ahead();
        }
        let renames = |(number, _): &(u64, bool)| self.get(*number).is(FAN_RENAME);
        if !is_merged_folder
            && !self.moves.get(child).is_some_and(|moves| moves.iter().any(renames))
        {
            return;
        }
        let number = self.first + self.last_concerning(at, child) as u64;
        let removal = Record { mask: record.mask & (FAN_DELETE | FAN_ONDIR), ..record.clone() };
        // A folder is removed after its entries.
        let above = self.delayed.iter().find_map(|(&number, others)| {
            let is_above = |other: &Record| other.child.as_ref() == Some(&at.folder);
            Some((number, others.iter().position(is_above)?))
        });
        record.mask &= !FAN_DELETE;
        let (number, at) = match above {
            Some((limit, at)) if limit <= number => (limit, at),
            _ => (number, usize::MAX),
        };
        let others = self.delayed.entry(number).or_default();
        others.insert(at.min(others.len()), removal);
    }

    /// Returns after how many records there is none left that happened before `child` was removed from
    /// `at`.
    fn last_concerning(&self, at: &Entry, child: &Handle) -> usize {
        let mut last = 0;
        let mut within = HashSet::from([child.clone()]);
        for (number, raw) in (1..).zip(&self.ahead) {
            let record = RawRecord(raw).parse();
            if is_after_removal(&record, at, child) {
                break;
            }
            let is_within = |entry: &Entry| within.contains(&entry.folder);
            if [&record.at, &record.to].into_iter().flatten().any(is_within) {
                last = number;
                if record.is_folder() {
                    within.extend(record.child);
                }
            } else if record.child.as_ref() == Some(child) {
                last = number;
            }
        }
        last
    }

    fn get(&self, number: u64) -> RawRecord<'_> {
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        RawRecord(self.ahead.get(index).map_or(&[], |raw| raw))
    }

    /// Returns the place of a file or folder, as of the next record, if a record that was read shows it:
    /// the place that it will be renamed or removed from.
    pub(crate) fn place_of(&self, child: &Handle) -> Option<Entry> {
        if let Some((number, _)) = self.moves.get(child).and_then(VecDeque::front) {
            return self.get(*number).parse().at;
        }
        let mut delayed = self.delayed.values().flatten();
        delayed.find(|record| record.child.as_ref() == Some(child))?.at.clone()
    }
}

fn is_folder_move(mask: u64) -> bool {
    mask & FAN_RENAME != 0 && mask & FAN_ONDIR != 0
}

/// Returns whether a record happened after `child` was removed from `at`: another file has its name, or the
/// folder that it was in is gone.
fn is_after_removal(record: &Record, at: &Entry, child: &Handle) -> bool {
    let is_other = record.child.as_ref() != Some(child);
    let arrival = if record.is(FAN_RENAME) { &record.to } else { &record.at };
    let has_name = record.is(FAN_CREATE | FAN_RENAME) && is_other && arrival.as_ref() == Some(at);
    has_name || record.is(FAN_DELETE) && record.child.as_ref() == Some(&at.folder)
}
