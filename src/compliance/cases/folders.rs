//! Folders in a watched folder (DIR).

use crate::{
    capability::Capability::WatchFolders,
    compliance::{
        case::{Case, Group},
        expect::{created_folder, removed_folder},
        mode::Mode,
    },
};

pub(super) const GROUP: Group = Group {
    name: "folders",
    title: "Folders in a watched folder",
    guide: "Reporting events",
    cases: &[MADE_AND_REMOVED],
};

const MADE_AND_REMOVED: Case = Case {
    id: "DIR01",
    name: "made_and_removed",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A folder is reported as created and as removed, and as a folder, never as a file.",
    why: "notify#545.",
    usual_cause: "The platform's mark for folders is not looked at, or the kind is asked of a file \
                  system that has moved on.",
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
