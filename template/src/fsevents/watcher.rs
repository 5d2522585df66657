//! The thread that takes events and looks, and the state that it shares with the stream: [`Watcher`].

use std::{
    collections::{HashSet, VecDeque},
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use notify_backend::{
    Cursor,
    listing::{Demand, Looker, Touched, Trees},
    prelude::*,
};

use crate::{
    inbox::{Batch, Inbox},
    past::Past,
    places::{Place, Places},
    position::{Position, Stored},
    settings::Settings,
    streams::{EventId, Flags, Request, SINCE_NOW, Streams},
};

/// How often a look asks for further events.
const ROUNDS: usize = 16;

/// A thread that looks where something has happened, as long as a consumer waits for events.
#[derive(Debug)]
pub(crate) struct Watcher<S: Streams> {
    shared: Arc<Shared<S>>,
    looker: Looker,
}

#[derive(Debug)]
struct Shared<S: Streams> {
    streams: S,
    settings: Settings,
    trees: Trees,
    inbox: Arc<Inbox>,
    /// Held while events are sorted out and looked at, and while watches are added: an event about a path that is being
    /// added has to wait.
    running: Mutex<Running<S>>,
    /// Locked by each poll, so never while the looker is.
    state: Mutex<State>,
}

#[derive(Debug)]
struct Running<S: Streams> {
    stream: Option<S::Stream>,
    /// How many streams there were.
    number: u64,
    /// What the stream watches.
    folders: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct State {
    places: Places,
    /// None once the past is complete.
    past: Option<Past>,
    /// Items that no look has found, each with the watched path that it is for; they come first.
    items: VecDeque<(PathBuf, StreamItem)>,
    position: Position,
    /// The last event before the look that has found the items.
    horizon: EventId,
    /// The last event of which everything was reported once the items are taken.
    until: Option<EventId>,
}

/// What is to be looked at.
#[derive(Debug, Default)]
struct Due {
    touched: Vec<Touched>,
    /// The last event of which everything was reported when that is done.
    until: EventId,
    /// Whether everything is.
    all: bool,
    /// The losses to report when that is done, each with the watched path that it is for. A consumer that rescans at
    /// once must not see what this thread has not seen.
    missed: Vec<(PathBuf, Event)>,
    /// Whether something was renamed: both places have to be in one look.
    is_rename: bool,
}

impl<S: Streams> Watcher<S> {
    /// Starts the thread, which has nothing to wait for yet.
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let streams = S::new()?;
        let position = Position::at(streams.current());
        let shared = Arc::new(Shared {
            streams,
            settings,
            trees: Trees::new().reporting_errors_at_once(true),
            inbox: Arc::default(),
            running: Mutex::new(Running { stream: None, number: 0, folders: vec![] }),
            state: Mutex::new(State { position, ..State::default() }),
        });
        let [looking, stopping] = [shared.clone(), shared.clone()];
        let stop = move || {
            stopping.trees.stop();
            stopping.inbox.close();
        };
        let looker = Looker::start("FSEvents backend", stop, move |demand| {
            looking.run(demand);
            Ok(())
        })?;
        Ok(Self { shared, looker })
    }

    /// Adds the first watches, and goes on from a cursor, if there is one.
    pub(crate) fn begin(
        &self,
        watches: Vec<Watch>,
        stored: Option<Stored>,
    ) -> Result<(), BackendError> {
        if let Some(stored) = stored {
            self.shared.go_on(&watches, stored);
        }
        self.watch(watches)
    }

    /// Adds watches, or changes those with the same paths.
    pub(crate) fn watch(&self, watches: Vec<Watch>) -> Result<(), BackendError> {
        self.looker.check()?;
        let result = self.shared.add(watches);
        self.looker.wake_if(|| self.shared.is_ready());
        result
    }

    /// Removes the watch with this path.
    pub(crate) fn unwatch(&self, path: &Path) -> Result<(), BackendError> {
        self.looker.check()?;
        self.shared.trees.unwatch(path)?;
        let mut state = self.shared.lock();
        state.places.remove(path);
        state.items.retain(|(watched, _)| watched.as_os_str() != path.as_os_str());
        drop(state);
        let mut running = self.shared.stand_still();
        // If another stream cannot be started, this one watches too much.
        if let Ok(true) = self.shared.restart(&mut running) {
            self.shared.look_anew();
        }
        drop(running);
        self.looker.wake_if(|| self.shared.is_ready());
        Ok(())
    }

    /// Returns the cursor.
    pub(crate) fn cursor(&self, backend: &str) -> Cursor {
        let state = self.shared.lock();
        state.position.cursor(backend, &state.places)
    }

    /// Returns the next item, or stores the waker until there is one.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.looker.poll_next(cx, || self.shared.take())
    }
}

