//! Every order of a few changes in a small world, and random programs in a larger one.

use std::{
    env,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    super::Options,
    disk::{Change, Disk, Inode},
    inotify::Inotify,
    machine::Machine,
    script::{Script, Step},
    trial::{Outcome, Trial},
};
use crate::random::Random;

/// Scripts that an engine has failed before.
const SCRIPTS: &[(Options, &str)] = &[
    // A rename shows, but its events come only once a reader waits for the lock of the folder above.
    (
        OPTIONS,
        "mkdir /r
         mkdir /r/a
         watch /r
         mkdir /r/a/a
         begin rename /r/a /r/b",
    ),
    // A folder has two paths, one through a link. The finds of a look are reported under the other path.
    (
        WITH_LINKS,
        "mkdir /r
         mkdir /s
         watch /r
         watch /s
         symlink /r /s/c
         after 3 create /r/a",
    ),
    // A look finds a folder in one watched tree while events still place it in another one.
    (
        OPTIONS,
        "mkdir /r
         mkdir /s
         mkdir /r/a
         mkdir /s/a
         watch /r
         watch /s
         after 0 mkdir /s/a/a
         after 4 exchange /r/a /s/a",
    ),
    // A folder is looked at because it was changed. The event that shows it is new comes afterwards.
    (
        OPTIONS,
        "mkdir /s
         mkdir /out
         mkdir /out/b
         watch /s
         after 6 mkdir /out/a
         after 0 rename /out/a /out/b/a
         after 6 mkdir /out/b/a/b
         after 12 begin create /out/b/a/b/f6
         after 4 begin rename /out/b /s/a
         after 8 chmod /s/a",
    ),
    // A consumer looks into a new folder before it is watched. Then an entry is removed.
    (
        OPTIONS,
        "mkdir /s
         watch /s
         after 13 mkdir /s/a
         after 0 begin mkdir /s/a/b
         after 1 begin rmdir /s/a/b
         notify
         notify",
    ),
    // The target of a link is renamed. No event comes from the link's folder.
    (
        WITH_LINKS,
        "mkdir /r
         mkdir /s
         mkdir /r/b
         watch /r
         watch /s
         after 0 mkdir /r/b/b
         after 0 symlink /r/b/b /s/c
         after 88 rename /r/b/b /r/b/a",
    ),
    // A link that led elsewhere now leads to a folder that is also watched without a link.
    (
        WITH_LINKS,
        "mkdir /s
         mkdir /out
         mkdir /out/b
         symlink /s /out/b/c
         watch /s
         after 5 symlink /out /s/a
         after 16 create /out/f6
         after 0 begin rename /out/b/c /s/a",
    ),
    // Two looks find the same folder, one of them below a link that is taken away.
    (
        WITH_LINKS,
        "mkdir /r
         mkdir /s
         symlink /r /s/b
         watch /r
         watch /s
         after 8 mkdir /r/b
         after 0 rename /s/b /r/c",
    ),
    // Two looks find the same file, in two roots.
    (
        OPTIONS,
        "mkdir /r
         mkdir /r/a
         watch /r
         watch /r/a
         after 5 mkdir /r/a/b
         after 8 begin create /r/a/b/f10",
    ),
    (
        OPTIONS,
        "mkdir /r
         mkdir /s
         mkdir /r/a
         watch /r
         watch /r/a
         watch /s
         after 23 mkdir /r/a/b
         after 8 mkdir /s/b
         after 3 begin exchange /r/a/b /s/b
         after 14 create /r/a/b/f5",
    ),
    // One of the roots is unwatched while a look goes through the folders of the other.
    (
        OPTIONS,
        "mkdir /r
         mkdir /r/a
         watch /r
         watch /r/a
         after 0 begin mkdir /r/a/b
         after 0 create /r/a/b/f5
         notify
         after 2 chmod /r/a/b
         unwatch /r",
    ),
    // A new entry of a folder is looked at late, because the folder was renamed. A consumer that gets the
    // report of the rename has looked by then.
    (
        OPTIONS,
        "mkdir /r
         mkdir /r/a
         mkdir /out
         mkdir /out/b
         create /out/b/d
         watch /r
         after 0 rename /out/b /r/a/b
         after 0 rename /r/a /r/c
         after 17 remove /r/c/b/d",
    ),
    // A folder leaves the watched trees, and a folder in it comes back: with its events,
    (
        OPTIONS,
        "mkdir /r
         mkdir /s
         mkdir /out
         mkdir /r/b
         mkdir /r/b/b
         watch /r
         watch /s
         after 7 rename /r/b /out/b
         after 0 create /out/b/b/f7
         after 0 rename /out/b/b /s/a",
    ),
    // and with the entries in it that are to be looked at.
    (
        OPTIONS,
        "mkdir /r
         mkdir /s
         mkdir /out
         mkdir /r/a
         watch /r
         watch /s
         after 29 mkdir /r/a/b
         after 6 create /r/a/b/b
         after 0 rename /r/a /out/a
         after 0 begin rename /out/a/b /s/c
         after 0 mkdir /s/c/c",
    ),
    // An entry that has an event is looked at only once its folder has a place, by the look at that folder.
    (
        OPTIONS,
        "mkdir /s
         mkdir /out
         mkdir /s/a
         mkdir /out/c
         rename /out/c /s/c
         mkdir /s/c/d
         watch /s
         after 0 mkdir /s/c/d/a
         after 0 mkdir /s/c/a
         after 16 rename /s/c/a /out/c
         after 16 create /s/a/f16
         after 0 mkdir /s/a/a
         after 0 begin mkdir /s/a/a/d
         after 11 exchange /out/c /s/c/d/a
         after 1 create /s/c/d/a/a
         after 0 rename /s/c/d /s/a/a/d
         after 4 begin create /s/a/f32
         notify
         after 8 rename /s/a/a/d/a /s/a/a/d/a
         after 16 exchange /s/a/a/d/a/a /s/a/a/d/a/a
         notify
         after 6 create /out/f41
         after 6 create /s/f46
         notify
         after 2 begin remove /s/a/a/d/a/a
         notify
         notify
         notify",
    ),
    // Two folders exchange their names. One of them has been found there and has no place yet, so the
    // halves of the exchange are ambiguous.
    (
        OPTIONS,
        "mkdir /r
         mkdir /s
         mkdir /r/b
         rename /r/b /s/c
         watch /r
         after 0 begin rename /s/c /r/c
         notify
         notify
         after 17 mkdir /r/a
         after 18 mkdir /r/c/b
         after 20 create /r/a/f13
         after 0 mkdir /r/c/b/a
         after 12 exchange /r/a /r/c/b/a
         after 18 rename /r/a /r/b
         after 0 create /r/c/b/a/f17",
    ),
    // An unknown folder takes the place of another one, which is gone.
    (
        OPTIONS,
        "mkdir /r
         mkdir /s
         watch /r
         watch /s
         after 0 begin mkdir /r/d
         notify
         after 0 mkdir /r/d/c
         after 0 rename /r/d/c /s/d
         after 0 mkdir /s/d/b
         after 0 begin chmod /r/d
         after 0 rename /s/d/b /s/a
         notify
         after 18 begin create /s/d/b
         after 0 create /s/a/f26
         after 4 rename /s/d/b /s/a/d
         after 0 rename /s/a /s/d
         after 1 rename /s/d /r/d",
    ),
    // A folder moves into one that is not watched yet, and comes back with that one.
    (
        OPTIONS,
        "mkdir /r
         mkdir /r/a
         watch /r
         after 8 mkdir /r/a/d
         after 16 create /r/f46
         after 0 begin create /r/a/d/f50
         notify
         notify
         notify
         after 1 begin mkdir /r/c
         after 0 rename /r/a/d /r/c/c",
    ),
];

