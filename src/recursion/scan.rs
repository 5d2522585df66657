//! Catching up with folders while events come in: [`Scan`].

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fmt::Debug,
    fs::{self, FileType, ReadDir},
    hash::Hash,
    io,
    path::PathBuf,
};

use super::{FolderWatcher, Node, Via, WatchTree, has_vanished, is_repeated};

/// Watches what is below folders that appeared, or below all of them after events were lost, in
/// small steps.
///
/// A folder can get entries before it is watched: nothing tells of them, so they are found by
/// listing it. It can also get entries between its watch and its listing: the platform tells of
/// those *and* they are found, so [`is_repeated`](Self::is_repeated) says which of the platform's
/// reports to leave out.
///
/// While a scan is [active](Self::is_active), [`step`](Self::step) through it before the next
/// platform event is looked at; the order of events stays right then. Events wait in the kernel
/// meanwhile.
#[derive(Debug)]
pub struct Scan<I> {
    follow_links: bool,
    // Last in, first out.
    pending: Vec<Job>,
    listing: Option<Listing>,
    // What was reported by a scan and may be reported by the platform once more.
    reported: HashSet<(I, OsString)>,
}

#[derive(Clone, Copy, Debug)]
struct Job {
    folder: Node,
    report: bool,
}

#[derive(Debug)]
struct Listing {
    job: Job,
    entries: ReadDir,
    // The folders of the tree that are still where the tree has them.
    confirmed: HashSet<Node>,
}

/// Something that a [`Scan`] found.
#[derive(Debug)]
pub enum Found {
    /// An entry that nothing has been said of yet.
    Entry(PathBuf, FileType),
    /// A folder that cannot be watched.
    Unwatched(PathBuf, io::Error),
}

impl<I: Copy + Eq + Hash + Debug> Scan<I> {
    /// A scan with nothing to do. Links that lead to folders are followed where `follow_links` says
    /// so, as in [`watch_below`](super::watch_below).
    #[must_use]
    pub fn new(follow_links: bool) -> Self {
        Self { follow_links, pending: Vec::new(), listing: None, reported: HashSet::new() }
    }

    /// Watches the folder `name`, which appeared in `parent`, and has it listed and all below it.
    /// `report` says whether its entries are new, or were only not watched so far. What is no
    /// folder, or none any more, is left out.
    pub fn enter<W: FolderWatcher<Id = I>>(
        &mut self,
        (parent, name, via): (Node, &OsStr, Via),
        report: bool,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<(), Found> {
        if let Some(folder) = enter((parent, name, via), tree, watcher)? {
            self.pending.push(Job { folder, report });
        }
        Ok(())
    }

    /// Compares `folder` and all below it with the tree, and mends the tree without a report.
    pub fn compare(&mut self, folder: Node) {
        self.pending.push(Job { folder, report: false });
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.listing.is_some() || !self.pending.is_empty()
    }

    /// Whether the platform's report that `name` was created in the folder `id` is one of what a
    /// scan has reported; true once for each.
    #[must_use]
    pub fn is_repeated(&mut self, id: I, name: &OsStr) -> bool {
        // Most of the time there is nothing, and then the name is not copied.
        !self.reported.is_empty() && self.reported.remove(&(id, name.to_owned()))
    }

    /// Notes that the platform has reported that `name` went away from the folder `id`: its next
    /// creation is a new one.
    pub fn forget(&mut self, id: I, name: &OsStr) {
        let _ = self.is_repeated(id, name);
    }

    /// Notes that the platform has reported everything up to the end of the last scan.
    pub fn settle(&mut self) {
        self.reported = HashSet::new();
    }

    /// Gives up what is to be done below `root`, which is about to be removed from the tree.
    pub fn leave(&mut self, root: Node, tree: &WatchTree<I>) {
        let stays = |job: &Job| tree.root(job.folder) != Some(root);
        self.pending.retain(stays);
        self.listing.take_if(|listing| !stays(&listing.job));
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
            let Some(listing) = &mut self.listing else {
                let Some(job) = self.pending.pop() else {
                    return;
                };
                self.listing = Listing::open(job, tree, &mut found);
                continue;
            };
            match listing.entries.next() {
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    // The type comes with the listing on nearly every file system.
                    let Ok(file_type) = entry.file_type() else {
                        continue;
                    };
                    let Job { folder, report, .. } = listing.job;
                    if report && let Some(path) = tree.entry_path(folder, &name) {
                        found(Found::Entry(path, file_type));
                        self.reported.extend(tree.id(folder).map(|id| (id, name.clone())));
                    }
                    let via = if file_type.is_dir() {
                        Via::Name
                    } else if file_type.is_symlink() && self.follow_links {
                        Via::Link
                    } else {
                        continue;
                    };
                    match enter((folder, &name, via), tree, watcher) {
                        Ok(Some(folder)) => {
                            listing.confirmed.insert(folder);
                            self.pending.push(Job { folder, report });
                        }
                        Ok(None) => {}
                        Err(unwatched) => found(unwatched),
                    }
                }
                Some(Err(error)) => {
                    let path = tree.path(listing.job.folder);
                    found(Found::Unwatched(path.unwrap_or_default(), error));
                    self.listing = None;
                }
                None => {
                    listing.remove_others(tree, watcher);
                    self.listing = None;
                }
            }
        }
    }
}

impl Listing {
    fn open<I: Copy + Eq + Hash + Debug>(
        job: Job,
        tree: &WatchTree<I>,
        found: &mut impl FnMut(Found),
    ) -> Option<Self> {
        let location = tree.location(job.folder)?;
        match fs::read_dir(&location) {
            Ok(entries) => Some(Self { job, entries, confirmed: HashSet::new() }),
            Err(error) => {
                if !has_vanished(&error) {
                    found(Found::Unwatched(tree.path(job.folder)?, error));
                }
                None
            }
        }
    }

    /// Removes the folders from the tree that the listing did not have.
    fn remove_others<W: FolderWatcher>(&self, tree: &mut WatchTree<W::Id>, watcher: &W) {
        let gone: Vec<Node> = tree
            .children(self.job.folder)
            .filter(|child| !self.confirmed.contains(child))
            .collect();
        for node in gone {
            tree.remove(node).into_iter().for_each(|id| watcher.release(id));
        }
    }
}

/// Watches a folder and makes it a part of the tree, in the place of one that is not there any
/// more. None if there is no folder, or if a link leads to one that is watched already.
fn enter<W: FolderWatcher>(
    (parent, name, via): (Node, &OsStr, Via),
    tree: &mut WatchTree<W::Id>,
    watcher: &W,
) -> Result<Option<Node>, Found> {
    let Some(location) = tree.location(parent) else {
        return Ok(None);
    };
    let id = match watcher.watch_folder(&location.join(name), via) {
        Ok(id) => id,
        Err(error) if has_vanished(&error) => return Ok(None),
        Err(error) => {
            let path = tree.entry_path(parent, name);
            return Err(Found::Unwatched(path.unwrap_or_default(), error));
        }
    };
    let known = tree.child(parent, name);
    if let Some(known) = known.filter(|&known| tree.id(known) == Some(id)) {
        return Ok(Some(known));
    }
    if is_repeated(tree, parent, via, id) {
        return Ok(None);
    }
    let folder = tree.add(parent, name, via, id);
    if let Some(replaced) = known {
        tree.remove(replaced).into_iter().for_each(|id| watcher.release(id));
    }
    Ok(Some(folder))
}
