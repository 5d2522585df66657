//! Mistakes with what is kept for each file: its number, its descriptor, its spelling.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::{self, File},
    os::unix::fs::MetadataExt,
};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

use crate::{
    construction::Made,
    contents::is_metadata,
    kills::{Entry, coalesced_entry, entry},
    mutant::{Mutation, is_sentinel, read_all},
    places::path_of,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<GivesUpWithOneName>("gives_up_with_one_name", &["HARD05"]),
        entry::<SkipsUnreadable>("skips_unreadable", &["PERM08"]),
        entry::<WatchesWhatOpens>("watches_what_opens", &["CON30"]),
        entry::<KeepsReplaced>("keeps_replaced", &["RES10"]),
        coalesced_entry::<ByteTrackers>("byte_trackers", &["REN16"]),
        entry::<LaterTakesAll>("later_takes_all", &["REC29"]),
        entry::<LeavesToAlike>("leaves_to_alike", &["CHG23"]),
        entry::<KnowsByInodeAlone>("knows_by_inode_alone", &["REC30"]),
        entry::<SameFileIsNoNews>("same_file_is_no_news", &["HARD06"]),
        entry::<WriteHidesMetadata>("write_hides_metadata", &["META12"]),
        entry::<OpensWhatIsNotAsked>("opens_what_is_not_asked", &["PERM10"]),
    ]
}

/// Calls `found` for each file below a path.
fn walk(path: &Path, found: &mut impl FnMut(PathBuf)) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, found);
        } else {
            found(path);
        }
    }
}

fn is_change(event: &Event) -> bool {
    matches!(event.kind, EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)))
}

/// Watches files by their numbers, and gives up a number with the first of its names that goes.
#[derive(Debug, Default)]
struct GivesUpWithOneName {
    known: HashMap<PathBuf, u64>,
    given_up: HashSet<u64>,
}
fn number(path: &Path) -> Option<u64> {
    Some(path.symlink_metadata().ok()?.ino())
}
impl Mutation for GivesUpWithOneName {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut known = HashMap::new();
        for watch in &watches {
            walk(&watch.path, &mut |path| known.extend(number(&path).map(|number| (path, number))));
        }
        Ok((InotifyBackend::new(watches)?, Self { known, given_up: HashSet::new() }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &item {
            match event.kind {
                EventKind::Remove(_) => self.given_up.extend(self.known.remove(&event.path)),
                EventKind::Create(_) => {
                    self.given_up.retain(|given_up| number(&event.path) != Some(*given_up));
                }
                _ if number(&event.path).is_some_and(|it| self.given_up.contains(&it)) => return,
                _ => {}
            }
        }
        reported.push_back(item);
    }
}

/// Opens each file to watch it, and leaves out those that it may not open.
#[derive(Debug, Default)]
struct SkipsUnreadable {
    skipped: HashSet<PathBuf>,
}
impl Mutation for SkipsUnreadable {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut skipped = HashSet::new();
        for watch in &watches {
            walk(&watch.path, &mut |path| {
                if File::open(&path).is_err() {
                    skipped.insert(path);
                }
            });
        }
        Ok((InotifyBackend::new(watches)?, Self { skipped }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_left_out = |event: &Event| is_change(event) && self.skipped.contains(&event.path);
        if !item.as_ref().is_ok_and(is_left_out) {
            reported.push_back(item);
        }
    }
}

/// Keeps each new file open to watch it, and takes one that cannot be opened for one that is gone.
#[derive(Debug, Default)]
struct WatchesWhatOpens {
    open: HashMap<PathBuf, File>,
    unopened: HashSet<PathBuf>,
}
impl Mutation for WatchesWhatOpens {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &item {
            let path = event.path.clone();
            match event.kind {
                EventKind::Create(CreateKind::File) if !is_sentinel(&path) => {
                    match File::open(&path) {
                        Ok(file) => drop(self.open.insert(path, file)),
                        Err(_) => drop(self.unopened.insert(path)),
                    }
                }
                EventKind::Remove(_) => drop(self.open.remove(&path)),
                _ if is_change(event) && self.unopened.contains(&path) => return,
                _ => {}
            }
        }
        reported.push_back(item);
    }
}

/// Opens a file under its new name, and does not close the one that had that name.
#[derive(Debug, Default)]
struct KeepsReplaced {
    open: Vec<File>,
}
impl Mutation for KeepsReplaced {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(Event {
            kind: EventKind::Modify(ModifyKind::Name(RenameMode::To)), path, ..
        }) = &item
        {
            self.open.extend(File::open(path));
        }
        reported.push_back(item);
    }
}

/// Has trackers of one byte.
#[derive(Debug, Default)]
struct ByteTrackers;
impl Mutation for ByteTrackers {
    fn report(&mut self, mut item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &mut item
            && let Some(tracker) = event.attrs.tracker()
        {
            event.attrs.set_tracker(Tracker::new(tracker.get() % 255 + 1));
        }
        reported.push_back(item);
    }
}

