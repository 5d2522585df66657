//! All watched paths, and what follows from each read: [`Watches`].

use std::{
    collections::BTreeMap,
    io, mem,
    path::{Path, PathBuf},
};

use notify_backend::{BackendError, Event, StreamError, StreamItem, event::RemoveKind};

use crate::{
    adding::Adding,
    cover::{Cover, Reach},
    folder::{Folder, Reading},
    moves::Moves,
    name::Name,
    record::Record,
    root::{Fate, Root, Spot, State},
    source::Source,
};

/// The watched paths and the folders that are read for them, each with a number, and the reports that are ready.
#[derive(Debug)]
pub(crate) struct Watches<F> {
    pub(crate) sources: BTreeMap<u32, Source<F>>,
    pub(crate) roots: BTreeMap<u32, Root>,
    /// The watch that begins.
    pub(crate) adding: Option<Adding<F>>,
    moves: Moves,
    /// Whether the system numbers files, so that all renames are related.
    tracks: bool,
    ready: Vec<StreamItem>,
}

impl<F: Folder> Watches<F> {
    pub(crate) fn new(tracks: bool) -> Self {
        Self {
            sources: BTreeMap::new(),
            roots: BTreeMap::new(),
            adding: None,
            moves: Moves::default(),
            tracks,
            ready: vec![],
        }
    }

    /// Stops watching a path. Returns whether it was watched.
    pub(crate) fn remove(&mut self, path: &Path) -> bool {
        let count = self.roots.len();
        self.roots.retain(|_, root| !(root.is_watched() && root.is_at(path)));
        self.tidy();
        self.roots.len() < count
    }

    /// Returns what is covered now.
    pub(crate) fn covers(&self) -> Vec<Cover> {
        self.roots.values().filter(|root| root.is_watched()).map(Root::cover).collect()
    }

    /// Stops watching anything.
    pub(crate) fn stop(&mut self) {
        self.roots.clear();
        self.adding = None;
        self.tidy();
    }

    /// Returns whether the system has given all buffers back, and nothing is watched.
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Notes that everything that was queued has been read.
    pub(crate) fn rest(&mut self) {
        self.moves.rest();
    }

    /// Takes the reports that are ready.
    pub(crate) fn take(&mut self) -> Vec<StreamItem> {
        mem::take(&mut self.ready)
    }

    /// Acts on the end of a source's read.
    pub(crate) fn complete(&mut self, number: u32, packet: F::Packet) {
        let Some(source) = self.sources.get_mut(&number) else { return };
        if source.is_over {
            source.folder.take(packet);
        } else {
            let readings = source.take(packet);
            match &mut source.held {
                Some(held) => held.extend(readings),
                None => self.follow(number, readings),
            }
        }
        self.finish();
        self.tidy();
    }

    pub(crate) fn follow(&mut self, number: u32, readings: Vec<Reading>) {
        for reading in readings {
            match reading {
                Reading::Records(records) => {
                    for record in records {
                        self.tell(number, record);
                    }
                }
                Reading::Lost => self.lose(number),
                Reading::Failed(error) => self.fail(number, error),
            }
        }
    }

    /// Reports a record of a source.
    fn tell(&mut self, number: u32, mut record: Record) {
        let Some(source) = self.sources.get(&number) else { return };
        if let Some(adding) = &mut self.adding {
            adding.note(number, &source.path, &record);
        }
        record.name = long(&source.folder, &record.name);
        // What several watches cover is reported once.
        let mut told: Vec<PathBuf> = vec![];
        for (root, spot) in self.concerned(number, &record.name) {
            match &spot {
                Spot::Below(below) => self.tell_below(root, below, &record, &mut told),
                Spot::Own | Spot::Around => {
                    self.tell_fate((number, root), &spot, &record, &mut told);
                }
            }
        }
    }

