//! The state that a watcher shares with its thread: [`Shared`].

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

use super::instance::{EventResult, Instance};
use crate::contract::{
    backend::{Backend, Watch},
    error::BackendError,
};

/// How long to wait for a call of the handler: much longer than most handlers take, or than a thread may be
/// suspended between taking an event and the handler's first line.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Shared<B> {
    state: Mutex<State<B>>,
    // How many threads want `state`. They take `queue` first and then `state`; while there are any, the
    // watching thread takes `queue` too. Otherwise it would starve them: it releases `state` and takes it
    // again at once.
    waiting: AtomicUsize,
    queue: Mutex<()>,
    // Wakes the threads that wait for the end of a call.
    over: Condvar,
    // The thread that calls the handler, once it is running.
    caller: OnceLock<ThreadId>,
}

/// The reason why nothing is watched any more.
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
    /// A thread waits for it to be over.
    Awaited,
    /// No thread waits for it any more, since the handler may itself be waiting for the watcher.
    GivenUp,
}

#[derive(Debug)]
pub(super) struct State<B> {
    pub(super) instances: Vec<Instance<B>>,
    // The index of the instance whose turn it is; may be past the end.
    next: usize,
    // How many instances there have been.
    made: usize,
    // Passed to the handler before the instances are polled again.
    ready: VecDeque<EventResult>,
    // The waker of the watching thread, while it waits.
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
        // No other thread sets it.
        let _ = self.caller.set(thread::current().id());
    }

    /// Locks the state for the watcher. Fails if its thread has panicked.
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

    /// Ends the watching. Returns the instances, which are to be dropped without the lock.
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

    /// Waits until the current call of the handler is over, if there is one. Gives up after a while, since
    /// the handler may itself wait for the caller. Returns at once inside the handler.
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

    /// Makes the watching thread poll again.
    pub(super) fn wake(&self) {
        let waker = self.state().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns the handler's next argument, if there is one without polling the backends.
    pub(super) fn next_ready(&self) -> Option<EventResult> {
        let mut state = self.state_in_turn();
        self.call_is_over(&mut state);
        state.take_ready()
    }

    /// Returns the handler's next argument; `None` after the end of the watcher. Asking for another one
    /// means that the last call is over.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<EventResult>> {
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

    /// Gives new demands to the instances that watch their paths. Returns the watches of other paths.
    pub(super) fn renew(&mut self, watches: Vec<Watch>) -> Result<Vec<Watch>, BackendError> {
        let mut others = watches;
        for instance in &mut self.instances {
            let is_known = |watch: &Watch| instance.watches(&watch.path);
            let (known, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(is_known);
            if !known.is_empty() {
                instance.watch(known)?;
            }
            others = rest;
        }
        Ok(others)
    }

    /// Adds watches to an instance for this side of the network, if there is one. In a choice, the first one
    /// that can watch them takes them. Returns whether one did.
    pub(super) fn join(
        &mut self,
        watches: &[Watch],
        is_remote: bool,
        is_choice: bool,
    ) -> Result<bool, BackendError> {
        for instance in &mut self.instances {
            if instance.is_remote != is_remote {
                continue;
            }
            match instance.watch(watches.to_vec()) {
                Err(error) if is_choice && error.may_suit_another() => {}
                joined => return joined.map(|()| true),
            }
        }
        Ok(false)
    }

    /// Removes the instance that watches `path`.
    pub(super) fn take(&mut self, path: &Path) -> Option<Instance<B>> {
        let at = self.instances.iter().position(|instance| instance.watches(path))?;
        Some(self.instances.swap_remove(at))
    }

    /// Stops passing on events in `folder`. Returns whether it is in a watched tree and was not excluded
    /// before.
    pub(super) fn exclude(&mut self, folder: &Path) -> bool {
        let mut is_excluded = false;
        for instance in &mut self.instances {
            is_excluded |= instance.exclude(folder);
        }
        is_excluded
    }

    /// Drops waiting events and errors about `path`, which is no longer watched.
    pub(super) fn forget(&mut self, path: &Path) {
        let Self { instances, ready, .. } = self;
        let is_forgotten = |event_path: &PathBuf| {
            let is_covered = || instances.iter().any(|instance| instance.covers(event_path));
            event_path.starts_with(path) && !is_covered()
        };
        ready.retain(|result| {
            let paths = match result {
                Ok(event) => &event.paths,
                Err(error) => &error.paths,
            };
            paths.is_empty() || !paths.iter().all(is_forgotten)
        });
    }

    pub(super) fn push(&mut self, mut instance: Instance<B>) {
        instance.number = self.made;
        self.made += 1;
        self.instances.push(instance);
    }

    fn take_ready(&mut self) -> Option<EventResult> {
        let result = self.ready.pop_front();
        if result.is_some() {
            self.call = Call::UnderWay;
        }
        result
    }

    /// Polls each instance once, until one yields something.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut left = self.instances.len();
        while left > 0 {
            left -= 1;
            let at = self.next % self.instances.len();
            self.next = at + 1;
            if self.instances[at].poll(cx, &mut self.ready).is_ready() {
                // The last instance takes this place, and has not had its turn.
                self.next = at;
                self.ready.extend(self.instances.swap_remove(at).end_error());
            }
            if !self.ready.is_empty() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
