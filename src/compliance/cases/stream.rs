//! The stream's contract (STR).

use std::{
    fs,
    future::poll_fn,
    pin::Pin,
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use futures_core::Stream;
use tokio::runtime::Builder;

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{created_file, removed_folder, written},
            failure::{Step, Stop, ensure, fail},
            usage::ResourceUsage,
        },
        scene::{Scene, driver::Driver, environment::Environment, tree::Tree, wake_flag::WakeFlag},
    },
    contract::{
        backend::{Backend, Watch},
        capability::Capability::{ChangeWatches, WatchFiles, WatchFolders, WatchRecursively},
        error::BackendError,
    },
};

pub(super) const GROUP: Group = Group {
    name: "stream",
    title: "The stream",
    guide: "Being a stream",
    cases: &[
        PENDING_WHEN_IDLE,
        WAKES,
        LAST_WAKER,
        BURST_WITHOUT_POLLING,
        ITEM_BY_ITEM,
        IDLE_COSTS_NOTHING,
        QUIET_AFTER_STORM,
        PROMPT_UNDER_LOAD,
        ENDS_FOR_EVER,
        DROP_IN_ANY_STATE,
        DROP_AMID_CHANGES,
        NOT_WOKEN_AFTER_DROP,
        DROP_INSIDE_WAKER,
        INTERRUPTED,
        CLOSED_ON_EXEC,
        SIZE_HINT,
        MANY_AT_ONCE,
        DROPPED_OUTSIDE,
        WOKEN_AFTER_NOTHING,
        WOKEN_AFTER_MANY,
    ],
};

const PENDING_WHEN_IDLE: Case = Case {
    id: "STR01",
    name: "pending_when_idle",
    checks: "A poll while nothing happens returns `Pending`.",
    why: "inotify-rs had a test named it_should_return_immediately_if_no_events_are_available.",
    usual_cause: "`WouldBlock` is passed on as an error, or the stream ends because there are no events.",
    run: |scene| {
        let mut driver = scene.watch([scene.anything()?])?;
        driver.is_pending()?;
        driver.settle()?;
        // What the barrier itself leaves behind, such as the closing of its file.
        driver.drain()?;
        driver.is_pending()
    },
    ..Case::MUST
};

const WAKES: Case = Case {
    id: "STR02",
    name: "wakes",
    needs: &[WatchFolders],
    checks: "After `Pending`, a change wakes the waker, without any further poll.",
    why: "inotify-rs#160: events were read once, and the rest was lost because the task was never \
          woken.",
    usual_cause: "The waker is not stored, or the source's readiness was consumed before `Pending`.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        for name in ["first", "second", "third"] {
            // Nothing of the change before may be left, or its wake-up would be mistaken for this one.
            driver.settle()?;
            driver.drain()?;
            let (flag, waker) = WakeFlag::new();
            if driver.poll_once(&waker)?.is_ready() {
                return fail("Poll::Pending", "something was left after everything was read");
            }
            scene.tree.create(name)?;
            let limit = scene.profile.deadline();
            ensure(driver.wait_for_wake(&flag, limit), "the waker is woken", || {
                format!("it was not, within {limit:?}")
            })?;
            driver.saw(created_file(name))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const LAST_WAKER: Case = Case {
    id: "STR03",
    name: "last_waker",
    needs: &[WatchFolders],
    checks: "After several polls that returned `Pending`, the waker of the last one is woken.",
    why: "The contract of streams; a stream that moves to another task gets another waker.",
    usual_cause: "The first waker is kept; store the waker of each poll.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        driver.drain()?;
        let (_, first) = WakeFlag::new();
        let (last, waker) = WakeFlag::new();
        for waker in [&first, &waker] {
            if driver.poll_once(waker)?.is_ready() {
                return fail("Poll::Pending", "an item, while nothing happened");
            }
        }
        scene.tree.create("new")?;
        let limit = scene.profile.deadline();
        ensure(driver.wait_for_wake(&last, limit), "the last waker is woken", || {
            format!("it was not, within {limit:?}")
        })
    },
    ..Case::MUST
};

