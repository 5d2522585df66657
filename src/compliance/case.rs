//! What a case is: data about it, and the function that runs it.
//!
//! To add a case, write a `const` of type [`Case`] in the file of its group under `cases/`, with its
//! function as the last field, and name it in that file's `GROUP`. Nothing else has to be changed:
//! names, gating, documentation and score card follow from it. The pieces that a case is written
//! with are [`Scene`] (the scene), [`Tree`](super::scene::tree::Tree) (changes), [`Driver`](super::scene::driver::Driver)
//! (the backend, and what it reported) and the functions in [`expect`](super::rules::expect).

use super::{
    record::mode::Mode,
    rules::failure::Step,
    scene::{Scene, environment::Environment},
};
use crate::contract::capability::{Capabilities, Capability};

/// How binding a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// The contract demands it: a failure fails the run.
    Must,
    /// Users expect it: a failure is a warning in the score card.
    Should,
    /// Facilities differ: the outcome is recorded.
    May,
}

impl Level {
    pub(super) const ALL: [Self; 3] = [Self::Must, Self::Should, Self::May];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// One case of the suite.
#[derive(Debug)]
pub(super) struct Case {
    /// The number in the catalogue, e.g. `FIL01`. Never given twice, never changed.
    pub(super) id: &'static str,
    /// The scenario, in lower case with underscores; the full name has the group before it.
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// The capabilities without which the case makes no sense.
    pub(super) needs: &'static [Capability],
    /// The capabilities with which it makes no sense: it checks that they do not show.
    pub(super) without: &'static [Capability],
    /// What the machine must offer.
    pub(super) environment: &'static [Environment],
    /// Whether changes by others on the same file system disturb a backend that gets the events of all of it
    /// ([`WatchEntireFilesystem`](Capability::WatchEntireFilesystem)), even if they are few. For such a
    /// backend, the case runs in a file system of its own or, where that is not possible, while no other case
    /// runs. (Other cases have their own file system too, unless they run one by one: those of *Overflow*
    /// fill every queue that gets their events.)
    pub(super) is_disturbed: bool,
    /// Whether it calls [`Scene::show`] itself. If the backend sees the folder through a daemon, which watches it
    /// from then on, what the case has prepared was there before.
    pub(super) is_shown_late: bool,
    /// The ways to drive it; it runs once for each.
    pub(super) modes: &'static [Mode],
    /// The promise, in one sentence.
    pub(super) checks: &'static str,
    /// Where this went wrong in practice.
    pub(super) why: &'static str,
    /// What to look for in a backend that fails.
    pub(super) usual_cause: &'static str,
    pub(super) run: fn(&mut Scene) -> Step,
}

impl Case {
    /// What most cases share; to be used as `..Case::MUST`.
    pub(super) const MUST: Self = Self {
        id: "",
        name: "",
        level: Level::Must,
        needs: &[],
        without: &[],
        environment: &[],
        is_disturbed: false,
        is_shown_late: false,
        modes: Mode::OWN,
        checks: "",
        why: "",
        usual_cause: "",
        run: |_| Ok(()),
    };
    /// As [`MUST`](Self::MUST), for behaviour that users expect.
    pub(super) const SHOULD: Self = Self { level: Level::Should, ..Self::MUST };

    /// As [`MUST`](Self::MUST), for facts that are only recorded.
    pub(super) const MAY: Self = Self { level: Level::May, ..Self::MUST };

    /// Returns why the case does not apply to a backend with these capabilities, if so.
    pub(super) fn gate(&self, capabilities: Capabilities) -> Option<String> {
        if let Some(missing) = self.needs.iter().find(|&&needed| !capabilities.contains(needed)) {
            return Some(format!("the backend does not declare {missing}"));
        }
        if let Some(present) = self.without.iter().find(|&&not| capabilities.contains(not)) {
            return Some(format!("only for backends without {present}"));
        }
        None
    }

    /// Returns why the case cannot be run on this machine, if so.
    pub(super) fn environment_gate(&self) -> Option<String> {
        self.environment.iter().find_map(|needed| needed.missing())
    }
}

/// Cases that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// The first part of its cases' names.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) title: &'static str,
    /// The section of the guide "Writing a Backend" that explains how to get it right.
    pub(super) guide: &'static str,
    pub(super) cases: &'static [Case],
}

/// A case and the group it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) group: &'static Group,
    pub(super) case: &'static Case,
}

impl Listed {
    /// Returns the stable name, e.g. `files::created`.
    pub(super) fn full_name(self) -> String {
        format!("{}::{}", self.group.name, self.case.name)
    }
}
