//! Mistakes in `new`, in the declared capabilities, in changing watches, and in cleaning up.

use std::{
    collections::{HashSet, VecDeque},
    fs, future, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
    thread::{self, ThreadId},
    time::Duration,
};

use notify_backend::{About, Limit, prelude::*};
use notify_backend_inotify::InotifyBackend;
use rustix::{
    fs::inotify,
    io::{FdFlags, fcntl_setfd},
    time::{ClockId, clock_gettime},
};

use crate::{
    kills::{Entry, entry},
    mutant::{Mutation, is_sentinel},
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<BareErrors>("bare_errors", &["CON01", "CON02", "CON05", "CON07", "CON19", "CON20"]),
        entry::<NamesAllPaths>("names_all_paths", &["CON02"]),
        entry::<NamesFirstMissing>("names_first_missing", &["CON02"]),
        entry::<RefusesOddFolders>("refuses_odd_folders", &["CON08", "REC11"]),
        entry::<PanicsOnLongPaths>("panics_on_long_paths", &["CON06", "CON04"]),
        entry::<WatchesTwice>("watches_twice", &["CON09"]),
        entry::<Canonicalises>("canonicalises", &["CON10", "SYM01", "SYM09", "ROOT10"]),
        entry::<LosesBeforeFirstPoll>("loses_before_first_poll", &["CON11", "CON15"]),
        entry::<ReportsWhatExists>("reports_what_exists", &["CON12"]),
        entry::<ChangingCapabilities>("changing_capabilities", &["CON13"]),
        entry::<DeclaresMoreLater>("declares_more_later", &["CON13"]),
        entry::<NameWithTwoSlashes>("name_with_two_slashes", &["CON14"]),
        entry::<BoundToThread>("bound_to_thread", &["CON16"]),
        entry::<NoRuntimeCheck>("no_runtime_check", &["CON17"]),
        entry::<RuntimeOfItsOwn>("runtime_of_its_own", &["CON17"]),
        entry::<OneAtATime>("one_at_a_time", &["CON18", "STR17"]),
        entry::<HidesErrors>("hides_errors", &["CON21", "CON26", "REC11"]),
        entry::<WatchesWhatFits>("watches_what_fits", &["CON20"]),
        entry::<NamesOtherLimit>("names_other_limit", &["CON20", "CON21"]),
        entry::<NeverDone>("never_done", &["CON22"]),
        entry::<FollowsLoops>("follows_loops", &["SYM04", "REC13"]),
        entry::<ClaimsNoFiles>("claims_nofiles", &["CON03"]),
        entry::<ClaimsNoFolders>("claims_no_folders", &["CON23"]),
        entry::<ClaimsNoChanges>("claims_no_changes", &["CHG08"]),
        entry::<ClaimsEntireFilesystem>("claims_entire_filesystem", &["SCALE05"]),
        entry::<LooksAtForeignEvents>("looks_at_foreign_events", &["SCALE06"]),
        entry::<KeepsHalf>("keeps_half", &["CHG10"]),
        entry::<Understates>("understates", &["CON24"]),
        entry::<FollowsUndeclared>("follows_undeclared", &["SYM11"]),
        entry::<FollowsAlways>("follows_always", &["SYM02", "SYM06", "SYM07"]),
        entry::<FollowsNever>("follows_never", &["SYM01", "SYM09", "ROOT10", "CON07"]),
        entry::<AccessUndeclared>("access_undeclared", &["ACC09"]),
        entry::<AccessAlways>("access_always", &["ACC04", "OVF10"]),
        entry::<AccessNever>("access_never", &["ACC01", "ACC02", "ACC03"]),
        entry::<AccessForAll>("access_for_all", &["ACC08"]),
        entry::<LeaksDescriptor>("leaks_descriptor", &["RES01"]),
        entry::<LeaksTask>("leaks_task", &["RES01"]),
        entry::<LeaksOnError>("leaks_on_error", &["RES02"]),
        entry::<LeaksMemory>("leaks_memory", &["RES03", "REN11"]),
        entry::<Inherited>("inherited", &["STR15"]),
        entry::<TouchesTree>("touches_tree", &["RES08"]),
        entry::<WatchesEachFile>("watches_each_file", &["RES04"]),
        entry::<OwnFoldersOnly>("own_folders_only", &["PERM04"]),
        entry::<HoldsFolder>("holds_folder", &["ROOT07"]),
        entry::<PanicsInThread>("panics_in_thread", &["FIL01", "RES05", "RES06"]),
        entry::<GapInChanges>("gap_in_changes", &["CHG01", "CHG03"]),
        entry::<UnwatchesNothing>("unwatches_nothing", &["CHG02", "CHG07"]),
        entry::<UnwatchesAnything>("unwatches_anything", &["CHG04", "CHG05"]),
        entry::<KeepsDepth>("keeps_depth", &["CHG06"]),
        entry::<FollowsRootAlone>("follows_root_alone", &["SYM10", "SYM12", "SYM13"]),
        entry::<FollowsOneStep>("follows_one_step", &["SYM10", "SYM12"]),
        entry::<FollowsOldLinks>("follows_old_links", &["SYM10", "SYM13"]),
        entry::<FollowsToFiles>("follows_to_files", &["SYM14"]),
        entry::<NamesFolderAlone>("names_folder_alone", &["CON25"]),
        entry::<BlamesFolderAbove>("blames_folder_above", &["CON26", "REC11"]),
        entry::<WatchesRemovedFolder>("watches_removed_folder", &["CON27"]),
        entry::<ComparesComponents>("compares_components", &["CHG04", "CHG11"]),
        entry::<ReadsAhead>("reads_ahead", &["CHG12"]),
        entry::<UnwatchesAlike>("unwatches_alike", &["CHG13"]),
        entry::<UnwatchesBelow>("unwatches_below", &["CHG13"]),
        entry::<UnwatchesForBoth>("unwatches_for_both", &["CHG13"]),
        entry::<KeepsWatches>("keeps_watches", &["CHG14"]),
        entry::<KeepsWatchesOfMoved>("keeps_watches_of_moved", &["CHG14"]),
        entry::<KeepsWatchesOfFailed>("keeps_watches_of_failed", &["CHG14"]),
        entry::<KeepsTreeOfFailed>("keeps_tree_of_failed", &["CHG17"]),
        entry::<WatchesHalfOfFailed>("watches_half_of_failed", &["CHG17"]),
        entry::<BooksFailed>("books_failed", &["CHG17"]),
        entry::<DropsAllAtFailure>("drops_all_at_failure", &["CHG17"]),
        entry::<NeedsFirstWatch>("needs_first_watch", &["CHG18"]),
        entry::<EndsWithoutWatches>("ends_without_watches", &["CHG18", "CON04"]),
        entry::<SleepsUntilAsked>("sleeps_until_asked", &["CHG18"]),
        entry::<RefusesEmptyLists>("refuses_empty_lists", &["CHG18"]),
        entry::<LeavesOutByPath>("leaves_out_by_path", &["CHG15"]),
        entry::<LeavesOutByComponents>("leaves_out_by_components", &["CHG11"]),
        entry::<DrainsWithoutWaker>("drains_without_waker", &["CHG15"]),
        entry::<FiltersByName>("filters_by_name", &["CHG16"]),
        entry::<EndsByOlderRename>("ends_by_older_rename", &["CHG16"]),
        entry::<TakesTheFirst>("takes_the_first", &["CON09"]),
    ]
}

