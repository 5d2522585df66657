//! The messages between the suite and the process of a case.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::compliance::{record::measurements::Barriers, report::verdict::Verdict};

/// The number of the case that a process is to run.
pub(crate) const CASE: &str = "NOTIFY_BACKEND_COMPLIANCE_CASE";
/// The type that it is to run it with.
pub(crate) const TYPE: &str = "NOTIFY_BACKEND_COMPLIANCE_TYPE";
/// The capabilities that the backend has declared.
pub(crate) const CAPABILITIES: &str = "NOTIFY_BACKEND_COMPLIANCE_CAPABILITIES";
/// The folder that it may use, and puts its answer into.
pub(crate) const FOLDER: &str = "NOTIFY_BACKEND_COMPLIANCE_FOLDER";
/// Set if the backend reported nothing in the cases before.
pub(crate) const DEAF: &str = "NOTIFY_BACKEND_COMPLIANCE_DEAF";
/// Whether it is to make a file system of its own for its case.
pub(crate) const OWN_FILE_SYSTEM: &str = "NOTIFY_BACKEND_COMPLIANCE_OWN_FILE_SYSTEM";
/// The file that the answer is in.
pub(crate) const ANSWER: &str = "outcome.json";

/// The answer of a process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// What was measured: a name, and a value with its unit.
    pub(crate) figures: Vec<(String, String)>,
    /// The barriers of the case.
    pub(crate) barriers: Barriers,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, figures: Vec::new(), barriers: Barriers::default() }
    }
}

pub(crate) fn write_answer(folder: &Path, outcome: &Outcome) {
    // If there is no answer, the process that started this one says so.
    if let Ok(text) = serde_json::to_vec(outcome) {
        _ = fs::write(folder.join(ANSWER), text);
    }
}