/// Scripts that an engine has failed before when the queue overflows.
const SCRIPTS_WITH_LOSSES: &[&str] = &[
    // A folder is found in one watched tree after the other one has lost the events about it.
    "mkdir /r
     mkdir /s
     mkdir /out
     mkdir /r/c
     mkdir /r/c/c
     rename /r/c/c /out/d
     rename /out/d /r/c/b
     create /r/c/b/b
     mkdir /r/c/b/a
     rename /r/c/b/b /r/a
     watch /r
     watch /s
     after 0 begin create /r/c/b/a/a
     notify
     after 0 chmod /r/c/b/a/a
     notify
     notify
     after 0 mkdir /r/c/b/a/b
     after 0 begin exchange /r/c/b/a /r/a
     notify
     notify
     notify
     notify
     after 0 mkdir /s/a
     notify
     notify
     after 0 begin create /r/c/f53
     after 0 create /r/f56
     notify
     after 0 begin rename /r/a /s/c",
];

const OPTIONS: Options = Options { recursive: true, access: false, follow_links: false };
const WITH_LINKS: Options = Options { recursive: true, access: false, follow_links: true };

/// How many events a reader takes at once: one, or all.
const AT_ONCE: [usize; 2] = [1, usize::MAX];

/// More events than any script here makes.
const LIMIT: usize = 16_384;

