//! Files in a watched folder (FIL).

use crate::{
    capability::Capability::WatchFolders,
    compliance::{
        case::{Case, Group},
        expect::{created_file, removed_file, written},
        mode::Mode,
    },
};

pub(super) const GROUP: Group = Group {
    name: "files",
    title: "Files in a watched folder",
    guide: "Reporting events",
    cases: &[CREATED, WRITTEN, REMOVED],
};

const CREATED: Case = Case {
    id: "FIL01",
    name: "created",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A file that is created, empty or with a content, is reported as created.",
    why: "fsnotify's scripts create-empty-file and create-file-with-data.",
    usual_cause: "The platform is not asked for creations, or their path is not joined to the \
                  folder's.",
    run: |lab| {
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| {
            tree.create("empty")?;
            tree.write("full", "content")
        })?;
        watcher.saw(created_file("empty"))?;
        if lab.profile.sampled {
            watcher.saw(created_file("full"))?;
        } else {
            watcher.saw_in_order([created_file("full"), written("full")])?;
        }
        watcher.nothing_else()
    },
    ..Case::MUST
};

const WRITTEN: Case = Case {
    id: "FIL02",
    name: "written",
    needs: &[WatchFolders],
    checks: "Appending, rewriting and truncating are each reported as a change of data.",
    why: "fsnotify's script truncate-file and TestWatchMultipleWrite.",
    usual_cause: "Only the closing of a file is listened to, which a truncation need not cause.",
    run: |lab| {
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        let changes: [fn(&crate::compliance::tree::Tree) -> _; 4] = [
            |tree| tree.append("file", " and more"),
            |tree| tree.write("file", "another, longer content"),
            |tree| tree.truncate("file", 3),
            |tree| tree.truncate("file", 4000),
        ];
        for change in changes {
            watcher.next_step();
            change(&lab.tree)?;
            watcher.settle()?;
            watcher.saw(written("file"))?;
            watcher.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const REMOVED: Case = Case {
    id: "FIL07",
    name: "removed",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A file that is removed is reported as removed.",
    why: "Every watcher's test suite begins with it.",
    usual_cause: "The platform is not asked for removals, or the event is left out because the file \
                  is not there any more.",
    run: |lab| {
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| tree.remove("file"))?;
        watcher.saw(removed_file("file"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};