const BURST_WITHOUT_POLLING: Case = Case {
    id: "STR04",
    name: "burst_without_polling",
    needs: &[WatchFolders],
    checks: "Each of 3000 files made while the backend is not polled is reported, or a loss is.",
    why: "notify#267, inotify-rs#156: one buffer was read per wake-up, and the rest stayed in the \
          kernel until the next change.",
    usual_cause: "The source is not read until it is empty.",
    run: |scene| {
        const FILES: usize = 3000;

        let mut driver = scene.watch([scene.flat()])?;
        driver.guard.may_miss = true;
        scene.tree.create_many(FILES)?;
        // Not settled by a barrier: that would be a further change.
        let folder = scene.path("");
        let is_reported = |driver: &Driver| {
            driver.has_missed_in(&folder) || driver.created_paths().len() == FILES
        };
        driver.read_until_reported(is_reported)?;
        let reported = driver.created_paths().len();
        ensure(is_reported(&driver), format!("{FILES} names, or Missed"), || {
            format!("{reported} names were reported, and no Missed for the folder or everything")
        })
    },
    ..Case::MUST
};

const ITEM_BY_ITEM: Case = Case {
    id: "STR05",
    name: "item_by_item",
    needs: &[WatchFolders],
    checks: "A consumer that takes one item and comes back later finds the next one without being \
             woken.",
    why: "Related to STR04: events that were read from the source must not be lost because a wake-up is \
          missing.",
    usual_cause: "`Pending` is returned although there are items in a buffer.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.create_many(10)?;
        driver.saw(created_file("0"))?;
        // The change has been made long ago; what the platform delivers in one go is there.
        for i in 1..10 {
            driver.saw(created_file(i.to_string()))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const IDLE_COSTS_NOTHING: Case = Case {
    id: "STR06",
    name: "idle_costs_nothing",
    environment: &[Environment::Linux],
    is_disturbed: true,
    checks: "While nothing happens for a second, the task is woken at most twice, and hardly any \
             processor time is used.",
    why: "fsnotify#480 (woke every 100 ms), notify#566, bun#27667, rust-analyzer#1780.",
    usual_cause: "The source is polled in a loop, or the waker is woken at each poll.",
    // The case measures a second of rest.
    run: |scene| {
        let mut driver = scene.watch([scene.anything()?])?;
        driver.settle()?;
        driver.drain()?;
        is_quiet(scene, &mut driver)
    },
    ..Case::MUST
};

/// Observes a second in which nothing happens, once everything has been read.
pub(super) fn is_quiet(scene: &Scene, driver: &mut Driver) -> Step {
    let second = Duration::from_secs(1);
    let (before, start) = (ResourceUsage::cpu_time(), Instant::now());
    let mut count = 0;
    while let Some(left) = second.checked_sub(start.elapsed()) {
        let (flag, waker) = WakeFlag::new();
        while driver.poll_once(&waker)?.is_ready() && !driver.has_ended() {}
        if !driver.wait_for_wake(&flag, left) {
            break;
        }
        count += 1;
    }
    // A second, or more if other processes had the processors.
    let (used, passed) = (ResourceUsage::cpu_time().saturating_sub(before), start.elapsed());
    // A backend that looks from time to time may wake up for each look.
    let looks = if scene.profile.sampled {
        passed.as_micros() / scene.profile.latency.as_micros().max(1) * 2
    } else {
        0
    };
    ensure(count <= 2 + looks, format!("at most {} wake-ups in {passed:.1?}", 2 + looks), || {
        format!("there were {count}")
    })?;
    let limit = passed.mul_f32(if scene.profile.sampled { 0.3 } else { 0.1 });
    let expected = format!("less than {limit:.1?} of processor time in {passed:.1?}");
    ensure(used < limit, expected, || format!("it used {used:?}"))
}

const QUIET_AFTER_STORM: Case = Case {
    id: "STR07",
    name: "quiet_after_storm",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    is_disturbed: true,
    checks: "After a storm of events that have all been read, the backend is as idle as before.",
    why: "zed#55829: a thread was busy for minutes after a `git fetch`.",
    usual_cause: "The backend's own scans cause the events that it reacts to.",
    run: |scene| {
        let recursive = scene.has(WatchRecursively);
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("")).recursive_if(recursive)])?;
        driver.guard.may_miss = true;
        for i in 0..100 {
            scene.tree.mkdir(format!("folder-{i}"))?;
            scene.tree.write(format!("folder-{i}/file"), "content")?;
        }
        scene.tree.create_many(500)?;
        // A barrier in the root may be reported before what is in folders that were found late.
        for _ in 0..5 {
            driver.next_step();
            driver.settle()?;
            driver.drain()?;
            if driver.latest().is_none() {
                break;
            }
        }
        is_quiet(scene, &mut driver)
    },
    ..Case::MUST
};

