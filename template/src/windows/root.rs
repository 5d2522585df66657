//! A watched path, and the reports made from records about it: [`Root`].

use notify_backend::{StreamItem, prelude::*};

use crate::{
    cover::{Cover, Reach},
    folder::{Folder, Identity},
    moves::Moves,
    name::{Entry, Name},
    record::{Action, Record},
    source::{Scope, Source},
};

/// A watched path. A file is watched through its folder.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) watch: Watch,
    /// The watched file; none if a folder is watched.
    pub(crate) file: Option<Entry>,
    /// Which folder is watched, or that of the file, if the file system says so.
    pub(crate) id: Option<Identity>,
    /// The number of the source that reads this folder's entries.
    pub(crate) source: u32,
    /// Where this folder is, below the source's. The empty path is the source's own.
    pub(crate) place: Entry,
    pub(crate) state: State,
    /// The tracker of a rename whose new name comes with the next record that has one.
    half: Option<Tracker>,
}

/// Whether a root is watched.
#[derive(Debug)]
pub(crate) enum State {
    Watched,
    /// Changes up to its end are still read; then this is reported.
    Ending(Option<StreamItem>),
}

/// What a path is to a root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A folder in which that of the root is.
    Around,
    /// The folder of the root.
    Own,
    /// An entry below that, whose path is this.
    Below(Name),
}

/// What follows from a record about the folder of a root, or one around it.
#[derive(Debug)]
pub(crate) enum Fate {
    /// The root goes on; perhaps there is a report.
    Goes(Option<Event>),
    /// The root ends; perhaps with a last report.
    Ends(Option<Event>),
}

impl Root {
    /// Creates the root of a watch. `is_case_sensitive` says whether the folder above distinguishes names by case.
    pub(crate) fn new(watch: Watch, file: Option<Entry>, is_case_sensitive: bool) -> Self {
        let place = Entry { name: Name(vec![]), is_case_sensitive };
        Self { watch, file, id: None, source: 0, place, state: State::Watched, half: None }
    }

    pub(crate) fn scope(&self) -> Scope {
        match self.file {
            None if self.watch.recursive => Scope::Everything,
            _ => Scope::Entries,
        }
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

    /// Returns whether it is watched by this spelling: as paths, `a/` and `a` are equal.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.watch.path.as_os_str() == path.as_os_str()
    }

    /// Returns whether its folder is in that of its source, and not that itself.
    pub(crate) fn is_in_source(&self) -> bool {
        !self.place.is_empty()
    }

    /// Returns whether its folder is still at its place, as far as that can be found out.
    pub(crate) fn is_in_place<F: Folder>(&self, source: &Source<F>) -> bool {
        source.is_in_place() && source.is_there(&self.place.name.to_path(), self.id)
    }

    /// Returns what a path below the source's folder is to this root.
    pub(crate) fn spot(&self, name: &Name) -> Option<Spot> {
        if self.place.is_empty() {
            return Some(if name.0.is_empty() { Spot::Own } else { Spot::Below(name.clone()) });
        }
        let is_of = |whole: &Name, part: &Name| {
            let is_case_sensitive = self.place.is_case_sensitive;
            let part = Entry { name: part.clone(), is_case_sensitive };
            whole.split_at(part.name.parts().count()).filter(|(first, _)| part.is(first))
        };
        if self.place.is(name) {
            Some(Spot::Own)
        } else if let Some((_, below)) = is_of(name, &self.place.name) {
            Some(Spot::Below(below))
        } else {
            is_of(&self.place.name, name).map(|_| Spot::Around)
        }
    }

    /// Returns the path to report for an entry below its folder, if it is covered.
    pub(crate) fn path_of(&self, below: &Name) -> Option<PathBuf> {
        let own = &self.watch.path;
        match &self.file {
            Some(file) => file.is(below).then(|| own.clone()),
            None => (self.watch.recursive || below.is_direct()).then(|| own.join(below.to_path())),
        }
    }

    /// Forgets what it knows of the last records, since others were in between.
    pub(crate) fn forget_half(&mut self) {
        self.half = None;
    }

    /// Returns the report of a record about an entry. `has_moved` tells whether a removed file exists elsewhere;
    /// `tracks` says whether all renames are related.
    pub(crate) fn tell(
        &mut self,
        path: PathBuf,
        record: &Record,
        (number, moves): (u32, &mut Moves),
        tracks: bool,
        has_moved: impl FnOnce(u64) -> bool,
    ) -> Event {
        let id = record.id.filter(|_| tracks);
        match record.action {
            Action::Added => match id.and_then(|id| moves.arrive(id, number)) {
                None => Event::create(created(record.is_folder), path),
                tracker => Event::rename(RenameMode::To, path).with_tracker(tracker),
            },
            Action::Removed => match id.filter(|id| has_moved(*id)) {
                None => Event::remove(removed(record.is_folder), path),
                Some(id) => {
                    Event::rename(RenameMode::From, path).with_tracker(moves.leave(id, number))
                }
            },
            Action::OldName => {
                let tracker = match id {
                    Some(id) => moves.leave(id, number),
                    None => moves.tracker().filter(|_| tracks),
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
        }
    }

    /// Returns what follows from a record about its folder, or about one around it.
    pub(crate) fn fate<F: Folder>(&self, spot: &Spot, record: &Record, source: &Source<F>) -> Fate {
        let path = self.watch.path.clone();
        let is_own = *spot == Spot::Own;
        let gone = Fate::Ends(Some(Event::remove(RemoveKind::Any, &path)));
        let renamed = Fate::Ends(Some(Event::rename(RenameMode::From, &path)));
        match record.action {
            Action::OldName if is_own => renamed,
            Action::OldName => gone,
            Action::Removed if !is_own => gone,
            Action::Removed if record.id.is_some_and(|id| source.folder.has_file(id)) => renamed,
            // The file's own removal was reported before.
            Action::Removed if self.file.is_some() => Fate::Ends(None),
            Action::Removed => Fate::Ends(Some(Event::remove(RemoveKind::Folder, path))),
            Action::Added | Action::NewName if !self.is_in_place(source) => gone,
            Action::Modified if is_own && self.file.is_none() => {
                Fate::Goes(Some(Event::modify(ModifyKind::Any, path)))
            }
            Action::Added | Action::NewName | Action::Modified | Action::Unknown => {
                Fate::Goes(None)
            }
        }
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
