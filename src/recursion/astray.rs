//! What has to wait because a folder is not where the tree has it: [`Astray`].

use std::{
    collections::{HashSet, VecDeque},
    ffi::OsString,
    fmt::Debug,
    hash::Hash,
    mem,
    path::{Path, PathBuf},
};

use super::{FolderWatcher, Node, Via, WatchTree, folder::await_reports, is_in_place, lineage};

/// Tasks that wait for the platform's report of a rename.
///
/// A mark is put into the reports. If the tree still has the folder in the same place when it comes,
/// and the folder is not there, there was no such report, and the tree is mistaken; unless something
/// was reported to move, and may have come back: then another mark is waited for.
#[derive(Debug)]
pub(super) struct Astray<I, T> {
    // No mark has been made for these.
    unmarked: Vec<Waiting<T>>,
    // Whether one is to be made.
    is_mark_due: bool,
    // In the order of their marks.
    marked: VecDeque<(I, Vec<Waiting<T>>)>,
}

#[derive(Debug)]
struct Waiting<T> {
    folder: Node,
    // Where the tree had it, and what had moved by then.
    path: Option<PathBuf>,
    moves: u64,
    place: Option<Place>,
    task: T,
}

/// An entry of a folder of the tree.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) parent: Node,
    pub(super) name: OsString,
    pub(super) via: Via,
}

/// What was waiting for a mark.
#[derive(Debug)]
pub(super) struct Passed<T> {
    pub(super) tasks: Vec<T>,
    /// Where folders were that are there no more: another one may be in their place.
    pub(super) places: Vec<Place>,
    /// Whether the tree still has a folder where it is not.
    pub(super) is_mistaken: bool,
}

impl<I: Copy + Eq + Hash + Debug, T> Astray<I, T> {
    pub(super) fn new() -> Self {
        Self { unmarked: Vec::new(), is_mark_due: false, marked: VecDeque::new() }
    }

    /// Puts a task off since `folder` is not where the tree has it.
    pub(super) fn push(&mut self, folder: Node, task: T, tree: &WatchTree<I>) {
        let name = tree.name(folder).to_owned();
        let place = tree.parent(folder).zip(tree.via(folder));
        let place = place.map(|(parent, via)| Place { parent, name, via });
        let (path, moves) = (tree.path(folder), tree.moves());
        self.unmarked.push(Waiting { folder, path, moves, place, task });
        self.is_mark_due = true;
    }

    pub(super) fn is_mark_due(&self) -> bool {
        self.is_mark_due
    }

    /// Puts a mark into the reports, after all that tell where the folders were renamed to.
    pub(super) fn mark<W: FolderWatcher<Id = I>>(&mut self, tree: &WatchTree<I>, watcher: &W) {
        self.is_mark_due = false;
        for folder in self.folders_above(tree) {
            await_reports(&folder);
        }
        if let Some(mark) = watcher.mark() {
            self.marked.push_back((mark, mem::take(&mut self.unmarked)));
        }
    }

    /// The folders in which a rename would show that led one of those away that no mark was made for.
    fn folders_above(&self, tree: &WatchTree<I>) -> HashSet<PathBuf> {
        let folders = self.unmarked.iter().map(|waiting| waiting.folder);
        let on_the_way: HashSet<_> = folders.flat_map(|folder| lineage(folder, tree)).collect();
        let locations = on_the_way.into_iter().filter_map(|folder| tree.location(folder));
        locations.filter_map(|location| location.parent().map(Path::to_owned)).collect()
    }

    /// What has been waiting for `mark`, if it is one that is waited for.
    pub(super) fn pass<W: FolderWatcher<Id = I>>(
        &mut self,
        mark: I,
        tree: &WatchTree<I>,
        watcher: &W,
    ) -> Option<Passed<T>> {
        let at = self.marked.iter().position(|&(it, _)| it == mark)?;
        let mut passed = Passed { tasks: Vec::new(), places: Vec::new(), is_mistaken: false };
        let marked: Vec<_> = self.marked.drain(..=at).flat_map(|(_, waiting)| waiting).collect();
        for waiting in marked {
            let Waiting { folder, path, moves, place, task } = waiting;
            let has_stayed = path.is_some() && tree.path(folder) == path;
            if has_stayed && !is_in_place(folder, tree, watcher) {
                if tree.moves() != moves {
                    // It may have been reported to go and to come back, and have gone again since.
                    self.push(folder, task, tree);
                    continue;
                }
                passed.is_mistaken = true;
            }
            passed.places.extend(place);
            passed.tasks.push(task);
        }
        Some(passed)
    }

    /// The tasks that no mark was made for.
    pub(super) fn take_unmarked(&mut self) -> impl Iterator<Item = T> {
        self.unmarked.drain(..).map(|it| it.task)
    }

    /// All tasks, when their marks may have been lost.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> {
        let marked = self.marked.drain(..).flat_map(|(_, waiting)| waiting);
        marked.chain(self.unmarked.drain(..)).map(|it| it.task)
    }
}
