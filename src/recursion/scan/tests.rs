//! Scans of real folders with a platform that is not, and whose reports the tests make up.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::*;
use crate::recursion::tests::{FakeWatcher, Folder, paths, relative_paths, set};

mod ahead;
mod compare;
mod reports;

/// A tree with one root that is watched with all that is below it, and a scan.
struct Scene<'a> {
    top: PathBuf,
    watcher: FakeWatcher<'a>,
    tree: WatchTree<u32>,
    root: Node,
    scan: Scan<u32>,
}

impl<'a> Scene<'a> {
    fn new(top: &Folder) -> Self {
        Self::at(top.path().to_owned())
    }

    fn at(top: PathBuf) -> Self {
        Self::walked(top, FakeWatcher::new())
    }

    fn walked(top: PathBuf, watcher: FakeWatcher<'a>) -> Self {
        let mut scene = Self::with(top, watcher);
        let failed = scene.scan.watch_below(scene.root, &mut scene.tree, &scene.watcher);
        assert!(failed.is_empty(), "{failed:?}");
        scene
    }

    /// Only the root is watched.
    fn with(top: PathBuf, watcher: FakeWatcher<'a>) -> Self {
        let (tree, root) = watcher.tree(&top);
        Self { top, watcher, tree, root, scan: Scan::new(true) }
    }

    /// The folder with a path below the root.
    #[track_caller]
    fn node(&self, path: &str) -> Node {
        let parts = Path::new(path).iter();
        parts.fold(self.root, |node, name| self.tree.child(node, name).expect(path))
    }

    /// The platform reports that a folder has appeared. Returns what the tree had in its place.
    fn appears(&mut self, parent: &str, name: &str) -> Option<Node> {
        let parent = self.node(parent);
        self.enter(parent, name, true)
    }

    #[track_caller]
    fn enter(&mut self, parent: Node, name: &str, is_new: bool) -> Option<Node> {
        let Self { scan, tree, watcher, .. } = self;
        scan.enter(parent, name.as_ref(), Via::Name, is_new, tree, watcher).unwrap()
    }

    /// Steps through all there is to do; what is found comes with paths relative to the root's.
    fn scan(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        while self.scan.is_active() {
            self.step(3, &mut found);
        }
        found
    }

    fn step(&mut self, count: usize, found: &mut Vec<String>) {
        let Self { top, watcher, tree, scan, .. } = self;
        scan.step(count, tree, watcher, |it| found.push(text(top, it)));
    }

    fn found(&self) -> BTreeSet<PathBuf> {
        relative_paths(&self.tree, self.root)
    }

    /// Nothing is watched but what is in the tree, and each folder of the tree is what is there, and
    /// watched for everything.
    #[track_caller]
    fn assert_right(&self) {
        let paths = paths(&self.tree, self.root);
        assert_eq!(self.watcher.watched(), paths.values().copied().collect());
        assert_eq!(self.watcher.unfinished(), BTreeSet::new());
        for (path, id) in paths {
            assert_eq!(self.watcher.id(&path), id, "{}", path.display());
        }
    }
}

/// With the path relative to the root's.
fn text(top: &Path, found: Found) -> String {
    let relative = |path: PathBuf| path.strip_prefix(top).unwrap().display().to_string();
    match found {
        Found::Entry(kind, path) => format!("{kind:?} {}", relative(path)),
        Found::Unwatched(path, error) => format!("{:?} {}", error.kind(), relative(path)),
    }
}

fn sorted(mut found: Vec<String>) -> Vec<String> {
    found.sort_unstable();
    found
}

#[test]
fn a_new_scan_has_nothing_to_do() {
    let top = Folder::with(&["a"]);
    let mut scene = Scene::new(&top);
    assert!(!scene.scan.is_active());
    let calls = scene.watcher.calls();
    scene.step(10, &mut Vec::new());
    assert_eq!(scene.watcher.calls(), calls);
}

mod new_folders {
    use super::*;

    #[test]
    fn entries_older_than_the_watch_are_reported() {
        let top = Folder::with(&["a"]);
        let mut scene = Scene::new(&top);
        top.make("a/new/sub/deep");
        top.touch("a/new/file");
        top.touch("a/new/sub/file");
        scene.appears("a", "new");
        let found = scene.scan();
        let at = |what: &str| found.iter().position(|found| found == what).unwrap();
        assert!(at("Folder a/new/sub") < at("Folder a/new/sub/deep"));
        assert!(at("Folder a/new/sub") < at("File a/new/sub/file"));
        assert!(at("File a/new/file") < found.len());
        assert_eq!(found.len(), 4);
        assert_eq!(scene.found(), set(["", "a", "a/new", "a/new/sub", "a/new/sub/deep"]));
        scene.assert_right();
    }

