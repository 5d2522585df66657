//! Access events (ACC).

use std::{fs, io::Read as _, path::Path};

use super::calls::{add, remove};
use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::touched,
            failure::{Step, ensure},
        },
        scene::{Scene, driver::Driver, environment::Environment, places, tree::Tree},
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            self, ChangeWatches, EmitOnAccess, WatchFolders, WatchNewFolders, WatchRecursively,
        },
        error::BackendError,
        event::{AccessKind, AccessMode, EventKind, ModifyKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "access",
    title: "Access events",
    guide: "Access events",
    cases: &[
        READ,
        WRITTEN,
        EMPTY_FILE_READ,
        NOT_ASKED,
        NO_FEEDBACK,
        OWN_SCANS,
        OPENED_TO_WRITE,
        ONLY_WHERE_ASKED,
        ASKED_IN_VAIN,
        OF_THE_OTHER,
        TREE_IN_TREE,
        SPELLED_TWICE,
    ],
};

/// The kinds of the access events of `path`.
fn accesses(driver: &Driver, path: &Path) -> Vec<AccessKind> {
    let accesses = driver.events().filter(|event| event.path == path);
    accesses
        .filter_map(|event| match event.kind {
            EventKind::Access(kind) => Some(kind),
            _ => None,
        })
        .collect()
}

fn is_open(kind: AccessKind) -> bool {
    matches!(kind, AccessKind::Open(_) | AccessKind::Any)
}

fn is_close(kind: AccessKind) -> bool {
    matches!(kind, AccessKind::Close(_) | AccessKind::Any)
}

const READ: Case = Case {
    id: "ACC01",
    name: "read",
    needs: &[EmitOnAccess, WatchFolders],
    modes: Mode::ALL,
    checks: "Opening, reading and closing a file are reported in this order.",
    why: "fsnotify's scripts op-open, op-read and op-closeread.",
    usual_cause: "The platform is asked for only some of the access events.",
    run: |scene| {
        let fill = |tree: &Tree| tree.write("file", "content");
        places::of(scene).asking(Watch::with_access).filled(fill).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.make("read", "file", |path| fs::read(path).map(drop))
            })?;
            let kinds = accesses(driver, &place.path("file"));
            let open = kinds.iter().copied().position(is_open);
            let close = kinds.iter().copied().rposition(is_close);
            let is_read = |kind: &AccessKind| matches!(kind, AccessKind::Read | AccessKind::Any);
            let read = kinds.iter().position(is_read);
            let ordered = open.is_some() && open <= read && read <= close && close.is_some();
            let expected = "access/open, access/read, access/close, in this order";
            let shown = scene.timeline.show(&place.path("file"));
            ensure(ordered, format!("{expected}, of {shown}"), || format!("{kinds:?}"))?;
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const WRITTEN: Case = Case {
    id: "ACC02",
    name: "written",
    needs: &[EmitOnAccess, WatchFolders],
    modes: Mode::ALL,
    checks: "A written file is reported as closed after writing, later than the last change of its \
             data.",
    why: "watchdog's test_closed, fswatch#331: this event says that a file is complete.",
    usual_cause: "The two kinds of closing are not distinguished.",
    run: |scene| {
        places::of(scene).asking(Watch::with_access).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| tree.write("file", "content"))?;
            let path = place.path("file");
            let of_file = driver.events().filter(|event| event.path == path);
            let kinds: Vec<_> = of_file.map(|event| event.kind).collect();
            let closed = kinds.iter().rposition(|kind| {
                matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
            });
            let is_data = |kind: &EventKind| matches!(kind, EventKind::Modify(ModifyKind::Data(_)));
            let data = kinds.iter().rposition(is_data);
            let expected = "access/close/write, after the last modify/data";
            let shown = scene.timeline.show(&path);
            ensure(closed.is_some() && data < closed, format!("{expected}, of {shown}"), || {
                format!("the kinds were {kinds:?}")
            })
        })
    },
    ..Case::MUST
};