impl<S: Streams> Shared<S> {
    /// Locks the state. No code under the lock leaves it half changed, so a panic of another thread does no
    /// harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no look is running, and keeps others from beginning.
    fn stand_still(&self) -> MutexGuard<'_, Running<S>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the position of an earlier program. A watched path of which the cursor does not know, or whose volume has
    /// another history by now, has lost what happened in between.
    fn go_on(&self, watches: &[Watch], stored: Stored) {
        let mut state = self.lock();
        let current = self.streams.current();
        let is_future = stored.position.since > current;
        let is_known = |watch: &&Watch| {
            let history = stored.places.get(watch.path.as_os_str()).map(|(_, history)| *history);
            !is_future && history.is_some() && history == self.streams.history(&watch.path)
        };
        let known = watches.iter().filter(is_known);
        let resumed: HashSet<_> = known.map(|watch| watch.path.as_os_str().to_owned()).collect();
        for watch in watches.iter().filter(|it| !resumed.contains(it.path.as_os_str())) {
            let missed = Event::missed_below(&watch.path, None);
            state.items.push_back((watch.path.clone(), Ok(missed)));
        }
        if resumed.is_empty() {
            return;
        }
        state.position = stored.position;
        let began = stored.places.into_iter().map(|(path, (from, _))| (path, from));
        state.past = Some(Past::of(began.filter(|(path, _)| resumed.contains(path)).collect()));
    }

    /// Adds watches, or changes those with the same paths. After an error, those that are new are not added.
    fn add(&self, watches: Vec<Watch>) -> Result<(), BackendError> {
        let mut running = self.stand_still();
        let mut added = vec![];
        let result = watches.into_iter().try_for_each(|watch| {
            let path = watch.path.clone();
            let is_new = self.lock().places.get(&path).is_none();
            self.add_one(watch)?;
            if is_new {
                added.push(path);
            }
            Ok(())
        });
        match result.and_then(|()| self.restart(&mut running)) {
            Ok(is_unseen) => {
                if is_unseen {
                    self.look_anew();
                }
                Ok(())
            }
            Err(error) => {
                for path in added {
                    self.lock().places.remove(&path);
                    // It was added above.
                    _ = self.trees.unwatch(&path);
                }
                Err(error)
            }
        }
    }

    /// Looks at a path for the first time. The stream has to be restarted.
    fn add_one(&self, watch: Watch) -> Result<(), BackendError> {
        // Before the path is looked at, so that nothing is lost in between.
        let from = self.streams.current();
        let mut place = match Place::of(&watch, from) {
            Ok(place) => place,
            Err(error) => return Err(BackendError::from_io(watch.path, error)),
        };
        place.history = self.streams.history(&place.folder);
        self.trees.watch(watch)?;
        let mut state = self.lock();
        let known = state.places.get(&place.path).map(|known| known.from);
        let began = state.past.as_ref().and_then(|past| past.began(&place.path));
        place.from = known.or(began).unwrap_or(from);
        state.places.insert(place);
        Ok(())
    }

