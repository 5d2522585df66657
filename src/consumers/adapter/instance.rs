//! A running backend, whose items become notify's: [`Instance`].

use std::{
    collections::{HashMap, HashSet, VecDeque},
    mem,
    path::{Path, PathBuf, is_separator},
    pin::Pin,
    task::{Context, Poll, ready},
};

use notify::{Event, event};

use crate::contract::{
    backend::{About, Backend, StreamItem, Watch},
    capability::Capability,
    error::{BackendError, StreamError},
    event::{EventKind, ModifyKind, RenameMode},
};

/// An argument for notify's handler.
pub(super) type EventResult = notify::Result<Event>;

/// How many items to take from a backend at a time: enough to make the cost of each round negligible.
const AT_ONCE: usize = 32;

/// A backend and the paths that it watches.
#[derive(Debug)]
pub(super) struct Instance<B> {
    backend: B,
    // Whether each is watched recursively. A watch that has ended by itself stays until it is removed.
    watched: HashMap<PathBuf, bool>,
    // How many paths are not watched recursively.
    shallow: usize,
    // Folders in watched trees whose events are not passed on.
    excluded: HashSet<PathBuf>,
    // The folder of the latest event, if all its entries are watched.
    asked_for: Option<PathBuf>,
    // The tracker and the old name of the latest rename, until the new name comes.
    half: Option<(usize, PathBuf)>,
    /// Whether its paths are on network file systems.
    pub(super) is_remote: bool,
    /// Makes its trackers differ from those of other instances.
    pub(super) number: usize,
}

impl<B: Backend> Instance<B> {
    /// Creates an instance from a backend that was made for `watches`.
    pub(super) fn new(backend: B, watches: Vec<Watch>, is_remote: bool) -> Self {
        let mut instance = Self {
            backend,
            watched: watches.into_iter().map(|watch| (watch.path, watch.recursive)).collect(),
            shallow: 0,
            excluded: HashSet::new(),
            asked_for: None,
            half: None,
            is_remote,
            number: 0,
        };
        instance.note_change();
        instance
    }

    pub(super) fn about(&self) -> About {
        self.backend.about()
    }

    pub(super) fn watches(&self, path: &Path) -> bool {
        self.watched.contains_key(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.watched.keys().map(PathBuf::as_path)
    }

    /// Adds all paths that are not watched yet, or none of them. Paths that are watched take the new
    /// demands.
    pub(super) fn watch(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        for watch in &watches {
            self.excluded.retain(|folder| !folder.starts_with(&watch.path));
        }
        let is_known = |watch: &Watch| self.watches(&watch.path);
        let (known, new): (Vec<_>, Vec<_>) = watches.into_iter().partition(is_known);
        for mut watch in known {
            // Equal paths may be spelled differently, for example with a slash at the end.
            if let Some((known, _)) = self.watched.get_key_value(&watch.path) {
                watch.path.clone_from(known);
            }
            self.backend.watch(watch.clone())?;
            self.watched.insert(watch.path, watch.recursive);
            self.note_change();
        }
        if !new.is_empty() {
            self.backend.watch_all(new.clone())?;
            self.watched.extend(new.into_iter().map(|watch| (watch.path, watch.recursive)));
            self.note_change();
        }
        Ok(())
    }

    pub(super) fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        let Some((known, _)) = self.watched.get_key_value(path) else {
            return Err(BackendError::not_watched(path));
        };
        let unwatched = self.backend.unwatch(known);
        // A watch that the backend does not know has ended by itself.
        if matches!(unwatched, Ok(()) | Err(BackendError::NotWatched { .. })) {
            self.watched.remove(path);
            self.note_change();
        }
        unwatched
    }

    /// Stops passing on events in `folder`, if that is in a watched tree. Returns whether this changes
    /// anything.
    pub(super) fn exclude(&mut self, folder: &Path) -> bool {
        let is_new = self.is_in_tree(folder) && folder.is_dir() && !self.is_excluded(folder);
        is_new && self.excluded.insert(folder.to_owned())
    }

