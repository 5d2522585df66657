//! Overflow, and how it is reported (OVF).

use std::{cell::RefCell, collections::HashSet, fs, path::Path, time::Instant};

use super::{calls::add, renames::is_pair_of, stream::is_quiet};
use crate::{
    compliance::{
        case::{Case, Group},
        rules::{
            expect::{created_file, gone, metadata_changed, written},
            failure::{Step, Stop, ensure, fail},
            usage::ResourceUsage,
        },
        scene::{Scene, consumer::Consumer, driver::Driver, environment::Environment, tree::Tree},
    },
    contract::{
        backend::Watch,
        capability::Capability::{
            ChangeWatches, EmitOnAccess, FollowSymlinks, WatchFiles, WatchFolders, WatchNewFolders,
            WatchRecursively,
        },
        event::EventKind,
    },
};

pub(super) const GROUP: Group = Group {
    name: "overflow",
    title: "Overflow",
    guide: "When events are lost",
    cases: &[
        LOSS_IS_SAID,
        ALIVE_AFTER_LOSS,
        FOLDERS_AFTER_LOSS,
        PICTURE_AFTER_LOSS,
        SLOW_CONSUMER,
        MISSED_IS_RARE,
        LOSS_IN_LARGE_TREE,
        READER_COMES_TO_REST,
        PART_OF_LOSS,
        ACTS_AT_ONCE,
        CHANGED_MEANWHILE,
        WOKEN_AFTER_LOSS,
        LOSS_AFTER_LOSS,
        READ_AHEAD,
        LOST_BY_THE_SOURCE,
    ],
};

const LOSS_IS_SAID: Case = Case {
    id: "OVF01",
    name: "loss_is_said",
    needs: &[WatchFolders],
    checks: "If more changes than any queue holds are made while the backend is not read, each is reported, \
             or there is a `Missed` for their folder or for everything. If it has a number, that number is \
             possible.",
    why: "golang/go#16392, watchdog#654, watchfiles#348, PyInotify#23.",
    usual_cause: "The platform's overflow event is dropped, or a full channel is ignored.",
    run: |scene| {
        scene.reports_anything()?;
        let files = queue_limit() + 2000;
        let mut driver = scene.watch([scene.flat()])?;
        driver.guard.may_miss = true;
        let start = Instant::now();
        scene.tree.create_many(files)?;
        driver.allow_for_looks(start.elapsed());
        reported_or_missed(scene, &mut driver, files, |driver| driver.created_paths().len())?;
        if driver.has_missed() {
            driver.settle()?;
            return can_be_true(&driver, files, driver.created_paths().len());
        }
        for renames in storms(scene) {
            driver.next_step();
            storm(scene, renames)?;
            scene.lose("")?;
            storm_reported_or_missed(scene, &mut driver, renames)?;
            if driver.has_missed() {
                driver.settle()?;
                let paths = driver.events().map(|event| &event.path);
                let reported: HashSet<_> = paths.filter(|path| is_of_storm(path)).collect();
                return can_be_true(&driver, renames, reported.len());
            }
        }
        if scene.profile.coalesced { Ok(()) } else { not_lost(scene) }
    },
    ..Case::MUST
};

/// Reads until all names were reported, as `reported` counts them, or a loss was; fails if neither happens.
fn reported_or_missed(
    scene: &Scene,
    driver: &mut Driver,
    all: usize,
    // Asked after each item.
    reported: impl Fn(&Driver) -> usize,
) -> Step {
    let folder = scene.path("");
    driver
        .read_until_reported(|driver| driver.has_missed_in(&folder) || reported(driver) == all)?;
    let reported = reported(driver);
    ensure(
        reported == all || driver.has_missed_in(&folder),
        format!("{all} names, or Missed"),
        || format!("{reported} names were reported, and no Missed for the folder or everything"),
    )
}

/// Does the same for a [`storm`] of so many renames.
fn storm_reported_or_missed(scene: &Scene, driver: &mut Driver, renames: usize) -> Step {
    let named = RefCell::new(HashSet::new());
    reported_or_missed(scene, driver, renames, |driver| {
        let latest = driver.latest().map(|event| &event.path);
        named.borrow_mut().extend(latest.filter(|path| is_of_storm(path)).cloned());
        named.borrow().len()
    })
}

