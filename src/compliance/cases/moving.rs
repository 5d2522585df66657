//! Changes in a folder while it is being renamed (MOV).

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{Expected, appeared, created_file, removed_file, written},
            failure::{Step, Stop, ensure},
        },
        scene::{
            Scene,
            consumer::{Consumer, Reading},
            driver::Driver,
            environment::Environment,
            platform::OpenFolder,
            tree::Tree,
        },
    },
    contract::{
        capability::Capability::WatchNewFolders,
        event::{Event, EventKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "moving",
    title: "Folders while they are renamed",
    guide: "Watching recursively",
    cases: &[FOLDER, FOLDER_ABOVE, BEFORE_IT_MOVED],
};

const FOLDER: Case = Case {
    id: "MOV01",
    name: "folder",
    needs: &[WatchNewFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "Files that are made, written and removed in a folder while it is renamed back and forth \
             are each reported under one of its names, without a `Missed`.",
    why: "The starting point inotify dropped events between the two halves of the folder's rename.",
    usual_cause: "Between the halves of its rename, a folder has no path; its events have to be held \
                  until the second half has come.",
    run: |scene| change_in_motion(scene, ""),
    ..Case::MUST
};

const FOLDER_ABOVE: Case = Case {
    id: "MOV02",
    name: "folder_above",
    needs: &[WatchNewFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "As MOV01, but the folder above is renamed.",
    why: "As MOV01.",
    usual_cause: "As MOV01: if a folder has no path, the folders below it have none either.",
    run: |scene| change_in_motion(scene, "below"),
    ..Case::MUST
};

const BEFORE_IT_MOVED: Case = Case {
    id: "MOV03",
    name: "before_it_moved",
    needs: &[WatchNewFolders],
    modes: &[Mode::Batched],
    checks: "If a folder is renamed before the events of earlier changes in it are read, these changes are \
             not reported below its new name until the rename has been reported.",
    why: "A backend that looks up a folder's path by its handle, or stores one path per folder, gets the \
          present path.",
    usual_cause: "The path of an event is looked up when the event is read. By then, the changes behind it \
                  in the queue have happened as well.",
    run: |scene| {
        scene.sees_changes()?;
        scene.tree.mkdir_all("old/below")?;
        let mut driver = scene.watch([scene.deep()])?;
        for i in 0..10 {
            scene.tree.create(format!("old/below/{i}"))?;
        }
        scene.tree.rename("old", "new")?;
        driver.settle_in(&["new/below"])?;
        let new = scene.path("new");
        let early = driver.events().take_while(|event| event.path != new);
        let early: Vec<_> = early.filter(|event| event.path.starts_with(&new)).collect();
        ensure(early.is_empty(), "nothing below tree/new before tree/new is reported", || {
            format!("there was {}", early[0])
        })?;
        driver.saw(appeared("new"))
    },
    ..Case::MUST
};

/// The names that the folder has in turn.
const NAMES: [&str; 2] = ["one", "other"];

/// Makes, writes and removes files in the folder `inside` of a folder that is renamed back and forth.
fn change_in_motion(scene: &Scene, inside: &str) -> Step {
    let names = NAMES.map(|name| Path::new(name).join(inside));
    // Few where everything is read after each change; enough to meet the renames where not.
    let (rounds, files) = if scene.mode == Mode::Stepped { (1, 5) } else { (8, 100) };
    scene.tree.mkdir_all(&names[0])?;
    let folder = set_up(OpenFolder::open(&scene.path(&names[0])))?;
    for file in 0..rounds * files {
        set_up(folder.open_file(&Change::Write.file(file)))?;
        set_up(folder.open_file(&Change::Remove.file(file)))?;
    }
    let mut driver = scene.watch([scene.deep()])?;
    driver.guard.is_raced = true;
    // Two looks show the state at each look and nothing in between. A folder that was away meanwhile seems to
    // have stayed: a consumer that looked at that time was wrong, and no event says so.
    let is_coalesced = scene.profile.coalesced;
    if is_coalesced {
        driver.keep_by(Consumer::of(&scene.path(""), true), Reading::WhenSettled);
    }
    let mode = scene.mode;
    for round in 0..rounds {
        let files = round * files..(round + 1) * files;
        driver.perform(mode, |tree| match mode {
            Mode::Stepped => change_by_turns(tree, &names[0], &folder, files),
            Mode::Batched | Mode::Concurrent => change_at_once(tree, &names[0], &folder, files),
        })?;
    }
    if is_coalesced {
        driver.consumer_matches_disk()
    } else {
        all_is_reported(scene, &driver, &names, rounds * files)
    }
}

/// The changes in the folder, each to another file.
#[derive(Clone, Copy)]
enum Change {
    Make,
    Write,
    Remove,
}

impl Change {
    const ALL: [Self; 3] = [Self::Make, Self::Write, Self::Remove];

    fn file(self, number: usize) -> String {
        match self {
            Self::Make => format!("made-{number}"),
            Self::Write => format!("written-{number}"),
            Self::Remove => format!("removed-{number}"),
        }
    }

    fn make(self, number: usize, folder: &OpenFolder) -> io::Result<()> {
        let file = self.file(number);
        match self {
            Self::Make => folder.open_file(&file).map(drop),
            Self::Write => folder.open_file(&file)?.write_all(b"content"),
            Self::Remove => folder.remove_file(&file),
        }
    }

    /// Returns the report to expect if the file is at `path`.
    fn expected(self, path: &Path) -> Expected {
        match self {
            Self::Make => created_file(path),
            Self::Write => written(path),
            Self::Remove => removed_file(path),
        }
    }
}

/// Renames the folder between the changes.
fn change_by_turns(tree: &Tree, name: &Path, folder: &OpenFolder, files: Range<usize>) -> Step {
    let [mut from, mut to] = NAMES;
    for file in files {
        for change in Change::ALL {
            tree.rename(from, to)?;
            (from, to) = (to, from);
            let what = format!("change {}, wherever it is by now, in", change.file(file));
            tree.make(&what, name, |_| change.make(file, folder))?;
        }
    }
    Ok(())
}

/// Renames the folder in another thread.
fn change_at_once(tree: &Tree, name: &Path, folder: &OpenFolder, files: Range<usize>) -> Step {
    let (start, has_ended) = (Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        let renaming = scope.spawn(|| {
            start.wait();
            rename_to_and_fro(tree, &has_ended)
        });
        start.wait();
        let what = format!("make, write and remove {} files each in", files.len());
        let changed = tree.make(&what, name, |_| {
            files.clone().try_for_each(|file| {
                Change::ALL.iter().try_for_each(|change| change.make(file, folder))
            })
        });
        has_ended.store(true, Ordering::Relaxed);
        let panicked = |_| Err(Stop::Broken("the thread that renames panicked".into()));
        changed.and(renaming.join().unwrap_or_else(panicked))
    })
}

/// Renames until all changes were made, but not so often that a queue could overflow; the folder has
/// its first name in the end.
fn rename_to_and_fro(tree: &Tree, has_ended: &AtomicBool) -> Step {
    const MOST: usize = 300;
    let [one, other] = NAMES.map(|name| tree.path(name));
    tree.make("rename back and forth until all are changed", NAMES[0], |_| {
        for _ in 0..MOST {
            fs::rename(&one, &other)?;
            fs::rename(&other, &one)?;
            if has_ended.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    })
}

/// Fails unless each change was reported under one of the names, and no file under another path.
fn all_is_reported(scene: &Scene, driver: &Driver, names: &[PathBuf; 2], files: usize) -> Step {
    let folders = [scene.path(&names[0]), scene.path(&names[1])];
    let mut reports: HashMap<&OsStr, Vec<&Event>> = HashMap::new();
    for event in driver.events().filter(|event| !matches!(event.kind, EventKind::Access(_))) {
        let Some((folder, file)) = event.path.parent().zip(event.path.file_name()) else {
            continue;
        };
        let is_folder = folders.iter().any(|it| it.starts_with(&event.path));
        ensure(is_folder || folders.iter().any(|it| folder == it), "only true paths", || {
            format!("{} {} was reported", event.kind, scene.timeline.show(&event.path))
        })?;
        reports.entry(file).or_default().push(event);
    }
    let is_reported = |&(change, i): &(Change, usize)| {
        let reports = reports.get(OsStr::new(&change.file(i)));
        let tells =
            |event: &&Event| change.expected(&event.path).is_stated_by(event, &scene.profile);
        reports.into_iter().flatten().any(tells)
    };
    let changes = (0..files).flat_map(|i| Change::ALL.map(|change| (change, i)));
    let silent = changes.filter(|change| !is_reported(change));
    let silent: Vec<_> = silent.map(|(change, i)| change.file(i)).collect();
    ensure(silent.is_empty(), "each change is reported under one of the folder's names", || {
        let shown = &silent[..silent.len().min(10)];
        format!("the changes of {} files were not: {}", silent.len(), shown.join(", "))
    })
}

fn set_up<T>(made: io::Result<T>) -> Step<T> {
    made.map_err(|error| Stop::Broken(format!("could not set the scene: {error}")))
}
