//! What happened before this program started: [`Past`].

use std::{
    collections::{HashMap, HashSet, VecDeque},
    ffi::OsString,
};

use notify_backend::{listing::Trees, prelude::*};

use crate::{
    places::Place,
    position::Position,
    streams::{EventId, Flags, FsEvent},
};

/// Makes items of the events up to the one that says that the past is complete.
///
/// A look cannot: it compares with what was there when this program started. So an event is reported by its flags and by
/// what was there then.
#[derive(Debug)]
pub(crate) struct Past {
    /// The watched paths whose past is to be reported, each with the last event before it was watched.
    watched: HashMap<OsString, EventId>,
    /// The paths that were reported. An event about a new folder also reports what is in it.
    told: HashSet<PathBuf>,
}

impl Past {
    pub(crate) fn of(watched: HashMap<OsString, EventId>) -> Self {
        Self { watched, told: HashSet::new() }
    }

    /// Returns the last event before this path was watched, if its past is to be reported.
    pub(crate) fn began(&self, path: &Path) -> Option<EventId> {
        self.watched.get(path.as_os_str()).copied()
    }

    /// Adds the items for an event about `below`, a path relative to this watched one.
    pub(crate) fn tell(
        &mut self,
        event: &FsEvent,
        place: &Place,
        below: &Path,
        (trees, position): (&Trees, &Position),
        items: &mut VecDeque<(PathBuf, StreamItem)>,
    ) {
        if self.began(&place.path).is_none() {
            return;
        }
        let mut add = |event: Event| {
            if self.told.insert(event.path.clone()) {
                items.push_back((place.path.clone(), Ok(event)));
            }
        };
        let known = trees.known(&place.path, below);
        let [(path, kind), rest @ ..] = known.as_slice() else {
            let path = place.spell(below);
            let reported = position.reported(&path);
            if reported.is_none_or(|it| it.is_there) {
                add(Event::remove(removed(event.flags), path));
            }
            return;
        };
        let reported = position.reported(path);
        let is_known = reported.is_some_and(|it| event.id <= it.until && it.is_there);
        let was_there = reported.is_some_and(|it| it.is_there);
        let came = Flags::CREATED.and(Flags::RENAMED);
        if !event.flags.has_any(came) {
            if !is_known {
                add(Event::modify(ModifyKind::Any, path));
            }
            return;
        }
        if !was_there {
            add(Event::create(*kind, path));
        } else if !is_known {
            // The flag is an old one.
            add(Event::modify(ModifyKind::Any, path));
        }
        for (path, kind) in rest {
            if position.reported(path).is_none_or(|it| !it.is_there) {
                add(Event::create(*kind, path));
            }
        }
    }
}

fn removed(flags: Flags) -> RemoveKind {
    // A path may have been that of a file and of a folder.
    match (flags.has_any(Flags::IS_FILE), flags.has_any(Flags::IS_DIR)) {
        (true, false) => RemoveKind::File,
        (false, true) => RemoveKind::Folder,
        (false, false) if flags.has_any(Flags::IS_SYMLINK) => RemoveKind::Other,
        _ => RemoveKind::Any,
    }
}
