//! Looks at the disk. An [`Engine`] takes them in small steps, and gives each its place in the queue.

use std::{
    collections::{BTreeMap, HashSet},
    ffi::{OsStr, OsString},
    io, mem,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    disk::has_vanished,
    engine::{Branch, Engine, Name, Report, TO},
    options::Options,
    seam::{EntryType, Via, World},
    tree::Node,
};
use crate::contract::{
    backend::StreamItem,
    error::{BackendError, StreamError},
    event::{CreateKind, Event, EventKind},
};

/// The result of a look, which waits for its fence.
#[derive(Debug)]
pub(super) struct Look<W: World> {
    outcome: Outcome<W>,
    /// The root or branch that was walked. Events of it that are read before the fence may be older than
    /// the look.
    pub(super) top: Option<Node>,
    /// The entries that were found in it, by folder and name. Until the fence is read, an event may report
    /// one of them once more, or show that the folder is new.
    pub(super) found: BTreeMap<(Node, OsString), Found>,
    /// Whether no event has concerned its place since.
    pub(super) is_sure: bool,
    /// The folders that are to be watched for accesses as well.
    quiet: Vec<Node>,
    fence: Option<u64>,
}

/// An entry that a look has found in a folder that was not watched before.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: CreateKind,
    /// Whether it was reported as created.
    pub(super) is_reported: bool,
}

#[derive(Debug)]
enum Outcome<W: World> {
    /// A root and all below it were walked; they have their places.
    Walked,
    /// This folder was seen under the name, or none was.
    Seen {
        name: Name,
        parent: Arc<W::Folder>,
        found: Option<(W::Id, Arc<W::Folder>)>,
        is_still_so: bool,
    },
    /// The folder above is not where the tree has it. An event about that is still to be read.
    Blocked { name: Name, moves: u64 },
}

/// A walk in progress through a folder and everything below it.
#[derive(Debug)]
pub(super) struct Walk<W: World> {
    look: Look<W>,
    options: Options,
    // Whether the contents are new, or were there before and only not watched.
    is_new: bool,
    // Whether the tree has a part of it already, which may be wrong.
    compares: bool,
    // Folders that the walk has found in another place than the tree has them in.
    moved: Vec<Look<W>>,
    // The folders to enter. Last in, first out: few folders are open at a time.
    entries: Vec<Entry<W>>,
}

#[derive(Debug)]
struct Entry<W: World> {
    node: Node,
    // None for the top, which is open already.
    name: Option<OsString>,
    folder: Arc<W::Folder>,
}

/// The entries of a folder, and the folder itself if it was opened to list them.
struct Listed<W: World> {
    opened: Option<(W::Id, Arc<W::Folder>)>,
    entries: io::Result<Vec<(OsString, EntryType)>>,
}

/// The result of adding a folder that a walk has found to the tree.
enum Grown {
    /// The tree has it as this node.
    Node(Node),
    /// The tree has it elsewhere.
    Moved,
    /// It is left out.
    Nothing,
}

/// Up to this number of folders, starting threads does not pay.
const FEW: usize = 64;
/// How often a folder may be missing from its place in the tree although all events up to then are read.
const TRIES: u8 = 3;

impl<W: World> Walk<W> {
    /// Creates a walk through everything below a root, which keeps its place.
    pub(super) fn of_root(root: Node, options: Options, folder: W::Folder) -> Self {
        let look = Look::new(Outcome::Walked, Some(root));
        Self { compares: true, ..Self::new(look, root, options, Arc::new(folder)) }
    }

    fn new(look: Look<W>, top: Node, options: Options, folder: Arc<W::Folder>) -> Self {
        let entries = vec![Entry { node: top, name: None, folder }];
        Self { look, options, is_new: false, compares: false, moved: Vec::new(), entries }
    }

    /// Returns the look that this walk is a part of.
    pub(super) fn look(&self) -> &Look<W> {
        &self.look
    }

    /// Calls `change` with every reference to a folder of the tree.
    pub(super) fn for_each_folder(&mut self, mut change: impl FnMut(&mut Node) + Copy) {
        self.look.for_each_folder(change);
        self.moved.iter_mut().for_each(|look| look.for_each_folder(change));
        self.entries.iter_mut().for_each(|entry| change(&mut entry.node));
    }
}

impl<W: World> Look<W> {
    fn new(outcome: Outcome<W>, top: Option<Node>) -> Self {
        Self { outcome, top, found: BTreeMap::new(), is_sure: true, quiet: Vec::new(), fence: None }
    }

