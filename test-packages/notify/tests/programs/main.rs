//! The same programs with notify's own watcher and with the adapter, and the events that they get.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has to fail")]

mod answers;
mod debouncers;
mod events;
mod fixed;
mod folder;
mod settings;

use notify::RecommendedWatcher;
use notify_backend::adapter::NotifyWatcher;
use notify_backend_inotify::InotifyBackend;

use self::{fixed::Fixed, folder::Folder};

/// Notify's own watcher on inotify.
type Notify = RecommendedWatcher;
/// The backend, one instance for all paths.
type Ours = NotifyWatcher<InotifyBackend>;
/// The backend, one instance per path.
type OursForEach = NotifyWatcher<Fixed>;
