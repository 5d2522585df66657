//! Waits until everything is reported that was changed before: barriers.

use std::{
    path::Path,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use super::Driver;
use crate::{
    compliance::rules::failure::{Step, overdue},
    contract::{
        backend::StreamItem,
        event::{Event, EventKind},
    },
};

/// How much longer to wait for what should have been reported before the barrier.
const GRACE: Duration = Duration::from_millis(250);
/// The same on a busy machine: how many times as long as the slowest barrier took.
const GRACE_BARRIERS: u32 = 20;

impl Driver {
    /// Reads until everything that was changed before has been reported.
    pub(crate) fn settle(&mut self) -> Step {
        self.settle_in::<&Path>(&[])
    }

    /// As [`settle`](Self::settle), and then the same in these folders: that a barrier in a root was
    /// seen does not prove that folders found late have been looked at.
    pub(crate) fn settle_in<P: AsRef<Path>>(&mut self, folders: &[P]) -> Step {
        // The reports of one look of a sampling backend at one folder prove nothing about the others; once a
        // file that was made after it is reported, the whole look before is over.
        let rounds = if self.profile.coalesced { 3 } else { 1 };
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

    /// Makes a change in each watched place, and in `folder`, and reads until all of them are reported.
    pub(super) fn barrier(&mut self, folder: Option<&Path>) -> Step {
        let changes = self.timeline.changes();
        let all = self.sentinels.touch(&self.timeline, folder)?;
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
        let is_reported = self.read_until(limit, |_, item| {
            let (left, lost) = strike(item);
            left < all.len() || lost || all.is_empty()
        })?;
        if is_reported {
            self.slowest_barrier = self.slowest_barrier.max(start.elapsed());
            // The changes of the others are as old. One look may have been at their places before that.
            limits = if self.profile.coalesced { limit } else { self.grace() };
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
            self.meters.measurements.count_barrier(is_reported);
        }
        if waited.is_empty() {
            self.timeline.note("settled", "everything before this has been reported");
            self.settled = (!all.is_empty()).then_some(changes);
            return Ok(());
        }
        let late: Vec<_> = waited.iter().map(|path| self.timeline.show(path)).collect();
        let is_awaited =
            |item: &StreamItem| waited.first().is_some_and(|path| is_about(item, path));
        let but = self.overdue(is_reported, limits, is_awaited)?;
        overdue(format!("the file {}, just made or written, is reported", late.join(", ")), but)
    }

    /// Reads until a loss is reported, and no further, or else until everything changed before is. Returns
    /// whether a loss was reported.
    pub(crate) fn read_to_loss(&mut self) -> Step<bool> {
        let mut waited = self.sentinels.touch(&self.timeline, None)?;
        self.read_until(self.profile.deadline(), |_, item| {
            waited.retain(|path| !item.is_some_and(|item| is_about(item, path)));
            let is_loss = matches!(item, Some(Ok(Event { kind: EventKind::Missed(_), .. })));
            is_loss || waited.is_empty()
        })?;
        Ok(self.has_missed())
    }

    /// Returns how much longer to wait for what is older than something that has been reported.
    pub(super) fn grace(&self) -> Duration {
        let grace = GRACE.max(self.slowest_barrier * GRACE_BARRIERS);
        (grace + self.profile.latency * 4).min(self.profile.deadline())
    }

    /// Returns whether a change that was made after all others has been reported.
    pub(super) fn is_settled(&self) -> bool {
        self.settled == Some(self.timeline.changes())
    }

    /// Returns what is known of an item that has not come within `limit`, although a later change was
    /// reported if `is_settled`: whether it was there, but the task was not woken for it.
    pub(super) fn overdue(
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
        self.sentinels.touch(&self.timeline, None)?;
        let limit = self.grace();
        let came = self.read_until(limit, |_, item| item.is_some_and(&is_awaited))?;
        Ok(if came {
            format!("{late}, but with the next change: a wake-up was lost")
        } else {
            late
        })
    }
}

/// Returns whether the item reports a change of `path`.
fn is_about(item: &StreamItem, path: &Path) -> bool {
    // By spelling: as paths, `a//b` and `a/b` are equal.
    item.as_ref().is_ok_and(|event| {
        !matches!(event.kind, EventKind::Access(_)) && event.path.as_os_str() == path.as_os_str()
    })
}
