//! A watched path, and the reports made from records about it: [`Root`].

use notify_backend::{StreamItem, prelude::*};

use crate::{
    cover::{Cover, Reach},
    folder::Folder,
    moves::Moves,
    name::Name,
    record::{Action, Record},
};

/// A watched path. A file is watched through its folder.
#[derive(Debug)]
pub(crate) struct Root<F> {
    pub(crate) watch: Watch,
    /// The watched file; none if a folder is watched.
    pub(crate) file: Option<Entry>,
    /// The folder whose entries are reported.
    pub(crate) inside: F,
    /// The folder above it, and its name there. Nothing else tells that it is renamed.
    pub(crate) above: Option<(F, Entry)>,
    pub(crate) state: State,
    /// The earlier watch of the same path that this one waits for, and what it has to report then.
    pub(crate) held: Option<(u32, Vec<StreamItem>)>,
    /// The tracker of a rename whose new name comes with the next record that has one.
    half: Option<Tracker>,
}

/// Whether a root reports anything.
#[derive(Debug)]
pub(crate) enum State {
    Watched,
    /// Everything up to its end is still read; then this is reported.
    Ending(Option<StreamItem>),
    /// It is not wanted any more. What was queued until then is still read, since another watch may have left
    /// the report to it.
    Unwanted,
    /// It waits for the system to give its buffers back.
    Over,
}

/// An entry of a folder.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    /// Whether the folder distinguishes names by case.
    pub(crate) is_case_sensitive: bool,
}

/// What reports depend on besides the root.
#[derive(Debug)]
pub(crate) struct Telling {
    /// The number of the root.
    pub(crate) number: u32,
    /// Whether the system numbers files, and so relates all renames.
    pub(crate) tracks: bool,
    /// What is watched, without the root itself.
    pub(crate) others: Vec<Cover>,
}

impl Entry {
    pub(crate) fn is(&self, name: &Name) -> bool {
        *name == self.name || !self.is_case_sensitive && self.name.is_same_ignoring_case(name)
    }
}

impl<F: Folder> Root<F> {
    pub(crate) fn new(
        watch: Watch,
        file: Option<Entry>,
        inside: F,
        above: Option<(F, Entry)>,
    ) -> Self {
        Self { watch, file, inside, above, state: State::Watched, held: None, half: None }
    }

    pub(crate) fn cover(&self) -> Cover {
        let reach = match (&self.file, self.watch.recursive) {
            (Some(_), _) => Reach::Nothing,
            (None, false) => Reach::Entries,
            (None, true) => Reach::Everything,
        };
        Cover { path: self.watch.path.clone(), reach }
    }

    pub(crate) fn is_watched(&self) -> bool {
        matches!(self.state, State::Watched)
    }

    /// Returns whether it has reported everything, and the system has given all buffers back.
    pub(crate) fn is_over(&self) -> bool {
        let is_reading_above = self.above.as_ref().is_some_and(|(above, _)| above.is_reading());
        let is_reading = self.inside.is_reading() || is_reading_above;
        matches!(self.state, State::Over) && self.held.is_none() && !is_reading
    }

    /// Ends its reads, and reports `last` once everything before has been reported.
    pub(crate) fn end(&mut self, last: Option<StreamItem>) {
        self.state = State::Ending(last);
        self.cancel();
    }

    /// Ends its reads once everything before has been read for other watches.
    pub(crate) fn leave(&mut self) {
        self.state = State::Unwanted;
        self.cancel();
    }

    /// Ends its reads.
    pub(crate) fn stop(&mut self) {
        self.state = State::Over;
        self.cancel();
    }

    /// Ends its reads, and reports nothing more.
    pub(crate) fn discard(&mut self) {
        self.held = None;
        self.stop();
    }

    fn cancel(&self) {
        self.inside.cancel();
        if let Some((above, _)) = &self.above {
            above.cancel();
        }
    }

    /// As [`end`](Self::end), with a last event, unless another watch reports it.
    pub(crate) fn end_with(&mut self, last: Event, others: &[Cover]) {
        let is_to_report = self.is_to_report(&last.path, others);
        self.end(is_to_report.then_some(Ok(last)));
    }

    /// Forgets what it knows of the last records, since the next ones are lost. Returns the reports of that.
    pub(crate) fn lose(&mut self, others: &[Cover]) -> Vec<Event> {
        self.half = None;
        let own = self.cover();
        let inner = others.iter().filter(|other| own.has(&other.path)).map(|other| &other.path);
        let concerned: Vec<_> = match self.state {
            State::Unwanted => inner.collect(),
            _ => vec![&self.watch.path],
        };
        concerned.into_iter().map(|path| Event::missed_below(path, None)).collect()
    }