    /// Returns whether it is a look at this entry of a folder.
    pub(super) fn is_at(&self, parent: Node, name: &OsStr) -> bool {
        matches!(&self.outcome, Outcome::Seen { name: at, .. } if at.parent == parent && at.name == name)
    }

    /// Returns the folder that was found, and its place.
    pub(super) fn found_at(&self) -> Option<(Name, W::Id)> {
        match &self.outcome {
            Outcome::Seen { name, found: Some((id, _)), .. } => Some((name.clone(), *id)),
            _ => None,
        }
    }

    /// Returns the place that a branch was found in.
    pub(super) fn parent(&self) -> Option<Node> {
        match &self.outcome {
            Outcome::Seen { name, .. } => Some(name.parent),
            Outcome::Blocked { .. } | Outcome::Walked => None,
        }
    }

    /// Calls `change` with every reference to a folder of the tree.
    pub(super) fn for_each_folder(&mut self, mut change: impl FnMut(&mut Node)) {
        if let Outcome::Seen { name, .. } | Outcome::Blocked { name, .. } = &mut self.outcome {
            change(&mut name.parent);
        }
        self.quiet.iter_mut().for_each(&mut change);
        for ((mut folder, name), found) in mem::take(&mut self.found) {
            change(&mut folder);
            self.found.insert((folder, name), found);
        }
    }

    fn has_found(&self, folder: Option<W::Id>) -> bool {
        match &self.outcome {
            Outcome::Seen { found: Some((id, _)), .. } => folder == Some(*id),
            _ => false,
        }
    }
}

impl<W: World> Engine<W> {
    /// Takes up to `count` small steps. Returns whether there may be more to do before the next
    /// event is looked at.
    pub(super) fn step(&mut self, count: usize) -> bool {
        // A shortcut for the usual case, since this runs for each event.
        if self.is_idle() {
            return false;
        }
        for _ in 0..count {
            if let Some(walk) = self.walk.take() {
                self.enter_next(walk);
            } else if let Some(root) = self.lost.pop() {
                self.compare_root(root);
            } else if let Some(name) = self.due.pop_front() {
                if name.via == Via::Name || !self.is_no_link(&name) {
                    self.look(name);
                }
                if self.due.is_empty() {
                    self.opened = None;
                }
            } else if self.place_blocked() {
                // It is due again.
            } else if let Some((_, name)) = self.links.pop_first() {
                self.look(name);
            } else if let Some(node) = self.quiet.pop() {
                self.watch_for_access(node);
            } else if mem::take(&mut self.has_missed) {
                self.watch_files_again();
                // Afterwards: a consumer that rescans now finds all folders watched.
                self.ready.push_back(Ok(Event::missed(None)));
            } else if self.looks.iter().any(|look| look.fence.is_none())
                || !self.is_blocked() && self.has_new_branches()
            {
                self.fence();
            } else {
                return false;
            }
        }
        true
    }

    fn is_idle(&self) -> bool {
        self.walk.is_none()
            && self.lost.is_empty()
            && self.due.is_empty()
            && self.looks.is_empty()
            && self.links.is_empty()
            && self.quiet.is_empty()
            && self.branches.is_empty()
            && !self.has_missed
    }

    /// Takes up a look again that could not be made, if a folder has moved since. A consumer that reads the
    /// report of the move lists the folder, so it must be watched by then. Returns whether there was such a
    /// look.
    fn place_blocked(&mut self) -> bool {
        let has_moved = |look: &Look<W>| match look.outcome {
            Outcome::Blocked { moves, .. } => moves != self.moves,
            Outcome::Seen { .. } | Outcome::Walked => false,
        };
        let at = self.looks.iter().position(has_moved);
        let look = at.and_then(|at| self.looks.remove(at));
        look.map(|look| self.place(look)).is_some()
    }

