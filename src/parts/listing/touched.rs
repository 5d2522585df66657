//! Where to look: [`Touched`].

use std::path::PathBuf;

/// A place where something has happened, as the platform says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Touched {
    /// The absolute path of the file or folder.
    pub path: PathBuf,
    /// Whether it is certain that the file was written. It is then reported even if that left no trace, as when it
    /// was written twice within one step of the file system's clock.
    pub is_written: bool,
}

impl Touched {
    /// Returns a place where anything may have happened.
    #[must_use]
    pub fn somehow(path: PathBuf) -> Self {
        Self { path, is_written: false }
    }

    /// Returns a file that was written.
    #[must_use]
    pub fn written(path: PathBuf) -> Self {
        Self { path, is_written: true }
    }
}
