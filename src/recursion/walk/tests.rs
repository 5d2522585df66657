//! Walks through real folders with a platform that is not.

use std::{
    cell::Cell,
    collections::{BTreeSet, HashSet},
    fs,
    path::Path,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread::ThreadId,
    time::Duration,
};

use super::*;
use crate::recursion::tests::{FakeWatcher, Folder, Inode, paths, relative_paths, set};

/// How long something may take that takes no time unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// What is watched below a folder, by relative paths, and what could not be.
fn walk(top: &Folder, watcher: &FakeWatcher) -> (BTreeSet<PathBuf>, Vec<(PathBuf, io::Error)>) {
    let (mut tree, root) = watcher.tree(top.path());
    let failed = Scan::new(true).watch_below(root, &mut tree, watcher);
    for (path, id) in paths(&tree, root) {
        assert_eq!(watcher.id(&path), id, "{}", path.display());
    }
    assert_eq!(watcher.watched(), paths(&tree, root).into_values().collect());
    assert!(watcher.unfinished().is_empty());
    assert!(watcher.released().is_empty());
    (relative_paths(&tree, root), failed)
}

#[test]
fn all_folders_are_found() {
    let top = Folder::with(&["a/b/c", "a/d", "ab", "e"]);
    top.touch("file");
    top.touch("a/b/file");
    let (found, failed) = walk(&top, &FakeWatcher::new());
    assert_eq!(found, set(["", "a", "a/b", "a/b/c", "a/d", "ab", "e"]));
    assert!(failed.is_empty());
}

#[test]
fn a_part_of_a_tree_is_walked() {
    let top = Folder::with(&["a/b/c", "d"]);
    let watcher = FakeWatcher::new();
    let (mut tree, root) = watcher.tree(top.path());
    let id = watcher.watch(&top.at("a"));
    let a = tree.add(root, "a".as_ref(), Via::Name, id);
    Scan::new(true).watch_below(a, &mut tree, &watcher);
    assert_eq!(relative_paths(&tree, root), set(["", "a", "a/b", "a/b/c"]));
}

/// The platform knows folders that are watched twice; the tree keeps what it had of them.
#[test]
fn a_second_walk_changes_nothing() {
    let top = Folder::with(&["a/b", "c"]);
    top.link("a", "link");
    let outside = Folder::with(&["d"]);
    top.link(outside.path(), "outside");
    let watcher = FakeWatcher::new();
    let (mut tree, root) = watcher.tree(top.path());
    Scan::new(true).watch_below(root, &mut tree, &watcher);
    let before = (paths(&tree, root), tree.bytes());
    Scan::new(true).watch_below(root, &mut tree, &watcher);
    assert_eq!((paths(&tree, root), tree.bytes()), before);
}

#[test]
fn a_second_walk_finds_what_has_changed() {
    let top = Folder::with(&["a/b", "c/d", "e"]);
    let watcher = FakeWatcher::new();
    let (mut tree, root) = watcher.tree(top.path());
    Scan::new(true).watch_below(root, &mut tree, &watcher);
    let gone = watcher.id(&top.at("c/d"));
    let moved = watcher.id(&top.at("a"));
    top.rename("a", "e/a");
    top.make("a/new");
    top.rename("c", "outside");
    top.remove("outside");
    top.make("c");
    Scan::new(true).watch_below(root, &mut tree, &watcher);
    assert_eq!(relative_paths(&tree, root), set(["", "a", "a/new", "c", "e", "e/a", "e/a/b"]));
    assert_eq!(paths(&tree, root)[&top.at("e/a")], moved);
    assert_eq!(watcher.released().len(), 2);
    assert!(watcher.released().contains(&gone));
    assert_eq!(watcher.watched(), paths(&tree, root).into_values().collect());
}

#[test]
fn nothing_is_walked_below_a_removed_folder() {
    let top = Folder::with(&["a"]);
    let watcher = FakeWatcher::new();
    let (mut tree, root) = watcher.tree(top.path());
    tree.remove(root);
    let calls = watcher.calls();
    assert!(Scan::new(true).watch_below(root, &mut tree, &watcher).is_empty());
    assert_eq!(watcher.calls(), calls);
}

mod links {
    use super::*;

    #[test]
    fn a_link_to_its_own_folder_is_not_followed() {
        let top = Folder::with(&["a"]);
        top.link(".", "link");
        top.link("..", "a/up");
        let (found, failed) = walk(&top, &FakeWatcher::new());
        assert_eq!(found, set(["", "a"]));
        assert!(failed.is_empty());
    }

    #[test]
    fn links_to_what_is_watched_anyway_are_not_followed() {
        let top = Folder::with(&["a/x", "b/y"]);
        top.link("../b", "a/to-b");
        top.link("../a", "b/to-a");
        let (found, _) = walk(&top, &FakeWatcher::new());
        assert_eq!(found, set(["", "a", "a/x", "b", "b/y"]));
    }

