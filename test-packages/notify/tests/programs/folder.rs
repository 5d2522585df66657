//! A folder to make changes in: [`Folder`].

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

/// Long enough for the busiest machine; only a failing test waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Folder(TempDir);

impl Folder {
    /// Creates an empty folder, by the path that watchers use for it.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.path().to_owned() } else { self.0.path().join(name) }
    }

    pub(crate) fn make(&self, name: &str) {
        fs::create_dir(self.path(name)).unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Saves a file like an editor that never leaves half a file behind.
    pub(crate) fn save_atomically(&self, name: &str, text: &str) {
        let new = format!("{name}.new");
        self.write(&new, text);
        self.rename(&new, name);
    }

    /// Returns `path` without the folder's own name, which does not matter.
    pub(crate) fn name_of(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.0.path()).unwrap_or(path);
        if below.as_os_str().is_empty() { ".".into() } else { below.display().to_string() }
    }
}
