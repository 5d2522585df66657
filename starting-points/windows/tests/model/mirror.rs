//! A consumer that keeps a picture of the files by looking at each path that is reported: [`Mirror`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use notify_backend::{
    Event, EventKind, StreamItem,
    event::{ModifyKind, RenameMode, Tracker},
};

use crate::{
    cover::Cover,
    kernel::{File, System},
    machine::Change,
};

use RenameMode::{From, To};

type Files = BTreeMap<String, File>;

/// What a report says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Came,
    Modified,
    Went,
}

impl What {
    fn of(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(To)) => Some(Self::Came),
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(From)) => Some(Self::Went),
            EventKind::Modify(_) => Some(Self::Modified),
            _ => None,
        }
    }

    /// Returns whether a change does this to a path, or to one around it.
    fn is_of(self, change: Change, path: &str) -> bool {
        let is_it = |changed: &str| changed.replace('\\', "/") == path;
        let is_around = |changed: &str| is_within(path, &changed.replace('\\', "/"));
        match (self, change) {
            (Self::Came, Change::File(made) | Change::Folder(made) | Change::Rename(_, made)) => {
                is_it(made)
            }
            (Self::Modified, Change::Write(written)) => is_it(written),
            (Self::Went, Change::Remove(gone)) => is_it(gone),
            // What a file is renamed over goes, and so does all that is in a folder.
            (Self::Went, Change::Rename(gone, over)) => is_around(gone) || is_it(over),
            _ => false,
        }
    }
}

/// The picture, and what was reported.
#[derive(Debug)]
pub(crate) struct Mirror {
    system: System,
    known: Files,
    /// Every path that existed.
    existed: BTreeSet<String>,
    trackers: HashMap<Tracker, Vec<RenameMode>>,
    pub(crate) reports: Vec<String>,
    pub(crate) has_missed: bool,
    /// The names to which something was renamed without a tracker.
    pub(crate) unrelated: usize,
    /// How often each path was reported as created, modified and gone.
    counts: BTreeMap<(String, What), usize>,
    /// The changes, and what was covered at each, if that is known.
    made: Vec<(Change, Option<Vec<Cover>>)>,
    faults: Vec<String>,
}

impl Mirror {
    pub(crate) fn of(system: &System) -> Self {
        let mut mirror = Self {
            system: system.clone(),
            known: disk(system),
            existed: BTreeSet::new(),
            trackers: HashMap::new(),
            reports: vec![],
            has_missed: false,
            unrelated: 0,
            counts: BTreeMap::new(),
            made: vec![],
            faults: vec![],
        };
        mirror.notice();
        mirror
    }

    /// Notes the paths that exist now.
    pub(crate) fn notice(&mut self) {
        self.existed.extend(disk(&self.system).into_keys());
    }

    pub(crate) fn take(&mut self, item: StreamItem) {
        match item {
            Ok(event) => {
                self.reports.push(event.to_string());
                self.apply(&event);
            }
            Err(error) => {
                self.reports.push(error.to_string());
                self.faults.push(format!("an error is reported: {error}"));
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        let path = event.path.to_string_lossy().into_owned();
        match event.kind {
            EventKind::Missed(_) => self.has_missed = true,
            EventKind::Modify(ModifyKind::Name(mode)) => self.relate(mode, event.attrs.tracker()),
            _ => {}
        }
        if let Some(what) = What::of(event.kind) {
            *self.counts.entry((path.clone(), what)).or_default() += 1;
        }
        let claims = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Any) | EventKind::Any
        );
        if claims && !self.existed.contains(&path) {
            self.faults.push(format!("{event}, which never existed"));
        }
        self.known.retain(|known, _| !is_within(known, &path));
        let there = disk(&self.system).into_iter().filter(|(there, _)| is_within(there, &path));
        self.known.extend(there);
    }

    fn relate(&mut self, mode: RenameMode, tracker: Option<Tracker>) {
        let Some(tracker) = tracker else {
            self.unrelated += usize::from(mode == To);
            return;
        };
        let modes = self.trackers.entry(tracker).or_default();
        modes.push(mode);
        if !matches!(modes.as_slice(), [From | To] | [From, To]) {
            self.faults.push(format!("tracker {tracker} is on {modes:?}"));
        }
    }

    /// Looks at what is covered now and was not before, as a consumer does after it has watched something.
    pub(crate) fn look(&mut self, before: &[Cover], now: &[Cover]) {
        let has = |covers: &[Cover], path: &String| covers.iter().any(|it| it.has(path.as_ref()));
        let is_new = |path: &String| has(now, path) && !has(before, path);
        self.known.retain(|path, _| !is_new(path));
        self.known.extend(disk(&self.system).into_iter().filter(|(path, _)| is_new(path)));
    }

    /// Notes a change, and what was covered when it was made, if that is known.
    pub(crate) fn note(&mut self, change: Change, covers: Option<Vec<Cover>>) {
        self.made.push((change, covers));
    }

    /// Returns which changes were reported more often than they were made where that was covered.
    pub(crate) fn too_many(&self) -> Vec<String> {
        let too_many = self.counts.iter().filter_map(|((path, what), count)| {
            let is_it = |(change, covers): &&(Change, Option<Vec<Cover>>)| {
                let has = |covers: &Vec<Cover>| covers.iter().any(|it| it.has(path.as_ref()));
                what.is_of(*change, path) && covers.as_ref().is_none_or(has)
            };
            let made = self.made.iter().filter(is_it).count();
            let text = format!("{path} {what:?} {count} times, and was so {made} times");
            (*count > made).then_some(text)
        });
        too_many.collect()
    }

    /// Returns what is wrong, where everything has been read that is covered.
    pub(crate) fn faults(&self, covers: &[Cover]) -> Vec<String> {
        let is_covered = |path: &&String| covers.iter().any(|cover| cover.has(path.as_ref()));
        let disk = disk(&self.system);
        let paths: BTreeSet<_> = disk.keys().chain(self.known.keys()).filter(is_covered).collect();
        let wrong = paths.into_iter().filter(|path| disk.get(*path) != self.known.get(*path));
        let wrong = wrong.map(|path| {
            format!("{path} is {:?}, and known as {:?}", disk.get(path), self.known.get(path))
        });
        self.faults.iter().cloned().chain(wrong).collect()
    }
}

/// Returns the files with the paths that reports have.
fn disk(system: &System) -> Files {
    let files = system.files().into_iter();
    files.map(|(path, file)| (path.replace('\\', "/"), file)).collect()
}

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
