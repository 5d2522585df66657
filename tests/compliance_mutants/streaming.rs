//! Mistakes in being a stream.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    sync::{Arc, Mutex},
    task::{Wake, Waker},
    thread,
    time::Duration,
};

use notify_backend::{
    channel::{Receiver, channel},
    prelude::*,
};
use notify_backend_inotify::InotifyBackend;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::{
    kills::{Entry, coalesced_entry, entry},
    mutant::Mutation,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<WouldBlock>("would_block", &["STR01"]),
        entry::<NeverWakes>("never_wakes", &["STR02"]),
        entry::<DeafAfterNeighbour>("deaf_after_neighbour", &["STR19"]),
        entry::<DeafAfterSubfolder>("deaf_after_subfolder", &["STR19"]),
        entry::<DeafAfterManySubfolder>("deaf_after_many_in_subfolder", &["STR19"]),
        entry::<DeafAfterAccess>("deaf_after_access", &["STR19"]),
        entry::<DeafAfterError>("deaf_after_error", &["PERM06"]),
        entry::<DeafAfterLoss>("deaf_after_loss", &["OVF14"]),
        entry::<DeafAfterMany>("deaf_after_many", &["STR20"]),
        entry::<DeafAfterUnwatch>("deaf_after_unwatch", &["CHG20"]),
        entry::<KeepsFirstWaker>("keeps_first_waker", &["STR03"]),
        entry::<LosesRestOfRead>("loses_rest_of_read", &["STR04", "STR05"]),
        entry::<BusyWakes>("busy_wakes", &["STR06", "STR07"]),
        // Merging is no reason to wake up when nothing happens.
        coalesced_entry::<BusyWakes>("busy_wakes_of_coalesced", &["STR06", "STR07"]),
        entry::<RestlessAfterLoss>("restless_after_loss", &["OVF02"]),
        entry::<RestlessAfterError>("restless_after_error", &["REC11"]),
        entry::<RestlessAfterUnmount>("restless_after_unmount", &["ROOT07"]),
        entry::<BlocksInPoll>("blocks_in_poll", &["STR08"]),
        entry::<BlocksBriefly>("blocks_briefly", &["STR08"]),
        entry::<DozesInPoll>("dozes_in_poll", &["STR08"]),
        entry::<BlocksNowAndThen>("blocks_now_and_then", &["STR08"]),
        entry::<ComputesInPoll>("computes_in_poll", &["STR08"]),
        entry::<ForgetsEnd>("forgets_end", &["STR09"]),
        entry::<FailsForEver>("fails_for_ever", &["STR09"]),
        entry::<EndsWithoutAWord>("ends_without_a_word", &["STR09"]),
        entry::<WatchesAfterEnd>("watches_after_end", &["STR09"]),
        entry::<EndsWithLastRoot>("ends_with_last_root", &["ROOT06", "CHG09", "CON04"]),
        entry::<DropsInRuntime>("drops_in_runtime", &["STR18"]),
        entry::<BlocksInDrop>("blocks_in_drop", &["STR10", "STR11"]),
        entry::<KeepsWaker>("keeps_waker", &["STR12"]),
        entry::<LocksWhileWaking>("locks_while_waking", &["STR13"]),
        entry::<LeaksInterruption>("leaks_interruption", &["STR14"]),
        entry::<PromisesTooMuch>("promises_too_much", &["STR16"]),
        entry::<PromisesAnEnd>("promises_an_end", &["STR16"]),
        entry::<Hoards>("hoards", &["OVF05"]),
        entry::<LosesAhead>("loses_ahead", &["OVF01"]),
    ]
}

macro_rules! mutations {
    ($($name:ident)*) => {
        $(#[derive(Debug, Default)] pub(crate) struct $name;)*
    };
}

mutations! {
    WouldBlock NeverWakes BusyWakes BlocksInPoll BlocksBriefly DozesInPoll ComputesInPoll BlocksInDrop
    PromisesTooMuch PromisesAnEnd LocksWhileWaking WatchesAfterEnd DropsInRuntime
}

type Polled = Poll<Option<StreamItem>>;

/// Passes on the platform's error for an empty queue.
impl Mutation for WouldBlock {
    fn answer(&mut self, answer: Polled, _: &mut Context<'_>) -> Polled {
        match answer {
            Poll::Pending => {
                let error = io::ErrorKind::WouldBlock.into();
                Poll::Ready(Some(Err(StreamError::read(error))))
            }
            answer @ Poll::Ready(_) => answer,
        }
    }
}

impl Mutation for NeverWakes {
    fn poll(&mut self, inner: &mut InotifyBackend, _: &mut Context<'_>) -> Polled {
        Pin::new(inner).poll_next(&mut Context::from_waker(Waker::noop()))
    }
}

/// Reads one event, and waits without storing the waker if it is not reported.
fn read_one(
    inner: &mut InotifyBackend,
    cx: &mut Context<'_>,
    is_reported: impl Fn(&Event) -> bool,
) -> Polled {
    match Pin::new(inner).poll_next(cx) {
        Poll::Ready(Some(Ok(event))) if !is_reported(&event) => Poll::Pending,
        polled => polled,
    }
}

/// Watches the folder of a file, and gets stuck after an event of another file in it.
#[derive(Debug, Default)]
pub(crate) struct DeafAfterNeighbour {
    files: Vec<PathBuf>,
}
impl Mutation for DeafAfterNeighbour {
    fn new(mut watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let mut files = vec![];
        for watch in &mut watches {
            let folder = watch.path.parent().map(PathBuf::from);
            if let (true, Some(folder)) = (watch.path.is_file(), folder) {
                files.push(std::mem::replace(&mut watch.path, folder));
            }
        }
        Ok((InotifyBackend::new(watches)?, Self { files }))
    }
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        read_one(inner, cx, |event| {
            let is_beside = |file: &PathBuf| file.parent() == event.path.parent();
            !self.files.iter().any(is_beside) || self.files.contains(&event.path)
        })
    }
}