const EMPTY_FILE_READ: Case = Case {
    id: "ACC03",
    name: "empty_file_read",
    needs: &[EmitOnAccess, WatchFolders],
    checks: "Reading an empty file is reported as opening and closing, and not as a change.",
    why: "fsnotify's script op-all.",
    usual_cause: "An access is mistaken for a change.",
    run: |scene| {
        let fill = |tree: &Tree| tree.create("file");
        places::of(scene).asking(Watch::with_access).filled(fill).each(|driver, place| {
            place.make("read", "file", |path| fs::read(path).map(drop))?;
            driver.settle()?;
            let kinds = accesses(driver, &place.path("file"));
            let both = kinds.iter().copied().any(is_open) && kinds.iter().copied().any(is_close);
            let shown = scene.timeline.show(&place.path("file"));
            ensure(both, format!("access/open and access/close, of {shown}"), || {
                format!("{kinds:?}")
            })?;
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const NOT_ASKED: Case = Case {
    id: "ACC04",
    name: "not_asked",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Opening, reading, writing and closing cause no access events for a watch that has not \
             asked for them.",
    why: "notify's event_kind_mask_core_config_no_access_events; nx#37136: a program's own reading \
          filled the queue.",
    usual_cause: "The platform is asked for all its events.",
    // An invariant checks that there are none; this case gives the backend an occasion to report some.
    run: |scene| {
        let fill = |tree: &Tree| tree.write("file", "content");
        let (mut driver, places) = places::of(scene).filled(fill).watch()?;
        places.iter().try_for_each(|place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.make("read", "file", |path| fs::read(path).map(drop))?;
                tree.append("file", "more")?;
                tree.make("list", "", |path| path.read_dir().map(drop))
            })
        })
    },
    ..Case::MUST
};

const NO_FEEDBACK: Case = Case {
    id: "ACC05",
    name: "no_feedback",
    needs: &[WatchFolders],
    checks: "A consumer that reads every changed file comes to rest.",
    why: "superfsmon#5, graphify#3070 (26 minutes of processor time per hour), baalda#156, pushpin#48212.",
    usual_cause: "An access is reported as a change.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        for i in 0..10 {
            scene.tree.write(format!("{i}"), "content")?;
        }
        for round in 0..5 {
            driver.settle()?;
            let changed: Vec<_> = driver
                .events()
                .filter(|event| !matches!(event.kind, EventKind::Access(_)))
                .map(|event| event.path.clone())
                .filter(|path| path.is_file())
                .collect();
            if changed.is_empty() {
                return Ok(());
            }
            scene.timeline.did(format!("read {} files, round {round}", changed.len()));
            driver.next_step();
            for path in changed {
                // The content does not matter, only opening and reading it.
                _ = fs::File::open(path).map(|mut file| file.read(&mut [0; 16]));
            }
        }
        ensure(false, "no more changes", || "there were some after each of 5 rounds".into())
    },
    ..Case::MUST
};

const OWN_SCANS: Case = Case {
    id: "ACC06",
    name: "own_scans",
    needs: &[EmitOnAccess, WatchRecursively],
    checks: "The backend's own listing of folders is not reported as access.",
    why: "notify 8 reports 20 accesses for 20 new folders, all of them its own.",
    usual_cause: "The platform does not say which process it was; drop the accesses of folders.",
    run: |scene| {
        let fill = |tree: &Tree| (0..5).try_for_each(|i| tree.mkdir_all(format!("old-{i}/sub")));
        places::of(scene).asking(Watch::with_access).filled(fill).each(|driver, place| {
            if scene.has(WatchNewFolders) {
                (0..5).try_for_each(|i| place.mkdir_all(format!("new-{i}/sub")))?;
                scene.outside.mkdir_all("full")?;
                (0..5).try_for_each(|i| scene.outside.mkdir_all(format!("full/{i}/sub")))?;
                place.rename(scene.outside.path("full"), "full")?;
            }
            driver.settle_in(&[place.path("")])?;
            no_accesses(driver)
        })
    },
    ..Case::SHOULD
};

const OPENED_TO_WRITE: Case = Case {
    id: "ACC07",
    name: "opened_to_write",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A file that is opened for writing, and closed without a write, is not reported as \
             changed.",
    why: "Locks are taken this way. Linux sends `IN_CLOSE_WRITE` whether or not anything was written.",
    usual_cause: "Closing after writing is mistaken for a change.",
    run: |scene| {
        let fill = |tree: &Tree| tree.write("file", "content");
        places::of(scene).filled(fill).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.make("open and close", "file", |path| {
                    fs::OpenOptions::new().append(true).open(path).map(drop)
                })
            })?;
            driver.never_saw(&touched(place.path("file")))
        })
    },
    ..Case::MUST
};

