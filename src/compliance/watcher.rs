//! Drives a backend and remembers what it reported: [`Watcher`].

use std::{
    collections::HashSet,
    fs,
    future::poll_fn,
    io::Write as _,
    path::{Path, PathBuf},
    pin::Pin,
    rc::Rc,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize, atomic::Ordering},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use super::{
    expect::Expected,
    failure::{Check, Stop, ensure, fail, violates},
    invariants::{self, Guard},
    mirror::{Mirror, Reading},
    mode::Mode,
    profile::Profile,
    timeline::Timeline,
    tree::Tree,
};
use crate::{
    backend::{Backend, StreamItem, Watch},
    error::{BackendError, StreamError},
    event::{Event, EventKind, ModifyKind},
};

/// A backend under test, and what it has reported.
///
/// A case changes something in its [`Tree`], then [`settle`](Self::settle)s, then asks what it
/// [`saw`](Self::saw). Reading is never done behind the case's back: between these calls nobody
/// polls.
#[derive(Debug)]
pub(super) struct Watcher {
    // Dropped by `Drop`, inside the runtime.
    backend: Option<Box<dyn Backend>>,
    runtime: Rc<Runtime>,
    timeline: Timeline,
    profile: Profile,
    tree: Tree,
    pub(super) guard: Guard,
    anchors: Vec<Anchor>,
    seen: Vec<Seen>,
    /// Where in `seen` the current step begins.
    step: usize,
    errors: Vec<StreamError>,
    may_fail: bool,
    /// What was reported as created, for cases with very many files.
    created: HashSet<PathBuf>,
    missed: bool,
    ended: bool,
    slow_polls: usize,
    /// The thread that makes changes at this moment.
    pace: Option<Pace>,
    /// The picture that is kept by the events.
    mirror: Option<Mirror>,
}

/// An event, and whether a check has asked for it.
#[derive(Debug)]
struct Seen {
    event: Event,
    wanted: bool,
}

/// Where a barrier can be set up.
#[derive(Debug)]
enum Anchor {
    /// A watched folder, in which files are made.
    Folder(PathBuf),
    /// A watched file, to which bytes are added, through the descriptor.
    File(PathBuf, fs::File),
}

/// The longest that a poll may take.
const PROMPT: Duration = Duration::from_millis(100);
/// How many polls may take longer, since a busy machine may stop any thread for a while.
const SLOW_POLLS: usize = 3;
const SENTINEL: &str = "suite-sentinel-";

