//! Handlers that wait, panic or use the watcher, and watchers that are dropped meanwhile.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::RecvTimeoutError,
    },
    task::{Context, Poll},
};

use futures_core::Stream;
use notify::ErrorKind;

use super::{super::shared::Call, *};
use crate::{
    Event as Ours,
    contract::{
        backend::{StreamItem, Watch},
        capability::Capabilities,
        error::BackendError,
        event::{RenameMode, Tracker},
    },
};

/// Waits until the handler with the other end of the channel is dropped, and so the thread's work is over.
#[track_caller]
fn wait_for_the_end<T>(of_handler: &Receiver<T>) {
    let end = of_handler.recv_timeout(DEADLINE).err().expect("nothing more arrives");
    assert_eq!(end, RecvTimeoutError::Disconnected, "the handler is dropped");
}

#[test]
fn a_watcher_can_go_to_another_thread() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<NotifyWatcher<Able>>();
}

#[test]
fn dropped_while_nothing_happens() {
    let stage = Stage::new("dropped_while_nothing_happens");
    let (mut watcher, events) = watcher::<Able>();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    drop(watcher);
    assert_eq!(stage.alive(), 0);
    wait_for_the_end(&events);
}

#[test]
fn dropped_while_the_handler_runs() {
    let stage = Stage::new("dropped_while_the_handler_runs");
    let (mut watcher, events, gate) = gated_watcher::<Able>();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    for name in ["a/first", "a/second"] {
        stage.report(0, created(stage.path(name)));
    }
    next(&events).unwrap();
    drop(watcher);
    assert_eq!(stage.alive(), 0);
    drop(gate);
    wait_for_the_end(&events);
}

#[test]
fn dropped_by_the_handler() {
    let stage = Stage::new("dropped_by_the_handler");
    let place = Arc::new(Mutex::new(None));
    let (sender, events) = channel();
    let handler = {
        let place = Arc::clone(&place);
        move |event: notify::Result<Event>| {
            *place.lock().unwrap() = None;
            sender.send(event).unwrap();
        }
    };
    let mut watcher = NotifyWatcher::<Able>::new(handler, Config::default()).unwrap();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    *place.lock().unwrap() = Some(watcher);
    for name in ["a/first", "a/second"] {
        stage.report(0, created(stage.path(name)));
    }
    assert_eq!(next_paths(&events), [stage.path("a/first")]);
    assert_eq!(stage.alive(), 0);
    wait_for_the_end(&events);
}

#[test]
fn used_by_the_handler() {
    let stage = Stage::new("used_by_the_handler");
    let place = Arc::new(Mutex::new(None::<NotifyWatcher<Able>>));
    let (sender, events) = channel();
    let (a, b) = (stage.path("a"), stage.path("b"));
    let handler = {
        let place = Arc::downgrade(&place);
        move |event: notify::Result<Event>| {
            if let Some(place) = place.upgrade()
                && let Some(watcher) = &mut *place.lock().unwrap()
            {
                watcher.watch(&b, Recursive).unwrap();
                // Done by the second event.
                let _ = watcher.unwatch(&a);
            }
            sender.send(event).unwrap();
        }
    };
    let mut watcher = NotifyWatcher::new(handler, Config::default()).unwrap();
    // Otherwise it would not show that the handler does not wait for itself.
    watcher.shared.lock().unwrap().patience = 2 * DEADLINE;
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    *place.lock().unwrap() = Some(watcher);
    stage.report(0, created(stage.path("a/new")));
    assert_eq!(next_paths(&events), [stage.path("a/new")]);
    assert_eq!(stage.watches(0), ["b/..."]);
    stage.report(0, created(stage.path("b/new")));
    assert_eq!(next_paths(&events), [stage.path("b/new")]);
}

/// The handler waits for a lock whose holder waits for the watcher (notify#410, notify#463).
#[test]
fn changed_while_the_handler_waits() {
    fn check<B: Backend>(name: &str) {
        let stage = Stage::new(name);
        let (mut watcher, events, gate) = gated_watcher::<B>();
        watcher.watch(&stage.path("a"), Recursive).unwrap();
        watcher.watch(&stage.path("b"), Recursive).unwrap();
        stage.report(0, created(stage.path("a/new")));
        next(&events).unwrap();

        watcher.unwatch(&stage.path("b")).unwrap();
        watcher.watch(&stage.path("c"), Recursive).unwrap();
        watcher.unwatch(&stage.path("a")).unwrap();
        drop(gate);
        stage.report(stage.made() - 1, created(stage.path("c/new")));
        assert_eq!(next_paths(&events), [stage.path("c/new")]);
    }

    check::<Able>("changed_while_the_handler_waits");
    check::<Fixed>("changed_while_the_handler_waits_fixed");
}

#[test]
fn unwatch_waits_for_the_handler() {
    fn check<B: Backend>(name: &str) {
        let stage = Stage::new(name);
        let (sender, events) = channel();
        let (gate, opened) = channel::<()>();
        let done = Arc::new(AtomicBool::new(false));
        let handler = {
            let done = Arc::clone(&done);
            move |event| {
                sender.send(event).unwrap();
                let _ = opened.recv();
                done.store(true, Ordering::SeqCst);
            }
        };
        let mut watcher = NotifyWatcher::<B>::new(handler, Config::default()).unwrap();
        let shared = Arc::clone(&watcher.shared);
        shared.lock().unwrap().patience = DEADLINE;
        watcher.watch(&stage.path("a"), Recursive).unwrap();
        stage.report(0, created(stage.path("a/new")));
        next(&events).unwrap();
        thread::scope(|scope| {
            let unwatch = scope.spawn(|| {
                watcher.unwatch(&stage.path("a")).unwrap();
                assert!(done.load(Ordering::SeqCst), "the handler still runs");
            });
            wait_until(|| unwatch.is_finished() || shared.lock().unwrap().call == Call::Awaited);
            drop(gate);
        });
    }

    check::<Able>("unwatch_waits_for_the_handler");
    check::<Fixed>("unwatch_waits_for_the_handler_fixed");
}

