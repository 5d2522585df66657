//! What becomes of the watched paths themselves (ROOT).

use super::stream::is_quiet;
use crate::{
    backend::Watch,
    capability::Capability::{
        ChangeWatches, FollowSymlinks, WatchFiles, WatchFolders, WatchRecursively,
    },
    compliance::{
        case::{Case, Group},
        environment::Environment,
        expect::{created_file, gone, removed_folder, touched},
        failure::{ensure, fail},
        mode::Mode,
        mounts,
    },
    event::Event,
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

const RENAMED: Case = Case {
    id: "ROOT03",
    name: "renamed",
    needs: &[WatchFolders],
    checks: "A watched folder that is renamed is reported as gone; changes in it under its new name \
             are not reported under the old one.",
    why: "fsnotify#518, notify#165, notify#555, atom/watcher#87, inotify-tools#41.",
    usual_cause: "The watch moves along with the folder, and the backend keeps its old path.",
    run: |lab| {
        lab.tree.mkdir_all("root/sub")?;
        let root = lab.path("root");
        let recursive = lab.has(WatchRecursively);
        let mut watcher =
            lab.watch([Watch::non_recursive(&root).recursive_if(recursive), lab.beacon()?])?;
        watcher.forget(&root);
        lab.tree.rename("root", "renamed")?;
        watcher.settle()?;
        watcher.saw(gone("root"))?;
        watcher.next_step();
        lab.tree.create("renamed/file")?;
        lab.tree.create("renamed/sub/file")?;
        watcher.settle()?;
        watcher.never_saw(&touched("root/file"))?;
        watcher.never_saw(&touched("root/sub/file"))?;
        watcher.nothing_else()
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
    run: |lab| {
        lab.tree.mkdir("root")?;
        let root = lab.path("root");
        let mut watcher = lab.watch([Watch::non_recursive(&root), lab.beacon()?])?;
        watcher.forget(&root);
        lab.tree.rmdir("root")?;
        watcher.settle()?;
        watcher.saw(removed_folder("root"))?;
        lab.tree.mkdir("root")?;
        lab.tree.create("root/file")?;
        watcher.settle()?;
        watcher.settle()
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
    run: |lab| {
        lab.tells_moments()?;
        lab.tree.write("file", "content")?;
        let watches = [Watch::non_recursive(lab.path("file")), lab.beacon()?];
        let mut watcher = lab.watch(watches)?;
        for i in 0..4 {
            watcher.next_step();
            watcher.perform(lab.mode, |tree| {
                tree.write("temporary", &format!("content {i}"))?;
                tree.rename("temporary", "file")
            })?;
            watcher.saw(touched("file"))?;
            watcher.nothing_else()?;
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
    run: |lab| {
        lab.tree.mkdir("root")?;
        let root = lab.path("root");
        let mut watcher = lab.watch([Watch::non_recursive(&root)])?;
        lab.tree.remove_all("root")?;
        watcher.forget(&root);
        watcher.saw(removed_folder("root"))?;
        watcher.drain()?;
        ensure(
            !(watcher.has_ended() && lab.has(ChangeWatches)),
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
    checks: "When the watched file system is unmounted, that is reported for the watched folder; the \
             backend neither keeps the file system busy nor runs wild.",
    why: "notify#627, fsnotify#774, fsnotify#775, watchdog#420, watchdog#869, e-dant/watcher#67.",
    usual_cause: "The backend does not know the platform's event for it.",
    run: |lab| {
        lab.tree.mkdir("mount")?;
        let mount = lab.path("mount");
        mounts::mount(lab, &mount)?;
        let mut watcher = lab.watch([Watch::non_recursive(&mount), lab.beacon()?])?;
        lab.tree.create("mount/file")?;
        watcher.settle()?;
        watcher.saw(created_file("mount/file"))?;
        watcher.forget(&mount);
        watcher.allow_errors();
        watcher.next_step();
        if let Err(error) = mounts::unmount(lab, &mount) {
            let expected = "the backend does not keep the file system busy";
            return fail(expected, format!("umount said: {error}"));
        }
        watcher.settle()?;
        let named = |error: &crate::error::StreamError| error.path() == Some(mount.as_path());
        if !watcher.errors().iter().any(named) {
            watcher.saw(gone("mount"))?;
        }
        watcher.drain()?;
        is_quiet(lab, &mut watcher)
    },
    ..Case::MUST
};

const PARENT_RENAMED: Case = Case {
    id: "ROOT08",
    name: "parent_renamed",
    needs: &[WatchFolders],
    checks: "When a folder above the watched one is renamed, changes inside are not reported under the \
             old path, which does not exist any more.",
    why: "gradle stops watching when parent of watched directory is moved; directory-watcher#77.",
    usual_cause: "The platform does not report it, and the backend does not check.",
    run: |lab| {
        lab.tree.mkdir_all("above/root")?;
        let root = lab.path("above/root");
        let mut watcher = lab.watch([Watch::non_recursive(&root), lab.beacon()?])?;
        watcher.forget(&root);
        lab.tree.rename("above", "renamed")?;
        watcher.settle()?;
        lab.tree.create("renamed/root/file")?;
        watcher.settle()?;
        watcher.never_saw(&touched("above/root/file"))
    },
    ..Case::MAY
};

const BECOMES_FILE: Case = Case {
    id: "ROOT09",
    name: "becomes_file",
    needs: &[WatchFolders],
    checks: "A watched folder that is replaced by a file of the same name is reported as removed, and \
             no nonsense follows.",
    why: "chokidar's dir is replaced by file.",
    usual_cause: "The kind is stored by path.",
    run: |lab| {
        lab.tree.mkdir("root")?;
        let root = lab.path("root");
        let mut watcher = lab.watch([Watch::non_recursive(&root), lab.beacon()?])?;
        watcher.forget(&root);
        lab.tree.rmdir("root")?;
        lab.tree.write("root", "content")?;
        watcher.settle()?;
        watcher.saw(removed_folder("root"))?;
        let root_events = watcher.events().filter(|event| event.path != root).count();
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
    run: |lab| {
        lab.tree.mkdir("one")?;
        lab.tree.mkdir("other")?;
        lab.tree.symlink("one", "link")?;
        let link = lab.path("link");
        let mut watcher =
            lab.watch([Watch::non_recursive(&link).following_links(), lab.beacon()?])?;
        lab.tree.create("one/file")?;
        watcher.settle()?;
        watcher.saw(created_file("link/file"))?;
        watcher.forget(&link);
        lab.tree.symlink("other", "link-2")?;
        lab.tree.rename("link-2", "link")?;
        watcher.settle()?;
        let is_spelled = |event: &&Event| !event.path.as_os_str().is_empty();
        let mut spelled = watcher.events().filter(is_spelled);
        let strange = spelled.find(|event| !event.path.starts_with(&link));
        ensure(strange.is_none(), "every path begins with tree/link", || format!("{strange:?}"))
    },
    ..Case::MUST
};
