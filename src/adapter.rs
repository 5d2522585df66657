//! Any backend as a watcher of the `notify` crate: feature `notify`.
//!
//! A program that is written against [`notify::Watcher`] takes a backend by naming it, and so does
//! what is built on that trait, such as the debouncers:
//!
//! ```no_run
//! # use notify_backend::prelude::*;
//! # #[derive(Debug)]
//! # struct Acme;
//! # impl Backend for Acme {
//! #     fn new(_: Vec<Watch>) -> Result<Self, BackendError> { Ok(Acme) }
//! #     fn capabilities() -> Capabilities { Capabilities::NONE }
//! #     fn name() -> &'static str { "acme/acme" }
//! # }
//! # impl Stream for Acme {
//! #     type Item = StreamItem;
//! #     fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
//! #         Poll::Ready(None)
//! #     }
//! # }
//! use notify::{Config, RecursiveMode, Watcher};
//! use notify_backend::adapter::NotifyWatcher;
//!
//! # fn main() -> notify::Result<()> {
//! let (sender, events) = std::sync::mpsc::channel();
//! let mut watcher = NotifyWatcher::<Acme>::new(sender, Config::default())?;
//! watcher.watch(Path::new("/srv/www"), RecursiveMode::Recursive)?;
//! for event in events {
//!     println!("{:?}", event?);
//! }
//! # Ok(())
//! # }
//! ```

mod error;
mod instance;
#[cfg(not(feature = "notify-9"))]
mod paths;
mod shared;
#[cfg(test)]
mod tests;
mod thread;
mod watcher;

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::RecursiveMode;
use tokio::runtime::Handle;

use self::{instance::Instance, shared::Shared};
use crate::{
    backend::{About, Backend, Watch},
    capability::Capability,
    error::BackendError,
    settings::Hints,
};

/// A [`notify::Watcher`] that gets its events from the backend `B`.
///
/// # Paths
///
/// A relative path is taken below the current folder and reported as an absolute one, as notify's
/// own watchers do. Several paths share one instance of a backend that declares
/// [`Capability::ChangeWatches`], and have one each of any other. Instances are made when the first
/// path is watched, and again after the stream of one has ended, which is an error with all its paths
/// if they share it.
///
/// - A recursive watch of a folder is an error where the backend does not declare
///   [`Capability::WatchRecursively`].
/// - Without recursion, a folder's direct entries are passed on, and nothing else that a backend
///   may report.
/// - A path that is watched already takes the new mode; one [`unwatch`](Watcher::unwatch) ends it.
/// - Paths that are added by `paths_mut` of notify 8 are added all at once by its `commit`, or none of them
///   ([`Backend::watch_all`]). A missing path is an error when it is added.
/// - [`unwatch`](Watcher::unwatch) of a folder inside a recursively watched one excludes it, as with notify's
///   inotify watcher: what happens in it is not told any more, until it is gone, or watched again. The backend
///   watches it anyway: calls of the handler are saved, and none of the platform's watches.
/// - The watch of a path that is removed ends with that. To watch it again once it is there, call
///   [`watch`](Watcher::watch) again.
///
/// # Events
///
/// As from notify's inotify watcher, but for accesses: a rename is the event of the old name, that of
/// the new name, and a third one, [`Both`](crate::event::RenameMode::Both), with both names, where the
/// backend relates the two ([`Capability::TrackRelated`]). Each instance relates its own events only.
/// [`EventKind::Missed`](crate::EventKind::Missed) is a rescan event, with the path that it concerns if
/// that is not everything. The source of an event is part of its info, and errors have the paths that
/// they are about.
///
/// A debouncer may pass on less: of several rescan events, `notify-debouncer-full` 0.7 keeps the latest.
/// Its programs look at everything when they get one, whatever path it has.
///
/// # Threads
///
/// Each watcher has one thread, with a Tokio runtime for the backend, which calls the handler
/// outside of that runtime. Nothing waits for the handler for long: it may call the watcher's
/// methods, wait for a thread that calls them, or drop the watcher. While it runs, events wait in
/// the backend.
///
/// Once [`unwatch`](Watcher::unwatch) has returned, the backend has freed what watched the path, and
/// the handler hears no more of it, as with notify's own watchers. If the handler is being called at
/// that moment, `unwatch` waits until it returns. Notify's own wait for ever, and so stand still if
/// the handler waits for their caller, such as for room in a channel that the caller reads; here it
/// is 100 ms at most, once for each call of the handler, and only a call that takes longer goes on
/// after that.
///
/// While the backend adds or removes a path, it is not read: where that waits for a walk through a tree or
/// for a server, the handler of other paths waits too. Only what is watched by an instance of its own is
/// added meanwhile.
///
/// The drop waits for nothing. Once it has returned, all is freed, and nothing but a call that is
/// under way still reaches the handler. The thread ends, and drops the handler, when that returns.
///
/// If the handler panics, it is not called again, all is freed, and the watcher's methods answer
/// with an error that says so.
///
/// # Cost
///
/// The thread that reads the backend calls the handler: there is no channel in between. It allocates
/// what notify's events are made of: for an event without attributes its list of paths, which is one
/// allocation, and eight for the three events of a rename, since each has a list and a tracker, which
/// notify's event keeps in a box, and the third has copies of both paths. It allocates nothing else,
/// but a copy of the path for the first half of a rename whose second half never comes. Notify's own
/// inotify watcher allocates more for the same changes: `cargo test --test memory beside_notify --
/// --nocapture` prints how much.
///
/// # Configuration
///
/// Symbolic links are followed where the configuration says so, as it does by default, and the backend
/// declares [`Capability::FollowSymlinks`]. Accesses are not asked for, since notify 8 has no setting for
/// them: a program that waits for the `Access(Close(Write))` of notify's inotify watcher does not get it.
/// Its poll interval and whether to compare contents are [hints](Backend::with_hints) for the backend. The
/// interval that notify's configuration has by default, 30 seconds, counts as none: the backend chooses.
/// There is no polling by hand. Settings that notify does not know reach the backend by a
/// [`Maker`](crate::settings::Maker): `NotifyWatcher<Made<Fast>>`.
///
/// [`configure`](Watcher::configure) changes nothing and returns `Ok(false)`.
#[derive(Debug)]
#[must_use = "a watcher that is dropped watches nothing"]
pub struct NotifyWatcher<B: Backend> {
    shared: Arc<Shared<B>>,
    runtime: Handle,
    follow_links: bool,
    hints: Hints,
}

