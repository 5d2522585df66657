//! What the client watches, and which of the daemon's events are about it: [`Places`].

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use notify_backend::{Event, EventKind, StreamError, StreamItem, prelude::*};

use crate::message::{Item, Number, Unwatched, is_removal, tracker_of};

/// How paths here are spelled there: the longest beginning that fits is replaced.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes(Vec<(PathBuf, PathBuf)>);

impl Prefixes {
    pub(crate) fn new(pairs: Vec<(PathBuf, PathBuf)>) -> Self {
        Self(pairs)
    }

    /// Returns the path there of a path here, if there is one.
    pub(crate) fn there(&self, here: &Path) -> io::Result<Option<PathBuf>> {
        let here = std::path::absolute(here)?;
        let fitting = self.0.iter().filter(|(local, _)| here.starts_with(local));
        let longest = fitting.max_by_key(|(local, _)| local.components().count());
        Ok(longest.map(|(local, remote)| {
            let below = here.strip_prefix(local).unwrap_or(Path::new(""));
            if below.as_os_str().is_empty() { remote.clone() } else { remote.join(below) }
        }))
    }
}

/// A watched path.
#[derive(Debug)]
pub(crate) struct Watched {
    /// As the program spells it.
    pub(crate) here: PathBuf,
    /// As the daemon's events spell it.
    pub(crate) there: PathBuf,
    pub(crate) recursive: bool,
    /// The last message that says nothing about it, because it was not watched yet.
    pub(crate) since: Option<Number>,
    /// The last message that is about it, if the path was watched again: then another one follows.
    pub(crate) until: Option<Number>,
    /// Whether it was a folder when that was last known.
    pub(crate) is_folder: bool,
    /// Whether it is gone, by what was read so far.
    pub(crate) is_gone: bool,
}

impl Watched {
    /// Returns the path here of a path there, if it is watched.
    fn here(&self, there: &Path) -> Option<PathBuf> {
        let below = below(&self.there, there)?;
        let is_deeper = below.as_encoded_bytes().contains(&b'/');
        if is_deeper && !self.recursive {
            return None;
        }
        if below.is_empty() {
            return Some(self.here.clone());
        }
        let mut path: OsString = self.here.clone().into();
        if !path.as_encoded_bytes().ends_with(b"/") {
            path.push("/");
        }
        path.push(below);
        Some(path.into())
    }

    /// Notes whether something is at the path after an event. Returns whether that took the place of a folder, whose
    /// end nothing else says.
    fn note(&mut self, event: &Event) -> bool {
        if !self.there.starts_with(&event.path) {
            return false;
        }
        let was_there = !self.is_gone;
        let is_it = self.there == event.path;
        match event.kind {
            kind if is_removal(kind) => self.is_gone = true,
            EventKind::Create(kind) => {
                self.is_gone = false;
                self.is_folder = if is_it { kind == CreateKind::Folder } else { self.is_folder };
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                self.is_gone = false;
                // Only a folder can be renamed over another one. What comes where nothing was may be anything.
                self.is_folder &= was_there || !is_it;
                return is_it && self.is_folder;
            }
            _ => {}
        }
        false
    }

    /// Returns whether a message with this number is about it.
    fn is_in(&self, number: Number) -> bool {
        self.since.is_none_or(|since| number.run != since.run || number.number > since.number)
            && !self.is_past(number)
    }

    /// Returns whether messages with this number and later ones are not about it any more.
    fn is_past(&self, number: Number) -> bool {
        self.until.is_some_and(|until| number.run != until.run || number.number > until.number)
    }
}

/// Returns what follows a folder in a path, without the separator; empty for the folder itself.
fn below<'a>(folder: &Path, path: &'a Path) -> Option<&'a OsStr> {
    path.strip_prefix(folder).ok().map(Path::as_os_str)
}

/// Returns what follows a watched path in a path that is spelled like it: `a/./b` is not below `a`.
pub(crate) fn spelled_below<'a>(watched: &Path, path: &'a Path) -> Option<&'a [u8]> {
    let watched = watched.as_os_str().as_encoded_bytes();
    let rest = path.as_os_str().as_encoded_bytes().strip_prefix(watched)?;
    match rest {
        [] => Some(rest),
        _ if watched.ends_with(b"/") => Some(rest),
        [b'/', below @ ..] if !below.starts_with(b"./") => Some(below),
        _ => None,
    }
}

