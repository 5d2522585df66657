//! Drives a backend and remembers what it reported: [`Driver`].
//!
//! Here is what a case does with the backend: its calls, and changes while it is read. How the backend is
//! read is in `polling`, how the reading is brought to an end in `barrier`, and what a case asks about what was
//! reported in `questions`.

mod barrier;
mod polling;
mod questions;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use tokio::runtime::Runtime;

use super::{
    consumer::{Consumer, Reading},
    pace::Pace,
    promptness::Promptness,
    sentinel::Sentinels,
    stopwatch::{Stopwatch, Taken},
    tree::Tree,
};
use crate::{
    compliance::{
        record::{measurements::Measurements, mode::Mode, timeline::Timeline},
        rules::{
            failure::{Step, Stop, ensure},
            invariants::Guard,
            profile::Profile,
        },
    },
    contract::{
        backend::{Backend, Watch},
        cursor::Cursor,
        error::{BackendError, StreamError},
        event::Event,
    },
};

/// A backend under test, and what it has reported.
///
/// A case changes something in its [`Tree`], then [`settle`](Self::settle)s, then asks what it
/// [`saw`](Self::saw). The driver polls only in these calls, never between them.
#[derive(Debug)]
pub(crate) struct Driver {
    // Dropped by `Drop`, inside the runtime.
    backend: Option<Box<dyn Backend>>,
    runtime: Rc<Runtime>,
    timeline: Timeline,
    profile: Profile,
    tree: Tree,
    pub(crate) guard: Guard,
    sentinels: Sentinels,
    seen: Vec<Seen>,
    /// Where in `seen` the current step begins.
    step: usize,
    errors: Vec<StreamError>,
    may_fail: bool,
    /// What was reported as created, for cases with very many files.
    created: HashSet<PathBuf>,
    /// Where losses were reported: an empty path stands for everything.
    missed: HashSet<PathBuf>,
    /// How many events were reported as lost; `None` if a loss was reported without a number.
    lost: Option<u64>,
    ended: bool,
    /// How many items were read.
    items: usize,
    meters: Meters,
    /// `None` if the time of a call means nothing.
    promptness: Option<Promptness>,
    /// What the last call of `poll_next` has taken.
    latest_call: Option<Taken>,
    /// How many changes had been made when the barrier was set up that was reported last.
    settled: Option<usize>,
    /// The longest time that it took a barrier to be reported.
    slowest_barrier: Duration,
    /// The thread that makes changes at this moment.
    pace: Option<Pace>,
    /// The consumer whose mirror is kept by the events.
    consumer: Option<Consumer>,
    /// Whether a poll that finds nothing is repeated, this time.
    polls_twice: bool,
}

/// The instruments that measure and count a backend's calls.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) stopwatch: Rc<Stopwatch>,
    pub(crate) measurements: Measurements,
}

/// An event, and whether a check has asked for it.
#[derive(Debug)]
struct Seen {
    event: Event,
    wanted: bool,
}

impl Driver {
    pub(crate) fn new(
        backend: Box<dyn Backend>,
        runtime: Rc<Runtime>,
        timeline: Timeline,
        profile: Profile,
        tree: Tree,
        guard: Guard,
        meters: Meters,
    ) -> Self {
        Self {
            backend: Some(backend),
            runtime,
            timeline,
            profile,
            tree,
            guard,
            sentinels: Sentinels::default(),
            seen: Vec::new(),
            step: 0,
            errors: Vec::new(),
            may_fail: false,
            created: HashSet::new(),
            missed: HashSet::new(),
            lost: Some(0),
            ended: false,
            items: 0,
            meters,
            promptness: Some(Promptness::default()),
            latest_call: None,
            settled: None,
            slowest_barrier: Duration::ZERO,
            pace: None,
            consumer: None,
            polls_twice: true,
        }
    }

    /// Notes that `watch` is there, and that barriers can be set up in it.
    pub(crate) fn added(&mut self, watch: &Watch) -> Step {
        self.guard.added(watch);
        self.forget(&watch.path);
        self.sentinels.add(&watch.path)
    }