impl Watcher {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        runtime: Rc<Runtime>,
        timeline: Timeline,
        profile: Profile,
        tree: Tree,
        guard: Guard,
    ) -> Self {
        Self {
            backend: Some(backend),
            runtime,
            timeline,
            profile,
            tree,
            guard,
            anchors: Vec::new(),
            seen: Vec::new(),
            step: 0,
            errors: Vec::new(),
            may_fail: false,
            created: HashSet::new(),
            missed: false,
            ended: false,
            slow_polls: 0,
            pace: None,
            mirror: None,
        }
    }

    /// Notes that `watch` is there, and that barriers can be set up in it.
    pub(super) fn added(&mut self, watch: &Watch) -> Check {
        self.guard.added(watch);
        self.forget(&watch.path);
        if watch.path.is_dir() {
            self.anchors.push(Anchor::Folder(watch.path.clone()));
        } else if is_sentinel(&watch.path) {
            let file = fs::OpenOptions::new().append(true).open(&watch.path);
            let file = file.map_err(|error| Stop::Broken(format!("sentinel file: {error}")))?;
            self.anchors.push(Anchor::File(watch.path.clone(), file));
        }
        Ok(())
    }

    /// No barrier is to be set up in `path` any more: it is not watched any longer.
    pub(super) fn forget(&mut self, path: &Path) {
        self.anchors.retain(|anchor| match anchor {
            Anchor::Folder(anchor) | Anchor::File(anchor, _) => anchor != path,
        });
    }

    /// Errors on the stream are part of this case.
    pub(super) fn allow_errors(&mut self) {
        self.may_fail = true;
    }

    /// The errors that were reported.
    pub(super) fn errors(&self) -> &[StreamError] {
        &self.errors
    }

    /// Forgets all events, for cases with very many of them.
    pub(super) fn forget_events(&mut self) {
        self.seen.clear();
        self.created.clear();
        self.step = 0;
        self.guard.forget_trackers();
        drop(self.timeline.take());
    }

    /// Whether the stream has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The events of the current step.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.seen[self.step..].iter().map(|seen| &seen.event)
    }

    /// Begins a new step: what was reported before is not looked at any more.
    pub(super) fn next_step(&mut self) {
        self.step = self.seen.len();
    }

    /// Reads until everything that was changed before has been reported.
    pub(super) fn settle(&mut self) -> Check {
        self.settle_in::<&Path>(&[])
    }

    /// As [`settle`](Self::settle), and then the same in these folders: that a barrier in a root was
    /// seen does not prove that folders found late have been looked at.
    pub(super) fn settle_in<P: AsRef<Path>>(&mut self, folders: &[P]) -> Check {
        // What one look of a sampling backend says of one folder proves nothing of the others; once
        // a file that was made after it is reported, the whole look before is over.
        let rounds = if self.profile.sampled { 3 } else { 1 };
        for _ in 0..rounds {
            let folders = self.anchors.iter().filter_map(|anchor| match anchor {
                Anchor::Folder(folder) => folder.is_dir().then(|| folder.clone()),
                Anchor::File(..) => None,
            });
            let folders: Vec<_> = folders.collect();
            self.barrier(&folders)?;
        }
        for folder in folders {
            self.barrier(&[self.tree.path(folder)])?;
        }
        if let Some(mirror) = &mut self.mirror {
            mirror.settled();
        }
        Ok(())
    }

    /// Makes a file in each of `folders`, writes to each watched sentinel file, and reads until all
    /// of them are reported.
    fn barrier(&mut self, folders: &[PathBuf]) -> Check {
        // Never the same twice in a process: backends of one case may share a folder.
        static BARRIERS: AtomicUsize = AtomicUsize::new(0);
        let number = BARRIERS.fetch_add(1, Ordering::Relaxed);
        let broken = |error| Stop::Broken(format!("could not set up a barrier: {error}"));
        let mut waited: Vec<PathBuf> = Vec::new();
        for folder in folders {
            let path = folder.join(format!("{SENTINEL}{number}"));
            fs::File::create_new(&path).map_err(broken)?;
            waited.push(path);
        }
        for anchor in &mut self.anchors {
            if let Anchor::File(path, file) = anchor {
                // One write to an open file is one event, also with access events.
                file.write_all(b".").map_err(broken)?;
                waited.push(path.clone());
            }
        }
        let all = waited.clone();
        let mut lost = false;
        let arrived = self.read_until(self.profile.deadline(), |_, item| {
            if let Some(Ok(event)) = item
                && !matches!(event.kind, EventKind::Access(_))
            {
                waited.retain(|path| path.as_os_str() != event.path.as_os_str());
            }
            lost |= matches!(item, Some(Ok(Event { kind: EventKind::Missed(_), .. })));
            waited.is_empty() || lost
        })?;
        if lost && !waited.is_empty() {
            // The file's event may be among what was lost.
            return self.barrier(folders);
        }
        if arrived {
            self.timeline.note("settled", "everything before this has been reported");
            return Ok(());
        }
        let late: Vec<_> = all
            .iter()
            .filter(|path| waited.contains(path))
            .map(|path| self.timeline.show(path))
            .collect();
        let but = self.overdue();
        fail(format!("the file {}, just made or written, is reported", late.join(", ")), but)
    }

    /// Reads until the case has been told what it `expected`, and fails if it is not told in time.
    pub(super) fn saw(&mut self, expected: Expected) -> Check {
        self.saw_in_order([expected])
    }

    /// As [`saw`](Self::saw) for several, of which each has to come before the next.
    pub(super) fn saw_in_order<const N: usize>(&mut self, expected: [Expected; N]) -> Check {
        let expected = expected.map(|expected| expected.within(&self.tree));
        let deadline = self.profile.deadline();
        let complete =
            self.read_until(deadline, |watcher, _| watcher.first_missing(&expected).is_none())?;
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
        let but = if alone && N > 1 {
            format!("the report that {} came too early", wanted[missing])
        } else {
            let others = self.events().filter(|event| event.path == expected[missing].path);
            let others: Vec<_> = others.map(|event| event.kind.to_string()).collect();
            let others = match others.as_slice() {
                [] => "nothing was reported about that path".into(),
                others => format!("reported about that path was: {}", others.join(", ")),
            };
            match wanted.as_slice() {
                [_] => format!("{others}; {}", self.overdue()),
                _ => format!("{} is missing; {others}; {}", wanted[missing], self.overdue()),
            }
        };
        fail(wanted.join(",\nthen "), but)
    }

    /// The index of the first of `expected` that has not been told after the ones before it.
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
    pub(super) fn never_saw(&mut self, expected: &Expected) -> Check {
        let expected = expected.within(&self.tree);
        let told = self.events().find(|event| tells(&expected, event, &self.profile));
        let told = told.map(|event| event.kind.to_string());
        let described = expected.describe(&self.timeline.show(&expected.path));
        ensure(told.is_none(), format!("never: {described}"), || {
            format!("the backend reported {}", told.unwrap_or_default())
        })
    }

    /// How often the case has been told this.
    pub(super) fn count(&self, expected: &Expected) -> usize {
        let expected = expected.within(&self.tree);
        self.events().filter(|event| tells(&expected, event, &self.profile)).count()
    }

    /// Fails if something was reported in this step that no check has asked for.
    ///
    /// Left aside are accesses, and modifications of folders and of paths that were asked for:
    /// platforms differ in how much they say about those.
    pub(super) fn nothing_else(&self) -> Check {
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
    pub(super) fn poll_once(&mut self, waker: &Waker) -> Check<Poll<Option<Event>>> {
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

    /// Takes what is there without waiting, until there is nothing.
    pub(super) fn drain(&mut self) -> Check {
        while self.poll_once(Waker::noop())?.is_ready() && !self.ended {}
        Ok(())
    }

    /// Fails unless a poll answers `Pending`.
    pub(super) fn is_pending(&mut self) -> Check {
        match self.poll_once(Waker::noop())? {
            Poll::Pending => Ok(()),
            Poll::Ready(None) => fail("Poll::Pending", "the stream has ended"),
            Poll::Ready(Some(event)) => {
                fail("Poll::Pending", format!("it yielded {event:?} with nothing to report"))
            }
        }
    }

    /// Lets the runtime run, without polling the backend, until `flag` is woken or time is up.
    /// Answers whether it was woken.
    pub(super) fn wait_for_wake(&self, flag: &WakeFlag, limit: Duration) -> bool {
        self.runtime.block_on(async {
            let woken = poll_fn(|cx| flag.poll_woken(cx));
            tokio::time::timeout(limit, woken).await.is_ok()
        })
    }

    /// Lets the runtime notice what has arrived, without polling the backend.
    pub(super) fn turn_runtime(&self) {
        // The runtime asks the platform between two turns of a task.
        self.runtime.block_on(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Drops the backend; answers how long that took.
    pub(super) fn close(&mut self) -> Duration {
        let start = Instant::now();
        if let Some(backend) = self.backend.take() {
            let _entered = self.runtime.enter();
            self.timeline.during("drop", || drop(backend));
            self.timeline.note("call", "dropped the backend");
        }
        start.elapsed()
    }

    /// Adds a watch.
    pub(super) fn watch(&mut self, watch: Watch) -> Check<Result<(), BackendError>> {
        let shown = self.timeline.show(&watch.path);
        let added = watch.clone();
        let answer = self.call("watch", |backend| backend.watch(watch))?;
        self.timeline.note("call", format!("watch({shown}): {answer:?}"));
        if answer.is_ok() {
            self.added(&added)?;
        }
        Ok(answer)
    }

    /// Removes a watch.
    pub(super) fn unwatch(&mut self, path: &Path) -> Check<Result<(), BackendError>> {
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
    pub(super) fn call<T>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&mut dyn Backend) -> T,
    ) -> Check<T> {
        let gone = || Stop::Broken("the case uses a backend that it has dropped".into());
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        let backend = self.backend.as_mut().ok_or_else(gone)?;
        Ok(self.timeline.during(name, || call(&mut **backend)))
    }

    /// Makes the changes in `mode`, on another thread where that is part of it, and settles.
    pub(super) fn perform(
        &mut self,
        mode: Mode,
        changes: impl FnOnce(&Tree) -> Check + Send,
    ) -> Check {
        let tree = self.tree.clone();
        self.perform_in(mode, &tree, changes)
    }

    /// As [`perform`](Self::perform), in another tree.
    pub(super) fn perform_in(
        &mut self,
        mode: Mode,
        tree: &Tree,
        changes: impl FnOnce(&Tree) -> Check + Send,
    ) -> Check {
        if mode == Mode::Batched {
            changes(tree)?;
            return self.settle();
        }
        let pace = Pace::default();
        let tree = tree.paced(mode, pace.clone());
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                // Also when the changes panic, or nobody would know that there are no more.
                let _done = Done(&pace);
                changes(&tree)
            });
            let driven = self.drive(&pace);
            pace.set(Changes::Done);
            let panicked = |_| Err(Stop::Broken("the thread that makes changes panicked".into()));
            driven.and(worker.join().unwrap_or_else(panicked))
        })?;
        self.settle()
    }

    /// Reads along while a thread makes changes, and settles whenever it waits for that.
    fn drive(&mut self, pace: &Pace) -> Check {
        loop {
            self.pace = Some(pace.clone());
            let paused = self.read_until(self.profile.deadline() * 4, |_, _| !pace.is_going());
            self.pace = None;
            if !paused? {
                // Nothing is left to be read.
                pace.wait_until(|changes| changes != Changes::Going);
            }
            if pace.is_done() {
                return Ok(());
            }
            self.settle()?;
            pace.set(Changes::Going);
        }
    }

    /// Reads until `told`, or until nothing more can be expected; without a barrier.
    pub(super) fn read_until_told(&mut self, told: impl Fn(&Self) -> bool) -> Check {
        self.read_until(self.profile.deadline(), |watcher, _| told(watcher)).map(drop)
    }

    /// Keeps a picture by the events from now on.
    pub(super) fn keep(&mut self, mirror: Mirror) {
        self.mirror = Some(mirror.reading(Reading::of(&self.profile)));
    }

    /// Fails unless the picture that is kept is what is on disk.
    pub(super) fn mirror_matches_disk(&self) -> Check {
        self.mirror.as_ref().map_or(Ok(()), Mirror::matches_disk)
    }

    /// Fails unless the picture that `other` keeps is the same.
    pub(super) fn mirror_matches(&self, other: &Self) -> Check {
        let Some((own, other)) = self.mirror.as_ref().zip(other.mirror.as_ref()) else {
            return Ok(());
        };
        let differences = own.differences(other);
        ensure(differences.is_empty(), "two backends lead to the same picture", || {
            differences.join("\n")
        })
    }

    /// Every path that was reported as created.
    pub(super) fn created_paths(&self) -> &HashSet<PathBuf> {
        &self.created
    }

    /// Whether a loss was reported.
    pub(super) fn has_missed(&self) -> bool {
        self.missed
    }

    /// Reads until `done`, which is asked at first and after each item, or until `limit` is over.
    /// Answers whether it was done.
    fn read_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self, Option<&StreamItem>) -> bool,
    ) -> Check<bool> {
        if done(self, None) {
            return Ok(true);
        }
        if self.ended {
            return Ok(false);
        }
        let runtime = self.runtime.clone();
        let reading = poll_fn(|cx| self.poll_until(cx, &mut done));
        let timeout = async { tokio::time::timeout(limit, reading).await };
        runtime.block_on(timeout).unwrap_or(Ok(false))
    }

    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        done: &mut impl FnMut(&Self, Option<&StreamItem>) -> bool,
    ) -> Poll<Check<bool>> {
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
    fn poll(&mut self, waker: &Waker) -> Check<Poll<Option<StreamItem>>> {
        let Some(backend) = &mut self.backend else { return Ok(Poll::Ready(None)) };
        let start = Instant::now();
        let mut context = Context::from_waker(waker);
        let polled =
            self.timeline.during("poll_next", || Pin::new(&mut **backend).poll_next(&mut context));
        if start.elapsed() > PROMPT {
            self.slow_polls += 1;
            if self.slow_polls > SLOW_POLLS {
                let slow = format!("{} calls took more than {PROMPT:?}", self.slow_polls);
                return Err(violates(invariants::PROMPT, slow));
            }
        }
        if let Poll::Ready(None) = polled {
            self.check_end(waker)?;
        }
        Ok(polled)
    }

    fn check_end(&mut self, waker: &Waker) -> Check {
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
    fn take_in(&mut self, item: StreamItem) -> Check {
        match item {
            Ok(event) if is_sentinel(&event.path) => Ok(()),
            Ok(event) => {
                self.timeline.reported(&event.to_string());
                let checked = self.guard.check(&event);
                if let Some(mirror) = &mut self.mirror {
                    mirror.told(&event);
                }
                self.missed |= matches!(event.kind, EventKind::Missed(_));
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

    /// Says what is known when time is up: whether something was there that nobody was woken for.
    fn overdue(&mut self) -> String {
        let limit = self.profile.deadline();
        if self.ended {
            return "the stream has ended".into();
        }
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        match self.poll(Waker::noop()) {
            Ok(Poll::Ready(Some(item))) => {
                let item = item.map_or_else(|error| error.to_string(), |event| event.to_string());
                self.timeline.note("late", item);
                format!(
                    "it did not arrive within {limit:?}; but a poll without a wake-up found the item \
                     marked `late`: the waker of the last poll is not woken when something arrives"
                )
            }
            _ => format!("it did not arrive within {limit:?}"),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.close();
    }
}

pub(super) fn is_sentinel(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(SENTINEL.as_bytes()))
}

fn tells(expected: &Expected, event: &Event, profile: &Profile) -> bool {
    // By spelling: as paths, `a//b` and `a/b` are equal.
    expected.path.as_os_str() == event.path.as_os_str() && expected.is_told_by(event, profile)
}

/// A waker that counts.
#[derive(Debug, Default)]
pub(super) struct WakeFlag {
    count: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

impl WakeFlag {
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let flag = Arc::new(Self::default());
        let waker = Waker::from(flag.clone());
        (flag, waker)
    }

    /// How often it was woken.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Notes a wake-up.
    pub(super) fn note(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if let Some(waker) = lock(&self.waiting).take() {
            waker.wake();
        }
    }

    /// Is ready once it was woken.
    pub(super) fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<()> {
        *lock(&self.waiting) = Some(cx.waker().clone());
        if self.count() > 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.note();
    }
}

/// Lets the thread that makes changes and the one that reads wait for each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<(Mutex<Turn>, Condvar)>);

#[derive(Debug, Default)]
struct Turn {
    changes: Changes,
    /// The reader, which is to be woken when that changes.
    reader: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Changes {
    /// The thread makes changes.
    #[default]
    Going,
    /// The thread waits until what it did has been read.
    Waiting,
    /// There are no more changes, and nobody waits for anybody.
    Done,
}

impl Pace {
    /// A change was made: waits until it has been read.
    pub(super) fn changed(&self) {
        if !self.is_done() {
            self.set(Changes::Waiting);
            self.wait_until(|changes| changes != Changes::Waiting);
        }
    }

    fn is_going(&self) -> bool {
        self.turn().changes == Changes::Going
    }

    fn is_done(&self) -> bool {
        self.turn().changes == Changes::Done
    }

    fn set(&self, changes: Changes) {
        let mut turn = self.turn();
        turn.changes = changes;
        let reader = turn.reader.take();
        drop(turn);
        self.0.1.notify_all();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn wait_until(&self, holds: impl Fn(Changes) -> bool) {
        let waiting = self.0.1.wait_while(self.turn(), |turn| !holds(turn.changes));
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    fn wake_reader(&self, reader: &Waker) {
        self.turn().reader = Some(reader.clone());
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        lock(&self.0.0)
    }
}

/// Says at its end that there are no more changes.
struct Done<'a>(&'a Pace);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.set(Changes::Done);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
