//! The rules by which the tree of watched folders follows what the platform tells: [`Engine`].
//!
//! The tree is a picture of one moment: of when the event was queued that was read last. A look at
//! the disk sees another moment. So what it finds is put into the queue as well, at the place where
//! it was true, by a fence; it takes effect when that is read. Until then it is a [`Branch`] that
//! hangs nowhere, as are the folders that a rename has taken away and not brought anywhere yet. What
//! is told of a branch has no path, and is held until it has one.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use hashbrown::HashMap;

use super::{
    files::Files,
    look::{Look, Walk},
    options::Options,
    seam::{FolderEvent, Via, World},
    spelling,
    tree::{Node, WatchTree},
};
use crate::contract::{
    backend::StreamItem,
    error::{BackendError, StreamError},
    event::{Event, EventKind, ModifyKind, RemoveKind, RenameMode, Tracker},
};

/// The watched folders and files.
#[derive(Debug)]
pub(super) struct Engine<W: World> {
    pub(super) world: Arc<W>,
    pub(super) tree: WatchTree<W::Id>,
    pub(super) roots: HashMap<Node, Options>,
    /// The same, by their paths.
    pub(super) spelled: HashMap<OsString, Node>,
    /// The roots that another one does the work of, and where that has them.
    pub(super) within: HashMap<Node, Node>,
    pub(super) files: Files<W::Id>,
    /// What hangs nowhere, by the folder at its top.
    pub(super) branches: HashMap<Node, Branch>,
    /// What is to be looked at.
    pub(super) due: VecDeque<Name>,
    /// The same, when nothing else is: what is reached without a link is known by then.
    pub(super) links: BTreeMap<PathBuf, Name>,
    /// Roots that are to be compared with what is there, since events were lost.
    pub(super) lost: Vec<Node>,
    /// Whether that is to be said.
    pub(super) has_missed: bool,
    /// What is listed, and is to be watched for accesses again.
    pub(super) quiet: Vec<Node>,
    /// The folder that is being looked at, and all below it.
    pub(super) walk: Option<Walk<W>>,
    /// What was looked at, in order; each waits for its fence.
    pub(super) looks: VecDeque<Look<W>>,
    /// The folder of the names that are due, if several are of the same.
    pub(super) opened: Option<(W::Id, W::Folder)>,
    /// The fences in the queue, with their numbers.
    pub(super) fences: VecDeque<(W::Id, u64)>,
    /// How many fences were made.
    pub(super) made: u64,
    /// The watches, by their paths, that were added when there was more to read in the queue, and the
    /// fences behind that: what is read before is older than the watch.
    pub(super) young: HashMap<OsString, u64>,
    /// How often a folder has left its place, or got one.
    pub(super) moves: u64,
    pub(super) ready: VecDeque<StreamItem>,
}

/// Folders that hang nowhere: found by a look, or taken from their place.
#[derive(Debug)]
pub(super) struct Branch {
    /// The root that it was found below, or was in.
    pub(super) root: Node,
    /// The nearest link above that place, if there is one. What is below a link is a picture of its own
    /// of folders that may be in the tree elsewhere as well: they do not move from one to the other.
    pub(super) link: Option<Node>,
    /// The rename that has taken it away; 0 if it was none, or if that cannot be told.
    cookie: u32,
    /// The place that something else was given. Either this was an empty folder, and is gone; or the
    /// two exchange their names, and it is about to be renamed.
    pub(super) displaced: Option<(Node, OsString)>,
    /// The fence with which it is gone, if it hangs nowhere by then.
    pub(super) until: Option<u64>,
    /// What is to be said once it has a path.
    held: Vec<Held>,
    /// What is to be looked at then.
    pub(super) due: Vec<Name>,
}

/// The entry of a folder that is to be looked at.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) parent: Node,
    #[allow(clippy::struct_field_names, reason = "an entry is a folder and a name in it")]
    pub(super) name: OsString,
    pub(super) via: Via,
    /// Whether what is in there is new, or was only not watched.
    pub(super) is_new: bool,
    /// Whether the platform tells that it is there itself.
    pub(super) is_told: bool,
    /// How often the folder above was not where the tree had it.
    pub(super) tries: u8,
}

