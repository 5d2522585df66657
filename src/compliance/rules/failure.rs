//! How a case ends when it does not pass.

use super::rule::Invariant;

/// The result of a step of a case.
pub(crate) type Step<T = ()> = Result<T, Stop>;

/// Why a case stopped early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The backend did something wrong.
    Failed(Box<Failure>),
    /// The case cannot be run here.
    Ignored(String),
    /// The case has passed, and leaves something behind on purpose that must not be checked.
    Passed,
    /// The scene could not be set: the machine, not the backend, is at fault.
    Broken(String),
}

/// What was wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) expected: String,
    pub(crate) but: String,
    /// The rule for all cases that was broken, if it was not the case's own.
    pub(crate) invariant: Option<&'static Invariant>,
    /// The case did not get as far as the thing it checks, so its usual cause explains nothing.
    pub(crate) is_early: bool,
}

/// Fails: `expected` should have been, `but` was.
pub(crate) fn fail<T>(expected: impl Into<String>, but: impl Into<String>) -> Step<T> {
    let (expected, but) = (expected.into(), but.into());
    Err(Stop::Failed(Box::new(Failure { expected, but, invariant: None, is_early: false })))
}

/// Fails before the case came to what it checks: nothing is reported any more.
pub(crate) fn overdue<T>(expected: impl Into<String>, but: impl Into<String>) -> Step<T> {
    let (expected, but) = (expected.into(), but.into());
    Err(Stop::Failed(Box::new(Failure { expected, but, invariant: None, is_early: true })))
}

/// Fails unless `holds`.
pub(crate) fn ensure(
    holds: bool,
    expected: impl Into<String>,
    but: impl FnOnce() -> String,
) -> Step {
    if holds { Ok(()) } else { fail(expected, but()) }
}

/// Returns the failure of a broken invariant.
pub(crate) fn violates(invariant: &'static Invariant, but: impl Into<String>) -> Stop {
    Stop::Failed(Box::new(Failure {
        expected: invariant.rule.into(),
        but: but.into(),
        invariant: Some(invariant),
        is_early: false,
    }))
}