    /// Returns the roots that a record is about: first those that others are in, as they are spelled.
    fn concerned(&self, number: u32, name: &Name) -> Vec<(u32, Spot)> {
        let is_of = |source: &Source<F>| {
            source.above.as_ref().is_some_and(|(above, entry)| *above == number && entry.is(name))
        };
        let mut concerned: Vec<_> = self
            .roots
            .iter()
            .filter_map(|(it, root)| {
                let spot = if root.source == number {
                    root.spot(name)
                } else {
                    let is_about = self.sources.get(&root.source).is_some_and(is_of);
                    let of_source = if root.is_in_source() { Spot::Around } else { Spot::Own };
                    is_about.then_some(of_source)
                };
                Some((root.watch.path.as_os_str().len(), *it, spot?))
            })
            .collect();
        concerned.sort_by_key(|(length, it, _)| (*length, *it));
        concerned.into_iter().map(|(_, it, spot)| (it, spot)).collect()
    }

    fn tell_below(&mut self, number: u32, below: &Name, record: &Record, told: &mut Vec<PathBuf>) {
        let Self { roots, sources, moves, ready, tracks, .. } = self;
        let Some(root) = roots.get_mut(&number) else { return };
        let Some(path) = root.path_of(below).filter(|path| !is_among(path, told)) else {
            root.forget_half();
            return;
        };
        let source = root.source;
        let has_moved = |id| sources.get(&source).is_some_and(|it| it.folder.has_file(id));
        told.push(path.clone());
        ready.push(Ok(root.tell(path, record, (number, moves), *tracks, has_moved)));
    }

    fn tell_fate(
        &mut self,
        (by, number): (u32, u32),
        spot: &Spot,
        record: &Record,
        told: &mut Vec<PathBuf>,
    ) {
        let Some(root) = self.roots.get(&number) else { return };
        let Some(source) = self.sources.get(&root.source) else { return };
        // What its own source says of its end comes first.
        if !root.is_watched() && root.source != by {
            return;
        }
        let path = root.watch.path.clone();
        let is_told = is_among(&path, told);
        match root.fate(spot, record, source) {
            Fate::Goes(None) => return,
            Fate::Goes(Some(event)) => {
                if !is_told {
                    self.ready.push(Ok(event));
                }
            }
            Fate::Ends(last) => self.end(number, by, last.filter(|_| !is_told)),
        }
        told.push(path);
    }

    /// Ends a root, as records of a source show. What waits in the root's own source is reported before its last.
    fn end(&mut self, number: u32, by: u32, last: Option<Event>) {
        let Some(root) = self.roots.get_mut(&number) else { return };
        if root.source == by {
            self.roots.remove(&number);
            self.ready.extend(last.map(Ok));
        } else if let Some(source) = self.sources.get_mut(&root.source) {
            root.state = State::Ending(last.map(Ok));
            source.settle();
        }
    }

    /// Reports the last of roots whose sources have nothing more for them.
    pub(crate) fn finish(&mut self) {
        let Self { roots, sources, ready, .. } = self;
        roots.retain(|_, root| {
            let is_settled = sources.get(&root.source).is_none_or(Source::is_settled);
            match &mut root.state {
                State::Ending(last) if is_settled => ready.extend(last.take()),
                _ => return true,
            }
            false
        });
    }

    /// Reports that records of a source are lost.
    fn lose(&mut self, number: u32) {
        let concerned = self.of_source(number);
        let covers: Vec<_> =
            concerned.iter().filter_map(|it| self.roots.get(it)).map(Root::cover).collect();
        for it in &concerned {
            self.moves.lose(*it);
            let Some(root) = self.roots.get_mut(it) else { continue };
            root.forget_half();
            let path = &root.watch.path;
            let is_said = covers.iter().any(|other| {
                other.reach == Reach::Everything
                    && !root.is_at(&other.path)
                    && other.is_around(path)
            });
            if !is_said {
                self.ready.push(Ok(Event::missed_below(path, None)));
            }
        }
        self.check(concerned, number);
    }