/// Fails unless the reported number of lost events, if there is one, is possible where `reported` of `all`
/// changes were reported.
fn can_be_true(driver: &Driver, all: usize, reported: usize) -> Step {
    /// The greatest number of events per change: both names of a rename, the accesses of a new file.
    const EVENTS: usize = 4;

    let Some(lost) = driver.lost() else { return Ok(()) };
    let (least, most) = (all.saturating_sub(reported) as u64, (all * EVENTS) as u64);
    ensure((least..=most).contains(&lost), format!("{least} to {most} events are lost"), || {
        format!("{lost} were reported as lost; of {all} changes {reported} were reported")
    })
}

/// Returns how many events the platform's queue holds, or, where this is unknown, a number that is commonly
/// more: the 64 KiB of `ReadDirectoryChangesW` hold about 1 600 events with short names.
fn queue_limit() -> usize {
    // Under Wine, Linux's files are there too, but the queue is Windows'.
    let facilities: &[&str] = if cfg!(windows) { &[] } else { &["inotify", "fanotify"] };
    let limits = facilities.iter().map(|facility| {
        let limit = fs::read_to_string(format!("/proc/sys/fs/{facility}/max_queued_events"));
        limit.ok().and_then(|limit| limit.trim().parse().ok())
    });
    limits.flatten().max().unwrap_or(2_000)
}

/// The numbers of renames that are tried, one after the other, until events are lost: a backend with a thread
/// of its own has read ahead the events of the first ones. A few will do where the source loses them on demand.
fn storms(scene: &Scene) -> impl Iterator<Item = usize> {
    const FEW: usize = 100;

    let times: &[usize] = if scene.subject().lose.is_some() || scene.profile.coalesced {
        &[]
    } else if cfg!(windows) {
        // The queue of a backend's thread holds more than the system's. Under Wine, each rename takes
        // milliseconds.
        &[4, 8]
    } else {
        &[1, 2, 4, 8]
    };
    let few = scene.subject().lose.map(|_| FEW);
    few.into_iter().chain(times.iter().map(|times| times * queue_limit()))
}

/// Renames the file `one` so many times, and back. Each name is a new one, since facilities merge events of
/// the same names: fanotify merges renames back and forth into two.
fn storm(scene: &Scene, renames: usize) -> Step {
    if !scene.path("one").exists() {
        scene.tree.create("one")?;
    }
    let names = scene.tree.new_names(STORM, renames);
    scene.tree.rename_along("one", &names)
}

/// The prefix of the names of a storm.
const STORM: &str = "storm-";

fn is_of_storm(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(STORM.as_bytes()))
}

/// Ignores the case for a backend that has no queue, and fails it for one that has reported nothing so far,
/// before the scene is set.
fn needs_queue(scene: &Scene) -> Step {
    scene.sees_changes()?;
    scene.reports_anything()
}

/// Does the same, except for a backend whose source loses events on demand.
fn needs_loss(scene: &Scene) -> Step {
    if scene.subject().lose.is_some() { scene.reports_anything() } else { needs_queue(scene) }
}

/// Ignores the case, since no event was lost; fails it if the source was made to lose some.
fn not_lost<T>(scene: &Scene) -> Step<T> {
    if scene.subject().lose.is_some() {
        return fail("Missed, since the source was made to lose events", "none was reported");
    }
    Err(Stop::Ignored(NOT_LOST.into()))
}

/// The reason why a case is ignored for a backend that should have lost something.
pub(in crate::compliance) const NOT_LOST: &str =
    "no queue of this backend could be made to overflow";

/// Makes more changes than the queue holds, and reads until the loss is reported; ignores the case if nothing
/// was lost.
fn overflow(scene: &Scene, driver: &mut Driver) -> Step {
    driver.guard.may_miss = true;
    for renames in storms(scene) {
        storm(scene, renames)?;
        scene.lose("")?;
        driver.settle()?;
        if driver.has_missed() {
            return Ok(());
        }
    }
    not_lost(scene)
}

