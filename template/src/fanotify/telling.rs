//! Reports for the watched paths, made from records: the other half of [`Filesystems`].

use std::{io, sync::Arc};

use libc::{
    FAN_ACCESS, FAN_ATTRIB, FAN_CLOSE_NOWRITE, FAN_CLOSE_WRITE, FAN_CREATE, FAN_DELETE, FAN_MODIFY,
    FAN_ONDIR, FAN_OPEN, FAN_Q_OVERFLOW,
};
use notify_backend::prelude::*;

use crate::{
    filesystem::{ACCESSES, Filesystems},
    places::{self, Place},
    record::{Entry, Record},
    roots::{Beside, Covered},
    sys::Handle,
};

/// How deep a folder can be. A longer chain is a circle, which two looks at different times can produce.
const DEEPEST: usize = 2048;

const FROM: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::From));
const TO: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));
const METADATA: EventKind = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));

/// The bits of events about a file by its name, in the order in which they happen.
const BITS: [(u64, EventKind); 6] = [
    (FAN_OPEN, EventKind::Access(AccessKind::Open(AccessMode::Any))),
    (FAN_ACCESS, EventKind::Access(AccessKind::Read)),
    (FAN_MODIFY, EventKind::Modify(ModifyKind::Data(DataChange::Any))),
    (FAN_CLOSE_WRITE, EventKind::Access(AccessKind::Close(AccessMode::Write))),
    (FAN_CLOSE_NOWRITE, EventKind::Access(AccessKind::Close(AccessMode::Read))),
    (FAN_ATTRIB, METADATA),
];

/// The number of a root, and a path to report for it.
type Said = (u32, PathBuf);

impl Filesystems {
    /// Reports the events in a record.
    pub(crate) fn apply(&mut self, number: u64, record: &Record) {
        if record.is(FAN_Q_OVERFLOW) {
            self.look_again();
            return;
        }
        match (&record.at, &record.to) {
            (Some(from), Some(to)) => self.rename(number, record, from, to),
            (Some(at), None) => self.tell_entry(number, record, at),
            // A file got or lost a name.
            _ => record.child.iter().for_each(|child| self.forget(child)),
        }
    }

    fn tell_entry(&mut self, number: u64, record: &Record, at: &Entry) {
        let is_folder = record.is_folder();
        if is_folder && record.mask & !ACCESSES == FAN_ONDIR {
            // Listing a folder opens and reads it; that is no access to a file.
            return;
        }
        if at.name == "." {
            self.tell_itself(number, record, at);
            return;
        }
        let child = record.child.as_ref();
        let paths = self.covering(number, at, child);
        let mut comes_back = false;
        if record.is(FAN_CREATE) {
            comes_back = record.is(FAN_DELETE) && !is_folder && self.is_there(child, at);
            match child {
                Some(child) if is_folder => {
                    self.places.put(child.clone(), at.clone());
                    self.covered.remove(child);
                }
                Some(child) if !paths.is_empty() => {
                    self.places.put_file(child.clone(), at.clone());
                }
                _ => {}
            }
            if !comes_back {
                self.say(&paths, created(is_folder), None);
            }
        }
        let told = BITS.iter().filter(|(bit, _)| record.is(*bit));
        let told: Vec<_> = told.filter(|(bit, _)| !is_folder || bit & ACCESSES == 0).collect();
        if !told.is_empty() && !paths.is_empty() && self.is_named(child, at, is_folder) {
            for (_, kind) in told {
                self.say(&paths, *kind, None);
            }
        }
        if record.is(FAN_DELETE) {
            self.say(&paths, removed(is_folder), None);
            if comes_back {
                self.say(&paths, created(is_folder), None);
            } else if let Some(child) = child {
                self.forget(child);
                if is_folder {
                    self.end(number, child, EventKind::Remove(RemoveKind::File), &paths);
                }
            }
        }
    }

    /// Reports an event that the kernel sends by the folder's own handle.
    fn tell_itself(&mut self, number: u64, record: &Record, at: &Entry) {
        if !record.is(FAN_ATTRIB) {
            return;
        }
        let paths = match self.place(&at.folder) {
            Place::At(place) => self.covering(number, &place, Some(&at.folder)),
            Place::Top => {
                let itself = self.roots.of_folder(&at.folder);
                let itself = itself.filter(|(_, root)| root.since <= number);
                itself.map(|(root, found)| (root, found.watch.path.clone())).collect()
            }
            Place::Unknown => vec![],
        };
        self.say(&paths, METADATA, None);
    }

