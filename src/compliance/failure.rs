//! How a case ends when it does not pass, and the text that explains it.

use std::fmt::Write as _;

use super::{case::Listed, invariants::Invariant, mode::Mode, timeline::Timeline};

/// What a step of a case answers.
pub(super) type Check<T = ()> = Result<T, Stop>;

/// Why a case stopped early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The backend did something wrong.
    Failed(Box<Failure>),
    /// The case cannot be run here.
    Ignored(String),
    /// The case has passed, and what it leaves behind on purpose is not to be looked at.
    Passed,
    /// The scene could not be set: the machine, not the backend, is at fault.
    Broken(String),
}

/// What was wrong.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) expected: String,
    pub(super) but: String,
    /// The rule for all cases that was broken, if it was not the case's own.
    pub(super) invariant: Option<&'static Invariant>,
    /// The case has not come as far as to what it checks, so that what is often wrong with that
    /// explains nothing.
    pub(super) is_early: bool,
}

/// The case failed: `expected` should have been, `but` was.
pub(super) fn fail<T>(expected: impl Into<String>, but: impl Into<String>) -> Check<T> {
    let (expected, but) = (expected.into(), but.into());
    Err(Stop::Failed(Box::new(Failure { expected, but, invariant: None, is_early: false })))
}

/// The case failed before it came to what it checks: nothing is reported any more.
pub(super) fn overdue<T>(expected: impl Into<String>, but: impl Into<String>) -> Check<T> {
    let (expected, but) = (expected.into(), but.into());
    Err(Stop::Failed(Box::new(Failure { expected, but, invariant: None, is_early: true })))
}

/// Fails unless `holds`.
pub(super) fn ensure(
    holds: bool,
    expected: impl Into<String>,
    but: impl FnOnce() -> String,
) -> Check {
    if holds { Ok(()) } else { fail(expected, but()) }
}

/// An invariant was broken.
pub(super) fn violates(invariant: &'static Invariant, but: impl Into<String>) -> Stop {
    Stop::Failed(Box::new(Failure {
        expected: invariant.rule.into(),
        but: but.into(),
        invariant: Some(invariant),
        is_early: false,
    }))
}

impl Failure {
    /// The whole text for a developer who knows nothing of the suite.
    pub(super) fn explain(&self, listed: Listed, mode: Mode, timeline: &Timeline) -> String {
        let Listed { case, group } = listed;
        let mut text = String::new();
        let mut line = |label: &str, content: &str| {
            let label = if label.is_empty() { String::new() } else { format!("{label}:") };
            let content = content.replace('\n', "\n            ");
            _ = writeln!(text, "{label:<11} {content}");
        };
        line("case", &format!("{} {} ({})", case.id, listed.full_name(), case.level.name()));
        line("checks", case.checks);
        line("expected", &self.expected);
        line("but", &self.but);
        if let Some(invariant) = self.invariant {
            line("broken rule", &format!("{}, which holds in every case", invariant.id));
        }
        line("driven", &mode.to_string());
        let record = timeline.to_string();
        _ = write!(text, "\nwhat happened:\n{record}\n");
        let mut line = |label: &str, content: &str| {
            _ = writeln!(text, "{:<11} {content}", format!("{label}:"));
        };
        match self.invariant {
            Some(invariant) => line("often", invariant.usual_cause),
            None if self.is_early => {}
            None => line("for this case, often", case.usual_cause),
        }
        line("seen in", self.invariant.map_or(case.why, |invariant| invariant.why));
        line("guide", &format!("\"{}\", for: {}", group.guide, group.title));
        line("alone", &format!("cargo test --test compliance {}", listed.full_name()));
        timeline.shorten(&text)
    }
}
