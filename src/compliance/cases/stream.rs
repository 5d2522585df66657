//! The stream's contract (STR).

use std::time::Duration;

use crate::{
    capability::Capability::WatchFolders,
    compliance::{
        case::{Case, Group},
        expect::created_file,
        failure::{ensure, fail},
        watcher::WakeFlag,
    },
};

pub(super) const GROUP: Group = Group {
    name: "stream",
    title: "The stream",
    guide: "Being a stream",
    cases: &[PENDING_WHEN_IDLE, WAKES, BURST_WITHOUT_POLLING, DROP_IN_ANY_STATE],
};

const PENDING_WHEN_IDLE: Case = Case {
    id: "STR01",
    name: "pending_when_idle",
    checks: "A poll while nothing happens answers `Pending`.",
    why: "inotify-rs had a test named it_should_return_immediately_if_no_events_are_available.",
    usual_cause: "`WouldBlock` is passed on as an error, or the stream ends for want of events.",
    run: |lab| {
        let mut watcher = lab.watch([lab.anything()?])?;
        watcher.is_pending()?;
        watcher.settle()?;
        // What the barrier itself leaves behind, such as the closing of its file.
        watcher.drain()?;
        watcher.is_pending()
    },
    ..Case::MUST
};

const WAKES: Case = Case {
    id: "STR02",
    name: "wakes",
    needs: &[WatchFolders],
    checks: "After `Pending`, a change wakes the waker, without any further poll.",
    why: "inotify-rs#160: events were read once and the rest was lost for want of a wake-up.",
    usual_cause: "The waker is not stored, or the source's readiness was consumed before `Pending`.",
    run: |lab| {
        let mut watcher = lab.watch([lab.flat()])?;
        for name in ["first", "second", "third"] {
            // Nothing of the change before may be left, or its wake-up would be taken for this one.
            watcher.settle()?;
            watcher.drain()?;
            let (flag, waker) = WakeFlag::new();
            if watcher.poll_once(&waker)?.is_ready() {
                return fail("Poll::Pending", "something was left after everything was read");
            }
            lab.tree.create(name)?;
            let limit = lab.profile.deadline();
            ensure(watcher.wait_for_wake(&flag, limit), "the waker is woken", || {
                format!("it was not, within {limit:?}")
            })?;
            watcher.saw(created_file(name))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const BURST_WITHOUT_POLLING: Case = Case {
    id: "STR04",
    name: "burst_without_polling",
    needs: &[WatchFolders],
    checks: "Of 3000 files made while nobody polls, each is reported, or the loss is.",
    why: "notify#267, inotify-rs#156: one buffer was read for each wake-up, and the rest stayed in \
          the kernel until the next change.",
    usual_cause: "The source is not read until it has nothing more.",
    run: |lab| {
        const FILES: usize = 3000;

        let mut watcher = lab.watch([lab.flat()])?;
        watcher.guard.may_miss = true;
        lab.tree.create_many(FILES)?;
        // Not settled by a barrier: that would be a further change.
        watcher.read_until_told(|watcher| {
            watcher.has_missed() || watcher.created_paths().len() == FILES
        })?;
        let told = watcher.created_paths().len();
        ensure(told == FILES || watcher.has_missed(), format!("{FILES} names, or Missed"), || {
            format!("{told} names were reported, and no Missed")
        })
    },
    ..Case::MUST
};

const DROP_IN_ANY_STATE: Case = Case {
    id: "STR10",
    name: "drop_in_any_state",
    checks: "The backend is dropped within a second right after `new`, when idle, and with events \
             that nobody read.",
    why: "libuv's close_with_pending_event; fsnotify's TestClose; fswatch's stop latency tests.",
    usual_cause: "A thread is joined that waits for an event, or for room in a channel.",
    run: |lab| {
        const LIMIT: Duration = Duration::from_secs(1);

        let watch = lab.anything()?;
        for state in ["right after `new`", "when idle", "with unread events"] {
            let mut watcher = lab.watch([watch.clone()])?;
            match state {
                "when idle" => watcher.settle()?,
                "with unread events" => lab.tree.create_many(100)?,
                _ => {}
            }
            let took = watcher.close();
            ensure(took < LIMIT, format!("`drop` {state} takes less than {LIMIT:?}"), || {
                format!("it took {took:?}")
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};
