//! Watched paths that are removed, renamed or replaced themselves (ROOT).

use std::path::Path;

use super::stream::is_quiet;
use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{created_file, gone, removed_folder, touched},
            failure::{Step, ensure, fail},
        },
        scene::{driver::Driver, environment::Environment, mounts},
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            ChangeWatches, FollowSymlinks, WatchFiles, WatchFolders, WatchRecursively,
        },
        event::{Event, EventKind, RemoveKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "roots",
    title: "Watched paths that go",
    guide: "When a watched path goes",
    cases: &[
        REMOVED,
        ONE_OF_SEVERAL_REMOVED,
        RENAMED,
        MADE_AGAIN,
        FILE_REPLACED,
        ALL_REMOVED,
        UNMOUNTED,
        PARENT_RENAMED,
        BECOMES_FILE,
        REACHED_THROUGH_LINK,
        DISPLACED,
    ],
};

const REMOVED: Case = Case {
    id: "ROOT01",
    name: "removed",
    needs: &[WatchFolders],
    checks: "A watched folder that is removed with its content is reported as removed, after its \
             entries.",
    why: "fsnotify#620; watchdog's test_delete_self.",
    usual_cause: "The platform's event for the watched folder itself has no name, and is dropped.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        scene.tree.create("root/file")?;
        let root = scene.path("root");
        let mut driver = scene.watch([Watch::non_recursive(&root), scene.barrier_watch()?])?;
        scene.tree.remove_all("root")?;
        driver.forget(&root);
        driver.settle()?;
        if scene.profile.coalesced {
            driver.saw(removed_folder("root"))?;
        } else {
            driver.saw_in_order([gone("root/file"), removed_folder("root")])?;
        }
        driver.next_step();
        driver.settle()?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const ONE_OF_SEVERAL_REMOVED: Case = Case {
    id: "ROOT02",
    name: "one_of_several_removed",
    needs: &[WatchFolders],
    checks: "When one of several watched folders is removed, the others go on being watched.",
    why: "An early inotify backend mistook the end of one watch for the end of all.",
    usual_cause: "The stream ends with the first watch that the platform gives up.",
    run: |scene| {
        scene.tree.mkdir("one")?;
        scene.tree.mkdir("other")?;
        let (one, other) = (scene.path("one"), scene.path("other"));
        let mut driver = scene.watch([Watch::non_recursive(&one), Watch::non_recursive(&other)])?;
        scene.tree.remove_all("one")?;
        driver.forget(&one);
        driver.settle()?;
        driver.saw(removed_folder("one"))?;
        scene.tree.create("other/file")?;
        driver.settle()?;
        driver.saw(created_file("other/file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const RENAMED: Case = Case {
    id: "ROOT03",
    name: "renamed",
    needs: &[WatchFolders],
    checks: "A watched folder that is renamed is reported as gone; changes in it under its new name \
             are not reported under the old one.",
    why: "fsnotify#518, notify#165, notify#555, atom/watcher#87, inotify-tools#41.",
    usual_cause: "The watch moves along with the folder, and the backend keeps its old path.",
    run: |scene| {
        scene.tree.mkdir_all("root/sub")?;
        let root = scene.path("root");
        let recursive = scene.has(WatchRecursively);
        let mut driver = scene
            .watch([Watch::non_recursive(&root).recursive_if(recursive), scene.barrier_watch()?])?;
        driver.forget(&root);
        scene.tree.rename("root", "renamed")?;
        driver.settle()?;
        driver.saw(gone("root"))?;
        driver.next_step();
        scene.tree.create("renamed/file")?;
        scene.tree.create("renamed/sub/file")?;
        driver.settle()?;
        driver.never_saw(&touched("root/file"))?;
        driver.never_saw(&touched("root/sub/file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const MADE_AGAIN: Case = Case {
    id: "ROOT04",
    name: "made_again",
    needs: &[WatchFolders],
    checks: "When a watched folder is removed and made again, its removal is reported, and either \
             the new one is watched or there is silence, without errors.",
    why: "chokidar#1059, JetBrains' testWatchRootRecreation, ttilley/fssm#6.",
    usual_cause: "A watch for a path that is gone is added again and again.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        let root = scene.path("root");
        let mut driver = scene.watch([Watch::non_recursive(&root), scene.barrier_watch()?])?;
        driver.forget(&root);
        scene.tree.rmdir("root")?;
        driver.settle()?;
        driver.saw(removed_folder("root"))?;
        scene.tree.mkdir("root")?;
        scene.tree.create("root/file")?;
        driver.settle()?;
        driver.settle()
    },
    ..Case::MUST
};

const FILE_REPLACED: Case = Case {
    id: "ROOT05",
    name: "file_replaced",
    needs: &[WatchFiles],
    modes: Mode::ALL,
    checks: "A watched file that is replaced by a rename is reported each time, not only the first.",
    why: "notify#531, watchexec#179: editors save this way.",
    usual_cause: "The watch is on the old file, and ends with it; watch the file's folder.",
    run: |scene| {
        scene.distinguishes_moments()?;
        scene.tree.write("file", "content")?;
        let watches = [Watch::non_recursive(scene.path("file")), scene.barrier_watch()?];
        let mut driver = scene.watch(watches)?;
        for i in 0..4 {
            driver.next_step();
            driver.perform(scene.mode, |tree| {
                tree.write("temporary", &format!("content {i}"))?;
                tree.rename("temporary", "file")
            })?;
            driver.saw(touched("file"))?;
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const ALL_REMOVED: Case = Case {
    id: "ROOT06",
    name: "all_removed",
    needs: &[WatchFolders],
    checks: "When all watched folders are removed, the last event is followed by silence, or, without \
             ChangeWatches, by the end of the stream; there are no errors.",
    why: "dart closes its watcher right after reporting the removal; a frontend that adds a path at \
          that moment must not lose it.",
    usual_cause: "The stream ends with the last watch, or reading goes on from a source that has \
                  nothing more.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        let root = scene.path("root");
        let mut driver = scene.watch([Watch::non_recursive(&root)])?;
        scene.tree.remove_all("root")?;
        driver.forget(&root);
        driver.saw(removed_folder("root"))?;
        driver.drain()?;
        ensure(
            !(driver.has_ended() && scene.has(ChangeWatches)),
            "the stream goes on, since paths can be added",
            || "it has ended".into(),
        )
    },
    ..Case::MUST
};

const UNMOUNTED: Case = Case {
    id: "ROOT07",
    name: "unmounted",
    needs: &[WatchFolders],
    environment: &[Environment::Mounts],
    is_shown_late: true,
    checks: "When the watched file system is unmounted, that is reported for the watched folder, with an \
             info; the backend neither keeps the file system busy nor keeps waking its task.",
    why: "notify#627, fsnotify#774, fsnotify#775, watchdog#420, watchdog#869, e-dant/watcher#67.",
    usual_cause: "The backend does not know the platform's event for it.",
    run: |scene| {
        scene.tree.mkdir("mount")?;
        let mount = scene.path("mount");
        mounts::mount(scene, &mount)?;
        scene.show()?;
        let mut driver = scene.watch([Watch::non_recursive(&mount), scene.barrier_watch()?])?;
        scene.tree.create("mount/file")?;
        driver.settle()?;
        driver.saw(created_file("mount/file"))?;
        driver.forget(&mount);
        driver.allow_errors();
        driver.next_step();
        if let Err(error) = mounts::unmount(scene, &mount) {
            let expected = "the backend does not keep the file system busy";
            return fail(expected, format!("umount failed: {error}"));
        }
        driver.settle()?;
        let named =
            |error: &crate::contract::error::StreamError| error.path() == Some(mount.as_path());
        if !driver.errors().iter().any(named) {
            driver.saw(gone("mount"))?;
        }
        // A backend that compares states sees another folder there.
        if !scene.profile.coalesced {
            is_reported_as_unmounted(&driver, &mount)?;
        }
        driver.drain()?;
        is_quiet(scene, &mut driver)
    },
    ..Case::MUST
};

/// Fails if an unmounted path is reported in another way than as unmounted, or as gone for some reason.
fn is_reported_as_unmounted(driver: &Driver, mount: &Path) -> Step {
    let mut of_it = driver.events().filter(|event| event.path == mount);
    let wrong = of_it.find(|event| match event.kind {
        EventKind::Remove(RemoveKind::Other) => event.attrs.info().is_none_or(str::is_empty),
        EventKind::Remove(kind) => kind != RemoveKind::Any,
        _ => false,
    });
    let expected = "for an unmounted path: remove/other with an info, or remove/any";
    ensure(wrong.is_none(), expected, || wrong.map_or_else(String::new, ToString::to_string))
}

const PARENT_RENAMED: Case = Case {
    id: "ROOT08",
    name: "parent_renamed",
    needs: &[WatchFolders],
    checks: "When a folder above the watched one is renamed, changes inside are not reported under the \
             old path, which does not exist any more.",
    why: "gradle stops watching when parent of watched directory is moved; directory-watcher#77.",
    usual_cause: "The platform sends no event for it, and the backend does not check.",
    run: |scene| {
        scene.tree.mkdir_all("above/root")?;
        let root = scene.path("above/root");
        let mut driver = scene.watch([Watch::non_recursive(&root), scene.barrier_watch()?])?;
        driver.forget(&root);
        scene.tree.rename("above", "renamed")?;
        driver.settle()?;
        scene.tree.create("renamed/root/file")?;
        driver.settle()?;
        driver.never_saw(&touched("above/root/file"))
    },
    ..Case::MAY
};

const BECOMES_FILE: Case = Case {
    id: "ROOT09",
    name: "becomes_file",
    needs: &[WatchFolders],
    checks: "A watched folder that is replaced by a file of the same name is reported as removed, and no \
             events of its former entries follow.",
    why: "chokidar's dir is replaced by file.",
    usual_cause: "The kind is stored by path.",
    run: |scene| {
        scene.tree.mkdir("root")?;
        let root = scene.path("root");
        let mut driver = scene.watch([Watch::non_recursive(&root), scene.barrier_watch()?])?;
        driver.forget(&root);
        scene.tree.rmdir("root")?;
        scene.tree.write("root", "content")?;
        driver.settle()?;
        driver.saw(removed_folder("root"))?;
        let root_events = driver.events().filter(|event| event.path != root).count();
        ensure(root_events == 0, "no events but those of the root", || {
            format!("there were {root_events}")
        })
    },
    ..Case::MUST
};

const REACHED_THROUGH_LINK: Case = Case {
    id: "ROOT10",
    name: "reached_through_link",
    needs: &[WatchFolders, FollowSymlinks],
    environment: &[Environment::Unix],
    checks: "If the watched folder is reached through a link, and that link is changed to lead \
             elsewhere, events keep the spelling with the link.",
    why: "fsnotify's script to-dir; dotnet's FileSystemWatcher.SymbolicLink.",
    usual_cause: "The path is resolved when it is watched.",
    run: |scene| {
        scene.tree.mkdir("one")?;
        scene.tree.mkdir("other")?;
        scene.tree.symlink("one", "link")?;
        let link = scene.path("link");
        let mut driver =
            scene.watch([Watch::non_recursive(&link).following_links(), scene.barrier_watch()?])?;
        scene.tree.create("one/file")?;
        driver.settle()?;
        driver.saw(created_file("link/file"))?;
        driver.forget(&link);
        scene.tree.symlink("other", "link-2")?;
        scene.tree.rename("link-2", "link")?;
        driver.settle()?;
        let is_spelled = |event: &&Event| !event.path.as_os_str().is_empty();
        let mut spelled = driver.events().filter(is_spelled);
        let strange = spelled.find(|event| !event.path.starts_with(&link));
        ensure(strange.is_none(), "every path begins with tree/link", || format!("{strange:?}"))
    },
    ..Case::MUST
};

const DISPLACED: Case = Case {
    id: "ROOT11",
    name: "displaced",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    checks: "A watched empty folder that another folder is renamed over is reported as gone, after which the other \
             one is watched, or there is silence, without errors. Where the platform merges changes, it may be \
             watched without such a report.",
    why: "The counterpart of ROOT04 and REC25: `rename` replaces an empty folder, which is then nowhere.",
    usual_cause: "The platform sends no removal for a folder that is replaced.",
    run: |scene| {
        for recursive in [false, true] {
            if recursive && !scene.has(WatchRecursively) {
                continue;
            }
            scene.tree.mkdir("root")?;
            scene.tree.mkdir_all("other/sub")?;
            let root = scene.path("root");
            let watch = Watch::non_recursive(&root).recursive_if(recursive);
            let mut driver = scene.watch([watch, scene.barrier_watch()?])?;
            driver.forget(&root);
            scene.tree.rename("other", "root")?;
            driver.settle()?;
            if !scene.profile.coalesced {
                driver.saw(gone("root"))?;
            }
            scene.tree.create("root/file")?;
            driver.settle()?;
            // Where changes are merged, there was always a folder. Silence about this one would be a loss.
            if driver.count(&gone("root")) == 0 {
                driver.saw(created_file("root/file"))?;
            }
            drop(driver);
            scene.tree.remove_all("root")?;
        }
        Ok(())
    },
    ..Case::MUST
};
