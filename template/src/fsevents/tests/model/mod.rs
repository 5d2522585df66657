//! A model of FSEvents, on Linux's real files: [`Model`].
//!
//! What happens to files comes from inotify; what the service says about it follows the rules below. It is one service
//! for all streams of the process, and goes on when they end, as that of macOS does.
//!
//! The header is Apple's `FSEvents.h`, 2006-2014 with the additions up to macOS 13. What it does not say comes from issues
//! of those who have used it.
//!
//! | rule | source |
//! |---|---|
//! | flags are no log of what happened | `FSEventStreamEventFlags`: "simply hints about the sort of operations that occurred at that path" |
//! | events are about files, with their paths | `kFSEventStreamCreateFlagFileEvents`: "events about individual files in the hierarchy you're watching" |
//! | the events of a path within the latency are one, with all flags, and the id of the last | `latency` of `FSEventStreamCreate`: "temporal coalescing"; `eventIds`: "from the most recent event being reported"; fsevents/fsevents#31 |
//! | flags stay with a path for half a minute, also for later streams | notify-rs/notify#147, parcel-bundler/watcher#116 |
//! | a rename is the same flag at both paths; what is in a renamed folder has no events | `ItemRenamed`: "a file system object was renamed at the specific path supplied in this event"; notify-rs/notify's translation of it |
//! | a write is reported when the file is closed | notify-rs/notify#240 |
//! | a stream begins with the events since an id, one for each path, and `HistoryDone` | `FSEventStreamStart`; `HistoryDone`: "will not be sent if kFSEventStreamEventIdSinceNow was passed" |
//! | of a volume without a history, a stream has no events of before it began | `FSEventsCopyUUIDForDevice`: NULL "indicates that historical events are not available" |
//! | too many events become `MustScanSubDirs` for a folder above them | `MustScanSubDirs`: "coalesced hierarchically" |
//! | if a requested path, or a folder above it, is renamed, removed or created, that is `RootChanged` | `kFSEventStreamCreateFlagWatchRoot`: "the path for the event is the original path you specified", "event ID is zero" |
//! | ids begin again with `EventIdsWrapped`; the volume's history is then another one | `EventIdsWrapped`: "no longer valid arguments for the sinceWhen parameter"; `FSEventsCopyUUIDForDevice` |
//! | `UserDropped` and `KernelDropped`: anything may have been lost, whatever the path is | "must do a full scan of any directories being monitored by this stream"; `eventPaths`: "might be /" |
//! | a mount and its end are events of that folder | `Mount` and `Unmount`: "the path to the newly-mounted volume" |
//! | what is waiting is delivered before a flush returns | `FSEventStreamFlushSync`: "clients will have received all the callbacks" |
//!
//! # Where it is no FSEvents
//!
//! - It knows of changes of a path from the moment on when that is asked about, and of each change at once, whereas
//!   macOS knows of all, a moment later (libuv/libuv#986).
//! - Of a requested path itself, there is no event when it comes or goes, only `RootChanged`. macOS may have both.
//! - All metadata are `ItemInodeMetaMod`. Clones and links to files have no flags, and of mounts only the end has one.
//! - Events of the past are complete. The header says that "some events may get skipped due to the way they are stored"
//!   (`kFSEventStreamCreateFlagFullHistory`).
//! - If inotify's own queue overflows, that is `KernelDropped`.

#![allow(dead_code, reason = "each test program uses a part of it")]

mod paths;
mod service;

use std::{io, path::Path, time::Duration};

use notify_backend::{Cursor, prelude::*, settings::Maker};

use crate::backend::{Deliver, EventId, Flags, History, Request, Settings, StreamBackend, Streams};

use self::service::Service;

/// The service as the backend knows it.
#[derive(Debug)]
pub(crate) struct Model(());

/// A running stream.
#[derive(Debug)]
pub(crate) struct Running(u64);

impl Streams for Model {
    type Stream = Running;

    fn new() -> io::Result<Self> {
        Service::get()?;
        Ok(Self(()))
    }

    fn current(&self) -> EventId {
        running().current()
    }

    fn history(&self, path: &Path) -> Option<History> {
        running().history(path)
    }

    fn start(&self, request: &Request, deliver: Deliver) -> io::Result<Running> {
        Ok(Running(running().start(request.clone(), deliver)))
    }

    fn flush(&self, stream: &Running) {
        running().flush(stream.0);
    }
}

/// Makes the backend with a latency that is shorter than by default, or the compliance suite would mostly wait for it.
#[derive(Debug)]
pub(crate) struct Quick;

impl Quick {
    fn settings() -> Settings {
        Settings::default().latency(Duration::from_millis(4))
    }
}

impl Maker for Quick {
    type Backend = StreamBackend<Model>;

    fn make(watches: Vec<Watch>) -> Result<Self::Backend, BackendError> {
        StreamBackend::with_settings(Self::settings(), watches)
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self::Backend, BackendError> {
        StreamBackend::resume_with_settings(Self::settings(), watches, from)
    }

    const RESUMES: bool = true;
}

impl Drop for Running {
    fn drop(&mut self) {
        running().stop(self.0);
    }
}

/// Starts the service of the process, which goes on until that ends.
pub(crate) fn start() -> io::Result<()> {
    Service::get()?;
    Ok(())
}

/// Has the service forget its history, as when a volume is erased.
pub(crate) fn forget(_: &Path) -> io::Result<()> {
    Service::get()?.forget();
    Ok(())
}

/// Has the service keep a history from now on, or none, as of a volume that has a file `.fseventsd/no_log`.
pub(crate) fn keep_history(is_kept: bool) {
    running().keep_history(is_kept);
}

/// Has the service begin its ids again.
pub(crate) fn wrap_ids() {
    running().wrap_ids();
}

/// Has the service lose the events that wait in all streams, and say so with these flags.
pub(crate) fn lose(path: &Path, flags: Flags) {
    running().lose(path, flags);
}

fn running() -> &'static Service {
    Service::get().expect("it was started when the backend was made")
}

/// How long flags stay with a path.
const STICKY: Duration = Duration::from_secs(30);

/// How many events wait in a stream before they become one.
const LIMIT: usize = 4096;
