//! The baseline: inotify's system calls, and the minimum of code around them.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use anyhow::Result;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::tally::{Kind, Tally};

/// The events that this project's backend asks for.
const EVENTS: WatchFlags = WatchFlags::ALL_EVENTS.union(WatchFlags::ONLYDIR);

/// The events among them that listing a folder does not cause.
const QUIET: WatchFlags = EVENTS
    .difference(WatchFlags::OPEN)
    .difference(WatchFlags::ACCESS)
    .difference(WatchFlags::CLOSE_NOWRITE);

/// The size of an event's header, and of the longest event.
const HEAD: usize = 16;
const LARGEST: usize = HEAD + 256;

pub(super) fn watch(folder: &Path, recursive: bool, mut tally: Tally) -> Result<()> {
    let (inotify, folders) = start(folder, recursive)?;
    tally.mark();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        poll(&mut [PollFd::new(&inotify, PollFlags::IN)], None)?;
        let length = rustix::io::read(&inotify, &mut buffer)?;
        count(&buffer[..length], &folders, &mut tally);
    }
}

pub(super) async fn watch_on_tokio(folder: &Path, recursive: bool, mut tally: Tally) -> Result<()> {
    let (inotify, folders) = start(folder, recursive)?;
    #[allow(deprecated, reason = "an `OwnedFd` does not change its descriptor")]
    let inotify = AsyncFd::with_interest(inotify, Interest::READABLE)?;
    tally.mark();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut readiness = inotify.readable().await?;
        let length = rustix::io::read(&inotify, &mut buffer)?;
        // Otherwise there may be more events, and the poller signals readiness only once.
        if length + LARGEST <= buffer.len() {
            readiness.clear_ready();
        }
        count(&buffer[..length], &folders, &mut tally);
    }
}

fn start(folder: &Path, recursive: bool) -> Result<(OwnedFd, HashMap<i32, PathBuf>)> {
    let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let mut folders = HashMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let wd = inotify::add_watch(&inotify, &folder, QUIET)?;
        if recursive {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    pending.push(entry.path());
                }
            }
        }
        folders.insert(wd, folder);
    }
    // Not before, or the listing of a large tree would fill the kernel's queue.
    for folder in folders.values() {
        inotify::add_watch(&inotify, folder, EVENTS)?;
    }
    Ok((inotify, folders))
}

/// Parses the bytes read, joins the path of each event, and counts the event.
fn count(mut bytes: &[u8], folders: &HashMap<i32, PathBuf>, tally: &mut Tally) {
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
        let word = |i: usize| u32::from_ne_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
        let (name, rest) = rest.split_at(word(12) as usize);
        bytes = rest;
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let kind = kind(ReadFlags::from_bits_retain(word(4)));
        match folders.get(&word(0).cast_signed()) {
            Some(folder) => tally.event(kind, &folder.join(OsStr::from_bytes(name))),
            None => tally.event(kind, Path::new("")),
        }
    }
}

fn kind(flags: ReadFlags) -> Kind {
    const ACCESS: ReadFlags = ReadFlags::OPEN
        .union(ReadFlags::ACCESS)
        .union(ReadFlags::CLOSE_WRITE)
        .union(ReadFlags::CLOSE_NOWRITE);

    if flags.contains(ReadFlags::CREATE) {
        Kind::Create
    } else if flags.intersects(ACCESS) {
        Kind::Access
    } else if flags.intersects(ReadFlags::MODIFY | ReadFlags::ATTRIB) {
        Kind::Modify
    } else if flags.contains(ReadFlags::DELETE) {
        Kind::Remove
    } else {
        Kind::Other
    }
}