    #[test]
    fn links_that_lead_nowhere_are_nothing() {
        let top = Folder::with(&["a"]);
        top.touch("file");
        top.link("file", "to-file");
        top.link("missing", "to-missing");
        top.link("self", "self");
        top.link("round", "and-round");
        top.link("and-round", "round");
        let (found, failed) = walk(&top, &FakeWatcher::new());
        assert_eq!(found, set(["", "a"]));
        assert!(failed.is_empty());
    }

    #[test]
    fn a_folder_outside_is_watched_under_the_first_of_its_links() {
        for _ in 0..10 {
            let outside = Folder::with(&["d/e"]);
            let top = Folder::with(&["a", "b", "c"]);
            for link in ["c/link", "a/link", "b/link", "a/other"] {
                top.link(outside.path(), link);
            }
            let (found, _) = walk(&top, &FakeWatcher::new());
            assert_eq!(found, set(["", "a", "a/link", "a/link/d", "a/link/d/e", "b", "c"]));
        }
    }

    #[test]
    fn what_is_outside_leads_no_further_inside() {
        let top = Folder::with(&["a/b"]);
        let outside = Folder::with(&["d"]);
        outside.link(top.path(), "d/back");
        outside.link(top.at("a/b"), "back");
        top.link(outside.path(), "a/link");
        let (found, _) = walk(&top, &FakeWatcher::new());
        assert_eq!(found, set(["", "a", "a/b", "a/link", "a/link/d"]));
    }

    #[test]
    fn another_root_may_watch_where_a_link_leads() {
        let outside = Folder::with(&["d"]);
        let top = Folder::with(&[]);
        top.link(outside.path(), "link");
        let watcher = FakeWatcher::new();
        let (mut tree, other) = watcher.tree(outside.path());
        Scan::new(true).watch_below(other, &mut tree, &watcher);
        let id = watcher.watch(top.path());
        let root = tree.add_root(top.path(), id);
        Scan::new(true).watch_below(root, &mut tree, &watcher);
        assert_eq!(relative_paths(&tree, root), set(["", "link", "link/d"]));
    }

    /// Twenty folders, of which each has two links to the next: a million paths.
    #[test]
    fn many_ways_to_the_same_folders_are_not_all_walked() {
        let outside = Folder::with(&[]);
        for i in 0..20 {
            outside.make(&i.to_string());
            for link in ["a", "b"] {
                outside.link(format!("../{}", i + 1), &format!("{i}/{link}"));
            }
        }
        outside.make("20");
        let top = Folder::with(&[]);
        top.link(outside.at("0"), "start");
        let watcher = FakeWatcher::new();
        let (found, failed) = walk(&top, &watcher);
        assert_eq!(found.len(), 1 + 21);
        // Once for each link, and once for each folder that has links.
        assert!(watcher.calls() <= 100, "{}", watcher.calls());
        assert!(failed.is_empty());
    }

    /// The kernel follows 40 links in a path.
    #[test]
    fn a_folder_behind_too_many_links_is_named() {
        let outside = Folder::with(&[]);
        for i in 0..50 {
            outside.make(&i.to_string());
            outside.link(format!("../{}", i + 1), &format!("{i}/x"));
        }
        let top = Folder::with(&[]);
        top.link(outside.at("0"), "x");
        let watcher = FakeWatcher::new();
        let (mut tree, root) = watcher.tree(top.path());
        let failed = Scan::new(true).watch_below(root, &mut tree, &watcher);
        assert_eq!(paths(&tree, root).len(), 1 + 41);
        let [(path, _)] = &failed[..] else { panic!("{failed:?}") };
        assert_eq!(path.strip_prefix(top.path()).unwrap().components().count(), 41);
    }

    #[test]
    fn no_link_is_followed_unless_asked() {
        let outside = Folder::with(&["d"]);
        let top = Folder::with(&["a"]);
        top.link(outside.path(), "link");
        let watcher = FakeWatcher::new();
        let (mut tree, root) = watcher.tree(top.path());
        Scan::new(false).watch_below(root, &mut tree, &watcher);
        assert_eq!(relative_paths(&tree, root), set(["", "a"]));
    }
}

