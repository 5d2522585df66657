//! Watchers of a backend that does what a test wants.

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
use crate::contract::{backend::Backend, event::CreateKind};

const DEADLINE: Duration = Duration::from_secs(60);

/// A backend with all that the adapter makes use of.
type Able = Fake<true, true>;
/// A backend whose set of paths is fixed.
type Fixed = Fake<false, true>;
/// A backend that watches no folder below a folder.
type Flat = Fake<true, false>;

/// A watcher of `B`, and what its handler is told.
fn watcher<B: Backend>() -> (NotifyWatcher<B>, Receiver<notify::Result<Event>>) {
    let (sender, events) = channel();
    (NotifyWatcher::new(sender, Config::default()).unwrap(), events)
}

/// A watcher whose handler tells what it was called with, and returns when something is sent
/// through the gate, or it is dropped.
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

/// Waits for a condition that no event announces.
#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < DEADLINE, "it is never so");
        thread::yield_now();
    }
}

#[track_caller]
fn next(events: &Receiver<notify::Result<Event>>) -> notify::Result<Event> {
    events.recv_timeout(DEADLINE).expect("something is said in time")
}

/// The paths of the next event.
#[track_caller]
fn next_paths(events: &Receiver<notify::Result<Event>>) -> Vec<PathBuf> {
    next(events).unwrap().paths
}

fn created(path: impl Into<PathBuf>) -> crate::Event {
    crate::Event::create(CreateKind::File, path)
}

use RecursiveMode::{NonRecursive, Recursive};
