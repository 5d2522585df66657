//! A thread that works only while a consumer waits: [`Looker`].

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use crate::{
    contract::{
        backend::StreamItem,
        error::{BackendError, StreamError},
    },
    parts::thread::Thread,
};

/// A thread that looks at files, and works only while a consumer waits for items.
///
/// So a consumer that does not read costs nothing, and what waits for it is never more than one look finds. The
/// backend keeps the looker, and forwards its `poll_next` to [`poll_next`](Self::poll_next).
///
/// ```
/// use std::{sync::Arc, time::{Duration, Instant}};
/// use notify_backend::{Event, listing::{Looker, Trees}, prelude::*};
///
/// # let folder = tempfile::tempdir()?;
/// # let site = folder.path().to_owned();
/// let trees = Arc::new(Trees::new());
/// trees.watch(Watch::recursive(&site))?;
/// let [looking, stopping] = [trees.clone(), trees.clone()];
/// let looker = Looker::start("poll", move || stopping.stop(), move |demand| {
///     while demand.wait_until(Instant::now() + Duration::from_millis(10)) {
///         looking.look();
///         demand.wake_if(|| looking.is_ready());
///     }
///     Ok(())
/// })?;
///
/// std::fs::write(site.join("index"), "")?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let mut next = async || std::future::poll_fn(|cx| looker.poll_next(cx, || trees.next())).await;
/// let created = next().await.unwrap().unwrap();
/// assert_eq!(created, Event::create(CreateKind::File, site.join("index")));
/// # });
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # The end
///
/// The thread ends when the looker is dropped. The drop waits for that, but no longer than a second. If the thread
/// returns an error or panics before that, the stream yields it as a [`StreamError::Read`] after all items, and ends.
#[must_use = "dropping it ends the thread"]
pub struct Looker {
    demand: Arc<Demand>,
    interrupt: Box<dyn Fn() + Send + Sync>,
    _thread: Thread,
}

impl Looker {
    /// Starts `run` in a thread with this name. `interrupt` is called when the looker is dropped; it has to interrupt
    /// whatever `run` may be waiting for other than the [`Demand`], and a look.
    ///
    /// # Errors
    ///
    /// The system's error if no thread can be started.
    pub fn start(
        name: &str,
        interrupt: impl Fn() + Send + Sync + 'static,
        run: impl FnOnce(&Demand) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let demand = Arc::new(Demand::default());
        let thread = Thread::start(name, {
            let demand = demand.clone();
            move || {
                let text = "the thread that looks at the files has panicked; see what it printed";
                let mut end = End(&demand, Some(io::Error::other(text)));
                end.1 = run(&demand).err();
            }
        })?;
        Ok(Self { demand, interrupt: Box::new(interrupt), _thread: thread })
    }

    /// Fails once the thread has ended: nothing more is reported then.
    ///
    /// # Errors
    ///
    /// [`BackendError::Ended`].
    pub fn check(&self) -> Result<(), BackendError> {
        if self.demand.lock().has_ended { Err(BackendError::ended()) } else { Ok(()) }
    }

    /// Wakes the task that waits for items if `is_ready` returns true: see [`Demand::wake_if`].
    pub fn wake_if(&self, is_ready: impl FnOnce() -> bool) {
        self.demand.wake_if(is_ready);
    }

    /// Returns the next item, which `take` takes, or lets the thread work until it wakes the task.
    pub fn poll_next(
        &self,
        cx: &mut Context<'_>,
        take: impl FnOnce() -> Option<StreamItem>,
    ) -> Poll<Option<StreamItem>> {
        let mut state = self.demand.lock();
        if let Some(item) = take() {
            return Poll::Ready(Some(item));
        }
        if state.has_ended {
            return Poll::Ready(state.end.take().map(|error| Err(StreamError::read(error))));
        }
        let earlier = state.waker.replace(cx.waker().clone());
        drop(state);
        if earlier.is_none() {
            self.demand.changed.notify_one();
        }
        Poll::Pending
    }
}

impl fmt::Debug for Looker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looker").field("demand", &self.demand).finish_non_exhaustive()
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        let mut state = self.demand.lock();
        state.is_closed = true;
        let waker = state.waker.take();
        drop(state);
        self.demand.changed.notify_one();
        (self.interrupt)();
        drop(waker);
    }
}

/// The consumer of a [`Looker`], as the thread sees it.
#[derive(Debug, Default)]
pub struct Demand {
    state: Mutex<State>,
    /// Signals that a condition has changed that the thread waits for.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The waker of the task that waits for items. As long as there are any, there is none.
    waker: Option<Waker>,
    is_closed: bool,
    has_ended: bool,
    /// Why the thread has ended, until that is reported.
    end: Option<io::Error>,
}

impl Demand {
    /// Blocks until a consumer waits for items, and at least until `time`. Returns whether to go on: false once the
    /// looker is being dropped.
    pub fn wait_until(&self, time: Instant) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return false;
            }
            let left = time.saturating_duration_since(Instant::now());
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

    /// Wakes the task that waits for items if `is_ready` returns true: if there are any.
    ///
    /// No poll runs meanwhile, so none can miss what becomes ready now; `is_ready` must not wait for anything that a
    /// poll may hold.
    pub fn wake_if(&self, is_ready: impl FnOnce() -> bool) {
        let mut state = self.lock();
        let waker = if is_ready() { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Locks the state. No code under the lock leaves it half changed, so a panic of another thread does no
    /// harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records that the thread has ended, and why, when it is dropped; also in a panic.
struct End<'a>(&'a Demand, Option<io::Error>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_ended = true;
        state.end = self.1.take();
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
