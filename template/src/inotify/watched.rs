//! What is watched, and what each event means for it: [`Watched`].

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsStr,
    io, mem,
    path::absolute,
};

use notify_backend::{
    Limit,
    descriptor::Reading,
    event::Tracker,
    prelude::*,
    recursion::{FolderWatcher, Found, Node, Scan, Via, WatchTree},
};
use rustix::fs::inotify::ReadFlags;

use crate::{
    files::WatchedFile,
    kernel::{Kernel, RawEvent, entry_kind, root_kind},
    renames::Renames,
};

/// How many entries of new folders are looked at before another task gets its turn.
const SCAN_STEP: usize = 256;

#[derive(Debug)]
pub(crate) struct Watched {
    /// What there is to say.
    pub(crate) ready: VecDeque<StreamItem>,
    kernel: Kernel,
    tree: WatchTree<i32>,
    // The watched folders, and what is asked of them.
    roots: HashMap<Node, Watch>,
    scan: Scan<i32>,
    renames: Renames,
}

impl Watched {
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self {
            ready: VecDeque::new(),
            kernel,
            tree: WatchTree::new(),
            roots: HashMap::new(),
            scan: Scan::new(false),
            renames: Renames::default(),
        }
    }

    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Reading>> {
        self.kernel.descriptor.poll_read(cx, buffer, RawEvent::LARGEST)
    }

    /// Watches a folder, or else a file.
    pub(crate) fn add(&mut self, watch: Watch, is_folder: bool) -> Result<(), BackendError> {
        self.note_accesses(watch.access);
        let added = if is_folder { self.add_folder(watch) } else { self.add_file(watch) };
        self.note_accesses(false);
        added
    }

    fn add_folder(&mut self, watch: Watch) -> Result<(), BackendError> {
        let (path, recursive) = (watch.path.as_path(), watch.recursive);
        let wd = self.kernel.watch_root(path).map_err(|error| explain(path.into(), error))?;
        let previous = self.root_at(path);
        let root = self.tree.add_root(path, wd);
        self.scan.set_follow_links(root, watch.follow_links);
        self.roots.insert(root, watch);
        if recursive {
            for (path, error) in self.scan.watch_below(root, &mut self.tree, &self.kernel) {
                let cause = explain(path.clone(), error);
                if is_limit(&cause) {
                    // It concerns all further folders as well, and not this one in particular.
                    self.remove_root(root);
                    return Err(cause);
                }
                self.ready.push_back(Err(StreamError::unwatched(path, cause)));
            }
        }
        // Last, so that what both cover is watched all the time.
        if let Some(previous) = previous {
            self.remove_root(previous);
        }
        Ok(())
    }

    fn add_file(&mut self, watch: Watch) -> Result<(), BackendError> {
        let Watch { path, access, follow_links, .. } = watch;
        let location = absolute(&path).map_err(|error| explain(path.clone(), error))?;
        let file = WatchedFile { path, location, is_direct: true, follow_links, access };
        let previous = self.kernel.files.iter().find(|known| known.path == file.path).cloned();
        // What is watched before and after stays so in between.
        let before = self.kernel.files.remove(&file.path);
        let watched = self.kernel.watch_file(&file);
        if let Some(previous) = previous.filter(|_| watched.is_err()) {
            // Its folder is watched still, so this is no more than bookkeeping.
            let _ = self.kernel.watch_file(&previous);
        }
        self.release_unused(before);
        watched.map_err(|error| explain(file.path, error))
    }

    /// Notes whether accesses are wanted by what is watched, or `also`.
    fn note_accesses(&mut self, also: bool) {
        self.kernel.wants_accesses = also
            || self.roots.values().any(|watch| watch.access)
            || self.kernel.files.iter().any(|file| file.access);
    }

    /// Returns whether `path` was watched.
    pub(crate) fn remove(&mut self, path: &Path) -> bool {
        if self.kernel.files.contains(path) {
            let freed = self.kernel.files.remove(path);
            self.release_unused(freed);
        } else if let Some(root) = self.root_at(path) {
            self.remove_root(root);
        } else {
            return false;
        }
        self.note_accesses(false);
        self.forget_below(path);
        true
    }

    /// Says what an event says, and follows what it means for the folders that are watched.
    pub(crate) fn apply(&mut self, event: &RawEvent<'_>) {
        if event.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.compare_all();
        } else if event.flags.contains(ReadFlags::IGNORED) {
            let Self { scan, tree, kernel, ready, .. } = self;
            if scan.pass(event.wd, tree, kernel, |found| ready.push_back(said(found))) {
                if scan.is_mistaken() {
                    self.compare_all();
                }
                return;
            }
            // The watch has ended, for a reason that another event tells.
            for folder in self.tree.nodes(event.wd).collect::<Vec<_>>() {
                self.remove_folder(folder);
            }
        } else if event.name.is_empty() {
            if let Some(kind) = root_kind(event.flags) {
                self.apply_to_root(event.wd, kind);
            }
        } else if let Some(kind) = entry_kind(event.flags) {
            self.apply_to_entry(event, kind);
        }
        if self.is_scanning() {
            // At once: what opens the files of a new folder is not reported before it is listed.
            self.scan();
        }
    }

    fn apply_to_entry(&mut self, event: &RawEvent<'_>, kind: EventKind) {
        let &RawEvent { wd, name, cookie, .. } = event;
        let Self { scan, tree, kernel, ready, .. } = self;
        scan.hear(wd, name, tree, kernel, |found| ready.push_back(said(found)));
        let is_structural = match kind {
            EventKind::Create(_) if scan.is_repeated(wd, name) => return,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                scan.forget(wd, name);
                true
            }
            kind => matches!(kind, EventKind::Create(_)),
        };
        let tracker = Tracker::new(cookie as usize);
        let before = self.ready.len();
        let is_access = matches!(kind, EventKind::Access(_));
        for folder in self.tree.nodes(wd) {
            if is_access && !self.is_asked(folder, |watch| watch.access) {
                continue;
            }
            if let Some(path) = self.tree.entry_path(folder, name) {
                self.ready.push_back(Ok(Event::new(kind, path).with_tracker(tracker)));
            }
        }
        self.apply_to_files(event, kind, is_structural);
        self.say_once(before);
        let is_metadata = matches!(kind, EventKind::Modify(ModifyKind::Metadata(_)));
        if is_structural || is_metadata && event.flags.contains(ReadFlags::ISDIR) {
            self.follow(event, kind);
        }
    }

    /// Whether the root of a folder asks for something.
    fn is_asked(&self, folder: Node, demand: impl FnOnce(&Watch) -> bool) -> bool {
        self.tree.root(folder).and_then(|root| self.roots.get(&root)).is_some_and(demand)
    }

    fn apply_to_files(&mut self, event: &RawEvent<'_>, kind: EventKind, is_structural: bool) {
        let is_access = matches!(kind, EventKind::Access(_));
        for file in self.kernel.files.at(event.wd, event.name).to_vec() {
            if is_access && !file.access {
                continue;
            }
            let mut said = Event::new(kind, &file.path);
            if file.is_direct {
                said = said.with_tracker(Tracker::new(event.cookie as usize));
            } else if is_structural {
                // Something on the way from the link to its target is another one now.
                said.kind = if file.location.exists() {
                    EventKind::Modify(ModifyKind::Any)
                } else {
                    EventKind::Remove(RemoveKind::File)
                };
            }
            self.ready.push_back(Ok(said));
            if is_structural && (!file.is_direct || file.location.is_symlink()) {
                self.watch_again(&file);
            }
        }
    }

    /// Finds the places anew that make a file what it is.
    fn watch_again(&mut self, file: &WatchedFile) {
        // What is watched before and after stays so in between.
        let before = self.kernel.files.remove(&file.path);
        if let Err(error) = self.kernel.watch_file(file) {
            self.ready.push_back(Err(unwatched(file.path.clone(), error)));
        }
        self.release_unused(before);
    }

    /// Where roots overlap, an entry has the same path in several of them: says so only once.
    fn say_once(&mut self, before: usize) {
        let mut at = before + 1;
        while at < self.ready.len() {
            let path = |i: usize| self.ready[i].as_ref().ok().map(|event| &event.path);
            if (before..at).any(|earlier| path(earlier) == path(at)) {
                self.ready.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Follows what became of an entry that is, or was, or may be a folder or a link to one.
    fn follow(&mut self, event: &RawEvent<'_>, kind: EventKind) {
        let via = if event.flags.contains(ReadFlags::ISDIR) { Via::Name } else { Via::Link };
        let is_recursive = |root| self.roots.get(&root).is_some_and(|watch| watch.recursive);
        let may_matter = |&parent: &Node| match kind {
            // A file that is opened at once is no link.
            EventKind::Create(_) => via == Via::Name || !event.is_opened_next(),
            EventKind::Remove(_) => self.tree.child(parent, event.name).is_some(),
            _ => true,
        };
        let parents: Vec<_> = (self.tree.nodes(event.wd))
            .filter(may_matter)
            // One on its way from one place to another has no root, and may get there with this.
            .filter(|&parent| self.tree.root(parent).is_none_or(is_recursive))
            .collect();
        for parent in parents {
            let child = self.tree.child(parent, event.name);
            // A file that takes part in an exchange of names has that of a folder for a moment.
            let child = child.filter(|&child| self.tree.via(child) == Some(via));
            if child.is_some_and(|child| self.scan.is_ahead(child)) {
                // What came here, if anything, is gone or somewhere else by now.
                if kind == EventKind::Modify(ModifyKind::Name(RenameMode::To))
                    && let Some(moved) = self.renames.take_moved(event.cookie)
                {
                    self.remove_folder(moved);
                }
                continue;
            }
            let is_unsure = child.is_some_and(|child| self.scan.is_unsure(child));
            match kind {
                EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                    let place = (parent, event.name.into());
                    if let Some(child) = child.filter(|_| is_unsure) {
                        self.renames.suspect(child, event.cookie);
                    } else if !self.renames.exchanged(place, via, event.cookie, &self.tree)
                        && let Some(child) = child
                    {
                        self.tree.detach(child);
                        self.renames.moved(child, event.cookie);
                    }
                }
                EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                    self.move_to(parent, event, via);
                }
                EventKind::Create(_) => {
                    if let Some(replaced) = self.enter(parent, event.name, via, true) {
                        self.remove_folder(replaced);
                    }
                }
                EventKind::Remove(_) => {
                    if let Some(child) = child {
                        self.remove_folder(child);
                    }
                    if is_unsure {
                        // It may still be there.
                        self.enter(parent, event.name, via, true);
                    }
                }
                // It may have become readable.
                EventKind::Modify(_) if child.is_none() => {
                    self.enter(parent, event.name, via, false);
                }
                _ => {}
            }
        }
    }

    fn move_to(&mut self, parent: Node, event: &RawEvent<'_>, via: Via) {
        self.renames.led_to(parent, event.name, event.cookie);
        if let Some(moved) = self.renames.take_moved(event.cookie) {
            self.place(moved, parent, event.name);
            return;
        }
        let known = self.tree.child(parent, event.name);
        let mut replaced = self.enter(parent, event.name, via, true);
        if let Some(known) = known
            && !(self.scan.is_ahead(known) || self.scan.is_unsure(known))
        {
            // Also where what came is somewhere else by now.
            self.tree.detach(known);
            replaced = Some(known);
        }
        self.displace(replaced, parent, event.name);
    }

    /// Puts a folder where a rename has taken it.
    fn place(&mut self, moved: Node, parent: Node, name: &OsStr) {
        let replaced = self.tree.child(parent, name);
        self.tree.attach(moved, parent, name);
        if self.tree.parent(moved) != Some(parent) {
            // Nothing is below itself: it is not known where it is.
            self.remove_folder(moved);
            return;
        }
        self.tree.id(moved).into_iter().for_each(|id| self.scan.verify(id));
        let replaced = self.unless_same(replaced, moved);
        self.displace(replaced, parent, name);
    }

    fn is_ahead(&self, parent: Node, name: &OsStr) -> bool {
        self.tree.child(parent, name).is_some_and(|child| self.scan.is_ahead(child))
    }

    /// A folder says that it was renamed.
    fn follow_itself(&mut self, wd: i32) {
        for folder in self.tree.nodes(wd).collect::<Vec<_>>() {
            match self.renames.proven(folder).map(|rename| rename.to) {
                Some(Some((parent, name))) if !self.is_ahead(parent, &name) => {
                    self.place(folder, parent, &name);
                }
                // Out of the tree, or to where it is not any more.
                Some(_) => self.remove_folder(folder),
                None => {}
            }
        }
    }

    /// A scan may have found a folder already where a rename takes it. Removes one of the two then.
    fn unless_same(&mut self, folder: Option<Node>, other: Node) -> Option<Node> {
        let id = self.tree.id(other);
        let is_same = |&folder: &Node| self.tree.id(folder) == id;
        if let Some(same) = folder.filter(is_same) {
            self.remove_folder(same);
            return None;
        }
        folder
    }

    fn displace(&mut self, folder: Option<Node>, parent: Node, name: &OsStr) {
        if let Some(folder) = folder.filter(|&folder| self.tree.id(folder).is_some()) {
            self.renames.replaced(folder, (parent, name.into()));
        }
    }

    /// Watches a folder that appeared, and what is below it. Returns the one that had its name.
    fn enter(&mut self, parent: Node, name: &OsStr, via: Via, is_new: bool) -> Option<Node> {
        if via == Via::Link && !self.is_asked(parent, |watch| watch.follow_links) {
            return None;
        }
        let Self { scan, tree, kernel, ready, .. } = self;
        scan.enter(parent, name, via, is_new, tree, kernel).unwrap_or_else(|(path, error)| {
            ready.push_back(Err(unwatched(path, error)));
            None
        })
    }

    fn apply_to_root(&mut self, wd: i32, kind: EventKind) {
        let is_unmounted = kind == EventKind::Remove(RemoveKind::Other);
        let is_lost = !matches!(kind, EventKind::Modify(ModifyKind::Metadata(_)));
        match kind {
            EventKind::Modify(ModifyKind::Metadata(_)) => {
                if let Some(folder) = self.renames.overwritten(wd, &self.tree) {
                    self.remove_folder(folder);
                }
            }
            EventKind::Modify(ModifyKind::Name(_)) => self.follow_itself(wd),
            _ => {}
        }
        for node in self.tree.nodes(wd).collect::<Vec<_>>() {
            // Of other folders, the one above tells the same.
            if !self.tree.is_root(node) && !is_unmounted {
                continue;
            }
            let path = self.tree.path(node).unwrap_or_default();
            self.say_of_root(kind, path);
            if is_lost {
                self.remove_folder(node);
            }
        }
        if is_lost {
            for path in self.kernel.files.remove_folder(wd) {
                // That it was removed from its folder has been said.
                if kind != EventKind::Remove(RemoveKind::Folder) {
                    self.say_of_root(kind, path);
                }
            }
            self.release_unused([wd]);
        }
    }

    fn say_of_root(&mut self, kind: EventKind, path: PathBuf) {
        let event = Event::new(kind, path);
        let is_unmounted = kind == EventKind::Remove(RemoveKind::Other);
        self.ready.push_back(Ok(if is_unmounted { event.with_info("unmounted") } else { event }));
    }

    /// Compares all that is watched with what is there, since the kernel has lost events.
    fn compare_all(&mut self) {
        self.scan.lose();
        self.kernel.has_overflown = true;
        for (root, Watch { recursive, .. }) in self.roots.clone() {
            let location = self.tree.location(root).unwrap_or_default();
            if let Ok(wd) = self.kernel.watch_root(&location) {
                let freed = self.tree.set_id(root, wd);
                self.release_unused(freed);
                if recursive {
                    self.scan.compare(root);
                }
            } else {
                let path = self.tree.path(root).unwrap_or(location);
                self.ready.push_back(Ok(Event::remove(RemoveKind::Any, path)));
                self.remove_folder(root);
            }
        }
        for file in self.kernel.files.iter().cloned().collect::<Vec<_>>() {
            self.watch_again(&file);
        }
    }

    pub(crate) fn is_scanning(&self) -> bool {
        self.scan.is_active() || self.kernel.has_overflown
    }

    pub(crate) fn scan(&mut self) {
        let Self { scan, tree, kernel, ready, .. } = self;
        scan.step(SCAN_STEP, tree, kernel, |found| ready.push_back(said(found)));
        // Afterwards: who now looks at the folders anew finds them all watched.
        if !self.scan.is_active() && mem::take(&mut self.kernel.has_overflown) {
            self.ready.push_back(Ok(Event::missed(None)));
        }
    }

    /// All events that were read are applied, and the kernel had no more at that time.
    pub(crate) fn settle(&mut self) {
        self.scan.settle();
        for folder in self.renames.settle() {
            self.remove_folder(folder);
        }
    }

    /// Removes a folder that is gone.
    fn remove_folder(&mut self, folder: Node) {
        self.roots.remove(&folder);
        self.scan.set_follow_links(folder, false);
        self.renames.forget(folder);
        for wd in self.tree.remove(folder) {
            self.kernel.release(wd);
        }
    }

    fn remove_root(&mut self, root: Node) {
        self.roots.remove(&root);
        self.scan.set_follow_links(root, false);
        for wd in self.tree.remove(root) {
            self.kernel.release(wd);
        }
    }

    fn release_unused(&self, wds: impl IntoIterator<Item = i32>) {
        for wd in wds {
            if self.tree.nodes(wd).next().is_none() {
                self.kernel.release(wd);
            }
        }
    }

    fn root_at(&self, path: &Path) -> Option<Node> {
        self.roots.keys().copied().find(|&root| self.tree.name(root) == path)
    }

    /// Drops what is yet to be said of what was below `path`, unless something else covers it.
    fn forget_below(&mut self, path: &Path) {
        let Self { ready, roots, tree, kernel, .. } = self;
        ready.retain(|item| {
            let said = match item {
                Ok(event) => event.path.as_path(),
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            let covers = |(&root, watch): (&Node, &Watch)| {
                let below = said.strip_prefix(tree.name(root));
                below.is_ok_and(|below| watch.recursive || below.components().count() <= 1)
            };
            !said.starts_with(path) || kernel.files.contains(said) || roots.iter().any(covers)
        });
    }
}

fn said(found: Found) -> StreamItem {
    match found {
        Found::Entry(kind, path) => Ok(Event::create(kind, path)),
        Found::Unwatched(path, error) => Err(unwatched(path, error)),
    }
}

fn unwatched(path: PathBuf, error: io::Error) -> StreamError {
    let cause = explain(path.clone(), error);
    StreamError::unwatched(path, cause)
}

fn is_limit(error: &BackendError) -> bool {
    matches!(error, BackendError::WatchLimit { .. } | BackendError::InstanceLimit { .. })
}

/// What an error of the kernel means for a path.
pub(crate) fn explain(path: PathBuf, error: io::Error) -> BackendError {
    let error = BackendError::from_io(path, error);
    let setting = match error {
        BackendError::WatchLimit { .. } => "fs.inotify.max_user_watches",
        BackendError::InstanceLimit { .. } => "fs.inotify.max_user_instances",
        _ => return error,
    };
    error.with_limit(Limit::sysctl(setting))
}
