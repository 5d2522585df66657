//! A file-system notification backend on Linux's inotify. {%- capture source %}
//!
//! Folders are watched one by one; [`recursion`](notify_backend::recursion) keeps track of them.
//! This file is the backend's outside. `watched.rs` says what each event means for what is watched,
//! with `renames.rs` for folders on their way and `files.rs` for watched files; `kernel.rs` holds the
//! platform's flags and calls, and `settings.rs` what can be chosen.
//!
//! # What it does at the edges
//!
//! - A watched **file** is watched by its name, for as long as the folder that it is in stays where
//!   it is: it may be replaced, removed and made again. That folder has to be readable.
//! - A watched **folder** is watched until it is removed, renamed or unmounted; that is its last
//!   event.
//! - The **stream** ends only if reading fails, as it does once the Tokio runtime has ended.
//! - Where the kernel's queue overflows (`fs.inotify.max_queued_events`), all watched trees are
//!   compared with what is on disk; then comes a `Missed`.
//! - Where a watch asks for links to be followed, those to folders are, each where it leads to a
//!   folder that the same tree does not hold already.
//! - Accesses are asked of the kernel only while a watch asks for them. That a folder is opened or
//!   read, by listing it, is not reported.
//! - While new folders are listed, and all of them after a loss, nothing tells of files in them that
//!   are opened and read: to list folders opens and reads them, and to hear of that as well would
//!   fill the kernel's queue.
//! - Changes through memory maps are not reported by the kernel, and of a network file system only those
//!   that this machine makes. A watched path there is refused, unless [`Settings::watch_networked`] allows
//!   it; what is mounted below a watched path is not looked at.

mod files;
mod kernel;
mod renames;
mod settings;
mod watched;

use std::{fs, io, ops::Range, slice, task::ready};

use notify_backend::prelude::*;

pub use crate::settings::Settings;
use crate::{
    kernel::{Kernel, RawEvent},
    watched::{Watched, explain},
};

const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::EmitOnAccess,
    Capability::FollowSymlinks,
    Capability::TrackRelated,
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::ChangeWatches,
]);

/// Watches paths through inotify.
#[derive(Debug)]
pub struct InotifyBackend {
    // What was read, and the part of it that was not looked at yet.
    buffer: Box<[u8]>,
    unread: Range<usize>,
    // Whether that was all the kernel had.
    is_drained: bool,
    // Whether nothing more can be read.
    has_ended: bool,
    settings: Settings,
    watched: Watched,
}

impl InotifyBackend {
    /// As [`new`](Backend::new), but with settings other than the default.
    pub fn with_settings(settings: Settings, watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_watches(&watches)?;
        if !Path::new("/proc/self/fd").exists() {
            let reason = "the inotify backend needs the proc file system at /proc";
            return Err(BackendError::unavailable(reason));
        }
        settings.check(&watches)?;
        let kernel = Kernel::new().map_err(|error| explain(PathBuf::new(), error))?;
        let mut backend = Self {
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
            unread: 0..0,
            is_drained: false,
            has_ended: false,
            settings,
            watched: Watched::new(kernel),
        };
        for watch in watches {
            backend.add(watch)?;
        }
        Ok(backend)
    }

    fn add(&mut self, watch: Watch) -> Result<(), BackendError> {
        watch.check(CAPABILITIES)?;
        match metadata(&watch) {
            Ok(metadata) => self.watched.add(watch, metadata.is_dir()),
            Err(error) => Err(explain(watch.path, error)),
        }
    }
}

impl Backend for InotifyBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_settings(Settings::default(), watches)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/inotify"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::Ended);
        }
        self.settings.check(slice::from_ref(&watch))?;
        self.add(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::Ended);
        }
        if self.watched.remove(path) { Ok(()) } else { Err(BackendError::not_watched(path)) }
    }
}

/// Of the watched path, or of what it leads to if links are followed.
fn metadata(watch: &Watch) -> io::Result<fs::Metadata> {
    if watch.follow_links { fs::metadata(&watch.path) } else { fs::symlink_metadata(&watch.path) }
}

impl Stream for InotifyBackend {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let Self { buffer, unread, is_drained, has_ended, watched, .. } = self.get_mut();
        loop {
            if let Some(item) = watched.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            if *has_ended {
                return Poll::Ready(None);
            }
            if watched.is_scanning() {
                // Before the kernel's further events, some of which it anticipates.
                watched.scan();
                if watched.ready.is_empty() {
                    // Other tasks get their turn.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            } else if let Some(event) = RawEvent::take(buffer, unread) {
                watched.apply(&event);
            } else {
                if std::mem::take(is_drained) {
                    watched.settle();
                    continue;
                }
                match ready!(watched.poll_read(cx, buffer)) {
                    Ok(reading) => (*unread, *is_drained) = (0..reading.bytes, reading.is_drained),
                    Err(error) => {
                        *has_ended = true;
                        return Poll::Ready(Some(Err(StreamError::read(error))));
                    }
                }
            }
        }
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "InotifyBackend", type_name | replace: "your-namespace/inotify", backend_name -}}