/// So few that the queue overflows in many programs.
const SHORT: usize = 12;

/// How many changes are combined, unless the variable gives another number: two in the first scene, one in
/// the others.
const CHANGES: [usize; 4] = [2, 1, 1, 1];
const CHANGES_VARIABLE: &str = "NOTIFY_BACKEND_MODEL_CHANGES";

/// How many random programs are run, unless the variable gives another number.
const PROGRAMS: u64 = 500;
const PROGRAMS_VARIABLE: &str = "NOTIFY_BACKEND_MODEL_PROGRAMS";
/// The seed of the first program, 0 by default; set it to repeat a failure.
const SEED_VARIABLE: &str = "NOTIFY_BACKEND_MODEL_SEED";

/// The folders at the beginning. `/out` is not watched.
const SCENES: [&str; 4] = [
    "mkdir /r\nmkdir /s\nmkdir /out\nmkdir /r/a",
    "mkdir /r\nmkdir /s\nmkdir /out\nmkdir /r/a\nmkdir /r/b",
    "mkdir /r\nmkdir /s\nmkdir /out\nmkdir /r/a\nmkdir /r/a/a",
    "mkdir /r\nmkdir /s\nmkdir /out\nmkdir /r/a\nmkdir /s/a",
];
const WATCHED: &str = "watch /r\nwatch /s";
const FOLDERS: [&str; 3] = ["/r", "/s", "/out"];
const NAMES: [&str; 2] = ["a", "b"];

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    env::var(variable).ok()?.parse().ok()
}

#[test]
fn scripts_that_failed_before_pass() {
    for at_once in AT_ONCE {
        for (options, script) in SCRIPTS {
            check(&Script::parse(script), LIMIT, *options, at_once);
        }
        for script in SCRIPTS_WITH_LOSSES {
            check(&Script::parse(script), SHORT, OPTIONS, at_once);
        }
    }
}

#[test]
fn every_order_of_changes_in_a_small_world_is_followed() {
    let mut programs = 0;
    for at_once in AT_ONCE {
        for (scene, changes) in SCENES.into_iter().zip(CHANGES) {
            let changes = number(CHANGES_VARIABLE).unwrap_or(changes);
            let search = Search::new(scene, OPTIONS, at_once);
            search.run(changes);
            programs += search.programs.load(Ordering::Relaxed);
            if let Some(script) = search.failed() {
                let failure = explain(&script, LIMIT, OPTIONS, at_once);
                panic!("after {programs} programs, {at_once} at once: {failure}");
            }
        }
    }
    println!("{programs} programs");
}

/// All programs of a number of changes, each after any number of the engine's calls.
struct Search {
    scene: Script,
    machine: Machine<Inotify>,
    options: Options,
    at_once: usize,
    programs: AtomicUsize,
    failed: Mutex<Vec<Script>>,
}

/// How far a change has come when the next one is made.
#[derive(Clone, Copy)]
enum Extent {
    /// It shows, but no note was delivered.
    Shown,
    /// It shows, and its first note was delivered.
    Half,
    Whole,
}

impl Search {
    fn new(scene: &str, options: Options, at_once: usize) -> Self {
        let mut machine = Machine::new(Inotify::new(LIMIT));
        let mut scene = Script::parse(scene);
        for step in &scene.0 {
            if let Step::Make(change) = step {
                machine.make(change).unwrap();
            }
        }
        scene.0.extend(Script::parse(WATCHED).0);
        Self {
            scene,
            machine,
            options,
            at_once,
            programs: AtomicUsize::new(0),
            failed: Mutex::new(Vec::new()),
        }
    }

