//! Opens folders without causing events, and finds their places.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, fstatvfs, open, openat, readlinkat};

use crate::{
    record::Entry,
    sys::{self, Handle},
};

const UNREPORTED: OFlags = OFlags::PATH.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// Returns the present place of an open folder; none if that is the top of its file system.
pub(crate) fn place_of_open(opened: BorrowedFd<'_>, folder: &Handle) -> io::Result<Option<Entry>> {
    let above = openat(opened, "..", UNREPORTED, Mode::empty())?;
    let (_, mount) = sys::handle(opened, OsStr::new(""), 0)?;
    let (above, mount_above) = sys::handle(above.as_fd(), OsStr::new(""), folder.file_system())?;
    if above == *folder || mount_above != mount {
        return Ok(None);
    }
    // proc(5): the path of an open file. Its last part is the file's name, wherever the file is.
    let path = readlinkat(CWD, format!("/proc/self/fd/{}", opened.as_raw_fd()), Vec::new())?;
    let path = OsString::from_vec(path.into_bytes());
    let name = Path::new(&path).file_name().ok_or(io::ErrorKind::NotFound)?;
    Ok(Some(Entry { folder: above, name: name.into() }))
}

/// Opens a folder without causing an event. Returns the number of its file system as well.
pub(crate) fn open_folder(path: &Path) -> io::Result<(OwnedFd, u64)> {
    let folder =
        open(path, UNREPORTED.difference(OFlags::NOFOLLOW) | OFlags::DIRECTORY, Mode::empty())?;
    let file_system = fstatvfs(&folder)?.f_fsid;
    Ok((folder, file_system))
}
