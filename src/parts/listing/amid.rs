//! Files that were moved amid a look, so that it has seen them at both places.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    changes::Place,
    look::Shared,
    root::{Root, Tree, look_at},
    state::{Identity, State},
};

/// Adds to the changes of a look which files are gone from where it has seen them, since it has found them elsewhere
/// later. Otherwise the next look would find their removal, and a rename would be reported as a creation now and as a
/// removal then.
pub(super) fn find_moves(roots: &[Arc<Root>], shared: &mut Shared<'_>) {
    let came_to = shared.changes.came_to().map(|place| place.state);
    // Usually the files are new, and then nothing need be searched.
    let old = came_to.filter(|state| state.birth() <= shared.last_birth);
    let came: HashSet<_> = old.filter_map(|state| state.identity()).collect();
    if came.is_empty() {
        return;
    }
    let new: HashSet<_> = shared.changes.came_to().map(Place::location).collect();
    for root in roots {
        let tree = &mut *root.lock();
        for (below, state) in tree.entries_that_are(&came) {
            let location = root.location.join(&below);
            if root.is_stopped() {
                break;
            }
            if !new.contains(&location) && is_gone(&location, &state) {
                tree.take_out(root, &below, shared);
            }
        }
    }
}

/// Returns whether a file is not at this location any more. A file with several names is at each of them.
fn is_gone(location: &Path, state: &State) -> bool {
    match look_at(location, false) {
        Ok(metadata) => State::of(&metadata, SystemTime::now()).identity() != state.identity(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

impl Tree {
    /// Returns the entries that are one of these files, folders before their entries.
    fn entries_that_are(&self, files: &HashSet<Identity>) -> Vec<(PathBuf, State)> {
        let mut found = Vec::new();
        for (folder, known) in &self.folders {
            let is_one = |state: &State| state.identity().is_some_and(|file| files.contains(&file));
            let entries = known.entries().filter(|(_, state)| is_one(state));
            found.extend(entries.map(|(name, state)| (folder.join(name), state)));
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// Takes an entry out, with everything in it, unless it went with its folder. Adds to the changes that it is gone.
    fn take_out(&mut self, root: &Arc<Root>, below: &Path, shared: &mut Shared<'_>) {
        let (Some(above), Some(name)) = (below.parent(), below.file_name()) else { return };
        let Some(folder) = self.folders.get_mut(above) else { return };
        let Some(state) = folder.remove(name) else { return };
        let mut gone = vec![(below.to_owned(), state)];
        while let Some((below, state)) = gone.pop() {
            if let Some(folder) = self.folders.remove(&below) {
                gone.extend(folder.entries().map(|(name, state)| (below.join(name), state)));
            }
            if shared.reading.observer.is_some() {
                shared.gone.push(root.location.join(&below));
            }
            shared.changes.gone(Place::new(root, below, state));
        }
    }
}