    /// Starts a stream for the paths that are watched now, from where the last one is, and ends that. Returns whether
    /// to look at everything after that: without a history, there are no events of the time in between.
    fn restart(&self, running: &mut Running<S>) -> Result<bool, BackendError> {
        let state = self.lock();
        let paths = state.places.folders();
        let first = state.position.since;
        let (has_history, is_complete) =
            (state.places.have_history(), state.places.all_have_history());
        drop(state);
        if paths == running.folders {
            return Ok(false);
        }
        let number = running.number + 1;
        let stream = if paths.is_empty() {
            None
        } else {
            if running.number == 0 {
                self.inbox.begin_at(first);
            }
            let inbox = self.inbox.clone();
            let request = Request {
                paths: paths.clone(),
                since: if has_history { self.inbox.received() } else { SINCE_NOW },
                latency: self.settings.latency,
            };
            let deliver = Arc::new(move |events| inbox.put(number, events));
            let stream = self.streams.start(&request, deliver).map_err(|error| {
                let reason = format!("no stream of events can be started: {error}");
                BackendError::unavailable_at(reason, paths.clone())
            })?;
            Some(stream)
        };
        self.inbox.retire_before(number);
        *running = Running { stream, number, folders: paths };
        Ok(!is_complete)
    }

    /// Looks at everything.
    fn look_anew(&self) {
        let horizon = self.streams.current();
        self.lock().horizon = horizon;
        self.trees.look();
    }

    /// Takes events and looks, until the backend is dropped.
    fn run(&self, demand: &Demand) {
        let mut due = Due::default();
        let mut rested = Instant::now();
        while demand.wait_until(rested) {
            if due.is_empty() {
                let Some(batch) = self.inbox.wait() else { return };
                due.until = batch.until;
                self.sort_out(&batch, &mut due, &mut self.stand_still());
                self.wake(demand, &due);
                // The consumer may have gone by now.
                continue;
            }
            let start = Instant::now();
            due = self.look(due, &mut self.stand_still());
            self.wake(demand, &due);
            // Looking takes half a core at most.
            rested = Instant::now() + start.elapsed();
        }
    }

    /// Finds out what to look at, and makes items of what a look cannot find: losses, and the past.
    fn sort_out(&self, batch: &Batch, due: &mut Due, running: &mut Running<S>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        due.until = due.until.max(batch.until);
        state.horizon = batch.until;
        if batch.general.has_any(LOST) {
            due.lose(PathBuf::new(), Event::missed(None));
        }
        if batch.general.has_any(Flags::EVENT_IDS_WRAPPED) {
            due.until = batch.until;
            self.begin_anew(state);
        }
        let mut moved = vec![];
        for event in &batch.events {
            due.is_rename |= event.flags.has_any(Flags::RENAMED);
            if event.flags.has_any(Flags::ROOT_CHANGED) {
                for place in state.places.iter_mut().filter(|it| it.folder == event.path) {
                    place.resolve_again();
                    due.touched.push(Touched::somehow(place.locate(Path::new(""))));
                    if place.folder != event.path {
                        moved.push(place.path.clone());
                    }
                }
            }
            for place in state.places.iter().filter(|it| event.id > it.from) {
                if event.flags.has_any(Flags::MUST_SCAN_SUB_DIRS) {
                    let below = place.below(&event.path).map(|below| place.spell(below));
                    let is_above = place.is_below(&event.path);
                    let Some(path) = below.or_else(|| is_above.then(|| place.path.clone())) else {
                        continue;
                    };
                    due.lose(place.path.clone(), Event::missed_below(path, None));
                } else if let Some(below) = place.below(&event.path) {
                    if let Some(past) = &mut state.past {
                        let known = (&self.trees, &state.position);
                        past.tell(event, place, below, known, &mut state.items);
                    }
                    let is_change = event.flags.is_change_of_file()
                        && !self.trees.known(&place.path, below).is_empty();
                    due.touch(place, below, is_change);
                    if event.flags.has_any(Flags::RENAMED) {
                        due.touch_folders(place, &self.trees.known(&place.path, below));
                    }
                }
            }
        }
        if batch.general.has_any(Flags::HISTORY_DONE) {
            state.past = None;
        }
        drop(guard);
        if moved.is_empty() {
            return;
        }
        match self.restart(running) {
            Ok(is_unseen) => due.all |= is_unseen,
            Err(error) => {
                let mut state = self.lock();
                for path in moved {
                    let error = BackendError::from_io(&path, io::Error::other(error.to_string()));
                    let error = StreamError::unwatched(&path, error);
                    state.items.push_back((path, Err(error)));
                }
            }
        }
    }

