//! Many files and folders, and how quickly changes are reported (SCALE).

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::created_file,
            failure::{Step, ensure, fail},
            usage::ResourceUsage,
        },
        scene::{Scene, driver::Driver, environment::Environment},
    },
    contract::{
        backend::Watch,
        capability::Capability::{WatchEntireFilesystem, WatchFolders, WatchRecursively},
    },
};

pub(super) const GROUP: Group = Group {
    name: "scale",
    title: "Scale",
    guide: "Watching recursively",
    cases: &[FULL_FOLDER, MANY_FOLDERS, LATENCY, THROUGHPUT, ENTIRE_FILESYSTEM, FOREIGN_EVENTS],
};

const FULL_FOLDER: Case = Case {
    id: "SCALE01",
    name: "full_folder",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    checks: "In a folder of 10 000 files, a new one is reported as in any other folder.",
    why: "Mail folders, caches and photo collections are like that.",
    usual_cause: "Each event leads to a scan of all entries of the folder.",
    run: |scene| {
        const FILES: usize = 10_000;

        scene.reports_anything()?;
        scene.tree.create_many(FILES)?;
        let start = Instant::now();
        let mut driver = scene.watch([scene.flat()])?;
        let took = start.elapsed();
        scene.measured("time of `new` for a folder of 10 000 files", millis(took));
        driver.allow_for_looks(took);
        scene.tree.create("one-more")?;
        driver.saw(created_file("one-more"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const MANY_FOLDERS: Case = Case {
    id: "SCALE02",
    name: "many_folders",
    needs: &[WatchRecursively],
    environment: &[Environment::Linux],
    checks: "In a tree of 10 000 folders, a change in any of them is reported.",
    why: "gradle tests with 10 000 folders; a checkout with its `node_modules` has more.",
    usual_cause: "A limit is reached, and the remaining folders are skipped silently.",
    run: |scene| {
        const FOLDERS: usize = 10_000;

        scene.reports_anything()?;
        scene.tree.make("make 10000 folders in the 100 folders in", "", |top| {
            (0..FOLDERS)
                .try_for_each(|i| fs::create_dir_all(top.join(format!("{}/{}", i / 100, i % 100))))
        })?;
        let (start, memory) = (Instant::now(), ResourceUsage::memory());
        let mut driver = scene.watch([scene.deep()])?;
        // Another case checks that looking at so many loses nothing.
        driver.guard.may_miss = true;
        let took = start.elapsed();
        scene.measured("time of `new` for 10 000 folders", millis(took));
        driver.allow_for_looks(took);
        let grown = ResourceUsage::memory().saturating_sub(memory);
        scene.measured("memory for 10 000 folders", format!("{} kB", grown / 1000));
        driver.drain()?;
        for folder in ["0/0", "49/99", "99/99"] {
            let file = format!("{folder}/file");
            scene.tree.create(&file)?;
            driver.saw(created_file(&file))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const LATENCY: Case = Case {
    id: "SCALE03",
    name: "latency",
    needs: &[WatchFolders],
    checks: "Measures the time from just before a file is made to its report. For the fastest of 50, \
             this is at most what the profile says plus a second.",
    why: "A program that rebuilds after each save cannot be faster than this.",
    usual_cause: "Events are collected for a while.",
    run: |scene| {
        const CHANGES: usize = 50;

        let mut driver = scene.watch([scene.flat()])?;
        let mut took = Vec::with_capacity(CHANGES);
        for i in 0..CHANGES {
            let start = Instant::now();
            scene.tree.create(format!("{i}"))?;
            driver.saw(created_file(format!("{i}")))?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        scene.measured("latency, median", micros(took[CHANGES / 2]));
        scene.measured("latency, longest of 50", micros(took[CHANGES - 1]));
        let limit = scene.profile.latency * 4 + Duration::from_secs(1);
        // A busy machine delays some of them; a backend that collects events delays all of them.
        ensure(took[0] < limit, format!("some change is reported within {limit:?}"), || {
            format!("the fastest was reported after {:?}", took[0])
        })
    },
    ..Case::MAY
};

const THROUGHPUT: Case = Case {
    id: "SCALE04",
    name: "throughput",
    needs: &[WatchFolders],
    modes: &[Mode::Batched, Mode::Concurrent],
    checks: "Each of 2000 files that are made one after the other is reported. Measures the time from the \
             first to the last.",
    why: "Unpacking an archive makes as many in less than a second.",
    usual_cause: "Each event costs an unnecessary system call, lock or allocation.",
    run: |scene| {
        const FILES: usize = 2000;

        let mut driver = scene.watch([scene.flat()])?;
        let start = Instant::now();
        driver.perform(scene.mode, |tree| tree.create_many(FILES))?;
        let took = start.elapsed();
        let mode = scene.mode.name();
        scene.measured(&format!("2000 files made and reported, {mode}"), millis(took));
        let reported =
            (0..FILES).filter(|i| driver.created_paths().contains(&scene.path(i.to_string())));
        let reported = reported.count();
        ensure(reported == FILES, format!("{FILES} files are reported"), || {
            format!("{reported} were")
        })
    },
    ..Case::MAY
};

const ENTIRE_FILESYSTEM: Case = Case {
    id: "SCALE05",
    name: "entire_filesystem",
    needs: &[WatchEntireFilesystem],
    environment: &[Environment::Linux],
    is_disturbed: true,
    checks: "A tree of 5000 folders takes as many watches, as much memory and about the same time as a single \
             folder.",
    why: "notify#497, watchexec#1090, fsnotify#114: the reason to want facilities for whole file systems.",
    usual_cause: "The tree is walked, if only to know its folders beforehand.",
    run: |scene| {
        const FOLDERS: usize = 5000;

        scene.tree.mkdir("few")?;
        scene.tree.make("make 5000 folders in the 50 folders in", "many", |top| {
            (0..FOLDERS)
                .try_for_each(|i| fs::create_dir_all(top.join(format!("{}/{}", i / 100, i % 100))))
        })?;
        // The first time includes what is set up only once, so it does not count.
        cost(scene, "few")?;
        let (few, many) = (cost(scene, "few")?, cost(scene, "many")?);
        scene.measured("watches for 5000 folders", many.watches.to_string());
        scene.measured("processor time of `new` for 5000 folders", millis(many.time));
        scene.measured("memory for 5000 folders", format!("{} kB", many.memory / 1000));
        ensure(many.watches == few.watches, format!("{} watches", few.watches), || {
            format!("there are {}", many.watches)
        })?;
        let limit = few.memory + 1_000_000;
        ensure(many.memory < limit, format!("it takes less than {limit} bytes"), || {
            format!("it takes {}", many.memory)
        })?;
        let limit = few.time * 10 + Duration::from_millis(20);
        ensure(many.time < limit, format!("`new` takes less than {limit:.1?}"), || {
            format!("it takes {:.1?}", many.time)
        })
    },
    ..Case::MUST
};

const FOREIGN_EVENTS: Case = Case {
    id: "SCALE06",
    name: "foreign_events",
    needs: &[WatchEntireFilesystem, WatchRecursively],
    environment: &[Environment::Linux],
    is_disturbed: true,
    checks: "16 384 changes in unwatched folders of the same file system take no more processor time than as \
             many in a watched one, and later changes in that one are reported.",
    why: "The activity of other programs on the file system must not delay the events that a program waits \
          for.",
    usual_cause: "The path of an event is looked up before checking whether the event matters.",
    run: |scene| {
        for top in ["elsewhere", "watched"] {
            (0..PORTIONS).try_for_each(|i| scene.tree.mkdir_all(format!("{top}/{i}")))?;
        }
        let mut driver = scene.watch([Watch::recursive(scene.path("watched"))])?;
        let foreign = time_of(scene, &mut driver, "elsewhere")?;
        let own = time_of(scene, &mut driver, "watched")?;
        scene.measured("processor time of 16 384 foreign changes", millis(foreign));
        scene.measured("processor time of as many watched ones", millis(own));
        ensure(foreign <= own, format!("the foreign ones take no more than {own:.1?}"), || {
            format!("they take {foreign:.1?}")
        })
    },
    ..Case::MUST
};

/// The number of changes before one that is reported: fewer than a queue holds.
const PORTION: usize = 2048;
const PORTIONS: usize = 8;

/// Returns the processor time of making changes below `top`, and of reading until later ones are reported.
fn time_of(scene: &Scene, driver: &mut Driver, top: &str) -> Step<Duration> {
    let start = ResourceUsage::cpu_time();
    for portion in 0..PORTIONS {
        scene.tree.within(format!("{top}/{portion}")).create_many(PORTION)?;
        let behind = format!("watched/behind-{top}-{portion}");
        scene.tree.create(&behind)?;
        driver.saw(created_file(&behind))?;
        driver.forget_events();
    }
    Ok(ResourceUsage::cpu_time().saturating_sub(start))
}

/// The cost of watching a tree: watches, bytes, and processor time.
struct Cost {
    watches: usize,
    memory: u64,
    time: Duration,
}

fn cost(scene: &Scene, top: &str) -> Step<Cost> {
    let (watches, memory) = (ResourceUsage::watches(), ResourceUsage::memory());
    let time = ResourceUsage::cpu_time();
    let made = scene.make(vec![Watch::recursive(scene.path(top))]);
    let time = ResourceUsage::cpu_time().saturating_sub(time);
    let Ok(_backend) = made else { return fail("`new` makes a backend", "it did not") };
    Ok(Cost {
        watches: ResourceUsage::watches().saturating_sub(watches),
        memory: ResourceUsage::memory().saturating_sub(memory),
        time,
    })
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}
