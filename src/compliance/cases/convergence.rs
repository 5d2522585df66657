//! Random changes, and mirrors that are kept up to date by events alone (CONV).

use std::{
    cell::{Cell, RefCell},
    env, fs,
};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::failure::{Failure, Step, Stop, ensure},
        scene::{Scene, consumer::Consumer, tree::Tree, workload::Workload},
    },
    contract::{
        backend::Watch,
        capability::Capability::{WatchFolders, WatchNewFolders},
        event::EventKind,
    },
};

pub(super) const GROUP: Group = Group {
    name: "convergence",
    title: "Convergence",
    guide: "Watching recursively",
    cases: &[RANDOM_TREE, COVERAGE, MANY_WRITERS, SCRIPTS, DIFFERENTIAL, RANDOM_FOLDER],
};

/// How many random workloads a case makes, unless the variable says another number.
const SEEDS: u64 = 12;
/// How many changes each has.
const CHANGES: usize = 120;
const SEEDS_VARIABLE: &str = "NOTIFY_BACKEND_COMPLIANCE_SEEDS";
/// The file with a log to replay instead of random workloads.
const REPLAY_VARIABLE: &str = "NOTIFY_BACKEND_COMPLIANCE_REPLAY";

/// A check of how well the events of a workload show what has changed.
type Judge = fn(&Scene, &str, &Workload, bool) -> Step;

/// Judges many workloads, and shortens the first that fails.
fn judge_many(scene: &Scene, deep: bool, judge: Judge) -> Step {
    if let Some(file) = env::var_os(REPLAY_VARIABLE) {
        let log = fs::read_to_string(&file);
        let log = log.map_err(|error| Stop::Broken(format!("could not read the log: {error}")))?;
        return judge(scene, "replay", &Workload::parse(&log), deep);
    }
    let seeds = env::var(SEEDS_VARIABLE).ok().and_then(|seeds| seeds.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        let workload = Workload::random(seed, CHANGES, deep);
        drop(scene.timeline.take());
        scene.timeline.did(format!("seed {seed}: {CHANGES} changes"));
        let Err(stop) = judge(scene, &format!("seed-{seed}"), &workload, deep) else { continue };
        let Stop::Failed(failure) = stop else { return Err(stop) };
        return Err(Stop::Failed(Box::new(shorten(scene, seed, &workload, deep, judge, *failure))));
    }
    Ok(())
}

/// Finds a short workload that fails, and says how to repeat it.
fn shorten(
    scene: &Scene,
    seed: u64,
    workload: &Workload,
    deep: bool,
    judge: Judge,
    failure: Failure,
) -> Failure {
    let tries = Cell::new(0);
    // The last failure, and its record: with a race, the shortest workload may pass the next time.
    let last = RefCell::new((failure, scene.timeline.take()));
    // A race shows in one of a few attempts; without a race, all of them agree.
    let attempts = if scene.mode == Mode::Concurrent { 4 } else { 1 };
    let fails = |part: &Workload| {
        (0..attempts).any(|_| {
            tries.set(tries.get() + 1);
            let folder = format!("shorter-{}", tries.get());
            let outcome = judge(scene, &folder, part, deep);
            let record = scene.timeline.take();
            let Err(Stop::Failed(failure)) = outcome else { return false };
            last.replace((*failure, record));
            true
        })
    };
    let shortest = workload.shrink(80, fails);
    let (failure, record) = last.into_inner();
    scene.timeline.put_back(record);
    let but = failure.but;
    let but = format!(
        "{but}\nseed {seed}; {} of its {CHANGES} changes are enough:\n{shortest}\
         to repeat them, save these lines to a file and name it in {REPLAY_VARIABLE}",
        shortest.0.len(),
    );
    Failure { but, ..failure }
}

/// Makes a folder for a workload, which then does not meet what another one has left.
fn prepare(scene: &Scene, name: &str) -> Step<Tree> {
    scene.tree.mkdir(name)?;
    Ok(scene.tree.within(name))
}

