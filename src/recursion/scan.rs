//! Catching up with folders while events come in: [`Scan`].

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashSet},
    ffi::{OsStr, OsString},
    fmt::Debug,
    hash::Hash,
    io, mem,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
};

use super::{
    FolderWatcher, Node, Via, WatchTree,
    astray::{Astray, Passed, Place},
    entries::{Entries, EntryType},
    finish_listing,
    folder::{Opened, has_vanished, is_entry, open_in},
    is_in_place, open_known, place,
    recent::Recent,
    release_unused,
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
/// tries again once the reports have come that there are by then.
///
/// And a folder can be found in its place before all reports were looked at that are older: they may
/// be about another one, which had the name earlier. So a scan ends with a
/// [mark](FolderWatcher::mark) in the reports, and until that [comes](Self::pass), what was found is
/// held back, and [`is_ahead`](Self::is_ahead) says of which folders it was. One that has left its
/// place before the mark was made is [unsure](Self::is_unsure).
///
/// While a scan is [active](Self::is_active), [`step`](Self::step) through it before the next
/// platform event is looked at; the order of events stays right then. Events wait in the kernel
/// meanwhile.
#[derive(Debug)]
pub struct Scan<I> {
    follow_links: bool,
    // The roots below which links are followed although the others' are not.
    following: HashSet<Node>,
    // From the topmost folder down to the one that is being listed now.
    listings: Vec<Listing>,
    // To be done when no folder is being listed.
    waiting: Vec<Job>,
    // To be followed when nothing is waiting: all folders are known that are reached without one.
    links: BTreeSet<Link>,
    // To be removed when everything is known: folders that are not where the tree had them, which
    // may have been found elsewhere. They are detached.
    gone: Vec<Node>,
    // Watched to be listed, until there is nothing left to list.
    unfinished: Vec<I>,
    // What has been found ahead of the reports.
    pub(super) recent: Recent<I>,
    // What has been put off until the platform reports a rename.
    astray: Astray<I, PutOff<I>>,
    // Whether it has not reported one.
    is_mistaken: bool,
    // Folders whose entries were reported since the scan became active.
    told: HashSet<Node>,
    // What was reported by a scan and may be reported by the platform once more: since the last
    // settling, and since the one before.
    reported: [HashSet<(I, OsString)>; 2],
}

#[derive(Debug)]
struct Job {
    task: Task,
    // Whether what is found is new, or was only not watched.
    is_new: bool,
}

#[derive(Debug)]
enum Task {
    /// List a folder of the tree.
    List(Node),
    /// Watch an entry of a folder of the tree, and list it.
    Enter(Node, OsString, Via),
}

/// What cannot be done because a folder is not where the tree has it.
#[derive(Debug)]
enum PutOff<I> {
    Job(Job),
    /// Have the folder watched for everything.
    Finish(I),
}

/// In the order of the paths, as [`Scan::watch_below`] follows them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    path: PathBuf,
    parent: Node,
    name: OsString,
    is_new: bool,
}

#[derive(Debug)]
struct Listing {
    folder: Node,
    is_new: bool,
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

/// What became of the attempt to enter a folder.
#[derive(Debug, Default)]
struct Entered {
    // The folder, opened, if it is watched now.
    folder: Option<(Node, Opened)>,
    // Whether the tree had it there already.
    is_known: bool,
    // Another folder that the tree had there; detached.
    replaced: Option<Node>,
}

/// Which folder cannot be watched, and why.
type Failure = (PathBuf, io::Error);

impl<I: Copy + Eq + Hash + Debug> Scan<I> {
    /// A scan with nothing to do. Links that lead to folders are followed where `follow_links` says
    /// so.
    #[must_use]
    pub fn new(follow_links: bool) -> Self {
        Self {
            follow_links,
            following: HashSet::new(),
            listings: Vec::new(),
            waiting: Vec::new(),
            links: BTreeSet::new(),
            gone: Vec::new(),
            unfinished: Vec::new(),
            recent: Recent::new(),
            astray: Astray::new(),
            is_mistaken: false,
            told: HashSet::new(),
            reported: [HashSet::new(), HashSet::new()],
        }
    }