const PROMPT_UNDER_LOAD: Case = Case {
    id: "STR08",
    name: "prompt_under_load",
    needs: &[WatchFolders],
    modes: &[Mode::Concurrent],
    checks: "Each poll returns at once, even while folders come and go: apart from the time in which other \
             work uses the processors, it takes less than 100 ms, and usually much less. With nothing to do, \
             it takes almost no time.",
    why: "A kqueue backend blocked in its poll for the next native event.",
    usual_cause: "A blocking read, lock or scan of folders inside `poll_next`.",
    // Every poll of every case is timed; this one has many of them, with much to do and with nothing.
    run: |scene| {
        const IDLE: usize = 300;
        // The time of a call that asks the platform in vain, on a machine that is ten times as slow as most.
        const LITTLE: Duration = Duration::from_micros(500);
        // The shortest possible sleep takes longer, since a timer may be 50 us late on Linux.
        const NO_TIME: Duration = Duration::from_micros(20);

        let recursive = scene.has(WatchRecursively);
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("")).recursive_if(recursive)])?;
        driver.guard.may_miss = true;
        driver.perform(scene.mode, |tree| {
            (0..200).try_for_each(|i| {
                tree.mkdir_all(format!("{}/{i}", i % 7))?;
                tree.write(format!("{}/{i}/file", i % 7), "content")
            })
        })?;
        driver.drain()?;
        let (own, blocked) = driver.time_polls(IDLE)?;
        scene.measured("a poll with nothing to do", format!("{own:.1?}"));
        // Where the system does not tell how long a call was blocked, it may have been interrupted.
        let Some(blocked) = blocked else { return Ok(()) };
        let expected =
            "of 300 polls with nothing to do, most compute for a moment and do not sleep";
        ensure(own < LITTLE && blocked < NO_TIME, expected, || {
            format!("one in the middle took {own:.1?}, of which it was blocked for {blocked:.1?}")
        })
    },
    ..Case::MUST
};

const ENDS_FOR_EVER: Case = Case {
    id: "STR09",
    name: "ends_for_ever",
    needs: &[WatchFolders],
    checks: "A stream that has ended, because all watched paths or the runtime are gone, returns `None` at \
             every further poll, and `watch` and `unwatch` return `Ended`. A stream that cannot go on \
             reading reports that and ends.",
    why: "A consumer that polls once more must not wait forever, get ghosts, or get one error after \
          the other.",
    usual_cause: "`poll_next` forgets that it has ended or that reading has failed, or `watch` does \
                  not check it.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        let root = Watch::non_recursive(scene.path("root"));
        let mut driver = scene.watch([root.clone()])?;
        scene.tree.remove_all("root")?;
        driver.forget(&root.path);
        driver.saw(removed_folder("root"))?;
        // The suite polls on after every `None`.
        driver.drain()?;
        let mut ends = 0;
        if driver.has_ended() {
            ends += 1;
            scene.tree.mkdir("root")?;
            refuses_changes(driver.watch(root.clone())?, driver.unwatch(&root.path)?)?;
        }
        ends += usize::from(ends_with_its_runtime(scene)?);
        if ends > 0 {
            return Ok(());
        }
        Err(Stop::Ignored("the stream ends with neither the watched paths nor the runtime".into()))
    },
    ..Case::MUST
};

