//! How a case ended: [`Verdict`].

use serde::{Deserialize, Serialize};

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// What the case checks holds.
    Passed,
    /// The case says nothing about this backend or on this machine, for this reason.
    Ignored(String),
    /// What the case checks does not hold; the whole explanation.
    Failed(String),
}
