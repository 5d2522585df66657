//! Files in a watched folder (FIL).

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    time::{Duration, SystemTime},
};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{
                appeared, created, created_file, created_folder, gone, modified, removed,
                removed_file, removed_folder, touched, written,
            },
            failure::{Step, Stop, ensure},
        },
        scene::{Scene, environment::Environment, platform, tree::Tree},
    },
    contract::{
        backend::Watch,
        capability::Capability::{WatchFiles, WatchFolders},
        event::{Event, EventKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "files",
    title: "Files in a watched folder",
    guide: "Reporting events",
    cases: &[
        CREATED,
        WRITTEN,
        REWRITTEN_WITH_THE_SAME,
        WRITTEN_TWICE_IN_A_MOMENT,
        WRITTEN_THROUGH_OLD_DESCRIPTOR,
        REMOVED,
        REPLACED_BY_NAME,
        TRANSIENT,
        FILE_BECOMES_FOLDER,
        REMOVED_WHILE_OPEN,
        SPECIAL_FILES,
        LINKED_FROM_NO_NAME,
        LOOKED_AT_ONLY,
        OLD_AND_NEW_ALIKE,
        WATCHED_FILE_WRITTEN,
        WATCHED_FILE_REMOVED,
        WATCHED_FILE_RENAMED,
        SEVERAL_WATCHED_FILES,
        FOLDER_OF_WATCHED_FILE_RENAMED,
        WRITTEN_AFTER_REMOVAL,
    ],
};

const CREATED: Case = Case {
    id: "FIL01",
    name: "created",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A file that is created, empty or with content, is reported as created.",
    why: "fsnotify's scripts create-empty-file and create-file-with-data.",
    usual_cause: "The platform is not asked for creations, or the name is not joined to the folder's \
                  path.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.create("empty")?;
            tree.write("full", "content")
        })?;
        driver.saw(created_file("empty"))?;
        if scene.profile.coalesced {
            driver.saw(created_file("full"))?;
        } else {
            driver.saw_in_order([created_file("full"), written("full")])?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};