/// What is to be said of an entry of a folder in a branch.
#[derive(Debug)]
struct Held {
    folder: Node,
    /// From the top of the branch.
    path: PathBuf,
    said: Said,
}

/// What is said of a path.
#[derive(Debug)]
pub(super) enum Said {
    Event(EventKind, Option<Tracker>),
    Unwatched(io::Error),
}

const FROM: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::From));
pub(super) const TO: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));

impl<W: World> Engine<W> {
    pub(super) fn new(world: W) -> Self {
        Self {
            world: Arc::new(world),
            tree: WatchTree::new(),
            roots: HashMap::new(),
            spelled: HashMap::new(),
            within: HashMap::new(),
            files: Files::default(),
            branches: HashMap::new(),
            due: VecDeque::new(),
            links: BTreeMap::new(),
            lost: Vec::new(),
            has_missed: false,
            quiet: Vec::new(),
            walk: None,
            looks: VecDeque::new(),
            opened: None,
            fences: VecDeque::new(),
            made: 0,
            young: HashMap::new(),
            moves: 0,
            ready: VecDeque::new(),
        }
    }

    pub(super) fn world(&self) -> &W {
        &self.world
    }

    pub(super) fn next(&mut self) -> Option<StreamItem> {
        self.ready.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.roots.is_empty() && self.files.is_empty()
    }

    /// Adds a watch of a folder, or of a file by its name in its folder.
    pub(super) fn watch(&mut self, path: &Path, options: Options) -> Result<(), BackendError> {
        let is_first = self.is_empty();
        let is_replaced = self.is_watched(path);
        self.add_watch(path, options)?;
        if !is_first && !is_replaced {
            self.ignore_older(path);
        }
        Ok(())
    }

    fn is_watched(&self, path: &Path) -> bool {
        let path = path.as_os_str();
        self.spelled.contains_key(path) || self.files.contains(path)
    }

    /// What is in the queue by now is no news for a new watch, whatever else it is told for.
    fn ignore_older(&mut self, path: &Path) {
        if let Some(id) = self.world.fence() {
            self.made += 1;
            self.fences.push_back((id, self.made));
            self.young.insert(path.into(), self.made);
        }
    }

    fn add_watch(&mut self, path: &Path, options: Options) -> Result<(), BackendError> {
        let failed = |engine: &Self, error| engine.world.explain(path.into(), error);
        let location = std::path::absolute(path).map_err(|error| failed(self, error))?;
        let entry_type = self.world.entry_type(&location, options.follow_links);
        // A path that was watched as the other is not any more, as if it had another depth.
        if entry_type.map_err(|error| failed(self, error))?.is_folder() {
            self.watch_folder(path, &location, options)?;
            self.unwatch_file(path);
        } else {
            self.watch_file(path, &location, options).map_err(|error| {
                // It is the folder that is watched.
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                failed(self, error).with_folder(folder.unwrap_or(Path::new(".")))
            })?;
            self.unwatch_folder(path);
        }
        Ok(())
    }

    fn watch_folder(
        &mut self,
        path: &Path,
        location: &Path,
        options: Options,
    ) -> Result<(), BackendError> {
        let opened = self.world.open(location).and_then(|folder| {
            // One that is listed is watched for accesses when that is done.
            let access = options.access && !options.recursive;
            Ok((self.world.watch(&folder, access)?, folder))
        });
        let (id, folder) = opened.map_err(|error| self.world.explain(path.into(), error))?;
        let root = self.tree.add_root(path, id);
        self.roots.insert(root, options);
        if !self.join(root)
            && options.recursive
            && let Err(error) = self.walk_root(root, folder)
        {
            self.remove_root(root);
            return Err(error);
        }
        // Last, so that what both cover is watched all the time.
        if let Some(previous) = self.spelled.insert(path.into(), root) {
            self.remove_root(previous);
        }
        Ok(())
    }

