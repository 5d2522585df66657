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
#[cfg(target_os = "linux")]
use notify_backend_inotify::InotifyBackend as OfPlatform;
#[cfg(windows)]
use notify_backend_windows::WindowsBackend as OfPlatform;

use self::{fixed::Fixed, folder::Folder};

/// Notify's own watcher for the platform.
type Notify = RecommendedWatcher;
/// The backend, one instance for all paths.
type Ours = NotifyWatcher<OfPlatform>;
/// The backend, one instance per path.
type OursForEach = NotifyWatcher<Fixed>;
