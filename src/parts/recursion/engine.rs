//! The rules by which the tree of watched folders follows the platform's events: [`Engine`].
//!
//! The tree shows one moment: when the last event that was read was queued. A look at the disk shows a
//! later moment. So its result is put into the queue as well, at the point where it was true, by a fence,
//! and takes effect when the fence is read. Until then, a folder that was found is the top of a [`Branch`],
//! which has no place in the tree. The same goes for a folder that a rename has taken away and not put
//! anywhere yet. Events of a branch have no path, so their reports are held back until it has one.

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
    event::{
        AccessKind, AccessMode, Event, EventKind, ModifyKind, RemoveKind, RenameMode, Tracker,
    },
};

/// The watched folders and files.
#[derive(Debug)]
pub(super) struct Engine<W: World> {
    pub(super) world: Arc<W>,
    pub(super) tree: WatchTree<W::Id>,
    pub(super) roots: HashMap<Node, Options>,
    /// The roots by their paths, as the caller spelled them.
    pub(super) spelled: HashMap<OsString, Node>,
    /// The roots whose work another one does, with their place in that one.
    pub(super) within: HashMap<Node, Node>,
    pub(super) files: Files<W::Id>,
    /// The branches that have no place in the tree, by the folder at the top.
    pub(super) branches: HashMap<Node, Branch>,
    /// The entries to look at.
    pub(super) due: VecDeque<Name>,
    /// The links to look at, by path. They come last: everything that is reached without a link is known by
    /// then.
    pub(super) links: BTreeMap<PathBuf, Name>,
    /// Roots to compare with the disk, because events were lost.
    pub(super) lost: Vec<Node>,
    /// Whether that loss is still to be reported.
    pub(super) has_missed: bool,
    /// Folders that were listed, and can now be watched for accesses.
    pub(super) quiet: Vec<Node>,
    /// The walk in progress, through a folder and everything below it.
    pub(super) walk: Option<Walk<W>>,
    /// The finished looks, in order; each waits for its fence.
    pub(super) looks: VecDeque<Look<W>>,
    /// The folder that was opened last, since entries of one folder are often due together.
    pub(super) opened: Option<(W::Id, W::Folder)>,
    /// The fences in the queue, with their numbers.
    pub(super) fences: VecDeque<(W::Id, u64)>,
    /// How many fences were put into the queue.
    pub(super) fences_made: u64,
    /// The paths of watches that were added while there may have been events in the queue, each with the
    /// number of a fence behind those events. Events before that fence are older than the watch.
    pub(super) new_watches: HashMap<OsString, u64>,
    /// How often a folder has left a place or got one.
    pub(super) moves: u64,
    pub(super) ready: VecDeque<StreamItem>,
    /// Whether the closing of written files is reported to all roots.
    pub(super) reports_closes: bool,
}

/// A folder without a place in the tree, and all below it: a look has found it, or an event has taken it
/// away.
#[derive(Debug)]
pub(super) struct Branch {
    /// The root below which it was found, or was before.
    pub(super) root: Node,
    /// The nearest link above that place, if there is one. Below a link, the tree holds a second copy of
    /// folders that it may also have elsewhere. Folders do not move from one copy to the other.
    pub(super) link: Option<Node>,
    /// The cookie of the rename that has taken it away; 0 if it was no rename, or if it is uncertain which
    /// one.
    cookie: u32,
    /// The place that it lost to another folder. Either this was an empty folder, and is gone; or the two
    /// are exchanging their names, and its own rename is still to be read.
    pub(super) displaced: Option<(Node, OsString)>,
    /// The fence after which it counts as gone, if it has no place by then.
    pub(super) until: Option<u64>,
    /// The reports that wait until it has a path.
    held: Vec<HeldReport>,
    /// The entries to look at then.
    pub(super) due: Vec<Name>,
}

/// An entry of a folder that is to be looked at.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) parent: Node,
    #[allow(clippy::struct_field_names, reason = "an entry is a folder and a name in it")]
    pub(super) name: OsString,
    pub(super) via: Via,
    /// Whether its contents are new, or were there before and only not watched.
    pub(super) is_new: bool,
    /// Whether the platform sends an event about it. If not, the look reports the entry as created.
    pub(super) has_event: bool,
    /// How often the folder above it was not where the tree has it.
    pub(super) tries: u8,
}

/// A report about an entry of a folder in a branch.
#[derive(Debug)]
struct HeldReport {
    folder: Node,
    /// The entry's path, relative to the top of the branch.
    path: PathBuf,
    report: Report,
}

/// A report that does not have its path yet.
#[derive(Debug)]
pub(super) enum Report {
    Event(EventKind, Option<Tracker>),
    Unwatched(io::Error),
}

