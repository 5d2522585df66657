//! The model: for each root and each detached folder, everything below it, by name.

use super::*;

/// The names from the top of a part to a folder; none for the top itself.
type Place = Vec<&'static [u8]>;

const NAMES: [&[u8]; 7] = [b"a", b"ab", b"b", b"a b", b"\xff", b"a\xff", "ä".as_bytes()];
const ROOTS: [&[u8]; 10] =
    [b"/", b"/a", b"/a/", b"/ab", b"/a/b", b".", b"dir/", b"dir", b"", b"\xfe/x"];
const IDS: u8 = 6;

#[derive(Default)]
pub(super) struct Model {
    parts: Vec<Part>,
    // Every folder that ever existed.
    known: Vec<Node>,
}

struct Part {
    // None if the part is detached.
    root: Option<&'static [u8]>,
    folders: BTreeMap<Place, Folder>,
}

#[derive(Clone, Copy)]
struct Folder {
    node: Node,
    id: u8,
    via: Via,
}

/// An operation on a tree. Folders are chosen among all that ever existed.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    AddRoot(&'static [u8], u8),
    Add(Index, &'static [u8], Via, u8),
    SetId(Index, u8),
    Detach(Index),
    Attach(Index, Index, &'static [u8]),
    Remove(Index),
}

impl Operation {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let name = || prop::sample::select(&NAMES[..]);
        let via = prop_oneof![4 => Just(Via::Name), 1 => Just(Via::Link)];
        prop_oneof![
            2 => (prop::sample::select(&ROOTS[..]), 0..IDS).prop_map(|(a, b)| Self::AddRoot(a, b)),
            8 => (any::<Index>(), name(), via, 0..IDS).prop_map(|(a, b, c, d)| Self::Add(a, b, c, d)),
            1 => (any::<Index>(), 0..IDS).prop_map(|(a, b)| Self::SetId(a, b)),
            2 => any::<Index>().prop_map(Self::Detach),
            4 => (any::<Index>(), any::<Index>(), name()).prop_map(|(a, b, c)| Self::Attach(a, b, c)),
            1 => any::<Index>().prop_map(Self::Remove),
        ]
    }
}

fn os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

impl Model {
    pub(super) fn apply(
        &mut self,
        operation: &Operation,
        tree: &mut WatchTree<u8>,
    ) -> Result<(), TestCaseError> {
        if let &Operation::AddRoot(root, id) = operation {
            let node = tree.add_root(Path::new(os(root)), id);
            self.add_part(Some(root), Folder { node, id, via: Via::Name });
        }
        if self.known.is_empty() {
            return Ok(());
        }
        let node = |index: &Index| *index.get(&self.known);
        match operation {
            Operation::AddRoot(..) => {}
            &Operation::Add(ref parent, name, via, id) => {
                let parent = node(parent);
                let node = tree.add(parent, os(name), via, id);
                self.add_part(None, Folder { node, id, via });
                self.attach(node, parent, name);
            }
            &Operation::SetId(ref folder, id) => {
                let node = node(folder);
                let before = self.ids();
                if let Some(folder) = self.folders_mut().find(|folder| folder.node == node) {
                    folder.id = id;
                }
                let freed = before.difference(&self.ids()).copied().next();
                prop_assert_eq!(tree.set_id(node, id), freed);
            }
            Operation::Detach(folder) => {
                let node = node(folder);
                tree.detach(node);
                self.detach(node);
            }
            &Operation::Attach(ref folder, ref parent, name) => {
                let (node, parent) = (node(folder), node(parent));
                tree.attach(node, parent, os(name));
                self.attach(node, parent, name);
            }
            Operation::Remove(folder) => {
                let node = node(folder);
                let before = self.ids();
                self.remove(node);
                let mut freed = tree.remove(node);
                freed.sort_unstable();
                prop_assert_eq!(freed, before.difference(&self.ids()).copied().collect::<Vec<_>>());
            }
        }
        Ok(())
    }

    /// Checks that every method of the tree returns the model's result.
    pub(super) fn check(&self, tree: &WatchTree<u8>) -> Result<(), TestCaseError> {
        let mut gone: BTreeSet<Node> = self.known.iter().copied().collect();
        for part in &self.parts {
            for (place, folder) in &part.folders {
                gone.remove(&folder.node);
                part.check(place, folder, tree)?;
            }
        }
        for node in gone {
            check_gone(node, tree)?;
        }
        for id in 0..IDS {
            let nodes: Vec<Node> = tree.nodes(id).collect();
            let expected: BTreeSet<Node> =
                self.folders().filter(|folder| folder.id == id).map(|folder| folder.node).collect();
            prop_assert_eq!(nodes.len(), expected.len());
            prop_assert_eq!(nodes.into_iter().collect::<BTreeSet<_>>(), expected);
        }
        Ok(())
    }

    fn folders(&self) -> impl Iterator<Item = &Folder> {
        self.parts.iter().flat_map(|part| part.folders.values())
    }

    fn folders_mut(&mut self) -> impl Iterator<Item = &mut Folder> {
        self.parts.iter_mut().flat_map(|part| part.folders.values_mut())
    }

