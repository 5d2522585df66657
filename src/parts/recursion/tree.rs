//! The paths of watched folders, by the platform's ids: [`WatchTree`].

mod names;
#[cfg(test)]
mod tests;

use std::{
    ffi::{OsStr, OsString},
    fmt::Debug,
    hash::{BuildHasher, Hash},
    iter, mem,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable, hash_table::Entry};

use super::seam::Via;
use names::{Name, Names, reserve};

/// A folder in a [`WatchTree`]. Once the folder is removed, every method returns none for it, or does
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    slot: u32,
    // Distinguishes it from earlier folders in the same slot.
    generation: u32,
}

/// The watched folders and the platform's id of each: from id to path and back.
///
/// Renaming a folder takes the same time however many folders are below it. One id may stand for several
/// folders of the tree, since roots may overlap and links may lead to the same folder.
///
/// A folder takes at most 80 bytes plus its name, if an id takes at most 8. Removing folders makes room for
/// others, but does not shrink the tree.
#[derive(Debug)]
pub(super) struct WatchTree<I> {
    slots: Vec<Slot<I>>,
    // The first free slot; the others follow through `Slot::next`.
    free: u32,
    // The first node of each id; the others follow through `Slot::same_id`.
    by_id: HashTable<u32>,
    // Every attached child, found by its parent and name.
    by_name: HashTable<u32>,
    hasher: DefaultHashBuilder,
    names: Names,
    // The folder that each relative root is relative to: the current folder when the root was added.
    bases: HashMap<u32, PathBuf>,
}

/// A node, or room for one. A large tree has hundreds of thousands of them, hence numbers instead of
/// pointers, and all names in one place.
#[derive(Clone, Copy, Debug)]
struct Slot<I> {
    id: I,
    // How many nodes had this slot before.
    generation: u32,
    same_id: u32,
    parent: u32,
    child: u32,
    next: u32,
    previous: u32,
    name: Name,
    via: Via,
}

/// No slot.
const NONE: u32 = u32::MAX;
/// In place of a parent: the node is a root, and its name is the path as given.
const ROOT: u32 = u32::MAX - 1;

