//! Polls the backend in every way in which a program may, and checks how it behaves.

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::{Driver, Seen};
use crate::{
    compliance::{
        rules::{
            expect::Expected,
            failure::{Step, ensure, fail, violates},
            invariants,
            usage::ResourceUsage,
        },
        scene::{sentinel::is_sentinel, wake_flag::WakeFlag},
    },
    contract::{
        backend::StreamItem,
        event::{Event, EventKind},
    },
};

impl Driver {
    /// Polls once, and returns what comes.
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

    /// Polls until there is nothing more; returns the flag that the waker of the last poll sets.
    pub(crate) fn rest(&mut self) -> Step<Arc<WakeFlag>> {
        loop {
            let (flag, waker) = WakeFlag::new();
            if self.poll_once(&waker)?.is_pending() || self.ended {
                return Ok(flag);
            }
        }
    }

    /// Reads as a task does, which is polled only when it was woken: `flag` comes from [`rest`](Self::rest),
    /// and is replaced by the next one. Returns whether `reported` held in time.
    pub(crate) fn read_when_woken(
        &mut self,
        flag: &mut Arc<WakeFlag>,
        reported: impl Fn(&Self) -> bool,
    ) -> Step<bool> {
        let (start, limit) = (Instant::now(), self.profile.deadline());
        while !reported(self) {
            let is_over = self.ended || start.elapsed() > limit * 3;
            if is_over || !self.wait_for_wake(flag, limit) {
                return Ok(false);
            }
            *flag = self.rest()?;
        }
        Ok(true)
    }

    /// As [`read_when_woken`](Self::read_when_woken), until `expected` is reported; fails with `what` if not.
    pub(crate) fn saw_when_woken(
        &mut self,
        flag: &mut Arc<WakeFlag>,
        expected: &Expected,
        what: impl Into<String>,
    ) -> Step {
        let reported = self.read_when_woken(flag, |driver| driver.count(expected) > 0)?;
        ensure(reported, what, || "the task was not woken for it".into())
    }

    /// Reads until `reported`, or until nothing more can be expected; without a barrier.
    pub(crate) fn read_until_reported(&mut self, reported: impl Fn(&Self) -> bool) -> Step {
        self.read_until(self.profile.deadline(), |driver, _| reported(driver)).map(drop)
    }

    /// Polls so many times, and returns the median of the times that the calls took by themselves, and that
    /// of the parts in which they were blocked, where the system tells these.
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

    /// Reads until `done`, which is asked at first and after each item, or until nothing has come for
    /// as long as `limit`. Returns whether it was done. Where the system tells, time does not count in which a thread
    /// of this process could have run and got no processor: a busy machine makes no backend late.
    pub(super) fn read_until(
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
        self.polls_twice = !self.polls_twice;
        let runtime = self.runtime.clone();
        runtime.block_on(async {
            let start = tokio::time::Instant::now();
            // Not for ever, if the awaited item never comes.
            let longest = start + limit * 3;
            let mut over = pin!(tokio::time::sleep_until(start + limit));
            let (mut items, mut waited) = (self.items, ResourceUsage::waited());
            poll_fn(|cx| {
                if let Poll::Ready(done) = self.poll_until(cx, &mut done) {
                    return Poll::Ready(done);
                }
                if self.items != items {
                    items = self.items;
                    let then = tokio::time::Instant::now() + limit;
                    over.as_mut().reset(then.min(longest));
                }
                while over.as_mut().poll(cx).is_ready() {
                    let excused = ResourceUsage::waited().saturating_sub(waited);
                    waited += excused;
                    let then = (over.deadline() + excused).min(longest);
                    if then <= tokio::time::Instant::now() {
                        return Poll::Ready(Ok(false));
                    }
                    over.as_mut().reset(then);
                }
                Poll::Pending
            })
            .await
        })
    }

    pub(super) fn poll_until(
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
            // Sometimes first with a waker that leads nowhere: only the last one counts, so a backend that
            // keeps the first is stuck now. And sometimes once, as a task polls: a second poll would help a
            // backend that has forgotten to register the waker.
            let polled = if self.polls_twice {
                match self.poll(Waker::noop()) {
                    Ok(Poll::Pending) => self.poll(cx.waker()),
                    other => other,
                }
            } else {
                self.poll(cx.waker())
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

    /// Polls the backend, and checks how it behaves.
    pub(super) fn poll(&mut self, waker: &Waker) -> Step<Poll<Option<StreamItem>>> {
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

    pub(super) fn check_end(&mut self, waker: &Waker) -> Step {
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
    pub(super) fn take_in(&mut self, item: StreamItem) -> Step {
        self.items += 1;
        match item {
            Ok(event) if is_sentinel(&event.path) => Ok(()),
            Ok(event) => {
                self.timeline.reported(&event.to_string());
                let checked = self.guard.check(&event);
                if let Some(consumer) = &mut self.consumer {
                    consumer.take_in(&event);
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
}
