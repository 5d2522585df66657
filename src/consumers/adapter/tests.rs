//! Watchers with a backend that a test controls.

mod behaviour;
mod fake;
mod threads;

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use notify::{Config, Event, RecursiveMode, Watcher};

use self::fake::{Fake, Stage};
use super::NotifyWatcher;
use crate::{
    contract::{backend::Backend, event::CreateKind},
    parts::fallback::FirstOf,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// A backend with every capability that the adapter uses.
type Able = Fake<true, true>;
/// A backend whose set of paths is fixed.
type Fixed = Fake<false, true>;
/// A choice whose second backend meets no limit.
type Choice = FirstOf<(Able, Fake<true, true, false>)>;
/// A backend that does not watch recursively.
type Flat = Fake<true, false>;

/// Returns a watcher of `B`, and the receiver of its handler's arguments.
fn watcher<B: Backend>() -> (NotifyWatcher<B>, Receiver<notify::Result<Event>>) {
    let (sender, events) = channel();
    (NotifyWatcher::new(sender, Config::default()).unwrap(), events)
}

/// Returns a watcher whose handler passes on its argument, and returns when the gate is sent something or
/// dropped.
fn gated_watcher<B: Backend>() -> (NotifyWatcher<B>, Receiver<notify::Result<Event>>, Sender<()>) {
    let (sender, events) = channel();
    let (gate, opened) = channel();
    let handler = move |event| {
        // The test may be over.
        let _ = sender.send(event);
        let _ = opened.recv();
    };
    (NotifyWatcher::new(handler, Config::default()).unwrap(), events, gate)
}

/// Waits for a condition that is not reported.
#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "the condition never holds");
        thread::yield_now();
    }
}

#[track_caller]
fn next(events: &Receiver<notify::Result<Event>>) -> notify::Result<Event> {
    events.recv_timeout(DEADLINE).expect("an event or error in time")
}

/// Returns the paths of the next event.
#[track_caller]
fn next_paths(events: &Receiver<notify::Result<Event>>) -> Vec<PathBuf> {
    next(events).unwrap().paths
}

fn created(path: impl Into<PathBuf>) -> crate::Event {
    crate::Event::create(CreateKind::File, path)
}

use RecursiveMode::{NonRecursive, Recursive};