mod failures {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_watched_is_named_and_the_rest_is_watched() {
        let top = Folder::with(&["a/b/c", "a/d", "e"]);
        let denied = top.inode("a/b");
        let watcher = FakeWatcher::new().before(|folder| {
            if folder == denied { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
        });
        let (found, failed) = walk(&top, &watcher);
        assert_eq!(found, set(["", "a", "a/d", "e"]));
        let [(path, error)] = &failed[..] else { panic!("{failed:?}") };
        assert_eq!(*path, top.at("a/b"));
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    /// Whichever of two folders is watched first removes the other, before that is opened.
    fn remove_another(top: &Folder, remove: impl Fn(&str) + Sync) -> BTreeSet<PathBuf> {
        let inodes = [top.inode("a"), top.inode("b")];
        let first = Mutex::new(None);
        let watcher = FakeWatcher::new().after(|folder| {
            let at = inodes.iter().position(|&inode| inode == folder);
            if let Some(at) = at
                && first.lock().unwrap().replace(at).is_none()
            {
                remove(["b", "a"][at]);
            }
        });
        let (mut found, failed) = walk(top, &watcher);
        assert!(failed.is_empty(), "{failed:?}");
        let kept = ["a", "b"][first.lock().unwrap().unwrap()];
        assert!(found.remove(Path::new(kept)));
        found
    }

    #[test]
    fn a_folder_that_vanishes_before_it_is_watched_is_nothing() {
        let top = Folder::with(&["a", "b", "c/d"]);
        let found = remove_another(&top, |folder| top.remove(folder));
        assert_eq!(found, set(["", "c", "c/d"]));
    }

    #[test]
    fn a_folder_that_becomes_a_file_is_nothing() {
        let top = Folder::with(&["a", "b", "c/d"]);
        let found = remove_another(&top, |folder| {
            top.remove(folder);
            top.touch(folder);
        });
        assert_eq!(found, set(["", "c", "c/d"]));
    }

    #[test]
    fn a_folder_that_becomes_a_link_is_nothing() {
        let top = Folder::with(&["a", "b", "c/d"]);
        let outside = Folder::with(&["x"]);
        let found = remove_another(&top, |folder| {
            top.remove(folder);
            top.link(outside.path(), folder);
        });
        assert_eq!(found, set(["", "c", "c/d"]));
    }

    /// The platform will tell that it is gone.
    #[test]
    fn a_folder_that_vanishes_before_it_is_listed_is_watched() {
        let top = Folder::with(&["a/b", "c/d"]);
        let inode = top.inode("a");
        let watcher = FakeWatcher::new().after(|folder| {
            if folder == inode {
                top.remove("a");
            }
        });
        let (mut tree, root) = watcher.tree(top.path());
        let failed = Scan::new(true).watch_below(root, &mut tree, &watcher);
        assert_eq!(relative_paths(&tree, root), set(["", "a", "c", "c/d"]));
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// What is below it is what was below it, wherever that is now.
    #[test]
    fn a_folder_that_is_renamed_before_it_is_listed_is_walked() {
        let top = Folder::with(&["a/b", "c/d"]);
        let inode = top.inode("a");
        let has_moved = AtomicBool::new(false);
        let watcher = FakeWatcher::new().after(|folder| {
            if folder == inode && !has_moved.swap(true, Ordering::Relaxed) {
                top.rename("a", "moved");
                top.make("a/other");
            }
        });
        let (mut tree, root) = watcher.tree(top.path());
        let mut scan = Scan::new(true);
        let failed = scan.watch_below(root, &mut tree, &watcher);
        assert!(relative_paths(&tree, root).is_superset(&set(["", "a", "a/b", "c", "c/d"])));
        assert!(failed.is_empty(), "{failed:?}");

        // Once the platform has told of the renaming, both are watched for everything.
        let a = tree.child(root, "a".as_ref()).unwrap();
        assert_eq!(watcher.unfinished().len(), 2);
        tree.attach(a, root, "moved".as_ref());
        scan.settle();
        while scan.is_active() {
            scan.step(1, &mut tree, &watcher, |_| {});
        }
        assert!(watcher.unfinished().is_empty());
    }

    /// A panic in one of several threads is passed on; it does not leave the others waiting.
    #[test]
    fn a_watcher_that_panics_does_not_hang_the_walk() {
        let top = large();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let calls = AtomicUsize::new(0);
            let watcher = FakeWatcher::for_many().before(|_| {
                // Only once: the other thread goes on.
                assert_ne!(calls.fetch_add(1, Ordering::SeqCst), 1000, "a thousand is enough");
                Ok(())
            });
            let (mut tree, root) = watcher.tree(top.path());
            let walk = || Scan::new(true).watch_below(root, &mut tree, &watcher);
            let result = panic::catch_unwind(AssertUnwindSafe(walk));
            sender.send(result.is_err()).unwrap();
        });
        assert_eq!(receiver.recv_timeout(DEADLINE), Ok(true));
    }
}

/// More than a thousand folders of which never many wait: three in each.
fn large() -> Folder {
    let top = Folder::with(&[]);
    fill(&top, "", 6);
    top
}

fn fill(top: &Folder, path: &str, depth: usize) {
    for name in ["a", "b", "c"] {
        let path = format!("{path}{name}/");
        top.make(&path);
        if depth > 1 {
            fill(top, &path, depth - 1);
        }
    }
}

/// What a walk by one thread would find.
fn folders_below(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            folders_below(&path, found);
            found.insert(path);
        }
    }
}