pub(crate) type Made<M> = Result<(InotifyBackend, M), BackendError>;

macro_rules! mutations {
    ($($name:ident)*) => {
        $(#[derive(Debug, Default)] pub(crate) struct $name;)*
    };
}

mutations! {
    BareErrors NamesAllPaths NamesFirstMissing RefusesOddFolders PanicsOnLongPaths
    ChangingCapabilities DeclaresMoreLater NameWithTwoSlashes NoRuntimeCheck RuntimeOfItsOwn HidesErrors NeverDone FollowsLoops ClaimsNoFiles ClaimsNoFolders ClaimsNoChanges
    KeepsHalf Understates FollowsUndeclared FollowsAlways FollowsNever AccessUndeclared AccessAlways AccessNever
    ClaimsEntireFilesystem AccessForAll LeaksDescriptor LeaksTask LeaksOnError TouchesTree PanicsInThread
    UnwatchesNothing UnwatchesAnything KeepsDepth Canonicalises OwnFoldersOnly FollowsRootAlone FollowsOneStep FollowsToFiles NamesFolderAlone
    BlamesFolderAbove WatchesRemovedFolder DrainsWithoutWaker TakesTheFirst NeedsFirstWatch RefusesEmptyLists
}

fn made<M: Default>(watches: Vec<Watch>) -> Made<M> {
    Ok((InotifyBackend::new(watches)?, M::default()))
}

/// Passes on the platform's bare errors, and only from `new`.
impl Mutation for BareErrors {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if item.is_ok() {
            reported.push_back(item);
        }
    }
    fn new(watches: Vec<Watch>) -> Made<Self> {
        made(watches).map_err(|error| {
            let path = error.paths().first().cloned().unwrap_or_default();
            BackendError::from_io(path, io::Error::other(error.to_string()))
        })
    }
}

/// Says that all paths are missing if one is.
impl Mutation for NamesAllPaths {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let all: Vec<_> = watches.iter().map(|watch| watch.path.clone()).collect();
        made(watches).map_err(|error| match error {
            BackendError::NotFound { .. } => BackendError::not_found(all),
            other => other,
        })
    }
}

/// Gives up at the first missing path.
impl Mutation for NamesFirstMissing {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        made(watches).map_err(|error| match error {
            BackendError::NotFound { paths, .. } => {
                BackendError::not_found(paths.into_iter().take(1))
            }
            other => other,
        })
    }
}

