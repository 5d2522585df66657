//! The thread that takes events and looks, and the state that it shares with the stream: [`Watcher`].

use std::{
    collections::{HashSet, VecDeque},
    fs::Metadata,
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use notify_backend::{
    Cursor,
    listing::{Observer, Touched, Trees},
    prelude::*,
};

use crate::{
    inbox::{Batch, Inbox},
    past::Past,
    places::{Place, Places},
    position::{Position, Stored},
    settings::Settings,
    streams::{EventId, Flags, Request, Streams},
};

/// How often a look asks for further events.
const ROUNDS: usize = 16;

/// How long a dropped backend waits for its thread. A look ends after its current system call.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A thread that looks where something has happened, as long as a consumer waits for events.
#[derive(Debug)]
pub(crate) struct Watcher<S: Streams> {
    shared: Arc<Shared<S>>,
    /// None once it has been waited for.
    thread: Option<JoinHandle<()>>,
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
    state: Mutex<State>,
    /// Signals that a condition has changed that the thread waits for.
    changed: Condvar,
    /// Signals that the thread has ended.
    ended: Condvar,
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
    /// The waker of the task that waits for items. As long as there are any, there is none, and no further look.
    waker: Option<Waker>,
    is_closed: bool,
    has_ended: bool,
    /// Why the thread has ended, until that is reported.
    end: Option<io::Error>,
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

/// The system's service: it observes everything. With an observer, a look also reports at once what it cannot read, since
/// there may be no other look.
#[derive(Debug)]
struct Service;

impl Observer for Service {
    fn observe(&self, _: &Path, _: &Metadata) -> io::Result<bool> {
        Ok(false)
    }

    fn forget(&self, _: &Path) {}
}

/// What is to be looked at.
#[derive(Debug, Default)]
struct Due {
    touched: Vec<Touched>,
    /// The last event of which everything was reported when that is done.
    until: EventId,
    /// Whether everything is.
    all: bool,
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
            trees: Trees::new().observed_by(Arc::new(Service)),
            inbox: Arc::default(),
            running: Mutex::new(Running { stream: None, number: 0, folders: vec![] }),
            state: Mutex::new(State { position, ..State::default() }),
            changed: Condvar::new(),
            ended: Condvar::new(),
        });
        let thread = thread::Builder::new().name("FSEvents backend".into()).spawn({
            let shared = shared.clone();
            move || {
                let mut end = End(&shared, Some(io::Error::other("the thread has panicked")));
                shared.run();
                end.1 = None;
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns whether the thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.lock().has_ended
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
        self.shared.add(watches)
    }

    /// Adds watches, or changes those with the same paths.
    pub(crate) fn watch(&self, watches: Vec<Watch>) -> Result<(), BackendError> {
        self.shared.add(watches)
    }

    /// Removes the watch with this path.
    pub(crate) fn unwatch(&self, path: &Path) -> Result<(), BackendError> {
        self.shared.trees.unwatch(path)?;
        let mut state = self.shared.lock();
        state.places.remove(path);
        state.items.retain(|(watched, _)| watched.as_os_str() != path.as_os_str());
        drop(state);
        // If another stream cannot be started, this one watches too much.
        _ = self.shared.restart(&mut self.shared.stand_still());
        Ok(())
    }

    /// Returns the cursor.
    pub(crate) fn cursor(&self, backend: &str) -> Cursor {
        let state = self.shared.lock();
        state.position.cursor(backend, &state.places)
    }

    /// Returns the next item, or stores the waker until there is one. After the end of the thread, returns
    /// one error and then the end of the stream.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let mut state = self.shared.lock();
        let item = state.items.pop_front().map(|(_, item)| item);
        if let Some(item) = item.or_else(|| self.shared.trees.next()) {
            let horizon = state.horizon;
            state.position.note(&item, horizon);
            return Poll::Ready(Some(item));
        }
        if let Some(until) = state.until.take() {
            state.position.advance(until);
        }
        if state.has_ended {
            return Poll::Ready(state.end.take().map(|error| Err(StreamError::read(error))));
        }
        let earlier = state.waker.replace(cx.waker().clone());
        drop(state);
        if earlier.is_none() {
            self.shared.changed.notify_one();
        }
        Poll::Pending
    }
}

impl<S: Streams> Drop for Watcher<S> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        self.shared.trees.stop();
        let waker = state.waker.take();
        self.shared.changed.notify_one();
        self.shared.inbox.close();
        // A waker that the thread wakes may drop the backend.
        let thread = self.thread.take();
        if let Some(thread) = thread.filter(|it| it.thread().id() != thread::current().id()) {
            let is_running = |state: &mut State| !state.has_ended;
            let waited = self.shared.ended.wait_timeout_while(state, LAST_CALL, is_running);
            let has_ended = waited.is_ok_and(|(state, _)| state.has_ended);
            if has_ended {
                // It may still hold the stream. A panic has been reported.
                _ = thread.join();
            }
        }
        drop(waker);
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
        let result = result.and_then(|()| self.restart(&mut running));
        if result.is_err() {
            for path in added {
                self.lock().places.remove(&path);
                // It was added above.
                _ = self.trees.unwatch(&path);
            }
        }
        drop(running);
        self.wake_task(self.lock());
        result
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

    /// Starts a stream for the paths that are watched now, from where the last one is, and ends that.
    fn restart(&self, running: &mut Running<S>) -> Result<(), BackendError> {
        let state = self.lock();
        let paths = state.places.folders();
        let first = state.position.since;
        drop(state);
        if paths == running.folders {
            return Ok(());
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
                since: self.inbox.received(),
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
        Ok(())
    }

    /// Takes events and looks, until the backend is dropped.
    fn run(&self) {
        let mut due = Due::default();
        let mut rest = Duration::ZERO;
        while self.wait_for_consumer(rest) {
            rest = Duration::ZERO;
            if due.is_empty() {
                let Some(batch) = self.inbox.wait() else { return };
                due.until = batch.until;
                self.sort_out(&batch, &mut due, &mut self.stand_still());
                self.wake(&due);
                // The consumer may have gone by now.
                continue;
            }
            let start = Instant::now();
            due = self.look(due, &mut self.stand_still());
            self.wake(&due);
            // Looking takes half a core at most.
            rest = start.elapsed();
        }
    }

    /// Waits until a consumer waits for the result of a look, and until the thread has rested. Returns whether to go
    /// on.
    fn wait_for_consumer(&self, rest: Duration) -> bool {
        let rested = Instant::now() + rest;
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return false;
            }
            let left = rested.saturating_duration_since(Instant::now());
            state = if state.waker.is_none() {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else if left.is_zero() {
                return true;
            } else {
                let waited = self.changed.wait_timeout(state, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Finds out what to look at, and makes items of what a look cannot find: losses, and the past.
    fn sort_out(&self, batch: &Batch, due: &mut Due, running: &mut Running<S>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        due.until = due.until.max(batch.until);
        state.horizon = batch.until;
        if batch.general.has_any(LOST) {
            due.all = true;
            state.items.push_back((PathBuf::new(), Ok(Event::missed(None))));
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
                    due.all = true;
                    let missed = Event::missed_below(path, None);
                    state.items.push_back((place.path.clone(), Ok(missed)));
                } else if let Some(below) = place.below(&event.path) {
                    if let Some(past) = &mut state.past {
                        let known = (&self.trees, &state.position);
                        past.tell(event, place, below, known, &mut state.items);
                    }
                    let is_change = event.flags.is_change_of_file()
                        && !self.trees.known(&place.path, below).is_empty();
                    due.touch(place, below, is_change);
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
        if let Err(error) = self.restart(running) {
            let mut state = self.lock();
            for path in moved {
                let error = BackendError::from_io(&path, io::Error::other(error.to_string()));
                let error = StreamError::unwatched(&path, error);
                state.items.push_back((path, Err(error)));
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

    /// Wakes the task that waits for items, if there are any. If nothing is left to be looked at, everything is reported
    /// once they are taken.
    fn wake(&self, due: &Due) {
        let mut state = self.lock();
        state.until = due.is_empty().then_some(due.until);
        self.wake_task(state);
    }

    fn wake_task(&self, mut state: MutexGuard<'_, State>) {
        let is_ready = !state.items.is_empty() || self.trees.is_ready();
        let waker = if is_ready { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Flags that say that anything may have been lost. Ids that begin again are no order any more.
const LOST: Flags = Flags::USER_DROPPED.and(Flags::KERNEL_DROPPED).and(Flags::EVENT_IDS_WRAPPED);

impl Due {
    fn is_empty(&self) -> bool {
        self.touched.is_empty() && !self.all
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
}

/// Returns each place once.
fn merged(mut places: Vec<Touched>) -> Vec<Touched> {
    places.sort();
    places.dedup();
    places
}

/// Records that the thread has ended, and why, when it is dropped; also in a panic.
struct End<'a, S: Streams>(&'a Shared<S>, Option<io::Error>);

impl<S: Streams> Drop for End<'_, S> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_ended = true;
        state.end = mem::take(&mut self.1);
        let waker = state.waker.take();
        drop(state);
        self.0.ended.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
