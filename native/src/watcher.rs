//! The backends as a watcher of the `notify` crate: feature `notify`.

use notify::{Config, EventHandler, Watcher};
use notify_backend::{adapter::NotifyWatcher, fallback::FirstOf};

use crate::platform;

/// The best backend for programs that are written for notify, as a [`notify::Watcher`].
///
/// It replaces [`notify::RecommendedWatcher`]. Which type it stands for depends on the platform, and may change
/// in minor versions. Notify's watchers follow links by default, so on Linux its candidates are inotify and
/// polling; for a program that needs no links, `NotifyWatcher<NativeBackend>` has fanotify too. On Windows,
/// links are not followed.
pub type RecommendedWatcher = NotifyWatcher<FirstOf<platform::ForNotify>>;

/// Creates a watcher with the default configuration. It replaces [`notify::recommended_watcher`].
///
/// ```
/// use notify::{RecursiveMode, Watcher};
/// use notify_backend_native::recommended_watcher;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let (sender, events) = std::sync::mpsc::channel();
/// let mut watcher = recommended_watcher(sender)?;
/// watcher.watch(folder.path(), RecursiveMode::Recursive)?;
///
/// std::fs::write(folder.path().join("new"), "")?;
/// assert_eq!(events.recv()??.paths, [folder.path().join("new")]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the watcher's thread or its runtime cannot be started.
pub fn recommended_watcher<F: EventHandler>(
    event_handler: F,
) -> notify::Result<RecommendedWatcher> {
    RecommendedWatcher::new(event_handler, Config::default())
}
