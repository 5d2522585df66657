//! Folders in a watched folder (DIR).

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{
                appeared, created_folder, metadata_changed, removed_folder, touched, written,
            },
            failure::{Stop, ensure},
        },
        scene::environment::Environment,
    },
    contract::{
        backend::Watch,
        capability::Capability::{WatchFolders, WatchNewFolders, WatchRecursively},
        event::{Event, EventKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "folders",
    title: "Folders in a watched folder",
    guide: "Reporting events",
    cases: &[
        MADE_AND_REMOVED,
        REMOVED_WITH_CONTENT,
        REMOVED_TREE,
        MADE_AGAIN,
        METADATA,
        BELOW_IS_NOT_WATCHED,
        SIBLINGS_ARE_LEFT_ALONE,
    ],
};

const MADE_AND_REMOVED: Case = Case {
    id: "DIR01",
    name: "made_and_removed",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A folder is reported as created and as removed, and as a folder, never as a file.",
    why: "notify#545.",
    usual_cause: "The platform's flag for folders is ignored, or the kind is looked up in a file \
                  system that has changed since.",
    run: |scene| {
        scene.tree.mkdir("old")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.mkdir("new")?;
            tree.rmdir("old")
        })?;
        driver.saw(created_folder("new"))?;
        driver.saw(removed_folder("old"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const REMOVED_WITH_CONTENT: Case = Case {
    id: "DIR02",
    name: "removed_with_content",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "When a folder with content is removed below a watch without recursion, the folder is \
             reported and its content is not.",
    why: "fsnotify's script subdir.",
    usual_cause: "Subfolders are watched even if recursion was not requested.",
    run: |scene| {
        scene.tree.mkdir_all("folder/sub")?;
        scene.tree.create("folder/file")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.remove_all("folder"))?;
        driver.saw(removed_folder("folder"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const REMOVED_TREE: Case = Case {
    id: "DIR03",
    name: "removed_tree",
    needs: &[WatchRecursively],
    modes: Mode::ALL,
    checks: "When a tree is removed, its top is reported as removed, after all reports about its \
             content, and nothing follows.",
    why: "notify#747, notify#709, notify#720, notify#960: events were reported after the removal.",
    usual_cause: "The end of a folder's own watch is reported a second time, after its parent's event.",
    run: |scene| {
        scene.tree.mkdir_all("top/a/b")?;
        for file in ["top/1", "top/a/2", "top/a/b/3"] {
            scene.tree.create(file)?;
        }
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| tree.remove_all("top"))?;
        driver.saw(removed_folder("top"))?;
        driver.settle()?;
        if scene.profile.coalesced {
            return Ok(());
        }
        let top = scene.path("top");
        let changes = |event: &&Event| {
            event.path.starts_with(&top) && !matches!(event.kind, EventKind::Access(_))
        };
        let events: Vec<_> = driver.events().filter(changes).collect();
        let removal = events
            .iter()
            .position(|event| event.path == top && matches!(event.kind, EventKind::Remove(_)));
        let after = removal.map_or(0, |at| events.len() - at - 1);
        ensure(after == 0, "the last event of the tree is the removal of its top", || {
            format!("{after} events followed it, the last of them {}", events[events.len() - 1])
        })
    },
    ..Case::MUST
};

const MADE_AGAIN: Case = Case {
    id: "DIR04",
    name: "made_again",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "A folder that is removed and made again under its name is watched like the first one.",
    why: "chokidar#379, chokidar#917, chokidar#1059: the same mistake three times.",
    usual_cause: "The backend still has the old folder in its table, and adds no new watch.",
    run: |scene| {
        scene.tree.mkdir("folder")?;
        let mut driver = scene.watch([scene.deep()])?;
        for i in 0..3 {
            driver.next_step();
            let file = format!("folder/file-{i}");
            driver.perform(scene.mode, |tree| {
                tree.remove_all("folder")?;
                tree.mkdir("folder")?;
                tree.create(&file)
            })?;
            driver.saw(appeared(&file))?;
            driver.next_step();
            scene.tree.append(&file, "more")?;
            driver.settle_in(&["folder"])?;
            driver.saw(written(&file))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const METADATA: Case = Case {
    id: "DIR05",
    name: "metadata",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A change of a folder's permissions is reported for the folder, once.",
    why: "notify's chmod_dir.",
    usual_cause: "The folder's own watch and that of the folder above it both tell of it. Where both are reported, it \
                  comes twice; where each is left to the other, as events about a folder itself often are, it does not \
                  come at all.",
    run: |scene| {
        if !scene.profile.distinguishes_metadata {
            return Err(Stop::Ignored(
                "the profile says that metadata is not distinguished".into(),
            ));
        }
        scene.tree.mkdir("folder")?;
        let recursive = scene.has(WatchRecursively);
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("")).recursive_if(recursive)])?;
        driver.perform(scene.mode, |tree| tree.chmod("folder", 0o700))?;
        driver.saw(metadata_changed("folder"))?;
        let count = driver.count(&metadata_changed("folder"));
        ensure(count == 1, "one event for one change", || format!("there were {count}"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const BELOW_IS_NOT_WATCHED: Case = Case {
    id: "DIR06",
    name: "below_is_not_watched",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Below a watch without recursion, changes in subfolders, old and new, are not reported.",
    why: "watchdog#73; fsnotify's script create-file-in-subdir.",
    usual_cause: "`Watch::recursive` is ignored.",
    // An invariant checks that nothing below is reported; this case gives the backend an occasion to do so.
    run: |scene| {
        scene.tree.mkdir("old")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.create("old/file")?;
            tree.mkdir("new")?;
            tree.write("new/file", "content")
        })?;
        driver.saw(created_folder("new"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const SIBLINGS_ARE_LEFT_ALONE: Case = Case {
    id: "DIR07",
    name: "siblings_are_left_alone",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "When an entry of a folder comes or goes, nothing is reported for the other entries.",
    why: "notify#644: the change of the folder itself was reported for one of its files.",
    usual_cause: "An event about the folder is reported with the name of one of its entries.",
    run: |scene| {
        scene.tree.mkdir("folder")?;
        for name in ["file", "folder/one", "folder/other"] {
            scene.tree.write(name, "content")?;
        }
        let recursive = scene.has(WatchRecursively);
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("")).recursive_if(recursive)])?;
        driver.perform(scene.mode, |tree| {
            tree.create("new")?;
            tree.create("folder/new")?;
            tree.remove("folder/one")?;
            tree.remove("new")
        })?;
        for name in ["file", "folder/other"] {
            driver.never_saw(&touched(name))?;
        }
        Ok(())
    },
    ..Case::MUST
};