    /// Returns whether `path` lies below a folder that is watched recursively.
    fn is_in_tree(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|above| self.watched.get(above) == Some(&true))
    }

    /// Returns whether `path` is in an excluded folder, and not in a watched one inside that.
    fn is_excluded(&self, path: &Path) -> bool {
        if self.excluded.is_empty() || self.watched.contains_key(path) {
            return false;
        }
        for (depth, above) in path.ancestors().skip(1).enumerate() {
            if self.excluded.contains(above) {
                return true;
            }
            if self.watched.get(above).is_some_and(|&recursive| recursive || depth == 0) {
                return false;
            }
        }
        false
    }

    /// Ends the exclusion of a folder that is gone, so that another one of the same name is not excluded.
    fn follow(&mut self, event: &crate::contract::event::Event) {
        use EventKind::{Modify, Remove};

        if let Remove(_) | Modify(ModifyKind::Name(RenameMode::From)) = event.kind {
            self.excluded.retain(|folder| !folder.starts_with(&event.path));
        }
    }

    fn note_change(&mut self) {
        let mut excluded = mem::take(&mut self.excluded);
        excluded.retain(|folder| self.is_in_tree(folder));
        self.excluded = excluded;
        self.asked_for = None;
        self.shallow = self.watched.values().filter(|&&recursive| !recursive).count();
    }

    /// Adds notify's events and errors to `results`. Returns `Ready` after the end of the stream.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        results: &mut VecDeque<EventResult>,
    ) -> Poll<()> {
        for _ in 0..AT_ONCE {
            match ready!(Pin::new(&mut self.backend).poll_next(cx)) {
                Some(Ok(event)) if !self.is_asked_for(&event.path) => {}
                Some(Err(error)) if error.path().is_some_and(|path| self.is_excluded(path)) => {}
                Some(item) => {
                    if let Ok(event) = &item {
                        self.follow(event);
                    }
                    self.pass_on(item, results);
                }
                None => return Poll::Ready(()),
            }
        }
        if results.is_empty() {
            // Goes no further, so that other threads that wait for the lock get their turn.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Returns the error for all its paths when the stream has ended. A backend with a fixed set of paths
    /// has reported the end of each; from any other, it means that the facility has failed.
    pub(super) fn end_error(self) -> Option<EventResult> {
        let is_fixed = !B::capabilities().contains(Capability::ChangeWatches);
        if is_fixed || self.watched.is_empty() {
            return None;
        }
        let paths = self.watched.into_keys().collect();
        Some(Err(notify::Error::from(BackendError::Ended).set_paths(paths)))
    }

    /// Returns whether an event about `path` is passed on. A backend may report more than it was asked for.
    fn is_asked_for(&mut self, path: &Path) -> bool {
        if self.is_excluded(path) {
            return false;
        }
        if self.shallow == 0 || self.is_like_the_latest(path) {
            return true;
        }
        let Some(parent) = path.parent() else {
            return true;
        };
        if self.covers_entries_of(parent) {
            let known = self.asked_for.get_or_insert_default().as_mut_os_string();
            known.clear();
            known.push(parent);
            return true;
        }
        self.watched.contains_key(path)
    }

    /// Returns whether `path` is in the same folder as the latest one. Comparing is much faster than a
    /// lookup.
    fn is_like_the_latest(&self, path: &Path) -> bool {
        let Some(known) = &self.asked_for else {
            return false;
        };
        let bytes = path.as_os_str().as_encoded_bytes();
        let end = bytes.iter().rposition(|&byte| is_separator(byte.into()));
        end.is_some_and(|end| bytes[..end] == *known.as_os_str().as_encoded_bytes())
    }

    /// Returns whether a watch covers `path`.
    pub(super) fn covers(&self, path: &Path) -> bool {
        let is_entry = |parent| self.covers_entries_of(parent) && !self.is_excluded(path);
        self.watched.contains_key(path) || path.parent().is_some_and(is_entry)
    }

    fn covers_entries_of(&self, folder: &Path) -> bool {
        self.watched.contains_key(folder) || self.is_in_tree(folder)
    }

    fn pass_on(&mut self, item: StreamItem, results: &mut VecDeque<EventResult>) {
        match item {
            Ok(event) => {
                let mode = match event.kind {
                    EventKind::Modify(ModifyKind::Name(mode)) => Some(mode),
                    _ => None,
                };
                let event = self.with_own_tracker(event.into());
                let both = mode.and_then(|mode| self.pair(mode, &event));
                results.push_back(Ok(event));
                results.extend(both.map(Ok));
            }
            Err(error @ StreamError::Read { .. }) => {
                let paths = self.watched.keys().cloned().collect();
                results.push_back(Err(notify::Error::from(error).set_paths(paths)));
            }
            Err(error) => results.push_back(Err(error.into())),
        }
    }

    /// Makes the tracker unique among instances. A backend's trackers relate only its own events, but
    /// programs that use notify see the events of several.
    fn with_own_tracker(&self, event: Event) -> Event {
        match event.tracker() {
            Some(tracker) if self.number > 0 => {
                event.set_tracker(tracker ^ (self.number << (usize::BITS / 2)))
            }
            _ => event,
        }
    }

    /// Returns the event with both names that notify's inotify watcher adds after the second half of a
    /// rename.
    fn pair(&mut self, mode: RenameMode, event: &Event) -> Option<Event> {
        let tracker = event.tracker()?;
        match mode {
            RenameMode::From => {
                self.half = event.paths.first().map(|path| (tracker, path.clone()));
                None
            }
            RenameMode::To => {
                let (_, from) = self.half.take_if(|(half, _)| *half == tracker)?;
                let kind = event::EventKind::Modify(ModifyKind::Name(RenameMode::Both));
                let mut both = Event::new(kind).set_tracker(tracker).add_path(from);
                both.paths.extend_from_slice(&event.paths);
                Some(both)
            }
            _ => None,
        }
    }
}