pub(in crate::compliance) const ALIVE_AFTER_LOSS: Case = Case {
    id: "OVF02",
    name: "alive_after_loss",
    needs: &[WatchFolders],
    checks: "After a reported loss, changes are reported as before, and the backend is as idle as \
             before.",
    why: "pyinotify#172, rb-inotify#111: the stream was dead from then on.",
    usual_cause: "The overflow is treated as an error, and ends the reading; or the rescan never ends.",
    run: |scene| {
        needs_loss(scene)?;
        let mut driver = scene.watch([scene.flat()])?;
        overflow(scene, &mut driver)?;
        driver.forget_events();
        scene.tree.create("new")?;
        driver.settle()?;
        driver.saw(created_file("new"))?;
        driver.drain()?;
        is_quiet(scene, &mut driver)
    },
    ..Case::MUST
};

const FOLDERS_AFTER_LOSS: Case = Case {
    id: "OVF03",
    name: "folders_after_loss",
    needs: &[WatchNewFolders],
    checks: "Folders that were made and moved while events were lost are watched afterwards.",
    why: "wazuh#6299, wazuh#6445; watchman crawls again, git flushes and starts anew.",
    usual_cause: "After an overflow, the backend tells consumers to rescan and does not rescan itself.",
    run: |scene| {
        needs_loss(scene)?;
        for round in 0..storms(scene).count() {
            scene.tree.mkdir_all(format!("{round}/moved/sub"))?;
            scene.tree.mkdir_all(format!("{round}/removed/sub"))?;
        }
        let mut driver = scene.watch([scene.deep()])?;
        driver.guard.may_miss = true;
        for (round, renames) in storms(scene).enumerate() {
            storm(scene, renames)?;
            for i in 0..50 {
                scene.tree.mkdir_all(format!("{round}/new-{i}/sub"))?;
            }
            scene.tree.rename(format!("{round}/moved"), format!("{round}/new-0/moved"))?;
            scene.tree.remove_all(format!("{round}/removed"))?;
            scene.tree.mkdir_all(format!("{round}/removed/again"))?;
            scene.lose("")?;
            driver.settle()?;
            if !driver.has_missed() {
                continue;
            }
            driver.forget_events();
            let folders: Vec<_> = (0..50)
                .map(|i| format!("{round}/new-{i}/sub"))
                .chain([format!("{round}/new-0/moved/sub"), format!("{round}/removed/again")])
                .collect();
            for folder in &folders {
                scene.tree.create(format!("{folder}/file"))?;
            }
            for folder in &folders {
                driver.saw(created_file(format!("{folder}/file")))?;
            }
            return Ok(());
        }
        not_lost(scene)
    },
    ..Case::MUST
};

const PICTURE_AFTER_LOSS: Case = Case {
    id: "OVF04",
    name: "picture_after_loss",
    needs: &[WatchFolders],
    checks: "The mirror of a consumer that rescans the folder after each reported loss is right in the end.",
    why: "watchman's test_force_recrawl; this is what `Missed` is for.",
    usual_cause: "`Missed` is reported before events that belong in front of it.",
    run: |scene| {
        needs_loss(scene)?;
        let mut driver = scene.watch([scene.flat()])?;
        overflow(scene, &mut driver)?;
        driver.keep(Consumer::of(&scene.path(""), false));
        driver.forget_events();
        for i in 0..100 {
            scene.tree.create(format!("file-{i}"))?;
        }
        scene.tree.remove("one")?;
        driver.settle()?;
        driver.consumer_matches_disk()
    },
    ..Case::MUST
};

const SLOW_CONSUMER: Case = Case {
    id: "OVF05",
    name: "slow_consumer",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    checks: "A consumer that hardly reads does not make the backend's memory grow without bound.",
    why: "gradle's handles Java-side event queue overflowing; dotnet's InternalBufferSize.",
    usual_cause: "There is an unbounded channel or queue between the platform and the stream; use \
                  `Buffer`.",
    // 50 MB is far more than any sensible queue, and far less than what 300 000 events with their
    // paths take.
    run: |scene| {
        const LIMIT: u64 = 50_000_000;

        let mut driver = scene.watch([scene.flat()])?;
        driver.guard.may_miss = true;
        let file = "x".repeat(200);
        scene.tree.create(&file)?;
        let names = scene.tree.new_names(&"y".repeat(190), 5000);
        let before = ResourceUsage::memory();
        let mut most = 0;
        for round in 0..30 {
            scene.tree.rename_along(&file, &names)?;
            // A backend that compares listings may find the file where it was. This one stays.
            scene.tree.create(format!("round-{round}"))?;
            driver.turn_runtime();
            let before_that = driver.events().count();
            driver.read_until_reported(|driver| driver.events().count() > before_that)?;
            most = most.max(ResourceUsage::memory().saturating_sub(before));
        }
        scene.measured("memory behind a slow consumer", format!("{} kB", most / 1000));
        ensure(most < LIMIT, format!("memory grows by less than {LIMIT} bytes"), || {
            format!("it grew by {most} bytes")
        })
    },
    ..Case::MUST
};

