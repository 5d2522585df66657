//! One case that was run: [`Entry`].

use std::time::Duration;

use super::{case::Listed, protocol::Verdict};

/// One case that was run.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) listed: Listed,
    pub(super) verdict: Verdict,
    /// The reason why it is known not to pass.
    pub(super) deviation: Option<String>,
    pub(super) figures: Vec<(String, String)>,
    pub(super) took: Duration,
}