    /// Looks at the entry of a folder.
    fn look(&mut self, name: Name) {
        let Some(top) = self.tree.top(name.parent) else { return };
        if let Some(branch) = self.branches.get_mut(&top) {
            branch.due.push(name);
            return;
        }
        let Some(&options) = self.roots.get(&top) else { return };
        let parent = match self.open_known(name.parent) {
            Ok(Some(parent)) => Arc::new(parent),
            Ok(None) => {
                let outcome = Outcome::Blocked { name, moves: self.moves };
                return self.looks.push_back(Look::new(outcome, None));
            }
            // The folder above loses nothing; its entry is not watched.
            Err(error) => return self.report(name.parent, &name.name, Report::Unwatched(error)),
        };
        let opened = (self.world.open_in(&parent, &name.name, name.via))
            .and_then(|folder| Ok((self.world.watch(&folder, false)?, Arc::new(folder))));
        let found = match opened {
            Ok(found) => Some(found),
            Err(error) if has_vanished(&error) => None,
            Err(error) => return self.report(name.parent, &name.name, Report::Unwatched(error)),
        };
        let wanted = found.as_ref().filter(|(id, _)| !self.is_reached_otherwise(*id, &name));
        let known = self.child(name.parent, &name.name, name.via);
        if known.and_then(|known| self.tree.id(known)) == wanted.map(|(id, _)| *id) {
            if let Some((_, folder)) = wanted.filter(|_| options.access) {
                _ = self.world.watch(folder, true);
            }
            if self.has_new_branches() {
                // So that the second half of a rename is queued before the fence.
                self.world.await_events(&parent);
            }
            return;
        }
        let Name { is_new, has_event, via, .. } = name;
        let link = self.link_above(name.parent);
        let unknown = wanted
            .filter(|(id, _)| self.node_of(*id, name.parent, via).is_none())
            .map(|(id, folder)| (*id, Arc::clone(folder)));
        if let Some((_, folder)) = wanted.filter(|_| options.access && unknown.is_none()) {
            _ = self.world.watch(folder, true);
        }
        let outcome = Outcome::Seen { name, parent, found, is_still_so: true };
        let Some((id, folder)) = unknown else {
            return self.looks.push_back(Look::new(outcome, None));
        };
        let node = self.tree.add_detached(via, id);
        let mut branch = Branch::new(top, link);
        if !has_event {
            branch.hold(node, Report::Event(EventKind::Create(CreateKind::Folder), None));
        }
        self.branches.insert(node, branch);
        let look = Look::new(outcome, Some(node));
        self.walk = Some(Walk { is_new, ..Walk::new(look, node, options, folder) });
    }

    /// Returns whether an entry that may be a link leads to no folder, and has not done so before. Most
    /// files are no links, and this takes a single look at the entry. It holds wherever the entry's folder
    /// is by now.
    fn is_no_link(&mut self, Name { parent, name, .. }: &Name) -> bool {
        if self.child(*parent, name, Via::Link).is_some()
            || self.looks.iter().any(|look| look.is_at(*parent, name))
            || !self.branches.is_empty()
        {
            return false;
        }
        let Some(id) = self.tree.id(*parent) else { return true };
        if self.opened.as_ref().is_none_or(|opened| opened.0 != id) {
            let Ok(Some(folder)) = self.open_known(*parent) else { return false };
            self.opened = Some((id, folder));
        }
        self.opened.as_ref().is_some_and(|(_, folder)| {
            let opened = self.world.open_in(folder, name, Via::Link);
            opened.is_err_and(|error| has_vanished(&error))
        })
    }

