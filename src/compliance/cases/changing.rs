//! Adding and removing watches while the backend runs (CHG).

use std::{
    fs,
    path::{Path, PathBuf},
    task::Waker,
    time::Duration,
};

use super::construction::set_limit;
use crate::{
    backend::Watch,
    capability::Capability::{
        ChangeWatches, EmitOnAccess, FollowSymlinks, WatchFiles, WatchFolders, WatchNewFolders,
        WatchRecursively,
    },
    compliance::{
        case::{Case, Group},
        environment::Environment,
        expect::{appeared, created_file, gone, removed_folder, touched, written},
        failure::{Check, Stop, ensure, fail},
        lab::Lab,
        usage::ResourceUsage,
        watcher::Watcher,
    },
    error::BackendError,
    event::{Event, EventKind},
};

pub(super) const GROUP: Group = Group {
    name: "changing",
    title: "Changing what is watched",
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
    ],
};

fn add(watcher: &mut Watcher, watch: Watch) -> Check {
    match watcher.watch(watch)? {
        Ok(()) => Ok(()),
        Err(error) => fail("`watch` adds a folder", format!("it answered: {error}")),
    }
}

fn remove(watcher: &mut Watcher, path: &Path) -> Check {
    match watcher.unwatch(path)? {
        Ok(()) => Ok(()),
        Err(error) => fail("`unwatch` removes a folder", format!("it answered: {error}")),
    }
}

