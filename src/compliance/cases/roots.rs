//! What becomes of the watched paths themselves (ROOT).

use crate::{
    backend::Watch,
    capability::Capability::WatchFolders,
    compliance::{
        case::{Case, Group},
        expect::{created_file, gone, removed_folder},
    },
};

pub(super) const GROUP: Group = Group {
    name: "roots",
    title: "Watched paths that go",
    guide: "When a watched path goes",
    cases: &[REMOVED, ONE_OF_SEVERAL_REMOVED, ALL_REMOVED],
};

const REMOVED: Case = Case {
    id: "ROOT01",
    name: "removed",
    needs: &[WatchFolders],
    checks: "A watched folder that is removed with all that is in it is reported as removed, after \
             its entries.",
    why: "fsnotify#620; watchdog's test_delete_self.",
    usual_cause: "The platform's word for the watched folder itself has no name, and is left out.",
    run: |lab| {
        lab.tree.mkdir("root")?;
        lab.tree.create("root/file")?;
        let root = lab.path("root");
        let mut watcher = lab.watch([Watch::non_recursive(&root), lab.beacon()?])?;
        lab.tree.remove_all("root")?;
        watcher.forget(&root);
        watcher.settle()?;
        if lab.profile.sampled {
            watcher.saw(removed_folder("root"))?;
        } else {
            watcher.saw_in_order([gone("root/file"), removed_folder("root")])?;
        }
        watcher.next_step();
        watcher.settle()?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const ONE_OF_SEVERAL_REMOVED: Case = Case {
    id: "ROOT02",
    name: "one_of_several_removed",
    needs: &[WatchFolders],
    checks: "When one of several watched folders is removed, the others go on being watched.",
    why: "An early inotify backend took the end of one watch for the end of all.",
    usual_cause: "The stream ends with the first watch that the platform gives up.",
    run: |lab| {
        lab.tree.mkdir("one")?;
        lab.tree.mkdir("other")?;
        let (one, other) = (lab.path("one"), lab.path("other"));
        let mut watcher = lab.watch([Watch::non_recursive(&one), Watch::non_recursive(&other)])?;
        lab.tree.remove_all("one")?;
        watcher.forget(&one);
        watcher.settle()?;
        watcher.saw(removed_folder("one"))?;
        lab.tree.create("other/file")?;
        watcher.settle()?;
        watcher.saw(created_file("other/file"))?;
        watcher.nothing_else()
    },
    ..Case::MUST
};

const ALL_REMOVED: Case = Case {
    id: "ROOT06",
    name: "all_removed",
    needs: &[WatchFolders],
    checks: "When all watched folders are removed, the last event is followed by the end of the \
             stream, or by silence; there are no errors.",
    why: "dart closes its watcher right after reporting the removal.",
    usual_cause: "Reading goes on from a source that has nothing more to say.",
    run: |lab| {
        lab.tree.mkdir("root")?;
        let root = lab.path("root");
        let mut watcher = lab.watch([Watch::non_recursive(&root)])?;
        lab.tree.remove_all("root")?;
        watcher.forget(&root);
        watcher.saw(removed_folder("root"))?;
        watcher.drain()
    },
    ..Case::MUST
};