/// Polls a backend whose runtime is gone. Returns whether its stream has ended.
fn ends_with_its_runtime(scene: &Scene) -> Step<bool> {
    /// More items than there were to read.
    const MANY: usize = 100;

    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::Broken(format!("no runtime: {error}")))?;
    let watch = scene.flat();
    let made = runtime.block_on(async { scene.subject().make(vec![watch.clone()]) });
    let Ok(mut backend) = made else { return fail("`new` makes a backend", "it did not") };
    drop(runtime);
    scene.timeline.did("end the runtime");

    let runtime = scene.runtime();
    let _entered = runtime.enter();
    let mut poll = || Pin::new(&mut *backend).poll_next(&mut Context::from_waker(Waker::noop()));
    let mut is_explained = !scene.has(ChangeWatches);
    let mut items = (0..MANY).map(|_| poll());
    let last = items.find(|polled| match polled {
        Poll::Ready(Some(item)) => {
            is_explained |= item.is_err();
            false
        }
        _ => true,
    });
    match last {
        Some(Poll::Ready(None)) => {}
        Some(_) => return Ok(false),
        None => {
            return fail("the stream ends, or waits", format!("{MANY} polls yielded an item each"));
        }
    }
    ensure(is_explained, "an error item before the end, which has no other cause", || {
        "none".into()
    })?;
    let again = poll();
    ensure(matches!(again, Poll::Ready(None)), "`None` after `None`", || {
        format!("it yielded {again:?}")
    })?;
    refuses_changes(backend.watch(scene.flat()), backend.unwatch(&watch.path))?;
    Ok(true)
}

fn refuses_changes(watch: Result<(), BackendError>, unwatch: Result<(), BackendError>) -> Step {
    for (name, answer) in [("watch", watch), ("unwatch", unwatch)] {
        // The provided method returns its error as before.
        let right = match &answer {
            Err(BackendError::NotSupported { capability, .. }) => *capability == ChangeWatches,
            answer => matches!(answer, Err(BackendError::Ended)),
        };
        ensure(right, format!("`{name}` returns Ended after the end"), || {
            format!("it returned {answer:?}")
        })?;
    }
    Ok(())
}

