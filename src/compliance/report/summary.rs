//! What a run prints beside its cases.

use std::{io, path::Path};

use crate::{
    compliance::scene::{environment, subject::Subject},
    contract::backend::About,
};

/// The last line of a run that had no case to run.
pub(crate) const NO_CASE: &str = "no case could be run, so nothing is proven: declare WatchFolders or WatchFiles, or \
     see above what this machine lacks";

/// Returns the first lines of a run: the backend, and the machine.
pub(crate) fn head(subject: &Subject) -> String {
    let About { name, capabilities } = subject.about();
    let facts = environment::facts();
    let facts: Vec<_> = facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("backend: {name} ({capabilities})\n{}", facts.join("; "))
}

/// Returns the message of a run that cannot write its report.
pub(crate) fn not_written(file: &Path, error: &io::Error) -> String {
    format!("failed to write the report {}: {error}", file.display())
}
