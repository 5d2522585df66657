//! Folders in a watched folder (DIR).

use crate::{
    backend::Watch,
    capability::Capability::{WatchFolders, WatchNewFolders, WatchRecursively},
    compliance::{
        case::{Case, Group},
        environment::Environment,
        expect::{appeared, created_folder, metadata_changed, removed_folder, touched, written},
        failure::{Stop, ensure},
        mode::Mode,
    },
    event::{Event, EventKind},
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
    run: |lab| {
        lab.tree.mkdir("old")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| {
            tree.mkdir("new")?;
            tree.rmdir("old")
        })?;
        watcher.saw(created_folder("new"))?;
        watcher.saw(removed_folder("old"))?;
        watcher.nothing_else()
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
    run: |lab| {
        lab.tree.mkdir_all("folder/sub")?;
        lab.tree.create("folder/file")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| tree.remove_all("folder"))?;
        watcher.saw(removed_folder("folder"))?;
        watcher.nothing_else()
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
    why: "notify#747, notify#709, notify#720, notify#960: removals were reported that were not the \
          last word.",
    usual_cause: "The end of a folder's own watch is reported a second time, after its parent's event.",
    run: |lab| {
        lab.tree.mkdir_all("top/a/b")?;
        for file in ["top/1", "top/a/2", "top/a/b/3"] {
            lab.tree.create(file)?;
        }
        let mut watcher = lab.watch([lab.deep()])?;
        watcher.perform(lab.mode, |tree| tree.remove_all("top"))?;
        watcher.saw(removed_folder("top"))?;
        watcher.settle()?;
        if lab.profile.sampled {
            return Ok(());
        }
        let top = lab.path("top");
        let changes = |event: &&Event| {
            event.path.starts_with(&top) && !matches!(event.kind, EventKind::Access(_))
        };
        let events: Vec<_> = watcher.events().filter(changes).collect();
        let removal = events
            .iter()
            .position(|event| event.path == top && matches!(event.kind, EventKind::Remove(_)));
        let after = removal.map_or(0, |at| events.len() - at - 1);
        ensure(after == 0, "the removal of the top is the last word on the tree", || {
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
    why: "chokidar#379, chokidar#917, chokidar#1059: three times the same mistake.",
    usual_cause: "The backend still has the old folder in its table, and adds no new watch.",
    run: |lab| {
        lab.tree.mkdir("folder")?;
        let mut watcher = lab.watch([lab.deep()])?;
        for i in 0..3 {
            watcher.next_step();
            let file = format!("folder/file-{i}");
            watcher.perform(lab.mode, |tree| {
                tree.remove_all("folder")?;
                tree.mkdir("folder")?;
                tree.create(&file)
            })?;
            watcher.saw(appeared(&file))?;
            watcher.next_step();
            lab.tree.append(&file, "more")?;
            watcher.settle_in(&["folder"])?;
            watcher.saw(written(&file))?;
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
    usual_cause: "The events of the folder's own watch and of its parent's watch are both reported.",
    run: |lab| {
        if !lab.profile.distinguishes_metadata {
            return Err(Stop::Ignored("the profile does not tell metadata apart".into()));
        }
        lab.tree.mkdir("folder")?;
        let recursive = lab.has(WatchRecursively);
        let mut watcher =
            lab.watch([Watch::non_recursive(lab.path("")).recursive_if(recursive)])?;
        watcher.perform(lab.mode, |tree| tree.chmod("folder", 0o700))?;
        watcher.saw(metadata_changed("folder"))?;
        let count = watcher.count(&metadata_changed("folder"));
        ensure(count == 1, "one event for one change", || format!("there were {count}"))?;
        watcher.nothing_else()
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
    // That nothing below is reported is an invariant; here is the occasion to break it.
    run: |lab| {
        lab.tree.mkdir("old")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| {
            tree.create("old/file")?;
            tree.mkdir("new")?;
            tree.write("new/file", "content")
        })?;
        watcher.saw(created_folder("new"))?;
        watcher.nothing_else()
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
    run: |lab| {
        lab.tree.mkdir("folder")?;
        for name in ["file", "folder/one", "folder/other"] {
            lab.tree.write(name, "content")?;
        }
        let recursive = lab.has(WatchRecursively);
        let mut watcher =
            lab.watch([Watch::non_recursive(lab.path("")).recursive_if(recursive)])?;
        watcher.perform(lab.mode, |tree| {
            tree.create("new")?;
            tree.create("folder/new")?;
            tree.remove("folder/one")?;
            tree.remove("new")
        })?;
        for name in ["file", "folder/other"] {
            watcher.never_saw(&touched(name))?;
        }
        Ok(())
    },
    ..Case::MUST
};