    fn forget(&mut self, child: &Handle) {
        self.places.forget(child);
        self.covered.remove(child);
    }

    fn place(&mut self, folder: &Handle) -> Place {
        if !self.marks.contains_key(&folder.file_system()) {
            // Nothing is watched there any more.
            return Place::Unknown;
        }
        let Self { queue, places, roots, open, reserve, .. } = self;
        let place = reserve.lend(|| places.of(folder, queue, &mut Beside { roots, open }));
        place.unwrap_or_else(|error| {
            // Either no watched path is on the file system any more, which will be reported, or an event
            // may be missing.
            if error.kind() != io::ErrorKind::NotFound {
                self.miss();
            }
            Place::Unknown
        })
    }

    pub(crate) fn miss(&mut self) {
        let missed = Event::missed(None);
        if !self.ready.back().is_some_and(|last| last.as_ref().is_ok_and(|last| *last == missed)) {
            self.ready.push_back(Ok(missed));
        }
    }

    fn rename(&mut self, number: u64, record: &Record, from: &Entry, to: &Entry) {
        let child = record.child.as_ref();
        self.renames += 1;
        let tracker = Tracker::new(self.renames);
        let paths = self.covering(number, from, child);
        self.say(&paths, FROM, tracker);
        if let Some(child) = child {
            self.end(number, child, FROM, &paths);
        }
        self.end_displaced(number, to, child);
        let paths = self.covering(number, to, None);
        self.say(&paths, TO, tracker);
        let Some(child) = child else { return };
        if record.is_folder() {
            self.places.put(child.clone(), to.clone());
            // And with it, everything in it.
            self.covered.clear();
        } else {
            self.places.put_file(child.clone(), to.clone());
        }
        if record.is_repeated && self.is_back(child, from, to) {
            // The kernel has merged equal renames, and the one that was queued last is not the one that
            // happened last.
            let back = Record { is_repeated: false, ..record.clone() };
            self.rename(number, &back, to, from);
        }
    }

    /// Returns whether a file that was renamed several times is at the old place of this rename, the last
    /// one that was read.
    fn is_back(&mut self, child: &Handle, from: &Entry, to: &Entry) -> bool {
        let Self { queue, roots, open, .. } = self;
        let mut beside = Beside { roots, open };
        if let Some(at) = queue.place_of(child) {
            return at == *from;
        }
        let mut is_at = |at| places::is_at(child, at, &mut beside).unwrap_or(false);
        !is_at(to) && is_at(from)
    }

    fn is_there(&mut self, child: Option<&Handle>, at: &Entry) -> bool {
        let Self { roots, open, .. } = self;
        let mut beside = Beside { roots, open };
        child.is_some_and(|child| places::is_at(child, at, &mut beside).unwrap_or(false))
    }

    fn is_named(&mut self, child: Option<&Handle>, at: &Entry, is_folder: bool) -> bool {
        let Self { queue, roots, open, places, .. } = self;
        let mut beside = Beside { roots, open };
        is_folder || child.is_none_or(|child| places.is_named(child, at, queue, &mut beside))
    }

    /// Returns the paths under which an entry is to be reported, as of now.
    fn covering(&mut self, number: u64, at: &Entry, child: Option<&Handle>) -> Vec<Said> {
        let mut paths: Vec<Said> = vec![];
        let covered = self.covered(&at.folder);
        let asks = |root| self.roots.get(root).is_some_and(|root| root.watch.access);
        let mut add = |root, path: PathBuf| {
            let same = paths.iter_mut().find(|(_, other)| other.as_os_str() == path.as_os_str());
            match same {
                None => paths.push((root, path)),
                // Of several roots with this path, one that asks for accesses decides.
                Some((other, _)) if asks(root) => *other = root,
                Some(_) => {}
            }
        };
        if covered.has_roots_in_it {
            for (root, found) in self.roots.at(&at.folder, &at.name) {
                let is_it = found.folder.is_none() || found.folder.as_ref() == child;
                if found.since <= number && is_it {
                    add(root, found.watch.path.clone());
                }
            }
        }
        for (root, since, path) in &covered.paths {
            if *since <= number {
                add(*root, path.join(&at.name));
            }
        }
        paths
    }

