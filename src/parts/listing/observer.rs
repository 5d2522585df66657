//! The platform beside a look, which notices what happens after it: [`Observer`].

use std::{
    fmt::Debug,
    fs::Metadata,
    io,
    path::{Path, PathBuf},
};

use crate::contract::error::BackendError;

/// Watches each file and folder that a look finds, for platforms where each has to be opened or registered.
///
/// A look calls it *before* it reads what it compares with later. So nothing is lost in between: what changes
/// before it was observed is seen by the look, and what changes after that, by the platform.
pub trait Observer: Debug + Send + Sync {
    /// Begins to observe the file or folder at `location`, unless it does so already; `found` is what the look has
    /// found there. For a link that is followed, that is its target. Returns whether this was new; the look then
    /// reads it again.
    ///
    /// It is called at each look for each entry that is a file or a folder, so it has to be quick for those that are
    /// known.
    ///
    /// # Errors
    ///
    /// The platform's error. It is reported once per folder, unless an entry of the folder was observed meanwhile. A
    /// [`Trees::watch`](super::Trees::watch) that meets a limit returns it.
    fn observe(&self, location: &Path, found: &Metadata) -> io::Result<bool>;

    /// Returns whether a file or folder that is gone from `location` still exists at another place, which the platform
    /// may be about to name. The look then waits, so that the move is reported as a rename: see
    /// [`Trees::is_waiting`](super::Trees::is_waiting).
    ///
    /// The provided method returns false.
    fn exists(&self, location: &Path) -> bool {
        let _ = location;
        false
    }

    /// Ends observing what was at `location`: it is gone, or not watched any more.
    fn forget(&self, location: &Path);

    /// Converts a platform's error for a path. The provided method is [`BackendError::from_io`].
    fn explain(&self, path: PathBuf, error: io::Error) -> BackendError {
        BackendError::from_io(path, error)
    }
}