/// Also watches below a subfolder, and gets stuck after an event there, which no watch asks for.
#[derive(Debug, Default)]
pub(crate) struct DeafAfterSubfolder {
    flat: Vec<PathBuf>,
}
impl Mutation for DeafAfterSubfolder {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let flat = watches.iter().filter(|watch| !watch.recursive);
        let flat = flat.map(|watch| watch.path.clone()).collect();
        let deep = watches.into_iter().map(|mut watch| {
            watch.recursive = true;
            watch
        });
        Ok((InotifyBackend::new(deep.collect())?, Self { flat }))
    }
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        read_one(inner, cx, |event| self.is_reported(event))
    }
}
impl DeafAfterSubfolder {
    fn is_reported(&self, event: &Event) -> bool {
        let depth = |root| Some(event.path.strip_prefix(root).ok()?.components().count());
        !self.flat.iter().any(|root| depth(root).is_some_and(|depth| depth > 1))
    }
}

/// The same, but reads on for some events, and then returns `Pending` without storing the waker.
#[derive(Debug, Default)]
pub(crate) struct DeafAfterManySubfolder(DeafAfterSubfolder);
impl Mutation for DeafAfterManySubfolder {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let (inner, deaf) = DeafAfterSubfolder::new(watches)?;
        Ok((inner, Self(deaf)))
    }
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        const STEPS: usize = 64;

        for _ in 0..STEPS {
            let is_left_out = std::cell::Cell::new(false);
            let polled = read_one(inner, cx, |event| {
                let is_reported = self.0.is_reported(event);
                is_left_out.set(!is_reported);
                is_reported
            });
            if !is_left_out.get() {
                return polled;
            }
        }
        Poll::Pending
    }
}

/// Also receives accesses, and gets stuck after each.
#[derive(Debug, Default)]
pub(crate) struct DeafAfterAccess;
impl Mutation for DeafAfterAccess {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let watches = watches.into_iter().map(Watch::with_access).collect();
        Ok((InotifyBackend::new(watches)?, Self))
    }
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        read_one(inner, cx, |event| !matches!(event.kind, EventKind::Access(_)))
    }
}

/// Mutations that wait once without storing the waker, after the last report.
macro_rules! deaf_after {
    ($($name:ident = |$item:ident, $count:ident| $is_last:expr;)*) => {
        $(
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                count: usize,
                is_deaf: bool,
            }
            impl Mutation for $name {
                fn report(&mut self, $item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    self.count += 1;
                    let $count = self.count;
                    self.is_deaf = $is_last;
                    reported.push_back($item);
                }
                fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
                    if std::mem::take(&mut self.is_deaf) {
                        return Poll::Pending;
                    }
                    Pin::new(inner).poll_next(cx)
                }
            }
        )*
    };
}

deaf_after! {
    DeafAfterError = |item, _count| item.is_err();
    DeafAfterLoss =
        |item, _count| item.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Missed(_)));
    DeafAfterMany = |item, count| count.is_multiple_of(1000);
}

/// Returns `Pending` once after `unwatch`, without storing the waker.
#[derive(Debug, Default)]
pub(crate) struct DeafAfterUnwatch {
    is_deaf: bool,
}
impl Mutation for DeafAfterUnwatch {
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        self.is_deaf = true;
        inner.unwatch(path)
    }
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        if std::mem::take(&mut self.is_deaf) {
            return Poll::Pending;
        }
        Pin::new(inner).poll_next(cx)
    }
}

