//! A file-system notification backend on FSEvents, for macOS. {%- capture source %}
//!
//! A service of the system reports that something may have happened at a path, also while this program did not
//! run. What it was, the flags do not say for certain: they are collected over half a minute. So this backend keeps a
//! listing of all that is watched, looks where an event points to, and compares:
//! [`listing`](notify_backend::listing) does that.
//!
//! This file is the backend's outside. `streams.rs` says what is needed of the system, and `fsevents.rs` has its calls.
//! `inbox.rs` collects what is delivered, `watcher.rs` is the thread that looks. `places.rs` knows where the watched
//! paths really are, `position.rs` where the stream stands, and `past.rs` what happened before it. On a system without
//! FSEvents, the crate compiles, and the backend is [unavailable](BackendError::Unavailable).
//!
//! # How it was tested
//!
//! No Mac was at hand. On Linux, everything but `fsevents.rs` runs against a model of FSEvents, in `tests/model`: with
//! it, the backend passes the compliance suite. `fsevents.rs` was compiled and linted for macOS, and neither linked
//! nor run. On macOS, the same tests use FSEvents itself.
//!
//! # Limits and details
//!
//! - The service **collects** events for 20 milliseconds ([`Settings`]). A change that is undone before the backend looks
//!   is not reported, and the order of changes is lost: see [`Trees`](notify_backend::listing::Trees). All that is
//!   watched is listed when the watch begins, which takes time and memory.
//! - **Writes** are reported when the file is closed. One that leaves no trace in size or times is not, as two within a
//!   second on HFS+.
//! - After a look that took long, the thread rests as long, so that looking takes half a core at most. There are no
//!   looks while the stream is not read.
//! - **Renames** are recognised by device and inode. Both paths have to be in one look, so the waiting events are
//!   requested first.
//! - **Losses** below a folder (`MustScanSubDirs`) are a `Missed` for it, all others one for everything. What can be
//!   found by a look is reported after it.
//! - All paths share **one stream**. If that has to watch others, another one begins where it was.
//! - A watched **file** is watched with its folder and all that is below that.
//! - A **cursor** has the id of the last event, and the identity of each volume's history. What happened since then is
//!   reported by flags: a file that was created within half a minute before the cursor was taken, and changed after it,
//!   may be reported as created. A volume without a history, as one that cannot be written to, cannot be resumed: its paths
//!   begin with a `Missed`. If watches change while such a path is watched, everything is looked at again.
//! - Apple's header says that events near a cursor "may get skipped due to the way they are stored". The flag against
//!   it (`kFSEventStreamCreateFlagFullHistory`) would bring back earlier events too, and a resumed stream repeats
//!   nothing. So the backend does not set it.
//! - **Links** are not followed. A watched link is an entry of its folder.
//! - A watched path that is gone is watched again when it is back.
//! - What other machines do on a network file system is not reported, nor are accesses.
//! - Paths that are not UTF-8 cannot be watched. The file systems of macOS have none.
//! - The **stream** ends only if the thread has panicked, after an error item.

mod fsevents;
mod inbox;
mod past;
mod places;
mod position;
mod settings;
mod streams;
mod watcher;

use std::io;

use notify_backend::{Cursor, check_paths, prelude::*};

pub use crate::{
    fsevents::FsEvents,
    settings::Settings,
    streams::{Deliver, EventId, Flags, FsEvent, History, Request, SINCE_NOW, Streams},
};
use crate::{position::Stored, watcher::Watcher};

const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::TrackRelated,
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::ChangeWatches,
    Capability::Resume,
]);

/// Watches paths through the system's FSEvents.
pub type FsEventsBackend = StreamBackend<FsEvents>;

/// Watches paths through any service that has such streams.
#[derive(Debug)]
pub struct StreamBackend<S: Streams> {
    watcher: Watcher<S>,
}

impl<S: Streams> StreamBackend<S> {
    /// As [`new`](Backend::new), but with settings other than the default.
    pub fn with_settings(settings: Settings, watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::open(settings, watches, None)
    }

    /// As [`resume`](Backend::resume), but with settings other than the default.
    pub fn resume_with_settings(
        settings: Settings,
        watches: Vec<Watch>,
        from: &Cursor,
    ) -> Result<Self, BackendError> {
        let stored = Stored::of(Self::name(), from)?;
        Self::open(settings, watches, Some(stored))
    }

    fn open(
        settings: Settings,
        watches: Vec<Watch>,
        stored: Option<Stored>,
    ) -> Result<Self, BackendError> {
        check_paths(&watches, CAPABILITIES)?;
        let backend = Self { watcher: Watcher::new(settings).map_err(explain)? };
        backend.watcher.begin(watches, stored)?;
        Ok(backend)
    }
}

impl<S: Streams> Backend for StreamBackend<S> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_settings(Settings::default(), watches)
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError> {
        Self::resume_with_settings(Settings::default(), watches, from)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/fsevents"
    }

    fn cursor(&self) -> Option<Cursor> {
        Some(self.watcher.cursor(Self::name()))
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.watch_all(vec![watch])
    }

    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        for watch in &watches {
            watch.check(CAPABILITIES)?;
        }
        self.watcher.watch(watches)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.watcher.unwatch(path)
    }
}

impl<S: Streams> Stream for StreamBackend<S> {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.watcher.poll_next(cx)
    }
}

/// Converts the error with which the service could not be reached or the thread not be started.
fn explain(error: io::Error) -> BackendError {
    match BackendError::from_io(PathBuf::new(), error) {
        limit @ BackendError::InstanceLimit { .. } => limit,
        error => BackendError::unavailable(format!("FSEvents cannot be used: {error}")),
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "FsEventsBackend", type_name | replace: "your-namespace/fsevents", backend_name -}}