impl<B: Backend> NotifyWatcher<B> {
    /// What the backend is called and promises; `None` while nothing is watched. Where each path has an
    /// instance of its own, what one of them says.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        Some(self.shared.lock().ok()?.instances.first()?.about())
    }

    /// Whether all paths are watched by the same instance.
    fn has_one_instance() -> bool {
        B::capabilities().contains(Capability::ChangeWatches)
    }

    /// What is asked of the backend for `path`.
    fn wish(&self, path: &Path, recursive_mode: RecursiveMode) -> notify::Result<Watch> {
        let path = absolute(path)?;
        let mut recursive = recursive_mode == RecursiveMode::Recursive;
        if recursive && !B::capabilities().contains(Capability::WatchRecursively) {
            if path.is_dir() {
                return Err(
                    BackendError::not_supported(Capability::WatchRecursively, [path]).into()
                );
            }
            // For a file the mode means nothing.
            recursive = false;
        }
        let watch = Watch::non_recursive(path).recursive_if(recursive);
        Ok(if self.follow_links { watch.following_links() } else { watch })
    }

    /// Adds all of these, or none that is not watched already.
    fn add(&self, watches: Vec<Watch>) -> notify::Result<()> {
        let _inside = self.runtime.enter();
        let has_one_instance = Self::has_one_instance();
        if has_one_instance && let Some(instance) = self.shared.lock()?.instances.first_mut() {
            return Ok(instance.watch(watches)?);
        }
        let parts: Vec<_> = if has_one_instance {
            vec![watches]
        } else {
            watches.into_iter().map(|watch| vec![watch]).collect()
        };
        // Without the lock, so that the other instances go on meanwhile.
        let make = |watches: Vec<_>| {
            Ok(Instance::new(B::with_hints(watches.clone(), &self.hints)?, watches))
        };
        let instances = parts.into_iter().map(make).collect::<Result<_, BackendError>>()?;
        // Dropped after the lock.
        let _replaced = self.shared.lock()?.replace(instances);
        Ok(())
    }

    fn remove(&self, path: &Path) -> notify::Result<()> {
        let _inside = self.runtime.enter();
        let mut state = self.shared.lock()?;
        let mut removed = None;
        if Self::has_one_instance()
            && let Some(instance) = state.instances.first_mut()
            && instance.watches(path)
        {
            instance.unwatch(path)?;
        } else {
            removed = state.take(path);
            if removed.is_none() && !state.exclude(path) {
                return Err(BackendError::not_watched(path).into());
            }
        }
        state.forget(path);
        self.shared.await_call(state);
        // Without the lock.
        drop(removed);
        Ok(())
    }
}

impl<B: Backend> Drop for NotifyWatcher<B> {
    fn drop(&mut self) {
        drop(self.shared.end(shared::End::Dropped));
        self.shared.wake();
    }
}

/// The path as notify's watchers report it.
fn absolute(path: &Path) -> notify::Result<PathBuf> {
    if path.is_absolute() { Ok(path.to_owned()) } else { Ok(env::current_dir()?.join(path)) }
}