    /// Acts on the failure of a source.
    fn fail(&mut self, number: u32, error: io::Error) {
        let is_removal = Reading::is_removal(&error);
        let error = &mut Some(error);
        let concerned = self.of_source(number);
        let (own, others): (Vec<u32>, Vec<u32>) = concerned
            .into_iter()
            .partition(|it| self.roots.get(it).is_some_and(|it| it.source == number));
        for it in own {
            let Some(root) = self.roots.remove(&it) else { continue };
            let path = root.watch.path;
            let last = match root.state {
                State::Ending(last) => last,
                State::Watched if !is_removal => {
                    let cause = error.take().unwrap_or_else(|| io::ErrorKind::Other.into());
                    Some(Err(StreamError::unwatched(&path, BackendError::from_io(&path, cause))))
                }
                // The file's own removal was reported before.
                State::Watched if root.file.is_some() => None,
                State::Watched => Some(Ok(Event::remove(RemoveKind::Folder, &path))),
            };
            let is_left_to_other = is_removal && self.is_covered(&path);
            self.ready.extend(last.filter(|_| !is_left_to_other));
        }
        for source in self.sources.values_mut() {
            source.above.take_if(|(above, _)| *above == number);
        }
        if let Some(source) = self.sources.get_mut(&number) {
            source.close();
        }
        self.check(others, number);
    }

    /// Ends roots that are not at their places any more, of which a source may have said more.
    fn check(&mut self, numbers: Vec<u32>, by: u32) {
        for number in numbers {
            if let Some(root) = self.roots.get(&number).filter(|root| root.is_watched())
                && let Some(source) = self.sources.get(&root.source)
                && !root.is_in_place(source)
            {
                let path = root.watch.path.clone();
                let is_to_report = !self.is_covered(&path);
                let last = Event::remove(RemoveKind::Any, path);
                self.end(number, by, is_to_report.then_some(last));
            }
        }
    }

    /// Returns the roots that a source has records for: its own, and those of the sources whose folders are in its own.
    fn of_source(&self, number: u32) -> Vec<u32> {
        let is_below =
            |source: &Source<F>| source.above.as_ref().is_some_and(|(it, _)| *it == number);
        let is_of = |root: &Root| {
            root.source == number || self.sources.get(&root.source).is_some_and(is_below)
        };
        self.roots.iter().filter(|(_, root)| is_of(root)).map(|(it, _)| *it).collect()
    }

    /// Returns whether the end of a watched path is also an entry's in another one, as they are spelled.
    fn is_covered(&self, path: &Path) -> bool {
        let mut others = self.roots.values().filter(|root| root.is_watched() && !root.is_at(path));
        others.any(|other| other.cover().has(path))
    }

    /// Closes sources that nothing needs, and forgets those whose buffers the system has given back.
    pub(crate) fn tidy(&mut self) {
        let adding = self.adding.as_ref().and_then(Adding::source);
        let mut needed: Vec<u32> =
            self.roots.values().map(|root| root.source).chain(adding).collect();
        let above = |it: &u32| self.sources.get(it)?.above.as_ref().map(|(above, _)| *above);
        // Those above have none above.
        needed.extend(needed.iter().filter_map(above).collect::<Vec<_>>());
        needed.sort_unstable();
        for (number, source) in &mut self.sources {
            if needed.binary_search(number).is_err() && !source.is_over {
                source.close();
            }
        }
        self.sources.retain(|_, source| !source.is_over || source.folder.is_reading());
    }
}

fn is_among(path: &Path, told: &[PathBuf]) -> bool {
    told.iter().any(|it| it.as_os_str() == path.as_os_str())
}

/// Returns the long form of a path with short names, as far as its files exist.
fn long(folder: &impl Folder, name: &Name) -> Name {
    if !name.parts().any(|part| part.may_be_short()) {
        return name.clone();
    }
    let mut long = Name(vec![]);
    for part in name.parts() {
        let mut path = long.clone();
        path.push(&part);
        let is_short = part.may_be_short();
        let found = is_short.then(|| folder.long_name(&path.to_path())).flatten();
        long.push(&found.unwrap_or(part));
    }
    long
}
