//! Folders, files and links by inode, and the changes to them: [`Disk`].

use std::{collections::BTreeMap, sync::Arc};

/// A folder, file or link, independent of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Inode(usize);

pub(super) type Name = Arc<str>;

/// The content of an inode.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Folder(BTreeMap<Name, Inode>),
    File,
    /// A symbolic link, and the absolute path that it leads to.
    Link(Arc<str>),
}

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    // How many names it has, and how often it is open.
    links: usize,
    opened: usize,
    // Only a folder that has a name has one.
    parent: Option<Inode>,
    // The folder that it was removed from while it was open. That folder stays at least as long.
    removed_from: Option<Inode>,
}

/// Why a change cannot be made; see `errno(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotFound,
    Exists,
    NotAFolder,
    IsAFolder,
    NotEmpty,
    /// A folder would be below itself.
    Loop,
    /// Another change holds a lock that this one needs.
    Locked,
}

/// A change by one system call. Paths are absolute, and the last name is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    Mkdir(Arc<str>),
    Rmdir(Arc<str>),
    Create(Arc<str>),
    Write(Arc<str>),
    Remove(Arc<str>),
    Chmod(Arc<str>),
    /// A symbolic link to the first path, at the second.
    Symlink(Arc<str>, Arc<str>),
    /// A further name for the file at the first path.
    HardLink(Arc<str>, Arc<str>),
    Rename(Arc<str>, Arc<str>),
    Exchange(Arc<str>, Arc<str>),
}

/// A message to the kernel's notification layer (`fsnotify_*` in Linux).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Note {
    /// An entry of a folder appeared or disappeared.
    Entry { folder: Inode, name: Name, inode: Inode, what: Entry, is_folder: bool },
    /// Something happened to an inode. It goes to the watch of that inode and, if an entry is named, first
    /// to the watch of the folder above.
    Itself { inode: Inode, what: Itself, is_folder: bool, entry: Option<(Inode, Name)> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    Created,
    Removed,
    /// Both halves of a rename have the same number.
    MovedFrom(u32),
    MovedTo(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Itself {
    Opened,
    Read,
    Written,
    Metadata,
    ClosedAfterReading,
    ClosedAfterWriting,
    Moved,
    /// It has no name any more and is not open: all watches of it end.
    Gone,
}

/// A change that shows already, while some of its notes are still to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Done {
    /// The notes, in order.
    pub(super) notes: Vec<Note>,
    /// The folders whose entries cannot be changed or listed until all notes are delivered.
    pub(super) locked: Vec<Inode>,
    /// Whether it is a rename from one folder to another. The file system makes only one of them at a time.
    pub(super) is_across: bool,
}

/// A file system.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    // By inode. Nodes are never removed, so that no number is used twice.
    nodes: Vec<Node>,
    cookies: u32,
}

type Place = (Inode, Name);

impl Disk {
    pub(super) const TOP: Inode = Inode(0);
    /// A longer chain of links leads nowhere; see `path_resolution(7)`.
    const MOST_LINKS: usize = 40;

    /// Creates a file system that has only its topmost folder.
    pub(super) fn new() -> Self {
        let kind = Kind::Folder(BTreeMap::new());
        Self {
            nodes: vec![Node { kind, links: 1, opened: 0, parent: None, removed_from: None }],
            cookies: 0,
        }
    }

    pub(super) fn kind(&self, inode: Inode) -> &Kind {
        &self.nodes[inode.0].kind
    }

    pub(super) fn is_folder(&self, inode: Inode) -> bool {
        matches!(self.kind(inode), Kind::Folder(_))
    }

    /// Returns the entries of a folder, in the order of their names.
    pub(super) fn entries(&self, folder: Inode) -> impl Iterator<Item = (&Name, Inode)> {
        let entries = match self.kind(folder) {
            Kind::Folder(entries) => Some(entries),
            _ => None,
        };
        entries.into_iter().flatten().map(|(name, &inode)| (name, inode))
    }

    pub(super) fn entry(&self, folder: Inode, name: &str) -> Result<Inode, Refusal> {
        match self.kind(folder) {
            Kind::Folder(entries) => entries.get(name).copied().ok_or(Refusal::NotFound),
            _ => Err(Refusal::NotAFolder),
        }
    }