#[derive(Debug, Default)]
pub(crate) struct KeepsFirstWaker {
    first: Option<Waker>,
}
impl Mutation for KeepsFirstWaker {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        let first = self.first.get_or_insert_with(|| cx.waker().clone()).clone();
        let polled = Pin::new(inner).poll_next(&mut Context::from_waker(&first));
        if polled.is_ready() {
            self.first = None;
        }
        polled
    }
}

/// Yields some of the events that it has read, and keeps the rest until the next change.
#[derive(Debug, Default)]
pub(crate) struct LosesRestOfRead {
    handed_over: usize,
}
impl Mutation for LosesRestOfRead {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        if self.handed_over >= 3 {
            return Poll::Pending;
        }
        self.handed_over += 1;
        Pin::new(inner).poll_next(cx)
    }
}

impl Mutation for BusyWakes {
    fn answer(&mut self, answer: Polled, cx: &mut Context<'_>) -> Polled {
        if answer.is_pending() {
            cx.waker().wake_by_ref();
        }
        answer
    }
}

/// Mutations that wake themselves forever, after the last report.
macro_rules! restless {
    ($($name:ident = |$item:ident| $is_last:expr;)*) => {
        $(
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                is_restless: bool,
            }
            impl Mutation for $name {
                fn report(&mut self, $item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    self.is_restless |= $is_last;
                    reported.push_back($item);
                }
                fn answer(&mut self, answer: Polled, cx: &mut Context<'_>) -> Polled {
                    if answer.is_pending() && self.is_restless {
                        cx.waker().wake_by_ref();
                    }
                    answer
                }
            }
        )*
    };
}

restless! {
    RestlessAfterLoss =
        |item| item.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Missed(_)));
    RestlessAfterError = |item| item.is_err();
    RestlessAfterUnmount = |item| item.as_ref().is_ok_and(|event| event.path.ends_with("mount"));
}

impl Mutation for BlocksInPoll {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        thread::sleep(Duration::from_millis(200));
        Pin::new(inner).poll_next(cx)
    }
}

impl Mutation for BlocksBriefly {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        thread::sleep(Duration::from_millis(5));
        Pin::new(inner).poll_next(cx)
    }
}

impl Mutation for DozesInPoll {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        thread::sleep(Duration::from_nanos(1));
        Pin::new(inner).poll_next(cx)
    }
}

#[derive(Debug, Default)]
pub(crate) struct BlocksNowAndThen {
    polls: usize,
}
impl Mutation for BlocksNowAndThen {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        self.polls += 1;
        if self.polls.is_multiple_of(50) {
            thread::sleep(Duration::from_millis(200));
        }
        Pin::new(inner).poll_next(cx)
    }
}

/// Works for 20 ms of processor time in each poll, however long that takes.
impl Mutation for ComputesInPoll {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        let used = || clock_gettime(ClockId::ThreadCPUTime);
        let start = used();
        while used() - start < Timespec::try_from(Duration::from_millis(20)).expect("in range") {}
        Pin::new(inner).poll_next(cx)
    }
}

#[derive(Debug, Default)]
pub(crate) struct ForgetsEnd {
    has_ended: bool,
}
impl Mutation for ForgetsEnd {
    fn answer(&mut self, answer: Polled, _: &mut Context<'_>) -> Polled {
        match answer {
            Poll::Ready(None) if self.has_ended => Poll::Pending,
            answer => {
                self.has_ended = matches!(answer, Poll::Ready(None));
                answer
            }
        }
    }
}

/// Reports a failed read at each poll.
#[derive(Debug, Default)]
pub(crate) struct FailsForEver {
    has_failed: bool,
}
impl Mutation for FailsForEver {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        if self.has_failed {
            return Poll::Ready(Some(Err(StreamError::read(io::ErrorKind::Other.into()))));
        }
        let polled = Pin::new(inner).poll_next(cx);
        self.has_failed = matches!(polled, Poll::Ready(Some(Err(StreamError::Read { .. }))));
        polled
    }
}

/// Ends the stream if reading fails, without an error.
#[derive(Debug, Default)]
pub(crate) struct EndsWithoutAWord {
    has_failed: bool,
}
impl Mutation for EndsWithoutAWord {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        self.has_failed |= matches!(item, Err(StreamError::Read { .. }));
        if !self.has_failed {
            reported.push_back(item);
        }
    }
}

/// Accepts watches that will never report anything.
impl Mutation for WatchesAfterEnd {
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        match inner.watch(watch) {
            Err(BackendError::Ended { .. }) => Ok(()),
            answer => answer,
        }
    }
}

/// Ends when all watched folders are gone, although more can be added.
#[derive(Debug, Default)]
pub(crate) struct EndsWithLastRoot {
    roots: Vec<PathBuf>,
}
impl Mutation for EndsWithLastRoot {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let roots = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { roots }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &item
            && let EventKind::Remove(_) = event.kind
        {
            self.roots.retain(|root| *root != event.path);
        }
        reported.push_back(item);
    }
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        if self.roots.is_empty() { Poll::Ready(None) } else { Pin::new(inner).poll_next(cx) }
    }
}

