//! Order, and duplicate events (ORD).

use std::{collections::HashMap, path::Path};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{
                created, created_file, created_folder, removed, removed_file, touched, written,
            },
            failure::ensure,
        },
    },
    contract::{
        backend::Watch,
        capability::Capability::{WatchFolders, WatchNewFolders, WatchRecursively},
        event::{Event, EventKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "ordering",
    title: "Order and duplicates",
    guide: "Reporting events",
    cases: &[
        OF_ONE_PATH,
        IN_ONE_FOLDER,
        ACROSS_FOLDERS,
        NOTHING_TWICE,
        MERGED_WRITES,
        LAST_WORD,
        BETWEEN_BARRIERS,
        COUNTED,
    ],
};

const OF_ONE_PATH: Case = Case {
    id: "ORD01",
    name: "of_one_path",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Events of one path are reported in order: created, written, removed, created.",
    why: "fsnotify's own tests sort both sides before comparing.",
    usual_cause: "Events are collected in a set, or two threads deliver them.",
    run: |scene| {
        scene.sees_changes()?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.write("file", "content")?;
            tree.append("file", "more")?;
            tree.remove("file")?;
            tree.mkdir("file")
        })?;
        driver.saw_in_order([
            created_file("file"),
            written("file"),
            removed_file("file"),
            created_folder("file"),
        ])?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const IN_ONE_FOLDER: Case = Case {
    id: "ORD02",
    name: "in_one_folder",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Files that are made one after the other in a folder are reported in that order.",
    why: "Logs and spools are read in the order in which they were written.",
    usual_cause: "Events are collected in a map.",
    run: |scene| {
        scene.sees_changes()?;
        let mut driver = scene.watch([scene.flat()])?;
        let count = if scene.mode == Mode::Stepped { 5 } else { 200 };
        driver.perform(scene.mode, |tree| {
            // Not in the order of their names.
            (0..count).try_for_each(|i| tree.create(format!("{}-{i}", i * 7 % 10)))
        })?;
        let expected: Vec<_> =
            (0..count).map(|i| scene.path(format!("{}-{i}", i * 7 % 10))).collect();
        let reported: Vec<_> = driver
            .events()
            .filter(|event| matches!(event.kind, EventKind::Create(_)))
            .map(|event| event.path.clone())
            .collect();
        let first =
            expected.iter().zip(&reported).find(|(expected, reported)| expected != reported);
        ensure(reported == expected, format!("{count} creations in their order"), || {
            format!("{} creations were reported, first out of order: {first:?}", reported.len())
        })
    },
    ..Case::MUST
};

const ACROSS_FOLDERS: Case = Case {
    id: "ORD03",
    name: "across_folders",
    needs: &[WatchRecursively],
    modes: &[Mode::Batched],
    checks: "Changes in several folders of one tree are reported in the order in which they happened.",
    why: "The contract leaves it open; some facilities have one queue for all.",
    usual_cause: "There is one queue per folder.",
    run: |scene| {
        scene.sees_changes()?;
        for i in 0..10 {
            scene.tree.mkdir(format!("folder-{i}"))?;
        }
        let mut driver = scene.watch([scene.deep()])?;
        let files: Vec<_> = (0..100).map(|i| format!("folder-{}/{i}", i * 7 % 10)).collect();
        driver.perform(scene.mode, |tree| files.iter().try_for_each(|file| tree.create(file)))?;
        let expected: Vec<_> = files.iter().map(|file| scene.path(file)).collect();
        let reported: Vec<_> = driver
            .events()
            .filter(|event| matches!(event.kind, EventKind::Create(_)))
            .map(|event| event.path.clone())
            .collect();
        ensure(reported == expected, "100 creations in their order", || {
            "the order is different".into()
        })
    },
    ..Case::MAY
};

const NOTHING_TWICE: Case = Case {
    id: "ORD04",
    name: "nothing_twice",
    needs: &[WatchFolders],
    checks: "If no race is possible, one creation is one event, and so is one removal, for files and \
             folders.",
    why: "howeyc/fsnotify#16, notify#708, fsnotify#524.",
    usual_cause: "Entries found by listing a new folder are reported although the platform sends events for \
                  them too; or a folder is watched by itself and through its parent.",
    run: |scene| {
        let recursive = scene.has(WatchNewFolders);
        let root = Watch::non_recursive(scene.path("")).recursive_if(recursive);
        let mut driver = scene.watch([root])?;
        scene.tree.create("file")?;
        driver.settle()?;
        scene.tree.mkdir("folder")?;
        driver.settle()?;
        if recursive {
            scene.tree.create("folder/file")?;
            driver.settle_in(&["folder"])?;
            scene.tree.remove("folder/file")?;
            driver.settle()?;
        }
        scene.tree.remove("file")?;
        driver.settle()?;
        scene.tree.make("remove all of", "folder", |path| std::fs::remove_dir_all(path))?;
        driver.settle()?;
        let below: &[&str] = if recursive { &["folder/file"] } else { &[] };
        for path in ["file", "folder"].iter().chain(below) {
            for (word, expected) in [("created", created(path)), ("removed", removed(path))] {
                let count = driver.count(&expected);
                ensure(count == 1, format!("{path} is reported as {word} once"), || {
                    format!("it was reported so {count} times")
                })?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const MERGED_WRITES: Case = Case {
    id: "ORD05",
    name: "merged_writes",
    needs: &[WatchFolders],
    modes: &[Mode::Batched],
    checks: "Of several equal writes that have not been read yet, at least one is reported, and not \
             more than there were.",
    why: "Linux merges them; five writes may be one event.",
    usual_cause: "All equal events are treated as duplicates.",
    run: |scene| {
        scene.tree.create("file")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| (0..5).try_for_each(|_| tree.append("file", "x")))?;
        driver.saw(written("file"))?;
        let count = driver.count(&written("file"));
        ensure(count <= 5, "at most 5 events", || format!("there were {count}"))
    },
    ..Case::MUST
};

const LAST_WORD: Case = Case {
    id: "ORD06",
    name: "last_word",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "After the removal of a path, nothing is reported for it until it is there again.",
    why: "notify#747: events were reported after a removal.",
    usual_cause: "The removal comes from two sources, one of which is late.",
    run: |scene| {
        scene.sees_changes()?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.write("file", "content")?;
            tree.append("file", "more")?;
            tree.remove("file")
        })?;
        driver.saw(removed_file("file"))?;
        let path = scene.path("file");
        let last = driver.events().filter(|event| event.path == path).last();
        let is_removal = last.is_some_and(|event| matches!(event.kind, EventKind::Remove(_)));
        ensure(is_removal, "the removal is the last event of tree/file", || {
            format!("it is {last:?}")
        })
    },
    ..Case::MUST
};

const BETWEEN_BARRIERS: Case = Case {
    id: "ORD07",
    name: "between_barriers",
    needs: &[WatchFolders],
    checks: "In one folder, a change is reported after earlier ones and before later ones.",
    why: "The suite's own barriers depend on it.",
    usual_cause: "Events of one folder come from two sources.",
    run: |scene| {
        scene.sees_changes()?;
        scene.tree.create("file")?;
        let mut driver = scene.watch([scene.flat()])?;
        for _ in 0..20 {
            driver.settle()?;
            driver.next_step();
            scene.tree.append("file", "more")?;
            driver.settle()?;
            ensure(driver.count(&touched("file")) > 0, "an event of tree/file", || {
                "the file that was made after the change was reported, and the change was not"
                    .into()
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const COUNTED: Case = Case {
    id: "ORD08",
    name: "counted",
    needs: &[WatchNewFolders],
    modes: &[Mode::Batched, Mode::Concurrent],
    checks: "Each entry of a new folder is reported once, in each of a hundred rounds, even if the platform \
             sends events for entries that a listing of the folder has found.",
    why: "The counterpart of ORD04 with a race: notify#708, howeyc/fsnotify#16.",
    usual_cause: "The entries found by listing a new folder are not compared with the events that the platform \
                  sends for them later.",
    run: |scene| {
        const ROUNDS: usize = 100;

        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            (0..ROUNDS).try_for_each(|i| {
                tree.mkdir(i.to_string())?;
                tree.create(format!("{i}/file"))?;
                tree.mkdir(format!("{i}/sub"))?;
                tree.create(format!("{i}/sub/file"))
            })
        })?;
        driver.settle()?;
        let is_creation = |event: &&Event| matches!(event.kind, EventKind::Create(_));
        let mut counts: HashMap<&Path, usize> = HashMap::new();
        for event in driver.events().filter(is_creation) {
            *counts.entry(&event.path).or_default() += 1;
        }
        for i in 0..ROUNDS {
            for below in ["", "/file", "/sub", "/sub/file"] {
                let path = format!("{i}{below}");
                let count = counts.get(scene.path(&path).as_path()).copied().unwrap_or_default();
                ensure(count == 1, format!("tree/{path} is reported as created once"), || {
                    format!("it was reported so {count} times")
                })?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};