    /// Removes a watch. Returns whether there was one.
    pub(super) fn unwatch(&mut self, path: &Path) -> bool {
        let is_watched = self.is_watched(path);
        if is_watched {
            self.unwatch_file(path);
            self.unwatch_folder(path);
            self.forget_below(path);
        }
        is_watched
    }

    fn unwatch_file(&mut self, path: &Path) {
        let freed = self.files.remove(path.as_os_str());
        self.release_unused(freed);
    }

    fn unwatch_folder(&mut self, path: &Path) {
        if let Some(&root) = self.spelled.get(path.as_os_str()) {
            self.remove_root(root);
        }
    }

    /// Reports an event of a folder, and follows what it means.
    pub(super) fn apply(&mut self, id: W::Id, event: FolderEvent<'_>) {
        match event {
            FolderEvent::Entry { name, kind, is_folder, cookie } => {
                let via = if is_folder { Via::Name } else { Via::Link };
                self.apply_to_entry(id, name, kind, via, cookie);
            }
            FolderEvent::Itself(kind) => self.apply_to_itself(id, kind),
            FolderEvent::Ended => {
                // One may stand for several; those before it have come as well, or never will.
                if let Some(at) = self.fences.iter().rposition(|&(fence, _)| fence == id) {
                    let passed = self.fences.drain(..=at).next_back();
                    if let Some((_, number)) = passed {
                        self.pass(number);
                    }
                    return;
                }
                for node in self.tree.nodes(id).collect::<Vec<_>>() {
                    self.remove_root(node);
                }
            }
        }
    }

    fn apply_to_entry(&mut self, id: W::Id, name: &OsStr, kind: EventKind, via: Via, cookie: u32) {
        if !self.branches.is_empty() {
            self.place_told(id);
        }
        let is_structural = matches!(kind, EventKind::Create(_) | FROM | TO | EventKind::Remove(_));
        let told = if is_structural { self.take_found(id, name) } else { Vec::new() };
        // After anything else, its next creation is a new one.
        let told = if matches!(kind, EventKind::Create(_)) { told } else { Vec::new() };
        if !told.is_empty() && self.places(id).all(|node| told.contains(&node)) {
            return;
        }
        let before = self.ready.len();
        self.say_of_entry(id, name, kind, cookie, &told);
        if !self.files.is_empty() {
            self.apply_to_files(id, name, kind, cookie, is_structural);
        }
        if self.ready.len() > before + 1 {
            self.say_once(before);
        }
        let is_metadata = matches!(kind, EventKind::Modify(ModifyKind::Metadata(_)));
        if is_structural || is_metadata && via == Via::Name {
            let parents = self.places(id).filter(|node| !told.contains(node));
            for parent in parents.collect::<Vec<_>>() {
                if is_structural {
                    for look in &mut self.looks {
                        look.is_sure &= !look.is_at(parent, name);
                    }
                }
                self.follow(parent, name, kind, via, cookie);
            }
        }
    }

    /// Records where a folder was that has an event: the event is newer than the look that found the
    /// folder, and if no other event has concerned its place since, the folder was there until now.
    fn place_told(&mut self, id: W::Id) {
        for node in self.tree.nodes(id).collect::<Vec<_>>() {
            let top = self.tree.top(node);
            let look = self.looks.iter().find(|look| look.is_sure && look.top == top);
            if let Some((name, found)) = look.and_then(Look::found_at) {
                self.put(name, Some(found));
            }
        }
    }

    fn say_of_entry(
        &mut self,
        id: W::Id,
        name: &OsStr,
        kind: EventKind,
        cookie: u32,
        told: &[Node],
    ) {
        let mut tracker = Tracker::new(cookie.into());
        if kind == TO && !self.branches.is_empty() && self.part_halves(id, tracker) {
            tracker = None;
        }
        let Self { tree, roots, spelled, within, young, branches, ready, .. } = self;
        let is_spoken_for = |node: &Node| told.contains(node) || within.contains_key(node);
        let is_young = |root| !young.is_empty() && young.contains_key(tree.name(root));
        for node in tree.nodes(id).filter(|node| !is_spoken_for(node)) {
            let Some((top, path)) = tree.spell(node, name) else { continue };
            let branch = branches.get_mut(&top);
            let root = branch.as_ref().map_or(top, |branch| branch.root);
            // Of some folders, another root wants to know more.
            if matches!(kind, EventKind::Access(_))
                && !roots.get(&root).is_some_and(|options| options.access)
            {
                continue;
            }
            match branch {
                Some(branch) => {
                    let said = Said::Event(kind, tracker);
                    branch.held.push(Held { folder: node, path, said });
                }
                // It may do the work of another root.
                None if is_young(root)
                    && !Self::covers(roots, spelled, &path, |it| !is_young(it)) => {}
                None => ready.push_back(Ok(Event::new(kind, path).with_tracker(tracker))),
            }
        }
    }