/// Has one path for each folder that is watched by itself: the last one.
#[derive(Debug, Default)]
struct LaterTakesAll {
    roots: Vec<PathBuf>,
}
impl Mutation for LaterTakesAll {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let roots = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { roots }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let first = self.roots.iter().position(|root| {
            path.as_os_str().as_encoded_bytes().starts_with(root.as_os_str().as_encoded_bytes())
        });
        let is_taken = |later: &PathBuf| {
            // As paths, both spellings are equal.
            path.parent() == Some(later) && {
                let name = path.file_name().unwrap_or_default();
                later.join(name).as_os_str() != path.as_os_str()
            }
        };
        let later = first.map_or(&[][..], |first| &self.roots[first + 1..]);
        if !later.iter().any(is_taken) {
            reported.push_back(item);
        }
    }
}

/// In a folder that is watched itself, leaves to a tree what happens in a folder whose name begins alike.
#[derive(Debug, Default)]
struct LeavesToAlike {
    roots: Vec<Watch>,
}
impl Mutation for LeavesToAlike {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let roots = watches.clone();
        Ok((InotifyBackend::new(watches)?, Self { roots }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let text = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
        let is_alike = |tree: &Watch| {
            let is_around = |around: &Watch| Some(around.path.as_path()) == tree.path.parent();
            tree.recursive
                && text(path).starts_with(&text(&tree.path))
                && !path.starts_with(&tree.path)
                && self.roots.iter().any(is_around)
        };
        if !self.roots.iter().any(is_alike) {
            reported.push_back(item);
        }
    }
}

/// Knows files by their numbers, and not by those of their file systems: of two that are alike, the first is the one
/// that is watched.
#[derive(Debug, Default)]
struct KnowsByInodeAlone {
    devices: HashMap<u64, u64>,
}
impl Mutation for KnowsByInodeAlone {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut devices = HashMap::new();
        for watch in &watches {
            walk(&watch.path, &mut |path| {
                if let Ok(found) = path.symlink_metadata() {
                    devices.entry(found.ino()).or_insert_with(|| found.dev());
                }
            });
        }
        Ok((InotifyBackend::new(watches)?, Self { devices }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let found = path.symlink_metadata().ok().filter(fs::Metadata::is_file);
        let is_other = |found: fs::Metadata| {
            self.devices.get(&found.ino()).is_some_and(|device| *device != found.dev())
        };
        if is_sentinel(path) || !found.is_some_and(is_other) {
            reported.push_back(item);
        }
    }
}

/// Takes the creation of a name for old news if the file had it before.
#[derive(Debug, Default)]
struct SameFileIsNoNews {
    had: HashMap<PathBuf, u64>,
}
impl Mutation for SameFileIsNoNews {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(Event { kind: EventKind::Create(_), path, .. }) = &item
            && let Some(number) = number(path)
            && self.had.insert(path.clone(), number) == Some(number)
        {
            return;
        }
        reported.push_back(item);
    }
}

/// Reports the first difference that it finds: once a file was written, its permissions are not compared, until
/// everything has been read.
#[derive(Debug, Default)]
struct WriteHidesMetadata {
    written: HashSet<PathBuf>,
    waiting: VecDeque<StreamItem>,
}
impl Mutation for WriteHidesMetadata {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        while self.waiting.is_empty() {
            let end = read_all(inner, cx, &mut self.waiting);
            if self.waiting.is_empty() {
                return end;
            }
            let is_write =
                |event: &Event| matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
            let events = self.waiting.iter().flatten();
            self.written =
                events.filter(|event| is_write(event)).map(|it| it.path.clone()).collect();
            let written = &self.written;
            self.waiting.retain(|item| {
                let is_hidden = |event: &Event| is_metadata(event) && written.contains(&event.path);
                !item.as_ref().is_ok_and(is_hidden)
            });
        }
        Poll::Ready(self.waiting.pop_front())
    }
}

/// Opens each folder that it finds, also where no watch asks for what is in it.
#[derive(Debug, Default)]
struct OpensWhatIsNotAsked {
    errors: VecDeque<StreamItem>,
}
impl Mutation for OpensWhatIsNotAsked {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut errors = VecDeque::new();
        for watch in &watches {
            for entry in fs::read_dir(&watch.path).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir()
                    && let Err(error) = fs::read_dir(&path)
                {
                    let cause = BackendError::from_io(&path, error);
                    errors.push_back(Err(StreamError::unwatched(path, cause)));
                }
            }
        }
        Ok((InotifyBackend::new(watches)?, Self { errors }))
    }
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        match self.errors.pop_front() {
            Some(error) => Poll::Ready(Some(error)),
            None => Pin::new(inner).poll_next(cx),
        }
    }
}