/// Makes the changes, and compares a mirror that is kept by the events with the disk.
fn converges(scene: &Scene, name: &str, workload: &Workload, deep: bool) -> Step {
    let tree = prepare(scene, name)?;
    let root = tree.path("");
    let mut driver = scene.watch([Watch::non_recursive(&root).recursive_if(deep)])?;
    driver.keep(Consumer::of(&root, deep));
    driver.perform_in(scene.mode, &tree, |tree| workload.make(tree))?;
    // What a scan of late folders finds comes after the barrier in the root.
    driver.settle()?;
    driver.consumer_matches_disk()
}

/// Makes the changes, and fails unless each difference was reported, in whatever order.
fn covers(scene: &Scene, name: &str, workload: &Workload, deep: bool) -> Step {
    let tree = prepare(scene, name)?;
    let root = tree.path("");
    // Half of the changes come before the watch, so that there is something to change.
    let half = workload.0.len() / 2;
    Workload(workload.0[..half].to_vec()).make(&tree)?;
    let mut driver = scene.watch([Watch::non_recursive(&root).recursive_if(deep)])?;
    let before = Consumer::of(&root, deep);
    let rest = Workload(workload.0[half..].to_vec());
    driver.perform_in(scene.mode, &tree, |tree| rest.make(tree))?;
    driver.settle()?;
    let changed = before.changed_paths(&Consumer::of(&root, deep));
    let reported = |path: &std::path::Path| {
        driver.events().any(|event| match event.kind {
            EventKind::Access(_) => false,
            // What happens to a folder as a whole happens to all that is in it, and everything lies
            // below an empty path.
            EventKind::Missed(_)
            | EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(crate::contract::event::ModifyKind::Name(_)) => {
                path.starts_with(&event.path)
            }
            _ => event.path == path,
        })
    };
    let silent = changed.iter().find(|path| !reported(path));
    ensure(
        silent.is_none(),
        "every path that differs from before is named by an event, or something above it is",
        || {
            let shown = silent.map(|path| scene.timeline.show(path));
            format!("{} differs, and nothing was reported", shown.unwrap_or_default())
        },
    )
}

const RANDOM_TREE: Case = Case {
    id: "CONV01",
    name: "random_tree",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "Whatever is done to a tree (random changes, from given seeds), a consumer's mirror that is kept \
             by events alone equals the disk in the end.",
    why: "dart's ClientSimulator found the races of its watchers this way; watchman's test_fishy.",
    usual_cause: "There is a race between the platform's events and the backend's own looks; see the \
                  changes that are enough to cause it.",
    run: |scene| judge_many(scene, true, converges),
    ..Case::MUST
};

const COVERAGE: Case = Case {
    id: "CONV02",
    name: "coverage",
    needs: &[WatchNewFolders],
    modes: &[Mode::Batched, Mode::Concurrent],
    checks: "After random changes, every path that differs is named by some event, or something above \
             it was created, removed or renamed.",
    why: "This is the weakest promise that a cache can live with, whatever the order of events.",
    usual_cause: "Events are dropped because something looks unchanged, or is gone by now.",
    run: |scene| judge_many(scene, true, covers),
    ..Case::MUST
};

const MANY_WRITERS: Case = Case {
    id: "CONV03",
    name: "many_writers",
    needs: &[WatchNewFolders],
    checks: "While eight threads change a tree, other backends come and go, and the mirror that is kept by \
             the events of one backend is right in the end.",
    why: "gradle's OnslaughtExecutor.",
    usual_cause: "State is shared between backends, or a scan is disturbed by changes.",
    run: |scene| {
        let tree = prepare(scene, "many")?;
        let root = tree.path("");
        let mut driver = scene.watch([Watch::recursive(&root)])?;
        driver.guard.is_raced = true;
        driver.keep(Consumer::of(&root, true));
        let handle = scene.runtime().handle().clone();
        let subject = scene.subject();
        driver.perform_in(Mode::Concurrent, &tree, |tree| {
            std::thread::scope(|scope| {
                let writers: Vec<_> = (0..8)
                    .map(|seed| {
                        scope.spawn(move || Workload::random(1000 + seed, 60, true).make(tree))
                    })
                    .collect();
                for _ in 0..5 {
                    let _entered = handle.enter();
                    _ = subject.make(vec![Watch::recursive(tree.path(""))]);
                }
                writers.into_iter().try_for_each(|writer| writer.join().unwrap_or(Ok(())))
            })
        })?;
        driver.settle()?;
        driver.consumer_matches_disk()
    },
    ..Case::MUST
};

