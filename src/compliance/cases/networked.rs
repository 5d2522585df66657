//! Changes that this machine's kernel does not see, because they are made behind a mount or by a service (NET).

use std::path::Path;

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{appeared, created_file, gone, written},
            failure::Step,
        },
        scene::{Scene, driver::Driver},
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            WatchFiles, WatchFolders, WatchNetworkedFilesystem, WatchRecursively,
        },
    },
};

pub(super) const GROUP: Group = Group {
    name: "networked",
    title: "Changes by other machines",
    guide: "Setting up watches",
    cases: &[BEHIND_THE_VIEW, FILE_BEHIND_THE_VIEW, BELOW_THE_VIEW],
};

/// Watches the view of the case's folder.
fn watch(scene: &Scene, watch: Watch) -> Step<Driver> {
    scene.is_seen_elsewhere()?;
    scene.watch([watch])
}

const BEHIND_THE_VIEW: Case = Case {
    id: "NET01",
    name: "behind_the_view",
    needs: &[WatchFolders, WatchNetworkedFilesystem],
    modes: Mode::ALL,
    checks: "What is created, written and removed behind a mount, or where a service looks, is reported.",
    why: "inotify and its like accept a watch of a network mount, and stay silent for ever.",
    usual_cause: "The kernel is asked, which sees only the changes that this machine makes.",
    run: |scene| {
        scene.tree.create("old")?;
        let mut driver = watch(scene, scene.flat())?;
        driver.perform(scene.mode, |tree| tree.create("new"))?;
        driver.saw(created_file("new"))?;
        driver.next_step();
        driver.perform(scene.mode, |tree| tree.write("old", "longer than before"))?;
        driver.saw(written("old"))?;
        driver.next_step();
        driver.perform(scene.mode, |tree| tree.remove("old"))?;
        driver.saw(gone("old"))
    },
    ..Case::MUST
};

const FILE_BEHIND_THE_VIEW: Case = Case {
    id: "NET02",
    name: "file_behind_the_view",
    needs: &[WatchFiles, WatchNetworkedFilesystem],
    checks: "A watched file that is written behind a mount, or where a service looks, is reported.",
    why: "Configuration on a network mount is watched by its name.",
    usual_cause: "The kernel is asked, which sees only the changes that this machine makes.",
    run: |scene| {
        scene.tree.create("file")?;
        let mut driver = watch(scene, Watch::non_recursive(scene.path("file")))?;
        scene.tree.write("file", "longer than before")?;
        driver.saw(written("file"))
    },
    ..Case::MUST
};

const BELOW_THE_VIEW: Case = Case {
    id: "NET03",
    name: "below_the_view",
    needs: &[WatchRecursively, WatchNetworkedFilesystem],
    checks: "A folder that is moved in behind a mount is reported, and so are later changes in it.",
    why: "A server's own programs move whole trees into what it shares.",
    usual_cause: "New folders are watched when the kernel reports them, which it does not.",
    run: |scene| {
        scene.outside.mkdir("folder")?;
        let mut driver = watch(scene, scene.deep())?;
        scene.tree.rename(scene.outside.path("folder"), "folder")?;
        driver.saw(appeared("folder"))?;
        driver.next_step();
        driver.settle_in(&[Path::new("folder")])?;
        scene.tree.create("folder/file")?;
        driver.saw(created_file("folder/file"))
    },
    ..Case::MUST
};
