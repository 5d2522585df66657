//! An engine on the model, and a consumer that relies on its reports alone: [`Trial`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use super::{
    super::{Options, engine::Engine, seam::FolderEvent},
    disk::{Change, Disk, Inode, Kind},
    inotify::{Event as RawEvent, flag},
    script::{Script, Step},
    world::Simulated,
};
use crate::contract::{
    backend::StreamItem,
    event::{
        AccessKind, AccessMode, CreateKind, DataChange, EventKind, MetadataKind, ModifyKind,
        RemoveKind, RenameMode, Tracker,
    },
};

/// After this many steps without a change, there is no end to be expected.
const ENDLESS: usize = 5_000;

/// An engine that watches the model while a script changes it.
pub(super) struct Trial {
    world: Simulated,
    engine: Engine<Simulated>,
    options: Options,
    at_once: usize,
    roots: Vec<String>,
    /// What a consumer knows if it looks at every reported path.
    mirror: BTreeMap<String, Inode>,
    /// The inodes that existed before they were watched.
    known: BTreeSet<Inode>,
    /// The renames whose second half was reported.
    arrived: Vec<Tracker>,
    /// How often each path was reported as created.
    created: BTreeMap<String, usize>,
    /// A description of everything that was read and reported, in order.
    record: String,
    has_overflowed: bool,
    has_unwatched: bool,
    failure: Option<String>,
}

/// The result of a script.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How many calls the engine made after the last step, until it had nothing left to do.
    pub(super) calls: usize,
    /// A description of everything that was read and reported.
    pub(super) record: String,
    /// The first thing that was wrong.
    pub(super) failure: Option<String>,
}

impl Trial {
    fn new(limit: usize, options: Options, at_once: usize) -> Self {
        let world = Simulated::new(limit);
        Self {
            engine: Engine::new(world.clone()),
            world,
            options,
            at_once,
            roots: Vec::new(),
            mirror: BTreeMap::new(),
            known: BTreeSet::new(),
            arrived: Vec::new(),
            created: BTreeMap::new(),
            record: String::new(),
            has_overflowed: false,
            has_unwatched: false,
            failure: None,
        }
    }

    /// Runs a script, with a reader that takes `at_once` events at a time. The changes before the first
    /// `watch` set the scene.
    pub(super) fn run(script: &Script, limit: usize, options: Options, at_once: usize) -> Outcome {
        let mut trial = Self::new(limit, options, at_once);
        script.0.iter().for_each(|step| trial.take(step));
        trial.settle();
        let calls = {
            let state = trial.world.state();
            state.calls - state.last
        };
        if trial.failure.is_none() {
            trial.judge();
        }
        Outcome { calls, record: trial.record, failure: trial.failure }
    }

    fn fail(&mut self, failure: impl FnOnce() -> String) {
        if self.failure.is_none() {
            self.failure = Some(failure());
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Watch(path, _) => {
                while self.world.state().is_planned() && self.advance() {}
                if self.engine.watch(Path::new(path), self.options).is_ok() {
                    self.roots.push(path.clone());
                    self.look_at(path);
                    self.note_known(path);
                }
            }
            Step::Unwatch(path) => {
                while self.world.state().is_planned() && self.advance() {}
                self.engine.unwatch(Path::new(path));
                self.has_unwatched = true;
                self.roots.retain(|root| root != path);
                self.mirror.clear();
                self.look_at_everything();
            }
            Step::After(calls, step) => self.world.state().plan(*calls, (**step).clone()),
            step if self.roots.is_empty() => {
                self.world.state().take(step);
            }
            step => self.world.state().plan(0, step.clone()),
        }
    }

    /// Reads until there is nothing left to do.
    fn settle(&mut self) {
        for _ in 0..ENDLESS {
            if self.advance() || self.world.state().take_planned() {
                continue;
            }
            let mut state = self.world.state();
            if state.machine.under_way() == 0 {
                return;
            }
            state.machine.notify_all();
        }
        self.fail(|| "the engine never comes to rest".into());
    }

    /// Takes a step of the reader. Returns whether there was something to do.
    fn advance(&mut self) -> bool {
        if self.engine.step(1) {
            true
        } else if let Some(item) = self.engine.next() {
            self.consume(item);
            true
        } else {
            let mut read = 0;
            while read < self.at_once
                && let Some(event) = self.world.read()
            {
                self.apply(&event);
                read += 1;
            }
            read > 0
        }
    }

