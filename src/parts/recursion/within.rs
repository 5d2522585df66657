//! Watched folders inside other ones. A folder that is watched recursively anyway, under the same path, has
//! one place in the tree, so that it is looked at and reported only once.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

use super::{
    engine::{Engine, Name},
    look::Walk,
    seam::{EntryType, World},
    spelling,
    tree::Node,
};

impl<W: World> Engine<W> {
    /// Returns the places under which the events of a folder's entries are reported: all except roots whose
    /// work another root does.
    pub(super) fn places(&self, id: W::Id) -> impl Iterator<Item = Node> {
        self.tree.nodes(id).filter(|node| !self.within.contains_key(node))
    }

    /// Leaves the work of a root to another one, if that watches everything that this one has to. Returns
    /// whether there is one.
    pub(super) fn join(&mut self, root: Node) -> bool {
        let place = self.place_within(root);
        self.within.extend(place.map(|place| (root, place)));
        place.is_some()
    }

    fn place_within(&self, root: Node) -> Option<Node> {
        let (wanted, path) = (self.roots.get(&root)?, self.tree.path(root)?);
        let is_path =
            |place| self.tree.path(place).is_some_and(|it| it.as_os_str() == path.as_os_str());
        self.tree.nodes(self.tree.id(root)?).find(|&place| {
            let outer = self.tree.root(place).filter(|&outer| outer != place);
            let has_all = outer.and_then(|outer| self.roots.get(&outer)).is_some_and(|outer| {
                outer.recursive && outer.access >= wanted.access && !wanted.follow_links
            });
            has_all && !self.tree.is_linked(place) && is_path(place)
        })
    }

    /// Returns whether the folder above a root is watched too, under a path spelled like the root's: then
    /// its events report what happens to the root.
    pub(super) fn is_reported_above(&self, root: Node) -> bool {
        let Some((above, _)) = spelling::split(self.tree.name(root)) else { return false };
        // An event about a link is not one about the folder that it leads to.
        let follows = self.roots.get(&root).is_some_and(|options| options.follow_links);
        let location = self.tree.location(root).filter(|_| follows);
        let is_link = |location: PathBuf| {
            self.world.entry_type(&location, false).ok() == Some(EntryType::Link)
        };
        if location.is_some_and(is_link) {
            return false;
        }
        let mut roots = Self::roots_above(&self.spelled, above).filter(|&(other, _)| other != root);
        roots.any(|(other, below)| {
            let mut names = below.split(|&byte| byte == b'/').map(OsStr::from_bytes);
            let child = |parent, name| self.tree.child(parent, name);
            let is_deep = || self.roots.get(&other).is_some_and(|options| options.recursive);
            below.is_empty() || is_deep() && names.try_fold(other, child).is_some()
        })
    }

    /// Moves the folders below an inner root to `place`, which is the same folder, if the outer root can do
    /// the work of the inner one from now on, and the inner one has watched everything that the outer one
    /// has to. Returns whether that is so.
    pub(super) fn take_over(&mut self, place: Node) -> bool {
        let Some(id) = self.tree.id(place) else { return false };
        let outer = self.tree.root(place);
        let Some(wanted) = outer.and_then(|outer| self.roots.get(&outer)) else { return false };
        let has_all = |inner: &Node| {
            !self.within.contains_key(inner)
                && self.roots.get(inner).is_some_and(|inner| {
                    inner.recursive && inner.access >= wanted.access && !wanted.follow_links
                })
        };
        let inner = self.tree.nodes(id).find(has_all);
        let Some(inner) = inner.filter(|&inner| self.place_within(inner) == Some(place)) else {
            return false;
        };
        self.within.insert(inner, place);
        self.hand_over(inner, place);
        for branch in self.branches.values_mut().filter(|branch| branch.root == inner) {
            branch.root = outer.unwrap_or(branch.root);
        }
        true
    }

    /// Gives the roots inside a folder that is about to be removed a tree of their own again.
    pub(super) fn split_off_roots(&mut self, folder: Node) {
        if self.within.is_empty() {
            return;
        }
        let mut parted = Vec::new();
        let mut pending = vec![folder];
        while let Some(place) = pending.pop() {
            pending.extend(self.tree.children(place));
            let same = self.tree.id(place).into_iter().flat_map(|id| self.tree.nodes(id));
            let of_place = same.filter(|root| self.within.get(root) == Some(&place));
            parted.extend(of_place.map(|root| (root, place)));
        }
        for (root, place) in parted {
            self.within.remove(&root);
            if self.roots.get(&root).is_some_and(|options| options.recursive) {
                self.hand_over(place, root);
            }
        }
    }

    /// Moves everything below one place of a folder to another place, with the looks that are due there.
    fn hand_over(&mut self, from: Node, to: Node) {
        for child in self.tree.children(from).collect::<Vec<_>>() {
            let name = self.tree.name(child).to_owned();
            self.tree.attach(child, to, &name);
        }
        let rename = |folder: &mut Node| {
            if *folder == from {
                *folder = to;
            }
        };
        self.quiet.iter_mut().for_each(rename);
        let names = self.due.iter_mut().chain(self.links.values_mut());
        names.for_each(|name: &mut Name| rename(&mut name.parent));
        for branch in self.branches.values_mut() {
            branch.due.iter_mut().for_each(|name| rename(&mut name.parent));
            branch.displaced.iter_mut().for_each(|place| rename(&mut place.0));
        }
        self.looks.iter_mut().for_each(|look| look.for_each_folder(rename));
        self.walk.iter_mut().for_each(|walk| walk.for_each_folder(rename));
        for look in self.walk.iter().map(Walk::look).chain(&self.looks) {
            let root = look.parent().and_then(|parent| self.root_of(parent));
            let branch = look.top.and_then(|top| self.branches.get_mut(&top));
            if let Some((branch, root)) = branch.zip(root) {
                branch.root = root;
            }
        }
    }
}
