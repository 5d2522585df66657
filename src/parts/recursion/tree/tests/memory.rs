//! What a tree takes for each folder.

use super::*;

/// More than a hundred thousand, and past the last point before that at which its tables double.
const FOLDERS: usize = 120_000;
/// From here on, what a tree takes for itself is not worth mentioning.
const SOME: usize = 1000;
/// What a folder may cost besides its name.
const PER_FOLDER: usize = 80;

/// A tree, and what it costs.
struct Measured {
    tree: WatchTree<u64>,
    folders: Vec<Node>,
    names: usize,
    // The most that a folder ever cost besides its name, and how many there were then.
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
        println!("at most {cost} bytes for a folder besides its name, with {count} of them");
        assert!(cost <= PER_FOLDER, "{cost} bytes for each of {count} folders");
    }
}

/// Mostly short, as those of real folders.
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
fn renames_do_not_make_a_folder_dearer() {
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
