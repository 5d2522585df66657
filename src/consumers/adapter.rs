//! Any backend as a watcher of the `notify` crate: feature `notify`.
//!
//! A program that is written for [`notify::Watcher`] uses a backend by naming its type, and so does code
//! that is built on that trait, such as the debouncers:
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
use crate::contract::{
    backend::{About, Backend, Watch, is_remote},
    capability::Capability,
    error::BackendError,
    settings::Hints,
};

/// A [`notify::Watcher`] that gets its events from the backend `B`.
///
/// # Paths
///
/// A relative path is resolved in the current folder and reported as an absolute one, as notify's
/// own watchers do. If the backend declares [`Capability::ChangeWatches`], all paths share one instance of
/// it; otherwise each path has its own. An instance is made when the first path is watched, and again after
/// its stream has ended. If paths share the instance, that end is an error with all its paths.
///
/// A choice, such as [`FirstOf`](crate::fallback::FirstOf), may have several instances, each with another
/// backend: one for the paths on this machine, one for those on
/// [network file systems](crate::is_networked), and another one when a path is added that these cannot watch,
/// for example at a limit. So `watch` fails only if no candidate can watch the path. Paths that `paths_mut` adds
/// at once, on the same side of the network, get the same instance.
///
/// - A recursive watch of a folder is an error if the backend does not declare
///   [`Capability::WatchRecursively`].
/// - Without recursion, a folder's direct entries are passed on, and nothing else that a backend
///   may report.
/// - A path that is already watched takes the new mode; one [`unwatch`](notify::Watcher::unwatch) ends the watch.
/// - The `commit` of notify 8's `paths_mut` adds all its paths at once, or none of them
///   ([`Backend::watch_all`]). A missing path is an error when it is added to `paths_mut`.
/// - [`unwatch`](notify::Watcher::unwatch) of a folder inside a recursively watched one excludes the folder, as with
///   notify's inotify watcher: its events are not passed on until it is gone or watched again. The backend
///   still watches it: this saves calls of the handler, but none of the platform's watches.
/// - When a watched path is removed, its watch ends. To watch the path once it exists again, call
///   [`watch`](notify::Watcher::watch) again.
///
/// # Events
///
/// They are those of notify's inotify watcher, except that no file is reported as opened. That a written file is
/// closed, `Access(Close(Write))`, is reported if the backend follows the
/// [hint](crate::settings::Hints::report_closes); for some programs, only this is a write. A rename is an event with
/// the old name, one with the new name, and, if the backend relates the two
/// ([`Capability::TrackRelated`]), a third one with both names, [`Both`](crate::event::RenameMode::Both).
/// Each instance relates its own events only. [`EventKind::Missed`](crate::EventKind::Missed) becomes a
/// rescan event, with its path unless it concerns everything. The source of an event becomes part of its
/// info, and errors have the paths that they are about.
///
/// A debouncer may pass on less: of several rescan events, `notify-debouncer-full` 0.7 keeps the latest one.
/// Programs that use it rescan everything when they get one, whatever path it has.
///
/// Notify has no notion of going on from where an earlier program stopped: the watcher neither shows the
/// backend's [cursor](Backend::cursor) nor [resumes](Backend::resume). Programs that need it read the backend
/// as a stream.
///
/// # Threads
///
/// Each watcher has one thread, with a Tokio runtime for the backend. The thread calls the handler outside
/// of that runtime. Nothing waits for the handler for long: the handler may call the watcher's methods, wait
/// for a thread that calls them, or drop the watcher. While it runs, events wait in the backend.
///
/// Once [`unwatch`](notify::Watcher::unwatch) has returned, the backend has freed the path's watch, and the handler
/// gets no more events for the path, as with notify's own watchers. If the handler is running at that
/// moment, `unwatch` waits until it returns. Notify's own watchers wait forever, so they deadlock if the
/// handler waits for their caller, for example for room in a channel that the caller reads. Here, the wait is
/// 100 ms at most, once per call of the handler; only a call that takes longer goes on after `unwatch` has
/// returned.
///
/// While the backend adds or removes a path, it is not read. If that takes long, because of a walk through a
/// tree or a slow server, the handler of other paths waits too. Only paths that have their own instance are
/// added without such a wait.
///
/// Dropping the watcher does not wait. Once it is dropped, everything is freed, and the handler gets nothing
/// more, except that a running call goes on. When that call returns, the thread drops the handler and ends.
///
/// If the handler panics, it is not called again, everything is freed, and the watcher's methods return
/// an error that says so.
///
/// # Cost
///
/// The thread that reads the backend calls the handler: there is no channel in between. It allocates only
/// notify's events: one allocation for an event without attributes, its list of paths; and eight for the
/// three events of a rename, since each has a list and a tracker, which notify's event keeps in a box, and
/// the third has copies of both paths. The only other allocation is a copy of the path for the first half
/// of a rename whose second half never comes. Notify's own
/// inotify watcher allocates more for the same changes: `cargo test --test memory beside_notify --
/// --nocapture` prints how much.
///
/// # Configuration
///
/// Symbolic links are followed if the configuration says so, which is the default, and the backend declares
/// [`Capability::FollowSymlinks`]. Accesses are never requested, since notify 8 has no setting for
/// them. The poll interval and whether to compare contents are [hints](Backend::with_hints) for the backend.
/// Notify's default interval of 30 seconds counts as none: the backend chooses. There is no polling by
/// hand. For settings that notify does not know, use a [`Maker`](crate::settings::Maker):
/// `NotifyWatcher<Made<Fast>>`.
///
/// [`configure`](notify::Watcher::configure) changes nothing and returns `Ok(false)`.
#[derive(Debug)]
#[must_use = "a watcher that is dropped watches nothing"]
pub struct NotifyWatcher<B: Backend> {
    shared: Arc<Shared<B>>,
    runtime: Handle,
    follow_links: bool,
    hints: Hints,
}

