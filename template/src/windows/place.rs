//! Where a watched path is: [`Place`].

use std::{io, path::Path};

use notify_backend::{BackendError, Watch};
use windows_sys::Win32::Storage::FileSystem::FILE_LIST_DIRECTORY;

use crate::{
    explain::explain,
    name::{Entry, Name},
    open::{Resolved, open},
    sys,
};

/// The folders of a watch.
#[derive(Debug)]
pub(crate) struct Place {
    /// The watched folder, or the folder of the watched file.
    pub(crate) inside: Resolved,
    /// The folder above it, if there is one that may be listed, and the name in it.
    pub(crate) above: Option<(Resolved, Entry)>,
    /// The watched file.
    pub(crate) file: Option<Entry>,
    /// Whether the folder above distinguishes names by case, as far as that is known.
    pub(crate) is_case_sensitive: bool,
}

impl Place {
    pub(crate) fn of(watch: &Watch) -> Result<Self, BackendError> {
        let explain = |error| explain(&watch.path, error);
        let location = std::path::absolute(&watch.path).map_err(explain)?;
        // A link is watched like a file.
        let is_folder = watch.path.symlink_metadata().map_err(explain)?.is_dir();
        let folder = if is_folder { Some(&*location) } else { location.parent() };
        let folder = folder.ok_or_else(|| explain(io::ErrorKind::NotFound.into()))?;
        // Some drivers give drives that have no such path.
        let path = folder.canonicalize().unwrap_or_else(|_| folder.into());
        let opened = open(&path, FILE_LIST_DIRECTORY).map_err(|error| {
            let error = explain(error);
            if is_folder { error } else { error.with_folder(folder) }
        })?;
        let file = (!is_folder).then(|| Entry {
            name: name_of(&path, &location),
            is_case_sensitive: sys::is_case_sensitive(&opened),
        });
        let above = above(&path);
        let is_case_sensitive = above.as_ref().is_some_and(|(_, entry)| entry.is_case_sensitive);
        Ok(Self { inside: Resolved { folder: opened, path }, above, file, is_case_sensitive })
    }
}

fn above(folder: &Path) -> Option<(Resolved, Entry)> {
    let (path, name) = folder.parent().zip(folder.file_name())?;
    let folder = open(path, FILE_LIST_DIRECTORY).ok()?;
    let is_case_sensitive = sys::is_case_sensitive(&folder);
    let entry = Entry { name: name.to_owned().into(), is_case_sensitive };
    Some((Resolved { folder, path: path.into() }, entry))
}

/// Returns the name by which records call a file.
fn name_of(folder: &Path, location: &Path) -> Name {
    let name = location.file_name().unwrap_or_default();
    sys::long_name(&folder.join(name)).unwrap_or_else(|| name.to_owned().into())
}