/// `unwatch` gives up waiting for a call that never ends, and does not wait for it again.
#[test]
fn unwatch_gives_a_call_up_once() {
    let stage = Stage::new("unwatch_gives_a_call_up_once");
    let (mut watcher, events, gate) = gated_watcher::<Able>();
    for name in ["a", "b", "c"] {
        watcher.watch(&stage.path(name), Recursive).unwrap();
    }
    stage.report(0, created(stage.path("a/new")));
    next(&events).unwrap();
    watcher.unwatch(&stage.path("a")).unwrap();
    watcher.shared.lock().unwrap().patience = 2 * DEADLINE;
    let start = Instant::now();
    watcher.unwatch(&stage.path("b")).unwrap();
    assert!(start.elapsed() < DEADLINE, "it has waited again");

    // The next call is waited for.
    gate.send(()).unwrap();
    stage.report(0, created(stage.path("c/new")));
    assert_eq!(next_paths(&events), [stage.path("c/new")]);
    assert_eq!(watcher.shared.lock().unwrap().call, Call::UnderWay);
}

/// The event with both names of a rename is still to come when the path is unwatched.
#[test]
fn unwatched_in_the_middle_of_a_rename() {
    let stage = Stage::new("unwatched_in_the_middle_of_a_rename");
    let (mut watcher, events, gate) = gated_watcher::<Able>();
    for name in ["a", "b"] {
        watcher.watch(&stage.path(name), Recursive).unwrap();
    }
    let half = |mode, path| {
        stage.report(0, Ours::rename(mode, stage.path(path)).with_tracker(Tracker::new(7)));
        assert_eq!(next_paths(&events), [stage.path(path)]);
    };
    half(RenameMode::From, "a/old");
    gate.send(()).unwrap();
    half(RenameMode::To, "a/new");
    watcher.unwatch(&stage.path("a")).unwrap();
    drop(gate);
    stage.report(0, created(stage.path("b/new")));
    assert_eq!(next_paths(&events), [stage.path("b/new")]);
}

#[test]
fn handler_that_panics() {
    let stage = Stage::new("handler_that_panics");
    let (sender, events) = channel::<()>();
    let handler = move |_| {
        let _mine = &sender;
        panic!("a bug in the handler");
    };
    let mut watcher = NotifyWatcher::<Able>::new(handler, Config::default()).unwrap();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    stage.report(0, created(stage.path("a/new")));
    wait_for_the_end(&events);
    assert_eq!(stage.alive(), 0);
    for result in [watcher.watch(&stage.path("b"), Recursive), watcher.unwatch(&stage.path("a"))] {
        let error = result.unwrap_err();
        assert!(matches!(&error.kind, ErrorKind::Generic(text) if text.contains("panicked")));
    }
}

#[test]
fn backend_that_panics_for_one_path() {
    let stage = Stage::new("backend_that_panics_for_one_path");
    let (mut watcher, events) = watcher::<Able>();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    let broken = stage.path("broken");
    catch_unwind(AssertUnwindSafe(|| watcher.watch(&broken, Recursive))).unwrap_err();
    stage.report(0, created(stage.path("a/new")));
    assert_eq!(next_paths(&events), [stage.path("a/new")]);
    watcher.unwatch(&stage.path("a")).unwrap();
}

/// Inside a runtime, another one can be neither made nor dropped, and nothing may block.
#[test]
fn inside_a_runtime() {
    let stage = Stage::new("inside_a_runtime");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (sender, events) = channel();
        let handler = move |event: notify::Result<Event>| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { sender.send(event).unwrap() });
        };
        let mut watcher = NotifyWatcher::<Fixed>::new(handler, Config::default()).unwrap();
        watcher.watch(&stage.path("a"), Recursive).unwrap();
        stage.report(0, created(stage.path("a/new")));
        assert_eq!(next_paths(&events), [stage.path("a/new")]);
        watcher.watch(&stage.path("b"), Recursive).unwrap();
        watcher.unwatch(&stage.path("a")).unwrap();
        drop(watcher);
        assert_eq!(stage.alive(), 0);
    });
}

/// A backend that always has an event, whose info shows whether a task that it spawned has run.
#[derive(Debug)]
struct Restless(Arc<AtomicBool>);

impl Backend for Restless {
    fn new(_: Vec<Watch>) -> Result<Self, BackendError> {
        let has_run = Arc::new(AtomicBool::new(false));
        let task = Arc::clone(&has_run);
        tokio::spawn(async move { task.store(true, Ordering::Relaxed) });
        Ok(Self(has_run))
    }

    fn capabilities() -> Capabilities {
        Capabilities::NONE
    }

    fn name() -> &'static str {
        "tests/restless"
    }
}

impl Stream for Restless {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let has_run = self.0.load(Ordering::Relaxed);
        let info = if has_run { "has run" } else { "waits" };
        Poll::Ready(Some(Ok(Ours::missed(None).with_info(info))))
    }
}

#[test]
fn tasks_of_a_busy_backend_run() {
    let (mut watcher, events) = watcher::<Restless>();
    watcher.watch(&std::env::temp_dir().join("no-such-file"), NonRecursive).unwrap();
    wait_until(|| next(&events).unwrap().info() == Some("has run"));
}
