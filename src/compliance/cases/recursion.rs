//! Watching below folders, and folders that appear (REC).

use std::{fs, path::Path, time::Duration};

use super::{calls::remove, stream::is_quiet};
use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{
                Expected, appeared, created_file, gone, metadata_changed, modified, removed_file,
                touched, written,
            },
            failure::{Step, Stop, ensure, fail},
        },
        scene::{
            Scene, driver::Driver, environment::Environment, mounts, places, platform,
            stopwatch::Taken, tree::Tree,
        },
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            ChangeWatches, WatchEntireFilesystem, WatchFiles, WatchNewFolders, WatchRecursively,
        },
        error::{BackendError, StreamError},
        event::EventKind,
    },
};

pub(super) const GROUP: Group = Group {
    name: "recursion",
    title: "Recursion and new folders",
    guide: "Watching recursively",
    cases: &[
        EXISTING_TREE,
        NEW_FOLDER,
        NEW_FOLDER_RACE,
        NEW_FOLDERS_AMID_READING,
        MOVED_IN,
        MOVED_OUT,
        RENAMED_INSIDE,
        RENAMED_TWICE,
        NAMES_THAT_BEGIN_ALIKE,
        FOLDER_COMES_AND_GOES,
        UNREADABLE_FOLDER,
        FOLDER_BECOMES_READABLE,
        LARGE_TREE,
        OVERLAPPING_ROOTS,
        EXCHANGED_FOLDERS,
        CHANGED_AFTER_MOVE,
        DISPLACED_BY_COPY,
        LARGE_TREE_OVERFLOWS_NOTHING,
        RENAMED_AND_MADE_ANEW,
        ROOT_IN_ROOT,
        UNMOUNTED_INSIDE,
        COPIED_UP,
        MOUNTED_INSIDE,
        OVER_EMPTY_FOLDER,
        BUSY_BEFORE_MOVED_IN,
        FOLDER_BECOMES_UNREADABLE,
        SEEN_FOR_A_WHILE,
        SPELLED_OTHERWISE,
        SAME_NUMBERS,
    ],
};

const EXISTING_TREE: Case = Case {
    id: "REC01",
    name: "existing_tree",
    needs: &[WatchRecursively],
    checks: "Changes are reported at depth 1, 5 and 50 of an existing tree.",
    why: "fsnotify's script add-file; libuv's dir_recursive.",
    usual_cause: "Only the given folder is watched, or the scan stops at some depth.",
    run: |scene| {
        let at_depth = |depth: usize| vec!["d"; depth].join("/");
        scene.tree.mkdir_all(at_depth(50))?;
        let mut driver = scene.watch([scene.deep()])?;
        for depth in [1, 5, 50] {
            let file = format!("{}/file-{depth}", at_depth(depth));
            scene.tree.create(&file)?;
            driver.settle_in(&[at_depth(depth)])?;
            driver.saw(created_file(&file))?;
        }
        driver.nothing_else()
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
    run: |scene| {
        let mut driver = scene.watch([scene.deep()])?;
        for folder in ["a", "a/b", "a/b/c"] {
            scene.tree.mkdir(folder)?;
            driver.settle()?;
            driver.saw(appeared(folder))?;
            let file = format!("{folder}/file");
            scene.tree.create(&file)?;
            driver.settle()?;
            driver.saw(created_file(&file))?;
        }
        driver.nothing_else()
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
    run: |scene| {
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            tree.mkdir_all("a/b/c/d")?;
            tree.create("a/b/c/d/file")
        })?;
        for path in ["a", "a/b", "a/b/c", "a/b/c/d", "a/b/c/d/file"] {
            driver.saw(appeared(path))?;
        }
        driver.nothing_else()?;
        driver.next_step();
        scene.tree.append("a/b/c/d/file", "later")?;
        driver.settle_in(&["a/b/c/d"])?;
        driver.saw(touched("a/b/c/d/file"))
    },
    ..Case::MUST
};

const NEW_FOLDERS_AMID_READING: Case = Case {
    id: "REC04",
    name: "new_folders_amid_reading",
    needs: &[WatchNewFolders],
    modes: &[Mode::Concurrent, Mode::Batched],
    checks: "Of 200 folders that each get a file at once, every file is reported.",
    why: "fswatch#330, fswatch#354 (`git add`), AnyEvent-Filesys-Notify#11.",
    usual_cause: "A folder is listed before its watch is in place, or the list is not compared with \
                  the events that arrived meanwhile.",
    run: |scene| {
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            (0..200).try_for_each(|i| {
                tree.mkdir(format!("{i}"))?;
                tree.create(format!("{i}/file"))
            })
        })?;
        (0..200).try_for_each(|i| driver.saw(appeared(format!("{i}/file"))))
    },
    ..Case::MUST
};

/// Writes to each of these files, and fails unless that is reported.
fn are_watched(scene: &Scene, driver: &mut Driver, files: &[&str]) -> Step {
    for file in files {
        driver.next_step();
        scene.tree.append(file, "more")?;
        driver.settle()?;
        driver.saw(written(file))?;
    }
    Ok(())
}