    #[test]
    fn what_was_only_not_watched_is_not_reported() {
        let top = Folder::with(&[]);
        let mut scene = Scene::new(&top);
        top.make("a/b");
        top.touch("a/b/file");
        scene.enter(scene.root, "a", false);
        assert!(scene.scan().is_empty());
        assert_eq!(scene.found(), set(["", "a", "a/b"]));
        assert!(!scene.scan.is_repeated(scene.watcher.id(&top.at("a")), "b".as_ref()));
    }

    #[test]
    fn what_is_no_folder_is_left_out() {
        let top = Folder::with(&[]);
        let mut scene = Scene::new(&top);
        top.touch("file");
        top.link("missing", "link");
        for name in ["file", "link", "gone"] {
            assert_eq!(scene.appears("", name), None);
        }
        assert!(!scene.scan.is_active());
        assert_eq!(scene.found(), set([""]));
    }

    #[test]
    fn the_folder_that_had_the_name_is_handed_back() {
        let top = Folder::with(&["a/b"]);
        let mut scene = Scene::new(&top);
        let old = scene.node("a");
        top.rename("a", "../outside");
        top.make("a/c");
        let replaced = scene.appears("", "a");
        assert_eq!(replaced, Some(old));
        assert_eq!(scene.tree.path(old), None);
        scene.scan();
        assert_eq!(scene.found(), set(["", "a", "a/c"]));
        // The caller's to remove.
        assert!(scene.watcher.released().is_empty());
        fs::remove_dir_all(top.at("../outside")).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_watched_is_named_and_the_rest_is_watched() {
        let top = Folder::with(&["a/b", "a/c/d"]);
        let denied = top.inode("a/b");
        let watcher = FakeWatcher::new().before(|folder| {
            if folder == denied { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
        });
        let mut scene = Scene::with(top.path().to_owned(), watcher);
        scene.appears("", "a");
        let expected =
            ["Folder a/b", "Folder a/c", "Folder a/c/d", "PermissionDenied a/b"].map(String::from);
        assert_eq!(sorted(scene.scan()), expected);
        assert_eq!(scene.found(), set(["", "a", "a/c", "a/c/d"]));
        let error = scene.scan.enter(
            scene.node("a"),
            "b".as_ref(),
            Via::Name,
            true,
            &mut scene.tree,
            &scene.watcher,
        );
        assert_eq!(error.unwrap_err().0, top.at("a/b"));
    }

    #[test]
    fn links_are_followed_to_what_is_not_watched_yet() {
        let outside = Folder::with(&["x/y"]);
        outside.touch("x/file");
        let top = Folder::with(&["a"]);
        let mut scene = Scene::new(&top);
        top.make("new/b");
        top.link(outside.at("x"), "new/b/out");
        top.link(outside.at("x"), "new/out");
        top.link("../a", "new/in");
        top.link("../b/..", "new/b/up");
        scene.appears("", "new");
        let found = scene.scan();
        let new = ["", "a", "new", "new/b", "new/b/out", "new/b/out/y"];
        assert_eq!(scene.found(), set(new));
        assert!(found.contains(&"File new/b/out/file".into()), "{found:?}");
        assert_eq!(found.len(), 1 + 4 + 2, "{found:?}");
        scene.assert_right();
    }

    #[test]
    fn a_folder_is_not_entered_as_a_link() {
        let top = Folder::with(&[]);
        let mut scene = Scene::new(&top);
        top.make("folder");
        let Scene { scan, tree, watcher, root, .. } = &mut scene;
        let replaced = scan.enter(*root, "folder".as_ref(), Via::Link, true, tree, watcher);
        assert_eq!(replaced.unwrap(), None);
        assert_eq!(scene.found(), set([""]));
        scene.assert_right();
    }

    #[test]
    fn what_a_link_led_to_may_take_its_place() {
        let outside = Folder::with(&["x/y"]);
        let top = Folder::with(&[]);
        top.link(outside.at("x"), "link");
        let mut scene = Scene::new(&top);
        assert!(scene.tree.is_linked(scene.node("link/y")));
        top.remove("link");
        fs::rename(outside.at("x"), top.at("link")).unwrap();
        let link = scene.appears("", "link").unwrap();
        for id in scene.tree.remove(link) {
            scene.watcher.release(id);
        }
        scene.scan();
        assert!(!scene.tree.is_linked(scene.node("link/y")));
        scene.assert_right();
    }

    #[test]
    fn a_scan_of_a_removed_root_ends() {
        let top = Folder::with(&[]);
        let mut scene = Scene::new(&top);
        top.make("a/b/c");
        top.make("a/d");
        top.link("/", "a/link");
        scene.appears("", "a");
        scene.scan.compare(scene.root);
        scene.step(2, &mut Vec::new());
        scene.tree.remove(scene.root);
        let calls = scene.watcher.calls();
        let mut found = Vec::new();
        scene.step(100, &mut found);
        assert!(!scene.scan.is_active() && found.is_empty());
        assert_eq!(scene.watcher.calls(), calls);
        scene.scan.settle();
        assert!(!scene.scan.is_active());
    }
}

mod steps {
    use super::*;

    /// In each step there are no more calls and releases than it was allowed.
    #[track_caller]
    fn assert_bounded(scene: &mut Scene) -> usize {
        let mut steps = 0;
        while scene.scan.is_active() {
            let before = (scene.watcher.calls(), scene.watcher.released().len());
            scene.step(2, &mut Vec::new());
            // Of two folders that a link is in, and that it leads to.
            assert!(scene.watcher.calls() - before.0 <= 2 * 2);
            assert!(scene.watcher.released().len() - before.1 <= 2);
            steps += 1;
        }
        steps
    }

    #[test]
    fn finding_goes_in_small_steps() {
        let top = Folder::with(&[]);
        let mut scene = Scene::new(&top);
        for i in 0..30 {
            top.make(&format!("new/{}/{i}", i % 5));
            top.touch(&format!("new/{}/{i}/file", i % 5));
            top.link("/", &format!("new/{i}.link"));
        }
        top.remove("new/0.link");
        for i in 1..30 {
            top.remove(&format!("new/{i}.link"));
            top.link("../new", &format!("new/{i}.link"));
        }
        scene.appears("", "new");
        assert!(assert_bounded(&mut scene) >= 65 / 2);
        scene.assert_right();
    }

    #[test]
    fn giving_up_goes_in_small_steps() {
        let top = Folder::with(&["a/b"]);
        for i in 0..30 {
            top.make(&format!("a/{}/{i}", i % 5));
        }
        let mut scene = Scene::new(&top);
        top.remove("a");
        scene.scan.compare(scene.root);
        assert!(assert_bounded(&mut scene) >= 36 / 2);
        assert_eq!(scene.watcher.released().len(), 37);
        assert_eq!(scene.found(), set([""]));
        scene.assert_right();
    }
}

/// What the tree has where and what is there differ for a moment, as long as a report is to come.
mod renames {
    use super::*;

    /// What the backend does with both halves of a rename.
    fn renamed(scene: &mut Scene, from: &str, to: &str) {
        let folder = scene.node(from);
        let (parent, name) = (Path::new(to).parent().unwrap(), Path::new(to).file_name().unwrap());
        let parent = scene.node(parent.to_str().unwrap());
        scene.tree.attach(folder, parent, name);
    }

    #[test]
    fn a_folder_in_one_that_is_being_renamed_is_found_then() {
        let top = Folder::with(&["a"]);
        let mut scene = Scene::new(&top);
        top.make("a/new");
        top.touch("a/new/file");
        top.rename("a", "b");
        // Another one, which is none of it.
        top.make("a/new/wrong");
        scene.appears("a", "new");
        assert!(scene.scan().is_empty());
        assert_eq!(scene.found(), set(["", "a"]));
        assert_eq!(scene.watcher.watched().len(), 2);
        scene.scan.settle();
        assert!(scene.scan().is_empty());

        renamed(&mut scene, "a", "b");
        scene.appears("", "a");
        scene.scan.settle();
        // Who has looked at it when it was reported has seen what was not watched yet.
        let expected = ["File b/new/file", "Folder a/new", "Folder a/new/wrong", "Folder b/new"];
        assert_eq!(sorted(scene.scan()), expected.map(String::from));
        scene.assert_right();
        scene.scan.settle();
        assert!(!scene.scan.is_active());
    }

    #[test]
    fn a_folder_that_was_moved_into_a_new_one_is_not_new() {
        let top = Folder::with(&["a/b"]);
        top.touch("a/b/file");
        let mut scene = Scene::new(&top);
        let b = scene.node("a/b");
        top.make("new");
        top.rename("a/b", "new/b");
        scene.appears("", "new");
        assert!(scene.scan().is_empty());
        assert_eq!(scene.node("a/b"), b);
        renamed(&mut scene, "a/b", "new/b");
        scene.scan.settle();
        assert!(scene.scan().is_empty());
        assert_eq!(scene.node("new/b"), b);
        assert!(scene.watcher.released().is_empty());
        scene.assert_right();
    }

    #[test]
    fn a_folder_of_which_is_only_reported_that_it_went_away_is_new_where_it_is() {
        let top = Folder::with(&["a/b"]);
        top.touch("a/b/file");
        let mut scene = Scene::new(&top);
        top.make("new");
        top.rename("a/b", "new/b");
        scene.appears("", "new");
        let b = scene.node("a/b");
        scene.tree.detach(b);
        scene.scan();
        scene.scan.settle();
        assert!(scene.scan().is_empty());
        scene.tree.remove(b).into_iter().for_each(|id| scene.watcher.release(id));
        scene.scan.settle();
        assert_eq!(scene.scan(), ["Folder new/b", "File new/b/file"]);
        scene.assert_right();
    }

    /// The platform's report that it was renamed is not one of it, but of its name.
    #[test]
    fn a_folder_that_leaves_while_it_is_being_watched_is_not_found() {
        let top = Folder::with(&["a"]);
        let a = top.inode("a");
        let leaves = |folder| {
            if folder == a && top.at("a").exists() {
                top.rename("a", "b");
            }
        };
        let watcher = FakeWatcher::new().after(leaves);
        let mut scene = Scene::with(top.path().to_owned(), watcher);
        scene.appears("", "a");
        scene.scan();
        assert_eq!(scene.found(), set([""]));
        scene.assert_right();
        scene.appears("", "b");
        scene.scan();
        assert_eq!(scene.found(), set(["", "b"]));
    }

    #[test]
    fn a_folder_that_is_back_where_it_was_is_found_in_no_other_place() {
        let top = Folder::with(&["a"]);
        let a = top.inode("a");
        let returns = |folder| {
            if folder == a && top.at("b").exists() {
                top.rename("b", "a");
            }
        };
        let mut scene = Scene::walked(top.path().to_owned(), FakeWatcher::new().after(returns));
        top.rename("a", "b");
        scene.appears("", "b");
        scene.scan();
        assert_eq!(scene.found(), set(["", "a"]));
        scene.assert_right();
    }

    #[test]
    fn the_path_of_a_folder_may_lead_to_another_one() {
        let top = Folder::with(&["a/x", "b"]);
        let mut scene = Scene::new(&top);
        top.rename("a", "c");
        top.rename("b", "a");
        top.make("a/new");
        top.make("c/new/deep");
        scene.appears("a", "new");
        scene.scan();
        assert_eq!(scene.found(), set(["", "a", "a/x", "b"]));
        renamed(&mut scene, "a", "c");
        renamed(&mut scene, "b", "a");
        scene.appears("a", "new");
        scene.scan.settle();
        scene.scan();
        assert_eq!(scene.found(), set(["", "a", "a/new", "c", "c/new", "c/new/deep", "c/x"]));
        scene.assert_right();
    }
}

/// Two roots of which one is below the other.
mod overlaps {
    use super::*;

    #[test]
    fn an_entry_is_reported_once_for_each_of_its_paths() {
        let top = Folder::with(&["a"]);
        let mut scene = Scene::new(&top);
        let id = scene.watcher.id(&top.at("a"));
        let same = scene.tree.add_root(&top.at("a"), id);
        // Spelled in another way, it is another path.
        let other = scene.tree.add_root(&top.at("a/../a"), id);
        top.make("a/new/sub");
        top.touch("a/new/sub/file");
        for parent in [same, scene.node("a"), other] {
            scene.enter(parent, "new", true);
        }
        let expected = [
            "File a/../a/new/sub/file",
            "File a/new/sub/file",
            "Folder a/../a/new/sub",
            "Folder a/new/sub",
        ];
        assert_eq!(sorted(scene.scan()), expected.map(String::from));
        for root in [same, other] {
            assert_eq!(relative_paths(&scene.tree, root), set(["", "new", "new/sub"]));
        }
        // The platform reports a folder once, whatever its paths are.
        let id = scene.watcher.id(&top.at("a/new"));
        assert!(scene.scan.is_repeated(id, "sub".as_ref()));
        assert!(!scene.scan.is_repeated(id, "sub".as_ref()));
    }
}