/// The watched paths.
#[derive(Debug, Default)]
pub(crate) struct Places(Vec<Watched>);

impl Places {
    /// Adds a watch, instead of the one with the same path, which goes on for earlier messages.
    pub(crate) fn add(&mut self, watched: Watched) {
        let Some(since) = watched.since else {
            self.remove(&watched.here);
            return self.0.push(watched);
        };
        for earlier in &mut self.0 {
            if earlier.here.as_os_str() == watched.here.as_os_str() {
                earlier.until.get_or_insert(since);
            }
        }
        self.0.push(watched);
    }

    /// Removes the watch of a path. Returns whether there was one.
    pub(crate) fn remove(&mut self, here: &Path) -> bool {
        let count = self.0.len();
        self.0.retain(|watched| watched.here.as_os_str() != here.as_os_str());
        self.0.len() < count
    }

    /// Returns whether a path here is watched.
    pub(crate) fn covers(&self, here: &Path) -> bool {
        let covers = |watched: &Watched| {
            spelled_below(&watched.here, here)
                .is_some_and(|below| watched.recursive || !below.contains(&b'/'))
        };
        self.0.iter().any(covers)
    }

    /// Returns the watched paths that are not known to be gone, here and there.
    pub(crate) fn present(&self) -> Vec<(PathBuf, PathBuf)> {
        let present = self.0.iter().filter(|it| !it.is_gone && it.until.is_none());
        present.map(|watched| (watched.here.clone(), watched.there.clone())).collect()
    }

    /// Notes that a watched path is gone. Returns whether it was watched.
    pub(crate) fn lose(&mut self, here: &Path) -> bool {
        let is_it =
            |it: &&mut Watched| it.until.is_none() && it.here.as_os_str() == here.as_os_str();
        let found = self.0.iter_mut().find(is_it);
        found.map(|watched| watched.is_gone = true).is_some()
    }

    /// Returns what the program gets for an item of the message with this number.
    pub(crate) fn reports(&mut self, number: Number, item: Item) -> Vec<StreamItem> {
        self.0.retain(|watched| !watched.is_past(number));
        let watched = self.0.iter_mut().filter(|watched| watched.is_in(number));
        match item {
            Item::Event(event) => events(watched, number.run, &event),
            Item::Unwatched(unwatched) => self.unwatched(&unwatched),
            Item::Failed(reason) => vec![Err(StreamError::read(io::Error::other(reason)))],
        }
    }

    /// Returns the errors for a path that the daemon cannot watch.
    pub(crate) fn unwatched(&self, unwatched: &Unwatched) -> Vec<StreamItem> {
        let there = unwatched.path.path();
        let here = self.0.iter().filter(|watched| watched.until.is_none());
        let here = here.filter(|watched| watched.recursive || watched.there == there);
        let here = here.filter_map(|watched| watched.here(there));
        let error = |here: PathBuf| {
            let cause = unwatched.cause.error(&here);
            StreamError::unwatched(here, cause)
        };
        here.map(|here| Err(error(here))).collect()
    }
}

/// Returns an event as each of the watched paths reports it; once for each path.
fn events<'a>(
    watched: impl Iterator<Item = &'a mut Watched>,
    run: u64,
    event: &Event,
) -> Vec<StreamItem> {
    let is_loss = matches!(event.kind, EventKind::Missed(_));
    if is_loss && event.path.as_os_str().is_empty() {
        return vec![Ok(event.clone())];
    }
    let mut told: Vec<Event> = vec![];
    let mut displaced = vec![];
    for watched in watched {
        if watched.note(event) {
            displaced.push(Event::remove(RemoveKind::Folder, &watched.here));
        }
        let is_around = watched.there != event.path && watched.there.starts_with(&event.path);
        let mut report = event.clone();
        if let Some(here) = watched.here(&event.path) {
            report.path = here;
            let tracker = event.attrs.tracker().and_then(|tracker| tracker_of(run, tracker));
            report.attrs.set_tracker(tracker);
        } else if is_around && is_loss {
            report.path.clone_from(&watched.here);
        } else if is_around && is_removal(event.kind) {
            report = Event::remove(RemoveKind::Any, watched.here.clone());
        } else {
            continue;
        }
        if told.iter().all(|told| told.path.as_os_str() != report.path.as_os_str()) {
            told.push(report);
        }
    }
    displaced.into_iter().chain(told).map(Ok).collect()
}