const MISSED_IS_RARE: Case = Case {
    id: "OVF08",
    name: "missed_is_rare",
    needs: &[WatchFolders],
    checks: "A loss is reported once or a few times, not once per lost event.",
    why: "Consumers react by rescanning everything.",
    usual_cause: "Each event that finds the queue full causes a `Missed`.",
    run: |scene| {
        needs_loss(scene)?;
        let mut driver = scene.watch([scene.flat()])?;
        overflow(scene, &mut driver)?;
        driver.settle()?;
        let count =
            driver.events().filter(|event| matches!(event.kind, EventKind::Missed(_))).count();
        ensure(count <= 10, "at most 10 times `Missed`", || format!("there were {count}"))
    },
    ..Case::SHOULD
};

const LOSS_IN_LARGE_TREE: Case = Case {
    id: "OVF09",
    name: "loss_in_large_tree",
    needs: &[WatchRecursively],
    checks: "After a loss in a tree of 5000 folders, the backend's rescan causes no further loss.",
    why: "The accesses of a backend's own scan overflow the queue again, and it scans forever.",
    usual_cause: "The platform is asked for accesses while the folders are listed.",
    run: |scene| {
        needs_loss(scene)?;
        scene.tree.make("make 5000 folders in the folders in", "wide", |wide| {
            (0..5000)
                .try_for_each(|i| fs::create_dir_all(wide.join(format!("{}/{}", i / 50, i % 50))))
        })?;
        let mut driver = scene.watch([scene.deep()])?;
        overflow(scene, &mut driver)?;
        driver.forget_events();
        driver.guard.may_miss = false;
        scene.tree.create("wide/99/49/file")?;
        driver.settle()?;
        driver.saw(created_file("wide/99/49/file"))
    },
    ..Case::SHOULD
};

const READER_COMES_TO_REST: Case = Case {
    id: "OVF10",
    name: "reader_comes_to_rest",
    needs: &[WatchFolders],
    checks: "A consumer that reads every file after each reported loss comes to rest.",
    why: "nx#37136: hashing 65 000 files made 130 000 events, which overflowed the queue, again and \
          again.",
    usual_cause: "Accesses are reported although no watch has asked for them.",
    run: |scene| {
        const ROUNDS: usize = 4;

        needs_loss(scene)?;
        // Opening, reading and closing a file makes three events if accesses are asked for.
        let files = queue_limit() / 2;
        scene.tree.make(&format!("write {files} files in"), "", |folder| {
            (0..files).try_for_each(|i| fs::write(folder.join(format!("file-{i}")), "content"))
        })?;
        let mut driver = scene.watch([scene.flat()])?;
        overflow(scene, &mut driver)?;
        for round in 1..=ROUNDS {
            driver.forget_events();
            scene.tree.make(&format!("read {files} files, round {round}, in"), "", |folder| {
                (0..files).try_for_each(|i| fs::read(folder.join(format!("file-{i}"))).map(drop))
            })?;
            driver.settle()?;
            if !driver.events().any(|event| matches!(event.kind, EventKind::Missed(_))) {
                return Ok(());
            }
        }
        ensure(false, "no more Missed", || format!("there was one after each of {ROUNDS} rounds"))
    },
    ..Case::MUST
};

