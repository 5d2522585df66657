//! Walks and scans whose outcome depends on what is the same for all threads of a process: in a
//! test program of their own.
#![cfg(unix)]

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicI32, Ordering},
};

use notify_backend::recursion::{FolderWatcher, Node, Scan, WatchTree};

/// Watches nothing, but knows one folder from another, and how many are open.
#[derive(Default)]
struct ByNumber {
    // Descriptors are given out from the lowest free one.
    highest: AtomicI32,
}

impl ByNumber {
    fn tree(&self, root: &Path) -> io::Result<(WatchTree<u64>, Node)> {
        let mut tree = WatchTree::new();
        let id = self.watch_folder(File::open(root)?.as_fd())?;
        let root = tree.add_root(root, id);
        Ok((tree, root))
    }

    fn highest(&self) -> RawFd {
        self.highest.load(Ordering::SeqCst)
    }
}

impl FolderWatcher for ByNumber {
    type Id = u64;

    fn watch_folder(&self, folder: BorrowedFd<'_>) -> io::Result<u64> {
        self.highest.fetch_max(folder.as_raw_fd(), Ordering::SeqCst);
        Ok(File::from(folder.try_clone_to_owned()?).metadata()?.ino())
    }

    fn release(&self, _: u64) {}
}

fn paths(tree: &WatchTree<u64>, root: Node) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::new();
    let mut pending = vec![root];
    while let Some(folder) = pending.pop() {
        paths.extend(tree.path(folder));
        pending.extend(tree.children(folder));
    }
    paths
}

fn scan_all(mut scan: Scan<u64>, tree: &mut WatchTree<u64>, watcher: &ByNumber) {
    while scan.is_active() {
        scan.step(1, tree, watcher, |found| panic!("{found:?}"));
    }
}

#[test]
fn a_relative_root_stays_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("root/a/b")).unwrap();
    env::set_current_dir(folder.path()).unwrap();
    let watcher = ByNumber::default();
    let (mut tree, root) = watcher.tree(Path::new("root")).unwrap();
    env::set_current_dir("/").unwrap();

    Scan::new(true).watch_below(root, &mut tree, &watcher);
    assert_eq!(paths(&tree, root), ["root", "root/a", "root/a/b"].map(PathBuf::from).into());

    fs::create_dir(folder.path().join("root/c")).unwrap();
    let mut scan = Scan::new(true);
    scan.compare(root);
    scan_all(scan, &mut tree, &watcher);
    let expected = ["root", "root/a", "root/a/b", "root/c"].map(PathBuf::from);
    assert_eq!(paths(&tree, root), expected.into());
}

/// A process may have 1024 files open by default, and large trees have many links.
#[test]
fn few_folders_are_open_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..1500 {
        let path = folder.path().join(format!("{}/{i}", i % 5));
        fs::create_dir_all(&path).unwrap();
        symlink("..", path.join("link")).unwrap();
    }
    let watcher = ByNumber::default();
    let (mut tree, root) = watcher.tree(folder.path()).unwrap();
    let failed = Scan::new(true).watch_below(root, &mut tree, &watcher);
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(paths(&tree, root).len(), 1 + 5 + 1500);
    let mut scan = Scan::new(true);
    scan.compare(root);
    scan_all(scan, &mut tree, &watcher);
    assert!(watcher.highest() < 100, "{} are open", watcher.highest());
}