const DROP_IN_ANY_STATE: Case = Case {
    id: "STR10",
    name: "drop_in_any_state",
    checks: "The backend can be dropped within a second right after `new`, when idle, and with unread \
             events.",
    why: "libuv's close_with_pending_event; fsnotify's TestClose; fswatch's stop latency tests.",
    usual_cause: "`Drop` joins a thread that waits for an event, or for room in a channel.",
    run: |scene| {
        let watch = scene.anything()?;
        for state in ["right after `new`", "when idle", "with unread events"] {
            let mut slow = SlowDrops::default();
            while slow.is_unsure() {
                let mut driver = scene.watch([watch.clone()])?;
                match state {
                    "when idle" => driver.settle()?,
                    "with unread events" => scene.tree.create_many(100)?,
                    _ => {}
                }
                slow.note(state, driver.close())?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// How often `drop` was slow. A thread that it waits for may have to wait for a processor; a mistake in
/// `drop` shows each time.
#[derive(Default)]
struct SlowDrops {
    drops: usize,
    slow: usize,
}

impl SlowDrops {
    const LIMIT: Duration = Duration::from_secs(1);
    const TRIES: usize = 3;

    /// Returns whether to drop another backend: so far each drop was slow, or there was none.
    fn is_unsure(&self) -> bool {
        self.slow == self.drops
    }

    fn note(&mut self, state: &str, took: Duration) -> Step {
        let limit = Self::LIMIT;
        self.drops += 1;
        self.slow += usize::from(took > limit);
        ensure(self.slow < Self::TRIES, format!("`drop` {state} takes less than {limit:?}"), || {
            format!("{} of {} times it took longer, {took:?} the last time", self.slow, self.drops)
        })
    }
}

const DROP_AMID_CHANGES: Case = Case {
    id: "STR11",
    name: "drop_amid_changes",
    needs: &[WatchFolders],
    checks: "Dropping the backend while another thread makes and removes files and folders neither \
             hangs nor panics.",
    why: "fsnotify's TestRace; gradle's can close watcher for directory hierarchy while it is being \
          deleted.",
    usual_cause: "A lock is held while waiting for a thread that wants it.",
    run: |scene| {
        let recursive = scene.has(WatchRecursively);
        let stop = AtomicBool::new(false);
        let tree = scene.tree.clone();
        let mut slow = SlowDrops::default();
        std::thread::scope(|scope| {
            let churn = scope.spawn(|| {
                let mut i = 0;
                while !stop.load(Ordering::Relaxed) {
                    i += 1;
                    tree.mkdir(format!("d{i}"))?;
                    tree.create(format!("d{i}/file"))?;
                    tree.remove_all(format!("d{i}"))?;
                }
                Ok(())
            });
            let dropping = (0..50).try_for_each(|i| {
                let mut driver =
                    scene.watch([Watch::non_recursive(scene.path("")).recursive_if(recursive)])?;
                driver.allow_errors();
                driver.guard.may_miss = true;
                if i % 2 == 0 {
                    _ = driver.poll_once(Waker::noop())?;
                }
                slow.note("amid changes", driver.close())
            });
            stop.store(true, Ordering::Relaxed);
            let panicked = |_| Err(Stop::Broken("the thread that makes changes panicked".into()));
            dropping.and(churn.join().unwrap_or_else(panicked))
        })
    },
    ..Case::MUST
};

const NOT_WOKEN_AFTER_DROP: Case = Case {
    id: "STR12",
    name: "not_woken_after_drop",
    needs: &[WatchFolders],
    checks: "A dropped backend wakes no task, and has dropped its waker.",
    why: "libuv's no_callback_after_close.",
    usual_cause: "A thread or task lives on with a clone of the waker.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        driver.drain()?;
        let (flag, waker) = WakeFlag::new();
        _ = driver.poll_once(&waker)?;
        driver.close();
        let woken = flag.count();
        scene.tree.create("new")?;
        // Another backend's report of the change shows that the platform has sent its event.
        let mut other = scene.watch([scene.flat()])?;
        other.settle()?;
        ensure(flag.count() == woken, "no wake-up after `drop`", || {
            format!("there were {}", flag.count() - woken)
        })?;
        drop(waker);
        // One is left for this function itself.
        let deadline = Instant::now() + scene.profile.deadline();
        while Arc::strong_count(&flag) > 1 && Instant::now() < deadline {
            other.settle()?;
        }
        let holders = Arc::strong_count(&flag) - 1;
        ensure(holders == 0, "no clone of the waker is left", || format!("{holders} are left"))
    },
    ..Case::MUST
};

const DROP_INSIDE_WAKER: Case = Case {
    id: "STR13",
    name: "drop_inside_waker",
    needs: &[WatchFolders],
    checks: "The backend can be dropped from inside the waker that it wakes.",
    why: "rolldown#9462, notify#410, notify#463: closing from a callback was a deadlock.",
    usual_cause: "The waker is woken while a lock is held that `drop` takes.",
    run: |scene| {
        let watch = scene.flat();
        let runtime = scene.runtime();
        let made = scene.make(vec![watch]);
        let Ok(backend) = made else { return fail("`new` makes a backend", "it did not") };
        let dropper = Arc::new(Dropper::default());
        let limit = scene.profile.deadline();
        let pended = runtime.block_on(async {
            tokio::time::timeout(limit, dropper.poll_until_pending(backend)).await.is_ok()
        });
        ensure(pended, "`Pending` without having woken the waker", || {
            format!("each poll yielded something or woke the waker, for {limit:?}")
        })?;
        scene.tree.create("new")?;
        let woken = runtime.block_on(async {
            let dropped = poll_fn(|cx| dropper.dropped.poll_woken(cx));
            tokio::time::timeout(limit, dropped).await.is_ok()
        });
        ensure(woken, "the waker is woken, and drops the backend", || {
            format!("it was not, within {limit:?}")
        })
    },
    ..Case::MUST
};

/// A waker that drops the backend, unless that is just being polled.
#[derive(Default)]
struct Dropper {
    state: Mutex<Dropping>,
    dropped: WakeFlag,
}

#[derive(Default)]
struct Dropping {
    /// `None` while it is polled.
    backend: Option<Box<dyn Backend>>,
    /// Whether the waker was woken while the backend was polled: one that has more to do may do that.
    is_woken: bool,
}

impl Dropper {
    /// Polls `backend` until it waits for something new; the next wake-up drops it.
    async fn poll_until_pending(self: &Arc<Self>, mut backend: Box<dyn Backend>) {
        let waker = Waker::from(self.clone());
        loop {
            let polled = Pin::new(&mut *backend).poll_next(&mut Context::from_waker(&waker));
            let Some(again) = self.keep_if(polled.is_pending(), backend) else { return };
            backend = again;
            tokio::task::yield_now().await;
        }
    }

    /// Keeps the backend until the waker is woken, unless it was woken already or something came.
    fn keep_if(&self, pending: bool, backend: Box<dyn Backend>) -> Option<Box<dyn Backend>> {
        let mut state = self.lock();
        if std::mem::take(&mut state.is_woken) || !pending {
            return Some(backend);
        }
        state.backend = Some(backend);
        None
    }

    fn lock(&self) -> MutexGuard<'_, Dropping> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Dropper {
    fn wake(self: Arc<Self>) {
        let mut state = self.lock();
        let Some(backend) = state.backend.take() else {
            state.is_woken = true;
            return;
        };
        drop(state);
        drop(backend);
        self.dropped.note();
    }
}

const INTERRUPTED: Case = Case {
    id: "STR14",
    name: "interrupted",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    modes: &[Mode::Concurrent],
    checks: "System calls that are interrupted again and again cause neither errors nor losses.",
    why: "fsnotify#61, fsnotify#475.",
    usual_cause: "`EINTR` is passed on as an error; try again.",
    // Being stopped and continued interrupts the calls that wait for events, see signal(7).
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        // It is stopped in the middle of its calls.
        driver.ignore_time();
        let process = std::process::id().to_string();
        let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                      kill -STOP $0; kill -CONT $0; done";
        let mut storm = Command::new("sh");
        storm.args(["-c", script, &process]);
        let spawned = storm.spawn();
        let mut storm = spawned.map_err(|error| Stop::Broken(format!("no `sh`: {error}")))?;
        let outcome = driver
            .perform(scene.mode, |tree| (0..200).try_for_each(|i| tree.create(i.to_string())));
        _ = storm.wait();
        outcome?;
        (0..200).try_for_each(|i| driver.saw(created_file(i.to_string())))
    },
    ..Case::MUST
};

const CLOSED_ON_EXEC: Case = Case {
    id: "STR15",
    name: "closed_on_exec",
    environment: &[Environment::Linux],
    checks: "A program that is started while a backend exists inherits none of its descriptors.",
    why: "fsnotify#178, fsnotify#273, fsnotify#617.",
    usual_cause: "A descriptor is made without `CLOEXEC`.",
    run: |scene| {
        let list = || {
            let listed = Command::new("ls").arg("/proc/self/fd").output();
            let listed = listed.map_err(|error| Stop::Broken(format!("no `ls`: {error}")))?;
            Ok(String::from_utf8_lossy(&listed.stdout).lines().count())
        };
        let before = list()?;
        let driver = scene.watch([scene.anything()?])?;
        let with = list()?;
        drop(driver);
        ensure(
            with <= before,
            "a started program has as many descriptors as without the backend",
            || format!("it has {} more", with - before),
        )
    },
    ..Case::MUST
};

const SIZE_HINT: Case = Case {
    id: "STR16",
    name: "size_hint",
    needs: &[WatchFolders],
    checks: "The lower bound of `size_hint` is never more than the number of items that come, and its upper \
             bound never less.",
    why: "The contract of streams; `collect` reserves room by it.",
    usual_cause: "It returns the number of raw events, some of which do not become items; or that of a \
                  buffer, which is filled again.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.create_many(20)?;
        driver.saw(created_file("0"))?;
        let (promised, most) = driver.call("size_hint", |backend| backend.size_hint())?;
        let before = driver.events().count();
        driver.settle()?;
        let came = driver.events().count() - before;
        ensure(promised <= came + 1, format!("{promised} further items, as promised"), || {
            format!("there were {came}")
        })?;
        // More can always be made to come, unless that would take too long.
        let Some(most) = most.filter(|most| *most < 10_000) else { return Ok(()) };
        for path in scene.tree.new_names("more-", most + 1) {
            scene.tree.create(path)?;
        }
        driver.settle()?;
        let came = driver.events().count() - before;
        ensure(came <= most, format!("at most {most} further items, as promised"), || {
            format!("there were {came}")
        })
    },
    ..Case::MUST
};

const MANY_AT_ONCE: Case = Case {
    id: "STR17",
    name: "many_at_once",
    checks: "Backends can be made and dropped by several threads at once.",
    why: "fsnotify's TestClose/double close.",
    usual_cause: "A static is initialised without care for a second thread.",
    run: |scene| {
        let watch = scene.anything()?;
        let subject = scene.subject();
        let runtime = scene.runtime();
        let handle = runtime.handle();
        let made = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let _entered = handle.enter();
                        (0..10).all(|_| subject.make(vec![watch.clone()]).is_ok())
                    })
                })
                .collect();
            threads.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        ensure(made, "every `new` makes a backend", || "some did not".into())
    },
    ..Case::MUST
};

