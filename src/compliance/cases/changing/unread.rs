//! Arrangements of watches that overlap or lie side by side, and that change while reports are not read yet.

use super::super::calls::{add, remove};
use crate::{
    compliance::{
        rules::{
            expect::created_file,
            failure::{Step, ensure},
        },
        scene::Scene,
    },
    contract::{backend::Watch, capability::Capability::WatchRecursively},
};

/// How much of a folder is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Flat,
    Deep,
}

/// What is done while reports wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Unwatch(&'static str),
    Watch(&'static str, Depth),
}

/// Watches, a folder in which files are made, and what is done before the reports of these are read. Each of them
/// is covered by a watch that goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrangement {
    pub(super) watched: &'static [(&'static str, Depth)],
    pub(super) changed: &'static str,
    pub(super) then: Then,
}

impl Arrangement {
    /// Fails unless each report is read once, and nothing else is. If `adds`, all watches but the first are added one
    /// by one; if `reads_one`, one of the reports is read before the watches change.
    fn loses_nothing(self, scene: &Scene, adds: bool, reads_one: bool) -> Step {
        const FILES: usize = 5;

        let Self { watched, changed, then } = self;
        let needs_depth = watched.iter().any(|(_, depth)| *depth == Depth::Deep)
            || matches!(then, Then::Watch(_, Depth::Deep));
        if needs_depth && !scene.has(WatchRecursively) {
            return Ok(());
        }
        let begun = if adds { "begin one by one with" } else { "begin with" };
        let shown = if reads_one { "once one report is read" } else { "before any is read" };
        scene.timeline.did(format!("{begun} {watched:?}, then {then:?} {shown}"));
        for (folder, _) in watched {
            scene.tree.mkdir_all(folder)?;
        }
        scene.tree.mkdir_all(changed)?;
        let watch = |(folder, depth)| {
            Watch::non_recursive(scene.path(folder)).recursive_if(depth == Depth::Deep)
        };
        let watches: Vec<_> = watched.iter().copied().map(watch).collect();
        let (first, later) = watches.split_at(if adds { 1 } else { watches.len() });
        let mut driver = scene.watch(first)?;
        later.iter().try_for_each(|watch| add(&mut driver, watch.clone()))?;
        // A daemon's client may not be able to find out what the removed watch had to report for another one.
        let is_client = scene.profile.in_another_process;
        driver.guard.may_miss = is_client && matches!(then, Then::Unwatch(_));
        let files: [_; FILES] =
            std::array::from_fn(|i| created_file(format!("{changed}/file-{i}")));
        files.iter().try_for_each(|file| scene.tree.create(&file.path))?;
        if reads_one {
            driver.read_until_reported(|driver| driver.events().count() > 0)?;
        }
        match then {
            Then::Unwatch(folder) => remove(&mut driver, &scene.path(folder))?,
            Then::Watch(folder, depth) => add(&mut driver, watch((folder, depth)))?,
        }
        driver.settle()?;
        let is_said = driver.has_missed_in(&scene.path(changed));
        for file in files {
            let times = driver.count(&file);
            if times > 0 || !is_said {
                driver.saw(file)?;
            }
            ensure(times <= 1, "each creation is reported once", || {
                format!("one was reported {times} times")
            })?;
        }
        driver.nothing_else()?;
        drop(driver);
        let (top, _) = changed.split_once('/').unwrap_or((changed, ""));
        scene.tree.remove_all(top)
    }
}

/// Tries all arrangements, with watches made at once and one by one, and with all reports unread and with one read.
pub(super) fn lose_nothing(scene: &Scene, arrangements: &[Arrangement]) -> Step {
    for arrangement in arrangements {
        for adds in [false, true] {
            if adds && arrangement.watched.len() == 1 {
                continue;
            }
            for reads_one in [false, true] {
                arrangement.loses_nothing(scene, adds, reads_one)?;
            }
        }
    }
    Ok(())
}
