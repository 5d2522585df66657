//! The allocations of the adapter to `notify` per event.

use std::{cell::Cell, collections::VecDeque, sync::mpsc, time::Duration};

use notify::{Config, RecursiveMode, Watcher};
use notify_backend::{adapter::NotifyWatcher, prelude::*};

use crate::allocations;

const DEADLINE: Duration = Duration::from_secs(60);
/// More events than the adapter handles without a pause.
const EVENTS: usize = 10_000;

thread_local! {
    // Whether this thread reads from a backend.
    static READS: Cell<bool> = const { Cell::new(false) };
}

/// A backend that has a store of events, and makes the consumer wait for every second one. With `RENAMES`, the
/// events are related pairs.
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
                Event::rename(mode, path).with_tracker(Tracker::new(number as u64 / 2 + 1))
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

/// Returns how often the thread that calls the handler allocates, from the second event to the last; the handler
/// counts `told` events.
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

/// The event is not passed to another thread either.
#[test]
fn an_event_takes_one_allocation() {
    let cost = cost::<false>(EVENTS);
    assert!(cost < EVENTS, "{cost} allocations for {} events", EVENTS - 1);
}

/// In notify's own types, a rename takes three events, each with its list of paths and a box for the tracker. The
/// backend's two events have a path each; the third event has to copy both.
#[test]
fn a_rename_takes_no_more_than_the_events_of_notify() {
    let (from, to) = (PathBuf::from("/stored/0"), PathBuf::from("/stored/1"));
    let before = allocations();
    let event = |mode| {
        let kind = ModifyKind::Name(mode);
        notify::Event::new(notify::EventKind::Modify(kind)).set_tracker(1)
    };
    let both = event(RenameMode::Both).add_path(from.clone()).add_path(to.clone());
    let told = [event(RenameMode::From).add_path(from), event(RenameMode::To).add_path(to), both];
    let needed = allocations() - before;
    drop(told);
    assert_eq!(needed, 8);

    let (renames, cost) = (EVENTS / 2, cost::<true>(EVENTS / 2 * 3));
    assert!(cost < renames * needed, "{cost} allocations for {renames} renames");
}

/// The same changes, reported by notify's own watcher and by the adapter, including the cost of reading them.
#[cfg(target_os = "linux")]
mod beside_notify {
    use std::fs;

    use notify::RecommendedWatcher;
    use notify_backend_inotify::InotifyBackend;

    use super::*;

    const CHANGES: usize = 500;

    /// Returns how often the thread that calls the handler allocates per change. Rounding removes the allocations
    /// for the test's own messages. `change` makes a change, and `is_last` recognises its last event.
    fn cost<W: Watcher>(change: fn(&Path, usize), is_last: fn(&notify::Event) -> bool) -> usize {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("0"), "").unwrap();
        let (sender, counts) = mpsc::channel();
        let handler = move |event: notify::Result<notify::Event>| {
            if is_last(&event.unwrap()) {
                sender.send(allocations()).unwrap();
            }
        };
        let mut watcher = W::new(handler, Config::default()).unwrap();
        watcher.watch(folder.path(), RecursiveMode::NonRecursive).unwrap();
        let counts = (0..=CHANGES).map(|number| {
            change(folder.path(), number);
            counts.recv_timeout(DEADLINE).unwrap()
        });
        let counts: Vec<_> = counts.collect();
        (counts[CHANGES] - counts[0]) / CHANGES
    }

    /// Prints the allocations per change with each watcher, and checks that the adapter takes no more.
    #[track_caller]
    fn compare(what: &str, change: fn(&Path, usize), is_last: fn(&notify::Event) -> bool) {
        let notify = cost::<RecommendedWatcher>(change, is_last);
        let ours = cost::<NotifyWatcher<InotifyBackend>>(change, is_last);
        println!("allocations for {what}: {ours} with the adapter, {notify} with notify alone");
        assert!(ours <= notify, "{what}: {ours} with the adapter, {notify} with notify alone");
    }

    #[test]
    fn a_folder_takes_no_more() {
        let change = |folder: &Path, number| {
            fs::create_dir(folder.join(format!("folder{number}"))).unwrap();
        };
        compare("a folder", change, |event| event.kind.is_create());
    }

    #[test]
    fn a_rename_takes_no_more() {
        let change = |folder: &Path, number: usize| {
            let path = |number: usize| folder.join(number.to_string());
            fs::rename(path(number), path(number + 1)).unwrap();
        };
        compare("a rename", change, |event| {
            event.kind == notify::EventKind::Modify(ModifyKind::Name(RenameMode::Both))
        });
    }
}