mod threads {
    use super::*;

    /// Walks a large tree in which one thread is held up with one folder, until all others are
    /// watched and the other threads have had time to go wrong. A link leads to that folder.
    fn walk_held_up(is_watchable: bool) -> (BTreeSet<PathBuf>, Vec<(PathBuf, io::Error)>) {
        let top = large();
        // Deep enough for the other threads to have started by then.
        let late = ["deep"; 100].join("/");
        top.make(&late);
        top.link(top.at(&late), "link");
        let (root, late) = (Inode::of(top.path()), top.inode(&late));
        let mut folders = BTreeSet::new();
        folders_below(top.path(), &mut folders);

        let seen = Mutex::new((HashSet::new(), 0));
        let changed = Condvar::new();
        let watcher = FakeWatcher::for_many().before(|folder| {
            let mut state = seen.lock().unwrap();
            let is_first = state.0.insert(folder);
            changed.notify_all();
            state.1 += usize::from(folder == root);
            if folder != late || !is_first {
                return Ok(());
            }
            // And the root.
            let is_behind = |state: &mut (HashSet<_>, _)| state.0.len() < folders.len() + 1;
            let waited = changed.wait_timeout_while(state, DEADLINE, is_behind).unwrap();
            assert!(!waited.1.timed_out(), "the other threads do not go on");
            drop(waited);
            for _ in 0..1000 {
                thread::yield_now();
                // Once by this test and twice to list it; to follow the link in it is once more.
                assert!(seen.lock().unwrap().1 <= 3, "a link was followed too early");
            }
            if is_watchable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
        });
        let (mut tree, root) = watcher.tree(top.path());
        let failed = Scan::new(true).watch_below(root, &mut tree, &watcher);
        (relative_paths(&tree, root), failed)
    }

    /// Whether there are threads to be held up.
    fn are_several() -> bool {
        thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
    }

    #[test]
    fn links_are_followed_once_all_threads_have_nothing_else_to_do() {
        if are_several() {
            let (found, failed) = walk_held_up(true);
            assert!(!found.contains(Path::new("link")));
            assert!(failed.is_empty(), "{failed:?}");
        }
    }

    #[test]
    fn a_thread_does_not_wait_for_one_that_has_found_nothing() {
        if are_several() {
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || sender.send(walk_held_up(false)).unwrap());
            let (found, failed) = receiver.recv_timeout(DEADLINE).unwrap();
            // The folder itself, and the link to it.
            assert!(found.len() > 1000 && failed.len() == 1, "{failed:?}");
        }
    }

    thread_local! {
        // Counts down when its thread has ended.
        static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
    }

    static HELPERS: AtomicUsize = AtomicUsize::new(0);

    struct Running;

    impl Drop for Running {
        fn drop(&mut self) {
            HELPERS.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_large_tree_is_walked_by_several_threads_which_have_ended_then() {
        let top = large();
        let this = thread::current().id();
        let seen = Mutex::new(HashSet::<ThreadId>::new());
        let changed = Condvar::new();
        let calls = AtomicUsize::new(0);
        let watcher = FakeWatcher::for_many().before(|_| {
            let mut seen = seen.lock().unwrap();
            if seen.insert(thread::current().id()) && thread::current().id() != this {
                HELPERS.fetch_add(1, Ordering::SeqCst);
                RUNNING.set(Some(Running));
                changed.notify_all();
            }
            // Does not get to the end before the others begin.
            if calls.fetch_add(1, Ordering::SeqCst) > 500 && are_several() {
                let is_alone = |seen: &mut HashSet<_>| seen.len() == 1;
                let waited = changed.wait_timeout_while(seen, DEADLINE, is_alone).unwrap();
                assert!(!waited.1.timed_out(), "no other thread began");
            }
            Ok(())
        });
        let (mut tree, root) = watcher.tree(top.path());
        let failed = Scan::new(true).watch_below(root, &mut tree, &watcher);
        assert!(failed.is_empty(), "{failed:?}");
        assert_eq!(HELPERS.load(Ordering::SeqCst), 0);
        let mut expected = BTreeSet::from([top.path().to_owned()]);
        folders_below(top.path(), &mut expected);
        assert_eq!(paths(&tree, root).into_keys().collect::<BTreeSet<_>>(), expected);
        let threads = seen.lock().unwrap().len();
        assert!(threads > 1 || !are_several(), "{threads} threads");
    }
}
