//! Permissions that change (PERM), as an ordinary user.

use std::cell::RefCell;

use crate::{
    backend::Watch,
    capability::Capability::{WatchFolders, WatchRecursively},
    compliance::{
        case::{Case, Group},
        environment::Environment,
        expect::{appeared, created_file, removed_file, touched, written},
        failure::{Check, Stop},
        places, process,
        tree::Tree,
    },
};

pub(super) const GROUP: Group = Group {
    name: "permissions",
    title: "Permissions",
    guide: "Errors",
    cases: &[FILE_LOCKED, ROOT_LOCKED, OF_ANOTHER_USER, FOLDER_LOCKED],
};

const FILE_LOCKED: Case = Case {
    id: "PERM01",
    name: "file_locked",
    needs: &[WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A file that becomes unreadable is reported as changed, and later as removed.",
    why: "fsnotify's scripts make-file-unreadable and unreadable-file.",
    usual_cause: "The file is opened to find out what happened to it.",
    run: |lab| {
        let fill = |tree: &Tree| tree.write("file", "content");
        places::of(lab).filled(fill).each(|watcher, place| {
            place.chmod("file", 0o000)?;
            watcher.settle()?;
            watcher.saw(touched(place.path("file")))?;
            place.remove("file")?;
            watcher.settle()?;
            watcher.saw(removed_file(place.path("file")))?;
            watcher.nothing_else()
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
    run: |lab| {
        lab.tree.mkdir("root")?;
        let root = lab.path("root");
        let mut watcher = lab.watch([Watch::non_recursive(&root), lab.beacon()?])?;
        watcher.allow_errors();
        watcher.forget(&root);
        lab.tree.chmod("root", 0o000)?;
        watcher.settle()?;
        lab.tree.chmod("root", 0o700)?;
        watcher.settle()?;
        lab.tree.create("root/file")?;
        watcher.saw(touched("root/file"))
    },
    ..Case::MUST
};

const OF_ANOTHER_USER: Case = Case {
    id: "PERM04",
    name: "of_another_user",
    needs: &[WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A folder that belongs to another user, and may be read, is watched like one's own, \
             anywhere in a tree.",
    why: "Configuration in /etc is watched by programs that must not write there.",
    usual_cause: "The platform is asked for more rights than reading events needs.",
    run: |lab| {
        let of_root = std::path::Path::new("/etc");
        let mut watcher = lab.watch([Watch::non_recursive(of_root), lab.flat()])?;
        // Nothing can be made there; that it is watched is all that can be seen.
        watcher.forget(of_root);
        lab.tree.create("file")?;
        watcher.settle()?;
        watcher.saw(created_file("file"))?;
        drop(watcher);

        // Where root has started the suite, there are files of one's own in folders of root's.
        let foreign = RefCell::new(process::foreign_folders());
        if foreign.borrow().is_empty() || !lab.has(WatchRecursively) {
            return Ok(());
        }
        let fill = |tree: &Tree| match foreign.borrow_mut().pop() {
            Some(folder) => tree.rename(folder, "foreign"),
            None => Err(Stop::Broken("there are too few folders of root's".into())),
        };
        places::of(lab).filled(fill).each(|watcher, place| {
            let file = place.path("foreign").join(process::FOREIGN_FILE);
            place.append(&file, "more")?;
            watcher.settle()?;
            watcher.saw(written(file))?;
            watcher.nothing_else()
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
    usual_cause: "The folder is given up at the first error, and consumers are not told.",
    run: |lab| {
        let fill = |tree: &Tree| tree.mkdir_all("locked/below");
        let (mut watcher, places) = places::of(lab).filled(fill).watch()?;
        watcher.allow_errors();
        let chmod = |mode| places.iter().try_for_each(|place| place.chmod("locked", mode));
        chmod(0o000)?;
        watcher.settle()?;
        places.iter().try_for_each(|place| place.create("beside"))?;
        watcher.settle()?;
        places.iter().try_for_each(|place| watcher.saw(created_file(place.path("beside"))))?;
        chmod(0o700)?;
        watcher.settle()?;
        let make = |name: &str| -> Check { places.iter().try_for_each(|place| place.create(name)) };
        for file in ["locked/file", "locked/below/file"] {
            make(file)?;
            watcher.settle()?;
            places.iter().try_for_each(|place| watcher.saw(appeared(place.path(file))))?;
        }
        Ok(())
    },
    ..Case::MUST
};