    /// Has links below `root` followed, or not any more; beside what [`new`](Self::new) says of all.
    pub fn set_follow_links(&mut self, root: Node, follow: bool) {
        if follow {
            self.following.insert(root);
        } else {
            self.following.remove(&root);
        }
    }

    /// Whether links in `folder` are followed.
    pub(super) fn follows_links(&self, folder: Node, tree: &WatchTree<I>) -> bool {
        self.follow_links || tree.root(folder).is_some_and(|root| self.following.contains(&root))
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
        let entered = self.find_and_enter((parent, name, via), is_new, tree, watcher)?;
        if let Some((folder, opened)) = entered.folder.filter(|_| !entered.is_known) {
            let listing = self.list(folder, opened, is_new, tree)?;
            self.listings.push(listing);
        }
        Ok(entered.replaced)
    }

    /// Compares `folder` and all below it with what is there, and mends the tree without a report:
    /// for when the platform has lost reports.
    pub fn compare(&mut self, folder: Node) {
        self.waiting.push(Job { task: Task::List(folder), is_new: false });
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !(self.listings.is_empty()
            && self.waiting.is_empty()
            && self.links.is_empty()
            && self.gone.is_empty()
            && self.unfinished.is_empty()
            && !self.recent.is_due()
            && !self.astray.is_mark_due())
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

    /// Whether a report that comes next is older than the place of `folder`, which was found ahead of
    /// it: it is about a folder that had the name earlier.
    #[must_use]
    pub fn is_ahead(&self, folder: Node) -> bool {
        self.recent.is_ahead(folder)
    }

    /// Whether a report that comes next may be older than the place of `folder`, or may tell that it
    /// leaves: it was found there, and was not there any more when the [mark](FolderWatcher::mark) was
    /// made. What the platform reports of the folder itself tells which; it was watched all the time.
    #[must_use]
    pub fn is_unsure(&self, folder: Node) -> bool {
        self.recent.is_unsure(folder)
    }

    /// Notes that a report comes next which may be a [mark](FolderWatcher::mark). Returns whether it
    /// is one, and says what was held back until it came.
    pub fn pass<W: FolderWatcher<Id = I>>(
        &mut self,
        id: I,
        tree: &WatchTree<I>,
        watcher: &W,
        mut found: impl FnMut(Found),
    ) -> bool {
        let Some(Passed { tasks, places, is_mistaken }) = self.astray.pass(id, tree, watcher)
        else {
            return self.recent.pass(id, tree, &mut found);
        };
        self.is_mistaken |= is_mistaken;
        self.resume(tasks);
        for Place { parent, name, via } in places {
            if tree.child(parent, &name).is_none() {
                self.waiting.push(Job { task: Task::Enter(parent, name, via), is_new: true });
            }
        }
        true
    }

    /// Has it looked up whether the folder `id`, which was reported to have moved, is where the tree has
    /// it now; if not, the tree may be [mistaken](Self::is_mistaken).
    pub fn verify(&mut self, id: I) {
        self.unfinished.push(id);
    }

    /// Whether the tree has a folder where it is not, and no report has come that it was renamed: as
    /// when [reports are lost](Self::lose), everything has to be [compared](Self::compare).
    ///
    /// What is reported by bare names can be ambiguous, as an exchange of two names is with one that
    /// was not looked at yet.
    #[must_use]
    pub fn is_mistaken(&self) -> bool {
        self.is_mistaken
    }

    /// Notes that a report about the entry `name` of the folder `id` comes next: the folder is watched
    /// by then, and so the reports are through that are older than its place. Says what was found
    /// there, and in those above it.
    ///
    /// If the folder is somewhere else by now, it may have got some of that only there. Then no more
    /// is said than the report itself proves: `name`, and the folders on the way to it.
    pub fn hear<W: FolderWatcher<Id = I>>(
        &mut self,
        id: I,
        name: &OsStr,
        tree: &WatchTree<I>,
        watcher: &W,
        mut found: impl FnMut(Found),
    ) {
        if self.recent.is_empty() {
            return;
        }
        for folder in tree.nodes(id) {
            if !self.recent.holds_above(folder, tree) {
                continue;
            }
            if is_in_place(folder, tree, watcher) {
                self.recent.release_above(folder, tree, &mut found);
            } else {
                self.recent.release_entry(folder, name, tree, &mut found);
            }
        }
    }

    /// Notes that everything has been looked at that the platform had reported at some moment after
    /// the last call of this method. What was scanned before that call will not be reported once
    /// more, and what was renamed before it is where the tree has it.
    pub fn settle(&mut self) {
        let [recent, older] = &mut self.reported;
        *older = mem::take(recent);
        let tasks: Vec<_> = self.astray.take_unmarked().collect();
        self.resume(tasks);
    }

    fn resume(&mut self, tasks: Vec<PutOff<I>>) {
        for task in tasks {
            match task {
                PutOff::Job(job) => self.waiting.push(job),
                PutOff::Finish(id) => self.unfinished.push(id),
            }
        }
    }

    /// Notes that the platform has lost reports, and maybe marks: none of those to come can be told to
    /// be repeated, and nothing is held back any more.
    pub fn lose(&mut self) {
        self.reported = [HashSet::new(), HashSet::new()];
        self.recent.lose();
        let tasks: Vec<_> = self.astray.take_all().collect();
        self.resume(tasks);
        self.is_mistaken = false;
    }

    /// Takes up to `count` small steps: each looks at an entry, or gives up a watch.
    pub fn step<W: FolderWatcher<Id = I>>(
        &mut self,
        count: usize,
        tree: &mut WatchTree<I>,
        watcher: &W,
        mut found: impl FnMut(Found),
    ) {
        self.recent.release_due(tree, &mut found);
        for _ in 0..count {
            let result = if let Some(listing) = self.listings.pop() {
                self.go_on(listing, tree, watcher)
            } else if let Some(job) = self.waiting.pop() {
                self.run(job, tree, watcher)
            } else if let Some(Link { parent, name, is_new, .. }) = self.links.pop_first() {
                self.go_to((parent, &name, Via::Link), is_new, tree, watcher).map(|_| ())
            } else if let Some(folder) = self.gone.pop() {
                self.remove(folder, tree, watcher);
                Ok(())
            } else if self.recent.is_unmarked() {
                self.mark(tree, watcher, &mut found);
                Ok(())
            } else if let Some(id) = self.unfinished.pop() {
                self.finish(id, tree, watcher);
                Ok(())
            } else if self.astray.is_mark_due() {
                self.astray.mark(tree, watcher);
                Ok(())
            } else {
                break;
            };
            if let Err((path, error)) = result {
                found(Found::Unwatched(path, error));
            }
        }
        if !self.is_active() {
            self.told = HashSet::new();
        }
    }

    pub(super) fn mark<W: FolderWatcher<Id = I>>(
        &mut self,
        tree: &WatchTree<I>,
        watcher: &W,
        found: &mut impl FnMut(Found),
    ) {
        match watcher.mark() {
            Some(mark) => self.recent.mark(mark),
            None => self.recent.release_all(tree, found),
        }
    }

    /// Has a folder that was listed watched for everything.
    fn finish<W: FolderWatcher<Id = I>>(&mut self, id: I, tree: &WatchTree<I>, watcher: &W) {
        let mut placed = Vec::new();
        let astray = finish_listing(id, tree, watcher, &mut placed);
        for folder in placed {
            self.recent.confirm(folder);
        }
        if let Some(folder) = astray {
            self.finish_later(id, folder, tree);
        }
    }

    /// Has a folder watched for everything once it was reported where it is.
    pub(super) fn finish_later(&mut self, id: I, folder: Node, tree: &WatchTree<I>) {
        self.astray.push(folder, PutOff::Finish(id), tree);
    }

    /// Looks at the next entry of a folder.
    fn go_on<W: FolderWatcher<Id = I>>(
        &mut self,
        mut listing: Listing,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<(), Failure> {
        let Listing { folder, is_new, .. } = listing;
        let Some(entry) = listing.entries.next() else {
            self.give_up(&listing, tree);
            return Ok(());
        };
        let (name, entry_type) = entry.map_err(|error| failure(tree.path(folder), error))?;
        let (Some(id), Some(path)) = (tree.id(folder), tree.entry_path(folder, &name)) else {
            // It was removed meanwhile.
            return Ok(());
        };
        if is_new {
            let is_folder = entry_type == EntryType::Folder;
            let kind = if is_folder { CreateKind::Folder } else { CreateKind::File };
            self.recent.hold(folder, kind, name.clone());
            self.reported[0].insert((id, name.clone()));
        }
        let below = match entry_type.via(|| self.follows_links(folder, tree)) {
            None => Ok(None),
            Some(Via::Name) => self.go_into(&mut listing, &name, tree, watcher),
            Some(Via::Link) => {
                self.links.insert(Link { path, parent: folder, name, is_new });
                Ok(None)
            }
        };
        self.listings.push(listing);
        self.listings.extend(below?);
        Ok(())
    }

    /// Enters a folder that was listed.
    fn go_into<W: FolderWatcher<Id = I>>(
        &mut self,
        Listing { folder, is_new, entries, confirmed }: &mut Listing,
        name: &OsStr,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<Option<Listing>, Failure> {
        let opened = entries.folder().map_err(|error| failure(tree.path(*folder), error))?;
        let place = (*folder, name, Via::Name);
        let entered = self.enter_in(opened, place, *is_new, tree, watcher)?;
        self.gone.extend(entered.replaced);
        // Also where it has vanished or is astray: the platform is about to report why.
        confirmed.extend(tree.child(*folder, name));
        let list = |(child, opened)| self.list(child, opened, *is_new, tree);
        entered.folder.map(list).transpose()
    }

    /// Gives up the folders of the tree that a listing did not have. Those that a link leads to are
    /// among them: each is entered anew if the link still leads there, and nothing else does.
    fn give_up(&mut self, listing: &Listing, tree: &mut WatchTree<I>) {
        let is_gone = |child: &Node| !listing.confirmed.contains(child);
        for child in tree.children(listing.folder).filter(is_gone).collect::<Vec<_>>() {
            tree.detach(child);
            self.gone.push(child);
        }
    }

    fn run<W: FolderWatcher<Id = I>>(
        &mut self,
        Job { task, is_new }: Job,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<(), Failure> {
        match task {
            Task::List(folder) => {
                let task = Task::List(folder);
                if let Some(opened) = self.find(folder, task, is_new, tree, watcher)? {
                    let id = watcher.watch_to_list(opened.as_fd());
                    self.unfinished.push(id.map_err(|error| failure(tree.path(folder), error))?);
                    let listing = self.list(folder, opened, is_new, tree)?;
                    self.listings.push(listing);
                }
            }
            Task::Enter(parent, name, via) => {
                let entered = self.go_to((parent, &name, via), is_new, tree, watcher)?;
                // Whoever has looked at it when it was reported may have seen what went away before
                // it was watched.
                if let Some(folder) = entered.filter(|_| is_new) {
                    self.recent.hold(folder, CreateKind::Folder, OsString::new());
                }
            }
        }
        Ok(())
    }

    /// Enters a folder, and begins to list it. Returns it if it was not known yet; what is known by
    /// now was listed when it became so.
    fn go_to<W: FolderWatcher<Id = I>>(
        &mut self,
        place: (Node, &OsStr, Via),
        is_new: bool,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<Option<Node>, Failure> {
        let entered = self.find_and_enter(place, is_new, tree, watcher)?;
        self.gone.extend(entered.replaced);
        let Some((folder, opened)) = entered.folder.filter(|_| !entered.is_known) else {
            return Ok(None);
        };
        let listing = self.list(folder, opened, is_new, tree)?;
        self.listings.push(listing);
        Ok(Some(folder))
    }

    /// Removes a folder that is gone, and gives up its watch; those below it go first.
    fn remove<W: FolderWatcher<Id = I>>(
        &mut self,
        folder: Node,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) {
        let child = tree.children(folder).next();
        if let Some(child) = child {
            tree.detach(child);
            self.gone.extend([folder, child]);
        } else {
            tree.remove(folder).into_iter().for_each(|id| watcher.release(id));
        }
    }

    fn find_and_enter<W: FolderWatcher<Id = I>>(
        &mut self,
        place: (Node, &OsStr, Via),
        is_new: bool,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<Entered, Failure> {
        let (parent, name, via) = place;
        let task = Task::Enter(parent, name.into(), via);
        match self.find(parent, task, is_new, tree, watcher)? {
            Some(opened) => self.enter_in(opened.as_fd(), place, is_new, tree, watcher),
            None => Ok(Entered::default()),
        }
    }

    /// Opens a folder of the tree. If it is not where the tree has it, the task is put off.
    fn find<W: FolderWatcher<Id = I>>(
        &mut self,
        folder: Node,
        task: Task,
        is_new: bool,
        tree: &WatchTree<I>,
        watcher: &W,
    ) -> Result<Option<Opened>, Failure> {
        let opened =
            open_known(folder, tree, watcher).map_err(|error| failure(tree.path(folder), error))?;
        if opened.is_none() && tree.id(folder).is_some() {
            self.astray.push(folder, PutOff::Job(Job { task, is_new }), tree);
        }
        Ok(opened)
    }

    /// Watches a folder and makes it a part of the tree.
    fn enter_in<W: FolderWatcher<Id = I>>(
        &mut self,
        folder: BorrowedFd<'_>,
        (parent, name, via): (Node, &OsStr, Via),
        is_new: bool,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Result<Entered, Failure> {
        let opened = open_in(folder, name, via)
            .and_then(|opened| Ok((watcher.watch_to_list(opened.as_fd())?, opened)));
        let (id, opened) = match opened {
            Ok(opened) => opened,
            Err(error) if has_vanished(&error) => return Ok(Entered::default()),
            Err(error) => return Err(failure(tree.entry_path(parent, name), error)),
        };
        self.unfinished.push(id);
        // If it leaves after this, that will be reported of it.
        if !is_entry(folder, name, via, &opened) {
            release_unused(id, tree, watcher);
            return Ok(Entered::default());
        }
        let known = tree.child(parent, name);
        let root = tree.root(parent);
        let is_known = known.is_some_and(|known| tree.id(known) == Some(id));
        let has_moved = |&other: &Node| match tree.root(other) {
            _ if !is_new || via == Via::Link || is_known => false,
            // On its way from one place to another.
            None => true,
            other_root if other_root != root => false,
            _ => match open_known(other, tree, watcher) {
                Ok(None) => true,
                // Or it was, and has moved back.
                _ => !is_entry(folder, name, via, &opened),
            },
        };
        if let Some(moved) = tree.nodes(id).find(has_moved) {
            // The platform is about to report that it was renamed, and maybe not to this name.
            self.recent.take_back(parent, name);
            let task = Task::Enter(parent, name.into(), via);
            self.astray.push(moved, PutOff::Job(Job { task, is_new }), tree);
            return Ok(Entered::default());
        }
        let (node, replaced) = place(tree, (parent, name, via), id);
        if let Some(node) = node {
            self.recent.add(node);
        }
        let folder = node.map(|node| (node, opened));
        Ok(Entered { folder, is_known: node == known, replaced })
    }

    /// Begins to list a folder. Where roots overlap, it may have the same path in several of them,
    /// and its entries are reported only once.
    fn list(
        &mut self,
        folder: Node,
        opened: Opened,
        is_new: bool,
        tree: &WatchTree<I>,
    ) -> Result<Listing, Failure> {
        let mut same = tree.id(folder).into_iter().flat_map(|id| tree.nodes(id));
        let is_told =
            same.any(|same| self.told.contains(&same) && tree.path(same) == tree.path(folder));
        let is_new = is_new && !is_told;
        if is_new {
            self.told.insert(folder);
        }
        let entries = Entries::new(opened).map_err(|error| failure(tree.path(folder), error))?;
        Ok(Listing { folder, is_new, entries, confirmed: HashSet::new() })
    }
}

fn failure(path: Option<PathBuf>, error: io::Error) -> Failure {
    (path.unwrap_or_default(), error)
}
