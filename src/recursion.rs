//! What a platform that watches folder by folder needs in order to watch recursively.
//!
//! inotify, fanotify's inode marks and kqueue know folders by a number and report bare names. Every
//! backend on top of them has to know which path a number stands for now ([`WatchTree`]), to watch
//! a whole tree when it starts ([`watch_below`]), and to catch up with a folder that appears,
//! whose entries may be older than its watch ([`Scan`]).

mod folder;
mod scan;
mod tree;
mod walk;

use std::{fmt::Debug, hash::Hash, io, os::fd::BorrowedFd};

pub use scan::{Found, Scan};
pub use tree::{Node, WatchTree};
pub use walk::watch_below;

/// The platform's part: how one folder is watched.
pub trait FolderWatcher {
    /// What the platform calls a watched folder; the same for the same folder.
    type Id: Copy + Eq + Hash + Debug;

    /// Watches a folder, which may be watched already.
    ///
    /// It is handed over opened, not named: by the time that a path is looked up, it may lead to
    /// another folder. A platform that wants a path can be given `/proc/self/fd/N`, on Linux.
    fn watch_folder(&self, folder: BorrowedFd<'_>) -> io::Result<Self::Id>;

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
