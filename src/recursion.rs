//! What a platform that watches folder by folder needs in order to watch recursively.
//!
//! inotify, fanotify's inode marks and kqueue know folders by a number and report bare names. Every
//! backend on top of them has to know which path a number stands for now ([`WatchTree`]), to watch
//! a whole tree when it starts ([`watch_below`]), and to catch up with a folder that appears,
//! whose entries may be older than its watch ([`Scan`]).

mod scan;
mod tree;
mod walk;

use std::{fmt::Debug, hash::Hash, io, path::Path};

pub use scan::{Found, Scan};
pub use tree::{Node, WatchTree};
pub use walk::watch_below;

/// The platform's part: how one folder is watched.
pub trait FolderWatcher {
    /// What the platform calls a watched folder; the same for the same folder.
    type Id: Copy + Eq + Hash + Debug;

    /// Watches the folder at `location`, which may be watched already.
    ///
    /// # Errors
    ///
    /// `NotADirectory` if it is something else, which for [`Via::Name`] includes a link to a
    /// folder; otherwise what the platform says.
    fn watch_folder(&self, location: &Path, via: Via) -> io::Result<Self::Id>;

    /// Gives up a watch that the tree does not need any more.
    fn release(&self, id: Self::Id);
}

/// How a folder is reached from the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// It is an entry of the folder.
    Name,
    /// A symbolic link leads to it.
    Link,
}

/// Whether a folder is reached through a link and its root watches it already, at whichever place.
fn is_repeated<I>(tree: &WatchTree<I>, parent: Node, via: Via, id: I) -> bool
where
    I: Copy + Eq + Hash + Debug,
{
    let is_linked = via == Via::Link || tree.is_linked(parent);
    is_linked && tree.nodes(id).any(|other| tree.root(other) == tree.root(parent))
}

/// Whether an error only says that something is not there any more, or is no folder any more.
fn has_vanished(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
