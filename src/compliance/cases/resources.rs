//! What a backend holds, and gives back (RES).

use std::time::{Duration, Instant};

use super::calls::{add, remove};
use crate::{
    compliance::{
        case::{Case, Group},
        rules::{
            expect::created_file,
            failure::{Stop, ensure, fail},
            usage::ResourceUsage,
        },
        scene::{
            driver::Driver, environment::Environment, sentinel::is_sentinel, wake_flag::WakeFlag,
        },
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            ChangeWatches, WatchFiles, WatchFolders, WatchNewFolders, WatchRecursively,
        },
    },
};

pub(super) const GROUP: Group = Group {
    name: "resources",
    title: "Resources",
    guide: "Cleaning up",
    cases: &[
        NOTHING_LEFT,
        NOTHING_LEFT_AFTER_ERRORS,
        FOLDERS_COME_AND_GO,
        NO_WATCH_FOR_EACH_FILE,
        REMOVED_FOLDER_IS_FREED,
        PROCESS_ENDS,
        TREE_IS_UNTOUCHED,
        RESTS_UNTIL_READ,
        NOTHING_KEPT,
    ],
};

const NOTHING_LEFT: Case = Case {
    id: "RES01",
    name: "nothing_left",
    environment: &[Environment::Counts],
    checks: "After 100 backends were made, polled and dropped, no thread, descriptor or runtime task \
             is left.",
    why: "fsnotify#3, fsnotify#732, watchdog#249, listen#353, rb-inotify#26, watchman#27.",
    usual_cause: "A descriptor, thread or task is kept alive by a clone of itself.",
    // The process of a case is checked for leaks at its end.
    run: |scene| {
        let watch = scene.anything()?;
        for _ in 0..100 {
            let mut driver = scene.watch([watch.clone()])?;
            let (_, waker) = WakeFlag::new();
            _ = driver.poll_once(&waker)?;
        }
        Ok(())
    },
    ..Case::MUST
};

const NOTHING_LEFT_AFTER_ERRORS: Case = Case {
    id: "RES02",
    name: "nothing_left_after_errors",
    environment: &[Environment::Counts],
    checks: "Backends that could not be made, because a path is missing, leave nothing behind.",
    why: "A frontend may try again every second until the path is there.",
    usual_cause: "The descriptor is opened before the paths are checked, and no owner closes it.",
    run: |scene| {
        let good = scene.anything()?;
        let missing = Watch::non_recursive(scene.path("missing"));
        for _ in 0..50 {
            let made = scene.try_watch([good.clone(), missing.clone()])?;
            ensure(made.is_err(), "`new` returns an error", || "it made a backend".into())?;
        }
        Ok(())
    },
    ..Case::MUST
};

const FOLDERS_COME_AND_GO: Case = Case {
    id: "RES03",
    name: "folders_come_and_go",
    needs: &[WatchNewFolders],
    environment: &[Environment::Linux],
    is_disturbed: true,
    checks: "5000 folders that come and go leave neither watches nor memory behind.",
    why: "inotify-tools#29, inotify-tools#120, notify#61, fsnotify#73, cadvisor#1339.",
    usual_cause: "The backend's table keeps folders that are gone.",
    run: |scene| {
        let mut driver = scene.watch([scene.deep()])?;
        let (mut watches, mut memory) = (0, 0);
        for round in 0..10 {
            for i in 0..500 {
                let folder = scene.path(format!("folder-{round}-{i}"));
                scene.tree.make("make and remove", &folder, |folder| {
                    std::fs::create_dir(folder)?;
                    std::fs::remove_dir(folder)
                })?;
            }
            driver.settle()?;
            driver.forget_events();
            if round == 1 {
                (watches, memory) = (ResourceUsage::watches(), ResourceUsage::memory());
            }
        }
        let now = ResourceUsage::watches();
        ensure(now <= watches + 10, format!("about {watches} watches, as before"), || {
            format!("there are {now}")
        })?;
        let grown = ResourceUsage::memory().saturating_sub(memory);
        let limit = 2_000_000;
        ensure(grown < limit, format!("memory grows by less than {limit} bytes"), || {
            format!("it grew by {grown} bytes")
        })
    },
    ..Case::MUST
};