/// Fails if an entry cannot be listed.
impl Mutation for RefusesOddFolders {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        for watch in &watches {
            for entry in fs::read_dir(&watch.path).into_iter().flatten().flatten() {
                let is_folder = entry.path().is_dir();
                let looked = if is_folder {
                    fs::read_dir(entry.path()).map(drop)
                } else {
                    fs::metadata(entry.path()).map(drop)
                };
                looked.map_err(|error| BackendError::from_io(entry.path(), error))?;
            }
        }
        made(watches)
    }
}

/// Trusts its input.
impl Mutation for PanicsOnLongPaths {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let first = watches.first().expect("there is a path");
        assert!(first.path.as_os_str().len() < 300, "the path is not that long");
        made(watches)
    }
}

/// Watches the same folder twice.
#[derive(Debug, Default)]
pub(crate) struct WatchesTwice {
    twice: bool,
}
impl Mutation for WatchesTwice {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let twice = watches.len() > 1;
        Ok((InotifyBackend::new(watches)?, Self { twice }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let (true, Ok(event)) = (self.twice, &item) {
            reported.push_back(Ok(event.clone()));
        }
        reported.push_back(item);
    }
}

/// Resolves the given paths.
impl Mutation for Canonicalises {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let resolve = |mut watch: Watch| {
            if let Ok(path) = watch.path.canonicalize() {
                watch.path = path;
            }
            watch
        };
        made(watches.into_iter().map(resolve).collect())
    }
}

/// Sets its watches up at the first poll.
#[derive(Debug, Default)]
pub(crate) struct LosesBeforeFirstPoll {
    watches: Vec<Watch>,
}
impl Mutation for LosesBeforeFirstPoll {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((InotifyBackend::new(watches.clone())?, Self { watches }))
    }
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        if !self.watches.is_empty() {
            let watches = std::mem::take(&mut self.watches);
            *inner = InotifyBackend::new(watches).expect("they were watched before");
        }
        Pin::new(inner).poll_next(cx)
    }
}

/// Reports the entries that its first scan finds.
#[derive(Debug, Default)]
pub(crate) struct ReportsWhatExists {
    found: Vec<PathBuf>,
}
impl Mutation for ReportsWhatExists {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let folders = watches.iter().map(|watch| fs::read_dir(&watch.path));
        let found = folders.flatten().flatten().flatten().map(|entry| entry.path()).collect();
        Ok((InotifyBackend::new(watches)?, Self { found }))
    }
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        match self.found.pop() {
            Some(path) => Poll::Ready(Some(Ok(Event::create(CreateKind::Any, path)))),
            None => Pin::new(inner).poll_next(cx),
        }
    }
}

/// Declares something different at each call.
impl Mutation for ChangingCapabilities {
    fn capabilities(right: Capabilities) -> Capabilities {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        if CALLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            right
        } else {
            right.without(Capability::EmitOnAccess)
        }
    }
}

/// Declares what turned out to be possible in `new`.
impl Mutation for DeclaresMoreLater {
    fn capabilities(right: Capabilities) -> Capabilities {
        let is_made = MADE.load(Ordering::Relaxed) > 0;
        if is_made { right } else { right.without(Capability::EmitOnAccess) }
    }
    fn new(watches: Vec<Watch>) -> Made<Self> {
        MADE.fetch_add(1, Ordering::Relaxed);
        made(watches)
    }
}
static MADE: AtomicUsize = AtomicUsize::new(0);

impl Mutation for NameWithTwoSlashes {
    fn name() -> &'static str {
        "mutants/linux/inotify"
    }
}

/// Works only on the thread that created it.
#[derive(Debug, Default)]
pub(crate) struct BoundToThread {
    home: Option<ThreadId>,
}
impl Mutation for BoundToThread {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((InotifyBackend::new(watches)?, Self { home: Some(thread::current().id()) }))
    }
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        if self.home == Some(thread::current().id()) {
            Pin::new(inner).poll_next(cx)
        } else {
            Poll::Pending
        }
    }
}

/// Lets Tokio panic if there is no runtime.
impl Mutation for NoRuntimeCheck {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let _handle = tokio::runtime::Handle::current();
        made(watches)
    }
}

/// Replaces a missing runtime by one that does not last.
impl Mutation for RuntimeOfItsOwn {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        if tokio::runtime::Handle::try_current().is_ok() {
            return made(watches);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async { made(watches) })
    }
}

static LIVING: AtomicUsize = AtomicUsize::new(0);

/// Keeps its state in a static.
#[derive(Debug, Default)]
pub(crate) struct OneAtATime;
impl Mutation for OneAtATime {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mutation = Self;
        if LIVING.fetch_add(1, Ordering::SeqCst) > 0 {
            let reason = "there is one already";
            return Err(BackendError::unavailable(reason));
        }
        Ok((InotifyBackend::new(watches)?, mutation))
    }
}
impl Drop for OneAtATime {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Does not report paths that could not be watched.
impl Mutation for HidesErrors {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if item.is_ok() {
            reported.push_back(item);
        }
    }
}

