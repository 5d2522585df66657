//! The model as an engine sees it: [`Simulated`].

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    super::seam::{EntryType, Via, World},
    disk::{Change, Disk, Inode, Kind, Refusal},
    inotify::{Event, Inotify, Wd, flag},
    machine::Machine,
    script::Step,
};

/// A machine on which changes happen between two calls of the reader.
#[derive(Clone, Debug)]
pub(super) struct Simulated(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) machine: Machine<Inotify>,
    // The steps to come, each after a number of further calls.
    planned: VecDeque<(usize, Step)>,
    /// How many calls the reader has made.
    pub(super) calls: usize,
    /// All paths that each folder has had.
    pub(super) paths: BTreeMap<Inode, BTreeSet<String>>,
    /// The folders that were once in a folder that was not watched yet, and so out of sight.
    pub(super) strayed: BTreeSet<Inode>,
    // All inodes that each entry of a folder has ever been.
    entries: BTreeMap<(Inode, String), BTreeSet<Inode>>,
    /// The number of calls before the last planned step.
    pub(super) last: usize,
    /// The files that were created in a folder while it was watched.
    pub(super) made: Vec<Made>,
}

/// A file that was created, and the path that its folder had then.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) folder: Inode,
    pub(super) path: String,
    pub(super) name: String,
}

/// A folder that is open until it is dropped.
#[derive(Debug)]
pub(super) struct Opened {
    state: Arc<Mutex<State>>,
    inode: Inode,
}

impl Drop for Opened {
    fn drop(&mut self) {
        lock(&self.state).machine.close(self.inode);
    }
}

impl Simulated {
    /// Creates an empty file system, and a queue for `limit` events.
    pub(super) fn new(limit: usize) -> Self {
        let state = State {
            machine: Machine::new(Inotify::new(limit)),
            planned: VecDeque::new(),
            calls: 0,
            last: 0,
            paths: BTreeMap::new(),
            strayed: BTreeSet::new(),
            entries: BTreeMap::new(),
            made: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Takes the next event out of the queue.
    pub(super) fn read(&self) -> Option<Event> {
        self.call().machine.platform.read()
    }

    /// Begins a call to the system or the platform. Steps that are planned before it happen first.
    fn call(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.calls += 1;
        while state.planned.front().is_some_and(|&(calls, _)| calls == 0) {
            state.take_planned();
        }
        if let Some((calls, _)) = state.planned.front_mut() {
            *calls -= 1;
        }
        state
    }

    fn opened(&self, state: &mut State, found: Result<Inode, Refusal>) -> io::Result<Opened> {
        let inode = found.map_err(refusal)?;
        if !state.machine.disk().is_folder(inode) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        state.machine.open(inode);
        Ok(Opened { state: Arc::clone(&self.0), inode })
    }
}

impl State {
    /// Plans a step for after a number of further calls of the reader.
    pub(super) fn plan(&mut self, calls: usize, step: Step) {
        self.planned.push_back((calls, step));
    }

    pub(super) fn is_planned(&self) -> bool {
        !self.planned.is_empty()
    }

    /// Takes the next planned step now. Returns whether there was one.
    pub(super) fn take_planned(&mut self) -> bool {
        let next = self.planned.pop_front();
        let is_there = next.is_some();
        if let Some((_, step)) = next {
            self.last = self.calls;
            self.take(&step);
        }
        is_there
    }

    /// Takes a step that needs no reader. Returns whether that was possible.
    pub(super) fn take(&mut self, step: &Step) -> bool {
        match step {
            Step::Make(change) | Step::Begin(change) => {
                let made = match change {
                    Change::Create(path) => self.will_be_reported(path),
                    _ => None,
                };
                let is_made = self.machine.begin(change).is_ok();
                if is_made {
                    self.made.extend(made);
                    self.note_paths();
                }
                if is_made && matches!(step, Step::Make(_)) {
                    let last = self.machine.under_way() - 1;
                    while self.machine.notify(last) {}
                }
                is_made
            }
            Step::Notify => {
                let is_there = self.machine.under_way() > 0;
                if is_there {
                    self.machine.notify(0);
                }
                is_there
            }
            step => unreachable!("{step} needs a reader"),
        }
    }

    /// Returns the file that is about to be created, if its folder is watched.
    fn will_be_reported(&self, path: &str) -> Option<Made> {
        let (folder, name) = path.rsplit_once('/')?;
        let folder = self.machine.disk().find(folder, true).ok()?;
        let path = self.machine.disk().path(folder)?;
        let is_watched = self.machine.platform.is_watched(folder);
        is_watched.then(|| Made { folder, path, name: name.to_owned() })
    }

    pub(super) fn note_paths(&mut self) {
        let mut folders = vec![(Disk::TOP, false)];
        while let Some((folder, has_strayed)) = folders.pop() {
            let Machine { platform, .. } = &self.machine;
            let disk = self.machine.disk();
            let paths = self.paths.entry(folder).or_default();
            paths.extend(disk.path(folder));
            if has_strayed {
                self.strayed.insert(folder);
            }
            let is_in_sight = folder == Disk::TOP || platform.is_watched(folder);
            for (name, inode) in disk.entries(folder) {
                let at = (folder, name.to_string());
                self.entries.entry(at).or_default().insert(inode);
                if disk.is_folder(inode) {
                    let is_out_of_sight = !is_in_sight && platform.is_watched(inode);
                    folders.push((inode, has_strayed || is_out_of_sight));
                }
            }
        }
    }

    /// Returns whether each part of a path has been in the folder above it, though maybe not all at one
    /// time: the event of a rename that shows may be still to come, and events of a folder that is being
    /// moved are reported where it arrives.
    pub(super) fn can_have_been(&self, path: &str) -> bool {
        let mut found = BTreeSet::from([Disk::TOP]);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let entries = found.into_iter().filter_map(|at| self.entries.get(&(at, part.into())));
            found = entries.flatten().copied().collect();
        }
        !found.is_empty()
    }
}

impl World for Simulated {
    type Id = Wd;
    type Folder = Opened;