    /// Forgets all numbers of events, since they have begun again.
    fn begin_anew(&self, state: &mut State) {
        state.position = Position::at(self.streams.current());
        state.past = None;
        for place in state.places.iter_mut() {
            place.from = 0;
            place.history = self.streams.history(&place.folder);
        }
    }

    /// Looks at what is due, and at what is reported meanwhile. Returns what has to be looked at again.
    fn look(&self, due: Due, running: &mut Running<S>) -> Due {
        let horizon = self.streams.current();
        self.lock().horizon = horizon;
        let mut next = Due { until: due.until, ..Due::default() };
        if due.all {
            self.trees.look();
            self.tell_losses(due.missed);
            return next;
        }
        if due.is_rename
            && let Some(stream) = &running.stream
        {
            // The event about the other path may wait for the latency.
            self.streams.flush(stream);
        }
        let mut rounds = 0;
        let left = self.trees.look_at(merged(due.touched), || {
            rounds += 1;
            if rounds > ROUNDS {
                return vec![];
            }
            self.sort_out(&self.inbox.take(), &mut next, running);
            merged(mem::take(&mut next.touched))
        });
        self.lock().horizon = horizon;
        next.touched = left;
        next
    }

    /// Makes items of losses, unless the path is not watched any more.
    fn tell_losses(&self, missed: Vec<(PathBuf, Event)>) {
        let mut state = self.lock();
        for (path, event) in missed {
            if path.as_os_str().is_empty() || state.places.get(&path).is_some() {
                state.items.push_back((path, Ok(event)));
            }
        }
    }

    /// Wakes the task that waits for items, if there are any. If nothing is left to be looked at, everything is reported
    /// once they are taken.
    fn wake(&self, demand: &Demand, due: &Due) {
        self.lock().until = due.is_empty().then_some(due.until);
        demand.wake_if(|| self.is_ready());
    }

    /// Takes the next item, and notes how far everything has been reported.
    fn take(&self) -> Option<StreamItem> {
        let mut state = self.lock();
        let item = state.items.pop_front().map(|(_, item)| item);
        let item = item.or_else(|| self.trees.next());
        if let Some(item) = &item {
            let horizon = state.horizon;
            state.position.note(item, horizon);
        } else if let Some(until) = state.until.take() {
            state.position.advance(until);
        }
        item
    }

    fn is_ready(&self) -> bool {
        !self.lock().items.is_empty() || self.trees.is_ready()
    }
}

/// Flags that say that anything may have been lost. Ids that begin again are no order any more.
const LOST: Flags = Flags::USER_DROPPED.and(Flags::KERNEL_DROPPED).and(Flags::EVENT_IDS_WRAPPED);

impl Due {
    fn is_empty(&self) -> bool {
        self.touched.is_empty() && !self.all
    }

    /// Adds a loss for a watched path, or for all.
    fn lose(&mut self, path: PathBuf, missed: Event) {
        self.all = true;
        self.missed.push((path, missed));
    }

    /// Adds what an event is about; `is_change` if it has changed a file that was there before.
    fn touch(&mut self, place: &Place, below: &Path, is_change: bool) {
        if let Some(above) = below.parent()
            && !is_change
        {
            // The folder has other entries than before.
            self.touched.push(Touched::somehow(place.locate(above)));
        }
        self.touched.push(Touched::somehow(place.locate(below)));
    }

    /// Adds the folders among what is known in a folder that was renamed: if it is back, events about what happened in
    /// it meanwhile have its other path.
    fn touch_folders(&mut self, place: &Place, known: &[(PathBuf, CreateKind)]) {
        let folders = known.iter().filter(|(_, kind)| *kind == CreateKind::Folder);
        let below = folders.filter_map(|(path, _)| path.strip_prefix(&place.path).ok());
        self.touched.extend(below.map(|below| Touched::somehow(place.locate(below))));
    }
}

/// Returns each place once.
fn merged(mut places: Vec<Touched>) -> Vec<Touched> {
    places.sort();
    places.dedup();
    places
}
