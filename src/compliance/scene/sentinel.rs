//! The names of the files by which barriers are made.

use std::path::Path;

/// What their names begin with, so that nobody takes them for changes of a case.
const PREFIX: &str = "suite-sentinel-";

/// Returns the name of a sentinel file.
pub(crate) fn name(number: usize) -> String {
    format!("{PREFIX}{number}")
}

/// Returns whether `path` is that of a sentinel file.
pub(crate) fn is_sentinel(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
}
