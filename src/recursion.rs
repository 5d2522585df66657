//! What a platform that watches folder by folder needs in order to watch recursively.
//!
//! inotify, fanotify's inode marks and kqueue know folders by a number and report bare names. Every
//! backend on top of them has to know which path a number stands for now, to watch a whole tree when
//! it starts, to catch up with a folder that appears, whose entries may be older than its watch, and
//! to follow renames. [`Folders`] does that. A backend says how the platform watches one folder
//! ([`FolderWatcher`]), and what its events mean ([`FolderEvent`]).

mod disk;
mod engine;
mod files;
mod look;
mod options;
// Its tests, which are all that uses it, compare it with Linux.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod model;
mod seam;
mod spelling;
mod tree;
mod within;

use std::path::Path;

pub use disk::FolderWatcher;
pub use seam::FolderEvent;

use crate::{
    backend::{StreamItem, Watch},
    error::BackendError,
};
use disk::OnDisk;
use engine::Engine;
use options::Options;

/// The watched folders and files of a platform that watches folder by folder.
///
/// It is asked in a loop, which is most of a backend's
/// [`poll_next`](crate::prelude::Stream::poll_next):
///
/// 1. [`step`](Self::step): look at what is to be looked at.
/// 2. [`next`](Self::next): what there is to say. Not earlier: a consumer that is told of a new folder
///    looks into it, and what is removed between its look and the watch would be told by nothing.
/// 3. [`apply`](Self::apply) the platform's next event, or some of the next, or wait for one.
///
/// # What holds
///
/// - Events of a folder that is being moved are held until its new place is known. Each event is reported
///   under a path that the entry had, or that its folder was found at afterwards.
/// - Whatever comes to a watched tree is looked at after it came. Once all events are applied, the tree is
///   what is on disk, and what was in a new folder before it was watched is reported as created. What was
///   made and removed in it before that is not reported, nor is what was written.
/// - Events of a folder that leaves all watched trees, or is removed, are dropped if its place was not
///   known by then. The folder itself is reported as moved or removed.
/// - Only if the platform loses events ([`lose`](Self::lose)) is a [`Missed`](crate::EventKind::Missed)
///   reported, with one exception: if a folder above a root, or above the target of a link, is renamed,
///   which no event tells, and then an entry is to be looked at.
///
/// Models of a file system and of inotify test this, with every order of a few changes and with random
/// orders of many. It is not proven: rare orders in which two folders exchange their names, or in which
/// several watches or links lead to one folder, may report an event under an earlier path of its folder.
///
/// A watched file is watched by its name in the folder that it is in, and may be replaced. Where links
/// are followed and it is one, what it leads to is watched as well. A watched folder is watched until it
/// is removed, renamed or unmounted. Where roots overlap, what has the same path in several is said
/// once.
///
/// A folder takes at most 80 bytes and its name where an id takes at most 8.
#[derive(Debug)]
pub struct Folders<W: FolderWatcher>(Engine<OnDisk<W>>);

impl<W: FolderWatcher> Folders<W> {
    /// Watches nothing yet.
    #[must_use]
    pub fn new(watcher: W) -> Self {
        Self(Engine::new(OnDisk(watcher)))
    }

    /// The platform's part.
    #[must_use]
    pub fn watcher(&self) -> &W {
        &self.0.world().0
    }

    /// Adds a watch of a folder or a file; one of the same path is replaced. When it returns, all
    /// folders are watched that are to be; large trees are walked by as many threads as there are
    /// cores. [`Watch::check`] it before.
    ///
    /// A folder below that cannot be watched becomes an item.
    ///
    /// # Errors
    ///
    /// If the path itself cannot be watched, or if the limit of watches is reached. What was watched
    /// before still is.
    pub fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        let Watch { path, recursive, access, follow_links, .. } = watch;
        self.0.watch(&path, Options { recursive, access, follow_links })
    }

    /// Removes the watch of a path, spelled as it was given. Nothing is said for it any more.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotWatched`].
    pub fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        if self.0.unwatch(path) { Ok(()) } else { Err(BackendError::not_watched(path)) }
    }

    /// Takes in an event of the folder `id`. Pass events in the platform's order. One with an id that is
    /// no longer watched is ignored.
    pub fn apply(&mut self, id: W::Id, event: FolderEvent<'_>) {
        self.0.apply(id, event);
    }

    /// Notes that the platform has lost events: has everything looked at again, and a
    /// [`Missed`](crate::EventKind::Missed) said when that is done.
    pub fn lose(&mut self) {
        self.0.lose();
    }

    /// Takes up to `count` small steps of what is to be done before the next event is
    /// [applied](Self::apply): each looks at a folder. Returns whether there may be more; let other
    /// tasks have their turn then.
    pub fn step(&mut self, count: usize) -> bool {
        self.0.step(count)
    }

    /// Takes the next item that there is to say.
    #[allow(clippy::should_implement_trait, reason = "there may be more after none")]
    pub fn next(&mut self) -> Option<StreamItem> {
        self.0.next()
    }

    /// Whether nothing is watched. What was until it was gone may have more to [say](Self::next).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
