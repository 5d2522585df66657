//! What a platform that watches folder by folder needs in order to watch recursively.
//!
//! inotify, fanotify's inode marks and kqueue know folders by a number and report bare names. Every
//! backend on top of them has to know which path a number stands for now ([`WatchTree`]), to watch
//! a whole tree when it starts, and to catch up with a folder that appears, whose entries may be
//! older than its watch ([`Scan`]).

mod astray;
mod entries;
mod folder;
// Its tests, which are all that uses it, compare it with Linux.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod model;
mod recent;
mod scan;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

use std::{
    ffi::OsStr,
    fmt::Debug,
    hash::Hash,
    io, iter,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};

pub use scan::{Found, Scan};
pub use tree::{Node, WatchTree};

use folder::{Opened, has_vanished, open};

/// The platform's part: how one folder is watched.
pub trait FolderWatcher {
    /// What the platform calls a watched folder; the same for the same folder.
    type Id: Copy + Eq + Hash + Debug;

    /// Watches a folder, which may be watched already.
    ///
    /// It is handed over opened, not named: by the time that a path is looked up, it may lead to
    /// another folder. A platform that wants a path can be given `/proc/self/fd/N`, on Linux.
    fn watch_folder(&self, folder: BorrowedFd<'_>) -> io::Result<Self::Id>;

    /// Watches a folder that is about to be listed, and those in it too: for all but what that
    /// causes. To open and read folders is reported like any other access, by some platforms, and
    /// the listing of a large tree would flood their queue.
    ///
    /// The provided method makes no difference.
    fn watch_to_list(&self, folder: BorrowedFd<'_>) -> io::Result<Self::Id> {
        self.watch_folder(folder)
    }

    /// Watches the folder `id` for everything again, now that it is listed. Returns what is at
    /// `location`, which may be another folder by now.
    ///
    /// The provided method does nothing.
    fn listed(&self, location: &Path, id: Self::Id) -> io::Result<Self::Id> {
        let _ = location;
        Ok(id)
    }

    /// Puts a mark into the platform's reports, after all that it has to say by now. Returns by what
    /// id the mark is known when it comes, which no folder has; see [`Scan::pass`].
    ///
    /// The provided method has no marks: what a platform says late may then be taken for news.
    fn mark(&self) -> Option<Self::Id> {
        None
    }

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

/// Opens a folder of the tree; none if its path leads nowhere, or to another folder: it is being
/// renamed or removed, and the platform is about to report so.
fn open_known<W: FolderWatcher>(
    node: Node,
    tree: &WatchTree<W::Id>,
    watcher: &W,
) -> io::Result<Option<Opened>> {
    let Some(location) = tree.location(node) else {
        return Ok(None);
    };
    let opened =
        open(&location).and_then(|folder| Ok((watcher.watch_folder(folder.as_fd())?, folder)));
    match opened {
        Ok((id, folder)) if tree.id(node) == Some(id) => Ok(Some(folder)),
        Ok((id, _)) => {
            release_unused(id, tree, watcher);
            Ok(None)
        }
        Err(error) if has_vanished(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a folder of the tree is where the tree has it.
fn is_in_place<W: FolderWatcher>(node: Node, tree: &WatchTree<W::Id>, watcher: &W) -> bool {
    matches!(open_known(node, tree, watcher), Ok(Some(_)))
}

/// Has a folder that was listed watched for everything. Adds those of its nodes to `placed` that are
/// where the tree has them; returns one that is not, if all are not.
fn finish_listing<W: FolderWatcher>(
    id: W::Id,
    tree: &WatchTree<W::Id>,
    watcher: &W,
    placed: &mut Vec<Node>,
) -> Option<Node> {
    let before = placed.len();
    let mut astray = None;
    for node in tree.nodes(id) {
        match tree.location(node).map(|location| watcher.listed(&location, id)) {
            Some(Ok(found)) if found == id => placed.push(node),
            Some(Ok(other)) => {
                release_unused(other, tree, watcher);
                astray = Some(node);
            }
            // What it was watched for until now is all that it can be watched for.
            Some(Err(error)) if !has_vanished(&error) => {}
            Some(Err(_)) | None => astray = Some(node),
        }
    }
    astray.filter(|_| placed.len() == before)
}

fn release_unused<W: FolderWatcher>(id: W::Id, tree: &WatchTree<W::Id>, watcher: &W) {
    if tree.nodes(id).next().is_none() {
        watcher.release(id);
    }
}

/// Makes a watched folder a part of the tree, unless a link leads to it and its root watches it
/// already, at whichever place. Returns it, and the folder that was in its place, now detached.
fn place<I: Copy + Eq + Hash + Debug>(
    tree: &mut WatchTree<I>,
    (parent, name, via): (Node, &OsStr, Via),
    id: I,
) -> (Option<Node>, Option<Node>) {
    let known = tree.child(parent, name);
    if let Some(known) = known {
        if tree.id(known) == Some(id) && tree.via(known) == Some(via) {
            return (Some(known), None);
        }
        tree.detach(known);
    }
    let is_linked = via == Via::Link || tree.is_linked(parent);
    if is_linked && tree.nodes(id).any(|other| tree.root(other) == tree.root(parent)) {
        return (None, known);
    }
    (Some(tree.add(parent, name, via, id)), known)
}

/// A folder and those above it.
fn lineage<I: Copy + Eq + Hash + Debug>(
    folder: Node,
    tree: &WatchTree<I>,
) -> impl Iterator<Item = Node> {
    iter::successors(Some(folder), |&it| tree.parent(it))
}
