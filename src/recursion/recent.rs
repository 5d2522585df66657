//! Folders that were found ahead of the platform's reports: [`Recent`].

use std::{
    collections::{HashMap, VecDeque},
    ffi::{OsStr, OsString},
    fmt::Debug,
    hash::Hash,
    mem,
};

use super::{Found, Node, WatchTree, lineage};
use crate::event::CreateKind;

/// The folders that were found in their places, by listing or entering them, before all reports
/// were looked at that the platform had made by then.
///
/// Such a report may be about a folder that had the place earlier: one is made and renamed, another
/// is made in its place, and that is the one found when the first report is looked at. So a mark is
/// put into the reports once folders were found. Until it comes, reports about their names do not
/// concern them, and what was found in them is not said.
#[derive(Debug)]
pub(super) struct Recent<I> {
    folders: HashMap<Node, Folder>,
    walked: Vec<Walked>,
    // What was found in folders that a rename has taken from their places, and whose new ones have
    // not been reported yet.
    moving: Vec<(Node, Vec<(CreateKind, OsString)>)>,
    // In the order in which they were found, each with the mark that comes after it.
    order: VecDeque<(Mark, Node)>,
    // Those yet to come.
    marks: VecDeque<I>,
    // The last one that came.
    passed: Mark,
}

/// The number of a mark; they come in this order.
type Mark = u64;

/// What a walk has found. In the order of the nodes.
#[derive(Debug)]
struct Walked {
    // The mark after it.
    until: Mark,
    // Folders that were still in their places when that was made.
    confirmed: Vec<Node>,
    // Folders that were there while they were watched, and of which nobody knows whether they still
    // were then.
    watched: Vec<Node>,
}

#[derive(Debug)]
struct Folder {
    // The first mark after it was found.
    until: Mark,
    // Whether it was still in its place when that was made.
    is_confirmed: bool,
    // What was found in it.
    entries: Vec<(CreateKind, OsString)>,
}