const MOVED_IN: Case = Case {
    id: "REC05",
    name: "moved_in",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "A folder that is moved in from outside is reported, and everything in it is watched.",
    why: "watchdog#4, watchdog#1094, watchdog#1278, notify#491, osquery#1969.",
    usual_cause: "The second half of a rename without a first one is not treated as a new folder.",
    run: |scene| {
        scene.outside.mkdir_all("top/a/b")?;
        for file in ["top/1", "top/a/2", "top/a/b/3"] {
            scene.outside.write(file, "content")?;
        }
        let mut driver = scene.watch([scene.deep()])?;
        let from = scene.outside.path("top");
        driver.perform(scene.mode, |tree| tree.rename(&from, "top"))?;
        driver.saw(appeared("top"))?;
        driver.settle_in(&["top/a/b"])?;
        are_watched(scene, &mut driver, &["top/1", "top/a/2", "top/a/b/3"])
    },
    ..Case::MUST
};

const MOVED_OUT: Case = Case {
    id: "REC06",
    name: "moved_out",
    needs: &[WatchRecursively],
    modes: Mode::ALL,
    checks: "A folder that is moved out is reported as gone, and changes in it at its new place are \
             not reported.",
    why: "fsnotify's script rename-to-unwatched; watchdog#363.",
    usual_cause: "The watch moves along with the folder, and the backend keeps its old path.",
    run: |scene| {
        scene.tree.mkdir_all("top/a")?;
        scene.tree.write("top/a/file", "content")?;
        let mut driver = scene.watch([scene.deep()])?;
        let to = scene.outside.path("top");
        driver.perform(scene.mode, |tree| tree.rename("top", &to))?;
        driver.saw(gone("top"))?;
        driver.next_step();
        scene.outside.append("top/a/file", "more")?;
        scene.outside.create("top/new")?;
        driver.settle()?;
        driver.never_saw(&touched("top/a/file"))?;
        driver.never_saw(&touched("top/new"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const RENAMED_INSIDE: Case = Case {
    id: "REC07",
    name: "renamed_inside",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "In a folder that was renamed within the tree, changes at every depth are reported under \
             the new path, and none under the old one.",
    why: "inotify-tools#4, inotify-tools#59, rjeczalik/notify#195, PyInotify#19, e-dant/watcher#109.",
    usual_cause: "The path of the folder itself is updated, but those below it are not.",
    run: |scene| {
        scene.tree.mkdir_all("old/a/b")?;
        scene.tree.mkdir("other")?;
        scene.tree.write("old/a/b/file", "content")?;
        let mut driver = scene.watch([scene.deep()])?;
        for (from, to) in [("old", "new"), ("new", "other/newer")] {
            driver.next_step();
            driver.perform(scene.mode, |tree| tree.rename(from, to))?;
            driver.saw(gone(from))?;
            driver.saw(appeared(to))?;
            driver.next_step();
            let file = format!("{to}/a/b/file");
            scene.tree.append(&file, "more")?;
            driver.settle_in(&[format!("{to}/a/b")])?;
            driver.saw(written(&file))?;
            driver.never_saw(&touched(format!("{from}/a/b/file")))?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};

const RENAMED_TWICE: Case = Case {
    id: "REC08",
    name: "renamed_twice",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "After a folder and the one above it were renamed, and renamed again, changes are reported \
             under the final path.",
    why: "inotify-tools#130; notify's rename_dir_twice.",
    usual_cause: "The new path is built from a parent's path that is out of date.",
    run: |scene| {
        scene.tree.mkdir_all("a/x")?;
        scene.tree.write("a/x/file", "content")?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            tree.rename("a/x", "a/y")?;
            tree.rename("a", "b")?;
            tree.rename("b", "c")?;
            tree.rename("c/y", "c/z")
        })?;
        driver.saw(appeared("c"))?;
        driver.next_step();
        scene.tree.append("c/z/file", "more")?;
        driver.settle_in(&["c/z"])?;
        driver.saw(written("c/z/file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const NAMES_THAT_BEGIN_ALIKE: Case = Case {
    id: "REC09",
    name: "names_that_begin_alike",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "Renaming or removing a folder `a` does not concern its neighbour `ab`.",
    why: "fsnotify#754, fsnotify#755.",
    usual_cause: "Paths below a folder are found by comparing text prefixes.",
    run: |scene| {
        for folder in ["a", "ab", "a-c"] {
            scene.tree.mkdir_all(format!("{folder}/sub"))?;
            scene.tree.write(format!("{folder}/sub/file"), "content")?;
        }
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| tree.rename("a", "b"))?;
        are_watched(scene, &mut driver, &["ab/sub/file", "a-c/sub/file", "b/sub/file"])?;
        driver.perform(scene.mode, |tree| tree.remove_all("b"))?;
        are_watched(scene, &mut driver, &["ab/sub/file", "a-c/sub/file"])
    },
    ..Case::MUST
};

const FOLDER_COMES_AND_GOES: Case = Case {
    id: "REC10",
    name: "folder_comes_and_goes",
    needs: &[WatchNewFolders],
    modes: &[Mode::Concurrent, Mode::Batched],
    checks: "A folder that was made and removed 300 times is still watched when it stays.",
    why: "inotify-tools#29, inotify-tools#120, notify#61.",
    usual_cause: "A watch could not be added for a folder that was gone, but its name was recorded as \
                  watched.",
    run: |scene| {
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            (0..300).try_for_each(|_| {
                tree.mkdir("folder")?;
                tree.rmdir("folder")
            })?;
            tree.mkdir("folder")?;
            tree.create("folder/file")
        })?;
        driver.saw(appeared("folder/file"))?;
        are_watched(scene, &mut driver, &["folder/file"])
    },
    ..Case::MUST
};

const UNREADABLE_FOLDER: Case = Case {
    id: "REC11",
    name: "unreadable_folder",
    needs: &[WatchRecursively],
    environment: &[Environment::OrdinaryUser],
    is_shown_late: true,
    checks: "A folder that may not be read, whether it was there before or moved in later, does not keep the \
             rest of the tree from being watched. One error item names it; then the backend is quiet.",
    why: "watchdog#670, watchfiles#147, cargo-watch#146, node-watch#108: one folder of root's, and \
          nothing could be watched.",
    usual_cause: "The first error of the scan is returned from `new`; report it in the stream instead.",
    run: |scene| {
        // A folder that may not be written cannot be moved: its entry `..` changes.
        let lock = |tree: &Tree, folder: &str| {
            tree.mkdir_all(format!("{folder}/below"))?;
            tree.chmod(folder, 0o200)
        };
        lock(&scene.tree, "locked")?;
        scene.tree.mkdir_all("old/below")?;
        lock(&scene.tree, "old/below/locked")?;
        scene.outside.mkdir("moved")?;
        lock(&scene.outside, "moved/locked")?;
        lock(&scene.outside, "later")?;
        lock(&scene.outside, "new")?;
        scene.show()?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.allow_errors();
        let mut locked = vec!["locked", "old/below/locked"];
        let mut open = vec!["", "old", "old/below"];
        if scene.has(WatchNewFolders) {
            scene.tree.mkdir("new")?;
            scene.tree.rename(scene.outside.path("new"), "new/locked")?;
            scene.tree.rename(scene.outside.path("later"), "old/later")?;
            scene.tree.rename(scene.outside.path("moved"), "moved")?;
            locked.extend(["old/later", "new/locked", "moved/locked"]);
            open.extend(["new", "moved"]);
        }
        driver.settle_in(&open)?;
        for folder in &open {
            scene.tree.create(Path::new(folder).join("file"))?;
        }
        driver.settle_in(&open)?;
        for folder in open {
            driver.saw(created_file(Path::new(folder).join("file")))?;
        }
        let named: Vec<_> = driver.errors().iter().filter_map(StreamError::path).collect();
        let silent = locked.iter().find(|folder| !named.contains(&&*scene.path(folder)));
        ensure(silent.is_none(), "an error item Unwatched for each locked folder", || {
            format!("there is none for {silent:?}; the errors are {:?}", driver.errors())
        })?;
        driver.drain()?;
        is_quiet(scene, &mut driver)?;
        let times =
            |path: &Path| driver.errors().iter().filter(|it| it.path() == Some(path)).count();
        let repeated = locked.iter().find(|folder| times(&scene.path(folder)) > 1);
        ensure(repeated.is_none(), "one error item for each locked folder", || {
            format!("there are several for {repeated:?}: {:?}", driver.errors())
        })
    },
    ..Case::MUST
};

const FOLDER_BECOMES_READABLE: Case = Case {
    id: "REC12",
    name: "folder_becomes_readable",
    needs: &[WatchNewFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A folder that could not be read is watched once it can.",
    why: "MetPX/sarracenia#289. Ignored where the platform merges changes and the backend does not look by itself: \
          kqueue has to open a folder to watch it, and sends no events for one that could not be opened.",
    usual_cause: "A failed folder is not tried again when its permissions change.",
    run: |scene| {
        let fill = |tree: &Tree| {
            tree.mkdir("locked")?;
            tree.chmod("locked", 0o000)
        };
        places::of(scene).filled(fill).with_errors().each(|driver, place| {
            place.chmod("locked", 0o755)?;
            driver.settle()?;
            place.create("locked/file")?;
            driver.settle()?;
            let file = appeared(place.path("locked/file"));
            let is_blind = scene.profile.coalesced && !scene.profile.sampled;
            if is_blind && driver.count(&file) == 0 {
                let reason = "the platform sends no events for a folder that could not be opened";
                return Err(Stop::Ignored(reason.into()));
            }
            driver.saw(file)
        })
    },
    ..Case::MUST
};

const LARGE_TREE: Case = Case {
    id: "REC13",
    name: "large_tree",
    needs: &[WatchRecursively],
    checks: "A tree of 2000 folders, and one that is 200 folders deep, is watched in reasonable time, \
             and a change at the far end is reported.",
    why: "gradle tests with 10 000 folders; JDK's LotsOfEntries.",
    usual_cause: "Each new folder is compared with all others, or the scan recurses on the stack.",
    run: |scene| {
        let deep = make_large_tree(scene, 2000)?;
        let (driver, Taken { own: took, .. }) =
            scene.stopwatch().time(|| scene.watch([scene.deep()]));
        let mut driver = driver?;
        // Another case checks that the scan itself loses nothing.
        driver.guard.may_miss = true;
        scene.measured("time of `new` for 2241 folders", format!("{took:.0?}"));
        driver.drain()?;
        for folder in ["wide/39/49", deep.as_str()] {
            let file = format!("{folder}/file");
            scene.tree.create(&file)?;
            driver.saw(created_file(&file))?;
        }
        let limit = Duration::from_secs(10);
        ensure(took < limit, format!("`new` takes less than {limit:?}"), || {
            format!("it took {took:?}")
        })
    },
    ..Case::MUST
};

/// Makes many folders, 50 in each, and some that are 200 deep. Returns the deepest.
fn make_large_tree(scene: &Scene, count: usize) -> Step<String> {
    scene.tree.make(&format!("make {count} folders in the folders in"), "wide", |wide| {
        (0..count).try_for_each(|i| fs::create_dir_all(wide.join(format!("{}/{}", i / 50, i % 50))))
    })?;
    let deep = vec!["d"; 200].join("/");
    scene.tree.mkdir_all(&deep)?;
    Ok(deep)
}

const OVERLAPPING_ROOTS: Case = Case {
    id: "REC14",
    name: "overlapping_roots",
    needs: &[WatchRecursively],
    modes: Mode::ALL,
    checks: "When a folder and one inside it are both watched, in either order, changes in the inner \
             one are reported once.",
    why: "rjeczalik/notify#208, rjeczalik/notify#230, efsw#128, notify#708.",
    usual_cause: "The platform gives both the same number, and the second entry replaces the first.",
    run: |scene| {
        scene.tree.mkdir_all("outer/inner/deep")?;
        let (outer, inner) = (scene.path("outer"), scene.path("outer/inner"));
        let outer = [Watch::recursive(&outer), Watch::non_recursive(&outer)];
        let inner = [Watch::recursive(&inner), Watch::non_recursive(&inner)];
        let mut name = 0;
        for outer in &outer {
            for inner in &inner {
                for watches in [[outer, inner], [inner, outer]] {
                    let mut driver = scene.watch(watches.map(Clone::clone))?;
                    name += 1;
                    let mut files =
                        vec![format!("outer/inner/file-{name}"), format!("outer/file-{name}")];
                    if outer.recursive || inner.recursive {
                        files.push(format!("outer/inner/deep/file-{name}"));
                    }
                    let renamed = |file: &String| format!("{file}-renamed");
                    driver.perform(scene.mode, |tree| {
                        files.iter().try_for_each(|it| tree.create(it))
                    })?;
                    for file in &files {
                        is_reported_once(&mut driver, &created_file(file))?;
                    }
                    driver.perform(scene.mode, |tree| {
                        files.iter().try_for_each(|file| tree.rename(file, renamed(file)))
                    })?;
                    for file in &files {
                        is_reported_once(&mut driver, &gone(file))?;
                        is_reported_once(&mut driver, &appeared(renamed(file)))?;
                    }
                    driver.perform(scene.mode, |tree| {
                        files.iter().try_for_each(|file| tree.remove(renamed(file)))
                    })?;
                    for file in &files {
                        is_reported_once(&mut driver, &removed_file(renamed(file)))?;
                    }
                    driver.nothing_else()?;
                }
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// Fails unless the fact is reported, once.
fn is_reported_once(driver: &mut Driver, expected: &Expected) -> Step {
    driver.saw(expected.clone())?;
    let count = driver.count(expected);
    ensure(count == 1, format!("one event of {}", expected.path.display()), || {
        format!("there were {count}")
    })
}

const EXCHANGED_FOLDERS: Case = Case {
    id: "REC15",
    name: "exchanged_folders",
    needs: &[WatchNewFolders],
    environment: &[Environment::Linux],
    modes: Mode::ALL,
    is_disturbed: true,
    checks: "After two folders were exchanged in one step, changes in each are reported under its new \
             path.",
    why: "watchman's test_fishy; the platform sends four halves of renames.",
    usual_cause: "The second half of the first rename replaces the folder that is still there.",
    run: |scene| {
        for folder in ["a", "b"] {
            scene.tree.mkdir_all(format!("{folder}/sub"))?;
            scene.tree.write(format!("{folder}/sub/of-{folder}"), "content")?;
        }
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| tree.exchange("a", "b"))?;
        if distinguishes_folders(scene) {
            driver.saw(touched("a"))?;
            driver.saw(touched("b"))?;
        }
        are_watched(scene, &mut driver, &["a/sub/of-b", "b/sub/of-a"])?;
        driver.never_saw(&touched("a/sub/of-a"))?;
        driver.never_saw(&touched("b/sub/of-b"))
    },
    ..Case::MUST
};

/// Returns whether a folder that takes another one's place is seen. A backend that compares states, and cannot
/// tell one folder from another, finds the same as before.
fn distinguishes_folders(scene: &Scene) -> bool {
    !scene.profile.coalesced || scene.profile.pairs_renames
}

const CHANGED_AFTER_MOVE: Case = Case {
    id: "REC16",
    name: "changed_after_move",
    needs: &[WatchNewFolders],
    modes: &[Mode::Batched, Mode::Concurrent],
    checks: "A change made in a folder right after it was renamed is reported after the rename, or an \
             event for something above it is.",
    why: "The README of dart's watcher calls it the example of a data race.",
    usual_cause: "The old path is looked up when the change is read, and does not exist any more.",
    run: |scene| {
        scene.tree.mkdir_all("old/sub")?;
        scene.tree.write("old/sub/file", "content")?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            tree.rename("old", "new")?;
            tree.append("new/sub/file", "more")?;
            tree.create("new/sub/fresh")
        })?;
        driver.saw(appeared("new"))?;
        driver.saw(touched("new/sub/file"))?;
        driver.saw(appeared("new/sub/fresh"))
    },
    ..Case::MUST
};

const DISPLACED_BY_COPY: Case = Case {
    id: "REC18",
    name: "displaced_by_copy",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "When a tree is renamed and a copy takes its place, both are watched under their paths.",
    why: "JetBrains' testDisplacementByIsomorphicTree; watchman's test_more_moves.",
    usual_cause: "The new folder is found under the old path, which is recorded as watched.",
    run: |scene| {
        for folder in ["tree-a", "copy"] {
            scene.tree.mkdir_all(format!("{folder}/sub"))?;
            scene.tree.write(format!("{folder}/sub/file"), "content")?;
        }
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            tree.rename("tree-a", "backup")?;
            tree.rename("copy", "tree-a")
        })?;
        driver.saw(appeared("backup"))?;
        if distinguishes_folders(scene) {
            driver.saw(appeared("tree-a"))?;
        }
        are_watched(scene, &mut driver, &["tree-a/sub/file", "backup/sub/file"])
    },
    ..Case::MUST
};

const LARGE_TREE_OVERFLOWS_NOTHING: Case = Case {
    id: "REC19",
    name: "large_tree_overflows_nothing",
    needs: &[WatchRecursively],
    checks: "Watching a tree of 5000 folders does not fill the platform's queue.",
    why: "A backend's own listing causes access events too, and those of 5000 folders overflow the \
          queue of Linux.",
    usual_cause: "The platform is asked for accesses before the folders are listed.",
    run: |scene| {
        make_large_tree(scene, 5000)?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.settle()
    },
    ..Case::SHOULD
};

const RENAMED_AND_MADE_ANEW: Case = Case {
    id: "REC20",
    name: "renamed_and_made_anew",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "When a new folder is renamed and another one is made under its first name, both are \
             watched under their paths, and neither is mistaken for the other.",
    why: "When the first creation is read, the name already leads to the second folder.",
    usual_cause: "The folder found under the name is mistaken for the first one, and follows its rename.",
    run: |scene| {
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            tree.mkdir("first")?;
            tree.create("first/old")?;
            tree.rename("first", "second")?;
            tree.mkdir("first")?;
            tree.create("first/new")
        })?;
        driver.saw(appeared("second"))?;
        driver.saw(appeared("first/new"))?;
        driver.never_saw(&touched("second/new"))?;
        are_watched(scene, &mut driver, &["first/new", "second/old"])?;
        driver.never_saw(&touched("second/new"))
    },
    ..Case::MUST
};

const ROOT_IN_ROOT: Case = Case {
    id: "REC21",
    name: "root_in_root",
    needs: &[WatchRecursively],
    environment: &[Environment::Unix],
    checks: "For a watched folder inside another watched folder, a change of its permissions, its \
             renaming and its removal are each reported once.",
    why: "The platform sends events for the folder itself and for the one above it.",
    usual_cause: "Events about a watched folder itself are reported for every watched path, and not \
                  only if nothing above it is watched.",
    run: |scene| {
        let (outer, inner) = (scene.path("outer"), scene.path("outer/inner"));
        let inner = Watch::recursive(inner);
        for outer in [Watch::recursive(&outer), Watch::non_recursive(&outer)] {
            for watches in [[&outer, &inner], [&inner, &outer]] {
                for is_renamed in [true, false] {
                    scene.tree.mkdir_all("outer/inner")?;
                    let mut driver = scene.watch(watches.map(Clone::clone))?;
                    scene.tree.chmod("outer/inner", 0o700)?;
                    driver.settle()?;
                    let reported = driver.count(&metadata_changed("outer/inner"));
                    // The barrier's file changes the folder's time, which may look the same.
                    let is_once = reported <= 1 || !scene.profile.distinguishes_metadata;
                    ensure(is_once, "the change of permissions is reported once", || {
                        format!("it was {reported} times")
                    })?;
                    driver.forget(&inner.path);
                    if is_renamed {
                        scene.tree.rename("outer/inner", "outer/renamed")?;
                    } else {
                        scene.tree.remove_all("outer/inner")?;
                    }
                    driver.settle()?;
                    driver.saw(gone("outer/inner"))?;
                    let reported = driver.count(&gone("outer/inner"));
                    ensure(reported == 1, "it is reported as gone once", || {
                        format!("it was {reported} times")
                    })?;
                    drop(driver);
                    scene.tree.remove_all("outer")?;
                }
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const UNMOUNTED_INSIDE: Case = Case {
    id: "REC22",
    name: "unmounted_inside",
    needs: &[WatchNewFolders],
    // Such a backend does not promise what is mounted below.
    without: &[WatchEntireFilesystem],
    environment: &[Environment::Mounts],
    is_shown_late: true,
    checks: "When a file system that was mounted in a watched tree is unmounted, that is reported, and \
             the folder below the mount is watched from then on.",
    why: "e-dant/watcher#67, fsnotify#774, lf#1548.",
    usual_cause: "The platform's event ends the watch, and the backend does not check what is there now.",
    run: |scene| {
        scene.tree.mkdir_all("mount/below")?;
        let mount = scene.path("mount");
        mounts::mount(scene, &mount)?;
        scene.tree.mkdir("mount/in")?;
        scene.show()?;
        let mut driver = scene.watch([scene.deep()])?;
        scene.tree.create("mount/in/file")?;
        driver.settle()?;
        driver.saw(created_file("mount/in/file"))?;
        driver.next_step();
        driver.guard.may_miss = true;
        driver.allow_errors();
        if let Err(error) = mounts::unmount(scene, &mount) {
            let expected = "the backend does not keep the file system busy";
            return fail(expected, format!("umount failed: {error}"));
        }
        driver.settle()?;
        if driver.errors().iter().any(|error| error.path() == Some(&mount)) {
            return Ok(());
        }
        if distinguishes_folders(scene) && !driver.has_missed_in(&mount) {
            driver.saw(gone("mount"))?;
            driver.saw(appeared("mount"))?;
        }
        for folder in ["mount", "mount/below"] {
            driver.next_step();
            let file = format!("{folder}/file");
            scene.tree.create(&file)?;
            driver.settle_in(&[folder])?;
            driver.saw(created_file(&file))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const COPIED_UP: Case = Case {
    id: "REC23",
    name: "copied_up",
    needs: &[WatchRecursively],
    environment: &[Environment::Mounts],
    is_shown_late: true,
    checks: "On an overlayfs, writing a file of the lower layer is reported as a change, and nothing \
             is reported as gone: the file is copied, along with its folders, and nothing was removed.",
    why: "libuv#1201, moby#11705: files in containers are stored like that.",
    usual_cause: "A folder is recognised by its number or its birth time, which the copy changes.",
    run: |scene| {
        // Also where the case's own folder is on an overlayfs.
        mounts::mount(scene, &scene.path(""))?;
        for folder in ["lower/folder/deep", "upper", "work", "merged"] {
            scene.tree.mkdir_all(folder)?;
        }
        for file in ["lower/folder/deep/file", "lower/folder/beside"] {
            scene.tree.write(file, "content")?;
        }
        let merged = scene.path("merged");
        mounts::mount_overlay(scene, &merged)?;
        scene.show()?;
        let watch = Watch::recursive(&merged);
        if let Err(BackendError::Unavailable { reason, .. }) = scene.try_watch([watch.clone()])? {
            return Err(Stop::Ignored(format!("the backend watches no overlayfs: {reason}")));
        }
        let mut driver = scene.watch([watch])?;
        scene.tree.append("merged/folder/deep/file", "more")?;
        driver.settle()?;
        driver.saw(modified("merged/folder/deep/file"))?;
        for path in ["merged/folder", "merged/folder/deep", "merged/folder/beside"] {
            driver.never_saw(&gone(path))?;
            driver.never_saw(&appeared(path))?;
        }
        driver.never_saw(&gone("merged/folder/deep/file"))?;
        scene.tree.create("merged/folder/deep/new")?;
        driver.settle_in(&["merged/folder/deep"])?;
        driver.saw(created_file("merged/folder/deep/new"))?;
        drop(driver);
        mounts::unmount(scene, &merged).map_err(Stop::Broken)
    },
    ..Case::MUST
};

const MOUNTED_INSIDE: Case = Case {
    id: "REC24",
    name: "mounted_inside",
    needs: &[WatchRecursively],
    environment: &[Environment::Mounts],
    is_shown_late: true,
    checks: "Changes in a file system that is mounted in a watched tree are reported, or an error item names \
             its folder.",
    why: "A home folder or a volume of a container is often a file system of its own.",
    usual_cause: "The platform's watch ends where the file system does, and the backend does not look for \
                  others below.",
    run: |scene| {
        scene.tree.mkdir("mount")?;
        let mount = scene.path("mount");
        mounts::mount(scene, &mount)?;
        scene.show()?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.allow_errors();
        scene.tree.create("mount/file")?;
        driver.settle()?;
        if !driver.errors().iter().any(|error| error.path() == Some(&mount)) {
            driver.saw(created_file("mount/file"))?;
        }
        drop(driver);
        mounts::unmount(scene, &mount).map_err(Stop::Broken)
    },
    ..Case::MUST
};

const OVER_EMPTY_FOLDER: Case = Case {
    id: "REC25",
    name: "over_empty_folder",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    environment: &[Environment::Unix],
    checks: "A folder that is renamed over an empty one is watched under that name, with all below it. So is \
             one that is renamed back.",
    why: "`rename` replaces an empty folder: deployments swap a finished folder in like that.",
    usual_cause: "The end of the replaced folder's watch is mistaken for that of the folder that now has its \
                  path.",
    run: |scene| {
        scene.tree.mkdir_all("old/deep")?;
        scene.tree.mkdir("place")?;
        scene.tree.write("old/deep/file", "content")?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.perform(scene.mode, |tree| {
            tree.mkdir("place-of-new")?;
            tree.mkdir_all("new/deep")?;
            tree.write("new/deep/file", "content")?;
            tree.rename("old", "place")?;
            tree.rename("new", "place-of-new")
        })?;
        driver.saw(gone("old"))?;
        are_watched(scene, &mut driver, &["place/deep/file", "place-of-new/deep/file"])?;
        driver.next_step();
        driver.perform(scene.mode, |tree| {
            tree.mkdir("old")?;
            tree.rename("place", "old")
        })?;
        driver.saw(gone("place"))?;
        are_watched(scene, &mut driver, &["old/deep/file"])
    },
    ..Case::MUST
};

const BUSY_BEFORE_MOVED_IN: Case = Case {
    id: "REC26",
    name: "busy_before_moved_in",
    needs: &[WatchNewFolders],
    checks: "A folder in which much happened while it was not watched is watched like any other once it is moved \
             into the tree, with all below it.",
    why: "The counterpart of REC05: a facility that gets the events of a whole file system has met the folder before.",
    usual_cause: "The backend has noted that the folder is of no interest, and does not forget that.",
    run: |scene| {
        let folders = ["", "/sub", "/sub/deep"];
        for round in 0..3 {
            let busy = scene.outside.path(format!("busy-{round}"));
            scene.outside.mkdir_all(busy.join("sub/deep"))?;
            let mut driver = scene.watch([scene.deep()])?;
            for folder in folders {
                for i in 0..5 {
                    scene.outside.create(format!("busy-{round}{folder}/before-{i}"))?;
                }
                // The backend has met these events, and has left them out.
                driver.settle()?;
            }
            driver.next_step();
            let moved = format!("moved-{round}");
            scene.tree.rename(&busy, &moved)?;
            driver.settle_in(&[format!("{moved}/sub/deep")])?;
            driver.saw(appeared(&moved))?;
            driver.next_step();
            for folder in folders {
                scene.tree.create(format!("{moved}{folder}/after"))?;
            }
            driver.settle()?;
            for folder in folders {
                driver.saw(created_file(format!("{moved}{folder}/after")))?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const FOLDER_BECOMES_UNREADABLE: Case = Case {
    id: "REC27",
    name: "folder_becomes_unreadable",
    needs: &[WatchRecursively],
    environment: &[Environment::OrdinaryUser],
    checks: "If a folder with folders in it becomes unreadable, nothing in it is reported as removed, and if it \
             becomes readable again, nothing as created. Then it is watched as before.",
    why: "The counterpart of REC12. A consumer that mirrors the tree would delete its copy.",
    usual_cause: "A folder that cannot be listed is taken for an empty one, or what is below it is forgotten.",
    run: |scene| {
        let known = ["locked/file", "locked/sub/file", "locked/sub/deep/file"];
        scene.tree.mkdir_all("locked/sub/deep")?;
        known.iter().try_for_each(|file| scene.tree.write(file, "content"))?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.allow_errors();
        for (mode, name) in [(0o000, "locked"), (0o755, "locked again")] {
            scene.timeline.did(format!("{name}: {mode:o}"));
            scene.tree.chmod("locked", mode)?;
            driver.settle()?;
            for path in known.into_iter().chain(["locked/sub", "locked/sub/deep", "locked"]) {
                driver.never_saw(&gone(path))?;
                driver.never_saw(&appeared(path))?;
            }
        }
        driver.next_step();
        scene.tree.create("locked/sub/new")?;
        driver.settle_in(&["locked/sub"])?;
        driver.saw(created_file("locked/sub/new"))
    },
    ..Case::MUST
};

const SEEN_FOR_A_WHILE: Case = Case {
    id: "REC28",
    name: "seen_for_a_while",
    needs: &[WatchNewFolders],
    checks: "A file that a consumer finds when it lists a folder just reported as new, and that is removed right \
             afterwards, does not stay in its mirror: something is reported about the file or a folder above it.",
    why: "Otherwise, the consumer keeps a file that never was for the backend.",
    usual_cause: "The backend compares two looks, both without the file, and finds no difference.",
    run: |scene| {
        scene.distinguishes_moments()?;
        let mut driver = scene.watch([scene.deep()])?;
        for round in 0..10 {
            driver.next_step();
            let folder = format!("folder-{round}");
            scene.tree.mkdir(&folder)?;
            driver.saw(appeared(&folder))?;
            driver.next_step();
            let file = format!("{folder}/file");
            scene.tree.create(&file)?;
            scene.tree.remove(&file)?;
            driver.settle()?;
            let above = [scene.path(&folder), scene.path(&file)];
            let is_told = driver.events().any(|event| {
                above.contains(&event.path) && !matches!(event.kind, EventKind::Access(_))
            });
            ensure(is_told, format!("an event about tree/{folder}, or the file in it"), || {
                "there was none".into()
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const SPELLED_OTHERWISE: Case = Case {
    id: "REC29",
    name: "spelled_otherwise",
    needs: &[WatchRecursively],
    // On Windows, `PathBuf::push` removes the dot from a verbatim path.
    environment: &[Environment::Unix],
    checks: "If a folder or a file in a watched tree is watched under another spelling, before the tree or after it, \
             each of the two reports under its own, and the tree goes on when the other watch is removed.",
    why: "The counterpart of REC14 and CHG11: one part of a program watches `a`, and another `./a/b`.",
    usual_cause: "A map from the platform's number of a folder to one path: the later watch takes all events of the \
                  folder.",
    run: |scene| {
        scene.tree.mkdir_all("outer/inner/deep")?;
        scene.tree.create("outer/inner/file")?;
        let outer = Watch::recursive(scene.path("outer"));
        let dotted = |below: &str| scene.path(format!("outer/./inner{below}"));
        let mut others = vec![Watch::non_recursive(dotted("")), Watch::recursive(dotted(""))];
        if scene.has(WatchFiles) {
            others.push(Watch::non_recursive(dotted("/file")));
        }
        let mut number = 0;
        for other in others {
            for watches in [[outer.clone(), other.clone()], [other.clone(), outer.clone()]] {
                number += 1;
                let mut driver = scene.watch(watches)?;
                scene.tree.create(format!("outer/inner/made-{number}"))?;
                scene.tree.create(format!("outer/inner/deep/made-{number}"))?;
                scene.tree.append("outer/inner/file", "more")?;
                driver.settle()?;
                let is_file = other.path.ends_with("file");
                let spellings =
                    [("outer/inner", true, true), ("outer/./inner", !is_file, other.recursive)];
                for (inner, has_entries, is_deep) in spellings {
                    driver.saw(written(format!("{inner}/file")))?;
                    if has_entries {
                        driver.saw(created_file(format!("{inner}/made-{number}")))?;
                    }
                    if is_deep {
                        driver.saw(created_file(format!("{inner}/deep/made-{number}")))?;
                    }
                }
                driver.nothing_else()?;
                if scene.has(ChangeWatches) {
                    remove(&mut driver, &other.path)?;
                    driver.next_step();
                    let later = format!("outer/inner/later-{number}");
                    scene.tree.create(&later)?;
                    driver.settle()?;
                    driver.saw(created_file(later))?;
                    driver.nothing_else()?;
                }
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const SAME_NUMBERS: Case = Case {
    id: "REC30",
    name: "same_numbers",
    needs: &[WatchRecursively],
    environment: &[Environment::Mounts],
    is_shown_late: true,
    checks: "Two watched trees on different file systems, whose files and folders have the same numbers, are \
             distinguished: what happens in either one is reported for that one.",
    why: "Each file system numbers its files anew: two that were made in the same way have the same numbers.",
    usual_cause: "Files are known by their inode alone; the number of the file system belongs to it.",
    run: |scene| {
        const TREES: [&str; 2] = ["one", "other"];

        for tree in TREES {
            scene.tree.mkdir(tree)?;
            mounts::mount(scene, &scene.path(tree))?;
            scene.tree.mkdir(format!("{tree}/sub"))?;
            for file in ["file", "sub/file"] {
                scene.tree.write(format!("{tree}/{file}"), "content")?;
            }
        }
        for path in ["", "sub", "file", "sub/file"] {
            let [one, other] =
                TREES.map(|tree| platform::number(&scene.path(tree).join(path)).ok());
            if one.is_none() || one != other {
                return Err(Stop::Ignored(
                    "the system numbers the files of both differently".into(),
                ));
            }
        }
        scene.show()?;
        let mut driver = scene.watch(TREES.map(|tree| Watch::recursive(scene.path(tree))))?;
        for changed in TREES {
            driver.next_step();
            for file in ["file", "sub/file"] {
                scene.tree.append(format!("{changed}/{file}"), "more")?;
            }
            driver.settle()?;
            for file in ["file", "sub/file"] {
                driver.saw(written(format!("{changed}/{file}")))?;
            }
            driver.nothing_else()?;
        }
        for changed in TREES {
            driver.next_step();
            scene.tree.rename(format!("{changed}/sub/file"), format!("{changed}/sub/new"))?;
            scene.tree.remove(format!("{changed}/file"))?;
            driver.settle()?;
            driver.saw(gone(format!("{changed}/sub/file")))?;
            driver.saw(appeared(format!("{changed}/sub/new")))?;
            driver.saw(removed_file(format!("{changed}/file")))?;
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};
