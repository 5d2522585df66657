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

use super::{FolderWatcher, Node, Via, WatchTree, has_vanished, is_watched};

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
    // Whether a link was followed on the way.
    linked: bool,
}

#[derive(Debug)]
struct Listing {
    job: Job,
    location: PathBuf,
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

    /// Lists `folder`, which appeared and is watched, and all below it, and reports every entry.
    pub fn report(&mut self, folder: Node) {
        self.pending.push(Job { folder, report: true, linked: false });
    }

    /// Compares `folder` and all below it with the tree, and mends the tree without a report.
    pub fn compare(&mut self, folder: Node) {
        self.pending.push(Job { folder, report: false, linked: false });
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
                        self.reported.insert((tree.id(folder), name.clone()));
                    }
                    let via = if file_type.is_dir() {
                        Via::Name
                    } else if file_type.is_symlink() && self.follow_links {
                        Via::Link
                    } else {
                        continue;
                    };
                    self.pending.extend(listing.enter(&name, via, tree, watcher, &mut found));
                }
                Some(Err(error)) => {
                    found(listing.unwatched(tree, OsStr::new(""), error));
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
            Ok(entries) => Some(Self { job, location, entries, confirmed: HashSet::new() }),
            Err(error) => {
                if !has_vanished(&error) {
                    found(Found::Unwatched(tree.path(job.folder)?, error));
                }
                None
            }
        }
    }

    /// Watches the folder `name`; returns what is to be done below it.
    fn enter<W: FolderWatcher>(
        &mut self,
        name: &OsStr,
        via: Via,
        tree: &mut WatchTree<W::Id>,
        watcher: &W,
        found: &mut impl FnMut(Found),
    ) -> Option<Job> {
        let Job { folder, report, linked } = self.job;
        let linked = linked || via == Via::Link;
        let id = match watcher.watch_folder(&self.location.join(name), via) {
            Ok(id) => id,
            Err(error) => {
                if !has_vanished(&error) {
                    found(self.unwatched(tree, name, error));
                }
                return None;
            }
        };
        let known = tree.child(folder, name);
        let child = match known {
            Some(known) if tree.id(known) == id => known,
            _ if linked && is_watched(tree, folder, id) => return None,
            _ => tree.add(folder, name, id),
        };
        if let Some(replaced) = known.filter(|&known| known != child) {
            tree.remove(replaced).into_iter().for_each(|id| watcher.release(id));
        }
        self.confirmed.insert(child);
        Some(Job { folder: child, report, linked })
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

    fn unwatched<I: Copy + Eq + Hash + Debug>(
        &self,
        tree: &WatchTree<I>,
        name: &OsStr,
        error: io::Error,
    ) -> Found {
        let path =
            tree.entry_path(self.job.folder, name).unwrap_or_else(|| self.location.join(name));
        Found::Unwatched(path, error)
    }
}
