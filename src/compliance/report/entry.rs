//! One case that was run: [`Entry`].

use std::time::Duration;

use super::verdict::Verdict;
use crate::compliance::case::Listed;

/// One case that was run.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) listed: Listed,
    pub(crate) verdict: Verdict,
    /// The reason why it is known not to pass.
    pub(crate) deviation: Option<String>,
    pub(crate) figures: Vec<(String, String)>,
    pub(crate) took: Duration,
}
