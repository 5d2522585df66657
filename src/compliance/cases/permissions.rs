//! Permissions that change (PERM), as an ordinary user.

use std::cell::RefCell;

use super::calls::remove;
use crate::{
    compliance::{
        case::{Case, Group},
        rules::{
            expect::{appeared, created_file, metadata_changed, removed_file, touched, written},
            failure::{Step, Stop, ensure},
        },
        scene::{driver::Driver, environment::Environment, foreign, places, tree::Tree},
    },
    contract::{
        backend::Watch,
        capability::Capability::{ChangeWatches, WatchFolders, WatchNewFolders, WatchRecursively},
    },
};

pub(super) const GROUP: Group = Group {
    name: "permissions",
    title: "Permissions",
    guide: "Errors",
    cases: &[
        FILE_LOCKED,
        ROOT_LOCKED,
        OF_ANOTHER_USER,
        FOLDER_LOCKED,
        WOKEN_AFTER_ERROR,
        ERROR_AS_SPELLED,
        FILE_UNLOCKED,
        ERRORS_OF_REMOVED,
        NOT_ASKED_FOR,
    ],
};

const FILE_LOCKED: Case = Case {
    id: "PERM01",
    name: "file_locked",
    needs: &[WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A file that becomes unreadable is reported as changed, and later as removed.",
    why: "fsnotify's scripts make-file-unreadable and unreadable-file.",
    usual_cause: "The file is opened to find out what happened to it.",
    run: |scene| {
        let fill = |tree: &Tree| tree.write("file", "content");
        places::of(scene).filled(fill).each(|driver, place| {
            place.chmod("file", 0o000)?;
            driver.settle()?;
            driver.saw(touched(place.path("file")))?;
            place.remove("file")?;
            driver.settle()?;
            driver.saw(removed_file(place.path("file")))?;
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const ROOT_LOCKED: Case = Case {
    id: "PERM03",
    name: "root_locked",
    needs: &[WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A watched folder that may not be read any more neither ends the stream nor causes a busy \
             loop, and is watched again once it may be read.",
    why: "A temporary change of permissions is no reason to stop.",
    usual_cause: "The folder is listed at each event, and the error ends the stream.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        let root = scene.path("root");
        let mut driver = scene.watch([Watch::non_recursive(&root), scene.barrier_watch()?])?;
        driver.allow_errors();
        driver.forget(&root);
        scene.tree.chmod("root", 0o000)?;
        driver.settle()?;
        scene.tree.chmod("root", 0o700)?;
        driver.settle()?;
        scene.tree.create("root/file")?;
        driver.saw(touched("root/file"))
    },
    ..Case::MUST
};

const OF_ANOTHER_USER: Case = Case {
    id: "PERM04",
    name: "of_another_user",
    needs: &[WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A readable folder of another user is watched like one's own, anywhere in a tree.",
    why: "Configuration in /etc is watched by programs that must not write there.",
    usual_cause: "The backend asks for more rights than reading events needs.",
    run: |scene| {
        let of_root = std::path::Path::new("/etc");
        let mut driver = scene.watch([Watch::non_recursive(of_root), scene.flat()])?;
        // Nothing can be made there, so all that can be checked is that it is accepted.
        driver.forget(of_root);
        scene.tree.create("file")?;
        driver.settle()?;
        driver.saw(created_file("file"))?;
        drop(driver);

        // If root has started the suite, there are folders of root's with files of the user that the case
        // runs as.
        let foreign = RefCell::new(foreign::folders());
        if foreign.borrow().is_empty() || !scene.has(WatchRecursively) {
            return Ok(());
        }
        let fill = |tree: &Tree| match foreign.borrow_mut().pop() {
            Some(folder) => tree.rename(folder, "foreign"),
            None => Err(Stop::Broken("there are too few folders of root's".into())),
        };
        places::of(scene).filled(fill).each(|driver, place| {
            let file = place.path("foreign").join(foreign::FILE);
            place.append(&file, "more")?;
            driver.settle()?;
            driver.saw(written(file))?;
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const FOLDER_LOCKED: Case = Case {
    id: "PERM05",
    name: "folder_locked",
    needs: &[WatchRecursively],
    environment: &[Environment::OrdinaryUser],
    checks: "A folder in a tree that may not be read for a while, whether old or new, does not stop the others \
             from being watched, and is watched once it may be read again.",
    why: "The counterpart of PERM03: a temporary change of permissions is no reason to stop.",
    usual_cause: "The folder is given up at the first error, and consumers get no error item.",
    run: |scene| {
        let fill = |tree: &Tree| tree.mkdir_all("locked/below");
        let (mut driver, places) = places::of(scene).filled(fill).watch()?;
        driver.allow_errors();
        let chmod = |mode| places.iter().try_for_each(|place| place.chmod("locked", mode));
        chmod(0o000)?;
        driver.settle()?;
        places.iter().try_for_each(|place| place.create("beside"))?;
        driver.settle()?;
        places.iter().try_for_each(|place| driver.saw(created_file(place.path("beside"))))?;
        chmod(0o700)?;
        driver.settle()?;
        let make = |name: &str| -> Step { places.iter().try_for_each(|place| place.create(name)) };
        for file in ["locked/file", "locked/below/file"] {
            make(file)?;
            driver.settle()?;
            places.iter().try_for_each(|place| driver.saw(appeared(place.path(file))))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const WOKEN_AFTER_ERROR: Case = Case {
    id: "PERM06",
    name: "woken_after_error",
    needs: &[WatchRecursively],
    environment: &[Environment::OrdinaryUser],
    is_shown_late: true,
    checks: "A consumer that polls only when it is woken, as tasks do, is woken for a change even after an \
             error item, whether the folder that it names is old or new.",
    why: "The counterpart of STR19: after an error, `poll_next` takes another path through the code.",
    usual_cause: "After an error, `poll_next` returns `Pending` without having registered the waker.",
    run: |scene| {
        let lock = |tree: &Tree, folder: &str| {
            tree.mkdir(folder)?;
            tree.chmod(folder, 0o200)
        };
        lock(&scene.tree, "locked")?;
        lock(&scene.outside, "later")?;
        scene.show()?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.allow_errors();
        let mut flag = driver.rest()?;
        let mut locked = vec!["locked"];
        if scene.has(WatchNewFolders) {
            locked.push("later");
        }
        for folder in locked {
            if folder == "later" {
                scene.tree.rename(scene.outside.path("later"), "later")?;
            }
            let path = scene.path(folder);
            let is_named =
                |driver: &Driver| driver.errors().iter().any(|it| it.path() == Some(&path));
            let reported = driver.read_when_woken(&mut flag, is_named)?;
            ensure(reported, format!("an error item that names tree/{folder}"), || "none".into())?;
            let file = format!("file-after-{folder}");
            scene.tree.create(&file)?;
            let what = format!("after the error item, tree/{file} is reported as created");
            driver.saw_when_woken(&mut flag, &created_file(&file), what)?;
        }
        Ok(())
    },
    ..Case::MUST
};

const ERROR_AS_SPELLED: Case = Case {
    id: "PERM07",
    name: "error_as_spelled",
    needs: &[WatchRecursively],
    environment: &[Environment::OrdinaryUser],
    checks: "An error item for an unreadable folder in a tree names it by a path below the watched one, as \
             that is spelled, and not by another path such as the canonical one.",
    why: "A program looks the path up in its own list of watches.",
    usual_cause: "Folders are looked at by their canonical paths, and the errors name these.",
    run: |scene| {
        scene.tree.mkdir_all("root/locked")?;
        scene.tree.chmod("root/locked", 0o200)?;
        scene.outside.symlink(scene.path(""), "way")?;
        let root = scene.outside.path("way/root");
        let mut driver = scene.watch([Watch::recursive(&root), scene.barrier_watch()?])?;
        driver.allow_errors();
        driver.settle()?;
        let locked = root.join("locked");
        let is_named = |driver: &Driver| {
            let mut paths = driver.errors().iter().filter_map(|error| error.path());
            paths.any(|path| path.as_os_str() == locked.as_os_str())
        };
        driver.read_until_reported(is_named)?;
        let shown = scene.timeline.show(&locked);
        ensure(is_named(&driver), format!("an error item that names {shown}"), || {
            format!("the errors are {:?}", driver.errors())
        })
    },
    ..Case::MUST
};

const FILE_UNLOCKED: Case = Case {
    id: "PERM08",
    name: "file_unlocked",
    needs: &[WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A file that may not be read, and was so from the beginning, is reported as changed when it becomes \
             readable, and so is what is written to it then.",
    why: "The counterpart of PERM01: a program makes a file with a secret, and hands it over when it is complete.",
    usual_cause: "Each file is opened to be watched. One that cannot be opened is left out, and not tried again.",
    run: |scene| {
        let fill = |tree: &Tree| {
            tree.write("file", "content")?;
            tree.chmod("file", 0o000)
        };
        places::of(scene).filled(fill).each(|driver, place| {
            // Without a barrier: if the platform has no event, the backend looks from time to time.
            place.chmod("file", 0o600)?;
            driver.saw(touched(place.path("file")))?;
            driver.settle()?;
            driver.next_step();
            place.append("file", "more")?;
            driver.settle()?;
            driver.saw(written(place.path("file")))
        })
    },
    ..Case::MUST
};

const ERRORS_OF_REMOVED: Case = Case {
    id: "PERM09",
    name: "errors_of_removed",
    needs: &[ChangeWatches, WatchRecursively],
    environment: &[Environment::OrdinaryUser],
    checks: "Once the watch of a tree is removed, its error items that have not been read yet are not reported any \
             more, whether or not others have been read.",
    why: "The counterpart of CHG02 and CHG12, which look at events: a consumer that has forgotten the path does not \
          know what to do with its errors either.",
    usual_cause: "`unwatch` removes the waiting events of the watch, and lets error items pass.",
    run: |scene| {
        const FOLDERS: usize = 10;

        for i in 0..FOLDERS {
            let folder = format!("root/locked-{i}");
            scene.tree.mkdir_all(&folder)?;
            scene.tree.chmod(&folder, 0o200)?;
        }
        let root = scene.path("root");
        for reads_one in [false, true] {
            let mut driver = scene.watch([Watch::recursive(&root), scene.barrier_watch()?])?;
            driver.allow_errors();
            if reads_one {
                driver.read_until_reported(|driver| !driver.errors().is_empty())?;
            }
            let read = driver.errors().len();
            remove(&mut driver, &root)?;
            driver.settle()?;
            let late = driver.errors().get(read);
            ensure(late.is_none(), "no error item of the removed watch", || {
                late.map(ToString::to_string).unwrap_or_default()
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const NOT_ASKED_FOR: Case = Case {
    id: "PERM10",
    name: "not_asked_for",
    needs: &[WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A folder that may not be read is no error in a folder that is watched without recursion, whether it is \
             old, new or locked later: only its contents cannot be watched, and no watch asks for them.",
    why: "The counterpart of PERM06: an error tells a user to do something about it.",
    usual_cause: "Each entry that is a folder is opened, whatever the watch asks for.",
    // An invariant checks that there are no errors.
    run: |scene| {
        scene.tree.mkdir("old")?;
        scene.tree.chmod("old", 0o200)?;
        scene.tree.mkdir("later")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.settle()?;
        scene.outside.mkdir("new")?;
        scene.outside.chmod("new", 0o200)?;
        scene.tree.rename(scene.outside.path("new"), "new")?;
        driver.settle()?;
        driver.saw(appeared("new"))?;
        driver.next_step();
        scene.tree.chmod("later", 0o200)?;
        driver.settle()?;
        if scene.profile.distinguishes_metadata {
            driver.saw(metadata_changed("later"))?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};
