//! The thread that waits for notes and looks, and the state that it shares with the stream: [`Watcher`].

use std::{
    collections::HashMap,
    ffi::OsString,
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use notify_backend::{
    listing::{Touched, Trees},
    prelude::*,
};

use crate::{files::Files, vnodes::Vnodes};

/// How often a look that was not finished asks for further notes.
const ROUNDS: usize = 16;

/// How long to wait for the note about the folder that a file was moved to. The kernel sends it right after the one
/// about the folder that the file was moved from.
const ARRIVAL: Duration = Duration::from_millis(20);

/// How often files and folders are looked at that may not be opened.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a dropped backend waits for its thread. A look ends after its current system call.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A thread that looks where something has happened, as long as a consumer waits for events.
#[derive(Debug)]
pub(crate) struct Watcher<V: Vnodes> {
    shared: Arc<Shared<V>>,
    /// None once it has been waited for.
    thread: Option<JoinHandle<()>>,
    /// The folders above the watched paths, by the watched path as it was given.
    above: HashMap<OsString, PathBuf>,
}

#[derive(Debug)]
struct Shared<V: Vnodes> {
    files: Arc<Files<V>>,
    trees: Trees,
    state: Mutex<State>,
    /// Signals that a condition has changed that the thread waits for.
    changed: Condvar,
    /// Signals that the thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The waker of the task that waits for items. As long as there are any, there is none, and no further
    /// look: the kernel merges what happens meanwhile.
    waker: Option<Waker>,
    is_closed: bool,
    has_ended: bool,
    /// Why the thread has ended, until that is reported.
    end: Option<io::Error>,
}

impl<V: Vnodes> Watcher<V> {
    /// Starts the thread, which has nothing to wait for yet.
    pub(crate) fn new() -> io::Result<Self> {
        let files = Arc::new(Files::new()?);
        let trees = Trees::new().observed_by(files.clone());
        let (state, changed, ended) = Default::default();
        let shared = Arc::new(Shared { files, trees, state, changed, ended });
        let thread = thread::Builder::new().name("kqueue backend".into()).spawn({
            let shared = shared.clone();
            move || {
                let mut end = End(&shared, Some(io::Error::other("the thread has panicked")));
                end.1 = shared.run().err();
            }
        })?;
        Ok(Self { shared, thread: Some(thread), above: HashMap::new() })
    }

    /// Returns whether the thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.lock().has_ended
    }

    /// Adds a watch, or changes the one with the same path.
    pub(crate) fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        let path = watch.path.clone();
        let above = std::path::absolute(&path).ok();
        let above = above.as_deref().and_then(Path::parent);
        let is_new = !self.above.contains_key(path.as_os_str());
        if let Some(above) = above.filter(|_| is_new) {
            // Before the path is looked at, so that nothing is lost in between.
            self.shared.files.watch_above(above);
        }
        let watched = self.shared.trees.watch(watch);
        if let Some(above) = above.filter(|_| is_new) {
            if watched.is_ok() {
                self.above.insert(path.into(), above.to_owned());
            } else {
                self.shared.files.unwatch_above(above);
            }
        }
        self.shared.wake();
        watched
    }

    /// Removes the watch with this path.
    pub(crate) fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.shared.trees.unwatch(path)?;
        if let Some(above) = self.above.remove(path.as_os_str()) {
            self.shared.files.unwatch_above(&above);
        }
        Ok(())
    }

    /// Returns the next item, or stores the waker until there is one. After the end of the thread, returns
    /// one error and then the end of the stream.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let mut state = self.shared.lock();
        if let Some(item) = self.shared.trees.next() {
            return Poll::Ready(Some(item));
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

impl<V: Vnodes> Drop for Watcher<V> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        self.shared.trees.stop();
        let waker = state.waker.take();
        self.shared.changed.notify_one();
        self.shared.files.wake();
        // A waker that the thread wakes may drop the backend.
        let thread = self.thread.take();
        if let Some(thread) = thread.filter(|it| it.thread().id() != thread::current().id()) {
            let is_running = |state: &mut State| !state.has_ended;
            let waited = self.shared.ended.wait_timeout_while(state, LAST_CALL, is_running);
            let has_ended = waited.is_ok_and(|(state, _)| state.has_ended);
            if has_ended {
                // It may still hold the queue and the files. A panic has been reported.
                _ = thread.join();
            }
        }
        drop(waker);
    }
}

impl<V: Vnodes> Shared<V> {
    /// Locks the state. No code under the lock leaves it half changed, so a panic of another thread does no
    /// harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for notes and looks, until the backend is dropped.
    fn run(&self) -> io::Result<()> {
        let mut due = Vec::new();
        let mut rest = Duration::ZERO;
        let mut last = Instant::now();
        while self.wait_for_consumer(rest) {
            rest = Duration::ZERO;
            if due.is_empty() && !self.trees.is_waiting() {
                due = self.wait(&mut last)?;
                // The consumer may have gone by now.
                continue;
            }
            let timeout = if due.is_empty() { ARRIVAL } else { Duration::ZERO };
            due.extend(self.files.wait(Some(timeout))?);
            let start = Instant::now();
            due = self.look_at(merged(due))?;
            self.wake();
            // Looking takes half a core at most.
            rest = start.elapsed();
        }
        Ok(())
    }

    /// Waits for notes, or until it is time to look at what may not be opened.
    fn wait(&self, last: &mut Instant) -> io::Result<Vec<Touched>> {
        let mut unopened = self.files.unopened();
        if unopened.is_empty() {
            return self.files.wait(None);
        }
        let touched = self.files.wait(Some(INTERVAL.saturating_sub(last.elapsed())))?;
        if last.elapsed() < INTERVAL {
            return Ok(touched);
        }
        *last = Instant::now();
        unopened.extend(touched);
        Ok(unopened)
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

    /// Looks at these places, and at those that turn out to belong to the same changes. Returns the places that have to
    /// be looked at again.
    fn look_at(&self, places: Vec<Touched>) -> io::Result<Vec<Touched>> {
        let mut failure = None;
        let mut rounds = 0;
        let left = self.trees.look_at(places, || {
            rounds += 1;
            if rounds > ROUNDS {
                return Vec::new();
            }
            let mut named = self.files.left();
            match self.files.wait(Some(Duration::ZERO)) {
                Ok(touched) => named.extend(touched),
                Err(error) => failure = Some(error),
            }
            merged(named)
        });
        failure.map_or(Ok(left), Err)
    }

    /// Wakes the task that waits for items, if there are any.
    fn wake(&self) {
        let mut state = self.lock();
        let waker = if self.trees.is_ready() { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Returns each place once.
fn merged(mut places: Vec<Touched>) -> Vec<Touched> {
    places.sort();
    // Of two, the one that was written comes last.
    places.reverse();
    places.dedup_by(|next, kept| next.path == kept.path);
    places
}

/// Records that the thread has ended, and why, when it is dropped; also in a panic.
struct End<'a, V: Vnodes>(&'a Shared<V>, Option<io::Error>);

impl<V: Vnodes> Drop for End<'_, V> {
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
