//! Renames, and what relates their halves (REN).

use crate::{
    capability::Capability::{TrackRelated, WatchFolders},
    compliance::{
        case::{Case, Group},
        expect::{gone, moved_from, moved_to},
        failure::{Check, fail},
        lab::Lab,
        mode::Mode,
        watcher::Watcher,
    },
    event::{EventKind, ModifyKind, RenameMode},
};

pub(super) const GROUP: Group = Group {
    name: "renames",
    title: "Renames and tracking",
    guide: "Renames",
    cases: &[WITHIN_FOLDER, MOVED_OUT],
};

const WITHIN_FOLDER: Case = Case {
    id: "REN01",
    name: "within_folder",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A rename is reported for the old name and for the new one, in this order and with one \
             tracker where the backend tracks.",
    why: "fsnotify's script rename-file.",
    usual_cause: "The platform's cookie is not handed on as the tracker.",
    run: |lab| {
        lab.tree.write("old", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| tree.rename("old", "new"))?;
        watcher.saw(moved_from("old"))?;
        watcher.saw(moved_to("new"))?;
        watcher.nothing_else()?;
        is_pair(lab, &watcher, "old", "new")
    },
    ..Case::MUST
};

/// The two halves are there, in order and with one tracker, if the backend promises that.
fn is_pair(lab: &Lab, watcher: &Watcher, from: &str, to: &str) -> Check {
    if !lab.has(TrackRelated) {
        return Ok(());
    }
    let half = |mode, path: &str| {
        let path = lab.path(path);
        let kind = EventKind::Modify(ModifyKind::Name(mode));
        watcher.events().enumerate().find(|(_, event)| event.kind == kind && event.path == path)
    };
    let expected = format!("modify/name/from {from}, then modify/name/to {to}, with one tracker");
    match (half(RenameMode::From, from), half(RenameMode::To, to)) {
        (Some((first, from)), Some((second, to))) if first < second => {
            match (from.attrs.tracker(), to.attrs.tracker()) {
                (Some(one), Some(other)) if one == other => Ok(()),
                (one, other) => fail(expected, format!("the trackers are {one:?} and {other:?}")),
            }
        }
        (Some(_), Some(_)) => fail(expected, "`to` came before `from`"),
        _ => fail(expected, "not both halves were reported"),
    }
}

const MOVED_OUT: Case = Case {
    id: "REN04",
    name: "moved_out",
    needs: &[WatchFolders],
    checks: "What is moved out of the watched folder is reported as gone, also when nothing else \
             happens.",
    why: "dotnet/corefx#2671, notify#480: the first half was held back to wait for the second.",
    usual_cause: "The `From` half waits for its `To`, which never comes.",
    run: |lab| {
        lab.tree.write("file", "content")?;
        let mut watcher = lab.watch([lab.flat()])?;
        lab.tree.rename("file", lab.outside.path("file"))?;
        // Not settled by a barrier: that would be something else that happens.
        watcher.saw(gone("file"))?;
        watcher.settle()?;
        watcher.nothing_else()
    },
    ..Case::MUST
};