/// Never finishes setting up a watch in the system's own folders.
impl Mutation for NeverDone {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        while watches.iter().any(|watch| watch.path.starts_with("/proc")) {
            thread::park();
        }
        made(watches)
    }
}

/// Returns the processor time of this thread.
fn used_time() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.try_into().expect("in range")
}

/// Follows links without remembering visited folders, and takes very long in deep trees.
impl Mutation for FollowsLoops {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        fn walk(folder: &Path, left: &mut usize) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                *left = left.saturating_sub(1);
                if *left > 0 && entry.path().is_dir() {
                    walk(&entry.path(), left);
                }
            }
        }
        // Instead of hours.
        const LONG: Duration = Duration::from_secs(11);

        let start = used_time();
        let mut left = 2000;
        for watch in &watches {
            walk(&watch.path, &mut left);
        }
        // Computes, as such a walk does: the suite may take a sleep for waiting.
        while left == 0 && used_time().saturating_sub(start) < LONG {}
        made(watches)
    }
}

impl Mutation for ClaimsNoFiles {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.without(Capability::WatchFiles)
    }
}

impl Mutation for ClaimsNoFolders {
    fn capabilities(_: Capabilities) -> Capabilities {
        Capabilities::declare(&[Capability::WatchFiles, Capability::ChangeWatches])
    }
}

/// Walks through the tree although it declares `WatchEntireFilesystem`.
impl Mutation for ClaimsEntireFilesystem {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.with(Capability::WatchEntireFilesystem)
    }
}

/// Receives all events beside the watched folder, and lists the folder of each event before dropping it.
#[derive(Debug, Default)]
pub(crate) struct LooksAtForeignEvents {
    roots: Vec<PathBuf>,
}
impl Mutation for LooksAtForeignEvents {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.with(Capability::WatchEntireFilesystem)
    }

    fn new(mut watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let roots: Vec<_> = watches.iter().map(|watch| watch.path.clone()).collect();
        let beside = roots.iter().filter_map(|path| path.parent());
        watches.extend(beside.map(Watch::recursive));
        Ok((InotifyBackend::new(watches)?, Self { roots }))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &item
            && let Some(folder) = event.path.parent()
            && self.roots.iter().all(|root| !event.path.starts_with(root))
        {
            _ = fs::read_dir(folder).map(Iterator::count);
            return;
        }
        reported.push_back(item);
    }
}

impl Mutation for ClaimsNoChanges {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.without(Capability::ChangeWatches)
    }
}

/// Goes on watching the paths that it added before one failed.
impl Mutation for KeepsHalf {
    fn watch_all(
        &mut self,
        inner: &mut InotifyBackend,
        watches: Vec<Watch>,
    ) -> Result<(), BackendError> {
        watches.into_iter().try_for_each(|watch| inner.watch(watch))
    }
}

/// Promises less for a value than for its type.
impl Mutation for Understates {
    fn about(mut right: About) -> About {
        right.capabilities = right.capabilities.without(Capability::ChangeWatches);
        right
    }
}

/// A change of each watch, before the backend gets it.
fn asked<M: Default>(mut watches: Vec<Watch>, change: impl FnMut(&mut Watch)) -> Made<M> {
    watches.iter_mut().for_each(change);
    made(watches)
}

/// Follows links on request, though it does not declare it.
impl Mutation for FollowsUndeclared {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.without(Capability::FollowSymlinks)
    }
}

/// Follows links that it is not asked to follow.
impl Mutation for FollowsAlways {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        asked(watches, |watch| watch.follow_links = true)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        reported.push_back(item.map(|event| match event.kind {
            EventKind::Create(_) if event.path.is_dir() => {
                Event::create(CreateKind::Folder, event.path)
            }
            _ => event,
        }));
    }
}

/// Follows no links, though it is asked to.
impl Mutation for FollowsNever {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        asked(watches, |watch| watch.follow_links = false)
    }
}

/// Reports accesses on request, though it does not declare it.
impl Mutation for AccessUndeclared {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.without(Capability::EmitOnAccess)
    }
}

/// Reports accesses that no watch asks for.
impl Mutation for AccessAlways {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        asked(watches, |watch| watch.access = true)
    }
}

/// Reports no accesses, though it is asked to.
impl Mutation for AccessNever {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        asked(watches, |watch| watch.access = false)
    }
}

/// Reports accesses of everything if one watch asks.
impl Mutation for AccessForAll {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let access = watches.iter().any(|watch| watch.access);
        asked(watches, |watch| watch.access = access)
    }
}

impl Mutation for LeaksDescriptor {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        std::mem::forget(fs::File::open("/dev/null"));
        made(watches)
    }
}

/// Leaves a task in the runtime that waits forever.
impl Mutation for LeaksTask {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(future::pending::<()>());
        }
        made(watches)
    }
}

impl Mutation for LeaksOnError {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        made(watches).inspect_err(|_| std::mem::forget(fs::File::open("/dev/null")))
    }
}

/// Stores every path that it has ever seen.
#[derive(Debug, Default)]
pub(crate) struct LeaksMemory {
    seen: Vec<[u8; 400]>,
}
impl Mutation for LeaksMemory {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        self.seen.push([1; 400]);
        reported.push_back(item);
    }
}

