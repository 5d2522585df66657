//! The trait that programs written for notify use.

use std::{path::Path, sync::Arc};

use notify::{Config, EventHandler, RecursiveMode, Watcher, WatcherKind};

#[cfg(not(feature = "notify-9"))]
use super::paths::Paths;
use super::{NotifyWatcher, absolute, shared::Shared, thread};
use crate::contract::{backend::Backend, capability::Capability, settings::Hints};

impl<B: Backend> Watcher for NotifyWatcher<B> {
    fn new<F: EventHandler>(event_handler: F, config: Config) -> notify::Result<Self> {
        let follow_links =
            config.follow_symlinks() && B::capabilities().contains(Capability::FollowSymlinks);
        let shared = Arc::new(Shared::new());
        let runtime = thread::start(shared.clone(), event_handler)?;
        Ok(Self { shared, runtime, follow_links, hints: hints(&config) })
    }

    fn watch(&mut self, path: &Path, recursive_mode: RecursiveMode) -> notify::Result<()> {
        self.add(vec![self.wish(path, recursive_mode)?])?;
        self.shared.wake();
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) -> notify::Result<()> {
        self.remove(&absolute(path)?)
    }

    /// Adds paths when they are committed, all at once or none of them; without a commit, none is added.
    /// Removes paths immediately.
    // Of notify 8.
    #[cfg(not(feature = "notify-9"))]
    fn paths_mut<'me>(&'me mut self) -> Box<dyn notify::PathsMut + 'me> {
        Box::new(Paths::of(self))
    }

    fn configure(&mut self, _option: Config) -> notify::Result<bool> {
        Ok(false)
    }

    /// Returns notify's kind for the facility in the backend's name, or [`WatcherKind::NullWatcher`] if
    /// notify has no kind for it. For a choice, it is the kind of the best [candidate](Backend::candidates) that
    /// has one; [`about`](NotifyWatcher::about) names the chosen one.
    fn kind() -> WatcherKind {
        let mut kinds = B::candidates().into_iter().filter_map(|candidate| kind_of(candidate.name));
        kinds.next().unwrap_or(WatcherKind::NullWatcher)
    }
}

fn kind_of(name: &str) -> Option<WatcherKind> {
    Some(match name.rsplit('/').next()? {
        "inotify" => WatcherKind::Inotify,
        "fsevents" | "fsevent" => WatcherKind::Fsevent,
        "kqueue" => WatcherKind::Kqueue,
        "poll" => WatcherKind::PollWatcher,
        "windows" => WatcherKind::ReadDirectoryChangesWatcher,
        _ => return None,
    })
}

/// Returns the hints in notify's configuration.
fn hints(config: &Config) -> Hints {
    let interval = config.poll_interval();
    // The default means that the program has not set it: the backend chooses.
    let interval = interval.filter(|_| interval != Config::default().poll_interval());
    let mut hints = Hints::default().with_compare_contents(config.compare_contents());
    hints.poll_interval = interval;
    // Programs wait for it that were tested with notify's inotify watcher.
    hints.report_closes = true;
    hints
}