const PART_OF_LOSS: Case = Case {
    id: "OVF11",
    name: "part_of_loss",
    needs: &[WatchFolders],
    checks: "If two folders lose events, a consumer's mirror is right in the end if it rescans the path that \
             a `Missed` names, and everything if it names none.",
    why: "FSEvents may drop the events of a whole stream, and reports that once for each of its paths.",
    usual_cause: "`Missed` names the folder whose event found the queue full, but events of others \
                  were lost as well.",
    run: |scene| {
        needs_queue(scene)?;
        let files = queue_limit() + 1000;
        scene.tree.mkdir("one")?;
        scene.tree.mkdir("other")?;
        let mut driver =
            scene.watch(["one", "other"].map(|it| Watch::non_recursive(scene.path(it))))?;
        driver.guard.may_miss = true;
        driver.keep(Consumer::of(&scene.path(""), true));
        scene.tree.within("one").create_many(files)?;
        // Where both share a queue, there is no room for any of these.
        scene.tree.within("other").create_many(100)?;
        driver.settle()?;
        driver.consumer_matches_disk()?;
        if driver.has_missed() {
            return Ok(());
        }
        not_lost(scene)
    },
    ..Case::MUST
};

const ACTS_AT_ONCE: Case = Case {
    id: "OVF12",
    name: "acts_at_once",
    needs: &[WatchFolders],
    checks: "A consumer that rescans everything at the moment of a reported loss gets all events after \
             that moment, also those in folders that were made while events were lost.",
    why: "The counterpart of OVF04, where the consumer reads everything before it rescans.",
    usual_cause: "Events that were read behind the loss are thrown away, or `Missed` is reported \
                  before the backend's own rescan is over.",
    run: |scene| {
        needs_loss(scene)?;
        let recursive = scene.has(WatchNewFolders);
        let mut driver = scene.watch([scene.flat().recursive_if(recursive)])?;
        driver.guard.may_miss = true;
        driver.keep(Consumer::of(&scene.path(""), recursive));
        for renames in storms(scene) {
            scene.tree.create("before")?;
            storm(scene, renames)?;
            scene.tree.remove("before")?;
            let lost = format!("lost-{renames}/sub");
            scene.tree.mkdir_all(&lost)?;
            scene.lose("")?;
            if driver.read_to_loss()? {
                scene.tree.create(format!("{lost}/file"))?;
                for i in 0..100 {
                    scene.tree.mkdir_all(format!("folder-{i}/sub"))?;
                    scene.tree.create(format!("folder-{i}/sub/file"))?;
                    scene.tree.create(format!("file-{i}"))?;
                }
                scene.tree.remove("one")?;
                scene.tree.remove_all("folder-0")?;
                driver.settle()?;
                return driver.consumer_matches_disk();
            }
        }
        not_lost(scene)
    },
    ..Case::MUST
};

