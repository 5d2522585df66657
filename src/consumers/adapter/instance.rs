//! A backend at work, whose items become notify's: [`Instance`].

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

/// What notify's handler is given.
pub(super) type Said = notify::Result<Event>;

/// How many items to take from a backend at a time. What is done once for all of them is not worth
/// mentioning then.
const AT_ONCE: usize = 32;

/// A backend and the paths that it watches.
#[derive(Debug)]
pub(super) struct Instance<B> {
    backend: B,
    // Whether recursively. What has ended by itself stays until it is removed.
    watched: HashMap<PathBuf, bool>,
    // How many of them are not watched recursively.
    shallow: usize,
    // Folders in the others whose entries nobody wants to hear of.
    excluded: HashSet<PathBuf>,
    // The folder that the latest event was in, if all its entries are asked for.
    asked_for: Option<PathBuf>,
    // The old name of the latest rename, and its tracker, until the new name comes.
    half: Option<(usize, PathBuf)>,
    /// What makes its trackers differ from those of other instances.
    pub(super) number: usize,
}

impl<B: Backend> Instance<B> {
    /// Creates a backend that was made for `watches`.
    pub(super) fn new(backend: B, watches: Vec<Watch>) -> Self {
        let mut instance = Self {
            backend,
            watched: watches.into_iter().map(|watch| (watch.path, watch.recursive)).collect(),
            shallow: 0,
            excluded: HashSet::new(),
            asked_for: None,
            half: None,
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

    /// Adds all that is not watched yet, or none of it. What is watched takes what is asked for now.
    pub(super) fn watch(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        for watch in &watches {
            self.excluded.retain(|folder| !folder.starts_with(&watch.path));
        }
        let is_known = |watch: &Watch| self.watches(&watch.path);
        let (known, new): (Vec<_>, Vec<_>) = watches.into_iter().partition(is_known);
        for mut watch in known {
            // Paths may be equal and yet be spelled differently, such as with a slash at the end.
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
        // What is not watched any more has ended by itself.
        if matches!(unwatched, Ok(()) | Err(BackendError::NotWatched { .. })) {
            self.watched.remove(path);
            self.note_change();
        }
        unwatched
    }

    /// Leaves out from now on what happens in `folder`, if it is one of a tree that is watched. Returns
    /// whether it is, and was not left out before.
    pub(super) fn exclude(&mut self, folder: &Path) -> bool {
        let is_new = self.is_in_tree(folder) && folder.is_dir() && !self.is_excluded(folder);
        is_new && self.excluded.insert(folder.to_owned())
    }

    /// Returns whether `path` lies below a folder that is watched recursively.
    fn is_in_tree(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|above| self.watched.get(above) == Some(&true))
    }

    /// Returns whether `path` is in an excluded folder, and not in one that is watched inside of that.
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

    /// Hears of a folder of this name again, once the one that was excluded is not there any more.
    fn follow(&mut self, event: &crate::Event) {
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

    /// Adds what there is to say to `said`. Ready once there is nothing more to come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, said: &mut VecDeque<Said>) -> Poll<()> {
        for _ in 0..AT_ONCE {
            match ready!(Pin::new(&mut self.backend).poll_next(cx)) {
                Some(Ok(event)) if !self.is_asked_for(&event.path) => {}
                Some(Err(error)) if error.path().is_some_and(|path| self.is_excluded(path)) => {}
                Some(item) => {
                    if let Ok(event) = &item {
                        self.follow(event);
                    }
                    self.say(item, said);
                }
                None => return Poll::Ready(()),
            }
        }
        if said.is_empty() {
            // No further: other threads that wait for the lock get their turn.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Returns what its paths are told when its stream has ended. A backend with a fixed set of paths has
    /// told of each that it is gone; of any other, that is the end of the facility.
    pub(super) fn farewell(self) -> Option<Said> {
        let is_fixed = !B::capabilities().contains(Capability::ChangeWatches);
        if is_fixed || self.watched.is_empty() {
            return None;
        }
        let paths = self.watched.into_keys().collect();
        Some(Err(notify::Error::from(BackendError::Ended).set_paths(paths)))
    }

    /// Returns whether `path` is to be told of: a backend may report more than it was asked for.
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

    /// Returns whether `path` is in the same folder as the latest one. To compare is much faster than to
    /// look up.
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

    fn say(&mut self, item: StreamItem, said: &mut VecDeque<Said>) {
        match item {
            Ok(event) => {
                let mode = match event.kind {
                    EventKind::Modify(ModifyKind::Name(mode)) => Some(mode),
                    _ => None,
                };
                let event = self.with_own_tracker(event.into());
                let both = mode.and_then(|mode| self.pair(mode, &event));
                said.push_back(Ok(event));
                said.extend(both.map(Ok));
            }
            Err(error @ StreamError::Read { .. }) => {
                let paths = self.watched.keys().cloned().collect();
                said.push_back(Err(notify::Error::from(error).set_paths(paths)));
            }
            Err(error) => said.push_back(Err(error.into())),
        }
    }

    /// Trackers relate events of one backend only, while notify's programs see those of several.
    fn with_own_tracker(&self, event: Event) -> Event {
        match event.tracker() {
            Some(tracker) if self.number > 0 => {
                event.set_tracker(tracker ^ (self.number << (usize::BITS / 2)))
            }
            _ => event,
        }
    }

    /// After the second half of a rename, the event that notify's inotify watcher adds.
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
