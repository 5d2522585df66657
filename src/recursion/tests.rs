//! What the tests of walks and scans have in common: a platform that there is everywhere.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{FolderWatcher, Node, WatchTree};

/// Watches folders as a platform would: by what they are, not by what they are called.
pub(super) struct FakeWatcher<'a> {
    state: Mutex<State>,
    // Called with each folder that is to be watched, and after it is.
    before: Box<Hook<'a, io::Result<()>>>,
    after: Box<Hook<'a, ()>>,
}

type Hook<'a, R> = dyn Fn(Inode) -> R + Sync + 'a;

#[derive(Default)]
struct State {
    calls: usize,
    ids: HashMap<Inode, u32>,
    // Open, so that no other folder becomes the same one; unless they are too many for that.
    watched: BTreeMap<u32, Option<OwnedFd>>,
    // Watched to be listed.
    unfinished: BTreeSet<u32>,
    is_for_many: bool,
    released: Vec<u32>,
    // The next mark, on a platform that has them.
    mark: Option<u32>,
}

/// What a folder is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inode(u64, u64);

impl Inode {
    #[track_caller]
    pub(super) fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).unwrap();
        Self(metadata.dev(), metadata.ino())
    }
}

impl<'a> FakeWatcher<'a> {
    pub(super) fn new() -> Self {
        let state = Mutex::default();
        Self { state, before: Box::new(|_| Ok(())), after: Box::new(|_| ()) }
    }

    /// For large trees, from which nothing is removed.
    pub(super) fn for_many() -> Self {
        let state = State { is_for_many: true, ..State::default() };
        Self { state: Mutex::new(state), ..Self::new() }
    }

    /// On a platform that can put marks into its reports; they are numbered from this one.
    pub(super) fn with_marks(first: u32) -> Self {
        let state = State { mark: Some(first), ..State::default() };
        Self { state: Mutex::new(state), ..Self::new() }
    }

    pub(super) fn before(self, hook: impl Fn(Inode) -> io::Result<()> + Sync + 'a) -> Self {
        Self { before: Box::new(hook), ..self }
    }

    pub(super) fn after(self, hook: impl Fn(Inode) + Sync + 'a) -> Self {
        Self { after: Box::new(hook), ..self }
    }

    /// A tree with one root, which is watched.
    pub(super) fn tree(&self, root: &Path) -> (WatchTree<u32>, Node) {
        let mut tree = WatchTree::new();
        let root = tree.add_root(root, self.watch(root));
        (tree, root)
    }

    #[track_caller]
    pub(super) fn watch(&self, folder: &Path) -> u32 {
        self.watch_folder(File::open(folder).unwrap().as_fd()).unwrap()
    }

    /// How often a folder was asked for.
    pub(super) fn calls(&self) -> usize {
        self.state.lock().unwrap().calls
    }

    pub(super) fn watched(&self) -> BTreeSet<u32> {
        self.state.lock().unwrap().watched.keys().copied().collect()
    }

    /// What is watched to be listed, and for nothing else.
    pub(super) fn unfinished(&self) -> BTreeSet<u32> {
        self.state.lock().unwrap().unfinished.clone()
    }

    pub(super) fn released(&self) -> Vec<u32> {
        self.state.lock().unwrap().released.clone()
    }

    /// The id of a watched folder.
    #[track_caller]
    pub(super) fn id(&self, folder: &Path) -> u32 {
        self.state.lock().unwrap().ids[&Inode::of(folder)]
    }
}

impl FolderWatcher for FakeWatcher<'_> {
    type Id = u32;

    fn watch_folder(&self, folder: BorrowedFd<'_>) -> io::Result<u32> {
        self.state.lock().unwrap().calls += 1;
        let folder = File::from(folder.try_clone_to_owned()?);
        let metadata = folder.metadata()?;
        assert!(metadata.is_dir());
        let inode = Inode(metadata.dev(), metadata.ino());
        (self.before)(inode)?;
        let mut state = self.state.lock().unwrap();
        let next = u32::try_from(state.ids.len() + state.released.len()).unwrap();
        let id = *state.ids.entry(inode).or_insert(next);
        let folder = (!state.is_for_many).then(|| folder.into());
        state.watched.insert(id, folder);
        state.unfinished.remove(&id);
        drop(state);
        (self.after)(inode);
        Ok(id)
    }

    fn watch_to_list(&self, folder: BorrowedFd<'_>) -> io::Result<u32> {
        let id = self.watch_folder(folder)?;
        self.state.lock().unwrap().unfinished.insert(id);
        Ok(id)
    }

    fn listed(&self, location: &Path, _: u32) -> io::Result<u32> {
        let inode = fs::metadata(location).map(|metadata| Inode(metadata.dev(), metadata.ino()))?;
        let mut state = self.state.lock().unwrap();
        let Some(&id) = state.ids.get(&inode) else {
            drop(state);
            return self.watch_folder(File::open(location)?.as_fd());
        };
        state.unfinished.remove(&id);
        Ok(id)
    }

    fn mark(&self) -> Option<u32> {
        let mut state = self.state.lock().unwrap();
        let mark = state.mark?;
        state.mark = Some(mark + 1);
        Some(mark)
    }

    fn release(&self, id: u32) {
        let mut state = self.state.lock().unwrap();
        state.unfinished.remove(&id);
        assert!(state.watched.remove(&id).is_some(), "{id} is not watched");
        state.ids.retain(|_, other| *other != id);
        state.released.push(id);
    }
}

/// All folders of a tree that have a path, with their ids.
pub(super) fn paths(tree: &WatchTree<u32>, root: Node) -> BTreeMap<PathBuf, u32> {
    let mut paths = BTreeMap::new();
    let mut pending = vec![root];
    while let Some(folder) = pending.pop() {
        paths.insert(tree.path(folder).unwrap(), tree.id(folder).unwrap());
        pending.extend(tree.children(folder));
    }
    paths
}

/// The paths of all folders of a tree, relative to that of the root.
pub(super) fn relative_paths(tree: &WatchTree<u32>, root: Node) -> BTreeSet<PathBuf> {
    let top = tree.path(root).unwrap();
    paths(tree, root).keys().map(|path| path.strip_prefix(&top).unwrap().to_owned()).collect()
}

/// A temporary folder with some others in it.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn with(folders: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for path in folders {
            folder.make(path);
        }
        folder
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    #[track_caller]
    pub(super) fn inode(&self, path: &str) -> Inode {
        Inode::of(&self.at(path))
    }

    pub(super) fn make(&self, folders: &str) {
        fs::create_dir_all(self.at(folders)).unwrap();
    }

    pub(super) fn touch(&self, file: &str) {
        File::create(self.at(file)).unwrap();
    }

    pub(super) fn link(&self, target: impl AsRef<Path>, link: &str) {
        symlink(target, self.at(link)).unwrap();
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    pub(super) fn remove(&self, path: &str) {
        if self.at(path).is_dir() && !self.at(path).is_symlink() {
            fs::remove_dir_all(self.at(path)).unwrap();
        } else {
            fs::remove_file(self.at(path)).unwrap();
        }
    }
}

pub(super) fn set<const N: usize>(paths: [&str; N]) -> BTreeSet<PathBuf> {
    paths.into_iter().map(PathBuf::from).collect()
}
