//! What a platform that watches folder by folder needs in order to watch recursively.
//!
//! inotify and kqueue identify folders by a number and send bare names. Every backend on top of them
//! has to know which path a number stands for now, watch a whole tree when it starts, catch up with
//! folders that appear (whose entries may be older than their watch), and follow renames. [`Folders`]
//! does that. A backend only says how the platform watches one folder ([`FolderWatcher`]), and what the
//! platform's events mean ([`FolderEvent`]).

mod disk;
mod engine;
mod files;
mod look;
mod options;
// Only tests use it, and they compare it with Linux.
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

use crate::contract::{
    backend::{StreamItem, Watch},
    error::BackendError,
};
use disk::OnDisk;
use engine::Engine;
use options::Options;

/// The watched folders and files of a platform that watches folder by folder.
///
/// Most of a backend's [`poll_next`](crate::prelude::Stream::poll_next) is this loop:
///
/// 1. [`step`](Self::step): look at folders, as long as there are any to look at.
/// 2. [`next`](Self::next): report the next item. Not earlier: a consumer lists a folder that is reported as
///    new, and if the folder were not watched by then, later changes in it would be lost.
/// 3. [`apply`](Self::apply) the platform's next event or events, or wait for one.
///
/// # Guarantees
///
/// - Events of a folder that is being moved are held until its new place is known. Each event is reported
///   under a path that the entry had, or under the one at which its folder was found afterwards.
/// - Whatever appears in a watched tree is looked at afterwards. Once all events are applied, the tree
///   matches the disk, and everything that was in a new folder before it was watched is reported as created.
///   Entries that were created and removed in it before that are not reported, and neither are writes.
/// - Events of a folder that leaves all watched trees, or is removed, are dropped if its place was not
///   known by then. The folder itself is reported as moved or removed.
/// - A [`Missed`](crate::EventKind::Missed) is reported only if the platform loses events
///   ([`lose`](Self::lose)), with one exception: no event shows that a folder above a root, or above the
///   target of a link, was renamed. If an entry below has to be looked at then, events were missed.
///
/// Models of a file system and of inotify test this, with every order of a few changes and with random
/// orders of many. It is not proven: rare orders in which two folders exchange their names, or in which
/// several watches or links lead to one folder, may report an event under an earlier path of its folder.
///
/// A file is watched by its name in its folder, and may be replaced. If it is a link and links are followed,
/// its target is watched too. A folder is watched until it is removed, renamed or unmounted. Where roots
/// overlap, an event with the same path for several of them is reported once.
///
/// A folder takes at most 80 bytes plus its name, if an id takes at most 8.
#[derive(Debug)]
pub struct Folders<W: FolderWatcher>(Engine<OnDisk<W>>);

impl<W: FolderWatcher> Folders<W> {
    /// Creates the bookkeeping, without any watch.
    #[must_use]
    pub fn new(watcher: W) -> Self {
        Self(Engine::new(OnDisk(watcher)))
    }

    /// Reports that a file which was open for writing is closed, even for watches that do not ask for accesses;
    /// by default, not. The platform has to report it for every folder.
    #[must_use]
    pub fn reporting_closes(mut self, report: bool) -> Self {
        self.0.reports_closes = report;
        self
    }

    /// Returns the platform's part.
    #[must_use]
    pub fn watcher(&self) -> &W {
        &self.0.world().0
    }

    /// Adds a watch for a folder or a file, and replaces one of the same path. When it returns, all
    /// its folders are watched. Large trees are walked by as many threads as there are cores. Call
    /// [`Watch::check`] first.
    ///
    /// A folder below that cannot be watched becomes an error item.
    ///
    /// # Errors
    ///
    /// If the path itself cannot be watched, or if the limit of watches is reached. Earlier watches stay.
    pub fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        let Watch { path, recursive, access, follow_links, .. } = watch;
        self.0.watch(&path, Options { recursive, access, follow_links })
    }

    /// Removes the watch of a path, in the spelling in which it was added. Nothing is reported for it any
    /// more.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotWatched`] if there is no such watch.
    pub fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        if self.0.unwatch(path) { Ok(()) } else { Err(BackendError::not_watched(path)) }
    }

    /// Applies an event of the folder `id`. Pass events in the platform's order. An event with an id that
    /// is no longer watched is ignored.
    pub fn apply(&mut self, id: W::Id, event: FolderEvent<'_>) {
        self.0.apply(id, event);
    }

    /// Notes that the platform has lost events. Everything will be looked at again, and then a
    /// [`Missed`](crate::EventKind::Missed) is reported.
    pub fn lose(&mut self) {
        self.0.lose();
    }

    /// Does up to `count` small steps of the work that must be done before the next event is
    /// [applied](Self::apply); each step looks at one folder. Returns whether there may be more to do; let
    /// other tasks have their turn then.
    pub fn step(&mut self, count: usize) -> bool {
        self.0.step(count)
    }

    /// Takes the next item to report.
    #[allow(clippy::should_implement_trait, reason = "there may be more after none")]
    pub fn next(&mut self) -> Option<StreamItem> {
        self.0.next()
    }

    /// Returns whether nothing is watched. There may still be [items](Self::next) about paths that are gone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