const ADDED: Case = Case {
    id: "CHG01",
    name: "added",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A folder that is added is watched from the moment that `watch` has returned, and not \
             before.",
    why: "The counterpart of CON11 and CON12.",
    usual_cause: "Watches are added by a thread or task that `watch` does not wait for.",
    run: |lab| {
        lab.tree.mkdir("one")?;
        lab.tree.mkdir("other")?;
        let mut watcher = lab.watch([Watch::non_recursive(lab.path("one"))])?;
        lab.tree.create("other/before")?;
        add(&mut watcher, Watch::non_recursive(lab.path("other")))?;
        lab.tree.create("other/after")?;
        watcher.settle()?;
        watcher.saw(created_file("other/after"))?;
        watcher.never_saw(&touched("other/before"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const REMOVED: Case = Case {
    id: "CHG02",
    name: "removed",
    needs: &[ChangeWatches, WatchFolders],
    checks: "After a folder was removed from the watches, nothing is reported for it, not even earlier \
             changes that have not been read yet.",
    why: "A consumer that has forgotten the path does not know what to do with its events.",
    usual_cause: "Events are already in a queue when the watch is removed.",
    run: |lab| {
        lab.tree.mkdir("one")?;
        lab.tree.mkdir("other")?;
        let watches = ["one", "other"].map(|folder| Watch::non_recursive(lab.path(folder)));
        let mut watcher = lab.watch(watches)?;
        lab.tree.create("other/unread")?;
        remove(&mut watcher, &lab.path("other"))?;
        lab.tree.create("other/after")?;
        lab.tree.create("one/file")?;
        watcher.settle()?;
        watcher.saw(created_file("one/file"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const WITHOUT_GAP: Case = Case {
    id: "CHG03",
    name: "without_gap",
    needs: &[ChangeWatches, WatchFolders],
    checks: "Adding and removing watches loses no events of the others.",
    why: "Backends that start again for each change have a gap.",
    usual_cause: "The platform's instance is replaced by a new one.",
    run: |lab| {
        lab.tree.mkdir("kept")?;
        lab.tree.mkdir("other")?;
        let mut watcher = lab.watch([Watch::non_recursive(lab.path("kept"))])?;
        let other = lab.path("other");
        for i in 0..20 {
            lab.tree.create(format!("kept/before-{i}"))?;
            add(&mut watcher, Watch::non_recursive(&other))?;
            lab.tree.create(format!("kept/between-{i}"))?;
            remove(&mut watcher, &other)?;
            lab.tree.create(format!("kept/after-{i}"))?;
        }
        watcher.settle()?;
        for i in 0..20 {
            for when in ["before", "between", "after"] {
                watcher.saw(created_file(format!("kept/{when}-{i}")))?;
            }
        }
        watcher.nothing_else()
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
    run: |lab| {
        lab.tree.mkdir("folder")?;
        let mut watcher = lab.watch([lab.flat()])?;
        let spelled =
            |end: &str| PathBuf::from([lab.path("").as_os_str(), end.as_ref()].join("".as_ref()));
        for path in [lab.path("folder"), lab.path("missing"), spelled("/"), spelled("/.")] {
            let expected = format!("`unwatch` returns NotWatched for {}", lab.timeline.show(&path));
            match watcher.unwatch(&path)? {
                Err(BackendError::NotWatched { paths }) if paths == [path] => {}
                answer => return fail(expected, format!("it answered {answer:?}")),
            }
        }
        lab.tree.create("file")?;
        watcher.settle()?;
        watcher.saw(created_file("file"))
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
    run: |lab| {
        let mut watcher = lab.watch([lab.flat()])?;
        let missing = lab.path("missing");
        match watcher.watch(Watch::non_recursive(&missing))? {
            Err(BackendError::NotFound { paths }) if paths == [missing.clone()] => {}
            answer => {
                let expected = "`watch` returns NotFound for tree/missing";
                return fail(expected, format!("it answered {answer:?}"));
            }
        }
        let unwatched = watcher.unwatch(&missing)?;
        ensure(unwatched.is_err(), "it is not watched now", || "it is".into())?;
        lab.tree.create("file")?;
        watcher.settle()?;
        watcher.saw(created_file("file"))
    },
    ..Case::MUST
};

const OTHER_DEPTH: Case = Case {
    id: "CHG06",
    name: "other_depth",
    needs: &[ChangeWatches, WatchRecursively],
    checks: "A folder that is added once more takes the new value of `recursive`, both ways.",
    why: "The contract says so.",
    usual_cause: "A path that is already known is not changed.",
    run: |lab| {
        lab.tree.mkdir_all("sub/deep")?;
        let mut watcher = lab.watch([lab.flat()])?;
        for (i, recursive) in [true, false, true].into_iter().enumerate() {
            watcher.next_step();
            add(&mut watcher, Watch::non_recursive(lab.path("")).recursive_if(recursive))?;
            let (near, far) = (format!("near-{i}"), format!("sub/deep/far-{i}"));
            lab.tree.create(&near)?;
            lab.tree.create(&far)?;
            watcher.settle()?;
            watcher.saw(created_file(&near))?;
            if recursive {
                watcher.saw(created_file(&far))?;
            }
            watcher.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const ALL_REMOVED: Case = Case {
    id: "CHG07",
    name: "all_removed",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A backend that watches nothing for a while, because all watches were removed, goes on and \
             accepts new watches.",
    why: "A frontend that moves from one folder to another removes the old one first.",
    usual_cause: "The stream ends with the last watch.",
    run: |lab| {
        let mut watcher = lab.watch([lab.flat()])?;
        remove(&mut watcher, &lab.path(""))?;
        lab.tree.create("unwatched")?;
        watcher.drain()?;
        watcher.is_pending()?;
        let (flag, waker) = crate::compliance::wake_flag::WakeFlag::new();
        _ = watcher.poll_once(&waker)?;
        watcher.wait_for_wake(&flag, Duration::from_millis(20));
        add(&mut watcher, lab.flat())?;
        lab.tree.create("watched")?;
        watcher.settle()?;
        watcher.saw(created_file("watched"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const UNSUPPORTED: Case = Case {
    id: "CHG08",
    name: "unsupported",
    without: &[ChangeWatches],
    checks: "Without ChangeWatches, `watch` and `unwatch` return `NotSupported(ChangeWatches)`.",
    why: "A frontend relies on that, and makes a new backend.",
    usual_cause: "The provided methods were replaced.",
    run: |lab| {
        let watch = lab.anything()?;
        let mut watcher = lab.watch([watch.clone()])?;
        let answers = [watcher.watch(watch.clone())?, watcher.unwatch(&watch.path)?];
        for answer in answers {
            let right =
                matches!(answer, Err(BackendError::NotSupported { capability: ChangeWatches, .. }));
            ensure(right, "NotSupported(ChangeWatches)", || format!("it answered {answer:?}"))?;
        }
        watcher.settle()
    },
    ..Case::MUST
};

const ALL_GONE: Case = Case {
    id: "CHG09",
    name: "all_gone",
    needs: &[ChangeWatches, WatchFolders],
    checks: "A backend whose watched folders are all gone, whether or not it has reported that yet, \
             accepts new watches.",
    why: "The end of the stream and a new watch could cross on their way: the adapter for notify \
          needed sixty lines for that.",
    usual_cause: "The stream ends with the last watch.",
    run: |lab| {
        for is_read in [true, false] {
            lab.tree.mkdir("root")?;
            lab.tree.mkdir("next")?;
            let (root, next) = (lab.path("root"), lab.path("next"));
            let mut watcher = lab.watch([Watch::non_recursive(&root)])?;
            lab.tree.rmdir("root")?;
            watcher.forget(&root);
            if is_read {
                watcher.saw(removed_folder("root"))?;
                watcher.drain()?;
            }
            add(&mut watcher, Watch::non_recursive(&next))?;
            lab.tree.create("next/file")?;
            watcher.settle()?;
            watcher.saw(removed_folder("root"))?;
            watcher.saw(created_file("next/file"))?;
            drop(watcher);
            lab.tree.remove_all("next")?;
        }
        Ok(())
    },
    ..Case::MUST
};

const SEVERAL_AT_ONCE: Case = Case {
    id: "CHG10",
    name: "several_at_once",
    needs: &[ChangeWatches, WatchFolders],
    checks: "`watch_all` watches all that it is given, or returns an error and watches none of it; what was \
             watched before goes on.",
    why: "Otherwise, a frontend would not know which of its paths are watched.",
    usual_cause: "The watches added before the error are not removed again.",
    run: |lab| {
        let folders = ["kept", "one", "other"];
        for folder in folders {
            lab.tree.mkdir(folder)?;
        }
        let watch = |folder: &str| Watch::non_recursive(lab.path(folder));
        let mut watcher = lab.watch([watch("kept")])?;
        let answer = watcher.watch_all(&["one", "missing", "other"].map(watch))?;
        let missing = [lab.path("missing")];
        match &answer {
            Err(BackendError::NotFound { paths, .. }) if *paths == missing => {}
            _ => {
                let expected = "`watch_all` returns NotFound for tree/missing";
                return fail(expected, format!("it answered {answer:?}"));
            }
        }
        for folder in folders {
            lab.tree.create(format!("{folder}/before"))?;
        }
        watcher.settle()?;
        watcher.saw(created_file("kept/before"))?;
        watcher.nothing_else()?;
        for folder in ["one", "other"] {
            let unwatched = watcher.unwatch(&lab.path(folder))?;
            ensure(unwatched.is_err(), format!("tree/{folder} is not watched"), || "it is".into())?;
        }

        watcher.next_step();
        if let Err(error) = watcher.watch_all(&["one", "other"].map(watch))? {
            return fail("`watch_all` adds two folders", format!("it answered: {error}"));
        }
        for folder in folders {
            lab.tree.create(format!("{folder}/after"))?;
        }
        watcher.settle()?;
        for folder in folders {
            watcher.saw(created_file(format!("{folder}/after")))?;
        }
        watcher.nothing_else()
    },
    ..Case::MUST
};

const TWO_SPELLINGS: Case = Case {
    id: "CHG11",
    name: "two_spellings",
    needs: &[ChangeWatches, WatchFolders],
    // Elsewhere a dot goes when the path is made: `PathBuf::push` on verbatim paths.
    environment: &[Environment::Unix],
    checks: "A folder that is watched under two spellings has two watches: each reports under its own \
             spelling, and is removed separately.",
    why: "If one part of a program passes `a` to a frontend and another part passes `a/.`, the first \
          gets no more events.",
    usual_cause: "Watches are stored by their `PathBuf`, which compares components: `a/.` and `a` are \
                  equal; compare `as_os_str()`.",
    run: |lab| {
        lab.tree.mkdir("folder")?;
        let [plain, dotted] = ["folder", "folder/."].map(|folder| lab.path(folder));
        let mut watcher = lab.watch([Watch::non_recursive(&plain)])?;
        add(&mut watcher, Watch::non_recursive(&dotted))?;
        lab.tree.create("folder/one")?;
        watcher.settle()?;
        watcher.saw(created_file("folder/one"))?;
        watcher.saw(created_file("folder/./one"))?;
        watcher.nothing_else()?;

        remove(&mut watcher, &dotted)?;
        watcher.next_step();
        lab.tree.create("folder/two")?;
        watcher.settle()?;
        watcher.saw(created_file("folder/two"))?;
        watcher.nothing_else()?;

        add(&mut watcher, Watch::non_recursive(&dotted))?;
        remove(&mut watcher, &plain)?;
        watcher.next_step();
        lab.tree.create("folder/three")?;
        watcher.settle()?;
        watcher.saw(created_file("folder/./three"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const FOUND_BUT_UNREAD: Case = Case {
    id: "CHG12",
    name: "found_but_unread",
    needs: &[ChangeWatches, WatchNewFolders],
    checks: "When a consumer removes a watch in the middle of reading, nothing is reported that the \
             backend had read ahead or found in a new folder.",
    why: "The counterpart of CHG02: there, the events are in the platform's queue; here, in the \
          backend's.",
    usual_cause: "`unwatch` does not remove items that wait in a buffer, or does not stop a scan.",
    run: |lab| {
        const ENTRIES: usize = 100;
        const READ: usize = 30;

        lab.tree.mkdir("root")?;
        let root = lab.path("root");
        for moved_in in [false, true] {
            let folder = format!("root/{moved_in}");
            let mut watcher = lab.watch([Watch::recursive(&root), lab.beacon()?])?;
            if moved_in {
                lab.outside.mkdir("full")?;
                lab.outside.within("full").create_many(ENTRIES)?;
                lab.tree.rename(lab.outside.path("full"), &folder)?;
            } else {
                lab.tree.mkdir(&folder)?;
                lab.tree.within(&folder).create_many(ENTRIES)?;
            }
            if moved_in {
                watcher.saw(appeared(&folder))?;
                // Whether more is said than that is its own affair.
                for _ in 0..ENTRIES {
                    if watcher.events().count() < READ {
                        watcher.turn_runtime();
                        _ = watcher.poll_once(Waker::noop())?;
                    }
                }
            } else {
                watcher.read_until_told(|watcher| watcher.events().count() >= READ)?;
            }
            remove(&mut watcher, &root)?;
            // That whatever comes is of the other watch is an invariant.
            watcher.settle()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const OTHERS_GO_ON: Case = Case {
    id: "CHG13",
    name: "others_go_on",
    needs: &[ChangeWatches, WatchFolders],
    checks: "Of two watches, one of which is inside the other or begins like it, each can be removed, \
             and changes that the other covers are reported as before, even those that have not been \
             read yet.",
    why: "A project is closed in an editor, and one inside it, or the one beside it, is not.",
    usual_cause: "Paths are compared letter by letter, or the platform's watch is removed although two \
                  watches share it.",
    run: |lab| {
        let mut pairs = vec![("alike/a", "alike/ab", false)];
        if lab.has(WatchRecursively) {
            pairs.push(("outer", "outer/inner", true));
        }
        if lab.has(WatchFiles) {
            pairs.push(("folder", "folder/file.txt", false));
            pairs.push(("files/a.txt", "files/ab.txt", false));
            pairs.push(("files/file.txt", "files/file.txt.txt", false));
        }
        for (one, other, recursive) in pairs {
            for (kept, gone) in [(one, other), (other, one)] {
                remove_one_of_two(lab, kept, gone, recursive)?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// Watches two paths, which are files if they are called so, and removes one of them.
fn remove_one_of_two(lab: &Lab, kept: &str, gone: &str, recursive: bool) -> Check {
    let is_file = |path: &str| Path::new(path).extension().is_some();
    lab.timeline.did(format!("begin with {kept}, which stays watched, and {gone}"));
    for path in [kept, gone] {
        let folder = if is_file(path) { Path::new(path).parent() } else { Some(Path::new(path)) };
        lab.tree.mkdir_all(folder.unwrap_or(Path::new("")))?;
        if is_file(path) {
            lab.tree.write(path, "content")?;
        }
    }
    let watch = |path: &str| Watch::non_recursive(lab.path(path)).recursive_if(recursive);
    let mut watcher = lab.watch([watch(kept), watch(gone), lab.beacon()?])?;
    let covers_gone = !is_file(kept) && Path::new(gone).starts_with(kept);
    // What is changed in a path, and how that is told.
    let change = |path: &str, name: &str| {
        if is_file(path) {
            lab.tree.append(path, "more")?;
            return Ok(written(path));
        }
        let file = format!("{path}/{name}");
        lab.tree.create(&file)?;
        Ok(created_file(file))
    };
    for name in ["before", "after"] {
        watcher.next_step();
        let of_gone = change(gone, name)?;
        let of_kept = change(kept, name)?;
        if name == "before" {
            remove(&mut watcher, &lab.path(gone))?;
        }
        watcher.settle()?;
        watcher.saw(of_kept)?;
        if covers_gone {
            watcher.saw(of_gone)?;
        }
        watcher.nothing_else()?;
    }
    remove(&mut watcher, &lab.path(kept))?;
    add(&mut watcher, watch(gone))?;
    watcher.next_step();
    change(kept, "at-the-end")?;
    let of_gone = change(gone, "at-the-end")?;
    watcher.settle()?;
    watcher.saw(of_gone)?;
    drop(watcher);
    lab.tree.remove_all(kept.split('/').next().unwrap_or(kept))
}

const NOTHING_LEFT: Case = Case {
    id: "CHG14",
    name: "nothing_left",
    needs: &[ChangeWatches, WatchFolders],
    environment: &[Environment::Linux],
    checks: "When a watch is removed, so are all platform watches that it took: for a folder, a tree, \
             a file, a tree from which a folder was moved away, and a tree that could not be added \
             completely.",
    why: "Each user has a limited number of inotify watches, and a program that opens one project \
          after the other uses them up.",
    usual_cause: "The backend forgets a folder without removing its watch.",
    run: |lab| {
        let mut watcher = lab.watch([lab.beacon()?])?;
        watcher.settle()?;
        let before = ResourceUsage::watches();
        for (i, held) in HELD.iter().enumerate() {
            let (root, file) = (format!("{i}"), format!("{i}/file"));
            lab.tree.mkdir_all(format!("{root}/sub/deep"))?;
            lab.tree.create(&file)?;
            let of_root = Watch::non_recursive(lab.path(&root));
            let watch = match held {
                Held::Folder => of_root,
                Held::File if lab.has(WatchFiles) => Watch::non_recursive(lab.path(&file)),
                Held::Tree | Held::Half if lab.has(WatchRecursively) => of_root.recursive_if(true),
                Held::MovedOut if lab.has(WatchNewFolders) => of_root.recursive_if(true),
                _ => continue,
            };
            let path = watch.path.clone();
            if *held == Held::Half {
                let missing = Watch::non_recursive(lab.path("missing"));
                let answer = watcher.watch_all(&[watch, missing])?;
                let expected = "`watch_all` refuses a missing path";
                ensure(answer.is_err(), expected, || "it did not".into())?;
            } else {
                add(&mut watcher, watch)?;
                watcher.settle()?;
                let taken = ResourceUsage::watches();
                if taken == before {
                    let reason = "the backend has no watches that the kernel lists";
                    return Err(Stop::Ignored(reason.into()));
                }
                if *held == Held::MovedOut {
                    let away = format!("{root}/sub");
                    lab.tree.rename(&away, lab.outside.path(&root))?;
                    watcher.settle()?;
                    watcher.saw(gone(&away))?;
                    let expected = "the watches of the two folders that were moved away are gone";
                    come_down_to(&mut watcher, taken - 2, expected)?;
                }
                remove(&mut watcher, &path)?;
            }
            come_down_to(&mut watcher, before, &format!("no watch is left of {held:?}"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const WATCHED_AGAIN: Case = Case {
    id: "CHG15",
    name: "watched_again",
    needs: &[ChangeWatches, WatchFolders],
    checks: "After a folder is removed and added again, nothing is reported that happened before, \
             whether or not the backend has read it. Later changes are reported, and wake a waiting \
             task.",
    why: "A user closes a project and opens it again; old and new events have the same path.",
    usual_cause: "Waiting events are filtered by whether their path is watched; or they are taken out \
                  by polling, which loses the waker.",
    run: |lab| {
        const CHANGES: usize = 20;

        lab.tree.mkdir("kept")?;
        lab.tree.mkdir("again")?;
        let again = lab.path("again");
        let watches = ["kept", "again"].map(|folder| Watch::non_recursive(lab.path(folder)));
        let mut watcher = lab.watch(watches)?;
        for is_read in [false, true] {
            watcher.next_step();
            for i in 0..CHANGES {
                lab.tree.create(format!("again/before-{is_read}-{i}"))?;
            }
            if is_read {
                watcher.read_until_told(|watcher| watcher.events().count() > 0)?;
            }
            remove(&mut watcher, &again)?;
            add(&mut watcher, Watch::non_recursive(&again))?;
            watcher.next_step();
            let after = format!("again/after-{is_read}");
            lab.tree.create(&after)?;
            watcher.settle()?;
            watcher.saw(created_file(&after))?;
            watcher.nothing_else()?;
        }

        let mut flag = watcher.rest()?;
        remove(&mut watcher, &again)?;
        add(&mut watcher, Watch::non_recursive(&again))?;
        for file in ["again/file", "kept/file"] {
            watcher.next_step();
            lab.tree.create(file)?;
            let expected = created_file(file);
            let told =
                watcher.read_when_woken(&mut flag, |watcher| watcher.count(&expected) > 0)?;
            ensure(told, format!("tree/{file} is reported as created"), || {
                "nobody was woken for it".into()
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const WATCHED_BESIDE: Case = Case {
    id: "CHG16",
    name: "watched_beside",
    needs: &[ChangeWatches, WatchFiles, WatchFolders],
    checks: "If a watch is added in a folder in which something is already watched, for the first time \
             or again, nothing is reported for it that happened before, even if that has not been read \
             yet. Later changes are reported.",
    why: "An editor opens and closes the files of a folder one by one; what it did to a file before \
          watching it is no news.",
    usual_cause: "One platform watch serves all watches in a folder, and events in the queue are \
                  reported for every watch that exists when they are read.",
    run: |lab| {
        const FILE: &str = "folder/added";

        lab.tree.mkdir("folder")?;
        lab.tree.write("folder/held", "")?;
        lab.tree.write(FILE, "")?;
        let held = Watch::non_recursive(lab.path("folder/held"));
        let mut watcher = lab.watch([held, lab.beacon()?])?;
        for added in [FILE, "folder", FILE, "folder"] {
            watcher.next_step();
            lab.tree.append(FILE, "before")?;
            add(&mut watcher, Watch::non_recursive(lab.path(added)))?;
            watcher.settle()?;
            watcher.nothing_else()?;
            remove(&mut watcher, &lab.path(added))?;

            watcher.next_step();
            lab.tree.append(FILE, "before")?;
            add(&mut watcher, Watch::non_recursive(lab.path(added)))?;
            lab.tree.append(FILE, "after")?;
            watcher.settle()?;
            watcher.saw(written(FILE))?;
            remove(&mut watcher, &lab.path(added))?;
        }
        // That the folder was not where it is now is older than the watch as well.
        for added in [FILE, "folder"] {
            lab.tree.rename("folder", "away")?;
            lab.tree.rename("away", "folder")?;
            add(&mut watcher, Watch::non_recursive(lab.path(added)))?;
            watcher.settle()?;
            watcher.next_step();
            lab.tree.append(FILE, "after")?;
            watcher.settle()?;
            watcher.saw(written(FILE))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const REFUSED_AT_LIMIT: Case = Case {
    id: "CHG17",
    name: "refused_at_limit",
    needs: &[ChangeWatches, WatchRecursively],
    environment: &[Environment::Namespaces],
    checks: "If an added tree needs more watches than the limit allows and is refused, nothing of it \
             stays behind: no watch, no report and no path to `unwatch`. Other watches go on, and \
             there is room for another attempt.",
    why: "The counterpart of CON20: half of the tree is watched by then.",
    usual_cause: "The error is returned from the middle of the walk, and the folders watched so far \
                  stay watched.",
    run: |lab| {
        const ROOM: u32 = 5;

        lab.sees_changes()?;
        lab.tree.mkdir("kept")?;
        (0..10).try_for_each(|i| lab.tree.mkdir_all(format!("large/{i}/sub")))?;
        lab.tree.mkdir_all("small/sub")?;
        let [kept, large, small] = ["kept", "large", "small"].map(|folder| lab.path(folder));
        let mut watcher = lab.watch([Watch::non_recursive(kept)])?;
        watcher.settle()?;
        let before = ResourceUsage::watches();
        let used = u32::try_from(before).unwrap_or(u32::MAX - ROOM);
        for (round, room) in [ROOM, 0, ROOM].into_iter().enumerate() {
            set_limit(lab, "max_inotify_watches", used + room)?;
            let answer = if round == 2 {
                watcher.watch_all(&[&small, &large].map(Watch::recursive))?
            } else {
                watcher.watch(Watch::recursive(&large))?
            };
            match answer {
                Err(BackendError::WatchLimit { .. }) => {}
                Err(error) => {
                    return fail("`watch` returns WatchLimit", format!("it answered {error:?}"));
                }
                Ok(()) if ResourceUsage::watches() < before + 10 => {
                    let reason = "the backend watches the tree with fewer watches";
                    return Err(Stop::Ignored(reason.into()));
                }
                Ok(()) => return fail("`watch` returns WatchLimit", "it added the tree"),
            }
            come_down_to(&mut watcher, before, "no watch is left of the tree that was refused")?;
            for path in [&large, &small] {
                let unwatched = watcher.unwatch(path)?;
                let expected = format!("{} is not watched", lab.timeline.show(path));
                ensure(unwatched.is_err(), expected, || "it is".into())?;
            }
            watcher.next_step();
            let of_kept = format!("kept/file-{round}");
            for file in [&of_kept, "large/file", "large/0/sub/file", "small/file"] {
                lab.tree.create(file)?;
            }
            watcher.settle()?;
            watcher.saw(created_file(of_kept))?;
            watcher.nothing_else()?;
        }
        set_limit(lab, "max_inotify_watches", used + 100)?;
        add(&mut watcher, Watch::recursive(&large))?;
        watcher.next_step();
        for i in 0..10 {
            lab.tree.create(format!("large/{i}/sub/after"))?;
        }
        watcher.settle()?;
        (0..10).try_for_each(|i| watcher.saw(created_file(format!("large/{i}/sub/after"))))
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
    run: |lab| {
        let mut watcher = lab.watch([])?;
        let mut flag = watcher.rest()?;
        ensure(!watcher.has_ended(), "the stream waits for the first watch", || {
            "it has ended".into()
        })?;
        let add_none = |watcher: &mut Watcher| match watcher.watch_all(&[])? {
            Ok(()) => Ok(()),
            Err(error) => fail("`watch_all` takes an empty list", format!("it answered: {error}")),
        };
        add_none(&mut watcher)?;
        add(&mut watcher, lab.flat())?;
        lab.tree.create("one")?;
        let one = created_file("one");
        let told = watcher.read_when_woken(&mut flag, |watcher| watcher.count(&one) > 0)?;
        ensure(told, "tree/one is reported as created", || "nobody was woken for it".into())?;
        add_none(&mut watcher)?;
        lab.tree.create("two")?;
        watcher.settle()?;
        watcher.saw(created_file("two"))?;
        watcher.saw(one)?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const ALL_DEMANDS: Case = Case {
    id: "CHG19",
    name: "all_demands",
    needs: &[ChangeWatches, WatchFolders],
    environment: &[Environment::Unix],
    checks: "`watch` and `watch_all` heed all that a watch asks for, as `new` does: depth, accesses and links; and \
             a path that is watched again has the demands of the later watch, and no others.",
    why: "The counterpart of CHG06 and CHG10, which ask for the depth alone.",
    usual_cause: "The way from `watch` to the platform is another one than that from `new`, and knows fewer \
                  demands.",
    run: |lab| {
        let mut watcher = lab.watch([lab.beacon()?])?;
        for at_once in [false, true] {
            let folder = format!("folder-{at_once}");
            lab.tree.mkdir_all(format!("{folder}/sub"))?;
            lab.tree.write(format!("{folder}/file"), "content")?;
            let plain = Watch::non_recursive(lab.path(&folder));
            if lab.has(WatchRecursively) {
                add_as(&mut watcher, at_once, plain.clone().recursive_if(true))?;
                is_told_of(
                    lab,
                    &mut watcher,
                    &format!("{folder}/sub/new"),
                    &format!("{folder}/sub/new"),
                )?;
                remove(&mut watcher, &plain.path)?;
            }
            if lab.has(EmitOnAccess) {
                let file = format!("{folder}/file");
                add_as(&mut watcher, at_once, plain.clone().with_access())?;
                tells_of_reading(lab, &mut watcher, &file, true)?;
                add(&mut watcher, plain.clone())?;
                tells_of_reading(lab, &mut watcher, &file, false)?;
                add(&mut watcher, plain.clone().with_access())?;
                tells_of_reading(lab, &mut watcher, &file, true)?;
                remove(&mut watcher, &plain.path)?;
            }
            if lab.has(FollowSymlinks) {
                let link = format!("link-{at_once}");
                lab.tree.symlink(&plain.path, &link)?;
                let as_link = Watch::non_recursive(lab.path(&link));
                add_as(&mut watcher, at_once, as_link.clone().following_links())?;
                is_told_of(lab, &mut watcher, &format!("{folder}/one"), &format!("{link}/one"))?;
                // Only a backend that watches files watches a link that is not followed.
                if lab.has(WatchFiles) {
                    add(&mut watcher, as_link.clone())?;
                    watcher.forget(&as_link.path);
                    watcher.next_step();
                    lab.tree.create(format!("{folder}/unseen"))?;
                    watcher.settle()?;
                    watcher.nothing_else()?;
                }
                add(&mut watcher, as_link.clone().following_links())?;
                is_told_of(lab, &mut watcher, &format!("{folder}/two"), &format!("{link}/two"))?;
                remove(&mut watcher, &as_link.path)?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// Adds a watch, by `watch_all` if it is to be `at_once` with others that may come.
fn add_as(watcher: &mut Watcher, at_once: bool, watch: Watch) -> Check {
    if !at_once {
        return add(watcher, watch);
    }
    match watcher.watch_all(&[watch])? {
        Ok(()) => Ok(()),
        Err(error) => fail("`watch_all` adds a watch", format!("it returned: {error}")),
    }
}

/// Makes a file, and fails unless that is reported for a path, and nothing else.
fn is_told_of(lab: &Lab, watcher: &mut Watcher, file: &str, path: &str) -> Check {
    watcher.next_step();
    lab.tree.create(file)?;
    watcher.settle()?;
    watcher.saw(created_file(path))?;
    watcher.nothing_else()?;
    watcher.next_step();
    Ok(())
}

/// Reads a file, and fails unless that is reported, or is not.
fn tells_of_reading(lab: &Lab, watcher: &mut Watcher, file: &str, is_told: bool) -> Check {
    watcher.next_step();
    lab.tree.make("read", file, |path| fs::read(path).map(drop))?;
    watcher.settle()?;
    let path = lab.path(file);
    let is_access =
        |event: &Event| matches!(event.kind, EventKind::Access(_)) && event.path == path;
    let there = watcher.events().any(is_access);
    let expected = if is_told { "accesses" } else { "no accesses" };
    ensure(there == is_told, format!("{expected} of tree/{file}"), || {
        if there { "there were some".into() } else { "there were none".into() }
    })
}

/// Fails unless there are so many watches of the platform, or less, once the backend has heard of some
/// further changes: only then some know that a folder is not on its way to another place.
fn come_down_to(watcher: &mut Watcher, most: usize, expected: &str) -> Check {
    for _ in 0..5 {
        watcher.settle()?;
        if ResourceUsage::watches() <= most {
            return Ok(());
        }
    }
    fail(expected, format!("there are {}, and should be {most}", ResourceUsage::watches()))
}

/// What holds watches of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Folder,
    Tree,
    File,
    /// A tree out of which a folder was moved.
    MovedOut,
    /// What was added before an error.
    Half,
}

const HELD: [Held; 5] = [Held::Folder, Held::Tree, Held::File, Held::MovedOut, Held::Half];
