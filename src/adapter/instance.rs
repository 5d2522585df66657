//! A backend at work, whose items become notify's: [`Instance`].

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, ready},
};

use notify::{Event, event};

use crate::{
    backend::{Backend, StreamItem, Watch},
    error::{BackendError, StreamError},
    event::{EventKind, ModifyKind, RenameMode},
};

/// What notify's handler is given.
pub(super) type Said = notify::Result<Event>;

/// A backend and the paths that it watches.
#[derive(Debug)]
pub(super) struct Instance<B> {
    backend: B,
    // Whether recursively. What has ended by itself stays, until it is removed or all has ended.
    watched: HashMap<PathBuf, bool>,
    // How many of them are not watched recursively.
    shallow: usize,
    // What was added since the backend was last known to go on.
    fresh: Vec<Watch>,
    // The old name of the latest rename, and its tracker, until the new name comes.
    half: Option<(usize, PathBuf)>,
    /// What makes its trackers differ from those of other instances.
    pub(super) number: usize,
}

impl<B: Backend> Instance<B> {
    /// A backend that was made for `watch`.
    pub(super) fn new(backend: B, watch: Watch) -> Self {
        let shallow = usize::from(!watch.recursive);
        let watched = HashMap::from([(watch.path, watch.recursive)]);
        Self { backend, watched, shallow, fresh: vec![], half: None, number: 0 }
    }

    pub(super) fn backend(&self) -> &B {
        &self.backend
    }

    pub(super) fn watches(&self, path: &Path) -> bool {
        self.watched.contains_key(path)
    }

    pub(super) fn watch(&mut self, mut watch: Watch) -> Result<(), BackendError> {
        // Paths may be equal and yet be spelled differently, such as with a slash at the end.
        if let Some((known, _)) = self.watched.get_key_value(&watch.path) {
            watch.path.clone_from(known);
        }
        self.backend.watch(watch.clone())?;
        self.fresh.push(watch.clone());
        self.watched.insert(watch.path, watch.recursive);
        self.count_shallow();
        Ok(())
    }

    pub(super) fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        let Some((known, _)) = self.watched.get_key_value(path) else {
            return Err(BackendError::NotWatched { path: path.to_owned() });
        };
        let unwatched = self.backend.unwatch(known);
        // What is not watched any more has ended by itself.
        if matches!(unwatched, Ok(()) | Err(BackendError::NotWatched { .. })) {
            self.fresh.retain(|watch| watch.path != path);
            self.watched.remove(path);
            self.count_shallow();
        }
        unwatched
    }

    fn count_shallow(&mut self) {
        self.shallow = self.watched.values().filter(|&&recursive| !recursive).count();
    }

    /// What there is to say next, and the event that says the same in another way.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Said, Option<Said>)>> {
        let polled = Pin::new(&mut self.backend).poll_next(cx);
        if !matches!(polled, Poll::Ready(None)) {
            self.fresh.clear();
        }
        let Some(item) = ready!(polled) else {
            return Poll::Ready(None);
        };
        if let Ok(event) = &item
            && !self.is_asked_for(&event.path)
        {
            // Not in a loop: whoever waits for the lock gets a turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(self.say(item)))
    }

    /// The watches of a backend whose stream has ended that cannot have been meant by that.
    pub(super) fn into_fresh(self) -> Vec<Watch> {
        self.fresh
    }

    /// Whether `path` is to be told of: a backend may report more than it was asked for.
    fn is_asked_for(&self, path: &Path) -> bool {
        self.shallow == 0 || self.covers(path)
    }

    /// Whether a watch covers `path`; the empty path, which stands for all, is covered.
    pub(super) fn covers(&self, path: &Path) -> bool {
        let Some(parent) = path.parent() else {
            return true;
        };
        self.watched.contains_key(parent)
            || self.watched.contains_key(path)
            || parent.ancestors().skip(1).any(|above| self.watched.get(above) == Some(&true))
    }

    fn say(&mut self, item: StreamItem) -> (Said, Option<Said>) {
        match item {
            Ok(event) => {
                let mode = match event.kind {
                    EventKind::Modify(ModifyKind::Name(mode)) => Some(mode),
                    _ => None,
                };
                let event = self.with_own_tracker(event.into());
                let both = mode.and_then(|mode| self.pair(mode, &event));
                (Ok(event), both.map(Ok))
            }
            Err(error @ StreamError::Read { .. }) => {
                let paths = self.watched.keys().cloned().collect();
                (Err(notify::Error::from(error).set_paths(paths)), None)
            }
            Err(error) => (Err(error.into()), None),
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