const CHANGED_MEANWHILE: Case = Case {
    id: "OVF13",
    name: "changed_meanwhile",
    needs: &[WatchFolders],
    checks: "After a loss, a watched file that was replaced is still watched and, if links are followed, so \
             are the new targets of a watched link to a file and of a link in a tree. A watched folder that \
             is gone is reported, and so is a watched file whose folder is.",
    why: "The counterpart of OVF03 for everything else that a backend keeps track of.",
    usual_cause: "After a loss, only the folders of trees are rescanned.",
    run: |scene| {
        needs_loss(scene)?;
        let follows = scene.has(FollowSymlinks) && scene.has(WatchNewFolders);
        let mut watches = vec![scene.flat()];
        for round in 0..storms(scene).count() {
            for folder in ["gone", "files", "linked"] {
                scene.tree.mkdir_all(format!("{round}/{folder}"))?;
            }
            watches.push(Watch::non_recursive(scene.path(format!("{round}/gone"))));
            scene.tree.write(format!("{round}/files/file"), "content")?;
            if scene.has(WatchFiles) {
                watches.push(Watch::non_recursive(scene.path(format!("{round}/files/file"))));
                scene.tree.mkdir(format!("{round}/home"))?;
                scene.tree.write(format!("{round}/home/file"), "content")?;
                watches.push(Watch::non_recursive(scene.path(format!("{round}/home/file"))));
            }
            if follows {
                for target in ["one", "other"] {
                    scene.outside.mkdir_all(format!("{round}/{target}"))?;
                    scene.outside.write(format!("{round}/{target}-file"), "content")?;
                }
                if scene.has(WatchFiles) {
                    let target = scene.outside.path(format!("{round}/one-file"));
                    scene.tree.symlink(target, format!("{round}/files/link"))?;
                    let link = Watch::non_recursive(scene.path(format!("{round}/files/link")));
                    watches.push(link.following_links());
                }
                let target = scene.outside.path(format!("{round}/one"));
                scene.tree.symlink(target, format!("{round}/linked/link"))?;
                let linked = Watch::recursive(scene.path(format!("{round}/linked")));
                watches.push(linked.following_links());
            }
        }
        let mut driver = scene.watch(watches)?;
        driver.guard.may_miss = true;
        // One that names a file whose folder is gone.
        driver.allow_errors();
        for (round, renames) in storms(scene).enumerate() {
            driver.next_step();
            storm(scene, renames)?;
            let [root, file] = ["gone", "files/file"].map(|path| format!("{round}/{path}"));
            scene.tree.rmdir(&root)?;
            driver.forget(&scene.path(&root));
            let homeless = format!("{round}/home/file");
            if scene.has(WatchFiles) {
                driver.forget(&scene.path(&homeless));
                let away = scene.outside.path(format!("home-{round}"));
                scene.tree.rename(format!("{round}/home"), away)?;
            }
            scene.tree.write(format!("{file}.new"), "content")?;
            scene.tree.rename(format!("{file}.new"), &file)?;
            let link = format!("{round}/linked/link");
            let target = scene.outside.path(format!("{round}/other"));
            if follows {
                scene.tree.symlink(&target, format!("{link}.new"))?;
                scene.tree.rename(format!("{link}.new"), &link)?;
            }
            let file_link = format!("{round}/files/link");
            let target_file = scene.outside.path(format!("{round}/other-file"));
            if follows && scene.has(WatchFiles) {
                scene.tree.symlink(&target_file, format!("{file_link}.new"))?;
                scene.tree.rename(format!("{file_link}.new"), &file_link)?;
            }
            scene.lose("")?;
            driver.settle()?;
            driver.saw(gone(&root))?;
            if scene.has(WatchFiles) {
                is_gone_or_unwatched(scene, &mut driver, &homeless)?;
            }
            if !driver.has_missed() {
                continue;
            }
            driver.next_step();
            scene.tree.append(&file, "more")?;
            if follows {
                scene.outside.create(target.join("file"))?;
                scene.outside.append(&target_file, "more")?;
            }
            driver.settle()?;
            if scene.has(WatchFiles) {
                driver.saw(written(&file))?;
                if follows {
                    driver.saw(written(&file_link))?;
                }
            }
            if follows {
                driver.saw(created_file(format!("{link}/file")))?;
            }
            return Ok(());
        }
        not_lost(scene)
    },
    ..Case::MUST
};

/// Fails unless a watched file is reported as gone, or by an error item that names it; and if there is another error.
fn is_gone_or_unwatched(scene: &Scene, driver: &mut Driver, file: &str) -> Step {
    let path = scene.path(file);
    match driver.errors() {
        [] => driver.saw(gone(file)),
        [.., last] => {
            let shown = scene.timeline.show(&path);
            ensure(last.path() == Some(&path), format!("{shown} is reported as gone"), || {
                last.to_string()
            })
        }
    }
}

const WOKEN_AFTER_LOSS: Case = Case {
    id: "OVF14",
    name: "woken_after_loss",
    needs: &[WatchFolders],
    checks: "A consumer that polls only when it is woken, as tasks do, is woken for a change even after a \
             reported loss.",
    why: "The counterpart of STR19: after a loss, `poll_next` takes another path through the code.",
    usual_cause: "After the rescan, `poll_next` returns `Pending` without having registered the waker.",
    run: |scene| {
        needs_loss(scene)?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.guard.may_miss = true;
        let mut flag = driver.rest()?;
        for renames in storms(scene) {
            driver.forget_events();
            storm(scene, renames)?;
            scene.lose("")?;
            // A source that loses events on demand may have reported all of them before.
            let is_certain = scene.subject().lose.is_some();
            let reported = driver.read_when_woken(&mut flag, |driver| {
                driver.has_missed() || (!is_certain && storm_names(driver) == renames)
            })?;
            ensure(reported, format!("{renames} names, or Missed"), || {
                format!("after {} names, the task was not woken for the next", storm_names(&driver))
            })?;
            if !driver.has_missed() {
                continue;
            }
            for i in 0..3 {
                let file = format!("after-{i}");
                scene.tree.create(&file)?;
                let what = format!("after the loss, tree/{file} is reported as created");
                driver.saw_when_woken(&mut flag, &created_file(&file), what)?;
            }
            return Ok(());
        }
        not_lost(scene)
    },
    ..Case::MUST
};