/// Lets other programs inherit a descriptor.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    _descriptor: Option<fs::File>,
}
impl Mutation for Inherited {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let file = fs::File::open("/dev/null").expect("it is there");
        fcntl_setfd(&file, FdFlags::empty()).expect("the flag can be cleared");
        Ok((InotifyBackend::new(watches)?, Self { _descriptor: Some(file) }))
    }
}

/// Creates a file to find out whether events arrive.
impl Mutation for TouchesTree {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        for watch in &watches {
            let probe = watch.path.join(".probe");
            _ = fs::write(&probe, "").and_then(|()| fs::remove_file(&probe));
        }
        made(watches)
    }
}

/// Holds the watched folders open.
#[derive(Debug, Default)]
pub(crate) struct HoldsFolder {
    _held: Vec<fs::File>,
}
impl Mutation for HoldsFolder {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let held = watches.iter().filter_map(|watch| fs::File::open(&watch.path).ok()).collect();
        Ok((InotifyBackend::new(watches)?, Self { _held: held }))
    }
}

impl Mutation for PanicsInThread {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let helper = thread::Builder::new().name("helper".into());
        let helper = helper.spawn(|| panic!("no such file")).expect("it starts");
        _ = helper.join();
        made(watches)
    }
}

/// Sets everything up again for each change, and scans as if it had seen nothing yet.
#[derive(Debug, Default)]
pub(crate) struct GapInChanges {
    watches: Vec<Watch>,
}
impl Mutation for GapInChanges {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((InotifyBackend::new(watches.clone())?, Self { watches }))
    }
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        let found = watch.path.join("before");
        self.watches.push(watch);
        *inner = InotifyBackend::new(self.watches.clone())?;
        if found.exists() {
            fs::write(found, "").expect("it can be written");
        }
        Ok(())
    }
}

impl Mutation for UnwatchesNothing {
    fn unwatch(&mut self, _: &mut InotifyBackend, _: &Path) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Accepts any path, watched or not.
impl Mutation for UnwatchesAnything {
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        _ = inner.watch(watch);
        Ok(())
    }
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        _ = inner.unwatch(path);
        Ok(())
    }
}

impl Mutation for KeepsDepth {
    fn watch(&mut self, _: &mut InotifyBackend, _: Watch) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Follows a watched link, and none below.
impl Mutation for FollowsRootAlone {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        asked(watches, |watch| watch.follow_links &= watch.path.is_symlink())
    }
}

/// Returns the links on a path, below the folder of the case.
fn links_above(path: &Path) -> impl Iterator<Item = &Path> {
    path.ancestors().skip(1).filter(|above| above.is_symlink())
}

/// Follows a link to a folder, but not one that leads there through another link.
impl Mutation for FollowsOneStep {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_straight = |link: &Path| {
            let target =
                link.parent().map(|folder| folder.join(fs::read_link(link).unwrap_or_default()));
            target.is_some_and(|target| !target.ancestors().any(Path::is_symlink))
        };
        let is_seen =
            |event: &Event| is_sentinel(&event.path) || links_above(&event.path).all(is_straight);
        if item.as_ref().map_or(true, is_seen) {
            reported.push_back(item);
        }
    }
}

/// Follows the links that exist at the start, to their targets at that time.
#[derive(Debug, Default)]
pub(crate) struct FollowsOldLinks {
    new: HashSet<PathBuf>,
}
impl Mutation for FollowsOldLinks {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let is_new = |link: &Path| self.new.iter().any(|new| link.starts_with(new));
        let is_seen = is_sentinel(&event.path) || !links_above(&event.path).any(is_new);
        let to = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        if matches!(event.kind, EventKind::Create(_)) || event.kind == to {
            self.new.insert(event.path.clone());
        }
        if is_seen {
            reported.push_back(Ok(event));
        }
    }
}

/// Follows links to files in a tree too.
impl Mutation for FollowsToFiles {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let deep = watches.iter().filter(|watch| watch.recursive && watch.follow_links);
        let entries = deep.flat_map(|watch| fs::read_dir(&watch.path)).flatten().flatten();
        let links =
            entries.map(|entry| entry.path()).filter(|path| path.is_symlink() && path.is_file());
        let links: Vec<_> =
            links.map(|link| Watch::non_recursive(link).following_links()).collect();
        made([watches, links].concat())
    }
}

/// Names only the folder in an error about a file.
impl Mutation for NamesFolderAlone {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        made(watches).map_err(|error| match error {
            BackendError::PermissionDenied { paths, .. } => {
                let folder = paths[0].parent().unwrap_or(&paths[0]);
                BackendError::from_io(folder, io::ErrorKind::PermissionDenied.into())
            }
            other => other,
        })
    }
}

/// Reports an error of a subfolder for the folder above.
impl Mutation for BlamesFolderAbove {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        reported.push_back(item.map_err(|error| match error {
            StreamError::Unwatched { path, cause, .. } => {
                StreamError::unwatched(path.parent().unwrap_or(&path), *cause)
            }
            other => other,
        }));
    }
}