    fn ids(&self) -> BTreeSet<u8> {
        self.folders().map(|folder| folder.id).collect()
    }

    fn find(&self, node: Node) -> Option<(usize, Place)> {
        self.parts.iter().enumerate().find_map(|(i, part)| {
            let (place, _) = part.folders.iter().find(|(_, folder)| folder.node == node)?;
            Some((i, place.clone()))
        })
    }

    fn add_part(&mut self, root: Option<&'static [u8]>, top: Folder) {
        self.known.push(top.node);
        self.parts.push(Part { root, folders: BTreeMap::from([(Place::new(), top)]) });
    }

    fn detach(&mut self, node: Node) {
        if let Some((part, place)) = self.find(node)
            && !place.is_empty()
        {
            let (below, others) = mem::take(&mut self.parts[part].folders)
                .into_iter()
                .partition(|(other, _)| other.starts_with(&place));
            self.parts[part].folders = others;
            let below: BTreeMap<Place, Folder> = below;
            let folders =
                below.into_iter().map(|(other, it)| (other[place.len()..].to_vec(), it)).collect();
            self.parts.push(Part { root: None, folders });
        }
    }

    fn attach(&mut self, node: Node, parent: Node, name: &'static [u8]) {
        let (Some((part, place)), Some((parent_part, parent_place))) =
            (self.find(node), self.find(parent))
        else {
            return;
        };
        let is_root = place.is_empty() && self.parts[part].root.is_some();
        let is_above = part == parent_part && parent_place.starts_with(&place);
        if is_root || is_above {
            return;
        }
        self.detach(node);
        let (parent_part, mut target) = self.find(parent).unwrap();
        target.push(name);
        if let Some(replaced) = self.parts[parent_part].folders.get(&target) {
            self.detach(replaced.node);
        }
        let (part, _) = self.find(node).unwrap();
        for (below, folder) in mem::take(&mut self.parts[part].folders) {
            let place = [target.clone(), below].concat();
            self.parts[parent_part].folders.insert(place, folder);
        }
    }

    fn remove(&mut self, node: Node) {
        self.detach(node);
        if let Some((part, _)) = self.find(node) {
            self.parts[part].folders.clear();
        }
    }
}

impl Part {
    fn path(&self, place: &[&'static [u8]]) -> Option<PathBuf> {
        let mut path = self.root?.to_vec();
        for name in place {
            if !path.is_empty() && !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        Some(OsString::from_vec(path).into())
    }

    fn check(
        &self,
        place: &Place,
        folder: &Folder,
        tree: &WatchTree<u8>,
    ) -> Result<(), TestCaseError> {
        let &Folder { node, id, via } = folder;
        let top = self.folders[&Place::new()].node;
        prop_assert_eq!(tree.id(node), Some(id));
        prop_assert_eq!(tree.via(node), Some(via));
        prop_assert_eq!(tree.is_root(node), place.is_empty() && self.root.is_some());
        prop_assert_eq!(tree.root(node), self.root.map(|_| top));
        let is_linked =
            (0..=place.len()).any(|length| self.folders[&place[..length]].via == Via::Link);
        prop_assert_eq!(tree.is_linked(node), is_linked);
        let name = place.last().copied().or(self.root).unwrap_or_default();
        prop_assert_eq!(tree.name(node), os(name));
        // Not as paths, for which `dir/` and `dir` are equal.
        let path = self.path(place).map(PathBuf::into_os_string);
        prop_assert_eq!(tree.path(node).map(PathBuf::into_os_string), path.clone());
        let here = std::env::current_dir().unwrap();
        prop_assert_eq!(tree.location(node), path.map(|path| here.join(path)));
        let mut children = BTreeSet::new();
        for name in NAMES {
            let entry = [place.clone(), vec![name]].concat();
            let child = self.folders.get(&entry).map(|folder| folder.node);
            children.extend(child);
            prop_assert_eq!(tree.child(node, os(name)), child);
            let path = self.path(&entry).map(PathBuf::into_os_string);
            prop_assert_eq!(tree.entry_path(node, os(name)).map(PathBuf::into_os_string), path);
        }
        let found: Vec<Node> = tree.children(node).collect();
        prop_assert_eq!(found.len(), children.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), children);
        Ok(())
    }
}

fn check_gone(node: Node, tree: &WatchTree<u8>) -> Result<(), TestCaseError> {
    prop_assert_eq!(tree.id(node), None);
    prop_assert_eq!(tree.via(node), None);
    prop_assert!(!tree.is_root(node) && !tree.is_linked(node));
    prop_assert_eq!(tree.root(node), None);
    prop_assert_eq!(tree.name(node), os(b""));
    prop_assert_eq!(tree.path(node), None);
    prop_assert_eq!(tree.location(node), None);
    prop_assert_eq!(tree.entry_path(node, os(b"a")), None);
    prop_assert_eq!(tree.children(node).next(), None);
    prop_assert_eq!(tree.child(node, os(b"a")), None);
    Ok(())
}
