//! The thread that looks, and the state that it shares with the stream: [`Scanner`].

use std::{
    collections::VecDeque,
    io, mem,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use notify_backend::prelude::*;

use crate::{
    changes::{Changes, Item},
    listings::Listings,
    root::Root,
    roots::Roots,
    settings::Settings,
};

/// The pause after a look is at least this many times as long as the look: looking takes a fifth of the
/// time of one core at most.
const REST: u32 = 4;

/// How long a dropped backend waits for its thread. A look ends after its current system call, which may
/// never return if it waits for a server that is gone.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A thread that looks at the roots from time to time, as long as a consumer waits for events.
#[derive(Debug)]
pub(crate) struct Scanner {
    shared: Arc<Shared>,
    settings: Settings,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Held during a look, so that no other look knows half of what it finds.
    looks: Mutex<()>,
    /// Signals that a condition has changed that the thread waits for.
    changed: Condvar,
    /// Signals that the thread has ended.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    roots: Roots,
    /// The items that have not been taken yet. As long as there are any, there is no further look, so these
    /// are never more than one look finds.
    ready: VecDeque<Item>,
    /// The waker of the task that waits for more items.
    waker: Option<Waker>,
    next_tracker: u64,
    is_closed: bool,
    has_ended: bool,
    /// Whether that was reported.
    is_end_said: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            roots: Roots::default(),
            ready: VecDeque::new(),
            waker: None,
            next_tracker: 1,
            is_closed: false,
            has_ended: false,
            is_end_said: false,
        }
    }
}

impl Scanner {
    /// Starts the thread, which has nothing to look at yet.
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("poll backend".into()).spawn({
            let shared = shared.clone();
            move || {
                let _end = End(&shared);
                shared.run(settings);
            }
        })?;
        Ok(Self { shared, settings, thread })
    }

    /// Adds a root, or changes the one with the same path. When it returns, the root has been looked at.
    pub(crate) fn add(&self, root: Arc<Root>) {
        let state = self.shared.lock();
        let known = state.roots.get(root.path.as_os_str()).cloned();
        let overlaps = state.roots.overlaps(&root.location);
        drop(state);
        let compare_contents = self.settings.compare_contents;
        // Otherwise this look would find the changes again that a running look finds in both roots.
        let look = overlaps.then(|| self.shared.begin_look());
        let waker = match known {
            None => {
                // Nothing was known about it, so nothing has changed.
                let found = look_at(vec![root.clone()], compare_contents);
                self.shared.lock().roots.insert(root);
                self.shared.deliver(found)
            }
            Some(known) => {
                // All overlapping roots, since the others would find again what this one finds.
                let state = self.shared.lock();
                let roots: Vec<_> = state.roots.family(&known.location).cloned().collect();
                drop(state);
                let earlier = (!known.follows_as(&root))
                    .then(|| self.shared.deliver(look_at(roots.clone(), compare_contents)));
                known.take_demands(&root);
                let waker = self.shared.deliver(look_at(roots, compare_contents));
                earlier.flatten().or(waker)
            }
        };
        drop(look);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns whether the thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.lock().has_ended
    }

    /// Removes the root with this path. Returns whether there was one.
    pub(crate) fn remove(&self, path: &Path) -> bool {
        let root = self.shared.lock().roots.remove(path.as_os_str());
        let Some(root) = root else { return false };
        root.stop();
        true
    }

    /// Returns the next item, or stores the waker until there is one. After the end of the thread, returns
    /// one error and then the end of the stream.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let mut state = self.shared.lock();
        while let Some(item) = state.ready.pop_front() {
            if item.is_wanted() {
                return Poll::Ready(Some(item.tells));
            }
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
        // Frees the memory, since a look may have found very much.
        state.ready = VecDeque::new();
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
        for root in state.roots.iter() {
            root.stop();
        }
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

    /// Looks at the roots until the backend is dropped.
    fn run(&self, settings: Settings) {
        let mut due = Instant::now() + settings.interval;
        while self.wait_until(due) {
            let look = self.begin_look();
            let start = Instant::now();
            let roots = self.lock().roots.iter().cloned().collect();
            let waker = self.deliver(look_at(roots, settings.compare_contents));
            drop(look);
            let pause = settings.interval.max(start.elapsed() * REST);
            due = Instant::now() + pause;
            if let Some(waker) = waker {
                waker.wake();
            }
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

    /// Waits until no other look is running, and keeps others from beginning.
    fn begin_look(&self) -> MutexGuard<'_, ()> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the items ready for the stream. Returns the waker of the task that waits for them.
    #[must_use]
    fn deliver(&self, changes: Changes) -> Option<Waker> {
        let mut state = self.lock();
        let items = changes.into_items(&mut state.next_tracker);
        if items.is_empty() {
            return None;
        }
        state.ready.extend(items);
        state.waker.take()
    }
}

/// Looks at these roots.
fn look_at(mut roots: Vec<Arc<Root>>, compare_contents: bool) -> Changes {
    // Outer roots come first: an entry that lies in several roots is reported as the outer one finds it.
    roots.sort_by(|one, other| one.location.cmp(&other.location));
    let mut listings = Listings::of(&roots);
    let mut changes = Changes::default();
    for root in roots.iter().filter(|root| !root.is_stopped()) {
        root.look(compare_contents, &mut listings, &mut changes);
    }
    changes
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
