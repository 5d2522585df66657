//! How long a call takes by itself, however busy the machine is: [`Stopwatch`].
//!
//! A busy machine makes each call take longer. Where the system tells how long a thread could have run and
//! did not get a processor, that time is left out. So a call that blocks or computes for too long can be
//! distinguished from one that was interrupted.
//!
//! On a busy machine, Linux 6.18 was seen to count all of an 11 s sleep as such waiting, once in about five
//! times; the scheduler has left sleeping threads in its queue for a while since 6.12. So a call that sleeps
//! may pass there. One that computes does not, and none is blamed for it.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

/// Measures calls of one thread.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    own: Option<Scheduler>,
    /// The other threads of this process. One that waits for a processor may hold what the call
    /// waits for.
    others: RefCell<Vec<Scheduler>>,
}

/// How long a call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The call's own time, in which it computed or was blocked; all the time that passed where the
    /// system does not tell the difference.
    pub(crate) own: Duration,
    /// The part of it in which it computed, if the system tells that.
    pub(crate) computed: Option<Duration>,
}

/// A call that takes longer than this by itself is a reason to look for threads that are new.
const SUSPICIOUS: Duration = Duration::from_millis(5);

impl Stopwatch {
    /// Creates a stopwatch for calls of this thread.
    pub(crate) fn new() -> Self {
        Self { own: Scheduler::of_this_thread(), others: RefCell::default() }
    }

    /// Returns whether it distinguishes a call that takes long from one that was interrupted.
    pub(crate) fn is_exact(&self) -> bool {
        self.own.is_some()
    }

    /// Notes the other threads that this process has now.
    pub(crate) fn look_for_threads(&self) {
        if self.is_exact() {
            *self.others.borrow_mut() = Scheduler::of_other_threads();
        }
    }

    /// Makes `call`, and measures it.
    pub(crate) fn time<T>(&self, call: impl FnOnce() -> T) -> (T, Taken) {
        let Some(own) = &self.own else {
            let start = Instant::now();
            let value = call();
            return (value, Taken { own: start.elapsed(), computed: None });
        };
        let read_others = || self.others.borrow().iter().map(Scheduler::read).collect::<Vec<_>>();
        let (others_before, before) = (read_others(), own.read());
        let start = Instant::now();
        let value = call();
        let passed = start.elapsed();
        let (after, others_after) = (own.read(), read_others());
        let both = others_before.iter().zip(&others_after);
        let waits = both.filter_map(|(before, after)| {
            Some(after.as_ref()?.waited.saturating_sub(before.as_ref()?.waited))
        });
        let excused = waits.max().unwrap_or_default();
        let taken = match before.zip(after) {
            Some((before, after)) => after.since(&before, passed, excused),
            None => Taken { own: passed, computed: None },
        };
        if taken.own > SUSPICIOUS {
            self.look_for_threads();
        }
        (value, taken)
    }
}

/// What the system says of a thread at some moment.
#[derive(Debug)]
struct Scheduled {
    /// How long it has run on a processor.
    ran: Duration,
    /// How long it could have run and got no processor.
    waited: Duration,
    /// How often it got a processor.
    turns: u64,
}

impl Scheduled {
    /// Returns what was taken since `before` out of the time that `passed`, of which `excused` may have
    /// been spent waiting for another thread that got no processor.
    fn since(&self, before: &Self, passed: Duration, excused: Duration) -> Taken {
        let ran = self.ran.saturating_sub(before.ran);
        let waited = self.waited.saturating_sub(before.waited) + excused;
        // A thread that got no further turn never left its processor: the rest of the time is what
        // the host of a virtual machine took.
        let has_left = self.turns != before.turns;
        let own = if has_left { passed.saturating_sub(waited).max(ran) } else { ran };
        Taken { own, computed: Some(ran) }
    }
}