impl<I: Copy + Eq + Hash + Debug> Recent<I> {
    pub(super) fn new() -> Self {
        Self {
            folders: HashMap::new(),
            walked: Vec::new(),
            moving: Vec::new(),
            order: VecDeque::new(),
            marks: VecDeque::new(),
            passed: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// Whether folders were added since the last mark.
    pub(super) fn is_unmarked(&self) -> bool {
        self.order.back().is_some_and(|&(until, _)| until > self.last())
    }

    /// Notes that a folder was found in its place.
    pub(super) fn add(&mut self, folder: Node) {
        let until = self.last() + 1;
        self.order.push_back((until, folder));
        let entries = self.folders.remove(&folder).map_or(Vec::new(), |folder| folder.entries);
        self.folders.insert(folder, Folder { until, is_confirmed: false, entries });
    }

    /// Holds back that an entry was found in a folder; without a name, that the folder itself was.
    pub(super) fn hold(&mut self, folder: Node, kind: CreateKind, name: OsString) {
        if let Some(folder) = self.folders.get_mut(&folder) {
            folder.entries.push((kind, name));
        }
    }

    /// Holds back no more that an entry was found in a folder: it will be said later, or reported.
    pub(super) fn take_back(&mut self, folder: Node, name: &OsStr) {
        if let Some(folder) = self.folders.get_mut(&folder) {
            folder.entries.retain(|(_, entry)| entry != name);
        }
    }

    /// Notes that a mark was put into the reports, after all folders that were added by now.
    pub(super) fn mark(&mut self, mark: I) {
        self.marks.push_back(mark);
    }

    /// Notes that a mark was put into the reports after a walk. Of the folders that it has found,
    /// some were `confirmed` to be in their places after that, and some had been `watched` there.
    pub(super) fn mark_walk(&mut self, mark: I, mut confirmed: Vec<Node>, mut watched: Vec<Node>) {
        self.marks.push_back(mark);
        confirmed.sort_unstable();
        watched.sort_unstable();
        self.walked.push(Walked { until: self.last(), confirmed, watched });
    }

    /// Notes that a folder was still in its place after the last mark was made.
    pub(super) fn confirm(&mut self, folder: Node) {
        if let Some(folder) = self.folders.get_mut(&folder) {
            folder.is_confirmed = true;
        }
    }

    /// Whether the reports that come next are older than the folder's place.
    pub(super) fn is_ahead(&self, folder: Node) -> bool {
        self.is_walked(folder, |walked| &walked.confirmed)
            || self.folders.get(&folder).is_some_and(|folder| {
                // When it was found, at the latest mark or later, it was there in any case.
                let placed = if folder.is_confirmed { folder.until } else { folder.until - 1 };
                placed > self.passed
            })
    }

    /// Whether the reports that come next may be older than the folder's place, or not.
    pub(super) fn is_unsure(&self, folder: Node) -> bool {
        let is_found = self.folders.get(&folder).is_some_and(|it| it.until > self.passed)
            || self.is_walked(folder, |walked| &walked.watched);
        is_found && !self.is_ahead(folder)
    }

    fn is_walked(&self, folder: Node, part: fn(&Walked) -> &Vec<Node>) -> bool {
        let mut to_come = self.walked.iter().filter(|walked| walked.until > self.passed);
        to_come.any(|walked| part(walked).binary_search(&folder).is_ok())
    }

    /// Whether `mark` is one that is waited for. What was found before it is said.
    pub(super) fn pass(
        &mut self,
        mark: I,
        tree: &WatchTree<I>,
        found: &mut impl FnMut(Found),
    ) -> bool {
        let Some(at) = self.marks.iter().position(|&it| it == mark) else {
            return false;
        };
        self.marks.drain(..=at);
        self.passed += at as Mark + 1;
        self.release_due(tree, found);
        true
    }

    /// Says all that was found, without waiting for a mark.
    pub(super) fn release_all(&mut self, tree: &WatchTree<I>, found: &mut impl FnMut(Found)) {
        self.lose();
        self.release(Mark::MAX, tree, found);
    }

    /// Waits no more for the marks that were made.
    pub(super) fn lose(&mut self) {
        self.passed = self.last();
        self.marks.clear();
    }

    /// Whether something can be said by now.
    pub(super) fn is_due(&self) -> bool {
        let is_walk_due = self.walked.iter().any(|walked| walked.until <= self.passed);
        is_walk_due || self.order.front().is_some_and(|&(until, _)| until <= self.passed)
    }

    /// Says what can be said by now.
    pub(super) fn release_due(&mut self, tree: &WatchTree<I>, found: &mut impl FnMut(Found)) {
        self.release(self.passed, tree, found);
    }

    fn release(&mut self, last: Mark, tree: &WatchTree<I>, found: &mut impl FnMut(Found)) {
        let mut due = mem::take(&mut self.moving);
        self.walked.retain(|walked| walked.until > last);
        while let Some(&(_, folder)) = self.order.front().filter(|(mark, _)| *mark <= last) {
            self.order.pop_front();
            // It may have been found once more since.
            if self.folders.get(&folder).is_some_and(|folder| folder.until <= last) {
                due.extend(self.folders.remove(&folder).map(|it| (folder, it.entries)));
            }
        }
        for (folder, entries) in due {
            if !entries.is_empty() && is_moving(folder, tree) {
                self.moving.push((folder, entries));
            } else {
                say(folder, entries.into_iter(), tree, found);
            }
        }
    }

    /// Says what was found in a folder, which comes before a report from there, and in those above.
    pub(super) fn release_above(
        &mut self,
        folder: Node,
        tree: &WatchTree<I>,
        found: &mut impl FnMut(Found),
    ) {
        let lineage: Vec<_> = lineage(folder, tree).collect();
        for folder in lineage.into_iter().rev() {
            self.say(folder, tree, found);
        }
    }

    /// Says that an entry was found in a folder, and each folder on the way to it.
    pub(super) fn release_entry(
        &mut self,
        folder: Node,
        name: &OsStr,
        tree: &WatchTree<I>,
        found: &mut impl FnMut(Found),
    ) {
        let mut way = vec![(folder, name)];
        let folders = lineage(folder, tree);
        way.extend(folders.filter_map(|it| Some((tree.parent(it)?, tree.name(it)))));
        for (folder, name) in way.into_iter().rev() {
            let entries = self.folders.get_mut(&folder).map(|folder| &mut folder.entries);
            let entries = entries
                .into_iter()
                .flat_map(|entries| entries.extract_if(.., |(_, entry)| entry == name));
            say(folder, entries, tree, found);
        }
    }

    /// Whether something is held back that was found in a folder, or in one above it.
    pub(super) fn holds_above(&self, folder: Node, tree: &WatchTree<I>) -> bool {
        let holds = |it: Node| self.folders.get(&it).is_some_and(|it| !it.entries.is_empty());
        lineage(folder, tree).any(holds)
    }

    fn say(&mut self, folder: Node, tree: &WatchTree<I>, found: &mut impl FnMut(Found)) {
        let entries = self.folders.get_mut(&folder).map(|folder| mem::take(&mut folder.entries));
        say(folder, entries.into_iter().flatten(), tree, found);
    }

    /// The last mark that was put into the reports.
    fn last(&self) -> Mark {
        self.passed + self.marks.len() as Mark
    }
}

fn say<I: Copy + Eq + Hash + Debug>(
    folder: Node,
    entries: impl Iterator<Item = (CreateKind, OsString)>,
    tree: &WatchTree<I>,
    found: &mut impl FnMut(Found),
) {
    for (kind, name) in entries {
        // None if the folder has been removed.
        if let Some(path) = tree.entry_path(folder, &name) {
            found(Found::Entry(kind, path));
        }
    }
}

/// Whether a folder, or one above it, was taken from its place, and has no other one yet.
fn is_moving<I: Copy + Eq + Hash + Debug>(folder: Node, tree: &WatchTree<I>) -> bool {
    tree.id(folder).is_some() && tree.root(folder).is_none()
}