    /// Returns the target of the entry `name` of a folder, or the entry itself if it is no link.
    pub(super) fn follow(&self, folder: Inode, name: &str) -> Result<Inode, Refusal> {
        self.find_from(folder, name, true, &mut 0)
    }

    /// Returns the absolute path of a folder; none if it has been removed.
    pub(super) fn path(&self, folder: Inode) -> Option<String> {
        let Some(parent) = self.nodes[folder.0].parent else {
            return (folder == Self::TOP).then(String::new);
        };
        let name = self.entry_of(folder)?.1;
        Some(format!("{}/{name}", self.path(parent)?))
    }

    /// Returns the inode at an absolute path. `follow` says whether a link at the end is followed.
    pub(super) fn find(&self, path: &str, follow: bool) -> Result<Inode, Refusal> {
        self.find_from(Self::TOP, path, follow, &mut 0)
    }

    fn find_from(
        &self,
        start: Inode,
        path: &str,
        follow: bool,
        links: &mut usize,
    ) -> Result<Inode, Refusal> {
        let mut at = start;
        let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let found = self.entry(at, part)?;
            at = match self.kind(found) {
                Kind::Link(target) if follow || parts.peek().is_some() => {
                    *links += 1;
                    if *links > Self::MOST_LINKS {
                        return Err(Refusal::Loop);
                    }
                    self.find_from(Self::TOP, target, true, links)?
                }
                _ => found,
            };
        }
        Ok(at)
    }

    /// Returns whether `folder` is `above`, or below it.
    fn is_below(&self, folder: Inode, above: Inode) -> bool {
        folder == above || self.nodes[folder.0].parent.is_some_and(|it| self.is_below(it, above))
    }

    /// Returns the folder that a path's last name is in, and the name.
    fn place(&self, path: &str) -> Result<Place, Refusal> {
        let (folder, name) = path.rsplit_once('/').ok_or(Refusal::NotFound)?;
        let folder = self.find(folder, true)?;
        if self.is_folder(folder) { Ok((folder, name.into())) } else { Err(Refusal::NotAFolder) }
    }

    fn free_place(&self, path: &str) -> Result<Place, Refusal> {
        let (folder, name) = self.place(path)?;
        // No entry can be added to a folder that was removed while it was open.
        if self.nodes[folder.0].links == 0 {
            return Err(Refusal::NotFound);
        }
        match self.entry(folder, &name) {
            Ok(_) => Err(Refusal::Exists),
            Err(_) => Ok((folder, name)),
        }
    }

    /// Makes a change, unless a folder that it locks is `locked` already, or it is a rename across folders
    /// while another one is under way (`is_across`).
    pub(super) fn make(
        &mut self,
        change: &Change,
        is_locked: impl Fn(Inode) -> bool,
        is_across: bool,
    ) -> Result<Done, Refusal> {
        let lock = |folder| if is_locked(folder) { Err(Refusal::Locked) } else { Ok(()) };
        match change {
            Change::Mkdir(path) => {
                let place = self.free_place(path)?;
                lock(place.0)?;
                Ok(self.add(place, Kind::Folder(BTreeMap::new())))
            }
            Change::Symlink(target, path) => {
                let place = self.free_place(path)?;
                lock(place.0)?;
                Ok(self.add(place, Kind::Link(target.clone())))
            }
            Change::Create(path) => {
                let place = self.free_place(path)?;
                lock(place.0)?;
                let mut done = self.add(place.clone(), Kind::File);
                let inode = self.entry(place.0, &place.1)?;
                for what in [Itself::Opened, Itself::ClosedAfterWriting] {
                    done.notes.push(self.itself(inode, what, Some(place.clone())));
                }
                Ok(done)
            }
            Change::HardLink(from, to) => {
                let inode = self.find(from, false)?;
                if self.is_folder(inode) {
                    return Err(Refusal::IsAFolder);
                }
                let (folder, name) = self.free_place(to)?;
                lock(folder)?;
                self.put(folder, &name, inode);
                let count = self.itself(inode, Itself::Metadata, None);
                let created = self.came(folder, &name, inode, Entry::Created);
                Ok(done([folder], [count, created]))
            }
            Change::Write(path) => {
                let (folder, name) = self.place(path)?;
                let inode = self.entry(folder, &name)?;
                if *self.kind(inode) != Kind::File {
                    return Err(Refusal::IsAFolder);
                }
                let place = (folder, name);
                let steps = [Itself::Opened, Itself::Written, Itself::ClosedAfterWriting];
                Ok(done([], steps.map(|what| self.itself(inode, what, Some(place.clone())))))
            }
            Change::Chmod(path) => {
                let (folder, name) = self.place(path)?;
                let inode = self.entry(folder, &name)?;
                if matches!(self.kind(inode), Kind::Link(_)) {
                    return Err(Refusal::NotFound);
                }
                Ok(done([], [self.itself(inode, Itself::Metadata, Some((folder, name)))]))
            }
            Change::Rmdir(path) => {
                let (folder, name) = self.place(path)?;
                let inode = self.entry(folder, &name)?;
                lock(folder)?;
                if !self.is_folder(inode) {
                    return Err(Refusal::NotAFolder);
                }
                lock(inode)?;
                if self.entries(inode).next().is_some() {
                    return Err(Refusal::NotEmpty);
                }
                let mut notes = self.take(folder, &name, inode);
                notes.push(self.came(folder, &name, inode, Entry::Removed));
                Ok(done([folder], notes))
            }
            Change::Remove(path) => {
                let (folder, name) = self.place(path)?;
                let inode = self.entry(folder, &name)?;
                if self.is_folder(inode) {
                    return Err(Refusal::IsAFolder);
                }
                lock(folder)?;
                let mut notes = vec![self.itself(inode, Itself::Metadata, None)];
                notes.extend(self.take(folder, &name, inode));
                notes.push(self.came(folder, &name, inode, Entry::Removed));
                Ok(done([folder], notes))
            }
            Change::Rename(from, to) => self.rename(from, to, lock, is_across),
            Change::Exchange(one, other) => self.exchange(one, other, lock, is_across),
        }
    }

    fn rename(
        &mut self,
        from: &str,
        to: &str,
        lock: impl Fn(Inode) -> Result<(), Refusal>,
        is_across: bool,
    ) -> Result<Done, Refusal> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        let inode = self.entry(from.0, &from.1)?;
        let target = self.entry(to.0, &to.1).ok();
        let is_folder = self.is_folder(inode);
        lock_both(&from, &to, &lock, is_across)?;
        if is_folder && self.is_below(to.0, inode) {
            return Err(Refusal::Loop);
        }
        if self.nodes[to.0.0].links == 0 {
            return Err(Refusal::NotFound);
        }
        // Two names of one file stay as they are.
        if target == Some(inode) {
            return Ok(done([], []));
        }
        match target {
            Some(target) if self.is_folder(target) => {
                if !is_folder {
                    return Err(Refusal::IsAFolder);
                }
                if self.entries(target).next().is_some() {
                    return Err(Refusal::NotEmpty);
                }
                lock(target)?;
            }
            Some(_) if is_folder => return Err(Refusal::NotAFolder),
            _ => {}
        }
        if is_folder && from.0 != to.0 {
            lock(inode)?;
        }
        let gone = target.map(|target| (target, self.take(to.0, &to.1, target)));
        self.shift(inode, &from, &to);
        let mut notes = self.moved(inode, &from, &to);
        if let Some((target, gone)) = gone {
            notes.insert(2, self.itself(target, Itself::Metadata, None));
            notes.extend(gone);
        }
        let locked = if from.0 == to.0 { vec![from.0] } else { vec![from.0, to.0] };
        Ok(Done { notes, is_across: from.0 != to.0, locked })
    }

    fn exchange(
        &mut self,
        one: &str,
        other: &str,
        lock: impl Fn(Inode) -> Result<(), Refusal>,
        is_across: bool,
    ) -> Result<Done, Refusal> {
        let (one, other) = (self.place(one)?, self.place(other)?);
        let [first, second] = [self.entry(one.0, &one.1)?, self.entry(other.0, &other.1)?];
        lock_both(&one, &other, &lock, is_across)?;
        if self.is_below(other.0, first) && self.is_folder(first)
            || self.is_below(one.0, second) && self.is_folder(second)
        {
            return Err(Refusal::Loop);
        }
        if first == second {
            return Ok(done([], []));
        }
        if one.0 != other.0 {
            for inode in [first, second] {
                if self.is_folder(inode) {
                    lock(inode)?;
                }
            }
        }
        self.shift(first, &one, &other);
        self.put_back(second, &one);
        let mut notes = self.moved(first, &one, &other);
        notes.extend(self.moved(second, &other, &one));
        let locked = if one.0 == other.0 { vec![one.0] } else { vec![one.0, other.0] };
        Ok(Done { notes, is_across: one.0 != other.0, locked })
    }

    fn add(&mut self, (folder, name): Place, kind: Kind) -> Done {
        let inode = Inode(self.nodes.len());
        self.nodes.push(Node { kind, links: 0, opened: 0, parent: None, removed_from: None });
        self.put(folder, &name, inode);
        done([folder], [self.came(folder, &name, inode, Entry::Created)])
    }

    fn put(&mut self, folder: Inode, name: &Name, inode: Inode) {
        self.nodes[inode.0].links += 1;
        self.put_back(inode, &(folder, name.clone()));
    }

    fn put_back(&mut self, inode: Inode, (folder, name): &Place) {
        if self.is_folder(inode) {
            self.nodes[inode.0].parent = Some(*folder);
        }
        if let Kind::Folder(entries) = &mut self.nodes[folder.0].kind {
            entries.insert(name.clone(), inode);
        }
    }

    fn shift(&mut self, inode: Inode, from: &Place, to: &Place) {
        if let Kind::Folder(entries) = &mut self.nodes[from.0.0].kind {
            entries.remove(&from.1);
        }
        self.put_back(inode, to);
    }

    /// Removes a name. Returns a note if the inode is gone with it.
    fn take(&mut self, folder: Inode, name: &Name, inode: Inode) -> Vec<Note> {
        if let Kind::Folder(entries) = &mut self.nodes[folder.0].kind {
            entries.remove(name);
        }
        let node = &mut self.nodes[inode.0];
        node.links -= 1;
        node.parent = None;
        if node.links > 0 {
            return Vec::new();
        }
        if node.opened > 0 {
            node.removed_from = Some(folder);
            self.open(folder);
            return Vec::new();
        }
        vec![self.itself(inode, Itself::Gone, None)]
    }

    /// Opens an inode, so that it stays after it was removed.
    pub(super) fn open(&mut self, inode: Inode) {
        self.nodes[inode.0].opened += 1;
    }

    /// Closes an inode. Returns notes for everything that is gone with it.
    pub(super) fn close(&mut self, inode: Inode) -> Vec<Note> {
        let node = &mut self.nodes[inode.0];
        node.opened -= 1;
        if node.links + node.opened > 0 {
            return Vec::new();
        }
        let folder = node.removed_from.take();
        let mut notes = vec![self.itself(inode, Itself::Gone, None)];
        notes.extend(folder.into_iter().flat_map(|folder| self.close(folder)));
        notes
    }

    fn moved(&mut self, inode: Inode, from: &Place, to: &Place) -> Vec<Note> {
        self.cookies += 1;
        let [from, to] = [
            self.came(from.0, &from.1, inode, Entry::MovedFrom(self.cookies)),
            self.came(to.0, &to.1, inode, Entry::MovedTo(self.cookies)),
        ];
        vec![from, to, self.itself(inode, Itself::Moved, None)]
    }

    fn came(&self, folder: Inode, name: &Name, inode: Inode, what: Entry) -> Note {
        let is_folder = self.is_folder(inode);
        Note::Entry { folder, name: name.clone(), inode, what, is_folder }
    }

    pub(super) fn itself(&self, inode: Inode, what: Itself, entry: Option<Place>) -> Note {
        Note::Itself { inode, what, is_folder: self.is_folder(inode), entry }
    }

    /// Returns the place of a folder: the one above it, and its name there.
    pub(super) fn entry_of(&self, folder: Inode) -> Option<Place> {
        let parent = self.nodes[folder.0].parent?;
        let (name, _) = self.entries(parent).find(|&(_, inode)| inode == folder)?;
        Some((parent, name.clone()))
    }
}

fn done(locked: impl Into<Vec<Inode>>, notes: impl Into<Vec<Note>>) -> Done {
    Done { notes: notes.into(), locked: locked.into(), is_across: false }
}

fn lock_both(
    from: &Place,
    to: &Place,
    lock: &impl Fn(Inode) -> Result<(), Refusal>,
    is_across: bool,
) -> Result<(), Refusal> {
    lock(from.0)?;
    lock(to.0)?;
    if is_across && from.0 != to.0 { Err(Refusal::Locked) } else { Ok(()) }
}