    /// Stops setting up barriers in `path`, which is not watched any longer.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.sentinels.remove(path);
    }

    /// Accepts errors on the stream as a part of this case.
    pub(crate) fn allow_errors(&mut self) {
        self.may_fail = true;
    }

    /// Stops judging how long a call takes: this process is stopped now and then.
    pub(crate) fn ignore_time(&mut self) {
        self.promptness = None;
    }

    /// Allows for late reports of a backend that compares states, where something else took as long as one look at
    /// the same files. A change that a look has just missed is found by the next one, after a rest that leaves the
    /// processor to others: poll rests four times as long as it has looked.
    pub(crate) fn allow_for_looks(&mut self, took: Duration) {
        if self.profile.coalesced {
            self.profile.latency += took * 6;
        }
    }

    /// Drops the backend; returns how long that took by itself.
    pub(crate) fn close(&mut self) -> Duration {
        let Some(backend) = self.backend.take() else { return Duration::ZERO };
        let _entered = self.runtime.enter();
        // Which of them it waits for is not known.
        self.meters.stopwatch.look_for_threads();
        let drop = || self.timeline.during("drop", || drop(backend));
        let ((), taken) = self.meters.stopwatch.time(drop);
        self.timeline.note("call", "dropped the backend");
        taken.own
    }

    /// Returns where the stream stands.
    pub(crate) fn cursor(&mut self) -> Step<Option<Cursor>> {
        let cursor = self.call("cursor", |backend| backend.cursor())?;
        self.timeline.note("call", format!("cursor(): {cursor:?}"));
        Ok(cursor)
    }

    /// Adds a watch.
    pub(crate) fn watch(&mut self, watch: Watch) -> Step<Result<(), BackendError>> {
        let shown = self.timeline.show(&watch.path);
        let added = watch.clone();
        let answer = self.call("watch", |backend| backend.watch(watch))?;
        self.timeline.note("call", format!("watch({shown}): {answer:?}"));
        if answer.is_ok() {
            self.added(&added)?;
        }
        Ok(answer)
    }

    /// Adds several watches at once.
    pub(crate) fn watch_all(&mut self, watches: &[Watch]) -> Step<Result<(), BackendError>> {
        let shown: Vec<_> = watches.iter().map(|watch| self.timeline.show(&watch.path)).collect();
        let answer = self.call("watch_all", |backend| backend.watch_all(watches.to_vec()))?;
        self.timeline.note("call", format!("watch_all({}): {answer:?}", shown.join(", ")));
        if answer.is_ok() {
            watches.iter().try_for_each(|watch| self.added(watch))?;
        }
        Ok(answer)
    }

    /// Removes a watch.
    pub(crate) fn unwatch(&mut self, path: &Path) -> Step<Result<(), BackendError>> {
        let shown = self.timeline.show(path);
        let answer = self.call("unwatch", |backend| backend.unwatch(path))?;
        self.timeline.note("call", format!("unwatch({shown}): {answer:?}"));
        if answer.is_ok() {
            self.guard.removed(path);
            self.forget(path);
        }
        Ok(answer)
    }

    /// Calls the backend, inside its runtime.
    pub(crate) fn call<T>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&mut dyn Backend) -> T,
    ) -> Step<T> {
        let gone = || Stop::Broken("the case uses a backend that it has dropped".into());
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        let backend = self.backend.as_mut().ok_or_else(gone)?;
        Ok(self.timeline.during(name, || call(&mut **backend)))
    }

    /// Makes the changes in `mode`, on another thread where that is part of it, and settles.
    pub(crate) fn perform(
        &mut self,
        mode: Mode,
        changes: impl FnOnce(&Tree) -> Step + Send,
    ) -> Step {
        let tree = self.tree.clone();
        self.perform_in(mode, &tree, changes)
    }

    /// As [`perform`](Self::perform), in another tree.
    pub(crate) fn perform_in(
        &mut self,
        mode: Mode,
        tree: &Tree,
        changes: impl FnOnce(&Tree) -> Step + Send,
    ) -> Step {
        if mode == Mode::Batched {
            changes(tree)?;
            return self.settle();
        }
        let pace = Pace::default();
        let tree = tree.paced(mode, pace.clone());
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                // Also if the changes panic, or the reader would wait for more.
                let _done = pace.ending();
                changes(&tree)
            });
            self.meters.stopwatch.look_for_threads();
            let driven = self.drive(&pace);
            pace.end();
            let panicked = |_| Err(Stop::Broken("the thread that makes changes panicked".into()));
            driven.and(worker.join().unwrap_or_else(panicked))
        })?;
        self.settle()
    }

    /// Reads along while a thread makes changes, and settles whenever it waits for that.
    fn drive(&mut self, pace: &Pace) -> Step {
        loop {
            self.pace = Some(pace.clone());
            let paused = self.read_until(self.profile.deadline() * 4, |_, _| !pace.is_going());
            self.pace = None;
            if !paused? {
                // Nothing is left to be read.
                pace.wait_while_going();
            }
            if pace.is_done() {
                return Ok(());
            }
            self.settle()?;
            pace.go_on();
        }
    }

    /// Keeps the consumer's mirror up to date by the events from now on.
    pub(crate) fn keep(&mut self, consumer: Consumer) {
        self.keep_by(consumer, Reading::of(&self.profile));
    }

    /// As [`keep`](Self::keep), but reads them in this way.
    pub(crate) fn keep_by(&mut self, consumer: Consumer, reading: Reading) {
        self.consumer = Some(consumer.reading(reading));
    }

    /// Fails unless the consumer's mirror equals the disk.
    pub(crate) fn consumer_matches_disk(&self) -> Step {
        self.consumer.as_ref().map_or(Ok(()), Consumer::matches_disk)
    }

    /// Fails unless the mirror of the consumer of `other` is the same.
    pub(crate) fn consumer_matches(&self, other: &Self) -> Step {
        let Some((own, other)) = self.consumer.as_ref().zip(other.consumer.as_ref()) else {
            return Ok(());
        };
        let differences = own.differences(other);
        ensure(differences.is_empty(), "two backends lead to the same mirror", || {
            differences.join("\n")
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.close();
    }
}
