//! How far a backend has come, and what to do next: [`Progress`].

use std::fmt;

use super::{entry::Entry, verdict::Verdict};
use crate::compliance::{
    case::{Level, Listed},
    cases,
    scene::subject::Subject,
};

/// How many cases pass, of those that can be run here for the declared capabilities.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    passed: usize,
    all: usize,
    /// What to do next, and the title in the guide "Writing a Backend" that helps.
    next: Option<(String, &'static str)>,
}

impl Progress {
    /// Creates the progress of a backend that cannot be made yet.
    pub(crate) fn at_the_start(subject: &Subject) -> Self {
        let can_run = |listed: &Listed| {
            let case = listed.case;
            let gate = case.gate(subject.about().capabilities);
            counts(listed) && gate.or_else(|| case.environment_gate()).is_none()
        };
        let all = cases::all().filter(can_run).count();
        Self { passed: 0, all, next: Some(("new".into(), "A walk-through")) }
    }

    /// Creates the progress after a run of all cases, in the order of the catalogue.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let ran: Vec<_> = entries
            .iter()
            .filter(|entry| counts(&entry.listed) && !matches!(entry.verdict, Verdict::Ignored(_)))
            .collect();
        let fails = |entry: &&&Entry| {
            matches!(entry.verdict, Verdict::Failed(_)) && entry.deviation.is_none()
        };
        let at = |level| ran.iter().filter(fails).find(|entry| entry.listed.case.level == level);
        let next = at(Level::Must).or_else(|| at(Level::Should));
        let next = next.map(|entry| (entry.listed.full_name(), entry.listed.group.guide));
        let passed = ran.iter().filter(|entry| entry.verdict == Verdict::Passed).count();
        Self { passed, all: ran.len(), next }
    }
}

/// Returns whether a case counts: what a backend may leave out does not.
fn counts(listed: &Listed) -> bool {
    listed.case.level != Level::May
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.passed, self.all)?;
        match &self.next {
            Some((next, title)) => write!(f, " · next: `{next}` · in the guide: {title:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A run in which these cases failed, these are known to, and these could not be run.
    fn run(failed: &[&str], known: &[&str], ignored: &[&str]) -> Progress {
        let entry = |listed: Listed| {
            let is_in = |ids: &[&str]| ids.contains(&listed.case.id);
            let verdict = if is_in(failed) || is_in(known) {
                Verdict::Failed(String::new())
            } else if is_in(ignored) {
                Verdict::Ignored(String::new())
            } else {
                Verdict::Passed
            };
            Entry {
                listed,
                verdict,
                deviation: is_in(known).then(String::new),
                figures: vec![],
                took: Duration::ZERO,
            }
        };
        Progress::of(&cases::all().map(entry).collect::<Vec<_>>())
    }

    fn all() -> usize {
        cases::all().filter(counts).count()
    }

    #[test]
    fn arrived() {
        assert_eq!(run(&[], &[], &[]).to_string(), format!("{0} of {0}", all()));
    }

    #[test]
    fn first_failure_of_the_catalogue_is_next() {
        let progress = run(&["REC03", "FIL01"], &[], &[]);
        assert_eq!((progress.passed, progress.all), (all() - 2, all()));
        let (next, title) = progress.next.unwrap();
        assert!(next.starts_with("files::"), "{next}");
        assert_eq!(title, "Reporting events");
    }

    /// The contract comes before what users expect.
    #[test]
    fn must_is_before_should() {
        let (next, _) = run(&["SYM16", "CHG01"], &[], &[]).next.unwrap();
        assert_eq!(next, "changing::added");
        let (next, _) = run(&["SYM16"], &[], &[]).next.unwrap();
        assert_eq!(next, "symlinks::middle_link_replaced");
    }

    #[test]
    fn known_deviations_are_no_step() {
        let progress = run(&[], &["REC03"], &[]);
        assert_eq!(progress, Progress { passed: all() - 1, all: all(), next: None });
    }

    #[test]
    fn what_cannot_be_run_does_not_count() {
        let progress = run(&[], &[], &["REC03"]);
        assert_eq!(progress, Progress { passed: all() - 1, all: all() - 1, next: None });
    }
}
