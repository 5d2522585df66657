//! Drives a backend and remembers what it reported: [`Driver`].

use std::{
    collections::HashSet,
    fs,
    future::{Future as _, poll_fn},
    io::Write as _,
    path::{Path, PathBuf},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use super::{
    consumer::{Consumer, Reading},
    pace::Pace,
    promptness::Promptness,
    sentinel::{self, is_sentinel},
    stopwatch::{Stopwatch, Taken},
    tree::Tree,
    wake_flag::WakeFlag,
};
use crate::{
    backend::{Backend, StreamItem, Watch},
    compliance::{
        record::{measurements::Measurements, mode::Mode, timeline::Timeline},
        rules::{
            expect::Expected,
            failure::{Step, Stop, ensure, fail, overdue, violates},
            invariants::{self, Guard},
            profile::Profile,
        },
    },
    error::{BackendError, StreamError},
    event::{Event, EventKind, ModifyKind},
};

/// A backend under test, and what it has reported.
///
/// A case changes something in its [`Tree`], then [`settle`](Self::settle)s, then asks what it
/// [`saw`](Self::saw). Reading is never done behind the case's back: between these calls nobody
/// polls.
#[derive(Debug)]
pub(crate) struct Driver {
    // Dropped by `Drop`, inside the runtime.
    backend: Option<Box<dyn Backend>>,
    runtime: Rc<Runtime>,
    timeline: Timeline,
    profile: Profile,
    tree: Tree,
    pub(crate) guard: Guard,
    sentinel_places: Vec<SentinelPlace>,
    seen: Vec<Seen>,
    /// Where in `seen` the current step begins.
    step: usize,
    errors: Vec<StreamError>,
    may_fail: bool,
    /// What was reported as created, for cases with very many files.
    created: HashSet<PathBuf>,
    /// Where losses were reported: an empty path stands for everything.
    missed: HashSet<PathBuf>,
    /// How many events were lost by what was said; nothing where a loss was said without a number.
    lost: Option<u64>,
    ended: bool,
    /// How many items were read.
    items: usize,
    meters: Meters,
    /// Nothing where the time of a call means nothing.
    promptness: Option<Promptness>,
    /// What the last call of `poll_next` has taken.
    latest_call: Option<Taken>,
    /// How many changes had been made when the barrier was set up that was reported last.
    settled: Option<usize>,
    /// The longest time that it took a barrier to be reported.
    slowest_barrier: Duration,
    /// The thread that makes changes at this moment.
    pace: Option<Pace>,
    /// The picture that is kept by the events.
    consumer: Option<Consumer>,
}

/// What a backend is measured and counted with.
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

/// Where a barrier can be set up.
#[derive(Debug)]
enum SentinelPlace {
    /// A watched folder, in which files are made.
    Folder(PathBuf),
    /// A watched file, to which bytes are added, through the descriptor.
    File(PathBuf, fs::File),
}

/// For how long to wait on for what should have been reported before the barrier.
const GRACE: Duration = Duration::from_millis(250);
/// The same where barriers take long because the machine is busy: how many times as long.
const GRACE_BARRIERS: u32 = 20;

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
            sentinel_places: Vec::new(),
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
        }
    }

    /// Notes that `watch` is there, and that barriers can be set up in it.
    pub(crate) fn added(&mut self, watch: &Watch) -> Step {
        self.guard.added(watch);
        self.forget(&watch.path);
        if watch.path.is_dir() {
            self.sentinel_places.push(SentinelPlace::Folder(watch.path.clone()));
        } else if is_sentinel(&watch.path) {
            let file = fs::OpenOptions::new().append(true).open(&watch.path);
            let file = file.map_err(|error| Stop::Broken(format!("sentinel file: {error}")))?;
            self.sentinel_places.push(SentinelPlace::File(watch.path.clone(), file));
        }
        Ok(())
    }

    /// No barrier is to be set up in `path` any more: it is not watched any longer.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.sentinel_places.retain(|place| match place {
            SentinelPlace::Folder(place) | SentinelPlace::File(place, _) => {
                place.as_os_str() != path.as_os_str()
            }
        });
    }

    /// Errors on the stream are part of this case.
    pub(crate) fn allow_errors(&mut self) {
        self.may_fail = true;
    }

    /// Does not judge how long a call takes: this process is stopped now and then.
    pub(crate) fn ignore_time(&mut self) {
        self.promptness = None;
    }

    /// Returns the errors that were reported.
    pub(crate) fn errors(&self) -> &[StreamError] {
        &self.errors
    }

    /// Forgets all events, for cases with very many of them.
    pub(crate) fn forget_events(&mut self) {
        self.seen.clear();
        self.created.clear();
        self.step = 0;
        self.guard.forget_trackers();
        drop(self.timeline.take());
    }

    /// Returns whether the stream has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns the events of the current step.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.seen[self.step..].iter().map(|seen| &seen.event)
    }

    /// Returns the event that was reported last in this step.
    pub(crate) fn latest(&self) -> Option<&Event> {
        self.seen[self.step..].last().map(|seen| &seen.event)
    }

    /// Begins a new step: what was reported before is not looked at any more.
    pub(crate) fn next_step(&mut self) {
        self.step = self.seen.len();
    }

    /// Expects events as late as a look takes that compares all states: `new` has taken as long as one. Such
    /// a backend may rest for some times as long, to leave the machine to others.
    pub(crate) fn allow_for_looks(&mut self, took: Duration) {
        if self.profile.sampled {
            self.profile.latency += took * 2;
        }
    }

    /// Reads until everything that was changed before has been reported.
    pub(crate) fn settle(&mut self) -> Step {
        self.settle_in::<&Path>(&[])
    }

    /// As [`settle`](Self::settle), and then the same in these folders: that a barrier in a root was
    /// seen does not prove that folders found late have been looked at.
    pub(crate) fn settle_in<P: AsRef<Path>>(&mut self, folders: &[P]) -> Step {
        // What one look of a sampling backend says of one folder proves nothing of the others; once
        // a file that was made after it is reported, the whole look before is over.
        let rounds = if self.profile.sampled { 3 } else { 1 };
        for _ in 0..rounds {
            self.barrier(None)?;
        }
        for folder in folders {
            self.barrier(Some(&self.tree.path(folder)))?;
        }
        if let Some(consumer) = &mut self.consumer {
            consumer.settled();
        }
        Ok(())
    }

    /// Makes a change in whatever is watched, and in `folder`, and reads until all of them are
    /// reported.
    fn barrier(&mut self, folder: Option<&Path>) -> Step {
        let changes = self.timeline.changes();
        let all = self.touch_anchors(folder)?;
        let mut waited = all.clone();
        let start = Instant::now();
        let mut lost = false;
        let mut strike = |item: Option<&StreamItem>| {
            waited.retain(|path| !item.is_some_and(|item| is_about(item, path)));
            lost |= matches!(item, Some(Ok(Event { kind: EventKind::Missed(_), .. })));
            (waited.len(), lost)
        };
        let limit = self.profile.deadline();
        let mut limits = limit;
        let heard = self.read_until(limit, |_, item| {
            let (left, lost) = strike(item);
            left < all.len() || lost || all.is_empty()
        })?;
        if heard {
            self.slowest_barrier = self.slowest_barrier.max(start.elapsed());
            // The others' are as old.
            limits = self.grace();
            self.read_until(limits, |_, item| {
                let (left, lost) = strike(item);
                left == 0 || lost
            })?;
        }
        let (_, lost) = strike(None);
        if lost && !waited.is_empty() {
            // The file's event may be among what was lost.
            return self.barrier(folder);
        }
        if !all.is_empty() {
            self.meters.measurements.count_barrier(heard);
        }
        if waited.is_empty() {
            self.timeline.note("settled", "everything before this has been reported");
            self.settled = (!all.is_empty()).then_some(changes);
            return Ok(());
        }
        let late: Vec<_> = waited.iter().map(|path| self.timeline.show(path)).collect();
        let is_awaited =
            |item: &StreamItem| waited.first().is_some_and(|path| is_about(item, path));
        let but = self.overdue(heard, limits, is_awaited)?;
        overdue(format!("the file {}, just made or written, is reported", late.join(", ")), but)
    }

    /// Makes a file in each watched folder and in `folder`, and writes to each watched sentinel file.
    /// Returns their paths.
    fn touch_anchors(&mut self, folder: Option<&Path>) -> Step<Vec<PathBuf>> {
        // Never the same twice in a process: backends of one case may share a folder.
        static BARRIERS: AtomicUsize = AtomicUsize::new(0);
        let number = BARRIERS.fetch_add(1, Ordering::Relaxed);
        let mut touched = Vec::new();
        let made = self.timeline.while_changing(|| {
            let sentinel_places = self.sentinel_places.iter().filter_map(|place| match place {
                SentinelPlace::Folder(folder) => folder.is_dir().then_some(folder.as_path()),
                SentinelPlace::File(..) => None,
            });
            for folder in folder.into_iter().chain(sentinel_places) {
                let path = folder.join(sentinel::name(number));
                if !touched.contains(&path) {
                    fs::File::create_new(&path)?;
                    touched.push(path);
                }
            }
            for place in &mut self.sentinel_places {
                if let SentinelPlace::File(path, file) = place {
                    // One write to an open file is one event, also with access events.
                    file.write_all(b".")?;
                    touched.push(path.clone());
                }
            }
            std::io::Result::Ok(())
        });
        made.map_err(|error| Stop::Broken(format!("could not set up a barrier: {error}")))?;
        Ok(touched)
    }

    /// Returns how long to wait on for what is older than something that has been reported.
    fn grace(&self) -> Duration {
        let grace = GRACE.max(self.slowest_barrier * GRACE_BARRIERS);
        (grace + self.profile.latency * 4).min(self.profile.deadline())
    }

    /// Returns whether a change that was made after all others has been reported.
    fn is_settled(&self) -> bool {
        self.settled == Some(self.timeline.changes())
    }

    /// Reads until the case has been told what it `expected`, and fails if it is not told in time.
    pub(crate) fn saw(&mut self, expected: Expected) -> Step {
        self.saw_in_order([expected])
    }

    /// As [`saw`](Self::saw) for several, of which each has to come before the next.
    pub(crate) fn saw_in_order<const N: usize>(&mut self, expected: [Expected; N]) -> Step {
        let expected = expected.map(|expected| expected.with_path(self.tree.path(&expected.path)));
        let is_settled = self.is_settled();
        let limit = if is_settled { self.grace() } else { self.profile.deadline() };
        let complete =
            self.read_until(limit, |driver, _| driver.first_missing(&expected).is_none())?;
        if complete {
            for seen in &mut self.seen[self.step..] {
                let told = |expected: &Expected| tells(expected, &seen.event, &self.profile);
                seen.wanted |= expected.iter().any(told);
            }
            return Ok(());
        }
        let describe = |expected: &Expected| expected.describe(&self.timeline.show(&expected.path));
        let wanted: Vec<_> = expected.iter().map(describe).collect();
        let missing = self.first_missing(&expected).unwrap_or_default();
        let alone = self.events().any(|event| tells(&expected[missing], event, &self.profile));
        let has_ended = self.ended;
        let but = if alone && N > 1 {
            format!("the report that {} came too early", wanted[missing])
        } else {
            let others = self.events().filter(|event| event.path == expected[missing].path);
            let others: Vec<_> = others.map(|event| event.kind.to_string()).collect();
            let others = match others.as_slice() {
                [] => "nothing was reported about that path".into(),
                others => format!("reported about that path was: {}", others.join(", ")),
            };
            let profile = self.profile.clone();
            let is_awaited = |item: &StreamItem| {
                item.as_ref().is_ok_and(|event| tells(&expected[missing], event, &profile))
            };
            let overdue = self.overdue(is_settled, limit, is_awaited)?;
            match wanted.as_slice() {
                [_] => format!("{others}; {overdue}"),
                _ => format!("{} is missing; {others}; {overdue}", wanted[missing]),
            }
        };
        let wanted = wanted.join(",\nthen ");
        if has_ended { overdue(wanted, but) } else { fail(wanted, but) }
    }

    /// Returns the index of the first of `expected` that has not been told after the ones before it.
    fn first_missing(&self, expected: &[Expected]) -> Option<usize> {
        let mut missing = 0;
        for event in self.events() {
            if missing < expected.len() && tells(&expected[missing], event, &self.profile) {
                missing += 1;
            }
        }
        (missing < expected.len()).then_some(missing)
    }

    /// Fails if the case has been told this.
    pub(crate) fn never_saw(&mut self, expected: &Expected) -> Step {
        let expected = expected.with_path(self.tree.path(&expected.path));
        let told = self.events().find(|event| tells(&expected, event, &self.profile));
        let told = told.map(|event| event.kind.to_string());
        let described = expected.describe(&self.timeline.show(&expected.path));
        ensure(told.is_none(), format!("never: {described}"), || {
            format!("the backend reported {}", told.unwrap_or_default())
        })
    }

    /// Returns how often the case has been told this.
    pub(crate) fn count(&self, expected: &Expected) -> usize {
        let expected = expected.with_path(self.tree.path(&expected.path));
        self.events().filter(|event| tells(&expected, event, &self.profile)).count()
    }

    /// Fails if something was reported in this step that no check has asked for.
    ///
    /// Left aside are accesses, and modifications of folders and of paths that were asked for:
    /// platforms differ in how much they say about those.
    pub(crate) fn nothing_else(&self) -> Step {
        let step = &self.seen[self.step..];
        let asked = |path: &Path| step.iter().any(|seen| seen.wanted && seen.event.path == path);
        let noise = |event: &Event| match event.kind {
            EventKind::Access(_) | EventKind::Missed(_) => true,
            EventKind::Modify(ModifyKind::Name(_)) => false,
            EventKind::Modify(_) => asked(&event.path) || event.path.is_dir(),
            _ => false,
        };
        let surplus = step.iter().find(|seen| !seen.wanted && !noise(&seen.event));
        ensure(surplus.is_none(), "nothing but what was done is reported", || {
            let surplus = surplus.map(|seen| &seen.event);
            surplus.map_or_else(String::new, |event| {
                format!("unexpectedly, {} {} was", event.kind, self.timeline.show(&event.path))
            })
        })
    }

    /// Polls once, with a waker that only counts, and hands over whatever comes.
    pub(crate) fn poll_once(&mut self, waker: &Waker) -> Step<Poll<Option<Event>>> {
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        match self.poll(waker)? {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(None) => Ok(Poll::Ready(None)),
            Poll::Ready(Some(item)) => {
                let event = item.as_ref().ok().cloned();
                self.take_in(item)?;
                Ok(Poll::Ready(event))
            }
        }
    }

    /// Takes what is there without waiting, until there is nothing. A backend that wakes its task before it
    /// returns `Pending` has given up its turn, and has more.
    pub(crate) fn drain(&mut self) -> Step {
        const TURNS: usize = 1000;

        let mut given_up = 0;
        while !self.ended && given_up < TURNS {
            let (flag, waker) = WakeFlag::new();
            if self.poll_once(&waker)?.is_ready() {
                given_up = 0;
            } else if flag.count() > 0 {
                given_up += 1;
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Polls until there is nothing more; returns what notes that the waker of the last poll is woken.
    pub(crate) fn rest(&mut self) -> Step<Arc<WakeFlag>> {
        loop {
            let (flag, waker) = WakeFlag::new();
            if self.poll_once(&waker)?.is_pending() || self.ended {
                return Ok(flag);
            }
        }
    }

    /// Reads as a task does, which is polled only when it was woken: `flag` comes from
    /// [`rest`](Self::rest), and is for the next time then. Returns whether the case was `told` what it waits for.
    pub(crate) fn read_when_woken(
        &mut self,
        flag: &mut Arc<WakeFlag>,
        told: impl Fn(&Self) -> bool,
    ) -> Step<bool> {
        let (start, limit) = (Instant::now(), self.profile.deadline());
        while !told(self) {
            let is_over = self.ended || start.elapsed() > limit * 3;
            if is_over || !self.wait_for_wake(flag, limit) {
                return Ok(false);
            }
            *flag = self.rest()?;
        }
        Ok(true)
    }

    /// Polls so many times, and returns of the times that each call took by itself the one in the middle,
    /// and the same of the part in which it was blocked, where the system tells that.
    pub(crate) fn time_polls(&mut self, polls: usize) -> Step<(Duration, Option<Duration>)> {
        let middle = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times.get(times.len() / 2).copied()
        };
        let mut taken = Vec::with_capacity(polls);
        for _ in 0..polls {
            _ = self.poll_once(Waker::noop())?;
            taken.extend(self.latest_call);
        }
        let blocked =
            taken.iter().filter_map(|taken| Some(taken.own.saturating_sub(taken.computed?)));
        let own = middle(taken.iter().map(|taken| taken.own).collect());
        Ok((own.unwrap_or_default(), middle(blocked.collect())))
    }

    /// Fails unless a poll returns `Pending`.
    pub(crate) fn is_pending(&mut self) -> Step {
        match self.poll_once(Waker::noop())? {
            Poll::Pending => Ok(()),
            Poll::Ready(None) => fail("Poll::Pending", "the stream has ended"),
            Poll::Ready(Some(event)) => {
                fail("Poll::Pending", format!("it yielded {event:?} with nothing to report"))
            }
        }
    }

    /// Lets the runtime run, without polling the backend, until `flag` is woken or time is up.
    /// Returns whether it was woken.
    pub(crate) fn wait_for_wake(&self, flag: &WakeFlag, limit: Duration) -> bool {
        self.runtime.block_on(async {
            let woken = poll_fn(|cx| flag.poll_woken(cx));
            tokio::time::timeout(limit, woken).await.is_ok()
        })
    }

    /// Lets the runtime notice what has arrived, without polling the backend.
    pub(crate) fn turn_runtime(&self) {
        // The runtime asks the platform between two turns of a task.
        self.runtime.block_on(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
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

    /// The backend itself, inside its runtime.
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
                // Also when the changes panic, or nobody would know that there are no more.
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

    /// Reads until `told`, or until nothing more can be expected; without a barrier.
    pub(crate) fn read_until_told(&mut self, told: impl Fn(&Self) -> bool) -> Step {
        self.read_until(self.profile.deadline(), |driver, _| told(driver)).map(drop)
    }

    /// Keeps a picture by the events from now on.
    pub(crate) fn keep(&mut self, consumer: Consumer) {
        self.keep_by(consumer, Reading::of(&self.profile));
    }

    /// As [`keep`](Self::keep), but reads them in this way.
    pub(crate) fn keep_by(&mut self, consumer: Consumer, reading: Reading) {
        self.consumer = Some(consumer.reading(reading));
    }

    /// Fails unless the picture that is kept is what is on disk.
    pub(crate) fn consumer_matches_disk(&self) -> Step {
        self.consumer.as_ref().map_or(Ok(()), Consumer::matches_disk)
    }

    /// Fails unless the picture that `other` keeps is the same.
    pub(crate) fn consumer_matches(&self, other: &Self) -> Step {
        let Some((own, other)) = self.consumer.as_ref().zip(other.consumer.as_ref()) else {
            return Ok(());
        };
        let differences = own.differences(other);
        ensure(differences.is_empty(), "two backends lead to the same picture", || {
            differences.join("\n")
        })
    }

    /// Returns every path that was reported as created.
    pub(crate) fn created_paths(&self) -> &HashSet<PathBuf> {
        &self.created
    }

    /// Returns whether a loss was reported.
    pub(crate) fn has_missed(&self) -> bool {
        !self.missed.is_empty()
    }

    /// Returns how many events were lost by what was reported, if that is known.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.lost
    }

    /// Reads until a loss is reported, and no further, or else until everything is that was changed
    /// before. Returns whether a loss was.
    pub(crate) fn read_to_loss(&mut self) -> Step<bool> {
        let mut waited = self.touch_anchors(None)?;
        self.read_until(self.profile.deadline(), |_, item| {
            waited.retain(|path| !item.is_some_and(|item| is_about(item, path)));
            let is_loss = matches!(item, Some(Ok(Event { kind: EventKind::Missed(_), .. })));
            is_loss || waited.is_empty()
        })?;
        Ok(self.has_missed())
    }

    /// Returns whether a loss was reported that concerns all that is in `folder`.
    pub(crate) fn has_missed_in(&self, folder: &Path) -> bool {
        self.missed.iter().any(|part| folder.starts_with(part))
    }

    /// Reads until `done`, which is asked at first and after each item, or until nothing has come for
    /// as long as `limit`. Returns whether it was done.
    fn read_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self, Option<&StreamItem>) -> bool,
    ) -> Step<bool> {
        if done(self, None) {
            return Ok(true);
        }
        if self.ended {
            return Ok(false);
        }
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            let start = tokio::time::Instant::now();
            let mut over = pin!(tokio::time::sleep_until(start + limit));
            let mut items = self.items;
            poll_fn(|cx| {
                if let Poll::Ready(done) = self.poll_until(cx, &mut done) {
                    return Poll::Ready(done);
                }
                if self.items != items {
                    items = self.items;
                    // Not for ever, if what comes is never what is waited for.
                    let then = tokio::time::Instant::now() + limit;
                    over.as_mut().reset(then.min(start + limit * 3));
                }
                over.as_mut().poll(cx).map(|()| Ok(false))
            })
            .await
        })
    }

    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        done: &mut impl FnMut(&Self, Option<&StreamItem>) -> bool,
    ) -> Poll<Step<bool>> {
        if let Some(pace) = &self.pace {
            pace.wake_reader(cx.waker());
        }
        if done(self, None) {
            return Poll::Ready(Ok(true));
        }
        loop {
            // A first poll with a waker that leads nowhere: only the last one counts, so a backend
            // that keeps the first is stuck now.
            let polled = match self.poll(Waker::noop()) {
                Ok(Poll::Pending) => self.poll(cx.waker()),
                other => other,
            };
            match polled {
                Err(stop) => return Poll::Ready(Err(stop)),
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(None)) => {
                    let done = done(self, None);
                    return Poll::Ready(Ok(done));
                }
                Ok(Poll::Ready(Some(item))) => {
                    let done = done(self, Some(&item));
                    if let Err(stop) = self.take_in(item) {
                        return Poll::Ready(Err(stop));
                    }
                    // Asked again, now that the item is among those seen.
                    if done {
                        return Poll::Ready(Ok(true));
                    }
                }
            }
            if done(self, None) {
                return Poll::Ready(Ok(true));
            }
        }
    }

    /// Polls the backend, and checks how it does that.
    fn poll(&mut self, waker: &Waker) -> Step<Poll<Option<StreamItem>>> {
        let Some(backend) = &mut self.backend else { return Ok(Poll::Ready(None)) };
        let mut context = Context::from_waker(waker);
        let stopwatch = &self.meters.stopwatch;
        let (polled, taken) = stopwatch.time(|| {
            self.timeline.during("poll_next", || Pin::new(&mut **backend).poll_next(&mut context))
        });
        self.latest_call = Some(taken);
        if let Some(promptness) = &mut self.promptness {
            let noted = promptness.note(taken, stopwatch.is_exact());
            noted.map_err(|slow| violates(invariants::PROMPT, slow))?;
        }
        if let Poll::Ready(None) = polled {
            self.check_end(waker)?;
        }
        Ok(polled)
    }

    fn check_end(&mut self, waker: &Waker) -> Step {
        if !self.ended {
            self.timeline.note("end", "the stream yielded None");
        }
        self.ended = true;
        let Some(backend) = &mut self.backend else { return Ok(()) };
        for _ in 0..3 {
            let again = Pin::new(&mut **backend).poll_next(&mut Context::from_waker(waker));
            if !matches!(again, Poll::Ready(None)) {
                return Err(violates(invariants::FINAL, format!("it yielded {again:?} after it")));
            }
        }
        Ok(())
    }

    /// Notes and checks an item.
    fn take_in(&mut self, item: StreamItem) -> Step {
        self.items += 1;
        match item {
            Ok(event) if is_sentinel(&event.path) => Ok(()),
            Ok(event) => {
                self.timeline.reported(&event.to_string());
                let checked = self.guard.check(&event);
                if let Some(consumer) = &mut self.consumer {
                    consumer.told(&event);
                }
                if let EventKind::Missed(count) = event.kind {
                    self.missed.insert(event.path.clone());
                    self.lost =
                        self.lost.zip(count).map(|(all, count)| all + u64::from(count.get()));
                }
                if let EventKind::Create(_) = event.kind {
                    self.created.insert(event.path.clone());
                }
                self.seen.push(Seen { event, wanted: false });
                checked
            }
            Err(error) => {
                let text = error.to_string();
                self.timeline.note("error", text.clone());
                self.errors.push(error);
                let stop = || violates(invariants::NO_ERROR, format!("it yielded: {text}"));
                if self.may_fail { Ok(()) } else { Err(stop()) }
            }
        }
    }

    /// Says what is known of something that has not come within `limit`, although a later change was
    /// reported if `is_settled`: whether it was there and nobody was woken for it.
    fn overdue(
        &mut self,
        is_settled: bool,
        limit: Duration,
        is_awaited: impl Fn(&StreamItem) -> bool,
    ) -> Step<String> {
        if self.ended {
            return Ok("the stream has ended".into());
        }
        if is_settled {
            return Ok("it will not arrive: a change that was made later has been reported".into());
        }
        let late = format!("it did not arrive within {limit:?}");
        let runtime = self.runtime.clone();
        let entered = runtime.enter();
        let polled = self.poll(Waker::noop())?;
        drop(entered);
        if let Poll::Ready(Some(item)) = polled {
            let item = item.map_or_else(|error| error.to_string(), |event| event.to_string());
            self.timeline.note("late", item);
            return Ok(format!(
                "{late}; but a poll without a wake-up found the item marked `late`: the waker of the \
                 last poll is not woken when something arrives"
            ));
        }
        self.touch_anchors(None)?;
        let limit = self.grace();
        let came = self.read_until(limit, |_, item| item.is_some_and(&is_awaited))?;
        Ok(if came {
            format!("{late}, but with the next change: a wake-up was lost")
        } else {
            late
        })
    }
}

/// Returns whether the item tells that something has become of `path`.
fn is_about(item: &StreamItem, path: &Path) -> bool {
    // By spelling: as paths, `a//b` and `a/b` are equal.
    item.as_ref().is_ok_and(|event| {
        !matches!(event.kind, EventKind::Access(_)) && event.path.as_os_str() == path.as_os_str()
    })
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.close();
    }
}

fn tells(expected: &Expected, event: &Event, profile: &Profile) -> bool {
    // By spelling: as paths, `a//b` and `a/b` are equal.
    expected.path.as_os_str() == event.path.as_os_str() && expected.is_told_by(event, profile)
}