/// Leaves the cleanup to a task.
impl Mutation for DropsInRuntime {}
impl Drop for DropsInRuntime {
    fn drop(&mut self) {
        tokio::spawn(async {});
    }
}

impl Mutation for BlocksInDrop {}
impl Drop for BlocksInDrop {
    fn drop(&mut self) {
        thread::sleep(Duration::from_millis(1200));
    }
}

/// Never drops the waker.
#[derive(Debug, Default)]
pub(crate) struct KeepsWaker;
impl Mutation for KeepsWaker {
    fn answer(&mut self, answer: Polled, cx: &mut Context<'_>) -> Polled {
        static WAKERS: Mutex<Vec<Waker>> = Mutex::new(Vec::new());
        WAKERS.lock().expect("no thread panics").push(cx.waker().clone());
        answer
    }
}

/// Wakes while it holds a lock that its drop needs.
static BOOKS: Mutex<()> = Mutex::new(());
struct Locking(Waker);
impl Wake for Locking {
    fn wake(self: Arc<Self>) {
        let _held = BOOKS.lock();
        self.0.wake_by_ref();
    }
}
impl Mutation for LocksWhileWaking {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        let waker = Waker::from(Arc::new(Locking(cx.waker().clone())));
        Pin::new(inner).poll_next(&mut Context::from_waker(&waker))
    }
}
impl Drop for LocksWhileWaking {
    fn drop(&mut self) {
        // Instead of waiting forever.
        assert!(BOOKS.try_lock().is_ok(), "a deadlock");
    }
}

/// Reports an interrupted call as an error, once.
#[derive(Debug, Default)]
pub(crate) struct LeaksInterruption {
    polls: usize,
}
impl Mutation for LeaksInterruption {
    fn answer(&mut self, answer: Polled, _: &mut Context<'_>) -> Polled {
        self.polls += 1;
        if self.polls == 50 {
            let error = io::ErrorKind::Interrupted.into();
            return Poll::Ready(Some(Err(StreamError::read(error))));
        }
        answer
    }
}

impl Mutation for PromisesTooMuch {
    fn size_hint(&self) -> (usize, Option<usize>) {
        (1_000_000, None)
    }
}

/// Gives the number of buffered items as the upper bound.
impl Mutation for PromisesAnEnd {
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(64))
    }
}

/// Reads everything at once into a queue without a limit.
#[derive(Debug, Default)]
pub(crate) struct Hoards {
    queue: VecDeque<(StreamItem, [u8; 800])>,
}
impl Mutation for Hoards {
    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        loop {
            match Pin::new(&mut *inner).poll_next(cx) {
                Poll::Ready(Some(item)) => self.queue.push_back((item, [1; 800])),
                Poll::Ready(None) if self.queue.is_empty() => return Poll::Ready(None),
                _ => break,
            }
        }
        self.queue.pop_front().map_or(Poll::Pending, |(item, _)| Poll::Ready(Some(item)))
    }
}

/// Reads ahead in its own thread, as backends do if their platform blocks. Its buffer holds more than the kernel's
/// queue, and events that do not fit are lost without a report.
#[derive(Debug, Default)]
pub(crate) struct LosesAhead {
    ahead: Option<Receiver>,
}
impl Mutation for LosesAhead {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        const ROOM: usize = 50_000;
        const LOOK_WHETHER_CLOSED: Duration = Duration::from_millis(20);

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| BackendError::unavailable(error.to_string()))?;
        let entered = runtime.enter();
        let mut source = InotifyBackend::new(watches)?;
        drop(entered);
        let (sender, ahead) = channel(ROOM);
        thread::spawn(move || {
            runtime.block_on(async {
                while !sender.is_closed() {
                    let next = poll_fn(|cx| Pin::new(&mut source).poll_next(cx));
                    match tokio::time::timeout(LOOK_WHETHER_CLOSED, next).await {
                        Ok(Some(Ok(event))) => sender.send(event),
                        Ok(Some(Err(error))) => sender.send_error(error),
                        Ok(None) => break,
                        Err(_nothing_came) => {}
                    }
                }
            });
        });
        Ok((InotifyBackend::new(Vec::new())?, Self { ahead: Some(ahead) }))
    }

    fn poll(&mut self, inner: &mut InotifyBackend, cx: &mut Context<'_>) -> Polled {
        let Some(ahead) = &mut self.ahead else { return Pin::new(inner).poll_next(cx) };
        loop {
            match Pin::new(&mut *ahead).poll_next(cx) {
                Poll::Ready(Some(Ok(Event { kind: EventKind::Missed(_), .. }))) => {}
                polled => return polled,
            }
        }
    }
}
