//! Adding and removing watches while the backend runs (CHG).

mod unread;

use std::{
    fs,
    path::{Path, PathBuf},
    task::Waker,
    time::Duration,
};

use self::unread::{
    Arrangement,
    Depth::{self, Deep, Flat},
    Then, lose_nothing,
};
use super::{
    calls::{add, remove},
    construction::{WATCHES, set_limit},
};
use crate::{
    compliance::{
        case::{Case, Group},
        rules::{
            expect::{appeared, created_file, gone, removed_folder, touched, written},
            failure::{Step, Stop, ensure, fail},
            usage::ResourceUsage,
        },
        scene::{Scene, driver::Driver, environment::Environment},
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            ChangeWatches, EmitOnAccess, FollowSymlinks, WatchEntireFilesystem, WatchFiles,
            WatchFolders, WatchNewFolders, WatchRecursively,
        },
        error::BackendError,
        event::{Event, EventKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "changing",
    title: "Adding and removing watches",
    guide: "Changing watches",
    cases: &[
        ADDED,
        REMOVED,
        WITHOUT_GAP,
        NOT_WATCHED,
        MISSING_PATH,
        OTHER_DEPTH,
        ALL_REMOVED,
        UNSUPPORTED,
        ALL_GONE,
        SEVERAL_AT_ONCE,
        TWO_SPELLINGS,
        FOUND_BUT_UNREAD,
        OTHERS_GO_ON,
        NOTHING_LEFT,
        WATCHED_AGAIN,
        WATCHED_BESIDE,
        REFUSED_AT_LIMIT,
        FROM_NOTHING,
        ALL_DEMANDS,
        WOKEN_AFTER_CHANGING,
        REFUSED_AGAIN,
        UNWATCHED_AMID_READING,
        WATCHED_AMID_READING,
        WIDENED,
    ],
};

const ADDED: Case = Case {
    id: "CHG01",
    name: "added",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A folder that is added is watched from the moment `watch` returns, and not before.",
    why: "The counterpart of CON11 and CON12.",
    usual_cause: "Watches are added by a thread or task that `watch` does not wait for.",
    run: |scene| {
        scene.tree.mkdir("one")?;
        scene.tree.mkdir("other")?;
        let mut driver = scene.watch([Watch::non_recursive(scene.path("one"))])?;
        scene.tree.create("other/before")?;
        add(&mut driver, Watch::non_recursive(scene.path("other")))?;
        scene.tree.create("other/after")?;
        driver.settle()?;
        driver.saw(created_file("other/after"))?;
        driver.never_saw(&touched("other/before"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const REMOVED: Case = Case {
    id: "CHG02",
    name: "removed",
    needs: &[ChangeWatches, WatchFolders],
    checks: "Once the watch of a folder is removed, nothing is reported for it, not even earlier changes \
             that have not been read yet.",
    why: "A consumer that has forgotten the path does not know what to do with its events.",
    usual_cause: "Events are already in a queue when the watch is removed.",
    run: |scene| {
        scene.tree.mkdir("one")?;
        scene.tree.mkdir("other")?;
        let watches = ["one", "other"].map(|folder| Watch::non_recursive(scene.path(folder)));
        let mut driver = scene.watch(watches)?;
        scene.tree.create("other/unread")?;
        remove(&mut driver, &scene.path("other"))?;
        scene.tree.create("other/after")?;
        scene.tree.create("one/file")?;
        driver.settle()?;
        driver.saw(created_file("one/file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const WITHOUT_GAP: Case = Case {
    id: "CHG03",
    name: "without_gap",
    needs: &[ChangeWatches, WatchFolders],
    checks: "Adding and removing watches loses no events of the other watches.",
    why: "Backends that start anew for each change of the watches have a gap.",
    usual_cause: "The platform's instance is replaced by a new one.",
    run: |scene| {
        scene.tree.mkdir("kept")?;
        scene.tree.mkdir("other")?;
        let mut driver = scene.watch([Watch::non_recursive(scene.path("kept"))])?;
        let other = scene.path("other");
        for i in 0..20 {
            scene.tree.create(format!("kept/before-{i}"))?;
            add(&mut driver, Watch::non_recursive(&other))?;
            scene.tree.create(format!("kept/between-{i}"))?;
            remove(&mut driver, &other)?;
            scene.tree.create(format!("kept/after-{i}"))?;
        }
        driver.settle()?;
        for i in 0..20 {
            for when in ["before", "between", "after"] {
                driver.saw(created_file(format!("kept/{when}-{i}")))?;
            }
        }
        driver.nothing_else()
    },
    ..Case::MUST
};

const NOT_WATCHED: Case = Case {
    id: "CHG04",
    name: "not_watched",
    needs: &[ChangeWatches, WatchFolders],
    checks: "`unwatch` of a path that is not watched under this spelling returns `NotWatched`, which \
             names it, and changes nothing.",
    why: "notify and fsnotify return an error; silence hides a misspelling.",
    usual_cause: "Paths are compared by their components, which makes `a/` and `a` equal.",
    run: |scene| {
        scene.tree.mkdir("folder")?;
        let mut driver = scene.watch([scene.flat()])?;
        let spelled =
            |end: &str| PathBuf::from([scene.path("").as_os_str(), end.as_ref()].join("".as_ref()));
        for path in [scene.path("folder"), scene.path("missing"), spelled("/"), spelled("/.")] {
            let expected =
                format!("`unwatch` returns NotWatched for {}", scene.timeline.show(&path));
            match driver.unwatch(&path)? {
                Err(BackendError::NotWatched { paths }) if paths == [path] => {}
                answer => return fail(expected, format!("it returned {answer:?}")),
            }
        }
        scene.tree.create("file")?;
        driver.settle()?;
        driver.saw(created_file("file"))
    },
    ..Case::MUST
};

const MISSING_PATH: Case = Case {
    id: "CHG05",
    name: "missing_path",
    needs: &[ChangeWatches, WatchFolders],
    checks: "`watch` of a path that does not exist returns `NotFound`, which names it, and changes \
             nothing.",
    why: "fsnotify's TestRemoveState: an error must not change internal state.",
    usual_cause: "The path is recorded before the platform accepts it.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        let missing = scene.path("missing");
        match driver.watch(Watch::non_recursive(&missing))? {
            Err(BackendError::NotFound { paths }) if paths == [missing.clone()] => {}
            answer => {
                let expected = "`watch` returns NotFound for tree/missing";
                return fail(expected, format!("it returned {answer:?}"));
            }
        }
        let unwatched = driver.unwatch(&missing)?;
        ensure(unwatched.is_err(), "it is not watched now", || "it is".into())?;
        scene.tree.create("file")?;
        driver.settle()?;
        driver.saw(created_file("file"))
    },
    ..Case::MUST
};

const OTHER_DEPTH: Case = Case {
    id: "CHG06",
    name: "other_depth",
    needs: &[ChangeWatches, WatchRecursively],
    checks: "Adding a watched folder again applies the new value of `recursive`, in both directions.",
    why: "The contract says so.",
    usual_cause: "The new watch is ignored because its path is already known.",
    run: |scene| {
        scene.tree.mkdir_all("sub/deep")?;
        let mut driver = scene.watch([scene.flat()])?;
        for (i, recursive) in [true, false, true].into_iter().enumerate() {
            driver.next_step();
            add(&mut driver, Watch::non_recursive(scene.path("")).recursive_if(recursive))?;
            let (near, far) = (format!("near-{i}"), format!("sub/deep/far-{i}"));
            scene.tree.create(&near)?;
            scene.tree.create(&far)?;
            driver.settle()?;
            driver.saw(created_file(&near))?;
            if recursive {
                driver.saw(created_file(&far))?;
            }
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const ALL_REMOVED: Case = Case {
    id: "CHG07",
    name: "all_removed",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A backend whose watches were all removed goes on, and accepts new ones.",
    why: "A frontend that switches from one folder to another removes the old watch first.",
    usual_cause: "The stream ends with the last watch.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        remove(&mut driver, &scene.path(""))?;
        scene.tree.create("unwatched")?;
        driver.drain()?;
        driver.is_pending()?;
        let (flag, waker) = crate::compliance::scene::wake_flag::WakeFlag::new();
        _ = driver.poll_once(&waker)?;
        driver.wait_for_wake(&flag, Duration::from_millis(20));
        add(&mut driver, scene.flat())?;
        scene.tree.create("watched")?;
        driver.settle()?;
        driver.saw(created_file("watched"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const UNSUPPORTED: Case = Case {
    id: "CHG08",
    name: "unsupported",
    without: &[ChangeWatches],
    checks: "Without ChangeWatches, `watch` and `unwatch` return `NotSupported(ChangeWatches)`.",
    why: "A frontend that gets this error makes a new backend.",
    usual_cause: "The provided methods were overridden.",
    run: |scene| {
        let watch = scene.anything()?;
        let mut driver = scene.watch([watch.clone()])?;
        let answers = [driver.watch(watch.clone())?, driver.unwatch(&watch.path)?];
        for answer in answers {
            let right =
                matches!(answer, Err(BackendError::NotSupported { capability: ChangeWatches, .. }));
            ensure(right, "NotSupported(ChangeWatches)", || format!("it returned {answer:?}"))?;
        }
        driver.settle()
    },
    ..Case::MUST
};

const ALL_GONE: Case = Case {
    id: "CHG09",
    name: "all_gone",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A backend whose watched folders are all gone, whether or not it has reported that yet, \
             accepts new watches.",
    why: "Otherwise, the end of the stream races with a new watch: handling that took sixty lines in the \
          adapter for notify.",
    usual_cause: "The stream ends with the last watch.",
    run: |scene| {
        for is_read in [true, false] {
            scene.tree.mkdir("root")?;
            scene.tree.mkdir("next")?;
            let (root, next) = (scene.path("root"), scene.path("next"));
            let mut driver = scene.watch([Watch::non_recursive(&root)])?;
            scene.tree.rmdir("root")?;
            driver.forget(&root);
            if is_read {
                driver.saw(removed_folder("root"))?;
                driver.drain()?;
            }
            add(&mut driver, Watch::non_recursive(&next))?;
            scene.tree.create("next/file")?;
            driver.settle()?;
            driver.saw(removed_folder("root"))?;
            driver.saw(created_file("next/file"))?;
            drop(driver);
            scene.tree.remove_all("next")?;
        }
        Ok(())
    },
    ..Case::MUST
};

const SEVERAL_AT_ONCE: Case = Case {
    id: "CHG10",
    name: "several_at_once",
    needs: &[ChangeWatches, WatchFolders],
    checks: "`watch_all` adds all of its watches, or returns an error and adds none; earlier watches go on.",
    why: "Otherwise, a frontend would not know which of its paths are watched.",
    usual_cause: "The watches added before the error are not removed again.",
    run: |scene| {
        let folders = ["kept", "one", "other"];
        for folder in folders {
            scene.tree.mkdir(folder)?;
        }
        let watch = |folder: &str| Watch::non_recursive(scene.path(folder));
        let mut driver = scene.watch([watch("kept")])?;
        let answer = driver.watch_all(&["one", "missing", "other"].map(watch))?;
        let missing = [scene.path("missing")];
        match &answer {
            Err(BackendError::NotFound { paths, .. }) if *paths == missing => {}
            _ => {
                let expected = "`watch_all` returns NotFound for tree/missing";
                return fail(expected, format!("it returned {answer:?}"));
            }
        }
        for folder in folders {
            scene.tree.create(format!("{folder}/before"))?;
        }
        driver.settle()?;
        driver.saw(created_file("kept/before"))?;
        driver.nothing_else()?;
        for folder in ["one", "other"] {
            let unwatched = driver.unwatch(&scene.path(folder))?;
            ensure(unwatched.is_err(), format!("tree/{folder} is not watched"), || "it is".into())?;
        }

        driver.next_step();
        if let Err(error) = driver.watch_all(&["one", "other"].map(watch))? {
            return fail("`watch_all` adds two folders", format!("it returned: {error}"));
        }
        for folder in folders {
            scene.tree.create(format!("{folder}/after"))?;
        }
        driver.settle()?;
        for folder in folders {
            driver.saw(created_file(format!("{folder}/after")))?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};

const TWO_SPELLINGS: Case = Case {
    id: "CHG11",
    name: "two_spellings",
    needs: &[ChangeWatches, WatchFolders],
    // On Windows, `PathBuf::push` removes the dot from a verbatim path.
    environment: &[Environment::Unix],
    checks: "A folder that is watched under two spellings has two watches: each reports under its own \
             spelling, and is removed separately, along with its events that have not been read yet.",
    why: "If one part of a program passes `a` to a frontend and another part passes `a/.`, the first \
          gets no more events.",
    usual_cause: "Watches are stored by their `PathBuf`, which compares components: `a/.` and `a` are \
                  equal; compare `as_os_str()`.",
    run: |scene| {
        scene.tree.mkdir("folder")?;
        let [plain, dotted] = ["folder", "folder/."].map(|folder| scene.path(folder));
        let mut driver = scene.watch([Watch::non_recursive(&plain)])?;
        add(&mut driver, Watch::non_recursive(&dotted))?;
        scene.tree.create("folder/one")?;
        driver.settle()?;
        driver.saw(created_file("folder/one"))?;
        driver.saw(created_file("folder/./one"))?;
        driver.nothing_else()?;

        remove(&mut driver, &dotted)?;
        driver.next_step();
        scene.tree.create("folder/two")?;
        driver.settle()?;
        driver.saw(created_file("folder/two"))?;
        driver.nothing_else()?;

        add(&mut driver, Watch::non_recursive(&dotted))?;
        remove(&mut driver, &plain)?;
        driver.next_step();
        scene.tree.create("folder/three")?;
        driver.settle()?;
        driver.saw(created_file("folder/./three"))?;
        driver.nothing_else()?;

        add(&mut driver, Watch::non_recursive(&plain))?;
        scene.tree.create("folder/four")?;
        let [by_plain, by_dotted] = ["folder/four", "folder/./four"].map(created_file);
        driver
            .read_until_reported(|driver| driver.count(&by_plain) + driver.count(&by_dotted) > 0)?;
        // The report for the other spelling may still wait in the backend.
        let (other, unsaid) =
            if driver.count(&by_plain) > 0 { (dotted, by_dotted) } else { (plain, by_plain) };
        let has_said = driver.count(&unsaid);
        remove(&mut driver, &other)?;
        driver.settle()?;
        ensure(driver.count(&unsaid) == has_said, "the removed watch reports nothing more", || {
            format!("it was, as {}", other.display())
        })
    },
    ..Case::MUST
};

const FOUND_BUT_UNREAD: Case = Case {
    id: "CHG12",
    name: "found_but_unread",
    needs: &[ChangeWatches, WatchNewFolders],
    checks: "When a consumer removes a watch while reading, nothing more is reported for it, even if the \
             backend had read it ahead or found it in a new folder.",
    why: "The counterpart of CHG02: there, the events are in the platform's queue; here, in the \
          backend's.",
    usual_cause: "`unwatch` does not remove items that wait in a buffer, or does not stop a scan.",
    run: |scene| {
        const ENTRIES: usize = 100;
        const READ: usize = 30;

        scene.tree.mkdir("root")?;
        let root = scene.path("root");
        for moved_in in [false, true] {
            let folder = format!("root/{moved_in}");
            let mut driver = scene.watch([Watch::recursive(&root), scene.barrier_watch()?])?;
            if moved_in {
                scene.outside.mkdir("full")?;
                scene.outside.within("full").create_many(ENTRIES)?;
                scene.tree.rename(scene.outside.path("full"), &folder)?;
            } else {
                scene.tree.mkdir(&folder)?;
                scene.tree.within(&folder).create_many(ENTRIES)?;
            }
            if moved_in {
                driver.saw(appeared(&folder))?;
                // The backend may report more than that.
                for _ in 0..ENTRIES {
                    if driver.events().count() < READ {
                        driver.turn_runtime();
                        _ = driver.poll_once(Waker::noop())?;
                    }
                }
            } else {
                driver.read_until_reported(|driver| driver.events().count() >= READ)?;
            }
            remove(&mut driver, &root)?;
            // An invariant checks that everything from now on is of the other watch.
            driver.settle()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const OTHERS_GO_ON: Case = Case {
    id: "CHG13",
    name: "others_go_on",
    needs: &[ChangeWatches, WatchFolders],
    checks: "If one of two watched paths is inside the other, or begins with its name, either can be \
             removed. Changes that the other watch covers, at any depth, are still reported, even those that \
             had not been read.",
    why: "An editor closes a project while another one, inside it or beside it, stays open.",
    usual_cause: "Paths are compared as text, or the platform's watch is removed although two watches share \
                  it.",
    run: |scene| {
        let mut pairs = vec![("alike/a", "alike/ab", false)];
        if scene.has(WatchRecursively) {
            pairs.push(("outer", "outer/inner", true));
        }
        if scene.has(WatchFiles) {
            pairs.push(("folder", "folder/file.txt", false));
            pairs.push(("files/a.txt", "files/ab.txt", false));
            pairs.push(("files/file.txt", "files/file.txt.txt", false));
        }
        for (one, other, recursive) in pairs {
            for (kept, gone) in [(one, other), (other, one)] {
                remove_one_of_two(scene, kept, gone, recursive)?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// Watches two paths, which are files if their names say so, and removes one of the watches.
fn remove_one_of_two(scene: &Scene, kept: &str, gone: &str, recursive: bool) -> Step {
    let is_file = |path: &str| Path::new(path).extension().is_some();
    scene.timeline.did(format!("begin with {kept}, which stays watched, and {gone}"));
    for path in [kept, gone] {
        let folder = if is_file(path) { Path::new(path).parent() } else { Some(Path::new(path)) };
        scene.tree.mkdir_all(folder.unwrap_or(Path::new("")))?;
        if is_file(path) {
            scene.tree.write(path, "content")?;
        } else if recursive {
            scene.tree.mkdir_all(format!("{path}/old/below"))?;
        }
    }
    let watch = |path: &str| Watch::non_recursive(scene.path(path)).recursive_if(recursive);
    let mut driver = scene.watch([watch(kept), watch(gone), scene.barrier_watch()?])?;
    let covers_gone = !is_file(kept) && Path::new(gone).starts_with(kept);
    // Makes changes in a path, and returns the reports to expect.
    let change = |path: &str, name: &str| {
        if is_file(path) {
            scene.tree.append(path, "more")?;
            return Ok(vec![written(path)]);
        }
        let folders: &[&str] = if recursive { &["", "old/below/"] } else { &[""] };
        let files = folders.iter().map(|folder| format!("{path}/{folder}{name}"));
        let made = files.map(|file| scene.tree.create(&file).map(|()| created_file(file)));
        made.collect::<Step<Vec<_>>>()
    };
    let saw = |driver: &mut Driver, expected: Vec<_>| {
        expected.into_iter().try_for_each(|expected| driver.saw(expected))
    };
    for name in ["before", "after"] {
        driver.next_step();
        let of_gone = change(gone, name)?;
        let of_kept = change(kept, name)?;
        if name == "before" {
            remove(&mut driver, &scene.path(gone))?;
        }
        driver.settle()?;
        saw(&mut driver, of_kept)?;
        if covers_gone {
            saw(&mut driver, of_gone)?;
        }
        driver.nothing_else()?;
    }
    remove(&mut driver, &scene.path(kept))?;
    add(&mut driver, watch(gone))?;
    driver.next_step();
    change(kept, "at-the-end")?;
    let of_gone = change(gone, "at-the-end")?;
    driver.settle()?;
    saw(&mut driver, of_gone)?;
    drop(driver);
    scene.tree.remove_all(kept.split('/').next().unwrap_or(kept))
}

const NOTHING_LEFT: Case = Case {
    id: "CHG14",
    name: "nothing_left",
    needs: &[ChangeWatches, WatchFolders],
    environment: &[Environment::Linux],
    checks: "When a watch is removed, so are all platform watches that it used: for a folder, a tree, a \
             file, a tree from which a folder was moved away, and a tree that could not be added completely.",
    why: "Each user has a limited number of inotify watches, and a program that opens one project \
          after the other uses them up.",
    usual_cause: "The backend forgets a folder without removing its watch.",
    run: |scene| {
        let mut driver = scene.watch([scene.barrier_watch()?])?;
        driver.settle()?;
        let before = ResourceUsage::watches();
        for (i, held) in HELD.iter().enumerate() {
            let (root, file) = (format!("{i}"), format!("{i}/file"));
            scene.tree.mkdir_all(format!("{root}/sub/deep"))?;
            scene.tree.create(&file)?;
            let of_root = Watch::non_recursive(scene.path(&root));
            let watch = match held {
                Held::Folder => of_root,
                Held::File if scene.has(WatchFiles) => Watch::non_recursive(scene.path(&file)),
                Held::Tree | Held::Half if scene.has(WatchRecursively) => {
                    of_root.recursive_if(true)
                }
                Held::MovedOut if scene.has(WatchNewFolders) => of_root.recursive_if(true),
                _ => continue,
            };
            let path = watch.path.clone();
            if *held == Held::Half {
                let missing = Watch::non_recursive(scene.path("missing"));
                let answer = driver.watch_all(&[watch, missing])?;
                let expected = "`watch_all` refuses a missing path";
                ensure(answer.is_err(), expected, || "it did not".into())?;
            } else {
                add(&mut driver, watch)?;
                driver.settle()?;
                let taken = ResourceUsage::watches();
                if taken == before {
                    let reason = "the backend has no watches that the kernel lists";
                    return Err(Stop::Ignored(reason.into()));
                }
                if *held == Held::MovedOut {
                    let away = format!("{root}/sub");
                    scene.tree.rename(&away, scene.outside.path(&root))?;
                    driver.settle()?;
                    driver.saw(gone(&away))?;
                    let expected = "the watches of the two folders that were moved away are gone";
                    come_down_to(&mut driver, taken - 2, expected)?;
                }
                remove(&mut driver, &path)?;
            }
            come_down_to(&mut driver, before, &format!("no watch is left of {held:?}"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const WATCHED_AGAIN: Case = Case {
    id: "CHG15",
    name: "watched_again",
    needs: &[ChangeWatches, WatchFolders],
    checks: "When the watch of a folder is removed and added again, earlier changes are not reported, \
             whether or not the backend has read their events. Later changes are reported, and wake a \
             waiting task.",
    why: "A user closes a project and opens it again; old and new events have the same path.",
    usual_cause: "Waiting events are filtered by whether their path is watched; or they are removed by \
                  polling, which loses the waker.",
    run: |scene| {
        const CHANGES: usize = 20;

        scene.tree.mkdir("kept")?;
        scene.tree.mkdir("again")?;
        let again = scene.path("again");
        let watches = ["kept", "again"].map(|folder| Watch::non_recursive(scene.path(folder)));
        let mut driver = scene.watch(watches)?;
        for is_read in [false, true] {
            driver.next_step();
            for i in 0..CHANGES {
                scene.tree.create(format!("again/before-{is_read}-{i}"))?;
            }
            if is_read {
                driver.read_until_reported(|driver| driver.events().count() > 0)?;
            }
            remove(&mut driver, &again)?;
            add(&mut driver, Watch::non_recursive(&again))?;
            driver.next_step();
            let after = format!("again/after-{is_read}");
            scene.tree.create(&after)?;
            driver.settle()?;
            driver.saw(created_file(&after))?;
            driver.nothing_else()?;
        }

        let mut flag = driver.rest()?;
        remove(&mut driver, &again)?;
        add(&mut driver, Watch::non_recursive(&again))?;
        for file in ["again/file", "kept/file"] {
            driver.next_step();
            scene.tree.create(file)?;
            let what = format!("tree/{file} is reported as created");
            driver.saw_when_woken(&mut flag, &created_file(file), what)?;
        }
        Ok(())
    },
    ..Case::MUST
};

const WATCHED_BESIDE: Case = Case {
    id: "CHG16",
    name: "watched_beside",
    needs: &[ChangeWatches, WatchFiles, WatchFolders],
    checks: "If a path is watched, for the first time or again, in a folder where something else is watched \
             already, earlier changes are not reported for it, even if their events have not been read yet. \
             Later changes are reported.",
    why: "An editor opens and closes the files of a folder one by one; what it did to a file before watching \
          it is known.",
    usual_cause: "One platform watch serves all watches in a folder, and events in the queue are \
                  reported for every watch that exists when they are read.",
    run: |scene| {
        const FILE: &str = "folder/added";

        scene.tree.mkdir("folder")?;
        scene.tree.write("folder/held", "")?;
        scene.tree.write(FILE, "")?;
        let held = Watch::non_recursive(scene.path("folder/held"));
        let mut driver = scene.watch([held, scene.barrier_watch()?])?;
        for added in [FILE, "folder", FILE, "folder"] {
            driver.next_step();
            scene.tree.append(FILE, "before")?;
            add(&mut driver, Watch::non_recursive(scene.path(added)))?;
            driver.settle()?;
            driver.nothing_else()?;
            remove(&mut driver, &scene.path(added))?;

            driver.next_step();
            scene.tree.append(FILE, "before")?;
            add(&mut driver, Watch::non_recursive(scene.path(added)))?;
            scene.tree.append(FILE, "after")?;
            driver.settle()?;
            driver.saw(written(FILE))?;
            remove(&mut driver, &scene.path(added))?;
        }
        // These renames of the folder are older than the watch as well.
        for added in [FILE, "folder"] {
            // A daemon may give up a folder that was away for a moment, with what happened in it.
            driver.guard.may_miss |= scene.profile.in_another_process;
            scene.tree.rename("folder", "away")?;
            scene.tree.rename("away", "folder")?;
            add(&mut driver, Watch::non_recursive(scene.path(added)))?;
            driver.settle()?;
            driver.next_step();
            scene.tree.append(FILE, "after")?;
            driver.settle()?;
            driver.saw(written(FILE))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const REFUSED_AT_LIMIT: Case = Case {
    id: "CHG17",
    name: "refused_at_limit",
    needs: &[ChangeWatches, WatchRecursively],
    without: &[WatchEntireFilesystem],
    environment: &[Environment::Namespaces],
    checks: "If adding a tree fails because it needs more watches than the limit allows, nothing of it is \
             left: no platform watch, no report and no path to `unwatch`. Other watches go on, and there is \
             room for another attempt.",
    why: "The counterpart of CON20: half of the tree is watched by then.",
    usual_cause: "The error is returned from the middle of the walk, and the folders watched so far \
                  stay watched.",
    run: |scene| {
        const ROOM: u32 = 5;

        scene.sees_changes()?;
        scene.tree.mkdir("kept")?;
        (0..10).try_for_each(|i| scene.tree.mkdir_all(format!("large/{i}/sub")))?;
        scene.tree.mkdir_all("small/sub")?;
        let [kept, large, small] = ["kept", "large", "small"].map(|folder| scene.path(folder));
        let mut driver = scene.watch([Watch::non_recursive(kept)])?;
        driver.settle()?;
        let before = ResourceUsage::watches();
        let used = u32::try_from(before).unwrap_or(u32::MAX - ROOM);
        for (round, room) in [ROOM, 0, ROOM].into_iter().enumerate() {
            set_limit(scene, WATCHES, used + room)?;
            let answer = if round == 2 {
                driver.watch_all(&[&small, &large].map(Watch::recursive))?
            } else {
                driver.watch(Watch::recursive(&large))?
            };
            match answer {
                Err(BackendError::WatchLimit { .. }) => {}
                Err(error) => {
                    return fail("`watch` returns WatchLimit", format!("it returned {error:?}"));
                }
                Ok(()) if ResourceUsage::watches() < before + 10 => {
                    let reason = "the backend watches the tree with fewer watches";
                    return Err(Stop::Ignored(reason.into()));
                }
                Ok(()) => return fail("`watch` returns WatchLimit", "it added the tree"),
            }
            come_down_to(&mut driver, before, "no watch is left of the tree that was refused")?;
            for path in [&large, &small] {
                let unwatched = driver.unwatch(path)?;
                let expected = format!("{} is not watched", scene.timeline.show(path));
                ensure(unwatched.is_err(), expected, || "it is".into())?;
            }
            driver.next_step();
            let of_kept = format!("kept/file-{round}");
            for file in [&of_kept, "large/file", "large/0/sub/file", "small/file"] {
                scene.tree.create(file)?;
            }
            driver.settle()?;
            driver.saw(created_file(of_kept))?;
            driver.nothing_else()?;
        }
        set_limit(scene, WATCHES, used + 100)?;
        add(&mut driver, Watch::recursive(&large))?;
        driver.next_step();
        for i in 0..10 {
            scene.tree.create(format!("large/{i}/sub/after"))?;
        }
        driver.settle()?;
        (0..10).try_for_each(|i| driver.saw(created_file(format!("large/{i}/sub/after"))))
    },
    ..Case::MUST
};

const FROM_NOTHING: Case = Case {
    id: "CHG18",
    name: "from_nothing",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A backend that is made without watches waits for the first one, and wakes the waiting \
             task when something happens there. Adding an empty list changes nothing.",
    why: "A program makes its watcher before it knows what to watch.",
    usual_cause: "The stream ends if there is nothing to watch, or the first poll finds no source that \
                  could wake it later.",
    run: |scene| {
        let mut driver = scene.watch([])?;
        let mut flag = driver.rest()?;
        ensure(!driver.has_ended(), "the stream waits for the first watch", || {
            "it has ended".into()
        })?;
        let add_none = |driver: &mut Driver| match driver.watch_all(&[])? {
            Ok(()) => Ok(()),
            Err(error) => fail("`watch_all` takes an empty list", format!("it returned: {error}")),
        };
        add_none(&mut driver)?;
        add(&mut driver, scene.flat())?;
        scene.tree.create("one")?;
        let one = created_file("one");
        driver.saw_when_woken(&mut flag, &one, "tree/one is reported as created")?;
        add_none(&mut driver)?;
        scene.tree.create("two")?;
        driver.settle()?;
        driver.saw(created_file("two"))?;
        driver.saw(one)?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const ALL_DEMANDS: Case = Case {
    id: "CHG19",
    name: "all_demands",
    needs: &[ChangeWatches, WatchFolders],
    environment: &[Environment::Unix],
    checks: "`watch` and `watch_all` apply every setting of a watch, as `new` does: depth, accesses and \
             links. A path that is watched again, of a folder or a file, has the settings of the later watch only.",
    why: "The counterpart of CHG06 and CHG10, which ask for the depth alone.",
    usual_cause: "`watch` does not share the code of `new`, and handles fewer settings.",
    run: |scene| {
        let mut driver = scene.watch([scene.barrier_watch()?])?;
        for at_once in [false, true] {
            let folder = format!("folder-{at_once}");
            scene.tree.mkdir_all(format!("{folder}/sub"))?;
            scene.tree.write(format!("{folder}/file"), "content")?;
            let plain = Watch::non_recursive(scene.path(&folder));
            if scene.has(WatchRecursively) {
                add_as(&mut driver, at_once, plain.clone().recursive_if(true))?;
                is_reported_as(
                    scene,
                    &mut driver,
                    &format!("{folder}/sub/new"),
                    &format!("{folder}/sub/new"),
                )?;
                remove(&mut driver, &plain.path)?;
            }
            if scene.has(EmitOnAccess) {
                let file = format!("{folder}/file");
                add_as(&mut driver, at_once, plain.clone().with_access())?;
                reports_reading(scene, &mut driver, &file, true)?;
                add(&mut driver, plain.clone())?;
                reports_reading(scene, &mut driver, &file, false)?;
                add(&mut driver, plain.clone().with_access())?;
                reports_reading(scene, &mut driver, &file, true)?;
                remove(&mut driver, &plain.path)?;
                if scene.has(WatchFiles) {
                    let alone = Watch::non_recursive(scene.path(&file));
                    add_as(&mut driver, at_once, alone.clone())?;
                    reports_reading(scene, &mut driver, &file, false)?;
                    add(&mut driver, alone.clone().with_access())?;
                    reports_reading(scene, &mut driver, &file, true)?;
                    add(&mut driver, alone.clone())?;
                    reports_reading(scene, &mut driver, &file, false)?;
                    remove(&mut driver, &alone.path)?;
                }
            }
            if scene.has(FollowSymlinks) {
                let link = format!("link-{at_once}");
                scene.tree.symlink(&plain.path, &link)?;
                let as_link = Watch::non_recursive(scene.path(&link));
                add_as(&mut driver, at_once, as_link.clone().following_links())?;
                is_reported_as(
                    scene,
                    &mut driver,
                    &format!("{folder}/one"),
                    &format!("{link}/one"),
                )?;
                // Only a backend that watches files watches a link that is not followed.
                if scene.has(WatchFiles) {
                    add(&mut driver, as_link.clone())?;
                    driver.forget(&as_link.path);
                    driver.next_step();
                    scene.tree.create(format!("{folder}/unseen"))?;
                    driver.settle()?;
                    driver.nothing_else()?;
                }
                add(&mut driver, as_link.clone().following_links())?;
                is_reported_as(
                    scene,
                    &mut driver,
                    &format!("{folder}/two"),
                    &format!("{link}/two"),
                )?;
                remove(&mut driver, &as_link.path)?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// Adds a watch: by `watch_all` if `at_once`, else by `watch`.
fn add_as(driver: &mut Driver, at_once: bool, watch: Watch) -> Step {
    if !at_once {
        return add(driver, watch);
    }
    match driver.watch_all(&[watch])? {
        Ok(()) => Ok(()),
        Err(error) => fail("`watch_all` adds a watch", format!("it returned: {error}")),
    }
}

/// Makes a file, and fails unless its creation is reported at `path`, and nothing else.
fn is_reported_as(scene: &Scene, driver: &mut Driver, file: &str, path: &str) -> Step {
    driver.next_step();
    scene.tree.create(file)?;
    driver.settle()?;
    driver.saw(created_file(path))?;
    driver.nothing_else()?;
    driver.next_step();
    Ok(())
}

/// Reads a file, and fails unless accesses are reported if `is_reported`, and none otherwise.
fn reports_reading(scene: &Scene, driver: &mut Driver, file: &str, is_reported: bool) -> Step {
    driver.next_step();
    scene.tree.make("read", file, |path| fs::read(path).map(drop))?;
    driver.settle()?;
    let path = scene.path(file);
    let is_access =
        |event: &Event| matches!(event.kind, EventKind::Access(_)) && event.path == path;
    let there = driver.events().any(is_access);
    let expected = if is_reported { "accesses" } else { "no accesses" };
    ensure(there == is_reported, format!("{expected} of tree/{file}"), || {
        if there { "there were some".into() } else { "there were none".into() }
    })
}

/// Fails unless the backend comes down to `most` platform watches after a few further changes. Some backends
/// need these to learn that a folder was not renamed to another place.
fn come_down_to(driver: &mut Driver, most: usize, expected: &str) -> Step {
    for _ in 0..5 {
        driver.settle()?;
        if ResourceUsage::watches() <= most {
            return Ok(());
        }
    }
    fail(expected, format!("there are {}, and should be {most}", ResourceUsage::watches()))
}

/// Something that holds platform watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Folder,
    Tree,
    File,
    /// A tree out of which a folder was moved.
    MovedOut,
    /// The watches that were added before an error.
    Half,
}

const HELD: [Held; 5] = [Held::Folder, Held::Tree, Held::File, Held::MovedOut, Held::Half];

const WOKEN_AFTER_CHANGING: Case = Case {
    id: "CHG20",
    name: "woken_after_changing",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A consumer that polls only when it is woken, as tasks do, is woken for changes after a watch \
             was removed or added, even if events of the removed one had not been read.",
    why: "The counterpart of CHG18 and STR19: the task waits while another part of the program calls `watch` \
          or `unwatch`.",
    usual_cause: "Dropping the events of the removed watch uses up the wake-up, or the backend waits for the \
                  changed set of watches only after another poll.",
    run: |scene| {
        for folder in ["one", "other"] {
            scene.tree.mkdir(folder)?;
        }
        let [one, other] = ["one", "other"].map(|it| Watch::non_recursive(scene.path(it)));
        let mut driver = scene.watch([one.clone(), other])?;
        let mut flag = driver.rest()?;
        let mut is_woken_for = |driver: &mut Driver, file: String, after: &str| {
            scene.tree.create(&file)?;
            let what = format!("after {after}, tree/{file} is reported as created");
            driver.saw_when_woken(&mut flag, &created_file(&file), what)
        };
        for round in 0..3 {
            is_woken_for(&mut driver, format!("one/{round}"), "the start of a round")?;
            if round > 0 {
                scene.tree.create(format!("one/unread-{round}"))?;
            }
            remove(&mut driver, &one.path)?;
            is_woken_for(&mut driver, format!("other/without-{round}"), "`unwatch`")?;
            add(&mut driver, one.clone())?;
            is_woken_for(&mut driver, format!("other/with-{round}"), "`watch`")?;
        }
        Ok(())
    },
    ..Case::MUST
};

const REFUSED_AGAIN: Case = Case {
    id: "CHG21",
    name: "refused_again",
    needs: &[ChangeWatches, WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "If a watched path is added again and the call fails, the earlier watch goes on.",
    why: "The counterpart of CHG05: on an error, everything is as it was.",
    usual_cause: "The earlier watch is removed before the new one is set up.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        let root = Watch::non_recursive(scene.path("root"));
        let mut driver = scene.watch([root.clone(), scene.barrier_watch()?])?;
        driver.allow_errors();
        driver.forget(&root.path);
        scene.tree.chmod("root", 0o000)?;
        let answer = driver.watch(root.clone())?;
        driver.forget(&root.path);
        scene.tree.chmod("root", 0o700)?;
        driver.settle()?;
        driver.next_step();
        scene.tree.create("root/file")?;
        driver.settle()?;
        let after = if answer.is_ok() { "taken" } else { "refused" };
        scene.timeline.did(format!("add root once more, which was {after}"));
        driver.saw(appeared("root/file"))
    },
    ..Case::MUST
};

const UNWATCHED_AMID_READING: Case = Case {
    id: "CHG22",
    name: "unwatched_amid_reading",
    needs: &[ChangeWatches, WatchFolders],
    checks: "If a watch is removed when some of the reports have been read, each of the others that another \
             watch covers too is still reported, once, even if that is inside the removed one, around it, or \
             has a name that begins alike.",
    why: "The counterpart of CHG12 and CHG13: a change that two watches cover belongs to the one that stays.",
    usual_cause: "`unwatch` drops all that waits below the path, or whose path begins with the same text.",
    run: |scene| {
        const NESTED: &[(&str, Depth)] = &[("nested/outer", Deep), ("nested/outer/inner", Deep)];
        const IN_FLAT: &[(&str, Depth)] = &[("nested/outer", Deep), ("nested/outer/inner", Flat)];
        // The inner one is there before the outer one, and a third is around both.
        const AROUND: &[(&str, Depth)] =
            &[("around", Flat), ("around/outer/inner", Flat), ("around/outer", Deep)];

        let unwatch = |watched, changed, folder| {
            let then = Then::Unwatch(folder);
            Arrangement { watched, changed, then }
        };
        lose_nothing(
            scene,
            &[
                unwatch(NESTED, "nested/outer/inner", "nested/outer/inner"),
                unwatch(NESTED, "nested/outer/inner", "nested/outer"),
                unwatch(NESTED, "nested/outer", "nested/outer/inner"),
                unwatch(IN_FLAT, "nested/outer/inner", "nested/outer/inner"),
                unwatch(IN_FLAT, "nested/outer/inner", "nested/outer"),
                unwatch(&[("alike/in", Flat), ("alike/inner", Flat)], "alike/inner", "alike/in"),
                unwatch(&[("alike/in", Deep), ("alike/inner", Deep)], "alike/inner", "alike/in"),
                unwatch(AROUND, "around/outer/inner", "around/outer"),
                unwatch(AROUND, "around/outer/inner", "around/outer/inner"),
                unwatch(AROUND, "around/outer", "around"),
            ],
        )
    },
    ..Case::MUST
};

const WATCHED_AMID_READING: Case = Case {
    id: "CHG23",
    name: "watched_amid_reading",
    needs: &[ChangeWatches, WatchFolders],
    checks: "If a path is watched, for the first time or again, when some of the reports have been read, each of \
             the others that an earlier watch covers is still reported, once, even if it is the same path.",
    why: "The counterpart of CHG15: without `unwatch`, there is no gap.",
    usual_cause: "Events that are older than the new watch are dropped, although they belong to the earlier one \
                  as well.",
    run: |scene| {
        const OUTER: &[(&str, Depth)] = &[("nested/outer", Deep)];
        const NESTED: &[(&str, Depth)] = &[("nested/outer", Deep), ("nested/outer/inner", Deep)];

        // A third watch is around both.
        const AROUND: &[(&str, Depth)] = &[("around", Flat), ("around/outer/inner", Flat)];
        const ALIKE_IN: &[(&str, Depth)] =
            &[("alike", Flat), ("alike/in", Deep), ("alike/inner", Flat)];

        let watch = |watched, changed, (folder, depth)| {
            let then = Then::Watch(folder, depth);
            Arrangement { watched, changed, then }
        };
        lose_nothing(
            scene,
            &[
                watch(&[("one", Flat)], "one", ("one", Flat)),
                watch(&[("one", Flat)], "one", ("one", Deep)),
                watch(&[("one", Deep)], "one", ("one", Flat)),
                watch(OUTER, "nested/outer", ("nested/outer", Deep)),
                watch(OUTER, "nested/outer/inner", ("nested/outer", Deep)),
                watch(OUTER, "nested/outer/inner", ("nested/outer/inner", Deep)),
                watch(OUTER, "nested/outer/inner", ("nested/outer/inner", Flat)),
                watch(NESTED, "nested/outer/inner", ("nested/outer", Deep)),
                watch(NESTED, "nested/outer/inner", ("nested/outer/inner", Deep)),
                watch(
                    &[("alike/in", Flat), ("alike/inner", Flat)],
                    "alike/inner",
                    ("alike/in", Flat),
                ),
                watch(AROUND, "around/outer/inner", ("around/outer", Deep)),
                watch(AROUND, "around/outer/inner", ("around/outer/inner", Deep)),
                watch(ALIKE_IN, "alike/inner", ("alike/in", Deep)),
            ],
        )
    },
    ..Case::MUST
};

const WIDENED: Case = Case {
    id: "CHG24",
    name: "widened",
    needs: &[ChangeWatches, WatchRecursively],
    checks: "If a folder that is watched alone is watched again with all below it, earlier changes below are not \
             reported, even if their events have not been read yet. Earlier changes in the folder itself are.",
    why: "The counterpart of CHG23: what the earlier watch did not cover is as new as with CHG16.",
    usual_cause: "The new watch takes over the age of the earlier one. A facility with one queue for the file \
                  system has events of all folders in it, watched or not.",
    run: |scene| {
        let top = created_file("root/at-the-top");
        for reads_one in [false, true] {
            scene.tree.mkdir_all("root/sub/deep")?;
            let root = Watch::non_recursive(scene.path("root"));
            let mut driver = scene.watch([root.clone()])?;
            scene.tree.create("root/first")?;
            scene.tree.create(&top.path)?;
            for folder in ["root/sub", "root/sub/deep"] {
                scene.tree.create(format!("{folder}/before"))?;
            }
            if reads_one {
                driver.read_until_reported(|driver| driver.events().count() > 0)?;
            }
            add(&mut driver, root.recursive_if(true))?;
            is_widened(scene, &mut driver)?;
            driver.saw(top.clone())?;
            drop(driver);
            scene.tree.remove_all("root")?;
        }
        Ok(())
    },
    ..Case::MUST
};

/// Fails unless later changes below the root are reported, and earlier ones are not.
fn is_widened(scene: &Scene, driver: &mut Driver) -> Step {
    for folder in ["root/sub", "root/sub/deep"] {
        scene.tree.create(format!("{folder}/after"))?;
    }
    driver.settle()?;
    for folder in ["root/sub", "root/sub/deep"] {
        driver.saw(created_file(format!("{folder}/after")))?;
        driver.never_saw(&touched(format!("{folder}/before")))?;
    }
    Ok(())
}
