//! After a loss, a tree is mended without giving up what it needs.

use std::os::unix::fs::symlink;

use proptest::{collection, prelude::*, sample::select};

use super::*;

/// Compares all, and holds the tree against one that is made from scratch. Folders that are still
/// in reach were watched all the time.
#[track_caller]
fn mend(scene: &mut Scene) {
    let before = paths(&scene.tree, scene.root);
    scene.scan.lose();
    scene.scan.compare(scene.root);
    assert!(scene.scan().is_empty());
    scene.assert_right();

    let mut fresh = WatchTree::new();
    let root = fresh.add_root(&scene.top, scene.tree.id(scene.root).unwrap());
    let failed = Scan::new(true).watch_below(root, &mut fresh, &scene.watcher);
    assert!(failed.is_empty(), "{failed:?}");
    let after = paths(&fresh, root);
    assert_eq!(paths(&scene.tree, scene.root), after);

    let ids = |paths: BTreeMap<_, u32>| paths.into_values().collect::<BTreeSet<_>>();
    let (before, after) = (ids(before), ids(after));
    let mut needless: Vec<u32> = before.difference(&after).copied().collect();
    let mut released = scene.watcher.released();
    needless.sort_unstable();
    released.sort_unstable();
    assert_eq!(released, needless);
}

#[track_caller]
fn mends(folders: &[&str], change: impl Fn(&Folder)) {
    let top = Folder::with(folders);
    let mut scene = Scene::new(&top);
    change(&top);
    mend(&mut scene);
}

#[test]
fn nothing_has_changed() {
    mends(&["a/b", "c"], |_| ());
}

#[test]
fn folders_were_added() {
    mends(&["a/b"], |top| {
        top.make("a/c/d");
        top.make("e");
    });
}

#[test]
fn folders_have_vanished() {
    mends(&["a/b/c", "d/e"], |top| {
        top.remove("a/b");
        top.remove("d");
    });
}

#[test]
fn folders_were_moved() {
    mends(&["a/b/c", "d", "e/f/g", "h/i"], |top| {
        top.rename("a/b", "d/b");
        top.rename("e/f", "f");
        top.rename("h", "j");
    });
}

#[test]
fn folders_have_changed_places() {
    mends(&["a/x", "b/y/z"], |top| {
        top.rename("a", "c");
        top.rename("b/y", "a");
        top.rename("c", "b/y");
    });
}

#[test]
fn folders_were_replaced() {
    mends(&["a/b", "c/d"], |top| {
        top.remove("a");
        top.make("a/e");
        top.remove("c");
        top.touch("c");
    });
}

mod links {
    use super::*;

    #[track_caller]
    fn mends(change: impl Fn(&Folder, &Folder)) {
        let outside = Folder::with(&["x/deep", "y/p/q", "y/r"]);
        let top = Folder::with(&["a/b", "c"]);
        top.link(outside.at("x"), "c/link");
        top.link(outside.at("y"), "a/other");
        let mut scene = Scene::new(&top);
        assert!(scene.found().is_superset(&set(["a/other/p/q", "c/link/deep"])));
        change(&top, &outside);
        mend(&mut scene);
    }

    #[test]
    fn nothing_has_changed() {
        mends(|_, _| ());
    }

    #[test]
    fn a_link_has_vanished() {
        mends(|top, _| top.remove("c/link"));
    }

    #[test]
    fn a_link_leads_to_another_folder() {
        mends(|top, outside| {
            outside.make("z/new");
            top.remove("c/link");
            top.link(outside.at("z"), "c/link");
        });
    }

    #[test]
    fn a_link_leads_nowhere() {
        mends(|_, outside| outside.remove("x"));
    }

    #[test]
    fn a_link_leads_to_what_is_watched_anyway() {
        mends(|top, _| {
            top.remove("c/link");
            top.link("../a", "c/link");
        });
    }

    #[test]
    fn a_link_became_a_folder() {
        mends(|top, _| {
            top.remove("c/link");
            top.make("c/link/new");
        });
    }

    #[test]
    fn a_folder_became_a_link() {
        mends(|top, outside| {
            top.remove("a/b");
            top.link(outside.path(), "a/b");
        });
    }

    #[test]
    fn what_a_link_leads_to_took_the_place_of_the_link() {
        mends(|top, outside| {
            top.remove("c/link");
            fs::rename(outside.at("x"), top.at("c/link")).unwrap();
        });
    }

    #[test]
    fn folders_were_moved_where_a_link_leads() {
        mends(|_, outside| {
            outside.rename("y/p", "y/s");
            outside.rename("y/r", "y/s/r");
        });
    }

    #[test]
    fn folders_were_moved_from_one_link_to_another() {
        mends(|_, outside| {
            outside.rename("y/p", "x/p");
            outside.rename("x/deep", "y/deep");
        });
    }

    #[test]
    fn an_earlier_link_leads_to_the_same_folder() {
        mends(|top, outside| top.link(outside.at("x"), "a/a"));
    }

    #[test]
    fn what_a_link_leads_to_was_moved_inside() {
        mends(|top, outside| fs::rename(outside.at("x"), top.at("x")).unwrap());
    }
}

/// Something done while nobody was told.
#[derive(Clone, Debug)]
enum Change {
    Make(String),
    Remove(String),
    Rename(String, String),
    Link { target: String, link: String },
}

fn change() -> impl Strategy<Value = Change> {
    // Inside or outside of what is watched.
    let path = || {
        let parts = collection::vec(select(&["a", "b", "c"][..]), 1..4);
        (select(&["in", "in", "out"][..]), parts)
            .prop_map(|(side, parts)| format!("{side}/{}", parts.join("/")))
    };
    prop_oneof![
        4 => path().prop_map(Change::Make),
        1 => path().prop_map(Change::Remove),
        4 => (path(), path()).prop_map(|(from, to)| Change::Rename(from, to)),
        2 => (path(), path()).prop_map(|(target, link)| Change::Link { target, link }),
    ]
}

impl Change {
    /// Fails where there is nothing to change.
    fn make(&self, top: &Folder) -> io::Result<()> {
        match self {
            Self::Make(path) => fs::create_dir_all(top.at(path)),
            Self::Remove(path) if top.at(path).is_symlink() => fs::remove_file(top.at(path)),
            Self::Remove(path) => fs::remove_dir_all(top.at(path)),
            Self::Rename(from, to) => fs::rename(top.at(from), top.at(to)),
            Self::Link { target, link } => symlink(top.at(target), top.at(link)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn anything_has_changed(
        before in collection::vec(change(), 0..20),
        after in collection::vec(change(), 0..20),
    ) {
        let top = Folder::with(&["in", "out"]);
        for change in &before {
            let _ = change.make(&top);
        }
        let mut scene = Scene::at(top.at("in"));
        for change in &after {
            let _ = change.make(&top);
        }
        mend(&mut scene);
    }
}
