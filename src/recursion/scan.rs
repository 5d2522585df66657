//! Catching up with folders while events come in: [`Scan`].

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fmt::Debug,
    hash::Hash,
    io, mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use super::{
    FolderWatcher, Node, Via, WatchTree,
    folder::{Entries, EntryType, has_vanished, open_in},
    open_known, place,
};
use crate::event::CreateKind;

/// Watches what is below folders that appeared, or below all of them after events were lost, in
/// small steps.
///
/// A folder can get entries before it is watched: nothing tells of them, so they are found by
/// listing it. It can also get entries between its watch and its listing: the platform tells of
/// those *and* they are found, so [`is_repeated`](Self::is_repeated) says which of the platform's
/// reports to leave out.
///
/// A folder can also be renamed before its listing, with the platform's report of it still to come.
/// Then the tree's path for it leads nowhere, or to another folder, which the scan notices; it
/// tries again once the platform's reports have been [settled](Self::settle).
///
/// While a scan is [active](Self::is_active), [`step`](Self::step) through it before the next
/// platform event is looked at; the order of events stays right then. Events wait in the kernel
/// meanwhile.
#[derive(Debug)]
pub struct Scan<I> {
    follow_links: bool,
    waiting: Vec<Job>,
    // From the topmost folder down to the one that is being listed now.
    listings: Vec<Listing>,
    // Links to follow once all folders are known that are reached without one.
    links: Vec<(Job, OsString)>,
    // What could not be found under the path that the tree has for it.
    astray: Vec<Job>,
    // What was reported by a scan and may be reported by the platform once more: since the last
    // settling, and since the one before.
    reported: [HashSet<(I, OsString)>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Job {
    folder: Node,
    what: What,
}

/// What to say of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// All of them are new.
    All,
    /// Those below folders that the tree does not know yet are new.
    BelowUnknown,
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
struct Listing {
    job: Job,
    entries: Entries,
    // The folders of the tree that are still where the tree has them.
    confirmed: HashSet<Node>,
}

/// Something that a [`Scan`] found.
#[derive(Debug)]
pub enum Found {
    /// An entry that nothing has been said of yet. What is no folder counts as a file.
    Entry(CreateKind, PathBuf),
    /// A folder that cannot be watched.
    Unwatched(PathBuf, io::Error),
}

impl<I: Copy + Eq + Hash + Debug> Scan<I> {
    /// A scan with nothing to do. Links that lead to folders are followed where `follow_links` says
    /// so, as in [`watch_below`](super::watch_below).
    #[must_use]
    pub fn new(follow_links: bool) -> Self {
        Self {
            follow_links,
            waiting: Vec::new(),
            listings: Vec::new(),
            links: Vec::new(),
            astray: Vec::new(),
            reported: [HashSet::new(), HashSet::new()],
        }
    }

    /// Watches the folder `name` in `parent`, and has it listed and all below it. `is_new` says
    /// whether its entries are new, or were only not watched so far. What is no folder, or none any
    /// more, is left out.
    ///
    /// Returns the folder that had the name in the tree, if it was another one. It is detached, for
    /// the caller to remove, or to attach if it turns out to have moved.
    ///
    /// # Errors
    ///
    /// The path and the reason if the folder cannot be watched.
    pub fn enter<W: FolderWatcher<Id = I>>(
        &mut self,
        parent: Node,
        name: &OsStr,
        via: Via,
        is_new: bool,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<Option<Node>, (PathBuf, io::Error)> {
        let what = if is_new { What::BelowUnknown } else { What::Nothing };
        let job = Job { folder: parent, what };
        match open_known(job.folder, tree, watcher) {
            Ok(Some(folder)) => {
                let what = if is_new { What::All } else { What::Nothing };
                match enter(folder.as_fd(), parent, name, via, tree, watcher)? {
                    Entry::Folder(entered) => {
                        let replaced = entered.replaced;
                        self.listings.extend(entered.list(what));
                        return Ok(replaced);
                    }
                    Entry::Astray => self.astray.push(job),
                    Entry::Other => {}
                }
                Ok(None)
            }
            Ok(None) => {
                self.astray.push(job);
                Ok(None)
            }
            Err(error) => Err((tree.path(parent).unwrap_or_default(), error)),
        }
    }

    /// Compares `folder` and all below it with the tree, and mends the tree without a report.
    pub fn compare(&mut self, folder: Node) {
        self.waiting.push(Job { folder, what: What::Nothing });
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !(self.waiting.is_empty() && self.listings.is_empty() && self.links.is_empty())
    }

    /// Whether the platform's report that `name` was created in the folder `id` is one of what a
    /// scan has reported; true once for each.
    #[must_use]
    pub fn is_repeated(&mut self, id: I, name: &OsStr) -> bool {
        // Most of the time there is nothing, and then the name is not copied.
        !self.reported.iter().all(HashSet::is_empty) && {
            let entry = (id, name.to_owned());
            self.reported.iter_mut().any(|reported| reported.remove(&entry))
        }
    }

    /// Notes that the platform has reported that `name` went away from the folder `id`: its next
    /// creation is a new one.
    pub fn forget(&mut self, id: I, name: &OsStr) {
        let _ = self.is_repeated(id, name);
    }

    /// Notes that everything has been looked at that the platform had reported at some moment after
    /// the last call of this method. What was scanned before that call will not be reported once
    /// more, and what was renamed before it is where the tree has it.
    pub fn settle(&mut self) {
        let [recent, older] = &mut self.reported;
        *older = mem::take(recent);
        self.waiting.append(&mut self.astray);
    }

    /// Notes that the platform has lost reports: none of those to come can be told to be repeated.
    pub fn lose(&mut self) {
        self.reported = [HashSet::new(), HashSet::new()];
    }

    /// Looks at up to `count` entries.
    pub fn step<W: FolderWatcher<Id = I>>(
        &mut self,
        count: usize,
        tree: &mut WatchTree<I>,
        watcher: &W,
        mut found: impl FnMut(Found),
    ) {
        for _ in 0..count {
            if let Some(listing) = self.listings.last_mut() {
                if tree.id(listing.job.folder).is_none() {
                    self.listings.pop();
                    continue;
                }
                match listing.entries.next() {
                    Some(Ok((name, entry_type))) => {
                        self.look_at(name, entry_type, tree, watcher, &mut found);
                    }
                    Some(Err(error)) => {
                        let path = tree.path(listing.job.folder).unwrap_or_default();
                        found(Found::Unwatched(path, error));
                        self.listings.pop();
                    }
                    None => {
                        listing.remove_others(tree, watcher);
                        self.listings.pop();
                    }
                }
            } else if let Some(job) = self.waiting.pop() {
                self.open(job, tree, watcher, &mut found);
            } else if let Some((job, name)) = self.links.pop() {
                self.follow(job, &name, tree, watcher, &mut found);
            } else {
                return;
            }
        }
    }

    fn look_at<W: FolderWatcher<Id = I>>(
        &mut self,
        name: OsString,
        entry_type: EntryType,
        tree: &mut WatchTree<I>,
        watcher: &W,
        found: &mut impl FnMut(Found),
    ) {
        let Some(Listing { job, entries, confirmed }) = self.listings.last_mut() else {
            return;
        };
        let Job { folder, what } = *job;
        if what == What::All
            && let Some(path) = tree.entry_path(folder, &name)
        {
            let is_folder = entry_type == EntryType::Folder;
            let kind = if is_folder { CreateKind::Folder } else { CreateKind::File };
            found(Found::Entry(kind, path));
            self.reported[0].extend(tree.id(folder).map(|id| (id, name.clone())));
        }
        match entry_type.via(self.follow_links) {
            None => {}
            Some(Via::Link) => {
                confirmed.extend(tree.child(folder, &name));
                self.links.push((*job, name));
            }
            Some(Via::Name) => {
                let opened = entries.folder();
                let known = tree.child(folder, &name);
                let entered = match opened {
                    Ok(opened) => enter(opened, folder, &name, Via::Name, tree, watcher),
                    Err(error) => Err((tree.path(folder).unwrap_or_default(), error)),
                };
                match entered {
                    Ok(Entry::Other) => {}
                    Ok(Entry::Astray) => {
                        confirmed.extend(known);
                        let what = if what == What::Nothing { what } else { What::BelowUnknown };
                        self.astray.push(Job { folder, what });
                    }
                    Ok(Entry::Folder(entered)) => {
                        confirmed.insert(entered.node);
                        remove(entered.replaced, tree, watcher);
                        let is_known = known == Some(entered.node);
                        let what = match what {
                            What::BelowUnknown if !is_known => What::All,
                            what => what,
                        };
                        self.listings.extend(entered.list(what));
                    }
                    Err((path, error)) => found(Found::Unwatched(path, error)),
                }
            }
        }
    }

    fn open<W: FolderWatcher<Id = I>>(
        &mut self,
        job: Job,
        tree: &WatchTree<I>,
        watcher: &W,
        found: &mut impl FnMut(Found),
    ) {
        if tree.id(job.folder).is_none() {
            return;
        }
        match open_known(job.folder, tree, watcher) {
            Ok(Some(folder)) => {
                let entered = Entered { node: job.folder, folder, replaced: None };
                self.listings.extend(entered.list(job.what));
            }
            Ok(None) => self.astray.push(job),
            Err(error) => {
                let path = tree.path(job.folder).unwrap_or_default();
                found(Found::Unwatched(path, error));
            }
        }
    }

    fn follow<W: FolderWatcher<Id = I>>(
        &mut self,
        job: Job,
        name: &OsStr,
        tree: &mut WatchTree<I>,
        watcher: &W,
        found: &mut impl FnMut(Found),
    ) {
        let is_new = job.what != What::Nothing;
        if tree.id(job.folder).is_none() {
            return;
        }
        match self.enter(job.folder, name, Via::Link, is_new, tree, watcher) {
            Ok(replaced) => remove(replaced, tree, watcher),
            Err((path, error)) => found(Found::Unwatched(path, error)),
        }
    }
}

impl Listing {
    /// Removes the folders from the tree that the listing did not have.
    fn remove_others<W: FolderWatcher>(&self, tree: &mut WatchTree<W::Id>, watcher: &W) {
        let gone: Vec<Node> = tree
            .children(self.job.folder)
            .filter(|child| !self.confirmed.contains(child))
            .collect();
        remove(gone, tree, watcher);
    }
}

/// What an entry turned out to be.
enum Entry {
    Folder(Entered),
    /// A folder that the tree has at another place still: a rename is yet to be reported, and what
    /// has the name now may not be what it is reported for.
    Astray,
    /// No folder, or none any more, or one that a link leads to and that is watched already.
    Other,
}

/// A folder that is watched and a part of the tree.
struct Entered {
    node: Node,
    folder: OwnedFd,
    // Another folder that had the name in the tree; detached.
    replaced: Option<Node>,
}

impl Entered {
    fn list(self, what: What) -> Option<Listing> {
        let job = Job { folder: self.node, what };
        // Asks the kernel for nothing yet.
        let entries = Entries::new(self.folder).ok()?;
        Some(Listing { job, entries, confirmed: HashSet::new() })
    }
}

/// Watches a folder and makes it a part of the tree, in the place of one that is not there any
/// more.
fn enter<W: FolderWatcher>(
    folder: BorrowedFd<'_>,
    parent: Node,
    name: &OsStr,
    via: Via,
    tree: &mut WatchTree<W::Id>,
    watcher: &W,
) -> Result<Entry, (PathBuf, io::Error)> {
    let opened = open_in(folder, name, via)
        .and_then(|folder| watcher.watch_folder(folder.as_fd()).map(|id| (folder, id)));
    let (folder, id) = match opened {
        Ok(opened) => opened,
        Err(error) if has_vanished(&error) => return Ok(Entry::Other),
        Err(error) => return Err((tree.entry_path(parent, name).unwrap_or_default(), error)),
    };
    let root = tree.root(parent);
    let is_known = tree.child(parent, name).is_some_and(|known| tree.id(known) == Some(id));
    let has_moved =
        |node| tree.root(node) == root && matches!(open_known(node, tree, watcher), Ok(None));
    if via == Via::Name && !is_known && tree.nodes(id).any(has_moved) {
        return Ok(Entry::Astray);
    }
    Ok(match place(tree, (parent, name, via), id) {
        (Some(node), replaced) => Entry::Folder(Entered { node, folder, replaced }),
        (None, replaced) => {
            remove(replaced, tree, watcher);
            Entry::Other
        }
    })
}

fn remove<W: FolderWatcher>(
    nodes: impl IntoIterator<Item = Node>,
    tree: &mut WatchTree<W::Id>,
    watcher: &W,
) {
    for node in nodes {
        tree.remove(node).into_iter().for_each(|id| watcher.release(id));
    }
}
