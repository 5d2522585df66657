//! The same programs on notify's own watcher and on the adapter, and what they are told.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

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

/// What notify itself makes of inotify.
type Notify = RecommendedWatcher;
/// The backend, one instance for all paths.
type Ours = NotifyWatcher<InotifyBackend>;
/// The backend, one instance for each path.
type OursForEach = NotifyWatcher<Fixed>;
