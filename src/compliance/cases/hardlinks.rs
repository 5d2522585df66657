//! Files with more than one name (HARD).

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{created, modified, removed, touched, written},
            failure::ensure,
        },
        scene::{driver::Driver, environment::Environment, places, tree::Tree},
    },
    contract::{
        backend::Watch,
        capability::Capability::{WatchFiles, WatchFolders},
        event::{Event, EventKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "hardlinks",
    title: "Hard links",
    guide: "Paths",
    cases: &[
        SECOND_NAME,
        TWO_WATCHED_NAMES,
        WRITTEN_FROM_OUTSIDE,
        ONE_NAME_REMOVED,
        OTHER_NAME_STAYS,
        NAMED_AGAIN,
    ],
};

const SECOND_NAME: Case = Case {
    id: "HARD01",
    name: "second_name",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A file that gets a second name is reported as created under it.",
    why: "gradle's tests of hard links.",
    usual_cause: "New names are recognised only for new files.",
    run: |scene| {
        scene.tree.write("one", "content")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| tree.hard_link("one", "other"))?;
        driver.saw(created("other"))
    },
    ..Case::MUST
};

const TWO_WATCHED_NAMES: Case = Case {
    id: "HARD02",
    name: "two_watched_names",
    needs: &[WatchFiles],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "When both names of a file are watched and it is written through one of them, that one is \
             reported.",
    why: "notify#245: the other one was reported.",
    usual_cause: "The platform gives both the same number, and the second replaces the first.",
    run: |scene| {
        scene.tree.mkdir("a")?;
        scene.tree.mkdir("b")?;
        scene.tree.write("a/one", "content")?;
        scene.tree.hard_link("a/one", "b/other")?;
        let watches = ["a/one", "b/other"].map(|name| Watch::non_recursive(scene.path(name)));
        let [one, other] = watches;
        let mut driver = scene.watch([one, other, scene.barrier_watch()?])?;
        for name in ["a/one", "b/other"] {
            driver.next_step();
            driver.perform(scene.mode, |tree| tree.append(name, "more"))?;
            driver.saw(written(name))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const WRITTEN_FROM_OUTSIDE: Case = Case {
    id: "HARD03",
    name: "written_from_outside",
    needs: &[WatchFiles],
    environment: &[Environment::Unix],
    checks: "A watched file that is written through another name, somewhere else, is reported.",
    why: "watchman#858, hubblestack/pulsar#60.",
    usual_cause: "The file's folder is watched instead, and has no events for changes through another name.",
    run: |scene| {
        scene.tree.write("file", "content")?;
        scene.outside.hard_link(scene.path("file"), "other")?;
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("file")), scene.barrier_watch()?])?;
        scene.outside.append("other", "more")?;
        driver.settle()?;
        let reported = driver.count(&modified("file"));
        ensure(reported > 0, "tree/file is reported as changed", || {
            "it was not before the barrier was".into()
        })
    },
    ..Case::MAY
};

const ONE_NAME_REMOVED: Case = Case {
    id: "HARD04",
    name: "one_name_removed",
    needs: &[WatchFiles],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A watched name that is removed is reported as removed even if the file still has another \
             name.",
    why: "The platform sends only an event about metadata.",
    usual_cause: "The backend waits until the file itself is gone, and not only its name.",
    run: |scene| {
        scene.tree.write("one", "content")?;
        scene.tree.hard_link("one", "other")?;
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("one")), scene.barrier_watch()?])?;
        driver.perform(scene.mode, |tree| tree.remove("one"))?;
        driver.saw(removed("one"))?;
        driver.next_step();
        scene.tree.append("other", "more")?;
        driver.settle()?;
        driver.never_saw(&touched("one"))
    },
    ..Case::MUST
};

const OTHER_NAME_STAYS: Case = Case {
    id: "HARD05",
    name: "other_name_stays",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    checks: "After one of two names of a file is removed, the first or the second one, old or new, what is written \
             through the other one is reported, anywhere in a tree.",
    why: "The counterpart of HARD04. Programs that deduplicate, such as package managers, link files and remove \
          names all day.",
    usual_cause: "The platform's watch of the file is given up with the first name that goes.",
    run: |scene| {
        let fill = |tree: &Tree| {
            for pair in ["first", "second"] {
                tree.write(format!("{pair}-one"), "content")?;
                tree.hard_link(format!("{pair}-one"), format!("{pair}-other"))?;
            }
            Ok(())
        };
        places::of(scene).filled(fill).each(|driver, place| {
            let goes = |driver: &mut Driver, gone: &str, stays: &str| {
                place.remove(gone)?;
                driver.settle()?;
                driver.saw(removed(place.path(gone)))?;
                driver.next_step();
                place.append(stays, "more")?;
                driver.settle()?;
                driver.saw(written(place.path(stays)))
            };
            goes(driver, "first-one", "first-other")?;
            goes(driver, "second-other", "second-one")?;
            place.hard_link("second-one", "late")?;
            driver.settle()?;
            goes(driver, "second-one", "late")
        })
    },
    ..Case::MUST
};

const NAMED_AGAIN: Case = Case {
    id: "HARD06",
    name: "named_again",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "When a name of a file is removed and made again while another name stays, however often, the last event \
             about it says that it is there.",
    why: "The counterpart of FIL08. It is the same file each time: fanotify merges what happens to one file under one \
          name, whatever the order was.",
    usual_cause: "Creation and removal come in one record, and the removal is always reported last.",
    run: |scene| {
        let fill = |tree: &Tree| {
            tree.write("file", "content")?;
            tree.hard_link("file", "second")
        };
        places::of(scene).filled(fill).each(|driver, place| {
            let times = if scene.mode == Mode::Stepped { 2 } else { 10 };
            driver.perform_in(scene.mode, place, |tree| {
                tree.hard_link("file", "third")?;
                (0..times).try_for_each(|_| {
                    ["second", "third"].into_iter().try_for_each(|name| {
                        tree.remove(name)?;
                        tree.hard_link("file", name)
                    })
                })
            })?;
            driver.saw(touched(place.path("third")))?;
            for name in ["second", "third"] {
                let path = place.path(name);
                let gone_or_there = |event: &&Event| {
                    matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_))
                        && event.path == path
                };
                let last = driver.events().filter(gone_or_there).last().map(|event| event.kind);
                let shown = scene.timeline.show(&path);
                ensure(
                    !matches!(last, Some(EventKind::Remove(_))),
                    format!("the last of the creations and removals of {shown} is a creation"),
                    || "it is a removal".into(),
                )?;
            }
            Ok(())
        })
    },
    ..Case::MUST
};
