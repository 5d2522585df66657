//! The thread that looks, and the state that it shares with the stream: [`Scanner`].

use std::{
    io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use notify_backend::{listing::Trees, prelude::*};

use crate::settings::Settings;

/// The pause after a look is at least this many times as long as the look: looking takes a fifth of the
/// time of one core at most.
const REST: u32 = 4;

/// How long a dropped backend waits for its thread. A look ends after its current system call, which may
/// never return if it waits for a server that is gone.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A thread that looks at the watched trees from time to time, as long as a consumer waits for events.
#[derive(Debug)]
pub(crate) struct Scanner {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
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
    /// look, so the items are never more than one look finds.
    waker: Option<Waker>,
    is_closed: bool,
    has_ended: bool,
    /// Whether that was reported.
    is_end_said: bool,
}

impl Scanner {
    /// Starts the thread, which has nothing to look at yet.
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            settings,
            trees: Trees::new().comparing_contents(settings.compare_contents),
            state: Mutex::default(),
            changed: Condvar::new(),
            ended: Condvar::new(),
        });
        let thread = thread::Builder::new().name("poll backend".into()).spawn({
            let shared = shared.clone();
            move || {
                let _end = End(&shared);
                shared.run();
            }
        })?;
        Ok(Self { shared, thread })
    }

    /// Returns whether the thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.lock().has_ended
    }

    /// Adds a watch, or changes the one with the same path.
    pub(crate) fn watch(&self, watch: Watch) -> Result<(), BackendError> {
        self.shared.trees.watch(watch)?;
        self.shared.wake();
        Ok(())
    }

    /// Removes the watch with this path.
    pub(crate) fn unwatch(&self, path: &Path) -> Result<(), BackendError> {
        self.shared.trees.unwatch(path)
    }

    /// Returns the next item, or stores the waker until there is one. After the end of the thread, returns
    /// one error and then the end of the stream.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let mut state = self.shared.lock();
        if let Some(item) = self.shared.trees.next() {
            return Poll::Ready(Some(item));
        }
        if state.has_ended {
            // As long as the backend exists, only a panic ends the thread.
            let is_said = mem::replace(&mut state.is_end_said, true);
            let error = || {
                let text = "the thread that looks at the files has panicked; see what it printed";
                StreamError::read(io::Error::other(text))
            };
            return Poll::Ready((!is_said).then(|| Err(error())));
        }
        let earlier = state.waker.replace(cx.waker().clone());
        drop(state);
        if earlier.is_none() {
            self.shared.changed.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        self.shared.trees.stop();
        let waker = state.waker.take();
        self.shared.changed.notify_one();
        // A waker that the thread wakes may drop the backend.
        if self.thread.thread().id() != thread::current().id() {
            let is_running = |state: &mut State| !state.has_ended;
            drop(self.shared.ended.wait_timeout_while(state, LAST_CALL, is_running));
        }
        drop(waker);
    }
}

impl Shared {
    /// Locks the state. No code under the lock leaves it half changed, so a panic of another thread does no
    /// harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the trees until the backend is dropped.
    fn run(&self) {
        let interval = self.settings.interval;
        let mut due = Instant::now() + interval;
        while self.wait_until(due) {
            let start = Instant::now();
            self.trees.look();
            due = Instant::now() + interval.max(start.elapsed() * REST);
            self.wake();
        }
    }

    /// Waits until it is time for a look and a consumer waits for the result. Returns whether to look
    /// again.
    fn wait_until(&self, due: Instant) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
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

/// Records that the thread has ended, when it is dropped, also in a panic.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_ended = true;
        let waker = state.waker.take();
        drop(state);
        self.0.ended.notify_one();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
