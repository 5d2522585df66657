//! Finding out what has changed by listing folders and comparing: [`Trees`].
//!
//! Some platforms report nothing, as network file systems do; their backends [look](Trees::look) at everything. Others
//! report that something changed in a folder, but not what; their backends [look there](Trees::look_at). If files have
//! to be opened to be watched, an [`Observer`] does that. A [`Looker`] is the thread for the looks.

mod amid;
mod changes;
mod folder;
mod listings;
mod look;
mod looker;
mod observer;
mod obstacle;
mod platform;
mod root;
mod roots;
mod state;
#[cfg(test)]
mod tests;
mod touched;

use std::{
    collections::{HashSet, VecDeque},
    mem,
    path::{Path, PathBuf},
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

use self::{
    changes::{Changes, Item, Place},
    folder::Reading,
    listings::Listings,
    look::Shared,
    root::Root,
    roots::Roots,
};
pub use self::{
    looker::{Demand, Looker},
    observer::Observer,
    touched::Touched,
};
use crate::contract::{
    backend::{StreamItem, Watch},
    error::BackendError,
    event::CreateKind,
};

/// Whether this system shows which file is which, so that a rename is not taken for a removal and a creation.
///
/// A backend that only compares listings can declare
/// [`TrackRelated`](crate::Capability::TrackRelated) where this is true: on Unix. The file system must also
/// know when a file was created. Without that, the number of a file proves nothing, since a new file soon gets
/// that of a removed one.
pub const TRACKS_RENAMES: bool = platform::HAS_IDENTITIES;

/// How long a look waits for the place that a file was moved to. Kernels name both folders one right after the other.
const ARRIVAL: Duration = Duration::from_millis(20);

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
///   renamed folder went along, and is not reported. A file may be moved amid the look, so that it is seen at both
///   places or at neither. If both are seen, the look reads the old one again. If files are gone,
///   [`look`](Self::look) lists everything a second time.
/// - A file whose size or modification time differs is reported as changed. If only its change time does, it was
///   its metadata if [contents are compared](Self::comparing_contents), and otherwise not known what.
/// - A new folder with everything in it. A consumer may list a new folder and see files that are gone by the next
///   look. The folder is then reported once more, as `any`, if anything happened in it.
/// - A folder that was replaced by another one as gone with everything in it, and the other one as new, if the
///   system knows when a folder was created. Otherwise their entries are compared.
/// - One error item per folder that cannot be listed, after two looks in a row have failed, or
///   [at once](Self::reporting_errors_at_once) if a permission is missing; then the folder counts
///   as unchanged. So does a file that cannot be read, if contents are compared, at the first look.
/// - An entry that several watches cover under one spelling once.
///
/// A change that is undone between two looks is not reported. A watched path that is gone is still looked for,
/// and its tree is new when it is back.
#[derive(Debug)]
pub struct Trees {
    compare_contents: bool,
    tells_at_once: bool,
    observer: Option<Arc<dyn Observer>>,
    /// The tracker of the next rename.
    next_tracker: AtomicU64,
    state: Mutex<State>,
    /// Held during a look, so that no other look knows half of what it finds.
    looks: Mutex<()>,
}

#[derive(Debug)]
struct State {
    roots: Roots,
    /// The items that have not been taken yet.
    ready: VecDeque<Item>,
    /// Items that are reported once nothing is held any more.
    delayed: Vec<Item>,
    /// Files that are gone, and still exist elsewhere.
    held: Vec<Place>,
    /// Since when there are any.
    held_since: Option<Instant>,
    /// Places that need not be observed any more. As long as a file may still be found elsewhere, it goes on being
    /// observed by them.
    gone: Vec<PathBuf>,
}

impl Trees {
    /// Creates it, with nothing watched.
    #[must_use]
    pub fn new() -> Self {
        let state = State {
            roots: Roots::default(),
            ready: VecDeque::new(),
            delayed: Vec::new(),
            held: Vec::new(),
            held_since: None,
            gone: Vec::new(),
        };
        Self {
            compare_contents: false,
            tells_at_once: false,
            observer: None,
            next_tracker: 1.into(),
            state: state.into(),
            looks: Mutex::default(),
        }
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

    /// Sets whether a missing permission is reported by the first look that meets it; by default, by the second.
    ///
    /// A backend that [looks at some places alone](Self::look_at) needs it, because there may be no second look at a
    /// place. An [observer](Self::observed_by) implies it.
    #[must_use]
    pub fn reporting_errors_at_once(mut self, at_once: bool) -> Self {
        self.tells_at_once = at_once;
        self
    }

    /// Sets what has to happen before a file or folder is looked at, on a platform that observes each of them.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Adds a watch, or changes the one with the same path. When it returns, the path has been looked at, and
    /// there may be items if the watch overlaps others. Call [`Watch::check`] first.
    ///
    /// A watch that overlaps others waits for the end of a running look.
    ///
    /// # Errors
    ///
    /// If the path does not exist, or is a folder that cannot be listed, or if the [observer](Observer) refuses the
    /// path itself or meets a limit. Then nothing is added.
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
            let mut shared = self.share(slice::from_ref(&root));
            root.look(None, &mut shared);
            let refusal = shared.refusal.take().or_else(|| shared.changes.take_limit());
            if let Some(refusal) = refusal {
                self.forget(root.locations());
                return Err(refusal);
            }
            self.lock().roots.insert(root);
            self.end(shared, false);
            return Ok(());
        };
        // All overlapping roots, since the others would find again what this one finds.
        let roots: Vec<_> = self.lock().roots.family(&known.location).cloned().collect();
        if !known.follows_as(&root) {
            self.look_in(roots.clone());
        }
        known.take_demands(&root);
        self.look_in(roots);
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
        let root = root.ok_or_else(|| BackendError::not_watched(path))?;
        root.stop();
        if self.observer.is_some() {
            // A running look might still begin to observe something of it.
            let _look = self.begin_look();
            self.forget(root.locations());
        }
        Ok(())
    }

    /// Looks at everything. Do it in a thread: it takes as long as listing all watched folders.
    pub fn look(&self) {
        let _look = self.begin_look();
        let roots = self.lock().roots.iter().cloned().collect();
        self.look_in(roots);
    }

    /// Looks at these places alone: at the state of a file or folder, at the entries of a
    /// folder, and at everything in new folders. A watched path is also looked at if its parent is named.
    ///
    /// `more` is called when these have been looked at. It returns further places for the same look, such as those that
    /// the platform has named meanwhile, and is called again until it returns none. Both ends of a rename have to be in
    /// one look.
    ///
    /// Returns the places that have to be looked at again, since they were named after this look had read them.
    ///
    /// ```
    /// use notify_backend::{listing::{Touched, Trees}, prelude::*};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let site = folder.path().to_owned();
    /// let trees = Trees::new();
    /// trees.watch(Watch::recursive(&site))?;
    /// std::fs::write(site.join("index"), "")?;
    ///
    /// let left = trees.look_at(vec![Touched::somehow(site.clone())], Vec::new);
    /// assert!(left.is_empty());
    /// assert_eq!(trees.next().unwrap()?, Event::create(CreateKind::File, site.join("index")));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "these places are not up to date"]
    pub fn look_at(
        &self,
        mut places: Vec<Touched>,
        mut more: impl FnMut() -> Vec<Touched>,
    ) -> Vec<Touched> {
        let _look = self.begin_look();
        let mut roots: Vec<_> = self.lock().roots.iter().cloned().collect();
        sort(&mut roots);
        let mut shared = self.share(&roots);
        self.take_held(&mut shared);
        let mut left = Vec::new();
        loop {
            // Those above come first: they find what is new.
            places.sort();
            for root in roots.iter().filter(|root| !root.is_stopped()) {
                root.look(Some(&places), &mut shared);
            }
            shared.goes_on = true;
            shared.earlier.clone_from(&shared.visited);
            let named = more();
            if named.is_empty() {
                break;
            }
            let (again, new): (Vec<_>, Vec<_>) =
                named.into_iter().partition(|place| shared.visited.contains(&place.path));
            left.extend(again);
            places = new;
        }
        left.extend(mem::take(&mut shared.left).into_iter().map(Touched::somehow));
        amid::find_moves(&roots, &mut shared);
        self.end(shared, false);
        left
    }

    /// Returns what the last look has found at `below`, a path relative to the watched path `watched`, and in it: the
    /// paths as events spell them, folders before their entries. Nothing, if there is nothing, or no such watch.
    ///
    /// A platform that says what happened before the first look needs it: a path that is not there any more is gone.
    ///
    /// ```
    /// use notify_backend::{listing::Trees, prelude::*};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let site = folder.path().to_owned();
    /// std::fs::write(site.join("index"), "")?;
    /// let trees = Trees::new();
    /// trees.watch(Watch::recursive(&site))?;
    ///
    /// let known = trees.known(&site, Path::new("index"));
    /// assert_eq!(known, [(site.join("index"), CreateKind::File)]);
    /// assert_eq!(trees.known(&site, Path::new("missing")), []);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn known(&self, watched: &Path, below: &Path) -> Vec<(PathBuf, CreateKind)> {
        let root = self.lock().roots.get(watched.as_os_str()).cloned();
        root.map(|root| root.known(below)).unwrap_or_default()
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

    /// Returns whether the last look has found that a file was moved away, and not where to. Nothing is reported until a
    /// further [`look_at`](Self::look_at) finds it, or begins more than 20 milliseconds later. It may have no places.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.lock().held.is_empty()
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

    /// Looks at these roots. If files are gone, it looks again, once: one that was moved amid the look may have come to a
    /// place that was looked at before. An observer knows that better.
    fn look_in(&self, mut roots: Vec<Arc<Root>>) {
        sort(&mut roots);
        loop {
            let mut shared = self.share(&roots);
            self.take_held(&mut shared);
            for root in roots.iter().filter(|root| !root.is_stopped()) {
                root.look(None, &mut shared);
            }
            amid::find_moves(&roots, &mut shared);
            let is_first = !shared.goes_on;
            self.end(shared, is_first);
            if self.observer.is_some() || !self.is_waiting() {
                return;
            }
        }
    }

    /// Goes on with a look that has found files gone, if there was one.
    fn take_held(&self, shared: &mut Shared<'_>) {
        let held = mem::take(&mut self.lock().held);
        shared.goes_on = !held.is_empty();
        shared.changes.held(held);
    }

    /// Begins a look at these roots.
    fn share(&self, roots: &[Arc<Root>]) -> Shared<'_> {
        let observer = self.observer.as_deref();
        Shared {
            reading: Reading { compare_contents: self.compare_contents, observer },
            tells_at_once: self.tells_at_once || observer.is_some(),
            listings: Listings::of(roots),
            changes: Changes::default(),
            last_birth: roots.iter().map(|root| root.lock().last_birth).max().unwrap_or_default(),
            visited: HashSet::new(),
            earlier: HashSet::new(),
            left: Vec::new(),
            gone: Vec::new(),
            goes_on: false,
            refusal: None,
        }
    }

    /// Ends a look: makes its items ready for the stream. If files `may_have_moved` amid it, all that are gone are held.
    fn end(&self, shared: Shared<'_>, may_have_moved: bool) {
        let Shared { changes, gone, reading, .. } = shared;
        let held_since = self.lock().held_since;
        let may_arrive = held_since.is_none_or(|since| since.elapsed() < ARRIVAL);
        let is_held = |place: &Place, was_held| match reading.observer {
            Some(observer) => may_arrive && (was_held || observer.exists(&place.location())),
            None => may_have_moved && place.state.identity().is_some(),
        };
        // Without the lock, on which a poll or a drop would wait.
        let (items, held) = changes.into_items(&self.next_tracker, is_held);
        let mut state = self.lock();
        state.delayed.extend(items);
        state.held.extend(held);
        state.gone.extend(gone);
        if !state.held.is_empty() {
            state.held_since.get_or_insert_with(Instant::now);
            return;
        }
        state.held_since = None;
        let items = mem::take(&mut state.delayed);
        state.ready.extend(items);
        let gone = mem::take(&mut state.gone);
        drop(state);
        self.forget(gone);
    }

    /// Ends observing these places, unless something there is watched.
    fn forget(&self, locations: Vec<PathBuf>) {
        let Some(observer) = &self.observer else { return };
        let roots: Vec<_> = self.lock().roots.iter().cloned().collect();
        for location in locations {
            if !roots.iter().any(|root| root.knows(&location)) {
                observer.forget(&location);
            }
        }
    }
}

/// Sorts roots for a look. Outer roots come first: an entry that lies in several roots is reported as the outer one
/// finds it.
fn sort(roots: &mut [Arc<Root>]) {
    roots.sort_by(|one, other| one.location.cmp(&other.location));
}

impl Default for Trees {
    fn default() -> Self {
        Self::new()
    }
}
