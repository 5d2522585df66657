//! Renames, and the trackers that relate their halves (REN).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{Expected, appeared, gone, moved_from, moved_to, touched},
            failure::{Step, Stop, ensure, fail},
            usage::ResourceUsage,
        },
        scene::{Scene, driver::Driver, environment::Environment, platform},
    },
    contract::{
        backend::Watch,
        capability::Capability::{TrackRelated, WatchFolders, WatchRecursively},
        event::{Event, EventKind, ModifyKind, RenameMode, Tracker},
    },
};

pub(super) const GROUP: Group = Group {
    name: "renames",
    title: "Renames and tracking",
    guide: "Renames",
    cases: &[
        WITHIN_FOLDER,
        BETWEEN_FOLDERS,
        MOVED_IN,
        MOVED_OUT,
        OVER_EXISTING,
        CHAIN,
        EXCHANGED,
        ONTO_ITSELF,
        MANY_AT_ONCE,
        ACROSS_READS,
        MANY_MOVED_OUT,
        CASE_ONLY,
        SPECIAL_FILES,
        FOLDER,
        TO_AND_FRO_UNREAD,
        MANY_FILES,
    ],
};

const WITHIN_FOLDER: Case = Case {
    id: "REN01",
    name: "within_folder",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A rename is reported for the old name and for the new one, in this order and, if the \
             backend tracks renames, with one tracker.",
    why: "fsnotify's script rename-file.",
    usual_cause: "The platform's cookie is not passed on as the tracker.",
    run: |scene| {
        scene.tree.write("old", "content")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.rename("old", "new"))?;
        driver.saw(moved_from("old"))?;
        driver.saw(moved_to("new"))?;
        driver.nothing_else()?;
        is_pair(scene, &driver, "old", "new")
    },
    ..Case::MUST
};

/// Returns whether the two halves of a rename have to be there: the backend promises that, and its profile
/// does not say that the promise cannot be kept here.
fn is_paired(scene: &Scene) -> bool {
    scene.has(TrackRelated) && scene.profile.pairs_renames
}

/// Fails unless the two halves are there, in order and with one tracker, if the backend promises that.
fn is_pair(scene: &Scene, driver: &Driver, from: &str, to: &str) -> Step {
    is_pair_of(scene, driver, &scene.path(from), &scene.path(to))
}

/// Does the same for any paths.
pub(super) fn is_pair_of(scene: &Scene, driver: &Driver, from: &Path, to: &Path) -> Step {
    if !is_paired(scene) {
        return Ok(());
    }
    let half = |mode, path: &Path| {
        let kind = EventKind::Modify(ModifyKind::Name(mode));
        driver.events().enumerate().find(|(_, event)| event.kind == kind && event.path == path)
    };
    let [shown_from, shown_to] = [from, to].map(|path| scene.timeline.show(path));
    let expected =
        format!("modify/name/from {shown_from}, then modify/name/to {shown_to}, with one tracker");
    match (half(RenameMode::From, from), half(RenameMode::To, to)) {
        (Some((first, from)), Some((second, to))) if first < second => {
            match (from.attrs.tracker(), to.attrs.tracker()) {
                (Some(one), Some(other)) if one == other => Ok(()),
                (one, other) => fail(expected, format!("the trackers are {one:?} and {other:?}")),
            }
        }
        (Some(_), Some(_)) => fail(expected, "`to` came before `from`"),
        _ => fail(expected, "not both halves were reported"),
    }
}

const BETWEEN_FOLDERS: Case = Case {
    id: "REN02",
    name: "between_folders",
    needs: &[WatchRecursively],
    modes: Mode::ALL,
    checks: "A rename from one folder of a tree to another, and from one watched tree to another, is \
             a pair with one tracker.",
    why: "fsnotify's scripts rename-to-different-dir and rename-from-other-watch; notify#491.",
    usual_cause: "Halves are matched within one folder only.",
    run: |scene| {
        for folder in ["one/a", "one/b", "other"] {
            scene.tree.mkdir_all(folder)?;
        }
        scene.tree.write("one/a/file", "content")?;
        let roots = [Watch::recursive(scene.path("one")), Watch::recursive(scene.path("other"))];
        let mut driver = scene.watch(roots)?;
        for (from, to) in [("one/a/file", "one/b/file"), ("one/b/file", "other/file")] {
            driver.next_step();
            driver.perform(scene.mode, |tree| tree.rename(from, to))?;
            driver.saw(moved_from(from))?;
            driver.saw(moved_to(to))?;
            driver.nothing_else()?;
            is_pair(scene, &driver, from, to)?;
        }
        Ok(())
    },
    ..Case::MUST
};