/// Does not notice that a folder was removed.
impl Mutation for WatchesRemovedFolder {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let is_here = watches.iter().any(|watch| watch.path == Path::new("."));
        made(watches).or_else(|error| match error {
            BackendError::NotFound { .. } if is_here => made(Vec::new()),
            other => Err(other),
        })
    }
}

/// Keeps its watches by path, and treats paths with the same components as equal.
#[derive(Debug, Default)]
pub(crate) struct ComparesComponents {
    watched: HashSet<PathBuf>,
}
impl Mutation for ComparesComponents {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let paths = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { watched: paths }))
    }
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        if let Some(known) = self.watched.take(&watch.path) {
            inner.unwatch(&known)?;
        }
        self.watched.insert(watch.path.clone());
        inner.watch(watch)
    }
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        let known = self.watched.take(path);
        inner.unwatch(known.as_deref().unwrap_or(path))
    }
}

/// Reads all available events at once, and keeps them when a watch is removed.
#[derive(Debug, Default)]
pub(crate) struct ReadsAhead {
    ahead: VecDeque<StreamItem>,
}
impl Mutation for ReadsAhead {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        while let Poll::Ready(Some(item)) = Pin::new(&mut *inner).poll_next(cx) {
            self.ahead.push_back(item);
        }
        self.ahead.pop_front().map_or(Poll::Pending, |item| Poll::Ready(Some(item)))
    }
}

/// Reads all available events at once; when a watch is removed, keeps those below a watched path.
#[derive(Debug, Default)]
pub(crate) struct LeavesOutByPath {
    paths: Vec<PathBuf>,
    ahead: VecDeque<StreamItem>,
}
impl Mutation for LeavesOutByPath {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let paths = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { paths, ahead: VecDeque::new() }))
    }

    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        while let Poll::Ready(Some(item)) = Pin::new(&mut *inner).poll_next(cx) {
            self.ahead.push_back(item);
        }
        while let Some(item) = self.ahead.pop_front() {
            let is_below = |path: &Path| self.paths.iter().any(|root| path.starts_with(root));
            if item.as_ref().map_or(true, |event| is_below(&event.path)) {
                return Poll::Ready(Some(item));
            }
        }
        Poll::Pending
    }

    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        let path = watch.path.clone();
        inner.watch(watch)?;
        self.paths.push(path);
        Ok(())
    }

    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        self.paths.retain(|watched| watched != path);
        inner.unwatch(path)
    }
}

/// The same, with watches by their spelling: only the waiting events are compared by components.
#[derive(Debug, Default)]
pub(crate) struct LeavesOutByComponents(LeavesOutByPath);
impl Mutation for LeavesOutByComponents {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        LeavesOutByPath::new(watches).map(|(inner, mutation)| (inner, Self(mutation)))
    }

    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        self.0.poll(inner, cx)
    }

    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        self.0.watch(inner, watch)
    }

    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        self.0.paths.retain(|watched| watched.as_os_str() != path.as_os_str());
        inner.unwatch(path)
    }
}

/// Keeps the folder of a file watched, and drops the events of other files.
#[derive(Debug, Default)]
pub(crate) struct FiltersByName {
    asked: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}
impl FiltersByName {
    /// Returns the watch to add instead of `watch`, if it does not exist yet.
    fn instead_of(&mut self, mut watch: Watch) -> Option<Watch> {
        self.asked.push(watch.path.clone());
        if watch.path.is_file() {
            watch.path.pop();
        }
        let is_new = !self.folders.contains(&watch.path);
        self.folders.push(watch.path.clone());
        is_new.then_some(watch)
    }
}
impl Mutation for FiltersByName {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut filter = Self::default();
        let watches = watches.into_iter().filter_map(|watch| filter.instead_of(watch)).collect();
        Ok((InotifyBackend::new(watches)?, filter))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_asked = |path: &Path| self.asked.iter().any(|asked| asked == path);
        let is_wanted = |path: &Path| is_asked(path) || path.parent().is_some_and(is_asked);
        if item.as_ref().map_or(true, |event| is_wanted(&event.path)) {
            reported.push_back(item);
        }
    }

    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        self.instead_of(watch).map_or(Ok(()), |watch| inner.watch(watch))
    }

    fn unwatch(&mut self, _inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        self.asked.retain(|asked| asked != path);
        Ok(())
    }
}

/// When it reads that the folder of a file was renamed, ends all watches in that folder, even later ones.
#[derive(Debug, Default)]
pub(crate) struct EndsByOlderRename {
    added: Vec<PathBuf>,
}
impl Mutation for EndsByOlderRename {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        let polled = Pin::new(&mut *inner).poll_next(cx);
        if let Poll::Ready(Some(Ok(event))) = &polled
            && event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::From))
        {
            for path in self.added.extract_if(.., |path| path.parent() == event.path.parent()) {
                _ = inner.unwatch(&path);
            }
        }
        polled
    }

    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        self.added.push(watch.path.clone());
        inner.watch(watch)
    }
}

