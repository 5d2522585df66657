//! A rule that holds in every case: [`Invariant`].

/// A rule for all cases.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub(crate) id: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) why: &'static str,
    pub(crate) usual_cause: &'static str,
}
