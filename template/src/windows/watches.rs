//! All watched paths, and what follows from each read: [`Watches`].

use std::{collections::BTreeMap, io, mem, path::Path};

use notify_backend::{BackendError, Event, StreamError, StreamItem, event::RemoveKind};

use crate::{
    cover::Cover,
    folder::{Folder, Reading},
    moves::Moves,
    root::{Root, State, Telling},
};

/// The two folders of a root whose changes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Inside,
    Above,
}

/// The watched paths, each with a number, and the reports that are ready.
#[derive(Debug)]
pub(crate) struct Watches<F> {
    roots: BTreeMap<u32, Root<F>>,
    moves: Moves,
    /// Whether the system numbers files, so that all renames are related.
    tracks: bool,
    ready: Vec<StreamItem>,
}

impl<F: Folder> Watches<F> {
    pub(crate) fn new(tracks: bool) -> Self {
        Self { roots: BTreeMap::new(), moves: Moves::default(), tracks, ready: vec![] }
    }

    /// Begins to watch. An earlier watch of the same path ends without a gap.
    pub(crate) fn add(&mut self, number: u32, mut root: Root<F>) -> io::Result<()> {
        if let Some((above, _)) = &mut root.above
            && above.read().is_err()
        {
            // As if it could not be opened.
            root.above = None;
        }
        let started = root.inside.read().and_then(|()| {
            // It may have been renamed before the folder above was read.
            if root.inside.is_in_place() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        });
        if started.is_err() {
            root.stop();
        } else if let Some((earlier, old)) = self.watched(&root.watch.path).last() {
            // What happened until now is reported first.
            root.held = Some((earlier, vec![]));
            old.leave();
        }
        self.roots.insert(number, root);
        self.forget();
        started
    }

    /// Stops watching a path. Returns whether it was watched.
    pub(crate) fn remove(&mut self, path: &Path) -> bool {
        let is_there = self.watched(path).next().is_some();
        for (_, root) in self.watched(path) {
            root.leave();
        }
        is_there
    }

    /// Returns what is covered now.
    pub(crate) fn covers(&self) -> Vec<Cover> {
        self.roots.values().filter(|root| root.is_watched()).map(Root::cover).collect()
    }

    /// Stops watching anything.
    pub(crate) fn stop(&mut self) {
        self.roots.values_mut().for_each(Root::discard);
        self.forget();
    }

    /// Returns whether the system has given all buffers back, and nothing is watched.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Notes that everything that was queued has been read.
    pub(crate) fn rest(&mut self) {
        self.moves.rest();
    }

    /// Takes the reports that are ready.
    pub(crate) fn take(&mut self) -> Vec<StreamItem> {
        mem::take(&mut self.ready)
    }

    /// Acts on the end of a read.
    pub(crate) fn complete(&mut self, number: u32, part: Part, packet: F::Packet) {
        let Some(root) = self.roots.get_mut(&number) else { return };
        let reading = match (part, &mut root.above) {
            (Part::Above, Some((above, _))) => above.take(packet),
            (Part::Above, None) => return,
            (Part::Inside, _) => root.inside.take(packet),
        };
        match part {
            _ if matches!(root.state, State::Over) => {}
            Part::Inside => self.read_inside(number, reading),
            Part::Above => self.read_above(number, reading),
        }
        self.forget();
    }

    fn read_inside(&mut self, number: u32, reading: Reading) {
        let telling = self.telling(number);
        let Self { roots, moves, .. } = self;
        let Some(root) = roots.get_mut(&number) else { return };
        // The system goes on collecting meanwhile.
        let next = match &reading {
            Reading::Failed(_) => Ok(Continued { has_lost: false }),
            _ => go_on(&mut root.inside),
        };
        let mut said: Vec<StreamItem> = vec![];
        let mut has_lost = matches!(next, Ok(Continued { has_lost: true }));
        let mut failure = next.err();
        match reading {
            Reading::Records(records) => {
                let told = records.iter().filter_map(|it| root.tell(it, moves, &telling));
                said.extend(told.map(Ok));
            }
            Reading::Lost => has_lost = true,
            Reading::Failed(error) => failure = Some(error),
        }
        if has_lost {
            moves.lose(number);
            said.extend(root.lose(&telling.others).into_iter().map(Ok));
        }
        if !root.is_watched() {
            // It ends once nothing more is queued.
            root.inside.cancel();
        }
        let has_failed = failure.is_some();
        if let Some(error) = failure {
            said.extend(last_words(root, error, &telling.others));
        }
        self.say(number, said);
        if has_failed {
            self.finish(number);
        }
    }