    /// Returns the shortest script that failed, if any.
    fn failed(&self) -> Option<Script> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.iter().min_by_key(|script| script.0.len()).cloned()
    }

    fn run(&self, changes: usize) {
        let first = changes_of(&self.machine, 0);
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(change) = first.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.extend_with(&self.scene, 0, &self.machine, change, changes - 1);
            }
        };
        thread::scope(|scope| {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            (1..cores).for_each(|_| _ = scope.spawn(work));
            work();
        });
    }

    /// Runs a script with one more change, and then with `more` changes after that.
    fn extend_with(
        &self,
        script: &Script,
        calls: usize,
        machine: &Machine<Inotify>,
        change: &Change,
        more: usize,
    ) {
        for extent in [Extent::Whole, Extent::Shown, Extent::Half] {
            let mut machine = machine.clone();
            let (mut script, step) = (script.clone(), change.clone());
            let mut add = |step| script.0.push(Step::After(calls, Box::new(step)));
            match extent {
                Extent::Whole => add(Step::Make(step)),
                Extent::Shown => add(Step::Begin(step)),
                Extent::Half if is_rename(change) => {
                    add(Step::Begin(step));
                    script.0.push(Step::Notify);
                }
                Extent::Half => continue,
            }
            let made = match extent {
                Extent::Whole => machine.make(change),
                _ => machine.begin(change),
            };
            if made.is_err() {
                continue;
            }
            self.programs.fetch_add(1, Ordering::Relaxed);
            let outcome = Trial::run(&script, LIMIT, self.options, self.at_once);
            if outcome.failure.is_some() {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(script);
                continue;
            }
            if more > 0 {
                for change in changes_of(&machine, script.0.len()) {
                    for calls in 0..outcome.calls {
                        self.extend_with(&script, calls, &machine, &change, more - 1);
                    }
                }
            }
        }
    }
}

fn is_rename(change: &Change) -> bool {
    matches!(change, Change::Rename(..) | Change::Exchange(..))
}

/// Returns all changes that can be made. A new file has a unique name, with `number` in it.
fn changes_of(machine: &Machine<Inotify>, number: usize) -> Vec<Change> {
    let disk = machine.disk();
    let mut folders = Vec::new();
    for folder in FOLDERS {
        if let Ok(inode) = disk.find(folder, true) {
            collect(disk, inode, folder, &mut folders);
        }
    }
    let places: Vec<_> =
        folders.iter().flat_map(|folder| NAMES.map(|name| format!("{folder}/{name}"))).collect();
    let is_taken = |place: &&String| disk.find(place, false).is_ok();
    let (taken, free): (Vec<_>, Vec<_>) = places.iter().partition(is_taken);
    let of = |path: &String| path.as_str().into();
    let mut changes = Vec::new();
    // At most three folders besides those that always exist.
    if folders.len() < FOLDERS.len() + 3 {
        changes.extend(free.iter().map(|&place| Change::Mkdir(of(place))));
    }
    changes
        .extend(folders.iter().map(|folder| Change::Create(format!("{folder}/f{number}").into())));
    changes.extend(free.iter().map(|&place| Change::Create(of(place))));
    for &entry in &taken {
        changes.push(Change::Rmdir(of(entry)));
        changes.push(Change::Remove(of(entry)));
        changes.extend(places.iter().map(|place| Change::Rename(of(entry), of(place))));
        let others = taken.iter().filter(|&&other| other > entry);
        changes.extend(others.map(|&other| Change::Exchange(of(entry), of(other))));
    }
    let is_possible = |change: &Change| {
        let is_same = matches!(change, Change::Rename(from, to) if from == to);
        !is_same && machine.clone().begin(change).is_ok()
    };
    changes.retain(is_possible);
    changes
}

fn collect(disk: &Disk, folder: Inode, path: &str, folders: &mut Vec<String>) {
    folders.push(path.to_owned());
    for (name, inode) in disk.entries(folder) {
        if disk.is_folder(inode) {
            collect(disk, inode, &format!("{path}/{name}"), folders);
        }
    }
}

#[test]
fn random_programs_are_followed() {
    random_programs(OPTIONS, LIMIT, WATCHED, "");
}

#[test]
fn random_programs_with_links_are_followed() {
    random_programs(WITH_LINKS, LIMIT, WATCHED, "");
}

#[test]
fn random_programs_with_links_and_accesses_are_followed() {
    random_programs(Options { access: true, ..WITH_LINKS }, LIMIT, WATCHED, "");
}

#[test]
fn only_what_may_be_a_link_is_looked_at() {
    let calls = |options| {
        let script = "mkdir /r\nwatch /r\ncreate /r/f\nwrite /r/f\ncreate /r/f2\nwrite /r/f2";
        let outcome = Trial::run(&Script::parse(script), LIMIT, options, usize::MAX);
        assert_eq!(outcome.failure, None, "{}", outcome.record);
        outcome.calls
    };
    assert_eq!(calls(WITH_LINKS), calls(OPTIONS));
}