    /// Returns the paths under which a folder is watched, as of now.
    fn covered(&mut self, folder: &Handle) -> Arc<Covered> {
        if let Some(covered) = self.covered.get(folder) {
            return Arc::clone(covered);
        }
        let mut covered = Covered {
            has_roots_in_it: self.roots.in_folder(folder).next().is_some(),
            paths: vec![],
        };
        let mut names = vec![];
        let mut above = folder.clone();
        let is_certain = loop {
            let is_direct = names.is_empty();
            for (root, found) in self.roots.of_folder(&above) {
                if is_direct || found.watch.recursive {
                    let since = if is_direct { found.since } else { found.since_below };
                    let below: PathBuf = names.iter().rev().collect();
                    covered.paths.push((root, since, found.watch.path.join(below)));
                }
            }
            match self.place(&above) {
                Place::At(at) if names.len() < DEEPEST => {
                    names.push(at.name);
                    above = at.folder;
                }
                Place::At(_) | Place::Unknown => break false,
                Place::Top => break true,
            }
        };
        if covered.paths.is_empty() && !covered.has_roots_in_it {
            self.queue.leave_out(folder);
        }
        let covered = Arc::new(covered);
        if is_certain {
            self.covered.insert(folder.clone(), Arc::clone(&covered));
        }
        covered
    }

    fn say(&mut self, paths: &[Said], kind: EventKind, tracker: Option<Tracker>) {
        let reports_closes = self.settings.reports_closes();
        for (root, path) in paths {
            let is_asked_for = match kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) if reports_closes => true,
                EventKind::Access(_) => self.roots.get(*root).is_some_and(|root| root.watch.access),
                _ => true,
            };
            if is_asked_for {
                self.ready.push_back(Ok(Event::new(kind, path).with_tracker(tracker)));
            }
        }
    }

    /// Ends the watches of a folder that has left its place, and of files in it that are watched by their
    /// names. `paths` are those for which that was reported already.
    fn end(&mut self, number: u64, folder: &Handle, kind: EventKind, paths: &[Said]) {
        let itself = self.roots.of_folder(folder);
        let files = self.roots.in_folder(folder).filter(|(_, root)| root.folder.is_none());
        let concerned = itself.chain(files).filter(|(_, root)| root.since <= number);
        let concerned: Vec<u32> = concerned.map(|(root, _)| root).collect();
        for number in concerned {
            let Some(root) = self.roots.remove(number) else { continue };
            self.covered.clear();
            let path = &root.watch.path;
            if root.folder.is_none() && paths.iter().all(|(_, said)| said != path) {
                self.ready.push_back(Ok(Event::new(kind, path)));
            }
            self.unmark(&root);
        }
    }

    /// Ends the watches of folders that another entry has replaced at their place.
    fn end_displaced(&mut self, number: u64, place: &Entry, by: Option<&Handle>) {
        let roots = self.roots.at(&place.folder, &place.name);
        let others = roots.filter(|(_, root)| root.folder.as_ref() != by && root.since <= number);
        let others: Vec<_> =
            others.filter_map(|(number, root)| Some((number, root.folder.clone()?))).collect();
        for (number, folder) in others {
            let mut beside = Beside { roots: &self.roots, open: &mut self.open };
            // If the two were exchanged, it is elsewhere, and its own rename comes next.
            if places::is_gone(&folder, &mut beside).unwrap_or(false) {
                self.end_root(number, Event::remove(RemoveKind::Folder, ""));
            }
        }
    }

    /// Removes a root, and reports its last event.
    pub(crate) fn end_root(&mut self, number: u32, event: Event) {
        let Some(root) = self.roots.remove(number) else { return };
        self.covered.clear();
        self.ready.push_back(Ok(Event { path: root.watch.path.clone(), ..event }));
        self.unmark(&root);
    }
}

fn created(is_folder: bool) -> EventKind {
    EventKind::Create(if is_folder { CreateKind::Folder } else { CreateKind::File })
}

fn removed(is_folder: bool) -> EventKind {
    EventKind::Remove(if is_folder { RemoveKind::Folder } else { RemoveKind::File })
}