    fn read_above(&mut self, number: u32, reading: Reading) {
        let Telling { others, .. } = self.telling(number);
        let Some(root) = self.roots.get_mut(&number).filter(|root| root.is_watched()) else {
            return;
        };
        let mut said: Vec<StreamItem> = vec![];
        let mut is_uncertain = false;
        match reading {
            Reading::Records(records) => {
                for record in &records {
                    said.extend(root.tell_above(record, &others).map(Ok));
                    if !root.is_watched() {
                        break;
                    }
                }
            }
            Reading::Lost => {
                is_uncertain = true;
                said.extend(root.lose(&others).into_iter().map(Ok));
            }
            Reading::Failed(_) => {
                is_uncertain = true;
                root.above = None;
            }
        }
        if let Some((above, _)) = &mut root.above
            && matches!(root.state, State::Watched)
        {
            match go_on(above) {
                Ok(Continued { has_lost: false }) => {}
                Ok(Continued { has_lost: true }) => {
                    is_uncertain = true;
                    said.extend(root.lose(&others).into_iter().map(Ok));
                }
                Err(_) => {
                    is_uncertain = true;
                    root.above = None;
                }
            }
        }
        if is_uncertain && !root.inside.is_in_place() {
            root.end_with(Event::remove(RemoveKind::Any, root.watch.path.clone()), &others);
        }
        self.say(number, said);
    }

    fn telling(&self, number: u32) -> Telling {
        let others =
            self.roots.iter().filter(|(other, root)| **other != number && root.is_watched());
        let others = others.map(|(_, root)| root.cover()).collect();
        Telling { number, tracks: self.tracks, others }
    }

    fn say(&mut self, number: u32, said: Vec<StreamItem>) {
        let held = self.roots.get_mut(&number).and_then(|root| root.held.as_mut());
        held.map_or(&mut self.ready, |(_, held)| held).extend(said);
    }

    /// Ends a root that has reported its last, and lets the later watch of the path report.
    fn finish(&mut self, number: u32) {
        if let Some(root) = self.roots.get_mut(&number) {
            root.stop();
        }
        for root in self.roots.values_mut() {
            if let Some((_, held)) = root.held.take_if(|(earlier, _)| *earlier == number) {
                self.ready.extend(held);
            }
        }
    }

    fn watched(&mut self, path: &Path) -> impl Iterator<Item = (u32, &mut Root<F>)> {
        let found =
            self.roots.iter_mut().filter(|(_, root)| root.is_watched() && is_at(root, path));
        found.map(|(number, root)| (*number, root))
    }

    /// Forgets roots whose buffers the system has given back.
    fn forget(&mut self) {
        self.roots.retain(|_, root| !root.is_over());
    }
}

/// By spelling: as paths, `a/` and `a` are equal.
fn is_at<F>(root: &Root<F>, path: &Path) -> bool {
    root.watch.path.as_os_str() == path.as_os_str()
}

/// The result of beginning another read.
struct Continued {
    /// Whether the system has said at once that changes are lost.
    has_lost: bool,
}

/// Begins another read.
fn go_on(folder: &mut impl Folder) -> io::Result<Continued> {
    match folder.read().map_err(Reading::of_error) {
        Ok(()) => Ok(Continued { has_lost: false }),
        Err(Reading::Failed(error)) => Err(error),
        Err(_) => folder.read().map(|()| Continued { has_lost: true }),
    }
}

/// Returns the last report of a root whose folder cannot be read any longer, if there is one.
fn last_words<F: Folder>(
    root: &mut Root<F>,
    error: io::Error,
    others: &[Cover],
) -> Option<StreamItem> {
    let path = root.watch.path.clone();
    let is_to_report = root.is_to_report(&path, others);
    match mem::replace(&mut root.state, State::Over) {
        State::Ending(last) => last,
        State::Unwanted => None,
        _ if !Reading::is_removal(&error) => {
            Some(Err(StreamError::unwatched(&path, BackendError::from_io(&path, error))))
        }
        // The file's own removal was reported before.
        _ if root.file.is_some() || !is_to_report => None,
        _ => Some(Ok(Event::remove(RemoveKind::Folder, path))),
    }
}
