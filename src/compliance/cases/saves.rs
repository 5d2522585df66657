//! How programs save files (SAVE): patterns of editors and tools.

use std::path::Path;

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::touched,
            failure::{Step, ensure},
        },
        scene::{Scene, driver::Driver, environment::Environment, tree::Tree},
    },
    contract::{
        backend::Watch,
        capability::Capability::{WatchFiles, WatchFolders},
        event::EventKind,
    },
};

pub(super) const GROUP: Group = Group {
    name: "saves",
    title: "Saving by editors and tools",
    guide: "Reporting events",
    cases: &[
        IN_FOLDER_EDITORS,
        IN_FOLDER_TOOLS,
        OF_FILE_EDITORS,
        OF_FILE_TOOLS,
        LINK_SWAPPED,
        LOG_ROTATED,
    ],
};

/// A way to give `file` new content.
type Pattern = (&'static str, fn(&Tree, &str) -> Step);

const EDITORS: &[Pattern] = &[
    ("vim", |tree, content| {
        tree.create("4913")?;
        tree.remove("4913")?;
        tree.rename("file", "file~")?;
        tree.write("file", content)?;
        tree.remove("file~")
    }),
    ("vim with backupcopy", |tree, content| {
        tree.write("file~", "a copy")?;
        tree.write("file", content)?;
        tree.remove("file~")
    }),
    ("emacs", |tree, content| {
        tree.write(".#file", "the lock")?;
        tree.rename("file", "file~")?;
        tree.write("file", content)?;
        tree.remove(".#file")
    }),
    ("VS Code", |tree, content| {
        tree.truncate("file", 0)?;
        tree.append("file", content)
    }),
    ("JetBrains", |tree, content| {
        tree.write("file___jb_tmp___", content)?;
        tree.rename("file", "file___jb_old___")?;
        tree.rename("file___jb_tmp___", "file")?;
        tree.remove("file___jb_old___")
    }),
    ("gedit", |tree, content| {
        tree.write(".goutputstream-ABCDEF", content)?;
        tree.rename(".goutputstream-ABCDEF", "file")
    }),
];

const TOOLS: &[Pattern] = &[
    ("sed -i", |tree, content| {
        tree.write("sedABCDEF", content)?;
        tree.rename("sedABCDEF", "file")
    }),
    ("rsync", |tree, content| {
        tree.write(".file.ABCDEF", content)?;
        tree.rename(".file.ABCDEF", "file")
    }),
    ("git checkout", |tree, content| {
        tree.remove("file")?;
        tree.write("file", content)
    }),
    ("a download", |tree, content| {
        tree.write("file.part", "")?;
        tree.append("file.part", content)?;
        tree.rename("file.part", "file")
    }),
    ("cargo's uplift", |tree, content| {
        tree.write("built", content)?;
        tree.remove("file")?;
        tree.hard_link("built", "file")?;
        tree.remove("built")
    }),
];

/// Saves three times with each pattern, and fails unless the file is reported each time after it has its new
/// content.
fn saves_are_seen(scene: &Scene, driver: &mut Driver, patterns: &[Pattern]) -> Step {
    let file = scene.path("file");
    for (name, save) in patterns {
        for i in 0..3 {
            scene.timeline.did(format!("save like {name} ({} of 3)", i + 1));
            driver.next_step();
            driver.perform(scene.mode, |tree| save(tree, &format!("content {i} of {name}")))?;
            driver.saw(touched("file"))?;
            let changes = |kind| !matches!(kind, EventKind::Access(_));
            let last = driver
                .events()
                .filter(|event| event.path == file && changes(event.kind))
                .last()
                .map(|event| event.kind);
            ensure(
                !matches!(last, Some(EventKind::Remove(_))),
                format!("after saving like {name}, the last event of tree/file is not its removal"),
                || "it is".into(),
            )?;
        }
    }
    Ok(())
}

fn in_folder(scene: &Scene, patterns: &[Pattern]) -> Step {
    scene.distinguishes_moments()?;
    scene.tree.write("file", "content")?;
    let mut driver = scene.watch([scene.flat()])?;
    saves_are_seen(scene, &mut driver, patterns)
}

fn of_file(scene: &Scene, patterns: &[Pattern]) -> Step {
    scene.distinguishes_moments()?;
    scene.tree.write("file", "content")?;
    let mut driver =
        scene.watch([Watch::non_recursive(scene.path("file")), scene.barrier_watch()?])?;
    saves_are_seen(scene, &mut driver, patterns)
}

const IN_FOLDER_EDITORS: Case = Case {
    id: "SAVE01",
    name: "in_folder_editors",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "In a watched folder, a file that an editor saves (vim, emacs, VS Code, JetBrains, gedit) \
             is reported at each save, after it has its new content.",
    why: "fsnotify#17, vscode#15111, atom#7519, pug#1854, macdown3000#354.",
    usual_cause: "A rename over the file is reported as its removal.",
    run: |scene| in_folder(scene, EDITORS),
    ..Case::MUST
};

const IN_FOLDER_TOOLS: Case = Case {
    id: "SAVE02",
    name: "in_folder_tools",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "In a watched folder, a file that a tool replaces (sed, rsync, git, a download, cargo) is \
             reported each time, after it has its new content.",
    why: "fsnotify#372, file-watcher#14, file-watcher#19.",
    usual_cause: "Events of links and renames are not requested.",
    run: |scene| in_folder(scene, TOOLS),
    ..Case::MUST
};

const OF_FILE_EDITORS: Case = Case {
    id: "SAVE03",
    name: "of_file_editors",
    needs: &[WatchFiles],
    modes: Mode::ALL,
    checks: "A watched file that an editor saves is reported at each save, not only the first.",
    why: "notify#531, watchexec#179, mdterm#33.",
    usual_cause: "The watch is on the old file, and ends with it; watch the file's folder.",
    run: |scene| of_file(scene, EDITORS),
    ..Case::MUST
};

const OF_FILE_TOOLS: Case = Case {
    id: "SAVE04",
    name: "of_file_tools",
    needs: &[WatchFiles],
    modes: Mode::ALL,
    checks: "A watched file that a tool replaces is reported each time, not only the first.",
    why: "notify#531; fsnotify#372.",
    usual_cause: "The watch is on the old file, and ends with it; watch the file's folder.",
    run: |scene| of_file(scene, TOOLS),
    ..Case::MUST
};

const LINK_SWAPPED: Case = Case {
    id: "SAVE05",
    name: "link_swapped",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A link that is replaced by another one, as Kubernetes does for a new configuration, is \
             reported each time.",
    why: "fsnotify#372; configuration that is mounted into a container changes this way.",
    usual_cause: "Links are resolved, and only their targets are watched.",
    run: |scene| {
        scene.distinguishes_moments()?;
        for version in ["..1", "..2", "..3"] {
            scene.tree.mkdir(version)?;
            scene.tree.write(format!("{version}/config"), version)?;
        }
        scene.tree.symlink("..1", "..data")?;
        scene.tree.symlink("..data/config", "config")?;
        let mut driver = scene.watch([scene.flat()])?;
        for version in ["..2", "..3", "..1"] {
            driver.next_step();
            driver.perform(scene.mode, |tree| {
                tree.symlink(Path::new(version), "..data_tmp")?;
                tree.rename("..data_tmp", "..data")
            })?;
            driver.saw(touched("..data"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const LOG_ROTATED: Case = Case {
    id: "SAVE06",
    name: "log_rotated",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "When a log file is rotated, by renaming or by copying and truncating, the old and the new \
             one are reported.",
    why: "Otherwise, programs that follow logs lose lines.",
    usual_cause: "A truncation is not recognised as a change.",
    run: |scene| {
        scene.tree.write("log", "lines")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            tree.rename("log", "log.1")?;
            tree.write("log", "more lines")
        })?;
        driver.saw(touched("log.1"))?;
        driver.saw(touched("log"))?;
        driver.next_step();
        driver.perform(scene.mode, |tree| {
            tree.write("log.2", "more lines")?;
            tree.truncate("log", 0)
        })?;
        driver.saw(touched("log.2"))?;
        driver.saw(touched("log"))
    },
    ..Case::MUST
};