    /// Opens a folder of the tree. Returns `None` if its path leads nowhere or to another folder: it is
    /// being renamed or removed, and an event about that will come.
    fn open_known(&self, node: Node) -> io::Result<Option<W::Folder>> {
        let Some(location) = self.tree.location(node) else { return Ok(None) };
        let opened = (self.world.open(&location))
            .and_then(|folder| Ok((self.world.watch(&folder, false)?, folder)));
        match opened {
            Ok((id, folder)) if self.tree.id(node) == Some(id) => Ok(Some(folder)),
            Ok((id, _)) => {
                self.release_unused([id]);
                Ok(None)
            }
            Err(error) if has_vanished(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the folder that a look has found in `parent`, from the place that the tree has it in.
    fn node_of(&self, id: W::Id, parent: Node, via: Via) -> Option<Node> {
        let places = self.tree.nodes(id).filter(|&node| {
            let can_move = !self.tree.is_root(node) && self.tree.via(node) == Some(via);
            can_move && (via == Via::Name || self.branches.contains_key(&node))
        });
        self.nearest(places, parent)
    }

    /// Returns whether a link leads to a folder that its root also reaches otherwise, without a link or
    /// through another one.
    fn is_reached_otherwise(&self, id: W::Id, name: &Name) -> bool {
        let root = self.tree.top(name.parent);
        name.via == Via::Link
            && self
                .tree
                .nodes(id)
                .any(|node| self.tree.top(node) == root && !self.is_at(node, name))
    }

    fn is_at(&self, node: Node, name: &Name) -> bool {
        self.tree.parent(node) == Some(name.parent) && self.tree.name(node) == name.name
    }

    /// Checks whether the results of looks still hold.
    fn confirm(&mut self) {
        for look in self.looks.iter_mut().filter(|look| look.fence.is_none()) {
            if let Outcome::Seen { name, parent, found, is_still_so } = &mut look.outcome {
                *is_still_so &= if let Some((_, folder)) = found {
                    self.world.is_entry(parent, &name.name, name.via, folder)
                } else {
                    let opened = self.world.open_in(parent, &name.name, name.via);
                    opened.is_err_and(|error| has_vanished(&error))
                };
            }
        }
    }

    fn has_new_branches(&self) -> bool {
        self.branches.values().any(|branch| branch.until.is_none())
    }

    /// Returns whether a look cannot be made yet, because the second half of a rename may be under way.
    fn is_blocked(&self) -> bool {
        self.looks.iter().any(|look| matches!(look.outcome, Outcome::Blocked { .. }))
    }

    /// Waits until the rename is queued that has led a folder away, or one above it.
    fn await_above(&self, folder: Node) {
        for location in self.tree.ancestors(folder).filter_map(|above| self.tree.location(above)) {
            if let Ok(above) = self.world.open(&location) {
                self.world.await_events(&above);
            }
        }
    }

    /// Puts a fence into the queue for all finished looks.
    fn fence(&mut self) {
        self.fences_made += 1;
        for look in self.looks.iter().filter(|look| look.fence.is_none()) {
            match &look.outcome {
                Outcome::Seen { parent, .. } => self.world.await_events(parent),
                Outcome::Blocked { name, .. } => self.await_above(name.parent),
                Outcome::Walked => {}
            }
        }
        // Both before the fence and after it. Then all events about the name that come before the fence are
        // older than the look, and all after it are newer.
        self.confirm();
        let fence = self.world.fence();
        self.confirm();
        for look in self.looks.iter_mut().filter(|look| look.fence.is_none()) {
            look.fence = Some(self.fences_made);
        }
        if !self.is_blocked() {
            for branch in self.branches.values_mut().filter(|branch| branch.until.is_none()) {
                branch.until = Some(self.fences_made);
            }
        }
        match fence {
            Some(id) => self.fences.push_back((id, self.fences_made)),
            None => self.pass_fence(self.fences_made),
        }
    }

    /// Applies the looks that were made before a fence, which has been read.
    pub(super) fn pass_fence(&mut self, number: u64) {
        self.new_watches.retain(|_, fence| *fence > number);
        let is_before = |look: &Look<W>| look.fence.is_some_and(|fence| fence <= number);
        while self.looks.front().is_some_and(is_before)
            && let Some(look) = self.looks.pop_front()
        {
            self.place(look);
        }
        // A branch that another look has found meanwhile gets its place with the fence of that look.
        let is_found = |node| self.looks.iter().any(|look| look.has_found(self.tree.id(node)));
        let gone = self.branches.iter().filter(|&(&node, branch)| {
            branch.until.is_some_and(|until| until <= number) && !is_found(node)
        });
        for branch in gone.map(|(&node, _)| node).collect::<Vec<_>>() {
            self.remove(branch);
        }
    }

    fn place(&mut self, Look { outcome, top, quiet, .. }: Look<W>) {
        match outcome {
            Outcome::Walked => {}
            Outcome::Blocked { name, moves } => {
                let tries = if moves == self.moves { name.tries + 1 } else { 1 };
                if tries > TRIES {
                    self.look_above(name);
                } else {
                    self.due.push_back(Name { tries, ..name });
                }
            }
            Outcome::Seen { name, found, is_still_so: true, .. } => {
                self.put(name, found.map(|it| it.0));
            }
            Outcome::Seen { .. } => {
                // It has moved on. An event of its arrival is still to be read.
                if let Some(branch) = top.and_then(|top| self.branches.get_mut(&top)) {
                    branch.until = None;
                }
            }
        }
        self.quiet.extend(quiet);
    }

    /// Handles a move that no event shows: of a folder above the target of a link, or above a root.
    fn look_above(&mut self, name: Name) {
        let is_link = |node: &Node| self.tree.via(*node) == Some(Via::Link);
        let links: Vec<_> = self.tree.ancestors(name.parent).filter(is_link).collect();
        if links.is_empty() || name.tries > TRIES {
            return self.lose();
        }
        for link in links {
            self.look_again_at(link);
        }
        self.due.push_back(Name { tries: name.tries + 1, ..name });
    }

    /// Puts the folder `found` into the place in which it was seen, or clears that place.
    pub(super) fn put(&mut self, name: Name, found: Option<W::Id>) {
        let known = self.child(name.parent, &name.name, name.via);
        let found = found.filter(|&id| !self.is_reached_otherwise(id, &name));
        if known.and_then(|known| self.tree.id(known)) == found {
            return;
        }
        let Some(id) = found else {
            if let Some(known) = known {
                self.detach(known, 0, Some((name.parent, name.name)));
            }
            return;
        };
        match self.node_of(id, name.parent, name.via) {
            Some(node) => {
                let branch = self.branches.get(&node);
                let is_late = branch.is_some_and(|it| it.due.iter().any(|due| due.tries > 0));
                self.attach(node, name.parent, &name.name);
                if is_late {
                    // A name in it was reported, but is looked at only now. A consumer that has looked
                    // meanwhile has seen contents that were not watched, and has to look again.
                    self.report(name.parent, &name.name, Report::Event(TO, None));
                }
            }
            // It was removed meanwhile.
            None => self.due.push_back(name),
        }
    }

    /// Enters the next folder of a walk.
    fn enter_next(&mut self, mut walk: Walk<W>) {
        let Some(entry) = walk.entries.pop() else {
            if matches!(walk.look.outcome, Outcome::Walked) {
                self.quiet.append(&mut walk.look.quiet);
            }
            self.looks.push_back(walk.look);
            self.looks.extend(walk.moved);
            return;
        };
        let listed = list(&*self.world, &entry, !walk.compares, self.mutes(&walk));
        self.enter(&mut walk, entry, listed);
        self.walk = Some(walk);
    }

    /// Returns whether a walk must mute the folders that it lists. After a loss it lists them all, and the
    /// access events would fill the queue again.
    fn mutes(&self, walk: &Walk<W>) -> bool {
        self.has_missed && walk.compares && self.roots.values().any(|options| options.access)
    }

    fn watch_for_access(&self, node: Node) {
        let Some(location) = self.tree.location(node) else { return };
        // If this fails, the folder stays watched as it is.
        if let Ok(id) = self.world.watch_accesses(&location)
            && self.tree.id(node) != Some(id)
        {
            // It is being renamed or removed.
            self.release_unused([id]);
        }
    }

    /// Adds a listed folder to the tree, and schedules the folders in it.
    fn enter(&mut self, walk: &mut Walk<W>, entry: Entry<W>, listed: io::Result<Listed<W>>) {
        let Entry { node, name, folder } = entry;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) if has_vanished(&error) => return,
            Err(error) => {
                let name = name.unwrap_or_default();
                return self.report(node, &name, Report::Unwatched(error));
            }
        };
        let (node, folder) = match (listed.opened, name) {
            (Some(found), Some(name)) => match self.grow(walk, node, &name, found.0) {
                Grown::Node(node) => (node, found.1),
                Grown::Moved => {
                    let name = Name::new(node, name, Via::Name, walk.is_new);
                    let (parent, found) = (folder, Some(found));
                    let seen = Outcome::Seen { name, parent, found, is_still_so: true };
                    walk.moved.push(Look::new(seen, None));
                    return;
                }
                Grown::Nothing => return,
            },
            _ => (node, folder),
        };
        if walk.options.access {
            walk.look.quiet.push(node);
        }
        let entries = match listed.entries {
            Ok(entries) => entries,
            Err(error) if has_vanished(&error) => return,
            Err(error) => return self.report(node, OsStr::new(""), Report::Unwatched(error)),
        };
        if self.tree.id(node).is_none() {
            return;
        }
        if walk.compares {
            self.give_up_missing(node, &entries);
        }
        for (name, entry_type) in entries {
            if !walk.compares {
                let is_folder = entry_type == EntryType::Folder;
                let kind = if is_folder { CreateKind::Folder } else { CreateKind::File };
                if walk.is_new {
                    self.report(node, &name, Report::Event(EventKind::Create(kind), None));
                }
                let found = Found { kind, is_reported: walk.is_new };
                walk.look.found.insert((node, name.clone()), found);
            }
            match entry_type {
                EntryType::Folder => {
                    let (name, folder) = (Some(name), Arc::clone(&folder));
                    walk.entries.push(Entry { node, name, folder });
                }
                EntryType::Link if walk.options.follow_links => {
                    let link = Name::new(node, name, Via::Link, walk.is_new);
                    self.look_at_link(link);
                }
                EntryType::Link | EntryType::Other => {}
            }
        }
    }

    fn look_at_link(&mut self, link: Name) {
        match self.tree.entry_path(link.parent, &link.name) {
            Some(path) => _ = self.links.insert(path, link),
            // It is looked at once it has a path.
            None => self.due.push_back(link),
        }
    }

    /// Adds the watched folder `name` of `parent` to the tree.
    fn grow(&mut self, walk: &Walk<W>, parent: Node, name: &OsStr, id: W::Id) -> Grown {
        let Some(root) = self.root_of(parent) else {
            // The watch was removed meanwhile.
            self.release_unused([id]);
            return Grown::Nothing;
        };
        if let Some(known) = self.tree.child(parent, name) {
            if self.tree.id(known) == Some(id) && self.tree.via(known) == Some(Via::Name) {
                return Grown::Node(known);
            }
            self.detach(known, 0, None);
        }
        if self.tree.is_linked(parent)
            && self.tree.nodes(id).any(|it| self.root_of(it) == Some(root))
        {
            return Grown::Nothing;
        }
        match self.node_of(id, parent, Via::Name) {
            // Where the tree had it may be wrong.
            Some(node)
                if walk.compares && (self.has_missed || self.root_of(node) == Some(root)) =>
            {
                self.attach(node, parent, name);
                Grown::Node(node)
            }
            Some(_) => Grown::Moved,
            None => {
                let node = self.tree.add(parent, name, Via::Name, id);
                let is_done = walk.compares && !self.has_missed && self.take_over(node);
                if is_done { Grown::Nothing } else { Grown::Node(node) }
            }
        }
    }

    /// Detaches the folders of the tree that a listing does not have. Links that led to a folder are looked
    /// at.
    fn give_up_missing(&mut self, folder: Node, entries: &[(OsString, EntryType)]) {
        if self.tree.children(folder).next().is_none() {
            return;
        }
        let there: HashSet<_> = entries.iter().map(|(name, _)| name.as_os_str()).collect();
        for child in self.tree.children(folder).collect::<Vec<_>>() {
            let name = self.tree.name(child).to_owned();
            if !there.contains(name.as_os_str()) {
                self.detach(child, 0, None);
            } else if self.tree.via(child) == Some(Via::Link) {
                self.look_at(folder, &name, Via::Link, false);
            }
        }
    }

    /// Watches everything below a root, and places it at once. The root is watched and open already.
    pub(super) fn walk_root(&mut self, root: Node, folder: W::Folder) -> Result<(), BackendError> {
        let Some(&options) = self.roots.get(&root) else { return Ok(()) };
        let before = self.ready.len();
        let paused = (self.walk.take(), mem::take(&mut self.due), mem::take(&mut self.links));
        self.walk_all(Walk::of_root(root, options, folder));
        while let Some(link) = self.next_link() {
            let looks = self.looks.len();
            self.look(link);
            while let Some(walk) = self.walk.take() {
                self.enter_next(walk);
            }
            let is_seen = |look: &Look<W>| matches!(look.outcome, Outcome::Seen { .. });
            while self.looks.len() > looks
                && self.looks.back().is_some_and(is_seen)
                && let Some(look) = self.looks.pop_back()
                && let Outcome::Seen { name, found, .. } = look.outcome
            {
                self.put(name, found.map(|(id, _)| id));
            }
        }
        self.watch_all_for_access();
        // At once, since events that are queued from now on are newer.
        self.fence();
        let (walk, mut due, links) = paused;
        due.append(&mut self.due);
        (self.walk, self.due, self.links) = (walk, due, links);
        self.take_limit(before)
    }

    fn next_link(&mut self) -> Option<Name> {
        let first = self.links.pop_first().map(|(_, link)| link);
        first.or_else(|| {
            let at = self.due.iter().position(|name| name.via == Via::Link)?;
            self.due.remove(at)
        })
    }

    /// Fails if the platform's limit is reached, according to the items from `before` on. Such an error
    /// concerns all further folders, and not one in particular.
    fn take_limit(&mut self, before: usize) -> Result<(), BackendError> {
        let is_limit = |item: &StreamItem| match item {
            Err(StreamError::Unwatched { cause, .. }) => matches!(
                **cause,
                BackendError::WatchLimit { .. } | BackendError::InstanceLimit { .. }
            ),
            _ => false,
        };
        let at = self.ready.iter().skip(before).position(is_limit);
        match at.and_then(|at| self.ready.drain(before..).nth(at)) {
            Some(Err(StreamError::Unwatched { cause, .. })) => Err(*cause),
            _ => Ok(()),
        }
    }

    /// Watches all listed folders for accesses. If there are many, it does so in as many threads as a walk.
    fn watch_all_for_access(&mut self) {
        let quiet = mem::take(&mut self.quiet);
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(&node) = quiet.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.watch_for_access(node);
            }
        };
        if quiet.len() > FEW { with_helpers(work) } else { work() }
    }

    /// Completes a walk. Large trees are walked by as many threads as there are cores, all of which have
    /// ended when it returns.
    fn walk_all(&mut self, mut walk: Walk<W>) {
        for _ in 0..FEW {
            self.enter_next(walk);
            match self.walk.take() {
                Some(rest) => walk = rest,
                None => return,
            }
        }
        let world = Arc::clone(&self.world);
        let shared = Mutex::new(Shared { engine: self, walk, busy: 0, waiting: 0 });
        let changed = Condvar::new();
        with_helpers(|| work(&*world, &shared, &changed));
        let Shared { engine, walk, .. } =
            shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        engine.enter_next(walk);
    }
}