const NO_WATCH_FOR_EACH_FILE: Case = Case {
    id: "RES04",
    name: "no_watch_for_each_file",
    needs: &[WatchRecursively],
    environment: &[Environment::Linux],
    checks: "For a tree, the backend takes at most one inotify watch per folder, since each user has a \
             limited number of them.",
    why: "A folder's watch reports its files; with a watch per file, the limit is soon reached.",
    usual_cause: "Every entry that is found is watched.",
    run: |scene| {
        const FOLDERS: usize = 20;

        for folder in 0..FOLDERS {
            scene.tree.mkdir(format!("{folder}"))?;
            scene.tree.within(format!("{folder}")).create_many(20)?;
        }
        let before = ResourceUsage::watches();
        let mut driver = scene.watch([scene.deep()])?;
        driver.settle()?;
        let taken = ResourceUsage::watches().saturating_sub(before);
        if taken == 0 {
            return Err(Stop::Ignored("the backend does not use inotify".into()));
        }
        scene.measured("inotify watches for 21 folders with 400 files", taken.to_string());
        ensure(taken <= FOLDERS + 1, format!("{} watches at most", FOLDERS + 1), || {
            format!("there are {taken}")
        })
    },
    ..Case::SHOULD
};

const REMOVED_FOLDER_IS_FREED: Case = Case {
    id: "RES05",
    name: "removed_folder_is_freed",
    needs: &[WatchFolders],
    checks: "A watched folder can be removed, and a new one of the same name can be made at once.",
    why: "fsnotify#42: open handles prevented folders from being removed on Windows.",
    usual_cause: "A handle of the folder is kept open until the end.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        let root = scene.path("root");
        let recursive = scene.has(WatchRecursively);
        let mut driver = scene
            .watch([Watch::non_recursive(&root).recursive_if(recursive), scene.barrier_watch()?])?;
        driver.forget(&root);
        scene.tree.rmdir("root")?;
        scene.tree.mkdir("root")?;
        scene.tree.rmdir("root")?;
        driver.settle()
    },
    ..Case::MUST
};

const PROCESS_ENDS: Case = Case {
    id: "RES06",
    name: "process_ends",
    checks: "A process with a live backend can end.",
    why: "chokidar's should not prevent the process from exiting.",
    usual_cause: "A thread is joined when the process ends.",
    // The backend is forgotten, and the process of the case ends.
    run: |scene| {
        let watch = scene.anything()?;
        let made = scene.make(vec![watch]);
        let Ok(backend) = made else { return fail("`new` makes a backend", "it did not") };
        std::mem::forget(backend);
        Err(Stop::Passed)
    },
    ..Case::MUST
};

const TREE_IS_UNTOUCHED: Case = Case {
    id: "RES08",
    name: "tree_is_untouched",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    checks: "Watching a tree changes nothing in it: no entries, sizes, modes or times.",
    why: "Other watchers report the files that an observer leaves behind.",
    usual_cause: "A file is made to find out whether events arrive.",
    run: |scene| {
        if scene.profile.leaves_traces {
            return Err(Stop::Ignored("the profile says that traces are left".into()));
        }
        scene.tree.mkdir_all("a/b")?;
        for file in ["file", "a/file", "a/b/file"] {
            scene.tree.write(file, "content")?;
        }
        let look = || {
            let mut seen = Vec::new();
            for path in ["", "file", "a", "a/file", "a/b", "a/b/file"] {
                let metadata = scene.path(path).metadata();
                let metadata = metadata.map_err(|error| Stop::Broken(error.to_string()))?;
                let modified = metadata.modified().ok();
                seen.push((path, modified, metadata.len(), metadata.permissions()));
            }
            Ok(seen)
        };
        let before = look()?;
        let recursive = scene.has(WatchRecursively);
        let watches =
            [Watch::non_recursive(scene.path("")).recursive_if(recursive), scene.barrier_watch()?];
        let mut driver = scene.watch(watches)?;
        driver.forget(&scene.path(""));
        driver.settle()?;
        drop(driver);
        let after = look()?;
        ensure(before == after, "everything is as it was", || {
            let changed = before.iter().zip(&after).find(|(before, after)| before != after);
            format!("the first difference: {changed:?}")
        })
    },
    ..Case::MUST
};

