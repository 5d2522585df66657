//! Folders of root's that an ordinary user may move, for cases that root has run as such a user.

use std::{env, fs, path::PathBuf};

/// The folder they are in, which root has made for the process of a case.
pub(crate) const FOLDERS: &str = "NOTIFY_BACKEND_COMPLIANCE_FOREIGN";
/// In each of them, a file of the ordinary user in a folder that belongs to root.
pub(crate) const FILE: &str = "of-root/file";

/// Returns the folders, if this process runs as an ordinary user and root has made them.
pub(crate) fn folders() -> Vec<PathBuf> {
    let entries = env::var_os(FOLDERS).and_then(|folder| fs::read_dir(folder).ok());
    entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
