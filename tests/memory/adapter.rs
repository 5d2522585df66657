//! What the adapter to `notify` adds to each event.

use std::{cell::Cell, collections::VecDeque, sync::mpsc, time::Duration};

use notify::{Config, RecursiveMode, Watcher};
use notify_backend::{adapter::NotifyWatcher, prelude::*};

use crate::allocations;

const DEADLINE: Duration = Duration::from_secs(60);
/// More than the adapter handles at a stretch.
const EVENTS: usize = 10_000;

thread_local! {
    // Whether this thread reads a backend.
    static READS: Cell<bool> = const { Cell::new(false) };
}

/// Has events in store, and makes whoever reads them wait for every other one. `RENAMES` are pairs
/// of events that are related.
#[derive(Debug)]
struct Stored<const RENAMES: bool> {
    events: VecDeque<Event>,
    waits: bool,
}

impl<const RENAMES: bool> Backend for Stored<RENAMES> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        let event = |number: usize| {
            let path = watches[0].path.join(number.to_string());
            if RENAMES {
                let mode = if number.is_multiple_of(2) { RenameMode::From } else { RenameMode::To };
                Event::rename(mode, path).with_tracker(Tracker::new(number / 2 + 1))
            } else {
                Event::create(CreateKind::File, path)
            }
        };
        Ok(Self { events: (0..EVENTS).map(event).collect(), waits: false })
    }

    fn capabilities() -> Capabilities {
        Capabilities::declare(&[Capability::TrackRelated])
    }

    fn name() -> &'static str {
        "tests/stored"
    }
}

impl<const RENAMES: bool> Stream for Stored<RENAMES> {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.waits = !self.waits && self.events.len().is_multiple_of(2);
        if self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        READS.set(true);
        match self.events.pop_front() {
            Some(event) => Poll::Ready(Some(Ok(event))),
            None => Poll::Pending,
        }
    }
}

/// How often the thread that calls the handler allocates for the events from the second to the
/// last; a handler counts `told` events.
fn cost<const RENAMES: bool>(told: usize) -> usize {
    let (sender, result) = mpsc::channel();
    let (mut count, mut at_first) = (0, 0);
    let handler = move |event: notify::Result<notify::Event>| {
        assert!(READS.get(), "the event comes from another thread");
        drop(event);
        count += 1;
        if count == 1 {
            at_first = allocations();
        } else if count == told {
            sender.send(allocations() - at_first).unwrap();
        }
    };
    let mut watcher = NotifyWatcher::<Stored<RENAMES>>::new(handler, Config::default()).unwrap();
    watcher.watch(Path::new("/stored"), RecursiveMode::NonRecursive).unwrap();
    result.recv_timeout(DEADLINE).unwrap()
}

/// Neither does it hand the event over to another thread.
#[test]
fn an_event_takes_one_allocation() {
    let cost = cost::<false>(EVENTS);
    assert!(cost < EVENTS, "{cost} allocations for {} events", EVENTS - 1);
}

/// Three events of notify's, each with its list of paths and a box for the tracker. Two paths are
/// there twice.
#[test]
fn a_rename_takes_eight_allocations() {
    let (renames, cost) = (EVENTS / 2, cost::<true>(EVENTS / 2 * 3));
    assert!(cost < renames * 8, "{cost} allocations for {renames} renames");
}
