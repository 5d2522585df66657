//! Renaming a folder does not depend on the number of folders below it.

use super::*;

/// Creates a tree with siblings around `/old`, which has `count` folders below it, and `/new`.
fn tree(count: u32) -> (WatchTree<u32>, Node, Node) {
    let mut tree = WatchTree::new();
    let root = tree.add_root(Path::new("/"), 0);
    tree.add(root, name("before"), Via::Name, 1);
    let old = tree.add(root, name("old"), Via::Name, 2);
    tree.add(root, name("after"), Via::Name, 3);
    let new = tree.add(root, name("new"), Via::Name, 4);
    let mut above = old;
    for id in 5..5 + count {
        let below = tree.add(above, name("below"), Via::Name, id);
        // Wide and deep.
        above = if id % 100 == 0 { below } else { above };
    }
    (tree, old, new)
}

/// Fills the slots of the folders below with nonsense. A step that followed any of these numbers would be
/// out of bounds, so the rename must not look at them.
fn spoil(tree: &mut WatchTree<u32>, from: usize) {
    let nonsense = u32::MAX - 7;
    for slot in &mut tree.slots[from..] {
        slot.generation = nonsense;
        (slot.same_id, slot.parent, slot.child) = (nonsense, nonsense, nonsense);
        (slot.next, slot.previous) = (nonsense, nonsense);
    }
}

fn touched_by_renaming(count: u32) -> usize {
    let (mut tree, old, new) = tree(count);
    let first_below = 5;
    let deepest = tree.nodes(count + 4).next().unwrap();
    let before = tree.slots.clone();
    spoil(&mut tree, first_below);
    let spoilt = tree.slots.clone();

    tree.detach(old);
    tree.attach(old, new, name("name"));

    let links = |slot: &Slot<u32>| (slot.parent, slot.child, slot.next, slot.previous);
    let is_changed = |(a, b): &(&Slot<u32>, &Slot<u32>)| links(a) != links(b);
    let touched = tree.slots.iter().zip(&spoilt).filter(is_changed).count();
    tree.slots[first_below..].copy_from_slice(&before[first_below..]);
    let path = tree.path(deepest).unwrap();
    assert!(path.starts_with("/new/name/below"), "{}", path.display());
    touched
}

#[test]
fn a_rename_touches_few_folders_however_many_are_below() {
    let touched = touched_by_renaming(10);
    // The folder, those beside it, and the one above it at either end.
    assert!(touched <= 5, "{touched}");
    assert_eq!(touched_by_renaming(100_000), touched);
}
