//! Compares [`WatchTree`] with a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection, prelude::*, sample::Index};

use super::*;

mod memory;
mod model;
mod rename;

use model::{Model, Operation};

/// Checks after each operation that every method of the tree returns the model's result.
fn follow(operations: &[Operation]) -> Result<(), TestCaseError> {
    let mut tree = WatchTree::new();
    let mut model = Model::default();
    for operation in operations {
        model.apply(operation, &mut tree)?;
        model.check(&tree)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_tree_does_as_the_model_does(operations in collection::vec(Operation::any(), 0..40)) {
        follow(&operations)?;
    }
}

fn name(name: &str) -> &OsStr {
    OsStr::new(name)
}

#[test]
fn prefixes_are_no_parents() {
    let mut tree = WatchTree::new();
    let root = tree.add_root(Path::new("/"), 0);
    let a = tree.add(root, name("a"), Via::Name, 1);
    let ab = tree.add(root, name("ab"), Via::Name, 2);
    let below = tree.add(ab, name("x"), Via::Name, 3);
    assert_eq!(tree.remove(a), [1]);
    assert_eq!(tree.path(ab).unwrap().as_os_str(), "/ab");
    assert_eq!(tree.path(below).unwrap().as_os_str(), "/ab/x");
}

#[test]
fn paths_are_spelled_as_the_root_is() {
    for (root, entry) in [
        ("/", "/x"),
        ("/a", "/a/x"),
        ("/a/", "/a/x"),
        ("dir", "dir/x"),
        ("dir/", "dir/x"),
        ("dir//", "dir//x"),
        (".", "./x"),
        ("", "x"),
    ] {
        let mut tree = WatchTree::new();
        let top = tree.add_root(Path::new(root), 0);
        let folder = tree.add(top, name("x"), Via::Name, 1);
        assert_eq!(tree.path(top).unwrap().as_os_str(), root);
        assert_eq!(tree.path(folder).unwrap().as_os_str(), entry);
        assert_eq!(tree.entry_path(top, name("x")).unwrap().as_os_str(), entry);
        assert!(tree.location(folder).unwrap().is_absolute());
    }
}

#[test]
fn a_folder_never_gets_below_itself() {
    let mut tree = WatchTree::new();
    let root = tree.add_root(Path::new("/"), 0);
    let a = tree.add(root, name("a"), Via::Name, 1);
    let b = tree.add(a, name("b"), Via::Name, 2);
    tree.attach(a, b, name("c"));
    tree.attach(a, a, name("c"));
    assert_eq!(tree.path(b).unwrap().as_os_str(), "/a/b");
    tree.detach(a);
    tree.attach(a, b, name("c"));
    assert_eq!(tree.root(b), None);
    assert_eq!(tree.child(b, name("c")), None);
}

#[test]
fn a_reused_number_brings_no_removed_folder_back() {
    let mut tree = WatchTree::new();
    let root = tree.add_root(Path::new("/"), 0);
    let old = tree.add(root, name("old"), Via::Name, 1);
    tree.remove(old);
    let new = tree.add(root, name("new"), Via::Name, 2);
    assert_ne!(old, new);
    assert_eq!(tree.path(old), None);
    assert!(tree.remove(old).is_empty());
    assert_eq!(tree.path(new).unwrap().as_os_str(), "/new");
}

/// The room of longer names is given back, and the other names stay the same.
#[test]
fn names_take_no_more_room_after_many_renames() {
    let mut tree = WatchTree::new();
    let root = tree.add_root(Path::new("/"), 0);
    let long = |folder: u32, round: u32| OsString::from(format!("{folder:0100}.{round}"));
    let folders: Vec<Node> =
        (0..200).map(|id| tree.add(root, &long(id, 0), Via::Name, id)).collect();
    let before = tree.bytes();
    for round in 1..100 {
        for (id, &folder) in (0..).zip(&folders) {
            tree.attach(folder, root, &long(id, round));
        }
        for (id, &folder) in (0..).zip(&folders) {
            assert_eq!(tree.name(folder), long(id, round));
            assert_eq!(tree.child(root, &long(id, round)), Some(folder));
        }
        assert!(tree.bytes() < before * 2, "{} from {before}", tree.bytes());
    }
}