    /// The first half of a rename may be held where it has no path yet, and would be said after the
    /// second one: relates them no more. Returns whether that is so.
    fn part_halves(&mut self, id: W::Id, tracker: Option<Tracker>) -> bool {
        let tops: Vec<_> = self.places(id).filter_map(|place| self.tree.top(place)).collect();
        let mut is_held = false;
        for (branch, Branch { held, .. }) in &mut self.branches {
            if tops.iter().all(|top| top == branch) {
                continue;
            }
            for held in held {
                if let Said::Event(FROM, first) = &mut held.said
                    && *first == tracker
                {
                    *first = None;
                    is_held = true;
                }
            }
        }
        is_held
    }

    /// Where roots overlap, an entry has the same path in several of them: says so only once.
    fn say_once(&mut self, before: usize) {
        let mut at = before + 1;
        while at < self.ready.len() {
            let path = |i: usize| self.ready[i].as_ref().ok().map(|event| event.path.as_os_str());
            if (before..at).any(|earlier| path(earlier) == path(at)) {
                self.ready.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Says something of an entry of a folder, now or once the folder hangs somewhere.
    pub(super) fn say(&mut self, folder: Node, name: &OsStr, said: Said) {
        let Some((top, path)) = self.tree.spell(folder, name) else { return };
        match self.branches.get_mut(&top) {
            Some(branch) => branch.held.push(Held { folder, path, said }),
            None => self.ready.push_back(said.of(path, &*self.world)),
        }
    }

    /// Follows what became of an entry that is, or was, or may be a folder or a link to one.
    fn follow(&mut self, parent: Node, name: &OsStr, kind: EventKind, via: Via, cookie: u32) {
        let options = self.root_of(parent).and_then(|root| self.roots.get(&root));
        let Some(&options) = options.filter(|options| options.recursive) else { return };
        if via == Via::Link && !options.follow_links {
            return;
        }
        // A file that takes part in an exchange of names has that of a folder for a moment.
        let child = self.child(parent, name, via);
        match kind {
            EventKind::Create(_) => {
                self.say_found(parent, name);
                self.look_at(parent, name, via, true);
            }
            EventKind::Remove(_) => {
                if let Some(child) = child {
                    // What is older than a look cannot be told from what is newer.
                    if self.is_unsure(parent) {
                        self.detach(child, 0, None);
                        self.look_at(parent, name, via, true);
                    } else {
                        self.remove(child);
                    }
                } else {
                    self.forget_link(parent, name, via);
                }
            }
            FROM => {
                let displaced = self.branches.iter_mut().find(|(node, branch)| {
                    let place = branch.displaced.as_ref();
                    place.is_some_and(|(at, of)| *at == parent && of == name)
                        && self.tree.via(**node) == Some(via)
                });
                if let Some((_, branch)) = displaced {
                    (branch.cookie, branch.displaced, branch.until) = (cookie, None, None);
                } else if let Some(child) = child {
                    // Either of two may have left that exchange their names.
                    let is_unsure = self.is_unsure(parent) || self.has_found_other(child);
                    self.detach(child, if is_unsure { 0 } else { cookie }, None);
                } else {
                    return self.forget_link(parent, name, via);
                }
                self.look_at(parent, name, via, true);
            }
            TO => {
                let moved = self.moved(cookie, via, parent);
                let is_newer_there =
                    self.tree.child(parent, name).is_some() && self.is_unsure(parent);
                if let Some(moved) = moved.filter(|_| !is_newer_there) {
                    self.attach(moved, parent, name);
                } else {
                    if !is_newer_there {
                        self.displace(parent, name);
                    }
                    self.say_found(parent, name);
                }
                self.look_at(parent, name, via, true);
            }
            // It may have become readable.
            _ if child.is_none() => self.look_at(parent, name, via, false),
            _ => {}
        }
    }

    /// Returns the branch that was renamed with this cookie to a place in `parent`.
    fn moved(&self, cookie: u32, via: Via, parent: Node) -> Option<Node> {
        let is_it = |(node, branch): &(&Node, &Branch)| {
            branch.cookie == cookie && cookie != 0 && self.tree.via(**node) == Some(via)
        };
        let found = self.branches.iter().filter(is_it).map(|(&node, _)| node);
        self.nearest(found, parent)
    }

    /// Of places of one folder, that which can have moved to `parent`: where the folder can be in several
    /// places at once, those are none of it.
    pub(super) fn nearest(&self, places: impl Iterator<Item = Node>, parent: Node) -> Option<Node> {
        let root = self.root_of(parent)?;
        let link = self.link_above(parent);
        let can_move = |&node: &Node| {
            self.link_of(node) == link
                && self.root_of(node).is_some_and(|other| !self.overlap(root, other))
        };
        places.filter(can_move).max_by_key(|&node| self.root_of(node) == Some(root))
    }

    /// Returns whether two roots have folders in common.
    fn overlap(&self, one: Node, other: Node) -> bool {
        let holds = |root, of: Node| {
            let id = self.tree.id(of);
            id.is_some_and(|id| self.tree.nodes(id).any(|node| self.root_of(node) == Some(root)))
        };
        one != other && (holds(one, other) || holds(other, one))
    }

    /// Returns the nearest link that leads to a folder or to one above it.
    pub(super) fn link_above(&self, folder: Node) -> Option<Node> {
        let is_link = |node: &Node| self.tree.via(*node) == Some(Via::Link);
        let top = || self.branches.get(&self.tree.top(folder)?)?.link;
        self.tree.ancestors(folder).find(is_link).or_else(top)
    }

    /// Returns the nearest link above the place of a folder.
    fn link_of(&self, folder: Node) -> Option<Node> {
        match self.tree.parent(folder) {
            Some(parent) => self.link_above(parent),
            None => self.branches.get(&folder)?.link,
        }
    }

    /// Returns whether a folder was found by a look whose fence has not come yet.
    fn is_unsure(&self, folder: Node) -> bool {
        let is_top = |node| self.looks.iter().any(|look| look.top == Some(node));
        !self.looks.is_empty() && self.tree.ancestors(folder).any(is_top)
    }

    /// Returns whether a look whose fence has not come yet has found another folder where a folder is.
    fn has_found_other(&self, folder: Node) -> bool {
        let Some(parent) = self.tree.parent(folder) else { return false };
        let is_other = |top: Node| self.tree.id(top) != self.tree.id(folder);
        let mut looks = self.looks.iter().filter(|look| look.top.is_some_and(is_other));
        looks.any(|look| look.is_at(parent, self.tree.name(folder)))
    }

    /// Forgets that looks have found an entry. Returns the places of its folder of which they have said
    /// that it was created.
    fn take_found(&mut self, id: W::Id, name: &OsStr) -> Vec<Node> {
        // Most of the time there is nothing, and then the name is not copied.
        if self.looks.iter().all(|look| look.found.is_empty()) {
            return Vec::new();
        }
        let Self { tree, looks, .. } = self;
        let is_said = |&node: &Node| {
            let entry = (node, name.to_owned());
            let found = looks.iter_mut().find_map(|look| look.found.remove(&entry));
            found.is_some_and(|found| found.is_said)
        };
        tree.nodes(id).filter(is_said).collect()
    }

    /// A folder has come to a place, and a look has found it there already that took it for one that was
    /// only not watched so far: says that all in it is new.
    fn say_found(&mut self, parent: Node, name: &OsStr) {
        let known = self.tree.child(parent, name);
        let mut news = Vec::new();
        for look in &mut self.looks {
            let is_top = look.is_at(parent, name);
            for ((folder, entry), found) in &mut look.found {
                let mut above = self.tree.ancestors(*folder);
                if !found.is_said && (is_top || above.any(|above| Some(above) == known)) {
                    found.is_said = true;
                    news.push((*folder, entry.clone(), found.kind));
                }
            }
        }
        for (folder, entry, kind) in news {
            self.say(folder, &entry, Said::Event(EventKind::Create(kind), None));
        }
    }

    /// Has the entry of a folder looked at.
    pub(super) fn look_at(&mut self, parent: Node, name: &OsStr, via: Via, is_new: bool) {
        let name = name.into();
        self.due.push_back(Name::told(parent, name, via, is_new));
    }

    /// What may be a link has gone before it was looked at.
    fn forget_link(&mut self, parent: Node, name: &OsStr, via: Via) {
        if via == Via::Link {
            self.due.retain(|due| (due.parent, due.via, &*due.name) != (parent, via, name));
        }
    }

    /// Has the place of a folder looked at.
    pub(super) fn look_again_at(&mut self, node: Node) {
        let (Some(parent), Some(via)) = (self.tree.parent(node), self.tree.via(node)) else {
            return;
        };
        let name = self.tree.name(node).to_owned();
        self.look_at(parent, &name, via, true);
    }

    fn apply_to_itself(&mut self, id: W::Id, kind: EventKind) {
        let is_metadata = matches!(kind, EventKind::Modify(ModifyKind::Metadata(_)));
        let is_unmounted = kind == EventKind::Remove(RemoveKind::Other);
        let is_gone = matches!(kind, EventKind::Remove(_));
        let before = self.ready.len();
        for node in self.tree.nodes(id).collect::<Vec<_>>() {
            // The kernel says of a folder that another one was renamed over that it has lost its link
            // (`IN_ATTRIB`, from `fsnotify_move` in its `include/linux/fsnotify.h`), and does not of
            // one that is exchanged.
            let is_displaced =
                self.branches.get(&node).is_some_and(|branch| branch.displaced.is_some());
            if is_displaced && is_metadata {
                self.remove(node);
            } else if self.tree.is_root(node)
                && !is_gone
                && self.young.contains_key(self.tree.name(node))
            {
                // That it was renamed is older than its watch, or has just happened.
                if !is_metadata {
                    self.lost.push(node);
                }
            } else if self.tree.is_root(node) || is_unmounted {
                // Of other folders, and of a root that is in another one, the one above tells the same.
                if let Some(path) = self.tree.path(node)
                    && (is_unmounted || !self.is_told_above(node))
                {
                    self.say_of_root(kind, path);
                }
                let place = self.tree.parent(node).zip(self.tree.via(node));
                let name = self.tree.name(node).to_owned();
                if !is_metadata {
                    self.remove_root(node);
                }
                if let Some((parent, via)) = place {
                    // What it was mounted on shows again, which nothing tells.
                    let is_told = via == Via::Link;
                    self.due.push_back(Name { is_told, ..Name::told(parent, name, via, true) });
                }
            } else if !is_metadata && self.tree.via(node) == Some(Via::Link) {
                // Nothing else tells that the link leads elsewhere now, or nowhere.
                self.look_again_at(node);
            }
        }
        self.say_once(before);
        if !is_metadata {
            for file in self.files.remove_folder(id) {
                if !is_gone && self.young.contains_key(&file.path) {
                    self.watch_file_again(&file);
                    continue;
                }
                // That it was removed from its folder has been said.
                if kind != EventKind::Remove(RemoveKind::Folder) {
                    self.say_of_root(kind, file.path.into());
                }
            }
            self.release_unused([id]);
        }
    }

    fn say_of_root(&mut self, kind: EventKind, path: PathBuf) {
        let event = Event::new(kind, path);
        let is_unmounted = kind == EventKind::Remove(RemoveKind::Other);
        self.ready.push_back(Ok(if is_unmounted { event.with_info("unmounted") } else { event }));
    }

    /// The queue has overflowed: everything is looked at again, and then that is said.
    pub(super) fn lose(&mut self) {
        self.has_missed = true;
        self.due.clear();
        self.links.clear();
        self.fences.clear();
        self.young.clear();
        self.looks.clear();
        self.opened = None;
        self.walk = None;
        for branch in self.branches.keys().copied().collect::<Vec<_>>() {
            self.remove(branch);
        }
        self.lost = self.roots.keys().copied().collect();
    }

    /// Looks again at what stands for a root, since events were lost.
    pub(super) fn compare_root(&mut self, root: Node) {
        let Some(&options) = self.roots.get(&root) else { return };
        let location = self.tree.location(root).unwrap_or_default();
        let opened = self.world.open(&location).and_then(|folder| {
            Ok((self.world.watch(&folder, options.access && !options.recursive)?, folder))
        });
        if let Ok((id, folder)) = opened {
            if self.tree.id(root) == Some(id) && self.within.contains_key(&root) {
                // It is compared with the other root.
                return;
            }
            self.within.remove(&root);
            let freed = self.tree.set_id(root, id);
            self.release_unused(freed);
            if options.recursive {
                self.walk = Some(Walk::of_root(root, options, folder));
            }
        } else {
            let path = self.tree.path(root).unwrap_or(location);
            self.ready.push_back(Ok(Event::remove(RemoveKind::Any, path)));
            self.remove_root(root);
        }
    }

    /// Returns the root that a folder is below, or was when it was found or taken away.
    pub(super) fn root_of(&self, folder: Node) -> Option<Node> {
        let top = self.tree.top(folder)?;
        Some(self.branches.get(&top).map_or(top, |branch| branch.root))
    }

    /// Returns the folder `name` of a folder, if it is reached so.
    pub(super) fn child(&self, parent: Node, name: &OsStr, via: Via) -> Option<Node> {
        self.tree.child(parent, name).filter(|&child| self.tree.via(child) == Some(via))
    }

    /// Takes a folder from its place, with what is held of it and below if that was in a branch.
    pub(super) fn detach(&mut self, node: Node, cookie: u32, displaced: Option<(Node, OsString)>) {
        let Some((top, base)) = self.tree.spell(node, OsStr::new("")) else { return };
        let Some(root) = self.root_of(node) else { return };
        let link = self.link_of(node);
        self.moves += 1;
        let mut branch = Branch { cookie, displaced, ..Branch::new(root, link) };
        if let Some(above) = self.branches.get_mut(&top) {
            let is_below = |folder| self.tree.ancestors(folder).any(|above| above == node);
            branch.due.extend(above.due.extract_if(.., |name| is_below(name.parent)));
            for held in above.held.extract_if(.., |held| is_below(held.folder)) {
                let path = held.path.strip_prefix(&base).unwrap_or(&held.path).to_owned();
                branch.held.push(Held { path, ..held });
            }
            branch.until = above.until.filter(|_| top == node);
        }
        self.tree.detach(node);
        self.branches.insert(node, branch);
    }

    /// Takes away the folder whose place something else was given.
    fn displace(&mut self, parent: Node, name: &OsStr) {
        if let Some(folder) = self.tree.child(parent, name) {
            self.detach(folder, 0, Some((parent, name.into())));
        }
    }

    /// Puts a folder into a place. Events of it that were held meanwhile are reported there.
    pub(super) fn attach(&mut self, node: Node, parent: Node, name: &OsStr) {
        if self.tree.ancestors(parent).any(|above| above == node) {
            // Nothing is below itself: another event tells where it is.
            return;
        }
        if self.tree.child(parent, name) != Some(node) {
            self.displace(parent, name);
        }
        self.moves += 1;
        self.tree.attach(node, parent, name);
        let Some(mut branch) = self.branches.remove(&node) else { return };
        let Some((top, base)) = self.tree.spell(node, OsStr::new("")) else { return };
        let held =
            branch.held.into_iter().map(|held| Held { path: join(&base, held.path), ..held });
        if let Some(above) = self.branches.get_mut(&top) {
            above.held.extend(held);
            above.due.append(&mut branch.due);
        } else {
            self.ready.extend(held.map(|Held { path, said, .. }| said.of(path, &*self.world)));
            self.due.extend(branch.due);
        }
    }

    /// Removes a folder that is gone, and all below it.
    pub(super) fn remove(&mut self, folder: Node) {
        self.part(folder);
        self.moves += 1;
        self.branches.remove(&folder);
        let freed = self.tree.remove(folder);
        self.release_unused(freed);
    }

    /// Removes a folder that is gone or is not watched any more, which may be a root.
    fn remove_root(&mut self, root: Node) {
        self.part(root);
        if self.roots.remove(&root).is_some() {
            self.within.remove(&root);
            // Unless another one has taken its place.
            if self.spelled.get(self.tree.name(root)) == Some(&root) {
                self.spelled.remove(self.tree.name(root));
            }
            let of_it = self.branches.iter().filter(|(_, branch)| branch.root == root);
            for branch in of_it.map(|(&node, _)| node).collect::<Vec<_>>() {
                self.remove(branch);
            }
        }
        self.remove(root);
    }

    pub(super) fn release_unused(&self, ids: impl IntoIterator<Item = W::Id>) {
        for id in ids {
            if self.tree.nodes(id).next().is_none() && !self.files.are_in(id) {
                self.world.release(id);
            }
        }
    }

    /// Returns the roots that `path` is spelled below, or like, and what of it is below each.
    pub(super) fn roots_above<'a>(
        spelled: &'a HashMap<OsString, Node>,
        path: &'a Path,
    ) -> impl Iterator<Item = (Node, &'a [u8])> {
        spelling::above(path).filter_map(|(root, below)| Some((*spelled.get(&*root)?, below)))
    }

    /// Returns whether one of the roots that are asked for covers `path`.
    fn covers(
        roots: &HashMap<Node, Options>,
        spelled: &HashMap<OsString, Node>,
        path: &Path,
        is_asked_for: impl Fn(Node) -> bool,
    ) -> bool {
        Self::roots_above(spelled, path).any(|(root, below)| {
            let is_deep = || roots.get(&root).is_some_and(|options| options.recursive);
            is_asked_for(root) && (!below.contains(&b'/') || is_deep())
        })
    }

    /// Drops what is yet to be said of what was below `path`, unless something else covers it.
    fn forget_below(&mut self, path: &Path) {
        let Self { ready, roots, spelled, files, .. } = self;
        ready.retain(|item| {
            let said = match item {
                Ok(event) => event.path.as_path(),
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            let is_of_it = spelling::below(path.as_os_str(), said).is_some();
            !is_of_it
                || files.contains(said.as_os_str())
                || Self::covers(roots, spelled, said, |_| true)
        });
    }

    pub(super) fn say_unwatched(&mut self, path: PathBuf, said: Said) {
        self.ready.push_back(said.of(path, &*self.world));
    }
}

impl Name {
    /// Returns a name that the platform has told, or that is no news, to be looked at for the first time.
    pub(super) fn told(parent: Node, name: OsString, via: Via, is_new: bool) -> Self {
        Self { parent, name, via, is_new, is_told: true, tries: 0 }
    }
}

impl Branch {
    pub(super) fn new(root: Node, link: Option<Node>) -> Self {
        Self {
            root,
            link,
            cookie: 0,
            displaced: None,
            until: None,
            held: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Has something said of its top, once that has a path.
    pub(super) fn hold(&mut self, top: Node, said: Said) {
        self.held.push(Held { folder: top, path: PathBuf::new(), said });
    }
}

impl Said {
    fn of<W: World>(self, path: PathBuf, world: &W) -> StreamItem {
        match self {
            Self::Event(kind, tracker) => Ok(Event::new(kind, path).with_tracker(tracker)),
            Self::Unwatched(error) => {
                let cause = world.explain(path.clone(), error);
                Err(StreamError::unwatched(path, cause))
            }
        }
    }
}

fn join(base: &Path, below: PathBuf) -> PathBuf {
    if below.as_os_str().is_empty() { base.into() } else { base.join(below) }
}