const ONLY_WHERE_ASKED: Case = Case {
    id: "ACC08",
    name: "only_where_asked",
    needs: &[EmitOnAccess, WatchFolders],
    modes: Mode::ALL,
    checks: "If only one of two watches of folders asks for accesses, they are reported for the files of its \
             folder, and not for those of the other, even if these are new or came from the first folder.",
    why: "A program wants to know of accesses in one folder, and reads files in the other itself.",
    usual_cause: "A single watch that asks for accesses turns them on for all.",
    // An invariant checks that there are none in the other.
    run: |scene| {
        let fill = |tree: &Tree| tree.write("file", "content");
        let make = |tree: &Tree, folder: &str| {
            tree.mkdir(folder)?;
            fill(&tree.within(folder))
        };
        let recursive = scene.has(WatchRecursively);
        let quiet = &scene.sentinel_folder;
        fill(quiet)?;
        make(quiet, "old")?;
        make(&scene.tree, "leaving")?;
        let beside = Watch::non_recursive(quiet.path("")).recursive_if(recursive);
        let places = places::of(scene).asking(Watch::with_access).beside(beside).filled(fill);
        let (mut driver, loud) = places.watch()?;
        let mut silent = vec!["file", "old/file"];
        if scene.has(WatchNewFolders) {
            make(quiet, "new")?;
            scene.tree.rename("leaving", quiet.path("moved"))?;
            driver.settle_in(&["new", "moved"].map(|folder| quiet.path(folder)))?;
            silent.extend(["new/file", "moved/file"]);
        }
        for place in loud {
            let read = |path: &Path| fs::read(path).map(drop);
            driver.next_step();
            driver.perform_in(scene.mode, &place, |tree| {
                silent.iter().try_for_each(|file| tree.make("read", quiet.path(file), read))?;
                tree.make("read", "file", read)
            })?;
            let kinds = accesses(&driver, &place.path("file"));
            let shown = scene.timeline.show(&place.path("file"));
            ensure(kinds.iter().copied().any(is_open), format!("access/open of {shown}"), || {
                format!("{kinds:?}")
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const ASKED_IN_VAIN: Case = Case {
    id: "ACC09",
    name: "asked_in_vain",
    without: &[EmitOnAccess],
    checks: "Without EmitOnAccess, a watch that asks for accesses is refused with `NotSupported`, \
             which names the path.",
    why: "If a request is ignored silently, the user does not notice until it matters.",
    usual_cause: "`Watch::access` is ignored; `Watch::check` checks it.",
    run: |scene| refuses_demand(scene, scene.anything()?.with_access(), EmitOnAccess),
    ..Case::MUST
};

const OF_THE_OTHER: Case = Case {
    id: "ACC10",
    name: "of_the_other",
    needs: &[ChangeWatches, EmitOnAccess, WatchFolders],
    checks: "After one of two watches that ask for accesses is removed, the accesses of the other are still \
             reported.",
    why: "The counterpart of CHG03 and CHG13, which check changes.",
    usual_cause: "Several watches share one registration with the platform, and removing the first of them \
                  turns its access events off.",
    run: |scene| {
        for folder in ["one", "other"] {
            scene.tree.mkdir(folder)?;
            scene.tree.write(format!("{folder}/file"), "content")?;
        }
        let watches = ["one", "other"].map(|it| Watch::non_recursive(scene.path(it)).with_access());
        let mut driver = scene.watch(watches.to_vec())?;
        driver.settle()?;
        remove(&mut driver, &watches[0].path)?;
        driver.settle()?;
        driver.next_step();
        scene.tree.make("read", "other/file", |path| fs::read(path).map(drop))?;
        driver.settle()?;
        let kinds = accesses(&driver, &scene.path("other/file"));
        ensure(kinds.iter().copied().any(is_open), "access/open of tree/other/file", || {
            format!("{kinds:?}")
        })
    },
    ..Case::MUST
};

const TREE_IN_TREE: Case = Case {
    id: "ACC11",
    name: "tree_in_tree",
    needs: &[EmitOnAccess, WatchRecursively],
    checks: "If only one of two watched trees asks for accesses, and one is inside the other, they are reported \
             for all files that the one which asks covers, in whichever order the two are watched.",
    why: "The counterpart of ACC08: one folder has one watch of the platform, which serves both.",
    usual_cause: "The inner tree counts as watched already, or the watch that was added last decides what is \
                  reported.",
    // An invariant checks that there are none elsewhere.
    run: |scene| {
        let files = ["outer/file", "outer/inner/file", "outer/inner/old/file"];
        scene.tree.mkdir_all("outer/inner/old")?;
        files.iter().try_for_each(|file| scene.tree.write(file, "content"))?;
        let trees = ["outer", "outer/inner"].map(|tree| Watch::recursive(scene.path(tree)));
        for asks in 0..trees.len() {
            let mut watches = trees.clone();
            watches[asks] = watches[asks].clone().with_access();
            let asking = watches[asks].path.clone();
            nested(scene, &watches, |driver| {
                for file in files {
                    driver.next_step();
                    scene.tree.make("read", file, |path| fs::read(path).map(drop))?;
                    driver.settle()?;
                    let path = scene.path(file);
                    let kinds = accesses(driver, &path);
                    let expected = format!("access/open of tree/{file}");
                    let is_covered = path.starts_with(&asking);
                    ensure(!is_covered || kinds.iter().copied().any(is_open), expected, || {
                        format!("{kinds:?}")
                    })?;
                }
                Ok(())
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const SPELLED_TWICE: Case = Case {
    id: "ACC12",
    name: "spelled_twice",
    needs: &[ChangeWatches, EmitOnAccess, WatchFolders],
    environment: &[Environment::Unix],
    checks: "If a folder is watched under two spellings, of which one asks for accesses, these are reported under \
             that one, in whichever order the two are watched, and after the other one was removed.",
    why: "The counterpart of CHG11: one folder has one watch of the platform, which serves both.",
    usual_cause: "What the later watch asks for replaces what the platform was asked for before: inotify has \
                  `IN_MASK_ADD` for that.",
    // An invariant checks that there are none under the other spelling.
    run: |scene| {
        scene.tree.mkdir("folder")?;
        scene.tree.write("folder/file", "content")?;
        let [plain, dotted] = ["folder", "folder/."].map(|it| Watch::non_recursive(scene.path(it)));
        for asks_first in [true, false] {
            let (asking, other) = (plain.clone().with_access(), dotted.clone());
            let (first, second) = if asks_first { (&asking, &other) } else { (&other, &asking) };
            let mut driver = scene.watch([first.clone()])?;
            add(&mut driver, second.clone())?;
            for is_alone in [false, true] {
                if is_alone {
                    remove(&mut driver, &other.path)?;
                }
                driver.settle()?;
                driver.next_step();
                scene.tree.make("read", "folder/file", |path| fs::read(path).map(drop))?;
                driver.settle()?;
                let kinds = accesses(&driver, &scene.path("folder/file"));
                ensure(
                    kinds.iter().copied().any(is_open),
                    "access/open of tree/folder/file",
                    || format!("{kinds:?}"),
                )?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// Watches an outer and an inner tree in each order, both at once and, where that is possible, one after the
/// other, and checks something each time.
pub(super) fn nested(
    scene: &Scene,
    [outer, inner]: &[Watch; 2],
    check: impl Fn(&mut Driver) -> Step,
) -> Step {
    for (first, second) in [(outer, inner), (inner, outer)] {
        let both = [first.clone(), second.clone()];
        check(&mut scene.watch(both)?)?;
        if !scene.has(ChangeWatches) {
            continue;
        }
        let mut driver = scene.watch([first.clone()])?;
        add(&mut driver, second.clone())?;
        check(&mut driver)?;
    }
    Ok(())
}

/// Checks that a watch is refused if what it asks for needs the `missing` capability.
pub(super) fn refuses_demand(scene: &Scene, watch: Watch, missing: Capability) -> Step {
    let path = watch.path.clone();
    let answer = scene.make(vec![watch]).map(drop);
    let named = match &answer {
        Err(BackendError::NotSupported { capability, paths }) => {
            *capability == missing && *paths == [path]
        }
        _ => false,
    };
    ensure(named, format!("NotSupported with {missing} and the path"), || format!("{answer:?}"))
}

fn no_accesses(driver: &Driver) -> Step {
    let accesses =
        driver.events().filter(|event| matches!(event.kind, EventKind::Access(_))).count();
    ensure(accesses == 0, "no access events", || format!("there were {accesses}"))
}