/// Returns whether an event says that a file was opened, closed, read or written.
fn is_about_content(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_)))
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
            fences_made: 0,
            new_watches: HashMap::new(),
            moves: 0,
            ready: VecDeque::new(),
            reports_closes: false,
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

    /// Makes a new watch ignore the events that are in the queue by now. Other watches may still report
    /// them.
    fn ignore_older(&mut self, path: &Path) {
        if let Some(id) = self.world.fence() {
            self.fences_made += 1;
            self.fences.push_back((id, self.fences_made));
            self.new_watches.insert(path.into(), self.fences_made);
        }
    }

    fn add_watch(&mut self, path: &Path, options: Options) -> Result<(), BackendError> {
        let failed = |engine: &Self, error| engine.world.explain(path.into(), error);
        let location = std::path::absolute(path).map_err(|error| failed(self, error))?;
        let entry_type = self.world.entry_type(&location, options.follow_links);
        // If the path was watched as a file and is a folder now, or the reverse, the earlier watch ends.
        if entry_type.map_err(|error| failed(self, error))?.is_folder() {
            self.watch_folder(path, &location, options)?;
            self.unwatch_file(path);
        } else {
            self.watch_file(path, &location, options).map_err(|error| {
                // The watch is on the folder above the file.
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
            // A folder that will be listed is watched for accesses after that.
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
        // Last, so that there is no gap in what both cover.
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

    /// Reports an event of a folder, and updates the tree.
    pub(super) fn apply(&mut self, id: W::Id, event: FolderEvent<'_>) {
        match event {
            FolderEvent::Entry { name, kind, is_folder, cookie } => {
                let via = if is_folder { Via::Name } else { Via::Link };
                self.apply_to_entry(id, name, kind, via, cookie);
            }
            FolderEvent::Itself(kind) => self.apply_to_itself(id, kind),
            FolderEvent::Ended => {
                // One fence may stand for several. The earlier ones were read too, or were lost.
                if let Some(at) = self.fences.iter().rposition(|&(fence, _)| fence == id) {
                    let passed = self.fences.drain(..=at).next_back();
                    if let Some((_, number)) = passed {
                        self.pass_fence(number);
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
            self.place_by_event(id);
        }
        let is_structural = matches!(kind, EventKind::Create(_) | FROM | TO | EventKind::Remove(_));
        let reported = if is_structural { self.take_found(id, name) } else { Vec::new() };
        // If the event is anything else, the next creation of that name is a new one.
        let reported = if matches!(kind, EventKind::Create(_)) { reported } else { Vec::new() };
        if !reported.is_empty() && self.places(id).all(|node| reported.contains(&node)) {
            return;
        }
        let before = self.ready.len();
        self.report_entry(id, name, kind, cookie, &reported);
        if !self.files.is_empty() {
            self.apply_to_files(id, name, kind, cookie, is_structural);
        }
        if self.ready.len() > before + 1 {
            self.report_once(before);
        }
        if via == Via::Link && is_about_content(kind) {
            self.drop_look(id, name);
        }
        let is_metadata = matches!(kind, EventKind::Modify(ModifyKind::Metadata(_)));
        if is_structural || is_metadata && via == Via::Name {
            let parents = self.places(id).filter(|node| !reported.contains(node));
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

    /// Drops the look at an entry that might have been a link: what is opened, read or written by its name is
    /// none. Most files are, right after they were created.
    fn drop_look(&mut self, id: W::Id, name: &OsStr) {
        while let Some(due) = self.due.back()
            && due.via == Via::Link
            && due.name == name
            && self.tree.id(due.parent) == Some(id)
            && self.child(due.parent, name, Via::Link).is_none()
        {
            self.due.pop_back();
        }
    }

    /// Places a folder that has an event. The event is newer than the look that found the folder; and if no
    /// other event has concerned the place since, the folder is still there.
    fn place_by_event(&mut self, id: W::Id) {
        for node in self.tree.nodes(id).collect::<Vec<_>>() {
            let top = self.tree.top(node);
            let look = self.looks.iter().find(|look| look.is_sure && look.top == top);
            if let Some((name, found)) = look.and_then(Look::found_at) {
                self.put(name, Some(found));
            }
        }
    }

    fn report_entry(
        &mut self,
        id: W::Id,
        name: &OsStr,
        kind: EventKind,
        cookie: u32,
        reported: &[Node],
    ) {
        let mut tracker = Tracker::new(cookie.into());
        if kind == TO && !self.branches.is_empty() && self.unpair_rename(id, tracker) {
            tracker = None;
        }
        let is_access = self.is_access(kind);
        let Self { tree, roots, spelled, within, new_watches, branches, ready, .. } = self;
        let is_skipped = |node: &Node| reported.contains(node) || within.contains_key(node);
        let is_new_watch =
            |root| !new_watches.is_empty() && new_watches.contains_key(tree.name(root));
        for node in tree.nodes(id).filter(|node| !is_skipped(node)) {
            let Some((top, path)) = tree.spell(node, name) else { continue };
            let branch = branches.get_mut(&top);
            let root = branch.as_ref().map_or(top, |branch| branch.root);
            // Another root of the same folder may be watched for accesses.
            if is_access && !roots.get(&root).is_some_and(|options| options.access) {
                continue;
            }
            match branch {
                Some(branch) => {
                    let report = Report::Event(kind, tracker);
                    branch.held.push(HeldReport { folder: node, path, report });
                }
                // Older than the watch. But an older root may cover the path as well, and leave its work to
                // this one.
                None if is_new_watch(root)
                    && !Self::covers(roots, spelled, &path, |it| !is_new_watch(it)) => {}
                None => ready.push_back(Ok(Event::new(kind, path).with_tracker(tracker))),
            }
        }
    }

    /// Returns whether only watches that ask for accesses get events of this kind.
    pub(super) fn is_access(&self, kind: EventKind) -> bool {
        match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => !self.reports_closes,
            kind => matches!(kind, EventKind::Access(_)),
        }
    }

    /// Removes the tracker from the first half of a rename if that report is held back, because it would
    /// come after the second half. Returns whether there was one.
    fn unpair_rename(&mut self, id: W::Id, tracker: Option<Tracker>) -> bool {
        let tops: Vec<_> = self.places(id).filter_map(|place| self.tree.top(place)).collect();
        let mut is_held = false;
        for (branch, Branch { held, .. }) in &mut self.branches {
            if tops.iter().all(|top| top == branch) {
                continue;
            }
            for held in held {
                if let Report::Event(FROM, first) = &mut held.report
                    && *first == tracker
                {
                    *first = None;
                    is_held = true;
                }
            }
        }
        is_held
    }

    /// Drops reports with a path that an earlier one has: where roots overlap, each of them reports the
    /// entry.
    fn report_once(&mut self, before: usize) {
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

    /// Reports something about an entry of a folder, now or once the folder has a place.
    pub(super) fn report(&mut self, folder: Node, name: &OsStr, report: Report) {
        let Some((top, path)) = self.tree.spell(folder, name) else { return };
        match self.branches.get_mut(&top) {
            Some(branch) => branch.held.push(HeldReport { folder, path, report }),
            None => self.ready.push_back(report.of(path, &*self.world)),
        }
    }

    /// Updates the tree after an event about an entry that is, was or may be a folder or a link to one.
    fn follow(&mut self, parent: Node, name: &OsStr, kind: EventKind, via: Via, cookie: u32) {
        let options = self.root_of(parent).and_then(|root| self.roots.get(&root));
        let Some(&options) = options.filter(|options| options.recursive) else { return };
        if via == Via::Link && !options.follow_links {
            return;
        }
        // By `via`: when a folder and a file exchange their names, an event about the file names an entry
        // where the tree already has the folder.
        let child = self.child(parent, name, via);
        match kind {
            EventKind::Create(_) => {
                self.report_found(parent, name);
                self.look_at(parent, name, via, true);
            }
            EventKind::Remove(_) => {
                if let Some(child) = child {
                    // The event may be older than the look or newer; only another look can tell.
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
                    // If two folders exchange their names, either one may be meant.
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
                    self.report_found(parent, name);
                }
                self.look_at(parent, name, via, true);
            }
            // It may have become readable.
            _ if child.is_none() => self.look_at(parent, name, via, false),
            _ => {}
        }
    }

    /// Returns the branch that a rename with this cookie has taken away and can put into `parent`.
    fn moved(&self, cookie: u32, via: Via, parent: Node) -> Option<Node> {
        let is_it = |(node, branch): &(&Node, &Branch)| {
            branch.cookie == cookie && cookie != 0 && self.tree.via(**node) == Some(via)
        };
        let found = self.branches.iter().filter(is_it).map(|(&node, _)| node);
        self.nearest(found, parent)
    }

    /// Returns which of several places of one folder can have moved to `parent`. A place in a root that
    /// overlaps cannot: both can hold the folder at the same time.
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

    /// Returns the nearest link on the way to a folder, the folder's own included.
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

    /// Forgets that looks have found an entry. Returns the places of its folder for which they have
    /// reported it as created.
    fn take_found(&mut self, id: W::Id, name: &OsStr) -> Vec<Node> {
        // Most of the time there is nothing, and then the name is not copied.
        if self.looks.iter().all(|look| look.found.is_empty()) {
            return Vec::new();
        }
        let Self { tree, looks, .. } = self;
        let is_reported = |&node: &Node| {
            let entry = (node, name.to_owned());
            let found = looks.iter_mut().find_map(|look| look.found.remove(&entry));
            found.is_some_and(|found| found.is_reported)
        };
        tree.nodes(id).filter(is_reported).collect()
    }

    /// Reports the contents of a folder as created if a look has found them and took them for old ones.
    /// Called when an event shows that the folder is new.
    fn report_found(&mut self, parent: Node, name: &OsStr) {
        let known = self.tree.child(parent, name);
        let mut news = Vec::new();
        for look in &mut self.looks {
            let is_top = look.is_at(parent, name);
            for ((folder, entry), found) in &mut look.found {
                let mut above = self.tree.ancestors(*folder);
                if !found.is_reported && (is_top || above.any(|above| Some(above) == known)) {
                    found.is_reported = true;
                    news.push((*folder, entry.clone(), found.kind));
                }
            }
        }
        for (folder, entry, kind) in news {
            self.report(folder, &entry, Report::Event(EventKind::Create(kind), None));
        }
    }

    /// Schedules a look at an entry of a folder.
    pub(super) fn look_at(&mut self, parent: Node, name: &OsStr, via: Via, is_new: bool) {
        let name = name.into();
        self.due.push_back(Name::new(parent, name, via, is_new));
    }

    /// Cancels the look at an entry that may have been a link, and is gone.
    fn forget_link(&mut self, parent: Node, name: &OsStr, via: Via) {
        if via == Via::Link {
            self.due.retain(|due| (due.parent, due.via, &*due.name) != (parent, via, name));
        }
    }

    /// Schedules a look at the place of a folder.
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
            // If another folder was renamed over this one, the kernel sends an `IN_ATTRIB` because it has
            // lost its link (`fsnotify_move` in the kernel's `include/linux/fsnotify.h`). After an exchange
            // it does not.
            let is_displaced =
                self.branches.get(&node).is_some_and(|branch| branch.displaced.is_some());
            if is_displaced && is_metadata {
                self.remove(node);
            } else if self.tree.is_root(node)
                && !is_gone
                && self.new_watches.contains_key(self.tree.name(node))
            {
                // The rename is older than the watch, or has just happened.
                if !is_metadata {
                    self.lost.push(node);
                }
            } else if self.tree.is_root(node) || is_unmounted {
                // For a root that is also an entry of a watched folder, and for all other folders, that
                // folder's events say the same.
                if let Some(path) = self.tree.path(node)
                    && (is_unmounted || !self.is_reported_above(node))
                {
                    self.report_root(kind, path);
                }
                let place = self.tree.parent(node).zip(self.tree.via(node));
                let name = self.tree.name(node).to_owned();
                if !is_metadata {
                    self.remove_root(node);
                }
                if let Some((parent, via)) = place {
                    // The mount point's own folder is visible again, and no event says so.
                    let has_event = via == Via::Link;
                    self.due.push_back(Name { has_event, ..Name::new(parent, name, via, true) });
                }
            } else if !is_metadata && self.tree.via(node) == Some(Via::Link) {
                // No other event shows that the link now leads elsewhere, or nowhere.
                self.look_again_at(node);
            }
        }
        self.report_once(before);
        if !is_metadata {
            for file in self.files.remove_folder(id) {
                if !is_gone && self.new_watches.contains_key(&file.path) {
                    self.watch_file_again(&file);
                    continue;
                }
                // Its removal from its folder has been reported.
                if kind != EventKind::Remove(RemoveKind::Folder) {
                    self.report_root(kind, file.path.into());
                }
            }
            self.release_unused([id]);
        }
    }

    fn report_root(&mut self, kind: EventKind, path: PathBuf) {
        let event = Event::new(kind, path);
        let is_unmounted = kind == EventKind::Remove(RemoveKind::Other);
        self.ready.push_back(Ok(if is_unmounted { event.with_info("unmounted") } else { event }));
    }

    /// Schedules a look at everything, and then a report that events were missed.
    pub(super) fn lose(&mut self) {
        self.has_missed = true;
        self.due.clear();
        self.links.clear();
        self.fences.clear();
        self.new_watches.clear();
        self.looks.clear();
        self.opened = None;
        self.walk = None;
        for branch in self.branches.keys().copied().collect::<Vec<_>>() {
            self.remove(branch);
        }
        self.lost = self.roots.keys().copied().collect();
    }

    /// Looks at the path of a root again, because events were lost.
    pub(super) fn compare_root(&mut self, root: Node) {
        let Some(&options) = self.roots.get(&root) else { return };
        let location = self.tree.location(root).unwrap_or_default();
        let opened = self.world.open(&location).and_then(|folder| {
            Ok((self.world.watch(&folder, options.access && !options.recursive)?, folder))
        });
        if let Ok((id, folder)) = opened {
            if self.tree.id(root) == Some(id) && self.within.contains_key(&root) {
                // It is compared as a part of the other root.
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

    /// Returns the root that a folder is below, or was below before it was taken away, or was found below.
    pub(super) fn root_of(&self, folder: Node) -> Option<Node> {
        let top = self.tree.top(folder)?;
        Some(self.branches.get(&top).map_or(top, |branch| branch.root))
    }

    /// Returns the folder `name` of a folder, if it is reached in that way.
    pub(super) fn child(&self, parent: Node, name: &OsStr, via: Via) -> Option<Node> {
        self.tree.child(parent, name).filter(|&child| self.tree.via(child) == Some(via))
    }

    /// Takes a folder from its place. If it was in a branch, it takes along the reports and looks that wait
    /// there for it and for the folders below it.
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
                branch.held.push(HeldReport { path, ..held });
            }
            branch.until = above.until.filter(|_| top == node);
        }
        self.tree.detach(node);
        self.branches.insert(node, branch);
    }

    /// Takes a folder from its place because something else has it now.
    fn displace(&mut self, parent: Node, name: &OsStr) {
        if let Some(folder) = self.tree.child(parent, name) {
            self.detach(folder, 0, Some((parent, name.into())));
        }
    }

    /// Puts a folder into a place. Its reports that were held back get their paths from there.
    pub(super) fn attach(&mut self, node: Node, parent: Node, name: &OsStr) {
        if self.tree.ancestors(parent).any(|above| above == node) {
            // No folder is below itself. Another event will show where it is.
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
            branch.held.into_iter().map(|held| HeldReport { path: join(&base, held.path), ..held });
        if let Some(above) = self.branches.get_mut(&top) {
            above.held.extend(held);
            above.due.append(&mut branch.due);
        } else {
            self.ready
                .extend(held.map(|HeldReport { path, report, .. }| report.of(path, &*self.world)));
            self.due.extend(branch.due);
        }
    }

    /// Removes a folder that is gone, and all below it.
    pub(super) fn remove(&mut self, folder: Node) {
        self.split_off_roots(folder);
        self.moves += 1;
        self.branches.remove(&folder);
        let freed = self.tree.remove(folder);
        self.release_unused(freed);
    }

    /// Removes a folder that is gone or is no longer watched. It may be a root.
    fn remove_root(&mut self, root: Node) {
        self.split_off_roots(root);
        if self.roots.remove(&root).is_some() {
            self.within.remove(&root);
            // Unless another root has replaced it.
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

    /// Returns the roots that `path` is spelled below or equal to, each with the rest of the path.
    pub(super) fn roots_above<'a>(
        spelled: &'a HashMap<OsString, Node>,
        path: &'a Path,
    ) -> impl Iterator<Item = (Node, &'a [u8])> {
        spelling::above(path).filter_map(|(root, below)| Some((*spelled.get(&*root)?, below)))
    }

    /// Returns whether a root covers `path`, of those for which `is_asked_for` returns true.
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

    /// Drops the waiting reports about paths below `path`, unless another watch covers them.
    fn forget_below(&mut self, path: &Path) {
        let Self { ready, roots, spelled, files, .. } = self;
        ready.retain(|item| {
            let reported = match item {
                Ok(event) => event.path.as_path(),
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            let is_of_it = spelling::below(path.as_os_str(), reported).is_some();
            !is_of_it
                || files.contains(reported.as_os_str())
                || Self::covers(roots, spelled, reported, |_| true)
        });
    }

    pub(super) fn report_unwatched(&mut self, path: PathBuf, report: Report) {
        self.ready.push_back(report.of(path, &*self.world));
    }
}

impl Name {
    /// Creates an entry to look at for the first time. It has an event, or needs none.
    pub(super) fn new(parent: Node, name: OsString, via: Via, is_new: bool) -> Self {
        Self { parent, name, via, is_new, has_event: true, tries: 0 }
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

    /// Holds back a report about its top until that has a path.
    pub(super) fn hold(&mut self, top: Node, report: Report) {
        self.held.push(HeldReport { folder: top, path: PathBuf::new(), report });
    }
}

impl Report {
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