impl<B: Backend> NotifyWatcher<B> {
    /// Returns the backend's name and promises; `None` while nothing is watched. If there are several
    /// instances, they are those of one of them.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        Some(self.shared.lock().ok()?.instances.first()?.about())
    }

    /// Returns whether several paths are watched by the same instance.
    fn shares_instances() -> bool {
        B::capabilities().contains(Capability::ChangeWatches)
    }

    /// Returns whether another instance may be another backend.
    fn is_choice() -> bool {
        B::candidates().len() > 1
    }

    /// Returns the watch to request from the backend.
    fn wish(&self, path: &Path, recursive_mode: RecursiveMode) -> notify::Result<Watch> {
        let path = absolute(path)?;
        let mut recursive = recursive_mode == RecursiveMode::Recursive;
        if recursive && !B::capabilities().contains(Capability::WatchRecursively) {
            if path.is_dir() {
                return Err(
                    BackendError::not_supported(Capability::WatchRecursively, [path]).into()
                );
            }
            // For a file, the mode has no effect.
            recursive = false;
        }
        let watch = Watch::non_recursive(path).recursive_if(recursive);
        Ok(if self.follow_links { watch.following_links() } else { watch })
    }

    /// Adds all watches, or none of them except those of paths that are watched already.
    fn add(&self, watches: Vec<Watch>) -> notify::Result<()> {
        let _inside = self.runtime.enter();
        if !Self::shares_instances() {
            return self.add_each(watches);
        }
        // The best backend for one place is seldom the best one for the other.
        let (remote, local): (Vec<_>, Vec<_>) =
            watches.into_iter().partition(|watch| Self::is_choice() && is_remote(watch));
        let added = self.add_together(remote, true)?;
        if let Err(error) = self.add_together(local, false) {
            for path in added {
                // Fails if the watch has ended by itself, which does no harm.
                _ = self.remove(&path);
            }
            return Err(error);
        }
        Ok(())
    }

    /// Adds watches that get an instance each.
    fn add_each(&self, watches: Vec<Watch>) -> notify::Result<()> {
        // Without the lock, so that the other instances go on meanwhile.
        let instances = watches.into_iter().map(|watch| self.make(vec![watch], false));
        let instances = instances.collect::<Result<_, _>>()?;
        // Dropped after the lock.
        let _replaced = self.shared.lock()?.replace(instances);
        Ok(())
    }

    /// Adds all watches to an instance that others use too, or none of them except those of paths that are
    /// watched already. Returns the paths that were not.
    fn add_together(&self, watches: Vec<Watch>, is_remote: bool) -> notify::Result<Vec<PathBuf>> {
        let mut state = self.shared.lock()?;
        let new = state.renew(watches)?;
        let paths = new.iter().map(|watch| watch.path.clone()).collect();
        if new.is_empty() || state.join(&new, is_remote, Self::is_choice())? {
            return Ok(paths);
        }
        // As in `add_each`.
        drop(state);
        let instance = self.make(new, is_remote)?;
        self.shared.lock()?.push(instance);
        Ok(paths)
    }

    fn make(&self, watches: Vec<Watch>, is_remote: bool) -> Result<Instance<B>, BackendError> {
        let backend = B::with_hints(watches.clone(), &self.hints)?;
        Ok(Instance::new(backend, watches, is_remote))
    }

    fn remove(&self, path: &Path) -> notify::Result<()> {
        let _inside = self.runtime.enter();
        let mut state = self.shared.lock()?;
        let mut removed = None;
        let mut instances = state.instances.iter_mut();
        if Self::shares_instances()
            && let Some(at) = instances.position(|instance| instance.watches(path))
        {
            state.instances[at].unwatch(path)?;
            if state.instances.len() > 1 && state.instances[at].paths().next().is_none() {
                removed = Some(state.instances.swap_remove(at));
            }
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

/// Returns the absolute path under which notify's watchers report events.
fn absolute(path: &Path) -> notify::Result<PathBuf> {
    if path.is_absolute() { Ok(path.to_owned()) } else { Ok(env::current_dir()?.join(path)) }
}