/// The state that the threads of a walk share.
struct Shared<'a, W: World> {
    engine: &'a mut Engine<W>,
    walk: Walk<W>,
    // The number of threads that may find more to do.
    busy: usize,
    // The number of threads that wait for that.
    waiting: usize,
}

/// Enters folders until there are none left, as one of several threads.
fn work<W: World>(world: &W, shared: &Mutex<Shared<'_, W>>, changed: &Condvar) {
    let mut state = lock(shared);
    loop {
        if let Some(entry) = state.walk.entries.pop() {
            state.busy += 1;
            let mutes = state.engine.mutes(&state.walk);
            drop(state);
            let listed =
                panic::catch_unwind(AssertUnwindSafe(|| list(world, &entry, false, mutes)));
            state = lock(shared);
            state.busy -= 1;
            let Shared { engine, walk, .. } = &mut *state;
            match listed {
                Ok(listed) => engine.enter(walk, entry, listed),
                Err(panic) => {
                    // Otherwise the other threads would wait for the folders that this one might have
                    // found.
                    changed.notify_all();
                    drop(state);
                    panic::resume_unwind(panic);
                }
            }
            if state.waiting > 0 && (state.busy == 0 || !state.walk.entries.is_empty()) {
                changed.notify_all();
            }
        } else if state.busy > 0 {
            state.waiting += 1;
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        } else {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No thread panics while the state is inconsistent.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` in as many threads as there are cores.
fn with_helpers(work: impl Fn() + Sync) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        // If no more threads can be started, the present ones do the work.
        let helper = |_| thread::Builder::new().spawn_scoped(scope, &work).ok();
        let helpers: Vec<_> = (1..cores).map_while(helper).collect();
        work();
        for helper in helpers {
            // The scope would wait for their work, but not for the threads to end.
            helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    });
}

/// Opens and watches a folder, unless that was done before, and then lists it. In this order, an entry that
/// is created in between is seen at least once.
fn list<W: World>(
    world: &W,
    Entry { name, folder, .. }: &Entry<W>,
    all: bool,
    mutes: bool,
) -> io::Result<Listed<W>> {
    let opened = match name {
        Some(name) => {
            let opened = world.open_in(folder, name, Via::Name)?;
            Some((world.watch(&opened, false)?, Arc::new(opened)))
        }
        None => None,
    };
    let folder = opened.as_ref().map_or(folder, |(_, opened)| opened);
    if mutes {
        world.mute(folder);
    }
    let mut entries = Vec::new();
    let listed = world.list(folder, &mut |name, entry_type| {
        if all || entry_type != EntryType::Other {
            entries.push((name.to_owned(), entry_type));
        }
    });
    Ok(Listed { opened, entries: listed.map(|()| entries) })
}
