//! What a case asks about the reports, and how it fails.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use super::Driver;
use crate::{
    compliance::rules::{
        expect::Expected,
        failure::{Step, ensure, fail, overdue},
        profile::Profile,
    },
    contract::{
        backend::StreamItem,
        error::StreamError,
        event::{Event, EventKind, ModifyKind},
    },
};

impl Driver {
    /// Returns the errors that were reported.
    pub(crate) fn errors(&self) -> &[StreamError] {
        &self.errors
    }

    /// Returns whether the stream has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns the events of the current step.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.seen[self.step..].iter().map(|seen| &seen.event)
    }

    /// Returns the event that was reported last in this step.
    pub(crate) fn latest(&self) -> Option<&Event> {
        self.seen[self.step..].last().map(|seen| &seen.event)
    }

    /// Begins a new step: what was reported before is not looked at any more.
    pub(crate) fn next_step(&mut self) {
        self.step = self.seen.len();
    }

    /// Forgets all events, for cases with very many of them.
    pub(crate) fn forget_events(&mut self) {
        self.seen.clear();
        self.created.clear();
        self.missed.clear();
        self.step = 0;
        self.guard.forget_trackers();
        drop(self.timeline.take());
    }

    /// Reads until `expected` is reported, and fails if that takes too long.
    pub(crate) fn saw(&mut self, expected: Expected) -> Step {
        self.saw_in_order([expected])
    }

    /// As [`saw`](Self::saw) for several, of which each has to come before the next.
    pub(crate) fn saw_in_order<const N: usize>(&mut self, expected: [Expected; N]) -> Step {
        let expected = expected.map(|expected| expected.with_path(self.tree.path(&expected.path)));
        let is_settled = self.is_settled();
        let limit = if is_settled { self.grace() } else { self.profile.deadline() };
        let complete =
            self.read_until(limit, |driver, _| driver.first_missing(&expected).is_none())?;
        if complete {
            for seen in &mut self.seen[self.step..] {
                let reported = |expected: &Expected| states(expected, &seen.event, &self.profile);
                seen.wanted |= expected.iter().any(reported);
            }
            return Ok(());
        }
        self.has_not_seen(&expected, is_settled, limit)
    }

    /// Fails, and says what is known of the first of `expected` that was not reported within `limit`.
    fn has_not_seen(&mut self, expected: &[Expected], is_settled: bool, limit: Duration) -> Step {
        let describe = |expected: &Expected| expected.describe(&self.timeline.show(&expected.path));
        let wanted: Vec<_> = expected.iter().map(describe).collect();
        let missing = self.first_missing(expected).unwrap_or_default();
        let alone = self.events().any(|event| states(&expected[missing], event, &self.profile));
        let has_ended = self.ended;
        let but = if alone && expected.len() > 1 {
            format!("the report that {} came too early", wanted[missing])
        } else {
            let others = self.events().filter(|event| event.path == expected[missing].path);
            let others: Vec<_> = others.map(|event| event.kind.to_string()).collect();
            let others = match others.as_slice() {
                [] => "nothing was reported about that path".into(),
                others => format!("reported about that path was: {}", others.join(", ")),
            };
            let profile = self.profile.clone();
            let is_awaited = |item: &StreamItem| {
                item.as_ref().is_ok_and(|event| states(&expected[missing], event, &profile))
            };
            let overdue = self.overdue(is_settled, limit, is_awaited)?;
            match wanted.as_slice() {
                [_] => format!("{others}; {overdue}"),
                _ => format!("{} is missing; {others}; {overdue}", wanted[missing]),
            }
        };
        let wanted = wanted.join(",\nthen ");
        if has_ended { overdue(wanted, but) } else { fail(wanted, but) }
    }

    /// Returns the index of the first of `expected` that has not been reported after the ones before it.
    fn first_missing(&self, expected: &[Expected]) -> Option<usize> {
        let mut missing = 0;
        for event in self.events() {
            if missing < expected.len() && states(&expected[missing], event, &self.profile) {
                missing += 1;
            }
        }
        (missing < expected.len()).then_some(missing)
    }

    /// Fails if `expected` was reported.
    pub(crate) fn never_saw(&mut self, expected: &Expected) -> Step {
        let expected = expected.with_path(self.tree.path(&expected.path));
        let reported = self.events().find(|event| states(&expected, event, &self.profile));
        let reported = reported.map(|event| event.kind.to_string());
        let described = expected.describe(&self.timeline.show(&expected.path));
        ensure(reported.is_none(), format!("never: {described}"), || {
            format!("the backend reported {}", reported.unwrap_or_default())
        })
    }

    /// Returns how often `expected` was reported.
    pub(crate) fn count(&self, expected: &Expected) -> usize {
        let expected = expected.with_path(self.tree.path(&expected.path));
        self.events().filter(|event| states(&expected, event, &self.profile)).count()
    }

    /// Fails if something was reported in this step that no check has asked for.
    ///
    /// Ignores accesses, and modifications of folders and of paths that were asked for: platforms differ in
    /// how many events they send for those.
    pub(crate) fn nothing_else(&self) -> Step {
        let step = &self.seen[self.step..];
        let asked = |path: &Path| step.iter().any(|seen| seen.wanted && seen.event.path == path);
        let noise = |event: &Event| match event.kind {
            EventKind::Access(_) | EventKind::Missed(_) => true,
            EventKind::Modify(ModifyKind::Name(_)) => false,
            EventKind::Modify(_) => asked(&event.path) || event.path.is_dir(),
            _ => false,
        };
        let surplus = step.iter().find(|seen| !seen.wanted && !noise(&seen.event));
        ensure(surplus.is_none(), "nothing is reported but the changes that were made", || {
            let surplus = surplus.map(|seen| &seen.event);
            surplus.map_or_else(String::new, |event| {
                format!("unexpectedly, {} {} was", event.kind, self.timeline.show(&event.path))
            })
        })
    }

    /// Returns every path that was reported as created.
    pub(crate) fn created_paths(&self) -> &HashSet<PathBuf> {
        &self.created
    }

    /// Returns whether a loss was reported.
    pub(crate) fn has_missed(&self) -> bool {
        !self.missed.is_empty()
    }

    /// Returns whether a loss was reported that concerns all that is in `folder`.
    pub(crate) fn has_missed_in(&self, folder: &Path) -> bool {
        self.missed.iter().any(|part| folder.starts_with(part))
    }

    /// Returns how many events were reported as lost, if that is known.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.lost
    }
}

fn states(expected: &Expected, event: &Event, profile: &Profile) -> bool {
    // By spelling: as paths, `a//b` and `a/b` are equal.
    expected.path.as_os_str() == event.path.as_os_str() && expected.is_stated_by(event, profile)
}
