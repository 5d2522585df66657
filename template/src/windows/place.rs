//! Where a watched path is: [`Place`].

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use notify_backend::{BackendError, Watch};
use windows_sys::Win32::Storage::FileSystem::FILE_LIST_DIRECTORY;

use crate::{name::Name, open::open, root::Entry, sys};

/// The folders of a watch, opened.
#[derive(Debug)]
pub(crate) struct Place {
    /// The watched folder, or the folder of the watched file, and its path with all links resolved.
    pub(crate) inside: (File, PathBuf),
    /// The folder above it, if there is one that may be listed, and the name in it.
    pub(crate) above: Option<(File, PathBuf, Entry)>,
    /// The watched file.
    pub(crate) file: Option<Entry>,
}

impl Place {
    pub(crate) fn of(watch: &Watch) -> Result<Self, BackendError> {
        let explain = |error| BackendError::from_io(&watch.path, error);
        let location = std::path::absolute(&watch.path).map_err(explain)?;
        // A link is watched like a file.
        let is_folder = watch.path.symlink_metadata().map_err(explain)?.is_dir();
        let folder = if is_folder { Some(&*location) } else { location.parent() };
        let folder = folder.ok_or_else(|| explain(io::ErrorKind::NotFound.into()))?;
        // Some drivers give drives that have no such path.
        let real = folder.canonicalize().unwrap_or_else(|_| folder.into());
        let inside = open(&real, FILE_LIST_DIRECTORY).map_err(|error| {
            let error = explain(error);
            if is_folder { error } else { error.with_folder(folder) }
        })?;
        let file = (!is_folder).then(|| Entry {
            name: name_of(&real, &location),
            is_case_sensitive: sys::is_case_sensitive(&inside),
        });
        Ok(Self { above: above(&real), inside: (inside, real), file })
    }
}

fn above(folder: &Path) -> Option<(File, PathBuf, Entry)> {
    let (above, name) = folder.parent().zip(folder.file_name())?;
    let opened = open(above, FILE_LIST_DIRECTORY).ok()?;
    let is_case_sensitive = sys::is_case_sensitive(&opened);
    Some((opened, above.into(), Entry { name: name.to_owned().into(), is_case_sensitive }))
}

/// Returns the name by which records call a file.
fn name_of(folder: &Path, location: &Path) -> Name {
    let name = location.file_name().unwrap_or_default();
    sys::long_name(&folder.join(name)).unwrap_or_else(|| name.to_owned().into())
}
