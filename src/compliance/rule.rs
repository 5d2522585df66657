//! A rule that holds in every case: [`Invariant`].

/// A rule for all cases.
#[derive(Debug)]
pub(super) struct Invariant {
    pub(super) id: &'static str,
    pub(super) rule: &'static str,
    pub(super) why: &'static str,
    pub(super) usual_cause: &'static str,
}