    /// Hands an event to the engine, as the inotify starting point does.
    fn apply(&mut self, RawEvent { wd, mask, cookie, name }: &RawEvent) {
        _ = writeln!(self.record, "read {wd} {} {cookie} {name}", flag::name(*mask));
        let is_folder = mask & flag::ISDIR != 0;
        let kind = match mask & !flag::ISDIR {
            flag::Q_OVERFLOW => {
                self.has_overflowed = true;
                return self.engine.lose();
            }
            flag::IGNORED => return self.engine.apply(*wd, FolderEvent::Ended),
            flag::ATTRIB => EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)),
            flag::DELETE_SELF => EventKind::Remove(RemoveKind::Folder),
            flag::UNMOUNT => EventKind::Remove(RemoveKind::Other),
            flag::MODIFY => EventKind::Modify(ModifyKind::Data(DataChange::Any)),
            flag::MOVED_FROM | flag::MOVE_SELF => {
                EventKind::Modify(ModifyKind::Name(RenameMode::From))
            }
            flag::MOVED_TO => EventKind::Modify(ModifyKind::Name(RenameMode::To)),
            flag::CREATE if is_folder => EventKind::Create(CreateKind::Folder),
            flag::CREATE => EventKind::Create(CreateKind::File),
            flag::DELETE if is_folder => EventKind::Remove(RemoveKind::Folder),
            flag::DELETE => EventKind::Remove(RemoveKind::File),
            // Not reported of folders.
            _ if is_folder => return,
            flag::OPEN => EventKind::Access(AccessKind::Open(AccessMode::Any)),
            flag::ACCESS => EventKind::Access(AccessKind::Read),
            flag::CLOSE_WRITE => EventKind::Access(AccessKind::Close(AccessMode::Write)),
            _ => EventKind::Access(AccessKind::Close(AccessMode::Read)),
        };
        let event = if name.is_empty() {
            FolderEvent::Itself(kind)
        } else {
            FolderEvent::Entry { name: name.as_ref().as_ref(), kind, is_folder, cookie: *cookie }
        };
        self.engine.apply(*wd, event);
    }

    /// Acts as a consumer: looks again at each reported path.
    fn consume(&mut self, item: StreamItem) {
        let event = match item {
            Ok(event) => event,
            Err(error) => return self.fail(|| format!("an error: {error}")),
        };
        _ = writeln!(self.record, "    {event}");
        let path = event.path.to_string_lossy().into_owned();
        match event.kind {
            EventKind::Missed(_) => {
                if !self.has_overflowed {
                    self.fail(|| "a needless Missed".into());
                }
                self.mirror.clear();
                self.look_at_everything();
            }
            EventKind::Access(_) => {}
            kind => {
                if let Some(tracker) = event.attrs.tracker().filter(|_| !self.options.follow_links)
                {
                    let is_second = kind == EventKind::Modify(ModifyKind::Name(RenameMode::To));
                    if is_second {
                        self.arrived.push(tracker);
                    } else if self.arrived.contains(&tracker) {
                        self.fail(|| format!("the second half of rename {tracker:?} came first"));
                    }
                }
                let is_true = || self.world.state().can_have_been(&path);
                let is_there = matches!(kind, EventKind::Create(_));
                if is_there && !self.options.follow_links && !is_true() {
                    self.fail(|| format!("{path} was reported, but never existed"));
                }
                if let EventKind::Create(_) = kind {
                    *self.created.entry(path.clone()).or_default() += 1;
                }
                // A change of a folder's metadata does not affect its entries.
                let is_of_folder = matches!(
                    kind,
                    EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Data(_))
                ) && self.is_known_folder(&path);
                if !is_of_folder {
                    self.mirror.retain(|known, _| !Path::new(known).starts_with(&path));
                    self.look_at(&path);
                }
            }
        }
    }

    /// Returns whether a consumer knows the folder that is at a path.
    fn is_known_folder(&self, path: &str) -> bool {
        let state = self.world.state();
        let disk = state.machine.disk();
        let is_folder = |inode: &Inode| disk.is_folder(*inode);
        self.mirror.get(path).is_some_and(is_folder)
            && disk.find(path, false).is_ok_and(|inode| disk.is_folder(inode))
    }

    fn look_at_everything(&mut self) {
        for root in self.roots.clone() {
            self.look_at(&root);
        }
    }

    /// Looks at a path and everything below it, without following links.
    fn look_at(&mut self, path: &str) {
        let mut state = self.world.state();
        let mut at = Disk::TOP;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match state.machine.disk().entry(at, part) {
                Ok(inode) => at = inode,
                Err(_) => return,
            }
        }
        let mut found = vec![(path.to_owned(), at)];
        while let Some((path, inode)) = found.pop() {
            if state.machine.disk().is_folder(inode) {
                // As `readdir(3)` does.
                state.machine.wait_for(inode);
                let entries = state.machine.disk().entries(inode);
                found.extend(entries.map(|(name, inode)| (format!("{path}/{name}"), inode)));
            }
            self.mirror.insert(path, inode);
        }
    }

    /// Notes everything below a root, including the targets of links.
    fn note_known(&mut self, root: &str) {
        let state = self.world.state();
        let disk = state.machine.disk();
        let mut found: Vec<_> = disk.find(root, true).into_iter().collect();
        while let Some(inode) = found.pop() {
            if self.known.insert(inode) {
                found.extend(disk.entries(inode).map(|(_, inode)| inode));
                if let Kind::Link(target) = disk.kind(inode) {
                    found.extend(disk.find(target, true));
                }
            }
        }
    }

    /// Returns everything below the roots by path, without following links.
    fn reachable(&self) -> BTreeMap<String, Inode> {
        let state = self.world.state();
        let disk = state.machine.disk();
        let mut reachable = BTreeMap::new();
        let roots = self.roots.iter();
        let mut found: Vec<_> =
            roots.filter_map(|root| Some((root.clone(), disk.find(root, true).ok()?))).collect();
        while let Some((path, inode)) = found.pop() {
            let entries = disk.entries(inode);
            found.extend(entries.map(|(name, inode)| (format!("{path}/{name}"), inode)));
            reachable.insert(path, inode);
        }
        reachable
    }

    /// Checks everything that must hold once nothing changes any more.
    fn judge(&mut self) {
        let reachable = self.reachable();
        let mirror = std::mem::take(&mut self.mirror);
        let differs = |path: &&String| mirror.get(*path) != reachable.get(*path);
        if let Some(path) = mirror.keys().chain(reachable.keys()).find(differs) {
            self.fail(|| format!("a consumer's picture of {path} differs from the disk"));
        }
        self.judge_watches(&reachable);
        if !self.has_overflowed {
            self.judge_creations(&reachable);
        }
        if self.failure.is_none() {
            self.probe(reachable);
        }
    }

    /// Checks that everything that can be reached is watched, and nothing else.
    fn judge_watches(&mut self, reachable: &BTreeMap<String, Inode>) {
        let (watched, silent, has_links) = {
            let state = self.world.state();
            let disk = state.machine.disk();
            let watched: BTreeSet<_> = state.machine.platform.all_watched().collect();
            let is_silent = |&(_, inode): &(&String, &Inode)| {
                disk.is_folder(*inode) && !watched.contains(inode)
            };
            let silent = reachable.iter().find(is_silent).map(|(path, _)| path.clone());
            let mut inodes = reachable.values();
            let has_links = inodes.any(|&inode| matches!(disk.kind(inode), Kind::Link(_)));
            (watched, silent, has_links)
        };
        if let Some(path) = silent {
            self.fail(|| format!("{path} is not watched"));
        }
        let inodes: BTreeSet<_> = reachable.values().copied().collect();
        if !has_links && !watched.is_subset(&inodes) {
            self.fail(|| "a folder outside the watched trees is still watched".into());
        }
    }

    /// Checks that each file is reported as created once, under one of the paths that it had. Only files
    /// with unique names count, which begin with `f`.
    fn judge_creations(&mut self, reachable: &BTreeMap<String, Inode>) {
        let (made, paths, strayed) = {
            let state = self.world.state();
            (state.made.clone(), state.paths.clone(), state.strayed.clone())
        };
        let mut failures = Vec::new();
        for it in made.iter().filter(|it| it.name.starts_with('f')) {
            let is_below = |root: &String| Path::new(&it.path).starts_with(root);
            let file = |folder: &String| format!("{folder}/{}", it.name);
            let times: usize =
                paths[&it.folder].iter().filter_map(|path| self.created.get(&file(path))).sum();
            // A folder that leaves the watched trees, or one of them, is not followed, and may come back as
            // new.
            let tops = paths[&it.folder].iter().map(|path| path.split('/').nth(1));
            let has_stayed = tops.collect::<BTreeSet<_>>().len() == 1;
            if times == 0 && has_stayed && self.roots.iter().any(is_below) {
                failures.push(format!("{} was created, but never reported", file(&it.path)));
            } else if times > 1
                && has_stayed
                && !self.has_unwatched
                && !strayed.contains(&it.folder)
            {
                // A file from a watch that has ended, or from out of sight, is new.
                failures.push(format!("{} was reported {times} times", file(&it.path)));
            }
        }
        let name = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
        let is_new = |(path, inode): &(&String, &Inode)| {
            name(path).starts_with('f') && !self.known.contains(inode)
        };
        let silent = reachable
            .iter()
            .filter(is_new)
            .find(|(path, _)| !self.created.keys().any(|created| name(created) == name(path)));
        failures.extend(silent.map(|(path, _)| format!("{path} exists, but was never reported")));
        for failure in failures {
            self.fail(|| failure);
        }
    }

    /// Checks that a new file in each folder is reported once, under its path.
    fn probe(&mut self, reachable: BTreeMap<String, Inode>) {
        for (i, (folder, inode)) in reachable.into_iter().enumerate() {
            let path = format!("{folder}/probe{i}");
            {
                let mut state = self.world.state();
                if !state.machine.disk().is_folder(inode) {
                    continue;
                }
                state.take(&Step::Make(Change::Create(path.as_str().into())));
            }
            self.settle();
            let times = self.created.get(&path).copied().unwrap_or_default();
            if times != 1 {
                self.fail(|| format!("{path}, created at the end, was reported {times} times"));
            }
        }
    }
}