#[cfg(target_os = "linux")]
use linux::Scheduler;

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs::{self, File},
        os::unix::fs::FileExt as _,
        path::Path,
        str,
        time::Duration,
    };

    use rustix::{
        thread::gettid,
        time::{ClockId, clock_gettime},
    };

    use super::Scheduled;

    /// The scheduler's file about a thread, see the kernel's `Documentation/scheduler/sched-stats.rst`.
    #[derive(Debug)]
    pub(crate) struct Scheduler {
        file: File,
        is_this_thread: bool,
    }

    impl Scheduler {
        /// Returns `None` if the kernel does not count these times.
        pub(crate) fn of_this_thread() -> Option<Self> {
            let file = File::open("/proc/thread-self/schedstat").ok()?;
            let scheduler = Self { file, is_this_thread: true };
            // A kernel that does not count says zero.
            (scheduler.read()?.turns > 0).then_some(scheduler)
        }

        pub(crate) fn of_other_threads() -> Vec<Self> {
            let this = gettid().as_raw_nonzero().to_string();
            let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            let others = threads.filter(|thread| thread.file_name() != *this);
            let open = |path: &Path| File::open(path.join("schedstat"));
            let files = others.filter_map(|thread| open(&thread.path()).ok());
            files.map(|file| Self { file, is_this_thread: false }).collect()
        }

        /// Returns `None` once the thread is gone.
        pub(crate) fn read(&self) -> Option<Scheduled> {
            let mut text = [0; 80];
            let length = self.file.read_at(&mut text, 0).ok()?;
            let mut fields = str::from_utf8(&text[..length]).ok()?.split_ascii_whitespace();
            let mut nanos = || Some(Duration::from_nanos(fields.next()?.parse().ok()?));
            let (mut ran, waited) = (nanos()?, nanos()?);
            let turns = fields.next()?.parse().ok()?;
            if self.is_this_thread {
                // The file's figure may be as old as the last tick.
                let now = clock_gettime(ClockId::ThreadCPUTime);
                ran = Duration::new(now.tv_sec.try_into().ok()?, now.tv_nsec.try_into().ok()?);
            }
            Some(Scheduled { ran, waited, turns })
        }
    }
}

#[cfg(not(target_os = "linux"))]
use elsewhere::Scheduler;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Scheduled;

    /// There is none: only Linux tells how long a thread waits for a processor.
    #[derive(Debug)]
    pub(crate) enum Scheduler {}

    impl Scheduler {
        pub(crate) fn of_this_thread() -> Option<Self> {
            None
        }

        pub(crate) fn of_other_threads() -> Vec<Self> {
            Vec::new()
        }

        pub(crate) fn read(&self) -> Option<Scheduled> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Returns the own time, of 100 ms, of a thread that ran, waited and got turns as given.
    fn of_100_ms(ran: u64, waited: u64, turns: u64, excused: u64) -> u128 {
        let before = Scheduled { ran: millis(7), waited: millis(7), turns: 7 };
        let after = Scheduled {
            ran: before.ran + millis(ran),
            waited: before.waited + millis(waited),
            turns: before.turns + turns,
        };
        let taken = after.since(&before, millis(100), millis(excused));
        assert_eq!(taken.computed, Some(millis(ran)));
        taken.own.as_millis()
    }

    #[test]
    fn interrupted() {
        assert_eq!(of_100_ms(2, 98, 1, 0), 2);
    }

    #[test]
    fn blocked() {
        assert_eq!(of_100_ms(2, 0, 1, 0), 100);
    }

    #[test]
    fn blocked_and_then_kept_waiting() {
        assert_eq!(of_100_ms(2, 60, 1, 0), 40);
    }

    #[test]
    fn blocked_by_a_thread_that_got_no_processor() {
        assert_eq!(of_100_ms(2, 20, 2, 78), 2);
    }

    /// A virtual machine that its host has stopped.
    #[test]
    fn never_off_the_processor() {
        assert_eq!(of_100_ms(2, 0, 0, 0), 2);
    }

    #[test]
    fn computing() {
        assert_eq!(of_100_ms(100, 0, 0, 0), 100);
        assert_eq!(of_100_ms(90, 30, 3, 0), 90);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_sleep_is_the_calls_own_time() {
        let stopwatch = Stopwatch::new();
        if !stopwatch.is_exact() {
            return;
        }
        let ((), taken) = stopwatch.time(|| std::thread::sleep(millis(20)));
        assert!(taken.own >= millis(15), "{taken:?}");
        assert!(taken.computed < Some(millis(15)), "{taken:?}");
    }
}
