//! The memory that a tree takes per folder.

use super::*;

/// More than a hundred thousand, and past the last size before that at which the tables double.
const FOLDERS: usize = 120_000;
/// From this size on, the tree's own memory does not matter.
const SOME: usize = 1000;
/// How many bytes a folder may take besides its name.
const PER_FOLDER: usize = 80;

/// A tree, and the memory that it takes.
struct Measured {
    tree: WatchTree<u64>,
    folders: Vec<Node>,
    names: usize,
    // The most bytes that a folder ever took besides its name, and the number of folders then.
    worst: (usize, usize),
}

impl Measured {
    fn new() -> Self {
        let folders = Vec::with_capacity(FOLDERS);
        let mut tree = WatchTree::new();
        let root = tree.add_root(Path::new("relative/root"), 0);
        let mut measured = Self { tree, folders, names: 0, worst: (0, 0) };
        measured.folders.push(root);
        measured
    }

    fn add(&mut self, name: &OsString) {
        let id = self.folders.len();
        let parent = self.folders[id / 4];
        self.folders.push(self.tree.add(parent, name, Via::Name, id as u64));
        self.names += name.len();
    }

    fn rename(&mut self, folder: usize, name: &OsString) {
        self.names -= self.tree.name(self.folders[folder]).len();
        self.tree.attach(self.folders[folder], self.folders[folder / 4], name);
        self.names += name.len();
    }

    fn measure(&mut self) {
        let bytes = self.tree.bytes();
        let count = self.folders.len();
        if count >= SOME {
            self.worst = self.worst.max(((bytes - self.names).div_ceil(count), count));
        }
    }

    #[track_caller]
    fn assert_cheap(&self) {
        let (cost, count) = self.worst;
        println!("at most {cost} bytes per folder besides its name, with {count} folders");
        assert!(cost <= PER_FOLDER, "{cost} bytes for each of {count} folders");
    }
}

/// Returns a name, mostly a short one, like those of real folders.
fn name(folder: usize, round: usize) -> OsString {
    format!("{folder}-{:.<1$}", round, folder % 5 * (folder % 7)).into()
}

#[test]
fn a_folder_takes_at_most_80_bytes_and_its_name_at_any_size() {
    let mut measured = Measured::new();
    for id in 1..FOLDERS {
        measured.add(&name(id, 0));
        measured.measure();
    }
    measured.assert_cheap();
}

#[test]
fn renames_do_not_make_a_folder_larger() {
    let mut measured = Measured::new();
    for id in 1..SOME {
        measured.add(&name(id, 0));
    }
    for round in 1..50 {
        for id in 1..SOME {
            measured.rename(id, &name(id, round));
            measured.measure();
        }
    }
    measured.assert_cheap();
}
