//! What a watcher and its thread have in common: [`Shared`].

use std::{
    collections::VecDeque,
    mem,
    path::{Path, PathBuf},
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread::{self, ThreadId},
    time::Duration,
};

use super::instance::{Instance, Said};
use crate::contract::backend::Backend;

/// How long to wait for a call of the handler. Many times what most handlers take, and what a
/// thread may be kept waiting between taking an event and the handler's first line.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Shared<B> {
    state: Mutex<State<B>>,
    // How many threads want `state`. They take `queue` first and then `state`; while there are any, the
    // watching thread takes `queue` too. Otherwise it would starve them: it releases `state` and takes it
    // again at once.
    waiting: AtomicUsize,
    queue: Mutex<()>,
    // Wakes the threads that wait for a call to be over.
    over: Condvar,
    // The thread that calls the handler, once it runs.
    caller: OnceLock<ThreadId>,
}

/// Why nothing is watched any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Dropped,
    Panicked,
}

/// The handler's latest call, from the moment when its event is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Over,
    UnderWay,
    /// Somebody waits for it to be over.
    Awaited,
    /// Nobody waits for it any more: whatever it waits for may itself be waiting for the watcher.
    GivenUp,
}

#[derive(Debug)]
pub(super) struct State<B> {
    pub(super) instances: Vec<Instance<B>>,
    // Whose turn it is, if there are as many.
    next: usize,
    // How many instances there have been.
    made: usize,
    // What is said before the instances are asked again.
    ready: VecDeque<Said>,
    // The watching thread's, while it waits.
    waker: Option<Waker>,
    pub(super) call: Call,
    pub(super) patience: Duration,
    end: Option<End>,
}

impl<B: Backend> Shared<B> {
    pub(super) fn new() -> Self {
        let state = State {
            instances: vec![],
            next: 0,
            made: 0,
            ready: VecDeque::new(),
            waker: None,
            call: Call::Over,
            patience: PATIENCE,
            end: None,
        };
        Self {
            state: Mutex::new(state),
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(()),
            over: Condvar::new(),
            caller: OnceLock::new(),
        }
    }

    /// Makes this thread the one that calls the handler.
    pub(super) fn begin(&self) {
        // Nobody else does.
        let _ = self.caller.set(thread::current().id());
    }

    /// Returns the state, for the watcher: an error if its thread has panicked.
    pub(super) fn lock(&self) -> notify::Result<MutexGuard<'_, State<B>>> {
        let state = self.state();
        match state.end {
            Some(End::Panicked) => Err(notify::Error::generic(
                "the watcher's thread has panicked, in the event handler or in the backend; see \
                 what it printed, and make a new watcher",
            )),
            _ => Ok(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let first_in_line = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // A panic of the backend leaves nothing here half changed.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(first_in_line);
        state
    }

    /// Locks the state for the watching thread, after all others that wait for it.
    fn state_in_turn(&self) -> MutexGuard<'_, State<B>> {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            drop(self.queue.lock());
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the watching, and returns what is to be dropped without the lock.
    pub(super) fn end(&self, end: End) -> Vec<Instance<B>> {
        let mut state = self.state();
        state.end.get_or_insert(end);
        state.ready.clear();
        self.call_is_over(&mut state);
        mem::take(&mut state.instances)
    }

    fn call_is_over(&self, state: &mut State<B>) {
        if mem::replace(&mut state.call, Call::Over) == Call::Awaited {
            self.over.notify_all();
        }
    }

    /// Waits until the handler's call that is under way is over, if there is one. Gives up after a
    /// while, since the handler may itself wait for the caller. Inside the handler, returns at once.
    pub(super) fn await_call(&self, mut state: MutexGuard<'_, State<B>>) {
        if state.call != Call::UnderWay || self.caller.get() == Some(&thread::current().id()) {
            return;
        }
        state.call = Call::Awaited;
        let patience = state.patience;
        let is_awaited = |state: &mut State<B>| state.call == Call::Awaited;
        let waited = self.over.wait_timeout_while(state, patience, is_awaited);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            state.call = Call::GivenUp;
        }
    }

    /// Lets the watching thread look again.
    pub(super) fn wake(&self) {
        let waker = self.state().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns what the handler is to be told next, as far as that is known without a look at the backends.
    pub(super) fn next_ready(&self) -> Option<Said> {
        let mut state = self.state_in_turn();
        self.call_is_over(&mut state);
        state.take_ready()
    }

    /// Returns what the handler is to be told next; `None` once there is nobody to watch for. To ask again
    /// means that the call is over.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Said>> {
        let mut state = self.state_in_turn();
        self.call_is_over(&mut state);
        if state.end.is_some() {
            return Poll::Ready(None);
        }
        // The waker of an earlier wait is dropped after the lock.
        let _earlier = state.waker.take();
        if state.ready.is_empty() && state.poll(cx).is_pending() {
            state.waker = Some(cx.waker().clone());
            drop(state);
            return Poll::Pending;
        }
        Poll::Ready(state.take_ready())
    }
}

impl<B: Backend> State<B> {
    /// Adds instances, and returns those that watched their paths before.
    pub(super) fn replace(&mut self, instances: Vec<Instance<B>>) -> Vec<Instance<B>> {
        let mut replaced = vec![];
        for instance in instances {
            replaced.extend(instance.paths().filter_map(|path| self.take(path)));
            self.push(instance);
        }
        replaced
    }

    /// Removes the instance that watches `path`.
    pub(super) fn take(&mut self, path: &Path) -> Option<Instance<B>> {
        let at = self.instances.iter().position(|instance| instance.watches(path))?;
        Some(self.instances.swap_remove(at))
    }

    /// Leaves out what happens in `folder` from now on. Returns whether it is in a tree that is watched, and
    /// was not left out before.
    pub(super) fn exclude(&mut self, folder: &Path) -> bool {
        let mut is_excluded = false;
        for instance in &mut self.instances {
            is_excluded |= instance.exclude(folder);
        }
        is_excluded
    }

    /// Forgets what was still to be said of `path`, which is not watched any more.
    pub(super) fn forget(&mut self, path: &Path) {
        let Self { instances, ready, .. } = self;
        let is_forgotten = |said: &PathBuf| {
            said.starts_with(path) && !instances.iter().any(|instance| instance.covers(said))
        };
        ready.retain(|said| {
            let paths = match said {
                Ok(event) => &event.paths,
                Err(error) => &error.paths,
            };
            paths.is_empty() || !paths.iter().all(is_forgotten)
        });
    }

    fn push(&mut self, mut instance: Instance<B>) {
        instance.number = self.made;
        self.made += 1;
        self.instances.push(instance);
    }

    fn take_ready(&mut self) -> Option<Said> {
        let said = self.ready.pop_front();
        if said.is_some() {
            self.call = Call::UnderWay;
        }
        said
    }

    /// Asks each instance once, until one has something to say.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut left = self.instances.len();
        while left > 0 {
            left -= 1;
            let at = self.next % self.instances.len();
            self.next = at + 1;
            if self.instances[at].poll(cx, &mut self.ready).is_ready() {
                // The last takes this place, and has not had its turn.
                self.next = at;
                self.ready.extend(self.instances.swap_remove(at).farewell());
            }
            if !self.ready.is_empty() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