const DROPPED_OUTSIDE: Case = Case {
    id: "STR18",
    name: "dropped_outside_the_runtime",
    checks: "A backend that was made inside a Tokio runtime can be dropped outside of it, and after it \
             has ended.",
    why: "It is common that `main` keeps the backend until after `block_on`.",
    usual_cause: "`Drop` spawns a task, or asks for the runtime's handle.",
    run: |scene| {
        let watch = scene.anything()?;
        for has_ended in [false, true] {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Stop::Broken(format!("no runtime: {error}")))?;
            let made = runtime.block_on(async { scene.subject().make(vec![watch.clone()]) });
            let Ok(mut backend) = made else { return fail("`new` makes a backend", "it did not") };
            // It has a waker to let go of.
            let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut *backend).poll_next(cx)));
            let first = runtime.block_on(first);
            let runtime = (!has_ended).then_some(runtime);
            scene.timeline.during("drop", || drop(backend));
            drop((runtime, first));
        }
        Ok(())
    },
    ..Case::MUST
};

const WOKEN_AFTER_NOTHING: Case = Case {
    id: "STR19",
    name: "woken_after_nothing",
    needs: &[WatchFolders],
    checks: "A consumer that polls only when it is woken, as tasks do, is woken for a change even \
             after an event that is not reported.",
    why: "The most common mistake in `poll_next`: nothing that was read is reported, and the poll returns \
          `Pending` without having registered the waker.",
    usual_cause: "After reading an event that is not reported, `poll_next` returns `Pending`; read on \
                  until the source is empty.",
    run: |scene| {
        for folder in ["watched/sub", "beside"] {
            scene.tree.mkdir_all(folder)?;
        }
        for file in ["watched/old", "beside/file"] {
            scene.tree.write(file, "content")?;
        }
        let mut watches = vec![Watch::non_recursive(scene.path("watched"))];
        if scene.has(WatchFiles) {
            watches.push(Watch::non_recursive(scene.path("beside/file")));
        }
        let mut driver = scene.watch(watches)?;
        // One task for all steps, polled only when it is woken.
        let mut flag = driver.rest()?;
        for (i, (act, make)) in UNREPORTED.iter().enumerate() {
            make(&scene.tree)?;
            // Whether the backend gets an event for that, and when, is up to the platform.
            for _ in 0..3 {
                let soon = Duration::from_millis(10) + scene.profile.latency * 2;
                if driver.wait_for_wake(&flag, soon) {
                    flag = driver.rest()?;
                }
            }
            let file = format!("watched/new-{i}");
            scene.tree.create(&file)?;
            let what = format!("after {act}, tree/{file} is reported as created");
            driver.saw_when_woken(&mut flag, &created_file(&file), what)?;
            if scene.has(WatchFiles) {
                scene.tree.append("beside/file", "more")?;
                driver.next_step();
                let what = "after that, tree/beside/file is reported as written";
                driver.saw_when_woken(&mut flag, &written("beside/file"), what)?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const WOKEN_AFTER_MANY: Case = Case {
    id: "STR20",
    name: "woken_after_many",
    needs: &[WatchFolders],
    checks: "A consumer that polls only when it is woken, as tasks do, gets each of 3000 changes, or the \
             report of a loss.",
    why: "The counterpart of STR19 and STR04: a backend that gives other tasks a turn after some number of \
          items returns `Pending` while it has more.",
    usual_cause: "After a fixed number of items, `poll_next` returns `Pending` and neither wakes the task \
                  nor waits for the source.",
    run: |scene| {
        const FILES: usize = 3000;

        let mut driver = scene.watch([scene.flat()])?;
        driver.guard.may_miss = true;
        let mut flag = driver.rest()?;
        scene.tree.create_many(FILES)?;
        let folder = scene.path("");
        let is_reported = |driver: &Driver| {
            driver.has_missed_in(&folder) || driver.created_paths().len() == FILES
        };
        let reported = driver.read_when_woken(&mut flag, is_reported)?;
        ensure(reported, format!("{FILES} names, or Missed"), || {
            let reported = driver.created_paths().len();
            format!("after {reported} names, the task was not woken for the next")
        })
    },
    ..Case::MUST
};

/// A change: its description, and the function that makes it.
type Act = (&'static str, fn(&Tree) -> Step);

/// Changes that are not reported.
const UNREPORTED: [Act; 6] = [
    ("the watched folder was listed", |tree| {
        tree.make("list", "watched", |path| path.read_dir().map(drop))
    }),
    ("a file in it was read", |tree| {
        tree.make("read", "watched/old", |path| fs::read(path).map(drop))
    }),
    ("a file in a subfolder was made", |tree| tree.create("watched/sub/file")),
    ("a file beside the watched one was made", |tree| tree.create("beside/new")),
    ("a file beside the watched folder was made", |tree| tree.create("new")),
    ("many files were made in places that are not watched", |tree| {
        ["", "beside", "watched/sub"].iter().try_for_each(|it| tree.within(it).create_many(200))
    }),
];