#[test]
fn random_programs_with_overflows_are_followed() {
    random_programs(OPTIONS, SHORT, WATCHED, "");
}

#[test]
fn random_programs_with_a_root_inside_another_are_followed() {
    random_programs(OPTIONS, LIMIT, "watch /r\nwatch /r/a\nwatch /s", "unwatch /r");
}

#[test]
fn random_programs_with_a_later_root_around_another() {
    random_programs(OPTIONS, LIMIT, "watch /r/a\nwatch /s\nwatch /r", "unwatch /r/a");
}

/// Runs random programs, and each of them again with `last` at its end.
fn random_programs(options: Options, limit: usize, watched: &str, last: &str) {
    let last = Script::parse(last);
    let first = number(SEED_VARIABLE).unwrap_or(0);
    for seed in first..first + number(PROGRAMS_VARIABLE).unwrap_or(PROGRAMS) {
        let mut script = random_program(seed, options, watched);
        let at_once = AT_ONCE[usize::from(seed % 2 == 1)];
        for _ in 0..=usize::from(!last.0.is_empty()) {
            let failed = Trial::run(&script, limit, options, at_once).failure.is_some();
            assert!(!failed, "seed {seed}: {}", explain(&script, limit, options, at_once));
            script.0.extend(last.0.iter().cloned());
        }
    }
}

#[test]
fn a_folder_that_is_renamed_to_and_fro_is_followed() {
    for seed in 0..number(PROGRAMS_VARIABLE).unwrap_or(PROGRAMS) / 5 {
        let script = to_and_fro(seed);
        for at_once in AT_ONCE {
            let failed = Trial::run(&script, LIMIT, OPTIONS, at_once).failure.is_some();
            assert!(!failed, "seed {seed}: {}", explain(&script, LIMIT, OPTIONS, at_once));
        }
    }
}

/// Returns a program in which one folder is renamed to and fro, in some programs also one above it, while
/// files and folders in it come and go: a long program of few kinds of changes, which random ones never
/// are.
fn to_and_fro(seed: u64) -> Script {
    let mut random = Random(seed);
    let mut script = Script::parse("mkdir /r\nmkdir /s\nmkdir /r/a\nmkdir /r/a/a\nmkdir /r/a/a/d");
    script.0.extend(Script::parse(WATCHED).0);
    let (mut above, mut folder) = ("/r/a", "a");
    // How often the reader runs in between: never, or at each change.
    let most_calls = [1, 4, 40][random.below(3)];
    let is_above_renamed = random.below(2) == 0;
    for i in 0..20 + random.below(60) {
        let at = format!("{above}/{folder}");
        let change = match random.below(8) {
            0 => Change::Create(format!("{at}/f{i}").into()),
            1 => Change::Create(format!("{at}/d/f{i}").into()),
            2 => Change::Mkdir(format!("{at}/b").into()),
            3 => Change::Rmdir(format!("{at}/b").into()),
            4 if is_above_renamed => {
                let from = above;
                above = if above == "/r/a" { "/r/c" } else { "/r/a" };
                Change::Rename(from.into(), above.into())
            }
            _ => {
                folder = if folder == "a" { "b" } else { "a" };
                Change::Rename(at.into(), format!("{above}/{folder}").into())
            }
        };
        let is_begun = random.below(4) == 0;
        let step = if is_begun { Step::Begin(change) } else { Step::Make(change) };
        script.0.push(Step::After(random.below(most_calls), Box::new(step)));
        // A rename has three notes; the other changes here have no more.
        for _ in 0..if is_begun { 3 } else { 0 } {
            script.0.push(Step::After(random.below(most_calls), Box::new(Step::Notify)));
        }
    }
    script
}