/// Removes waiting items by polling, with a waker that wakes nothing.
impl Mutation for DrainsWithoutWaker {
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        let mut cx = Context::from_waker(Waker::noop());
        while Pin::new(&mut *inner).poll_next(&mut cx).is_ready() {}
        inner.unwatch(path)
    }
}

/// Of several watches of one path, keeps only the first.
impl Mutation for TakesTheFirst {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut first: Vec<Watch> = Vec::new();
        for watch in watches {
            if first.iter().all(|it| it.path.as_os_str() != watch.path.as_os_str()) {
                first.push(watch);
            }
        }
        made(first)
    }
}

/// Mutations that remove more than the given watch.
macro_rules! unwatch_too_much {
    ($($(#[$doc:meta])* $name:ident = |$path:ident, $gone:ident| $is_lost:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                gone: Vec<PathBuf>,
            }
            impl Mutation for $name {
                fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    let is_lost = |$path: &Path| self.gone.iter().any(|$gone| $is_lost);
                    if !item.as_ref().is_ok_and(|event| is_lost(&event.path)) {
                        reported.push_back(item);
                    }
                }
                fn unwatch(
                    &mut self,
                    inner: &mut InotifyBackend,
                    path: &Path,
                ) -> Result<(), BackendError> {
                    self.gone.push(path.into());
                    inner.unwatch(path)
                }
            }
        )*
    };
}

unwatch_too_much! {
    /// Also removes the watches of paths that begin with the same letters.
    UnwatchesAlike = |path, gone| {
        let (path, gone) = (path.as_os_str().as_bytes(), gone.as_os_str().as_bytes());
        path.starts_with(gone) && path.get(gone.len()).is_some_and(|&next| next != b'/')
    };
    /// Also removes the watches inside the folder.
    UnwatchesBelow = |path, gone| {
        path.strip_prefix(gone).is_ok_and(|below| below.components().count() > 1)
            || path.extension().is_some() && path.parent() == Some(gone)
    };
    /// Removes the platform's watch that another watch needs too.
    UnwatchesForBoth = |path, gone| path == gone || path.parent() == Some(gone);
}

/// Adds watches that are never removed.
#[derive(Debug)]
pub(crate) struct Leak(rustix::fd::OwnedFd);
impl Default for Leak {
    fn default() -> Self {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        Self(inotify::init(flags).expect("an inotify instance"))
    }
}
impl Leak {
    /// Adds a watch on the path, or on its nearest ancestor if it does not exist any more.
    fn watch(&self, path: &Path) {
        let there = path.ancestors().find(|path| path.exists()).expect("the root folder is there");
        inotify::add_watch(&self.0, there, inotify::WatchFlags::MODIFY).expect("a watch");
    }
}

/// At the limit, watches the folder without those below it, and does not say so.
#[derive(Debug, Default)]
pub(crate) struct WatchesWhatFits;
impl Mutation for WatchesWhatFits {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let shallow = watches.iter().map(|watch| Watch::non_recursive(&watch.path)).collect();
        match made(watches) {
            Err(BackendError::WatchLimit { .. }) => made(shallow),
            answer => answer,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct KeepsWatches(Leak);
impl Mutation for KeepsWatches {
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        self.0.watch(path);
        inner.unwatch(path)
    }
}

/// Keeps the watches of a folder that is moved out of the watched paths.
#[derive(Debug, Default)]
pub(crate) struct KeepsWatchesOfMoved(Leak);
impl Mutation for KeepsWatchesOfMoved {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &item
            && event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::From))
        {
            self.0.watch(&event.path);
        }
        reported.push_back(item);
    }
}

/// Keeps the platform's watches of paths that were added before one failed.
#[derive(Debug, Default)]
pub(crate) struct KeepsWatchesOfFailed(Leak);
impl Mutation for KeepsWatchesOfFailed {
    fn watch_all(
        &mut self,
        inner: &mut InotifyBackend,
        watches: Vec<Watch>,
    ) -> Result<(), BackendError> {
        let first = watches.first().expect("there is one").path.clone();
        inner.watch_all(watches).inspect_err(|_| self.0.watch(&first))
    }
}

fn is_at_limit(answer: &Result<(), BackendError>) -> bool {
    matches!(answer, Err(BackendError::WatchLimit { .. }))
}

/// Keeps the watch of the last folder before the limit.
#[derive(Debug, Default)]
pub(crate) struct KeepsTreeOfFailed(Leak);
impl Mutation for KeepsTreeOfFailed {
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        let path = watch.path.clone();
        let answer = inner.watch(watch);
        if is_at_limit(&answer) {
            // If there was no room for any, there is none for this one.
            _ = inotify::add_watch(&self.0.0, path, inotify::WatchFlags::MODIFY);
        }
        answer
    }
}

