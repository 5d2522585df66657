//! Finding out what has changed by listing folders and comparing: [`Trees`].
//!
//! Some platforms report nothing, as network file systems do. Others report that something changed in a folder,
//! but not what. Backends for them keep a listing of each folder, list it again, and report the difference.

mod changes;
mod folder;
mod listings;
mod look;
mod obstacle;
mod platform;
mod root;
mod roots;
mod state;

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use self::{
    changes::{Changes, Item},
    listings::Listings,
    root::Root,
    roots::Roots,
};
use crate::contract::{
    backend::{StreamItem, Watch},
    error::BackendError,
};

/// Whether this system shows which file is which, so that a rename is not taken for a removal and a creation.
///
/// A backend that only compares listings can declare
/// [`TrackRelated`](crate::Capability::TrackRelated) where this is true: on Unix. The file system must also
/// know when a file was created. Without that, the number of a file proves nothing, since a new file soon gets
/// that of a removed one.
pub const TRACKS_RENAMES: bool = platform::HAS_IDENTITIES;

/// The watched paths with all that lies below them, as they were when they were last looked at.
///
/// [`look`](Self::look) lists the folders again. [`next`](Self::next) takes the differences, as items for the
/// stream. All methods take `&self`: a thread can look while the stream is polled.
///
/// ```
/// use notify_backend::{Event, listing::Trees, prelude::*};
///
/// # let folder = tempfile::tempdir()?;
/// # let site = folder.path().to_owned();
/// let trees = Trees::new();
/// trees.watch(Watch::recursive(&site))?;
/// std::fs::write(site.join("index"), "")?;
/// assert!(trees.next().is_none());
///
/// trees.look();
/// assert_eq!(trees.next().unwrap()?, Event::create(CreateKind::File, site.join("index")));
/// assert!(trees.next().is_none());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # What one look reports
///
/// - First removals, entries before their folders; then new entries, folders before their entries; then
///   changes. So a removal is never the last report of a path that exists. The true order is not known.
/// - A rename, where a name went and another one came for the same file: see [`TRACKS_RENAMES`]. What is in a
///   renamed folder went along, and is not reported.
/// - A file whose size or modification time differs is reported as changed. If only its change time does, it was
///   its metadata if [contents are compared](Self::comparing_contents), and otherwise not known what.
/// - A new folder with everything in it. A consumer may list a new folder and see files that are gone by the next
///   look. The folder is then reported once more, as `any`, if anything happened in it.
/// - A folder that was replaced by another one as gone with everything in it, and the other one as new, if the
///   system knows when a folder was created. Otherwise their entries are compared.
/// - One error item per folder that cannot be listed, after two looks in a row have failed; then the folder counts
///   as unchanged. So does a file that cannot be read, if contents are compared, at the first look.
/// - An entry that several watches cover under one spelling once.
///
/// A change that is undone between two looks is not reported. A watched path that is gone is still looked for,
/// and its tree is new when it is back.
#[derive(Debug)]
pub struct Trees {
    compare_contents: bool,
    state: Mutex<State>,
    /// Held during a look, so that no other look knows half of what it finds.
    looks: Mutex<()>,
}

#[derive(Debug)]
struct State {
    roots: Roots,
    /// The items that have not been taken yet.
    ready: VecDeque<Item>,
    next_tracker: u64,
}

impl Trees {
    /// Creates it, with nothing watched.
    #[must_use]
    pub fn new() -> Self {
        let state = State { roots: Roots::default(), ready: VecDeque::new(), next_tracker: 1 };
        Self { compare_contents: false, state: state.into(), looks: Mutex::default() }
    }

    /// Sets whether files are read at each look, to compare their contents; by default they are not.
    ///
    /// This finds changes that keep size and times, and distinguishes a written file from one whose time was
    /// set. It costs reading all watched files.
    #[must_use]
    pub fn comparing_contents(mut self, compare: bool) -> Self {
        self.compare_contents = compare;
        self
    }

    /// Adds a watch, or changes the one with the same path. When it returns, the path has been looked at, and
    /// there may be items if the watch overlaps others. Call [`Watch::check`] first.
    ///
    /// A watch that overlaps others waits for the end of a running look.
    ///
    /// # Errors
    ///
    /// If the path does not exist, or is a folder that cannot be listed.
    pub fn watch(&self, watch: Watch) -> Result<(), BackendError> {
        let root = Root::new(watch)?;
        let state = self.lock();
        let known = state.roots.get(root.path.as_os_str()).cloned();
        let overlaps = state.roots.overlaps(&root.location);
        drop(state);
        // Otherwise this look would find the changes again that a running look finds in both roots.
        let _look = overlaps.then(|| self.begin_look());
        let Some(known) = known else {
            // Nothing was known about it, so nothing has changed.
            let found = self.look_in(vec![root.clone()]);
            self.lock().roots.insert(root);
            self.deliver(found);
            return Ok(());
        };
        // All overlapping roots, since the others would find again what this one finds.
        let roots: Vec<_> = self.lock().roots.family(&known.location).cloned().collect();
        if !known.follows_as(&root) {
            self.deliver(self.look_in(roots.clone()));
        }
        known.take_demands(&root);
        self.deliver(self.look_in(roots));
        Ok(())
    }

    /// Removes the watch of a path, in the spelling in which it was added. [`next`](Self::next) returns nothing
    /// more for it.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotWatched`] if there is no such watch.
    pub fn unwatch(&self, path: &Path) -> Result<(), BackendError> {
        let root = self.lock().roots.remove(path.as_os_str());
        root.ok_or_else(|| BackendError::not_watched(path))?.stop();
        Ok(())
    }

    /// Looks at everything. Do it in a thread: it takes as long as listing all watched folders.
    pub fn look(&self) {
        let _look = self.begin_look();
        let roots = self.lock().roots.iter().cloned().collect();
        self.deliver(self.look_in(roots));
    }

    /// Takes the next item to report.
    #[allow(clippy::should_implement_trait, reason = "there may be more after none")]
    pub fn next(&self) -> Option<StreamItem> {
        let mut state = self.lock();
        while let Some(item) = state.ready.pop_front() {
            if item.is_wanted() {
                return Some(item.tells);
            }
        }
        // Frees the memory, since a look may have found very much.
        state.ready = VecDeque::new();
        None
    }

    /// Returns whether there is an item to be taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().ready.iter().any(Item::is_wanted)
    }

    /// Ends a running look early, and all later ones at once, since the backend is being dropped.
    pub fn stop(&self) {
        for root in self.lock().roots.iter() {
            root.stop();
        }
    }

    /// Locks the state. No code under the lock leaves it half changed, so a panic of another thread does no
    /// harm.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other look is running, and keeps others from beginning.
    fn begin_look(&self) -> MutexGuard<'_, ()> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at these roots.
    fn look_in(&self, mut roots: Vec<Arc<Root>>) -> Changes {
        // Outer roots come first: an entry that lies in several roots is reported as the outer one finds it.
        roots.sort_by(|one, other| one.location.cmp(&other.location));
        let mut listings = Listings::of(&roots);
        let mut changes = Changes::default();
        for root in roots.iter().filter(|root| !root.is_stopped()) {
            root.look(self.compare_contents, &mut listings, &mut changes);
        }
        changes
    }

    /// Makes the items ready for the stream.
    fn deliver(&self, changes: Changes) {
        let mut state = self.lock();
        let items = changes.into_items(&mut state.next_tracker);
        state.ready.extend(items);
    }
}

impl Default for Trees {
    fn default() -> Self {
        Self::new()
    }
}
