//! Watching below folders, and folders that appear (REC).

use crate::{
    capability::Capability::{WatchNewFolders, WatchRecursively},
    compliance::{
        case::{Case, Group},
        expect::{appeared, created_file, touched},
        mode::Mode,
    },
};

pub(super) const GROUP: Group = Group {
    name: "recursion",
    title: "Recursion and new folders",
    guide: "Watching recursively",
    cases: &[EXISTING_TREE, NEW_FOLDER, NEW_FOLDER_RACE],
};

const EXISTING_TREE: Case = Case {
    id: "REC01",
    name: "existing_tree",
    needs: &[WatchRecursively],
    checks: "A change is reported at depth 1, 5 and 50 of a tree that was there before.",
    why: "fsnotify's script add-file; libuv's dir_recursive.",
    usual_cause: "Only the given folder is watched, or the scan stops at some depth.",
    run: |lab| {
        let at_depth = |depth: usize| vec!["d"; depth].join("/");
        lab.tree.mkdir_all(at_depth(50))?;
        let mut watcher = lab.watch([lab.deep()])?;
        for depth in [1, 5, 50] {
            let file = format!("{}/file-{depth}", at_depth(depth));
            lab.tree.create(&file)?;
            watcher.settle_in(&[at_depth(depth)])?;
            watcher.saw(created_file(&file))?;
        }
        watcher.nothing_else()
    },
    ..Case::MUST
};

const NEW_FOLDER: Case = Case {
    id: "REC02",
    name: "new_folder",
    needs: &[WatchNewFolders],
    checks: "A file made in a folder that was itself made a while ago is reported.",
    why: "fswatch#114.",
    usual_cause: "No watch is added for a folder that appears.",
    run: |lab| {
        let mut watcher = lab.watch([lab.deep()])?;
        for folder in ["a", "a/b", "a/b/c"] {
            lab.tree.mkdir(folder)?;
            watcher.settle()?;
            watcher.saw(appeared(folder))?;
            let file = format!("{folder}/file");
            lab.tree.create(&file)?;
            watcher.settle()?;
            watcher.saw(created_file(&file))?;
        }
        watcher.nothing_else()
    },
    ..Case::MUST
};

const NEW_FOLDER_RACE: Case = Case {
    id: "REC03",
    name: "new_folder_race",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "Folders made within each other in one go, and a file in the innermost, are all \
             reported; so is what happens in there later.",
    why: "notify#124, notify#727, nsfw#60, inotify-tools#160, PyInotify#65: what is made in a new \
          folder before it is watched is lost.",
    usual_cause: "A new folder is watched but not listed afterwards; or it is listed first and \
                  watched then, which leaves a gap.",
    run: |lab| {
        let mut watcher = lab.watch([lab.deep()])?;
        watcher.perform(lab.mode, |tree| {
            tree.mkdir_all("a/b/c/d")?;
            tree.create("a/b/c/d/file")
        })?;
        for path in ["a", "a/b", "a/b/c", "a/b/c/d", "a/b/c/d/file"] {
            watcher.saw(appeared(path))?;
        }
        watcher.nothing_else()?;
        watcher.next_step();
        lab.tree.append("a/b/c/d/file", "later")?;
        watcher.settle_in(&["a/b/c/d"])?;
        watcher.saw(touched("a/b/c/d/file"))
    },
    ..Case::MUST
};