    /// Returns the report of a record of the folder inside, if it is for this root to report.
    pub(crate) fn tell(
        &mut self,
        record: &Record,
        moves: &mut Moves,
        Telling { number, tracks, others }: &Telling,
    ) -> Option<Event> {
        let path = self.path_of(&self.long(&record.name));
        let Some(path) = path.filter(|path| self.is_to_report(path, others)) else {
            self.half = None;
            return None;
        };
        let (number, id) = (*number, record.id.filter(|_| *tracks));
        let event = match record.action {
            Action::Added => match id.and_then(|id| moves.arrive(id, number)) {
                None => Event::create(created(record.is_folder), path),
                tracker => Event::rename(RenameMode::To, path).with_tracker(tracker),
            },
            Action::Removed => match id.filter(|id| self.inside.has_file(*id)) {
                None => Event::remove(removed(record.is_folder), path),
                Some(id) => {
                    Event::rename(RenameMode::From, path).with_tracker(moves.leave(id, number))
                }
            },
            Action::OldName => {
                let tracker = match id {
                    Some(id) => moves.leave(id, number),
                    None => moves.tracker().filter(|_| *tracks),
                };
                self.half = tracker.filter(|_| id.is_none());
                Event::rename(RenameMode::From, path).with_tracker(tracker)
            }
            Action::NewName => {
                let half = self.half.take();
                let tracker = id.map_or(half, |id| moves.arrive(id, number));
                Event::rename(RenameMode::To, path).with_tracker(tracker)
            }
            Action::Modified => Event::modify(ModifyKind::Any, path),
            Action::Unknown => Event::new(EventKind::Any, path),
        };
        Some(event)
    }

    /// Returns whether a path is for this root to report. What several watches cover is reported once, by the
    /// outermost.
    pub(crate) fn is_to_report(&self, path: &Path, others: &[Cover]) -> bool {
        let own = self.watch.path.as_os_str();
        let is_above = |other: &&Cover| other.is_around(&self.watch.path);
        let is_left_to = |other: &Cover| other.path.as_os_str() != own && other.has(path);
        let is_wanted =
            !matches!(self.state, State::Unwanted) || others.iter().any(|other| other.has(path));
        is_wanted && !others.iter().filter(is_above).any(is_left_to)
    }

    /// Returns the path to report for an entry, if it is covered.
    fn path_of(&self, name: &Name) -> Option<PathBuf> {
        let own = &self.watch.path;
        match &self.file {
            Some(file) => file.is(name).then(|| own.clone()),
            None if name.0.is_empty() => Some(own.clone()),
            None => (self.watch.recursive || name.is_direct()).then(|| own.join(name.to_path())),
        }
    }

    /// Returns the long form of a path with short names, as far as its files exist.
    fn long(&self, name: &Name) -> Name {
        if !name.parts().any(|part| part.may_be_short()) {
            return name.clone();
        }
        let mut long = Name(vec![]);
        for part in name.parts() {
            let mut path = long.clone();
            path.push(&part);
            let is_short = part.may_be_short();
            let found = is_short.then(|| self.inside.long_name(&path.to_path())).flatten();
            long.push(&found.unwrap_or(part));
        }
        long
    }

    /// Acts on a record of the folder above: returns what to report, or begins to end.
    pub(crate) fn tell_above(&mut self, record: &Record, others: &[Cover]) -> Option<Event> {
        let path = self.watch.path.clone();
        let (above, entry) = self.above.as_ref()?;
        if !entry.is(&record.name) {
            return None;
        }
        let renamed = Event::rename(RenameMode::From, &path);
        let last = match record.action {
            Action::OldName => renamed,
            Action::Removed if record.id.is_some_and(|id| above.has_file(id)) => renamed,
            Action::Removed if self.file.is_some() => {
                // Its own removal was reported before.
                self.end(None);
                return None;
            }
            Action::Removed => Event::remove(RemoveKind::Folder, path),
            Action::Added | Action::NewName if !self.inside.is_in_place() => {
                Event::remove(RemoveKind::Any, path)
            }
            Action::Modified if self.file.is_none() => {
                let is_to_report = self.is_to_report(&path, others);
                return is_to_report.then(|| Event::modify(ModifyKind::Any, path));
            }
            Action::Added | Action::NewName | Action::Modified | Action::Unknown => return None,
        };
        self.end_with(last, others);
        None
    }
}

fn created(is_folder: Option<bool>) -> CreateKind {
    match is_folder {
        None => CreateKind::Any,
        Some(false) => CreateKind::File,
        Some(true) => CreateKind::Folder,
    }
}

fn removed(is_folder: Option<bool>) -> RemoveKind {
    match is_folder {
        None => RemoveKind::Any,
        Some(false) => RemoveKind::File,
        Some(true) => RemoveKind::Folder,
    }
}
