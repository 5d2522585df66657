//! Which path a platform's watch stands for: [`WatchTree`].

use std::{
    collections::{HashMap, hash_map::Entry},
    ffi::{OsStr, OsString},
    fmt::Debug,
    hash::{BuildHasher, Hash, RandomState},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use hashbrown::HashTable;

use super::Via;

/// A folder in a [`WatchTree`]. Valid until it is removed; its number may be given out again then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(u32);

/// The folders that are watched, with the platform's id for each: from id to path and back.
///
/// Renaming a folder costs the same however much is below it. One id may stand for several folders
/// of the tree, since roots may overlap and links may lead to the same place. A folder takes about
/// 60 bytes and its name.
///
/// ```
/// use std::path::Path;
/// use notify_backend::recursion::{Via, WatchTree};
///
/// let mut tree = WatchTree::new();
/// let root = tree.add_root(Path::new("/srv"), 1);
/// let old = tree.add(root, "old".as_ref(), Via::Name, 2);
/// let below = tree.add(old, "below".as_ref(), Via::Name, 3);
/// tree.detach(old);
/// assert_eq!(tree.path(below), None);
/// tree.attach(old, root, "new".as_ref());
/// assert_eq!(tree.path(below).unwrap(), Path::new("/srv/new/below"));
/// assert_eq!(tree.nodes(3).collect::<Vec<_>>(), [below]);
/// ```
#[derive(Debug)]
pub struct WatchTree<I> {
    slots: Vec<Slot<I>>,
    // The first free slot; the others follow through `Slot::next`.
    free: u32,
    // The first node of each id; the others follow through `Slot::same_id`.
    by_id: HashMap<I, u32>,
    // Every attached child, found by its parent and name.
    by_name: HashTable<u32>,
    hasher: RandomState,
    names: Names,
    // Where the roots with a relative path are: the current folder when they were added.
    bases: HashMap<Node, PathBuf>,
}

/// A node, or a free slot. Numbers instead of pointers, and names in one place, since a large tree
/// has hundreds of thousands of them.
#[derive(Clone, Copy, Debug)]
struct Slot<I> {
    id: I,
    same_id: u32,
    parent: u32,
    child: u32,
    next: u32,
    previous: u32,
    name: Name,
    via: Via,
}

/// No node.
const NONE: u32 = u32::MAX;
/// Instead of a parent: a root, whose name is its path as given.
const ROOT: u32 = u32::MAX - 1;
/// Instead of a parent: a slot that can be used again.
const FREE: u32 = u32::MAX - 2;

impl<I: Copy + Eq + Hash + Debug> WatchTree<I> {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            by_id: HashMap::new(),
            by_name: HashTable::new(),
            hasher: RandomState::new(),
            names: Names::default(),
            bases: HashMap::new(),
        }
    }

    /// Adds a root, whose path and those below it will be spelled as `path` is.
    pub fn add_root(&mut self, path: &Path, id: I) -> Node {
        let node = self.insert(ROOT, path.as_os_str().as_bytes(), Via::Name, id);
        if path.is_relative() {
            // Where the current folder is gone, `location` stays relative and finds nothing.
            self.bases.insert(node, std::env::current_dir().unwrap_or_default());
        }
        node
    }

    /// Adds the folder `name` below `parent`, in the place of one that has the name already.
    pub fn add(&mut self, parent: Node, name: &OsStr, via: Via, id: I) -> Node {
        let node = self.insert(NONE, b"", via, id);
        self.attach(node, parent, name);
        node
    }

    /// The nodes that `id` stands for, detached ones included.
    pub fn nodes(&self, id: I) -> impl Iterator<Item = Node> {
        self.chain(self.by_id.get(&id).copied().unwrap_or(NONE), |slot| slot.same_id)
    }

    /// The platform's id of a node.
    #[must_use]
    pub fn id(&self, node: Node) -> I {
        self.slot(node).id
    }

    /// How a folder is reached from the one above it; a root counts as a name.
    #[must_use]
    pub fn via(&self, node: Node) -> Via {
        self.slot(node).via
    }

    /// Gives a node another id. Returns the old one if no node has it any more.
    pub fn set_id(&mut self, node: Node, id: I) -> Option<I> {
        let freed = self.unlink_id(node);
        self.slot_mut(node).id = id;
        self.link_id(node);
        freed.filter(|&freed| freed != id)
    }

    /// Whether a node is a root.
    #[must_use]
    pub fn is_root(&self, node: Node) -> bool {
        self.slot(node).parent == ROOT
    }

    /// Whether a link leads to a folder, or to one above it.
    #[must_use]
    pub fn is_linked(&self, node: Node) -> bool {
        let mut slot = self.slot(node);
        loop {
            match slot.parent {
                _ if slot.via == Via::Link => return true,
                ROOT | NONE => return false,
                parent => slot = self.slot(Node(parent)),
            }
        }
    }

    /// The root that a node is below, or is; none if the node is in a detached part.
    #[must_use]
    pub fn root(&self, node: Node) -> Option<Node> {
        let mut node = node;
        loop {
            match self.slot(node).parent {
                ROOT => return Some(node),
                NONE => return None,
                parent => node = Node(parent),
            }
        }
    }

    /// The folder `name` directly below `parent`.
    #[must_use]
    pub fn child(&self, parent: Node, name: &OsStr) -> Option<Node> {
        let name = name.as_bytes();
        let hash = self.hasher.hash_one((parent.0, name));
        self.by_name.find(hash, |&child| self.is_named(child, parent.0, name)).copied().map(Node)
    }

    /// The folders directly below `parent`, in no particular order.
    pub fn children(&self, parent: Node) -> impl Iterator<Item = Node> {
        self.chain(self.slot(parent).child, |slot| slot.next)
    }

    /// The name of a folder; for a root, its path.
    #[must_use]
    pub fn name(&self, node: Node) -> &OsStr {
        OsStr::from_bytes(self.names.get(self.slot(node).name))
    }

    /// The path of a folder; none if it is in a detached part.
    #[must_use]
    pub fn path(&self, node: Node) -> Option<PathBuf> {
        self.entry_path(node, OsStr::new(""))
    }

    /// Where a folder is found by system calls: its path, but absolute, so that it holds also after
    /// the process has changed its current folder. None if the folder is in a detached part.
    #[must_use]
    pub fn location(&self, node: Node) -> Option<PathBuf> {
        let path = self.path(node)?;
        match self.bases.get(&self.root(node)?) {
            Some(base) => Some(base.join(path)),
            None => Some(path),
        }
    }

    /// The path of the entry `name` in a folder; none if the folder is in a detached part.
    #[must_use]
    pub fn entry_path(&self, folder: Node, name: &OsStr) -> Option<PathBuf> {
        // Twice up the tree, so that the path is allocated once and at its exact size.
        let name = name.as_bytes();
        let mut length = name.len();
        let mut slot = self.slot(folder);
        loop {
            let part = self.names.get(slot.name);
            length += part.len() + usize::from(length > 0 && needs_separator(part));
            match slot.parent {
                ROOT => break,
                NONE => return None,
                parent => slot = self.slot(Node(parent)),
            }
        }
        let mut path = vec![b'/'; length];
        let mut end = length - name.len();
        path[end..].copy_from_slice(name);
        let mut slot = self.slot(folder);
        loop {
            let part = self.names.get(slot.name);
            end -= part.len() + usize::from(end < length && needs_separator(part));
            path[end..end + part.len()].copy_from_slice(part);
            match slot.parent {
                ROOT => break,
                parent => slot = self.slot(Node(parent)),
            }
        }
        Some(OsString::from_vec(path).into())
    }

    /// Takes a folder out of its place, with all that is below it, for as long as it is not known
    /// where it goes. Does nothing to a root.
    pub fn detach(&mut self, node: Node) {
        let Slot { parent, next, previous, name, .. } = *self.slot(node);
        if parent == ROOT || parent == NONE {
            return;
        }
        let hash = self.hasher.hash_one((parent, self.names.get(name)));
        if let Ok(entry) = self.by_name.find_entry(hash, |&child| child == node.0) {
            entry.remove();
        }
        if previous == NONE {
            self.slot_mut(Node(parent)).child = next;
        } else {
            self.slot_mut(Node(previous)).next = next;
        }
        if next != NONE {
            self.slot_mut(Node(next)).previous = previous;
        }
        self.names.remove(name);
        let slot = self.slot_mut(node);
        (slot.parent, slot.next, slot.previous) = (NONE, NONE, NONE);
        slot.name = Name::default();
        self.compact();
    }

    /// Puts a folder below `parent` under `name`, in the place of one that has the name already;
    /// detaches it first where needed. Does nothing to a root.
    pub fn attach(&mut self, node: Node, parent: Node, name: &OsStr) {
        if self.is_root(node) {
            return;
        }
        self.detach(node);
        if let Some(previous) = self.child(parent, name) {
            self.detach(previous);
        }
        let name = name.as_bytes();
        let first = self.slot(parent).child;
        let stored = self.names.add(name);
        let slot = self.slot_mut(node);
        (slot.parent, slot.next, slot.name) = (parent.0, first, stored);
        self.slot_mut(parent).child = node.0;
        if first != NONE {
            self.slot_mut(Node(first)).previous = node.0;
        }
        let (slots, names, hasher) = (&self.slots, &self.names, &self.hasher);
        let rehash = |&child: &u32| {
            let slot = &slots[child as usize];
            hasher.hash_one((slot.parent, names.get(slot.name)))
        };
        self.by_name.insert_unique(hasher.hash_one((parent.0, name)), node.0, rehash);
    }

    /// Removes a folder and all that is below it, and yields the ids that no node has any more.
    pub fn remove(&mut self, node: Node) -> Vec<I> {
        self.detach(node);
        let mut freed = Vec::new();
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            // Children detach from `node` one by one, so that their names are given back as well.
            while self.slot(node).child != NONE {
                let child = Node(self.slot(node).child);
                self.detach(child);
                pending.push(child);
            }
            freed.extend(self.unlink_id(node));
            self.bases.remove(&node);
            self.names.remove(self.slot(node).name);
            let free = self.free;
            let slot = self.slot_mut(node);
            (slot.parent, slot.next, slot.name) = (FREE, free, Name::default());
            self.free = node.0;
        }
        self.compact();
        freed
    }

    /// The bytes that the tree takes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<I>>()
            // A bucket and its control byte; capacity is 7/8 of the buckets.
            + self.by_id.capacity() * 8 / 7 * (size_of::<(I, u32)>() + 1)
            + self.by_name.allocation_size()
            + self.names.bytes.capacity()
    }

    fn chain(&self, first: u32, next: fn(&Slot<I>) -> u32) -> impl Iterator<Item = Node> {
        let node = |number| (number != NONE).then_some(Node(number));
        std::iter::successors(node(first), move |&at| node(next(self.slot(at))))
    }

    fn insert(&mut self, parent: u32, name: &[u8], via: Via, id: I) -> Node {
        let name = self.names.add(name);
        let slot =
            Slot { id, same_id: NONE, parent, child: NONE, next: NONE, previous: NONE, name, via };
        let node = if self.free == NONE {
            let count = self.slots.len();
            self.slots.push(slot);
            // 2^32 folders would take 256 GiB before this could fail.
            Node(u32::try_from(count).expect("fewer than 2^32 folders"))
        } else {
            let node = Node(self.free);
            self.free = self.slots[node.0 as usize].next;
            self.slots[node.0 as usize] = slot;
            node
        };
        self.link_id(node);
        node
    }

    fn link_id(&mut self, node: Node) {
        let id = self.slot(node).id;
        let same_id = self.by_id.insert(id, node.0).unwrap_or(NONE);
        self.slot_mut(node).same_id = same_id;
    }

    /// Returns the id if no node has it any more.
    fn unlink_id(&mut self, node: Node) -> Option<I> {
        let Slot { id, same_id, .. } = *self.slot(node);
        let Entry::Occupied(mut first) = self.by_id.entry(id) else {
            return None;
        };
        if *first.get() != node.0 {
            let mut before = *first.get();
            while self.slots[before as usize].same_id != node.0 {
                before = self.slots[before as usize].same_id;
            }
            self.slots[before as usize].same_id = same_id;
            None
        } else if same_id == NONE {
            first.remove();
            Some(id)
        } else {
            first.insert(same_id);
            None
        }
    }

    fn is_named(&self, node: u32, parent: u32, name: &[u8]) -> bool {
        let slot = &self.slots[node as usize];
        slot.parent == parent && self.names.get(slot.name) == name
    }

    fn compact(&mut self) {
        if self.names.is_mostly_unused() {
            let mut names = Names::default();
            for slot in self.slots.iter_mut().filter(|slot| slot.parent != FREE) {
                slot.name = names.add(self.names.get(slot.name));
            }
            self.names = names;
        }
    }

    #[track_caller]
    fn slot(&self, node: Node) -> &Slot<I> {
        let slot = &self.slots[node.0 as usize];
        debug_assert!(slot.parent != FREE, "{node:?} was removed");
        slot
    }

    #[track_caller]
    fn slot_mut(&mut self, node: Node) -> &mut Slot<I> {
        &mut self.slots[node.0 as usize]
    }
}

impl<I: Copy + Eq + Hash + Debug> Default for WatchTree<I> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether something that follows `part` in a path is set off by a separator. A root may be given
/// as `dir/`.
fn needs_separator(part: &[u8]) -> bool {
    !part.is_empty() && !part.ends_with(b"/")
}

/// The names of all nodes, one behind the other.
#[derive(Debug, Default)]
struct Names {
    bytes: Vec<u8>,
    unused: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Name {
    start: u32,
    // No system call takes a longer path.
    length: u16,
}

impl Names {
    fn add(&mut self, name: &[u8]) -> Name {
        // The names of tens of millions of folders fit 4 GiB.
        let start = u32::try_from(self.bytes.len()).expect("less than 4 GiB of names");
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&name[..length.into()]);
        Name { start, length }
    }

    fn get(&self, name: Name) -> &[u8] {
        &self.bytes[name.start as usize..][..name.length.into()]
    }

    fn remove(&mut self, name: Name) {
        self.unused += usize::from(name.length);
    }

    fn is_mostly_unused(&self) -> bool {
        self.unused > 4096 && self.unused > self.bytes.len() / 2
    }
}