/// Returns a program that sets a scene by some changes, and makes further ones at any time. Many programs
/// are short; some are long and use more names.
fn random_program(seed: u64, options: Options, watched: &str) -> Script {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let mut random = Random(seed);
    let size = [1, 1, 2, 4][random.below(4)];
    let names = if size > 2 { &NAMES } else { &NAMES[..3] };
    let mut machine = Machine::new(Inotify::new(LIMIT));
    let mut script = Script::default();
    for folder in FOLDERS {
        let change = Change::Mkdir(folder.into());
        machine.make(&change).unwrap();
        script.0.push(Step::Make(change));
    }
    // Roots inside others are not removed or renamed.
    let fixed = Script::parse(watched).0.into_iter().filter_map(|step| match step {
        Step::Watch(path, _) => Some(path),
        _ => None,
    });
    let fixed: Vec<_> = fixed.collect();
    let is_allowed = |change: &Change| {
        // A file with a unique name keeps it, so that its creation can be found.
        let is_own = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with('f'));
        let is_fixed = |path: &str| is_own(path) || fixed.iter().any(|fixed| fixed == path);
        match change {
            Change::Remove(path) => !is_own(path),
            Change::Rmdir(path) => !is_fixed(path),
            Change::Rename(from, to) | Change::Exchange(from, to) => {
                !is_fixed(from) && !is_fixed(to)
            }
            Change::Symlink(..) => options.follow_links,
            _ => true,
        }
    };
    for path in &fixed {
        let change = Change::Mkdir(path.as_str().into());
        if machine.make(&change).is_ok() {
            script.0.push(Step::Make(change));
        }
    }
    let scene = random.below(8 * size);
    let count = scene + 2 + random.below(12 * size);
    // The place of the last change: faults show where changes meet.
    let mut last = FOLDERS[0].to_owned();
    for i in 0..count {
        if i == scene {
            script.0.extend(Script::parse(watched).0);
        }
        let changes = match random.below(12) {
            0..2 => {
                let mut folders = Vec::new();
                for folder in FOLDERS {
                    let inode = machine.disk().find(folder, true).unwrap_or(Disk::TOP);
                    collect(machine.disk(), inode, folder, &mut folders);
                }
                vec![Change::Create(format!("{}/f{i}", random.one_of(&folders)).into())]
            }
            2 => {
                let (folder, name) = (*random.one_of(&FOLDERS), *random.one_of(names));
                removal_of_all(machine.disk(), folder, name)
            }
            3..6 if machine.disk().find(&last, true).is_ok() => {
                vec![random.change(machine.disk(), &[&last], names)]
            }
            6 => {
                let to = format!("{}/{}", random.one_of(&FOLDERS), random.one_of(names));
                vec![Change::Rename(last.as_str().into(), to.into())]
            }
            _ => vec![random.change(machine.disk(), &FOLDERS, names)],
        };
        for change in changes.into_iter().filter(is_allowed) {
            if let Change::Mkdir(to) | Change::Rename(_, to) | Change::Exchange(_, to) = &change {
                last = to.to_string();
            }
            if i < scene {
                if machine.make(&change).is_ok() {
                    script.0.push(Step::Make(change));
                }
                continue;
            }
            let calls = match random.below(4) {
                0 | 1 => 0,
                2 => random.below(30),
                _ => random.below(10),
            };
            let mut add = |step| script.0.push(Step::After(calls, Box::new(step)));
            if random.below(3) == 0 {
                if machine.begin(&change).is_ok() {
                    add(Step::Begin(change));
                }
            } else if machine.make(&change).is_ok() {
                add(Step::Make(change));
            }
            for _ in 0..random.below(3) {
                if machine.under_way() > 0 {
                    machine.notify(0);
                    script.0.push(Step::Notify);
                }
            }
        }
    }
    script
}

/// Returns the changes that `remove_dir_all` makes to the entry `name` of a folder.
fn removal_of_all(disk: &Disk, folder: &str, name: &str) -> Vec<Change> {
    let path = format!("{folder}/{name}");
    let Ok(inode) = disk.find(&path, false) else { return Vec::new() };
    if !disk.is_folder(inode) {
        return vec![Change::Remove(path.into())];
    }
    let below = disk.entries(inode).flat_map(|(name, _)| removal_of_all(disk, &path, name));
    below.chain([Change::Rmdir(path.as_str().into())]).collect()
}

/// Fails with the shortest part of a script that fails.
#[track_caller]
fn check(script: &Script, limit: usize, options: Options, at_once: usize) {
    let outcome = Trial::run(script, limit, options, at_once);
    assert!(outcome.failure.is_none(), "{}", explain(script, limit, options, at_once));
}

fn explain(script: &Script, limit: usize, options: Options, at_once: usize) -> String {
    let fails = |part: &Script| {
        let run = std::panic::catch_unwind(|| {
            Trial::run(part, limit, options, at_once).failure.is_some()
        });
        part.0.iter().any(|step| matches!(step, Step::Watch(..))) && run.unwrap_or(false)
    };
    let shortest = script.shrink(fails);
    let Outcome { record, failure, .. } = Trial::run(&shortest, limit, options, at_once);
    let mut text = failure.unwrap_or_default();
    _ = write!(text, "\n{shortest}\n{record}");
    text
}