const RESTS_UNTIL_READ: Case = Case {
    id: "RES09",
    name: "rests_until_read",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    is_disturbed: true,
    checks: "A consumer that takes one of several reports, and does not come back for a second, costs hardly any \
             processor time meanwhile, also if it watches 1000 folders.",
    why: "A program that is stopped in a debugger, or waits for something else, has no use for further looks.",
    usual_cause: "A thread goes on looking or reading ahead, although nothing of what it has found was taken.",
    // The case measures a second of rest.
    run: |scene| {
        const REST: Duration = Duration::from_secs(1);
        /// What a few wake-ups take, however much of the time a busy machine has left to this process.
        const LEAST: Duration = Duration::from_millis(20);

        for i in 0..1000 {
            scene.tree.mkdir_all(format!("{}/{i}", i / 50))?;
        }
        let recursive = scene.has(WatchRecursively);
        let mut driver = scene.watch([scene.flat().recursive_if(recursive)])?;
        driver.settle()?;
        driver.next_step();
        (0..5).try_for_each(|i| scene.tree.create(format!("file-{i}")))?;
        driver.read_until_reported(|driver| driver.events().count() > 0)?;
        let measure = || (ResourceUsage::cpu_time(), ResourceUsage::waited());
        let (before, start) = (measure(), Instant::now());
        let (flag, _) = WakeFlag::new();
        // Nothing wakes this one.
        driver.wait_for_wake(&flag, REST);
        let (after, passed) = (measure(), start.elapsed());
        let used = after.0.saturating_sub(before.0);
        // On a busy machine, a restless thread waits for a processor most of the time.
        let available = passed.saturating_sub(after.1.saturating_sub(before.1));
        let limit = LEAST.max(available.mul_f32(0.1));
        let expected = format!("less than {limit:.1?} of processor time in {passed:.1?}");
        ensure(used < limit, expected, || format!("it used {used:?}"))?;
        driver.settle()?;
        (0..5).try_for_each(|i| driver.saw(created_file(format!("file-{i}"))))
    },
    ..Case::MUST
};

/// What can come and go while a backend watches, so many times.
const ROUNDS: usize = 20;

const NOTHING_KEPT: Case = Case {
    id: "RES10",
    name: "nothing_kept",
    needs: &[WatchFolders],
    environment: &[Environment::NamedDescriptors],
    checks: "While a backend goes on, these leave no descriptor behind: files that are replaced by \
             others, as editors do; files that come and go; watches that are refused; and watches of files and \
             folders that are added and removed.",
    why: "The counterpart of RES01 to RES03: an editor watches a project for weeks.",
    usual_cause: "What was replaced, rather than removed, stays open; or an early return leaves open what was opened \
                  for a watch.",
    run: |scene| {
        let folders: Vec<_> = (0..ROUNDS).map(|i| format!("outside/{i}")).collect();
        for folder in &folders {
            scene.outside.mkdir_all(folder)?;
            scene.outside.create(format!("{folder}/file"))?;
        }
        scene.tree.mkdir("root")?;
        let root = scene.tree.within("root");
        root.create("replaced")?;
        let watched = Watch::non_recursive(root.path(""));
        let mut driver = scene.watch([watched, scene.barrier_watch()?])?;
        driver.forget(&root.path(""));
        driver.settle()?;
        let before = ResourceUsage::count_but(is_sentinel);
        let same = |driver: &mut Driver, what: &str| {
            let mut more = Vec::new();
            // A thread of the backend's may be a moment late.
            for _ in 0..ROUNDS {
                more = ResourceUsage::count_but(is_sentinel).descriptors_beyond(&before);
                if more.is_empty() {
                    return Ok(());
                }
                driver.settle()?;
            }
            let expected =
                format!("after {ROUNDS} {what}, there are no more descriptors than before");
            fail(expected, format!("these are new: {more:?}"))
        };
        for _ in 0..ROUNDS {
            root.write("new", "content")?;
            root.rename("new", "replaced")?;
            driver.settle()?;
        }
        same(&mut driver, "replacements of a file")?;
        for _ in 0..ROUNDS {
            root.create("file")?;
            driver.settle()?;
            root.remove("file")?;
            driver.settle()?;
        }
        same(&mut driver, "files that came and went")?;
        if !scene.has(ChangeWatches) {
            return Ok(());
        }
        for folder in &folders {
            let missing = Watch::non_recursive(scene.outside.path(folder).join("missing"));
            ensure(driver.watch(missing)?.is_err(), "`watch` returns an error", || {
                "it did not".into()
            })?;
        }
        driver.settle()?;
        same(&mut driver, "watches that were refused")?;
        for entry in ["", "file"] {
            if entry == "file" && !scene.has(WatchFiles) {
                continue;
            }
            for folder in &folders {
                let path = scene.outside.path(folder).join(entry);
                add(&mut driver, Watch::non_recursive(&path))?;
                remove(&mut driver, &path)?;
            }
            driver.settle()?;
            same(&mut driver, "watches that were added and removed")?;
        }
        Ok(())
    },
    ..Case::MUST
};