const MOVED_IN: Case = Case {
    id: "REN03",
    name: "moved_in",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A file that is moved in from an unwatched place is reported as created, or as the new name of a \
             rename.",
    why: "fsnotify's script rename-from-unwatched; watchdog's test_move_to.",
    usual_cause: "The second half of a rename is dropped because the first is missing.",
    run: |scene| {
        scene.outside.write("file", "content")?;
        let mut driver = scene.watch([scene.flat()])?;
        let from = scene.outside.path("file");
        driver.perform(scene.mode, |tree| tree.rename(&from, "file"))?;
        driver.saw(appeared("file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const MOVED_OUT: Case = Case {
    id: "REN04",
    name: "moved_out",
    needs: &[WatchFolders],
    checks: "A file or folder that is moved out of the watched folder is reported as gone, even if nothing \
             else happens.",
    why: "dotnet/corefx#2671, notify#480: the first half was held back to wait for the second.",
    usual_cause: "The `From` half waits for its `To`, which never comes.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        scene.tree.mkdir_all("folder/below")?;
        let mut driver = scene.watch([scene.flat()])?;
        for name in ["file", "folder"] {
            scene.tree.rename(name, scene.outside.path(name))?;
            // Not settled by a barrier: that would be something else that happens.
            driver.saw(gone(name))?;
            driver.settle()?;
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const OVER_EXISTING: Case = Case {
    id: "REN05",
    name: "over_existing",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A rename over an existing file, from inside and from outside, is reported for the \
             target, and not as its removal alone.",
    why: "fsnotify's script rename-overwrite; notify's create_write_overwrite.",
    usual_cause: "The removal of the replaced file is reported last.",
    run: |scene| {
        scene.tree.write("source", "new")?;
        // Of another size, as coarse times alone would not tell it from the new ones.
        scene.tree.write("target", "replaced")?;
        scene.outside.write("source", "newer")?;
        let mut driver = scene.watch([scene.flat()])?;
        let outside = scene.outside.path("source");
        let inside = scene.path("source");
        for source in [inside, outside] {
            driver.next_step();
            driver.perform(scene.mode, |tree| tree.rename(&source, "target"))?;
            driver.saw(touched("target"))?;
            let target = scene.path("target");
            let last = driver
                .events()
                .filter(|event| event.path == target)
                .filter(|event| !matches!(event.kind, EventKind::Access(_)))
                .last()
                .map(|event| event.kind);
            ensure(
                !matches!(last, Some(EventKind::Remove(_))),
                "the last event of the target says that it is there",
                || "it says that it is removed".into(),
            )?;
            if source.starts_with(scene.path("")) {
                driver.saw(gone("source"))?;
            }
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const CHAIN: Case = Case {
    id: "REN06",
    name: "chain",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Each step of a chain of renames, and of an exchange through a third name, is a pair \
             with a tracker of its own.",
    why: "notify's rename_twice; parcel's coalese multiple rename events.",
    usual_cause: "Halves are matched by path, and the second rename finds the halves of the first one.",
    run: |scene| {
        scene.tree.write("a", "content")?;
        scene.tree.write("x", "content")?;
        scene.tree.write("y", "content")?;
        let mut driver = scene.watch([scene.flat()])?;
        let steps = [("a", "b"), ("b", "c"), ("x", "tmp"), ("y", "x"), ("tmp", "y")];
        driver.perform(scene.mode, |tree| {
            steps.iter().try_for_each(|(from, to)| tree.rename(from, to))
        })?;
        if scene.profile.coalesced && scene.mode != Mode::Stepped {
            driver.saw(gone("a"))?;
            return driver.saw(appeared("c"));
        }
        for (from, to) in steps {
            driver.saw(moved_from(from))?;
            driver.saw(moved_to(to))?;
        }
        driver.nothing_else()?;
        let steps = steps.map(|(from, to)| (scene.path(from), scene.path(to)));
        are_pairs(scene, &driver, &steps)
    },
    ..Case::MUST
};

/// Fails unless each of the renames is a pair, with a tracker of its own, if the backend promises that.
fn are_pairs(scene: &Scene, driver: &Driver, renames: &[(PathBuf, PathBuf)]) -> Step {
    if !is_paired(scene) {
        return Ok(());
    }
    let mut reported: HashMap<Tracker, (Option<PathBuf>, Option<PathBuf>)> = HashMap::new();
    for event in driver.events() {
        let Some(tracker) = event.attrs.tracker() else { continue };
        let (from, to) = reported.entry(tracker).or_default();
        match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                *from = Some(event.path.clone());
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => *to = Some(event.path.clone()),
            _ => {}
        }
    }
    let reported: Vec<_> =
        reported.into_values().filter_map(|(from, to)| Some((from?, to?))).collect();
    let missing = renames.iter().find(|rename| !reported.contains(rename));
    ensure(missing.is_none(), "each rename is a pair with a tracker of its own", || {
        format!("there is no pair for {missing:?}; there are {} pairs", reported.len())
    })
}

const EXCHANGED: Case = Case {
    id: "REN07",
    name: "exchanged",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    modes: Mode::ALL,
    checks: "Two files that are exchanged in one step are both reported.",
    why: "The platform sends events for two renames, and the first seems to overwrite.",
    usual_cause: "A rename to an existing name is dropped.",
    run: |scene| {
        scene.tree.write("a", "one")?;
        scene.tree.write("b", "other")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.exchange("a", "b"))?;
        driver.saw(touched("a"))?;
        driver.saw(touched("b"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const ONTO_ITSELF: Case = Case {
    id: "REN08",
    name: "onto_itself",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "Renaming a file onto another name of the same file changes nothing, and no name is \
             reported as gone.",
    why: "POSIX rename(2): the call does nothing and succeeds.",
    usual_cause: "The change is derived from the call and not from the platform's events.",
    run: |scene| {
        scene.tree.write("a", "content")?;
        scene.tree.hard_link("a", "b")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.rename("a", "b"))?;
        driver.never_saw(&gone("a"))?;
        driver.never_saw(&gone("b"))
    },
    ..Case::MUST
};

const MANY_AT_ONCE: Case = Case {
    id: "REN09",
    name: "many_at_once",
    needs: &[WatchFolders],
    modes: &[Mode::Batched],
    checks: "Renames by eight threads at once are each a pair with a tracker of its own.",
    why: "fsnotify keeps ten open renames; arcbox#582 pairs only what was read together.",
    usual_cause: "Open halves are kept in a small ring, or only the last one is.",
    run: |scene| {
        const THREADS: usize = 8;
        const RENAMES: usize = 200;

        for thread in 0..THREADS {
            scene.tree.create(format!("{thread}-0"))?;
        }
        let mut driver = scene.watch([scene.flat()])?;
        let name = |thread, i| format!("{thread}-{i}");
        let tree = scene.tree.clone();
        driver.perform(scene.mode, |_| {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .map(|thread| {
                        let tree = &tree;
                        scope.spawn(move || {
                            (0..RENAMES)
                                .try_for_each(|i| tree.rename(name(thread, i), name(thread, i + 1)))
                        })
                    })
                    .collect();
                threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
            })
        })?;
        for thread in 0..THREADS {
            driver.saw(appeared(name(thread, RENAMES)))?;
        }
        let renames = (0..THREADS)
            .flat_map(|thread| (0..RENAMES).map(move |i| (name(thread, i), name(thread, i + 1))));
        let renames: Vec<_> =
            renames.map(|(from, to)| (scene.path(from), scene.path(to))).collect();
        if scene.profile.coalesced { Ok(()) } else { are_pairs(scene, &driver, &renames) }
    },
    ..Case::MUST
};

const ACROSS_READS: Case = Case {
    id: "REN10",
    name: "across_reads",
    needs: &[WatchFolders],
    modes: &[Mode::Batched],
    checks: "The halves of a rename are a pair even if the platform delivers them in two reads.",
    why: "watchdog's test_move_internal_batch; arcbox#582.",
    usual_cause: "Open halves are forgotten when a buffer has been read to its end.",
    // Names of many lengths, so that some pair straddles the end of any buffer.
    run: |scene| {
        const RENAMES: usize = 600;

        let name = |i: usize| format!("{i}-{}", "x".repeat(i * 7 % 230));
        scene.tree.create(name(0))?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            (0..RENAMES).try_for_each(|i| tree.rename(name(i), name(i + 1)))
        })?;
        driver.saw(appeared(name(RENAMES)))?;
        let renames: Vec<_> =
            (0..RENAMES).map(|i| (scene.path(name(i)), scene.path(name(i + 1)))).collect();
        if scene.profile.coalesced { Ok(()) } else { are_pairs(scene, &driver, &renames) }
    },
    ..Case::MUST
};

const MANY_MOVED_OUT: Case = Case {
    id: "REN11",
    name: "many_moved_out",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    checks: "First halves without a second one are not kept: 20 000 of them cost no memory.",
    why: "watchdog#1041, watchdog#587.",
    usual_cause: "Open renames are kept until their other half arrives.",
    run: |scene| {
        const ROUNDS: usize = 20;
        const RENAMES: usize = 1000;

        scene.tree.create("file")?;
        let mut driver = scene.watch([scene.flat()])?;
        let (inside, outside) = (scene.path("file"), scene.outside.path("file"));
        let mut first = 0;
        for round in 0..ROUNDS {
            scene.tree.make(&format!("move out and in {RENAMES} times"), "file", |_| {
                (0..RENAMES).try_for_each(|_| {
                    std::fs::rename(&inside, &outside)?;
                    std::fs::rename(&outside, &inside)
                })
            })?;
            driver.settle()?;
            driver.forget_events();
            if round == 1 {
                first = ResourceUsage::memory();
            }
        }
        let grown = ResourceUsage::memory().saturating_sub(first);
        let limit = 1_000_000;
        ensure(grown < limit, format!("memory grows by less than {limit} bytes"), || {
            format!("it grew by {grown} bytes")
        })
    },
    ..Case::MUST
};

const CASE_ONLY: Case = Case {
    id: "REN12",
    name: "case_only",
    needs: &[WatchFolders],
    environment: &[Environment::CaseInsensitive],
    modes: Mode::ALL,
    checks: "On a file system that ignores case, a rename that changes only the case is reported, with \
             the new spelling.",
    why: "JetBrains' testFileCaseChange, watchdog's test_case_change, parcel.",
    usual_cause: "The old name still leads to the file, so nothing seems to have happened.",
    run: |scene| {
        for tree in [&scene.outside, &scene.tree] {
            tree.write("file", "content")?;
        }
        scene.outside.rename("file", "FILE")?;
        let names = std::fs::read_dir(scene.outside.path("")).into_iter().flatten().flatten();
        if !names.map(|entry| entry.file_name()).any(|name| name == "FILE") {
            return Err(Stop::Ignored("the system leaves the file's name as it was".into()));
        }
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.rename("file", "FILE"))?;
        driver.saw(appeared("FILE"))
    },
    ..Case::MUST
};

const SPECIAL_FILES: Case = Case {
    id: "REN13",
    name: "special_files",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    modes: Mode::ALL,
    checks: "Renames of links and named pipes, in a folder and to another one, are reported like those of files.",
    why: "fsnotify's script rename-symlink.",
    usual_cause: "A link is resolved, and its target reported.",
    run: |scene| {
        scene.tree.symlink("nowhere", "link")?;
        scene.tree.make("mkfifo", "pipe", platform::mkfifo)?;
        scene.tree.mkdir("below")?;
        let recursive = scene.has(WatchRecursively);
        let mut driver = scene.watch([scene.flat().recursive_if(recursive)])?;
        let in_the_folder = [("link", "link-2"), ("pipe", "pipe-2")];
        let to_another = [("link-2", "below/link"), ("pipe-2", "below/pipe")];
        let renames = if recursive { vec![in_the_folder, to_another] } else { vec![in_the_folder] };
        for renames in renames {
            driver.next_step();
            driver.perform(scene.mode, |tree| {
                renames.iter().try_for_each(|(from, to)| tree.rename(from, to))
            })?;
            for (from, to) in renames {
                driver.saw(moved_from(from))?;
                driver.saw(moved_to(to))?;
                is_pair(scene, &driver, from, to)?;
            }
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const FOLDER: Case = Case {
    id: "REN14",
    name: "folder",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A rename of a folder is one pair, with and without recursion.",
    why: "notify 9 reports the first half once more, after the second.",
    usual_cause: "The folder's own watch reports its move, and so does its parent's.",
    run: |scene| {
        scene.tree.mkdir("old")?;
        scene.tree.create("old/file")?;
        let recursive = scene.has(WatchRecursively);
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("")).recursive_if(recursive)])?;
        driver.perform(scene.mode, |tree| tree.rename("old", "new"))?;
        driver.saw(moved_from("old"))?;
        driver.saw(moved_to("new"))?;
        is_pair(scene, &driver, "old", "new")?;
        for half in [moved_from("old"), moved_to("new")] {
            let count = driver.count(&half);
            ensure(count == 1, "each half once", || format!("one of them came {count} times"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const TO_AND_FRO_UNREAD: Case = Case {
    id: "REN15",
    name: "to_and_fro_unread",
    needs: &[WatchFolders],
    checks: "However often a file was renamed to and fro before that is read, the last report about each of the two \
             names says whether it is there.",
    why: "The counterpart of FIL08. fanotify merges equal renames, and the one that it reports last is not \
          the one that happened last.",
    usual_cause: "Equal events are merged, and the first of them keeps its place.",
    run: |scene| {
        for times in 1..=6 {
            let [one, other] = ["one", "other"].map(|name| format!("{name}-{times}"));
            scene.tree.write(&one, "content")?;
            let mut driver = scene.watch([scene.flat()])?;
            for i in 0..times {
                let (from, to) = if i % 2 == 0 { (&one, &other) } else { (&other, &one) };
                scene.tree.rename(from, to)?;
            }
            driver.settle()?;
            for name in [&one, &other] {
                let path = scene.path(name);
                let says = |event: &Event| {
                    let states = |it: Expected| it.is_stated_by(event, &scene.profile);
                    match (states(appeared(name)), states(gone(name))) {
                        (there, away) if there == away => None,
                        (there, _) => Some(there),
                    }
                };
                let last =
                    driver.events().filter(|event| event.path == path).filter_map(says).last();
                let is_there = path.exists();
                let expected =
                    format!("the last report about tree/{name} says whether it is there");
                ensure(last.is_none_or(|last| last == is_there), expected, || {
                    format!(
                        "after {times} renames it is {}",
                        if is_there { "there" } else { "gone" }
                    )
                })?;
            }
            if times % 2 == 1 {
                driver.saw(moved_from(&one))?;
                driver.saw(moved_to(&other))?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const MANY_FILES: Case = Case {
    id: "REN16",
    name: "many_files",
    needs: &[WatchFolders],
    checks: "Each of 300 files that are renamed one after the other is reported, as a pair with a tracker of its own \
             if the backend tracks renames.",
    why: "The counterpart of REN09 for platforms that merge the steps of one file.",
    usual_cause: "Trackers are numbers of one byte, or begin again with each look.",
    run: |scene| {
        const FILES: usize = 300;

        scene.tree.create_many(FILES)?;
        let mut driver = scene.watch([scene.flat()])?;
        let name = |i| (format!("{i}"), format!("{i}-renamed"));
        let names: Vec<_> = (0..FILES).map(name).collect();
        for half in names.chunks(FILES / 2) {
            half.iter().try_for_each(|(from, to)| scene.tree.rename(from, to))?;
            driver.settle()?;
        }
        for (from, to) in &names {
            driver.saw(gone(from))?;
            driver.saw(appeared(to))?;
            is_pair(scene, &driver, from, to)?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};