    fn open(&self, location: &Path) -> io::Result<Opened> {
        let mut state = self.call();
        let found = state.machine.disk().find(text(location), true);
        self.opened(&mut state, found)
    }

    fn open_in(&self, parent: &Opened, name: &OsStr, via: Via) -> io::Result<Opened> {
        let mut state = self.call();
        let disk = state.machine.disk();
        let found = find_in(disk, parent.inode, name, via);
        self.opened(&mut state, found)
    }

    fn is_entry(&self, parent: &Opened, name: &OsStr, via: Via, folder: &Opened) -> bool {
        let state = self.call();
        find_in(state.machine.disk(), parent.inode, name, via) == Ok(folder.inode)
    }

    fn list(&self, folder: &Opened, found: &mut dyn FnMut(&OsStr, EntryType)) -> io::Result<()> {
        let mut state = self.call();
        let entries = state.machine.list(folder.inode);
        let disk = state.machine.disk();
        let types: Vec<_> =
            entries.into_iter().map(|(name, inode)| (name, entry_type(disk, inode))).collect();
        drop(state);
        for (name, entry_type) in types {
            found(OsStr::new(&name), entry_type);
        }
        Ok(())
    }

    fn await_events(&self, folder: &Opened) {
        self.call().machine.wait_for(folder.inode);
    }

    fn entry_type(&self, location: &Path, follow_link: bool) -> io::Result<EntryType> {
        let state = self.call();
        let disk = state.machine.disk();
        let inode = disk.find(text(location), follow_link).map_err(refusal)?;
        Ok(entry_type(disk, inode))
    }

    fn read_link(&self, location: &Path) -> io::Result<PathBuf> {
        let state = self.call();
        let disk = state.machine.disk();
        match disk.kind(disk.find(text(location), false).map_err(refusal)?) {
            Kind::Link(target) => Ok(target.as_ref().into()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn watch(&self, folder: &Opened, access: bool) -> io::Result<Wd> {
        let mut state = self.call();
        let accesses = if access { flag::ACCESSES } else { 0 };
        Ok(state.machine.platform.add(folder.inode, flag::CHANGES | accesses))
    }

    fn mute(&self, folder: &Opened) {
        self.call().machine.platform.mute(folder.inode);
    }

    fn fence(&self) -> Option<Wd> {
        let mut state = self.call();
        let platform = &mut state.machine.platform;
        Some(platform.fence_at_end().unwrap_or_else(|| platform.fence()))
    }

    fn release(&self, id: Wd) {
        self.call().machine.platform.remove(id);
    }
}

fn find_in(disk: &Disk, parent: Inode, name: &OsStr, via: Via) -> Result<Inode, Refusal> {
    let name = name.to_str().unwrap_or_default();
    let entry = disk.entry(parent, name)?;
    match (via, disk.kind(entry)) {
        (Via::Name, Kind::Folder(_)) => Ok(entry),
        (Via::Link, Kind::Link(_)) => disk.follow(parent, name),
        _ => Err(Refusal::NotAFolder),
    }
}

fn entry_type(disk: &Disk, inode: Inode) -> EntryType {
    match disk.kind(inode) {
        Kind::Folder(_) => EntryType::Folder,
        Kind::Link(_) => EntryType::Link,
        Kind::File => EntryType::Other,
    }
}

fn refusal(refusal: Refusal) -> io::Error {
    match refusal {
        Refusal::NotFound => io::ErrorKind::NotFound.into(),
        _ => io::ErrorKind::NotADirectory.into(),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
