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

/// Has events in store, and makes the consumer wait for every other one. `RENAMES` are pairs
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

/// What the events of a rename take in notify's own types: three events, each with its list of paths
/// and a box for the tracker. The backend's two events bring a path each; the third event has to copy
/// both.
#[test]
fn a_rename_takes_what_the_events_of_notify_take() {
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

/// The same changes, told by notify's own watcher and by the adapter, all that reading them takes
/// included.
#[cfg(target_os = "linux")]
mod beside_notify {
    use std::fs;

    use notify::RecommendedWatcher;
    use notify_backend_inotify::InotifyBackend;

    use super::*;

    const CHANGES: usize = 500;

    /// How often the thread that calls the handler allocates for each change. What it takes to tell
    /// the test of some dozens is not worth a whole one. `change` makes a change, and `is_last` finds
    /// the last event of it.
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

    /// Prints what a change takes with each, and checks that the adapter takes no more.
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
