//! The baseline of a whole file system with one mark: fanotify's system calls, and the minimum of code around
//! them. Handles become paths by opening them, as in this project's backend; but each is opened only once, so a
//! renamed folder keeps its old path.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::File,
    os::{
        fd::{AsFd, AsRawFd},
        unix::ffi::OsStringExt,
    },
    path::{Path, PathBuf},
};

use anyhow::Result;
use futures_util::StreamExt;
use libc::{
    FAN_ACCESS, FAN_ATTRIB, FAN_CLOSE_NOWRITE, FAN_CLOSE_WRITE, FAN_CREATE, FAN_DELETE,
    FAN_MARK_ADD, FAN_MARK_FILESYSTEM, FAN_MODIFY, FAN_ONDIR, FAN_OPEN, FAN_RENAME,
    FAN_REPORT_DFID_NAME_TARGET, FAN_UNLIMITED_MARKS,
};
use notify_backend::prelude::*;
use notify_backend_fanotify::FanotifyBackend;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{CWD, readlinkat},
};

use crate::{
    record::RawRecord,
    sys::{self, Handle},
    tally::{Kind, Tally},
};

/// The bits of a record, in the order of the events on a file.
const BITS: [(u64, Kind); 8] = [
    (FAN_CREATE, Kind::Create),
    (FAN_OPEN, Kind::Access),
    (FAN_ACCESS, Kind::Access),
    (FAN_MODIFY, Kind::Modify),
    (FAN_CLOSE_WRITE, Kind::Access),
    (FAN_CLOSE_NOWRITE, Kind::Access),
    (FAN_ATTRIB, Kind::Modify),
    (FAN_DELETE, Kind::Remove),
];

pub(super) fn bare(folder: &Path, mut tally: Tally) -> Result<()> {
    let group = sys::init(FAN_REPORT_DFID_NAME_TARGET | FAN_UNLIMITED_MARKS)?;
    let top = File::open(folder)?;
    let bits = BITS.iter().fold(FAN_RENAME | FAN_ONDIR, |mask, (bit, _)| mask | bit);
    sys::mark(group.as_fd(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, bits, top.as_fd())?;
    tally.mark();
    let mut paths: HashMap<Handle, Option<PathBuf>> = HashMap::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        poll(&mut [PollFd::new(&group, PollFlags::IN)], None)?;
        let length = rustix::io::read(&group, &mut buffer)?;
        let mut unread = &buffer[..length];
        while let Some(record) = RawRecord::take(&mut unread) {
            let Some((handle, name)) = record.entries().next() else { continue };
            if !paths.contains_key(handle) {
                let Some(handle) = Handle::told(handle) else { continue };
                let path = resolve(&top, &handle).filter(|path| path.starts_with(folder));
                paths.insert(handle, path);
            }
            let Some(Some(path)) = paths.get(handle) else { continue };
            for (_, kind) in BITS.iter().filter(|(bit, _)| record.is(*bit)) {
                tally.event(*kind, &path.join(name));
            }
        }
    }
}

fn resolve(beside: &File, handle: &Handle) -> Option<PathBuf> {
    let opened = sys::open_by_handle(beside.as_fd(), handle).ok()?;
    let link = format!("/proc/self/fd/{}", opened.as_raw_fd());
    let path = readlinkat(CWD, link, Vec::new()).ok()?;
    Some(OsString::from_vec(path.into_bytes()).into())
}

/// This project's backend.
pub(super) async fn backend(folder: &Path, recursive: bool, mut tally: Tally) -> Result<()> {
    let watch = if recursive { Watch::recursive(folder) } else { Watch::non_recursive(folder) };
    let mut backend = FanotifyBackend::new(vec![watch.with_access()])?;
    tally.mark();
    while let Some(item) = backend.next().await {
        let event = item?;
        tally.event(event.kind, &event.path);
    }
    anyhow::bail!("the stream has ended")
}