const WRITTEN: Case = Case {
    id: "FIL02",
    name: "written",
    needs: &[WatchFolders],
    checks: "Appending, rewriting and truncating are each reported as a change of data.",
    why: "fsnotify's script truncate-file and TestWatchMultipleWrite.",
    usual_cause: "Only the closing of files is watched, which a truncation need not cause.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        let mut driver = scene.watch([scene.flat()])?;
        let changes: [fn(&Tree) -> _; 4] = [
            |tree| tree.append("file", " and more"),
            |tree| tree.write("file", "another, longer content"),
            |tree| tree.truncate("file", 3),
            |tree| tree.truncate("file", 4000),
        ];
        for change in changes {
            driver.next_step();
            change(&scene.tree)?;
            driver.settle()?;
            driver.saw(written("file"))?;
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const REWRITTEN_WITH_THE_SAME: Case = Case {
    id: "FIL03",
    name: "rewritten_with_the_same",
    needs: &[WatchFolders],
    checks: "Writing the same content again is reported as a change.",
    why: "dart's notifies even if the file contents are unchanged; build tools go by it.",
    usual_cause: "Contents are compared, although the modification time would show it.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        later(scene, "file")?;
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.write("file", "content")?;
        driver.settle()?;
        driver.saw(modified("file"))
    },
    ..Case::MUST
};

/// Sets the modification time back if the backend goes by it and might otherwise miss the next change.
fn later(scene: &Scene, path: &str) -> Step {
    if scene.profile.mtime_granularity.is_zero() {
        return Ok(());
    }
    scene.tree.set_times(path, SystemTime::now() - scene.profile.mtime_granularity * 2)
}

const WRITTEN_TWICE_IN_A_MOMENT: Case = Case {
    id: "FIL04",
    name: "written_twice_in_a_moment",
    needs: &[WatchFolders],
    checks: "A second change of a file is reported even if it comes in the same second and does not \
             change the size.",
    why: "watchfiles#319, watchfiles#388, notify#981, notify#1004: the most common mistake of pollers.",
    usual_cause: "Times are compared in whole seconds, or only sizes are compared.",
    run: |scene| {
        scene.distinguishes_moments()?;
        scene.tree.write("file", "one")?;
        let mut driver = scene.watch([scene.flat()])?;
        for content in ["two", "six", "ten"] {
            driver.next_step();
            scene.tree.write("file", content)?;
            driver.settle()?;
            driver.saw(modified("file"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const WRITTEN_THROUGH_OLD_DESCRIPTOR: Case = Case {
    id: "FIL05",
    name: "written_through_old_descriptor",
    needs: &[WatchFolders],
    checks: "Each write through a descriptor from before the watch is reported, even if its report is equal \
             to the one before.",
    why: "fsnotify's TestWatchMultipleWrite; log files are held open for days.",
    usual_cause: "Only files that are opened or closed meanwhile are checked; or a report is left out \
                  because it is equal to the last one that was read.",
    run: |scene| {
        scene.tree.create("file")?;
        let open = |path: &Path| OpenOptions::new().append(true).open(path);
        let mut file = scene.tree.make("open", "file", open)?;
        let mut driver = scene.watch([scene.flat()])?;
        for _ in 0..2 {
            driver.next_step();
            scene.tree.make("write through the open", "file", |_| file.write_all(b"more"))?;
            driver.settle()?;
            driver.saw(written("file"))?;
        }
        // Without a barrier, which would cause other reports in between.
        for _ in 0..3 {
            driver.next_step();
            scene.tree.make("write through the open", "file", |_| file.write_all(b"more"))?;
            driver.saw(written("file"))?;
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
    usual_cause: "The platform is not asked for removals, or the event is dropped because the file is \
                  gone.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.remove("file"))?;
        driver.saw(removed_file("file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const REPLACED_BY_NAME: Case = Case {
    id: "FIL08",
    name: "replaced_by_name",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "When a file is removed and made again under its name, however often, the last event says \
             that it is there.",
    why: "fsnotify#111, fsnotify#260, fsnotify#470; chokidar: add, not change, when previously \
          deleted.",
    usual_cause: "Events of files that are gone by now are dropped, or merged in the wrong order.",
    run: |scene| {
        scene.tree.create("file")?;
        let mut driver = scene.watch([scene.flat()])?;
        let times = if scene.mode == Mode::Stepped { 5 } else { 50 };
        driver.perform(scene.mode, |tree| {
            (0..times).try_for_each(|_| {
                tree.remove("file")?;
                tree.write("file", "again")
            })
        })?;
        driver.saw(touched("file"))?;
        let path = scene.path("file");
        let gone_or_there = |event: &&Event| {
            matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_)) && event.path == path
        };
        let last = driver.events().filter(gone_or_there).last().map(|event| event.kind);
        ensure(
            !matches!(last, Some(EventKind::Remove(_))),
            "the last of the creations and removals is a creation",
            || "it is a removal".into(),
        )?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const TRANSIENT: Case = Case {
    id: "FIL09",
    name: "transient",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "If a file is made and removed at once, its creation is followed by its removal, and there are \
             no errors.",
    why: "chokidar#133, chokidar#136, dart-lang/tools#1693, tailwindcss#14613.",
    usual_cause: "The backend looks at the file when it reads the creation, and the file is gone.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        let times = if scene.mode == Mode::Stepped { 5 } else { 100 };
        driver.perform(scene.mode, |tree| {
            (0..times).try_for_each(|i| {
                tree.create(format!("file-{i}"))?;
                tree.remove(format!("file-{i}"))
            })
        })?;
        for i in 0..times {
            let file = format!("file-{i}");
            if driver.count(&created_file(&file)) > 0 {
                driver.saw_in_order([created_file(&file), removed_file(&file)])?;
            }
            let seen = driver.count(&touched(&file)) > 0;
            ensure(seen || scene.profile.coalesced, format!("{file} is reported"), || {
                "it is not".into()
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const FILE_BECOMES_FOLDER: Case = Case {
    id: "FIL10",
    name: "file_becomes_folder",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "When a file is replaced by a folder of the same name, and a folder by a file, both are \
             reported with their kinds.",
    why: "chokidar's dir is replaced by file; git's t7527 file_to_directory; JDK's \
          testMoveFileToDirectory.",
    usual_cause: "The kind is stored by path.",
    run: |scene| {
        scene.tree.create("file")?;
        scene.tree.mkdir("folder")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.remove("file")?;
            tree.mkdir("file")?;
            tree.rmdir("folder")?;
            tree.create("folder")
        })?;
        if scene.profile.coalesced && scene.mode != Mode::Stepped {
            driver.saw(touched("file"))?;
            return driver.saw(touched("folder"));
        }
        driver.saw_in_order([removed_file("file"), created_folder("file")])?;
        driver.saw_in_order([removed_folder("folder"), created_file("folder")])?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const REMOVED_WHILE_OPEN: Case = Case {
    id: "FIL11",
    name: "removed_while_open",
    needs: &[WatchFolders],
    // On other systems, the name may stay as long as the file is open.
    environment: &[Environment::Unix],
    checks: "A file that is removed while a process has it open is reported as removed at once.",
    why: "fsnotify's TestInotifyDeleteOpenFile.",
    usual_cause: "The backend waits until the file itself is gone, and not only its name.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        let held = scene.tree.make("open", "file", |path| std::fs::File::open(path))?;
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.remove("file")?;
        driver.settle()?;
        driver.saw(removed_file("file"))?;
        drop(held);
        driver.settle()?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const SPECIAL_FILES: Case = Case {
    id: "FIL12",
    name: "special_files",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    modes: Mode::ALL,
    checks: "Named pipes, sockets and links are reported as created and removed, and are not opened.",
    why: "fsnotify#98; fsnotify's scripts create-fifo and create-dev.",
    usual_cause: "A new entry is opened to find out what it is, which blocks for a pipe.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.make("mkfifo", "pipe", platform::mkfifo)?;
            tree.make("make the socket", "socket", platform::socket)?;
            tree.symlink("pipe", "link")
        })?;
        for name in ["pipe", "socket", "link"] {
            driver.saw(created(name))?;
        }
        driver.next_step();
        driver.perform(scene.mode, |tree| {
            ["pipe", "socket", "link"].iter().try_for_each(|name| tree.remove(name))
        })?;
        for name in ["pipe", "socket", "link"] {
            driver.saw(removed(name))?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};

const LINKED_FROM_NO_NAME: Case = Case {
    id: "FIL13",
    name: "linked_from_no_name",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    modes: Mode::ALL,
    checks: "A file that is made without a name, written, and named when it is complete is reported \
             under that name.",
    why: "O_TMPFILE of open(2): a way to make a file that no one sees half-written. The first event on Linux \
          may name it `#` and a number.",
    usual_cause: "A new file is expected to be created, and not to be linked.",
    run: |scene| {
        let probe = platform::link_nameless(&scene.outside.path("probe"), b"content");
        if probe.is_err() {
            return Err(Stop::Ignored("the file system has no files without names".into()));
        }
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.make("link a file without a name as", "file", |path| {
                platform::link_nameless(path, b"content")
            })
        })?;
        driver.saw(appeared("file"))
    },
    ..Case::MUST
};

const LOOKED_AT_ONLY: Case = Case {
    id: "FIL14",
    name: "looked_at_only",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Reading, listing and asking for metadata are not reported as changes.",
    why: "dart's doesn't notify if the file isn't modified.",
    usual_cause: "The access time is mistaken for a modification time.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        scene.tree.mkdir("folder")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.make("read", "file", |path| std::fs::read(path).map(drop))?;
            tree.make("look at", "file", |path| path.metadata().map(drop))?;
            tree.make("list", "folder", |path| path.read_dir().map(drop))?;
            tree.make("list", "", |path| path.read_dir().map(drop))
        })?;
        driver.never_saw(&touched("file"))?;
        driver.never_saw(&touched("folder"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const OLD_AND_NEW_ALIKE: Case = Case {
    id: "FIL15",
    name: "old_and_new_alike",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Files from before the watch and files made since are treated alike, all 33 of them.",
    why: "fsnotify's script dir-only; chokidar's thirty-three files.",
    usual_cause: "Files are watched one by one, and new ones are missing or limited in number.",
    run: |scene| {
        for i in 0..33 {
            scene.tree.create(format!("old-{i}"))?;
        }
        let mut driver = scene.watch([scene.flat()])?;
        for i in 0..33 {
            scene.tree.create(format!("new-{i}"))?;
        }
        driver.settle()?;
        driver.next_step();
        let all = || (0..33).flat_map(|i| [format!("old-{i}"), format!("new-{i}")]);
        let stride = if scene.mode == Mode::Stepped { 11 } else { 1 };
        driver.perform(scene.mode, |tree| {
            all().step_by(stride).try_for_each(|file| tree.append(file, "more"))
        })?;
        all().step_by(stride).try_for_each(|file| driver.saw(written(file)))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const WATCHED_FILE_WRITTEN: Case = Case {
    id: "FIL16",
    name: "watched_file_written",
    needs: &[WatchFiles],
    modes: Mode::ALL,
    checks: "Changes of a watched file are reported under its path, and those of its neighbours are \
             not.",
    why: "libuv's watch_file_exact_path; chokidar's ignore unwatched siblings.",
    usual_cause: "The folder is watched for the sake of the file, and all its events are passed on.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        scene.tree.write("file-2", "content")?;
        let watches = [Watch::non_recursive(scene.path("file")), scene.barrier_watch()?];
        let mut driver = scene.watch(watches)?;
        driver.perform(scene.mode, |tree| {
            tree.append("file-2", "more")?;
            tree.append("file", "more")?;
            tree.create("fil")?;
            tree.rename("file-2", "file-3")
        })?;
        driver.saw(written("file"))?;
        driver.nothing_else()?;
        driver.next_step();
        driver.perform(scene.mode, |tree| tree.truncate("file", 0))?;
        driver.saw(written("file"))?;
        driver.next_step();
        let hour = Duration::from_secs(3600);
        driver.perform(scene.mode, |tree| tree.set_times("file", SystemTime::now() - hour))?;
        driver.saw(modified("file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const WATCHED_FILE_REMOVED: Case = Case {
    id: "FIL17",
    name: "watched_file_removed",
    needs: &[WatchFiles],
    modes: Mode::ALL,
    checks: "A watched file that is removed is reported as removed.",
    why: "notify's delete_self_file; fsnotify's script remove-watched-file.",
    usual_cause: "The platform's event for the watched file itself has no name, and is dropped.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        let watches = [Watch::non_recursive(scene.path("file")), scene.barrier_watch()?];
        let mut driver = scene.watch(watches)?;
        driver.perform(scene.mode, |tree| tree.remove("file"))?;
        driver.saw(removed_file("file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const WATCHED_FILE_RENAMED: Case = Case {
    id: "FIL18",
    name: "watched_file_renamed",
    needs: &[WatchFiles],
    checks: "A watched file that is renamed is reported as gone; writes to it under its new name are \
             not reported under the old one.",
    why: "fsnotify#518, notify#555.",
    usual_cause: "The watch is on the file and not on the name, and stays when the name is gone.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        let watches = [Watch::non_recursive(scene.path("file")), scene.barrier_watch()?];
        let mut driver = scene.watch(watches)?;
        scene.tree.rename("file", "renamed")?;
        driver.settle()?;
        driver.saw(gone("file"))?;
        driver.next_step();
        scene.tree.append("renamed", "more")?;
        driver.settle()?;
        driver.never_saw(&touched("file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const SEVERAL_WATCHED_FILES: Case = Case {
    id: "FIL19",
    name: "several_watched_files",
    needs: &[WatchFiles],
    modes: Mode::ALL,
    checks: "If several files are watched, in one folder or in different ones, each change is reported only \
             for its own file.",
    why: "JetBrains' testFileRoot.",
    usual_cause: "The platform's number of a folder is mistaken for that of a file.",
    run: |scene| {
        let files = ["one", "two", "sub/one", "sub/two"];
        scene.tree.mkdir("sub")?;
        let mut watches = vec![scene.barrier_watch()?];
        for file in files {
            scene.tree.write(file, "content")?;
            watches.push(Watch::non_recursive(scene.path(file)));
        }
        let mut driver = scene.watch(watches)?;
        for file in files {
            driver.next_step();
            driver.perform(scene.mode, |tree| tree.append(file, "more"))?;
            driver.saw(written(file))?;
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const FOLDER_OF_WATCHED_FILE_RENAMED: Case = Case {
    id: "FIL20",
    name: "folder_of_watched_file_renamed",
    needs: &[WatchFiles],
    checks: "A watched file whose folder is renamed is reported as gone; what happens to it there is not reported \
             under the old path.",
    why: "The counterpart of FIL18 and ROOT03: the path is gone, whichever part of it was renamed.",
    usual_cause: "The file is watched through its folder, and only events with the file's name are looked at.",
    run: |scene| {
        scene.tree.mkdir("folder")?;
        scene.tree.write("folder/file", "content")?;
        let watches = [Watch::non_recursive(scene.path("folder/file")), scene.barrier_watch()?];
        let mut driver = scene.watch(watches)?;
        scene.tree.rename("folder", "renamed")?;
        driver.settle()?;
        driver.saw(gone("folder/file"))?;
        driver.next_step();
        scene.tree.append("renamed/file", "more")?;
        scene.tree.remove("renamed/file")?;
        driver.settle()?;
        driver.never_saw(&touched("folder/file"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const WRITTEN_AFTER_REMOVAL: Case = Case {
    id: "FIL21",
    name: "written_after_removal",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    checks: "What is written to a file that was removed while it was open is not reported.",
    why: "The counterpart of FIL11 and ORD06: there is nothing at that path any more.",
    usual_cause: "The platform goes on sending events for an open file under its last name.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        let mut held =
            scene.tree.make("open", "file", |path| OpenOptions::new().append(true).open(path))?;
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.remove("file")?;
        driver.settle()?;
        driver.saw(removed_file("file"))?;
        driver.next_step();
        scene.tree.make("write to the removed", "file", |_| held.write_all(b"more"))?;
        driver.settle()?;
        driver.never_saw(&touched("file"))?;
        drop(held);
        driver.settle()?;
        driver.never_saw(&touched("file"))
    },
    ..Case::MUST
};