/// Mutations that make a mistake after they have returned that the limit is reached.
macro_rules! at_limit {
    ($($(#[$doc:meta])* $name:ident = |$inner:ident, $path:ident| $does:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                watched: Vec<PathBuf>,
            }
            impl Mutation for $name {
                fn new(watches: Vec<Watch>) -> Made<Self> {
                    let watched = watches.iter().map(|watch| watch.path.clone()).collect();
                    Ok((InotifyBackend::new(watches)?, Self { watched }))
                }
                fn watch(
                    &mut self,
                    $inner: &mut InotifyBackend,
                    watch: Watch,
                ) -> Result<(), BackendError> {
                    let watched = &self.watched;
                    let $path = watch.path.clone();
                    let answer = $inner.watch(watch);
                    if is_at_limit(&answer) {
                        $does(watched);
                    }
                    answer
                }
            }
        )*
    };
}

at_limit! {
    /// Goes on watching the folders for which there was room.
    WatchesHalfOfFailed = |inner, path| |_: &Vec<PathBuf>| _ = inner.watch(Watch::non_recursive(path));
    /// Records that the folder is watched.
    BooksFailed = |inner, path| |_: &Vec<PathBuf>| _ = inner.watch(Watch::non_recursive(path.join("0")));
    /// Starts again, without the earlier watches.
    DropsAllAtFailure = |inner, _path| |watched: &Vec<PathBuf>| {
        for path in watched {
            _ = inner.unwatch(path);
        }
    };
}

/// Cannot be created with no paths.
impl Mutation for NeedsFirstWatch {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        if watches.is_empty() {
            return Err(BackendError::unavailable("there is nothing to watch"));
        }
        made(watches)
    }
}

/// Mutations that return their own result from each poll while no path is watched.
macro_rules! before_the_first {
    ($($(#[$doc:meta])* $name:ident = $answer:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                has_watches: bool,
            }
            impl Mutation for $name {
                fn new(watches: Vec<Watch>) -> Made<Self> {
                    let has_watches = !watches.is_empty();
                    Ok((InotifyBackend::new(watches)?, Self { has_watches }))
                }
                fn watch(
                    &mut self,
                    inner: &mut InotifyBackend,
                    watch: Watch,
                ) -> Result<(), BackendError> {
                    self.has_watches = true;
                    inner.watch(watch)
                }
                fn poll(
                    &mut self,
                    inner: &mut InotifyBackend,
                    cx: &mut Context<'_>,
                ) -> Poll<Option<StreamItem>> {
                    if self.has_watches { Pin::new(inner).poll_next(cx) } else { $answer }
                }
            }
        )*
    };
}

before_the_first! {
    /// Ends the stream while no path is watched.
    EndsWithoutWatches = Poll::Ready(None);
    /// While no path is watched, has no source that could wake the task.
    SleepsUntilAsked = Poll::Pending;
}

impl Mutation for RefusesEmptyLists {
    fn watch_all(
        &mut self,
        inner: &mut InotifyBackend,
        watches: Vec<Watch>,
    ) -> Result<(), BackendError> {
        if watches.is_empty() {
            return Err(BackendError::unavailable("there is nothing to watch"));
        }
        inner.watch_all(watches)
    }
}

/// Watches each file in addition to its folder.
#[derive(Debug)]
pub(crate) struct WatchesEachFile {
    files: rustix::fd::OwnedFd,
}
impl Default for WatchesEachFile {
    fn default() -> Self {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        Self { files: inotify::init(flags).expect("an inotify instance") }
    }
}
impl Mutation for WatchesEachFile {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let (this, mut folders) = (Self::default(), Vec::new());
        folders.extend(watches.iter().map(|watch| watch.path.clone()));
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    let flags = inotify::WatchFlags::MODIFY;
                    inotify::add_watch(&this.files, entry.path(), flags).expect("a watch");
                }
            }
        }
        Ok((InotifyBackend::new(watches)?, this))
    }
}

/// Refuses the folders of other users.
impl Mutation for OwnFoldersOnly {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let user = rustix::process::geteuid().as_raw();
        let is_foreign = |path: &PathBuf| path.metadata().is_ok_and(|it| it.uid() != user);
        match watches.iter().map(|watch| &watch.path).find(|path| is_foreign(path)) {
            Some(path) => {
                let error = io::ErrorKind::PermissionDenied.into();
                Err(BackendError::from_io(path, error))
            }
            None => made(watches),
        }
    }
}

/// Names the limit of instances where that of watches is met.
#[derive(Debug, Default)]
struct NamesOtherLimit;
impl NamesOtherLimit {
    fn name(error: BackendError) -> BackendError {
        match error {
            BackendError::WatchLimit { .. } => {
                error.with_limit(Limit::sysctl("fs.inotify.max_user_instances"))
            }
            error => error,
        }
    }
}
impl Mutation for NamesOtherLimit {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((InotifyBackend::new(watches).map_err(Self::name)?, Self))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        reported.push_back(item.map_err(|error| match error {
            StreamError::Unwatched { path, cause, .. } => {
                StreamError::unwatched(path, Self::name(*cause))
            }
            error => error,
        }));
    }
}