/// Changes that a watcher once got wrong.
const LOGS: &[&str] = &[
    // watchman: a folder is renamed and a new one made in its place.
    "mkdir a\nwrite a/b\nrename a b\nmkdir a\nwrite a/c\nappend b/b",
    // A chain of renames, with changes at each place.
    "mkdir a\nmkdir a/b\nwrite a/b/c\nrename a/b a/d\nrename a e\nappend e/d/c\nrename e/d b",
    // A folder takes the place of a removed one, with something below.
    "mkdir a\nmkdir a/b\nremove-all a\nmkdir c\nwrite c/d\nrename c a\nappend a/d",
    // A file and a folder change places.
    "write a\nmkdir b\nrename a b/a\nrename b a\nwrite b\nappend a/a",
    // Made, filled and moved into what was just made.
    "mkdir a\nmkdir b\nwrite b/c\nrename b a/b\nappend a/b/c\nrename a/b c\nwrite c/d",
    // Renamed over an empty folder, and back, and on.
    "mkdir a\nmkdir b\nrename a b\nrename b a\nwrite a/c\nmkdir b\nrename a b\nrename b d\nappend d/c",
    // A folder takes the place of a file that came there from another one.
    "write a\nrename a b\nremove b\nmkdir b\nwrite b/c\nrename b d\nappend d/c",
];

const SCRIPTS: Case = Case {
    id: "CONV04",
    name: "scripts",
    needs: &[WatchNewFolders],
    modes: Mode::ALL,
    checks: "Sequences of changes that once confused a watcher are followed correctly.",
    why: "watchman's test_fishy and test_more_moves; dart's replay logs.",
    usual_cause: "The backend's table of watched folders keeps an entry whose folder has moved.",
    run: |scene| {
        LOGS.iter().enumerate().try_for_each(|(i, log)| {
            converges(scene, &format!("script-{i}"), &Workload::parse(log), true)
        })
    },
    ..Case::MUST
};

/// Makes the changes while one of two backends is read, then reads the other, and compares; and does the same
/// with their roles exchanged.
fn agrees(scene: &Scene, name: &str, workload: &Workload, deep: bool) -> Step {
    for is_late in [true, false] {
        let tree = prepare(scene, &format!("{name}-{is_late}"))?;
        let root = tree.path("");
        let watch = Watch::non_recursive(&root).recursive_if(deep);
        let mut drivers =
            [scene.watch_with_other(std::slice::from_ref(&watch))?, scene.watch([watch])?];
        for driver in &mut drivers {
            driver.keep(Consumer::of(&root, deep));
        }
        if !is_late {
            drivers.reverse();
        }
        let [along, after] = &mut drivers;
        along.perform_in(scene.mode, &tree, |tree| workload.make(tree))?;
        along.settle()?;
        after.settle()?;
        along.consumer_matches(after)?;
        along.consumer_matches_disk()?;
    }
    Ok(())
}

const DIFFERENTIAL: Case = Case {
    id: "CONV06",
    name: "differential",
    needs: &[WatchNewFolders],
    modes: &[Mode::Batched, Mode::Concurrent],
    checks: "If two backends watch one tree, their consumers' mirrors of it are the same, and right.",
    why: "Programs switch backends, and go on relying on what they know.",
    usual_cause: "One of them has lost an event: the mirror of the other's consumer shows which.",
    run: |scene| judge_many(scene, true, agrees),
    ..Case::MUST
};

const RANDOM_FOLDER: Case = Case {
    id: "CONV07",
    name: "random_folder",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "As CONV01, for a folder that is watched without recursion.",
    why: "As CONV01.",
    usual_cause: "One event of a path hides another one.",
    run: |scene| judge_many(scene, false, converges),
    ..Case::MUST
};