impl<I: Copy + Eq + Hash + Debug> WatchTree<I> {
    /// Creates an empty tree.
    #[must_use]
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            by_id: HashTable::new(),
            by_name: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            names: Names::default(),
            bases: HashMap::new(),
        }
    }

    /// Adds a root. Its path and all paths below it start with `path` as it is spelled.
    pub(super) fn add_root(&mut self, path: &Path, id: I) -> Node {
        let node = self.insert(ROOT, path.as_os_str().as_bytes(), Via::Name, id);
        if path.is_relative() {
            // If the current folder is gone, `location` stays relative and finds nothing.
            self.bases.insert(node.slot, std::env::current_dir().unwrap_or_default());
        }
        node
    }

    /// Adds the folder `name` below `parent`; see [`attach`](Self::attach).
    pub(super) fn add(&mut self, parent: Node, name: &OsStr, via: Via, id: I) -> Node {
        let node = self.insert(NONE, b"", via, id);
        self.attach(node, parent, name);
        node
    }

    /// Adds a folder without a place.
    pub(super) fn add_detached(&mut self, via: Via, id: I) -> Node {
        self.insert(NONE, b"", via, id)
    }

    /// Returns the nodes that `id` stands for, detached ones included.
    pub(super) fn nodes(&self, id: I) -> impl Iterator<Item = Node> {
        let first =
            self.by_id.find(self.hasher.hash_one(id), |&at| self.slots[at as usize].id == id);
        self.chain(first.copied().unwrap_or(NONE), |slot| slot.same_id)
    }

    /// Returns the platform's id of a folder.
    #[must_use]
    pub(super) fn id(&self, node: Node) -> Option<I> {
        self.slot(node).map(|slot| slot.id)
    }

    /// Returns how a folder is reached from the one above it; a root counts as a name.
    #[must_use]
    pub(super) fn via(&self, node: Node) -> Option<Via> {
        self.slot(node).map(|slot| slot.via)
    }

    /// Gives a folder another id. Returns the old one if no folder has it any more.
    pub(super) fn set_id(&mut self, node: Node, id: I) -> Option<I> {
        self.slot(node)?;
        let freed = self.unlink_id(node.slot);
        self.slots[node.slot as usize].id = id;
        self.link_id(node.slot);
        freed.filter(|&freed| freed != id)
    }

    /// Returns whether a folder is a root.
    #[must_use]
    pub(super) fn is_root(&self, node: Node) -> bool {
        self.slot(node).is_some_and(|slot| slot.parent == ROOT)
    }

    /// Returns whether a link leads to a folder or to one above it.
    #[must_use]
    pub(super) fn is_linked(&self, node: Node) -> bool {
        self.lineage(node).any(|(_, slot)| slot.via == Via::Link)
    }

    /// Returns the root that a folder is below, or is; none if the folder is in a detached part.
    #[must_use]
    pub(super) fn root(&self, node: Node) -> Option<Node> {
        let (top, slot) = self.lineage(node).last()?;
        (slot.parent == ROOT).then(|| self.node(top))?
    }

    /// Returns the folder directly above another; none for a root, and for the top of a detached part.
    #[must_use]
    pub(super) fn parent(&self, node: Node) -> Option<Node> {
        self.node(self.slot(node)?.parent)
    }

    /// Returns the folder `name` directly below `parent`.
    #[must_use]
    pub(super) fn child(&self, parent: Node, name: &OsStr) -> Option<Node> {
        if self.slot(parent)?.child == NONE {
            // In a large tree, looking up a name reads memory that is in no cache.
            return None;
        }
        let name = name.as_bytes();
        let is_it = |&child: &u32| {
            let child = &self.slots[child as usize];
            child.parent == parent.slot && self.names.get(child.name) == name
        };
        let hash = self.hasher.hash_one((parent.slot, name));
        self.by_name.find(hash, is_it).and_then(|&child| self.node(child))
    }

    /// Returns the folders directly below `parent`, in no particular order.
    pub(super) fn children(&self, parent: Node) -> impl Iterator<Item = Node> {
        let first = self.slot(parent).map_or(NONE, |slot| slot.child);
        self.chain(first, |slot| slot.next)
    }

    /// Returns the name of a folder; for a root, its path; empty for the top of a detached part.
    #[must_use]
    pub(super) fn name(&self, node: Node) -> &OsStr {
        OsStr::from_bytes(self.slot(node).map_or(b"", |slot| self.names.get(slot.name)))
    }

    /// Returns the path of a folder; none if it is in a detached part.
    #[must_use]
    pub(super) fn path(&self, node: Node) -> Option<PathBuf> {
        self.entry_path(node, OsStr::new(""))
    }

    /// Returns the absolute path of a folder for system calls, which stays valid when the process changes
    /// its current folder. Returns `None` if the folder is in a detached part.
    #[must_use]
    pub(super) fn location(&self, node: Node) -> Option<PathBuf> {
        let path = self.path(node)?;
        match self.bases.get(&self.root(node)?.slot) {
            Some(base) => Some(base.join(path)),
            None => Some(path),
        }
    }

    /// Returns the path of the entry `name` in a folder; none if the folder is in a detached part.
    #[must_use]
    pub(super) fn entry_path(&self, folder: Node, name: &OsStr) -> Option<PathBuf> {
        let (top, path) = self.spell(folder, name)?;
        self.is_root(top).then_some(path)
    }

    /// Returns the root, or the top of the detached part, that a folder is in, and the path of the entry
    /// `name` from there: with the path of a root, and without the name of a top, which has none.
    pub(super) fn spell(&self, folder: Node, name: &OsStr) -> Option<(Node, PathBuf)> {
        // Goes up the tree twice, so that the path is allocated once and at its exact size.
        let (mut top, mut length) = (folder.slot, name.len());
        for (at, slot) in self.lineage(folder) {
            let part = self.names.get(slot.name);
            length += part.len() + usize::from(length > 0 && needs_separator(part));
            top = at;
        }
        let top =
            if top == folder.slot { self.slot(folder).map(|_| folder) } else { self.node(top) }?;
        let mut path = vec![b'/'; length];
        let mut start = length - name.len();
        path[start..].copy_from_slice(name.as_bytes());
        for (_, slot) in self.lineage(folder) {
            let part = self.names.get(slot.name);
            let end = start - usize::from(start < length && needs_separator(part));
            start = end - part.len();
            path[start..end].copy_from_slice(part);
        }
        Some((top, OsString::from_vec(path).into()))
    }

    /// Returns the root, or the top of the detached part, that a folder is in.
    pub(super) fn top(&self, node: Node) -> Option<Node> {
        self.lineage(node).last().and_then(|(at, _)| self.node(at))
    }

    /// Returns a folder and those above it.
    pub(super) fn ancestors(&self, node: Node) -> impl Iterator<Item = Node> {
        self.lineage(node).filter_map(|(at, _)| self.node(at))
    }

    /// Takes a folder out of its place, with everything below it, until its new place is known. Does
    /// nothing to a root.
    pub(super) fn detach(&mut self, node: Node) {
        let Some(&Slot { parent, next, previous, name, .. }) = self.slot(node) else {
            return;
        };
        if parent == ROOT || parent == NONE {
            return;
        }
        let hash = self.hasher.hash_one((parent, self.names.get(name)));
        if let Ok(entry) = self.by_name.find_entry(hash, |&child| child == node.slot) {
            entry.remove();
        }
        match self.slots.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.slots[parent as usize].child = next,
        }
        if let Some(next) = self.slots.get_mut(next as usize) {
            next.previous = previous;
        }
        self.names.remove(name);
        let slot = &mut self.slots[node.slot as usize];
        (slot.parent, slot.next, slot.previous) = (NONE, NONE, NONE);
        slot.name = Name::default();
        self.compact();
    }

    /// Puts a folder below `parent` under `name`. If another folder has that place, it is
    /// [detached](Self::detach).
    ///
    /// Does nothing to a root, or if `parent` is below the folder itself or was removed.
    pub(super) fn attach(&mut self, node: Node, parent: Node, name: &OsStr) {
        let Some(&Slot { parent: before, child, .. }) = self.slot(node) else {
            return;
        };
        // Only a folder with children can be above another one.
        let is_above = || child != NONE && self.lineage(parent).any(|(at, _)| at == node.slot);
        if before == ROOT || self.slot(parent).is_none() || node == parent || is_above() {
            return;
        }
        self.detach(node);
        if let Some(replaced) = self.child(parent, name) {
            self.detach(replaced);
        }
        let name = name.as_bytes();
        let stored = self.names.add(name);
        let first = mem::replace(&mut self.slots[parent.slot as usize].child, node.slot);
        if let Some(first) = self.slots.get_mut(first as usize) {
            first.previous = node.slot;
        }
        let slot = &mut self.slots[node.slot as usize];
        (slot.parent, slot.next, slot.name) = (parent.slot, first, stored);
        let (slots, names, hasher) = (&self.slots, &self.names, &self.hasher);
        let hash = |parent: u32, name: &[u8]| hasher.hash_one((parent, name));
        self.by_name.insert_unique(hash(parent.slot, name), node.slot, |&child| {
            let child = &slots[child as usize];
            hash(child.parent, names.get(child.name))
        });
    }

    /// Removes a folder and everything below it. Returns the ids that no folder has any more.
    pub(super) fn remove(&mut self, node: Node) -> Vec<I> {
        let mut freed = Vec::new();
        self.detach(node);
        let mut pending: Vec<Node> = self.slot(node).map(|_| node).into_iter().collect();
        while let Some(&node) = pending.last() {
            // Children go first.
            let child = self.children(node).next();
            if let Some(child) = child {
                self.detach(child);
                pending.push(child);
            } else {
                pending.pop();
                freed.extend(self.unlink_id(node.slot));
                self.clear(node.slot);
            }
        }
        freed
    }

    /// Returns how many bytes the tree takes on the heap.
    #[cfg(test)]
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<I>>()
            + self.by_id.allocation_size()
            + self.by_name.allocation_size()
            + self.names.bytes()
            + self.bases.allocation_size()
            + self.bases.values().map(PathBuf::capacity).sum::<usize>()
    }

    fn slot(&self, node: Node) -> Option<&Slot<I>> {
        self.slots.get(node.slot as usize).filter(|slot| slot.generation == node.generation)
    }

    fn node(&self, slot: u32) -> Option<Node> {
        let generation = self.slots.get(slot as usize)?.generation;
        Some(Node { slot, generation })
    }

    fn chain(&self, first: u32, next: fn(&Slot<I>) -> u32) -> impl Iterator<Item = Node> {
        iter::successors(self.node(first), move |&at| self.node(next(self.slot(at)?)))
    }

    /// Returns a folder and those above it, up to the root or to the top of a detached part.
    fn lineage(&self, node: Node) -> impl Iterator<Item = (u32, &Slot<I>)> {
        iter::successors(self.slot(node).map(|slot| (node.slot, slot)), |(_, slot)| {
            Some((slot.parent, self.slots.get(slot.parent as usize)?))
        })
    }

    fn insert(&mut self, parent: u32, name: &[u8], via: Via, id: I) -> Node {
        let name = self.names.add(name);
        let slot = Slot {
            id,
            generation: 0,
            same_id: NONE,
            parent,
            child: NONE,
            next: NONE,
            previous: NONE,
            name,
            via,
        };
        let at = self.free;
        let node = if let Some(free) = self.slots.get_mut(at as usize) {
            let generation = free.generation;
            self.free = free.next;
            *free = Slot { generation, ..slot };
            Node { slot: at, generation }
        } else {
            // 2^32 folders would take more than 128 GiB before this could fail.
            let at = u32::try_from(self.slots.len()).expect("fewer than 2^32 folders");
            reserve(&mut self.slots, 1);
            self.slots.push(slot);
            Node { slot: at, generation: 0 }
        };
        self.link_id(node.slot);
        node
    }

    /// Frees the slot of a node that nothing refers to any more.
    fn clear(&mut self, slot: u32) {
        self.bases.remove(&slot);
        let free = mem::replace(&mut self.free, slot);
        let slot = &mut self.slots[slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        (slot.parent, slot.next) = (NONE, free);
        self.names.remove(mem::take(&mut slot.name));
        self.compact();
    }

    fn link_id(&mut self, at: u32) {
        let id = self.slots[at as usize].id;
        let id_at = |at: u32| self.slots[at as usize].id;
        let hash = |id: I| self.hasher.hash_one(id);
        let entry = self.by_id.entry(hash(id), |&at| id_at(at) == id, |&at| hash(id_at(at)));
        let same_id = match entry {
            Entry::Occupied(mut first) => mem::replace(first.get_mut(), at),
            Entry::Vacant(vacant) => {
                vacant.insert(at);
                NONE
            }
        };
        self.slots[at as usize].same_id = same_id;
    }

    /// Removes a node from the list of its id. Returns the id if no other node has it.
    fn unlink_id(&mut self, at: u32) -> Option<I> {
        let slots = &mut self.slots;
        let Slot { id, same_id, .. } = slots[at as usize];
        let hash = self.hasher.hash_one(id);
        let is_first = |&first: &u32| slots[first as usize].id == id;
        let Ok(mut first) = self.by_id.find_entry(hash, is_first) else {
            return None;
        };
        if *first.get() != at {
            let mut before = *first.get();
            while slots[before as usize].same_id != at {
                before = slots[before as usize].same_id;
            }
            slots[before as usize].same_id = same_id;
            None
        } else if same_id == NONE {
            first.remove();
            Some(id)
        } else {
            *first.get_mut() = same_id;
            None
        }
    }

    fn compact(&mut self) {
        if self.names.are_worth_compacting(self.slots.len()) {
            let mut names = self.names.with_same_room();
            for slot in &mut self.slots {
                slot.name = names.add(self.names.get(slot.name));
            }
            self.names = names;
        }
    }
}

impl<I: Copy + Eq + Hash + Debug> Default for WatchTree<I> {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns whether a separator has to follow `part` in a path. A root may be given as `dir/`.
fn needs_separator(part: &[u8]) -> bool {
    !part.is_empty() && !part.ends_with(b"/")
}
