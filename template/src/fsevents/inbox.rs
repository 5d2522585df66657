//! The events that were delivered and not taken yet: [`Inbox`].

use std::{
    collections::HashMap,
    mem,
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::streams::{EventId, Flags, FsEvent};

/// How many paths wait at most. If there are more, all of them count as lost.
const LIMIT: usize = 1 << 16;

/// Collects events until the thread takes them: one for each path, as the service does.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<PathBuf, (Flags, EventId)>,
    /// What concerns no single path.
    general: Flags,
    /// The last event that was delivered.
    received: EventId,
    /// The number of the oldest stream whose events are still taken.
    oldest: u64,
    is_closed: bool,
}

/// Events of any number of deliveries.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Sorted by id, each path once.
    pub(crate) events: Vec<FsEvent>,
    /// What concerns no single path.
    pub(crate) general: Flags,
    /// The last event of this and all earlier batches.
    pub(crate) until: EventId,
}

impl Inbox {
    /// Takes what the stream with this number has delivered.
    pub(crate) fn put(&self, stream: u64, events: Vec<FsEvent>) {
        let mut state = self.lock();
        if stream < state.oldest {
            // The next stream began before them.
            return;
        }
        for FsEvent { path, flags, id } in events {
            state.received = state.received.max(id);
            if flags.has_any(GENERAL) {
                if flags.has_any(Flags::EVENT_IDS_WRAPPED) {
                    state.received = id;
                }
                state.general = state.general.and(flags);
                continue;
            }
            let known = state.waiting.entry(path).or_default();
            *known = (known.0.and(flags), known.1.max(id));
        }
        if state.waiting.len() > LIMIT {
            state.waiting = HashMap::new();
            state.general = state.general.and(Flags::USER_DROPPED);
        }
        self.filled.notify_one();
    }

    /// Returns the last event that was delivered: the next stream begins after it.
    pub(crate) fn received(&self) -> EventId {
        self.lock().received
    }

    /// Sets where the first stream begins, or where the numbers begin again.
    pub(crate) fn begin_at(&self, id: EventId) {
        self.lock().received = id;
    }

    /// Takes nothing more from streams before this one.
    pub(crate) fn retire_before(&self, stream: u64) {
        self.lock().oldest = stream;
    }

    /// Waits until there are events, and takes all of them. Returns none when it was closed.
    pub(crate) fn wait(&self) -> Option<Batch> {
        let is_empty = |state: &mut State| {
            state.waiting.is_empty() && state.general == Flags::default() && !state.is_closed
        };
        let state = self.filled.wait_while(self.lock(), is_empty);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        (!state.is_closed).then(|| state.take())
    }

    /// Takes the events that are there.
    pub(crate) fn take(&self) -> Batch {
        self.lock().take()
    }

    /// Ends a waiting [`wait`](Self::wait), and all later ones.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The flags of events that are not about their paths.
const GENERAL: Flags = Flags::USER_DROPPED
    .and(Flags::KERNEL_DROPPED)
    .and(Flags::EVENT_IDS_WRAPPED)
    .and(Flags::HISTORY_DONE);

impl State {
    fn take(&mut self) -> Batch {
        let waiting = mem::take(&mut self.waiting).into_iter();
        let mut events: Vec<_> =
            waiting.map(|(path, (flags, id))| FsEvent { path, flags, id }).collect();
        events.sort_by_key(|event| event.id);
        Batch { events, general: mem::take(&mut self.general), until: self.received }
    }
}