/// Returns how many names of a storm were reported.
fn storm_names(driver: &Driver) -> usize {
    let paths = driver.events().map(|event| &event.path).filter(|path| is_of_storm(path));
    paths.collect::<HashSet<_>>().len()
}

const LOSS_AFTER_LOSS: Case = Case {
    id: "OVF15",
    name: "loss_after_loss",
    needs: &[WatchFolders],
    checks: "After each of two losses, everything is reported as before, in old folders and in those that \
             were made while events were lost: new files and folders, data, metadata, renames with a \
             tracker, and accesses if they are asked for. The second loss is reported like the first one.",
    why: "The counterpart of OVF02, OVF03 and OVF13, which look at new files after one loss.",
    usual_cause: "A rescan watches folders for fewer kinds of events than before, or a flag that the first \
                  loss has set is never cleared.",
    run: |scene| {
        needs_loss(scene)?;
        let is_deep = scene.has(WatchNewFolders);
        let watch = if is_deep { scene.deep() } else { scene.flat() };
        let watch = if scene.has(EmitOnAccess) { watch.with_access() } else { watch };
        scene.tree.mkdir("old")?;
        let mut driver = scene.watch([watch])?;
        driver.guard.may_miss = true;
        for round in ["first", "second"] {
            let known = format!("known-{round}");
            scene.tree.mkdir_all(format!("{known}/below"))?;
            let moved = lose(scene, &mut driver, round, &known)?;
            let mut places = vec![scene.tree.clone()];
            if is_deep {
                let moved = format!("{moved}/below");
                places.extend(["old", round, &moved].map(|folder| scene.tree.within(folder)));
            }
            for place in places {
                driver.next_step();
                everything_is_reported(scene, &mut driver, &place, round)?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

/// Loses events, among them the creation of the folder `new` and the rename of the folder `known`, in which
/// something was reported before. Returns the new name of that. Fails if neither all changes nor a loss are
/// reported.
fn lose(scene: &Scene, driver: &mut Driver, new: &str, known: &str) -> Step<String> {
    let mut name = known.to_owned();
    for (try_of, renames) in storms(scene).enumerate() {
        scene.tree.create(format!("{name}/below/before-{try_of}"))?;
        driver.settle()?;
        driver.forget_events();
        storm(scene, renames)?;
        scene.tree.mkdir_all(format!("{new}/{try_of}"))?;
        let moved = format!("{known}-{try_of}");
        scene.tree.rename(&name, &moved)?;
        name = moved;
        scene.lose("")?;
        storm_reported_or_missed(scene, driver, renames)?;
        driver.settle()?;
        if driver.has_missed() {
            return Ok(name);
        }
    }
    not_lost(scene)
}

/// Makes one change of each kind in a place, and fails if one is not reported.
fn everything_is_reported(scene: &Scene, driver: &mut Driver, place: &Tree, round: &str) -> Step {
    let file = place.path(format!("file-{round}"));
    place.create(&file)?;
    driver.settle()?;
    driver.saw(created_file(&file))?;
    place.append(&file, "content")?;
    driver.settle()?;
    driver.saw(written(&file))?;
    if cfg!(unix) {
        place.chmod(&file, 0o600)?;
        driver.settle()?;
        driver.saw(metadata_changed(&file))?;
    }
    if scene.has(EmitOnAccess) {
        driver.next_step();
        place.make("read", &file, |path| fs::read(path).map(drop))?;
        driver.settle()?;
        let mut events = driver.events();
        let is_read =
            events.any(|event| event.path == file && matches!(event.kind, EventKind::Access(_)));
        let shown = scene.timeline.show(&file);
        ensure(is_read, format!("an access of {shown} is reported"), || "none was".into())?;
    }
    let renamed = place.path(format!("renamed-{round}"));
    driver.next_step();
    place.rename(&file, &renamed)?;
    driver.settle()?;
    is_pair_of(scene, driver, &file, &renamed)?;
    if scene.has(WatchNewFolders) {
        let new = place.path(format!("new-{round}"));
        place.mkdir(&new)?;
        driver.settle()?;
        place.create(new.join("file"))?;
        driver.settle_in(&[&new])?;
        driver.saw(created_file(new.join("file")))?;
    }
    Ok(())
}

const READ_AHEAD: Case = Case {
    id: "OVF16",
    name: "read_ahead",
    needs: &[ChangeWatches, WatchFolders],
    checks: "If more changes than any queue holds are made while watches are added and nothing is read, each is \
             reported, or there is a `Missed` for their folder or for everything.",
    why: "The counterpart of OVF01: a backend may empty the platform's queue whenever a watch is added, to know \
          which events are older.",
    usual_cause: "What `watch` reads goes to a queue of the backend's own, and is dropped silently if that is \
                  full.",
    run: |scene| {
        const ROUNDS: usize = 3;

        needs_queue(scene)?;
        let files = queue_limit() / 4 * 3;
        for round in 0..ROUNDS {
            scene.tree.mkdir(round.to_string())?;
        }
        let folders = (0..ROUNDS).map(|round| scene.path(round.to_string()));
        let watches: Vec<_> = folders.clone().map(Watch::non_recursive).collect();
        let mut driver = scene.watch(watches)?;
        driver.guard.may_miss = true;
        for round in 0..ROUNDS {
            scene.tree.within(round.to_string()).create_many(files)?;
            let added = format!("added-{round}");
            scene.outside.mkdir(&added)?;
            let added = scene.outside.path(&added);
            add(&mut driver, Watch::non_recursive(&added))?;
            driver.forget(&added);
        }
        let is_told = |driver: &Driver| {
            driver.created_paths().len() == ROUNDS * files
                || folders.clone().all(|folder| driver.has_missed_in(&folder))
        };
        driver.read_until_reported(is_told)?;
        let created = driver.created_paths().len();
        ensure(is_told(&driver), format!("{} names, or Missed", ROUNDS * files), || {
            format!("{created} names were reported, and no Missed for all of the folders")
        })
    },
    ..Case::MUST
};

const LOST_BY_THE_SOURCE: Case = Case {
    id: "OVF17",
    name: "lost_by_the_source",
    needs: &[WatchFolders],
    checks: "If the source says that events were lost, in one of two watched folders or in the folder above both, \
             there is a `Missed` for each folder concerned or for everything; a consumer's mirror is right after it \
             has rescanned that, and later changes are reported.",
    why: "The counterpart of OVF11 for a source that loses nothing however much happens at once. FSEvents names a \
          folder above all that was lost, which no one may watch; a daemon gives up its root.",
    usual_cause: "A loss counts only if it is at a watched path or below, and not above; or the connection is made \
                  again as if nothing had happened.",
    run: |scene| {
        const FOLDERS: [&str; 2] = ["one", "other"];

        if scene.subject().lose.is_none() {
            return Err(Stop::Ignored(
                "the suite does not know how to make the source lose something: see `Suite::losing`".into(),
            ));
        }
        FOLDERS.iter().try_for_each(|folder| scene.tree.mkdir(folder))?;
        let mut driver = scene.watch(FOLDERS.map(|it| Watch::non_recursive(scene.path(it))))?;
        driver.guard.may_miss = true;
        for lost in ["one", "", "other"] {
            driver.forget_events();
            // Its picture begins anew: what is lost may be older than the call.
            driver.keep(Consumer::of(&scene.path(""), true));
            let name =
                |when: &str| format!("{when}-{}", if lost.is_empty() { "both" } else { lost });
            FOLDERS
                .iter()
                .try_for_each(|it| scene.tree.create(format!("{it}/{}", name("before"))))?;
            scene.lose(lost)?;
            driver.settle()?;
            for folder in FOLDERS.iter().filter(|it| it.starts_with(lost)) {
                let is_said = driver.has_missed_in(&scene.path(folder));
                ensure(is_said, format!("Missed for tree/{folder}, or for everything"), || {
                    "none was reported".into()
                })?;
            }
            driver.consumer_matches_disk()?;
            for folder in FOLDERS {
                let file = format!("{folder}/{}", name("after"));
                scene.tree.create(&file)?;
                driver.saw(created_file(file))?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};
