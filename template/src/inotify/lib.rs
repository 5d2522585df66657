//! A file-system notification backend on Linux's inotify. {%- capture source %}
//!
//! Folders are watched one by one; [`recursion`](notify_backend::recursion) keeps track of them, and
//! of watched files. This file is the backend's outside; `kernel.rs` has the platform's flags and
//! calls, and `settings.rs` the settings.
//!
//! # Limits and details
//!
//! - A watched **file** is watched by its name, as long as its folder stays where it is: the file may be
//!   replaced, removed and made again. The folder has to be readable.
//! - A watched **folder** is watched until it is removed, renamed or unmounted; that is its last
//!   event.
//! - The **stream** ends only if reading fails, as it does once the Tokio runtime has ended.
//! - If the kernel's queue overflows (`fs.inotify.max_queued_events`), all watched trees are
//!   compared with the disk; then a `Missed` is reported.
//! - If a watch asks for links to be followed, links to folders are followed, unless the same tree already
//!   has the folder.
//! - Accesses are requested from the kernel only if a watch asks for them, and the closing of written files also
//!   if [`Settings::report_closes`] or a hint does. Opening or reading a folder, by
//!   listing it, is not reported.
//! - While new folders are listed, and all of them after a loss, accesses to files in them are not reported:
//!   listing opens and reads folders, and events for that would fill the kernel's queue.
//! - The kernel does not report changes through memory maps, and on a network file system it reports only
//!   changes that this machine makes. A watched path there is refused, unless
//!   [`Settings::watch_networked`] allows it; file systems mounted below a watched path are not checked.

mod kernel;
mod settings;

use std::{ops::Range, slice, task::ready};

use notify_backend::{prelude::*, recursion::Folders, settings::Hints};
use rustix::fs::inotify::ReadFlags;

use crate::kernel::{Kernel, RawEvent, explain};
pub use crate::settings::Settings;

/// The number of small steps before other tasks get their turn.
const STEPS: usize = 64;

/// The number of events that are taken together: a file that one of them removes needs no look.
const AT_ONCE: usize = 64;

/// Watches paths through inotify and streams what happens to them.
#[derive(Debug)]
pub struct InotifyBackend {
    folders: Folders<Kernel>,
    // The bytes that were read, and the range of those that are still to be taken.
    buffer: Box<[u8]>,
    unread: Range<usize>,
    // Whether nothing more can be read.
    has_ended: bool,
    settings: Settings,
}

/// The promises, each of which the compliance tests check.
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

impl InotifyBackend {
    /// As [`new`](Backend::new), but with settings other than the default.
    pub fn with_settings(settings: Settings, watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_watches(&watches, CAPABILITIES)?;
        if !Path::new("/proc/self/fd").exists() {
            let reason = "the inotify backend needs the proc file system at /proc";
            return Err(BackendError::unavailable(reason));
        }
        settings.check(&watches)?;
        let kernel = Kernel::new(settings.reports_closes())
            .map_err(|error| explain(PathBuf::new(), error))?;
        let mut backend = Self {
            folders: Folders::new(kernel).reporting_closes(settings.reports_closes()),
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
            unread: 0..0,
            has_ended: false,
            settings,
        };
        for watch in watches {
            backend.folders.watch(watch)?;
        }
        Ok(backend)
    }
}

impl Backend for InotifyBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_settings(Settings::default(), watches)
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        Self::with_settings(hints.into(), watches)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/inotify"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::ended());
        }
        watch.check(CAPABILITIES)?;
        self.settings.check(slice::from_ref(&watch))?;
        self.folders.watch(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::ended());
        }
        self.folders.unwatch(path)
    }
}

impl Stream for InotifyBackend {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let Self { folders, buffer, unread, has_ended, .. } = self.get_mut();
        loop {
            if folders.step(STEPS) {
                // Other tasks get their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(item) = folders.next() {
                return Poll::Ready(Some(item));
            }
            if *has_ended {
                return Poll::Ready(None);
            }
            let mut taken = 0;
            while let Some(event) = RawEvent::take(buffer, unread) {
                if event.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                    folders.lose();
                } else if let Some(meaning) = event.meaning() {
                    folders.apply(event.wd, meaning);
                }
                taken += 1;
                if taken == AT_ONCE {
                    break;
                }
            }
            if taken == 0 {
                match ready!(folders.watcher().poll_read(cx, buffer)) {
                    Ok(reading) => *unread = 0..reading.bytes,
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
