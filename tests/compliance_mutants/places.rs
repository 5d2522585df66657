//! Mistakes in some places of a tree and not in others.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    os::unix::fs::MetadataExt as _,
};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

use crate::{
    construction::HidesErrors,
    contents::{
        ComposesNames, CutsNames, DropsAccesses, DropsMetadata, HidesInHidden, Made,
        MakesTextOfFolders, MakesTextOfNames, MetadataAsData, MetadataMasks, PassesOverHidden,
        StopsAtLocked, TrimsNames, is_metadata, with_accesses,
    },
    kills::{Entry, entry},
    mutant::{Mutation, read_all},
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<Below<MakesTextOfNames>>("makes_text_of_names_below", &["NAME01"]),
        entry::<InNew<MakesTextOfNames>>("makes_text_of_names_in_new", &["NAME01"]),
        entry::<MakesTextOfFolders>("makes_text_of_folders", &["NAME01"]),
        entry::<InNew<TrimsNames>>("trims_names_in_new", &["NAME02"]),
        entry::<Below<CutsNames>>("cuts_names_below", &["NAME03"]),
        entry::<InNew<ComposesNames>>("composes_names_in_new", &["NAME04"]),
        entry::<Below<PassesOverHidden>>("passes_over_hidden_below", &["NAME07"]),
        entry::<HidesInHidden>("hides_in_hidden", &["NAME07"]),
        entry::<Below<DropsMetadata>>(
            "drops_metadata_below",
            &["META01", "META02", "META03", "META04", "META05", "META09"],
        ),
        entry::<InNew<DropsMetadata>>(
            "drops_metadata_in_new",
            &["META01", "META02", "META03", "META05", "META09"],
        ),
        entry::<Below<DropsMetadataOfFolders>>(
            "drops_metadata_of_folders_below",
            &["META01", "META02", "META05"],
        ),
        entry::<DropsMetadataOfFolders>("drops_metadata_of_folders", &["META05", "DIR05"]),
        entry::<InNew<MetadataMasks>>("metadata_masks_in_new", &["META06"]),
        entry::<Below<MetadataAsData>>("metadata_as_data_below", &["META07"]),
        entry::<Below<DropsAccesses>>(
            "drops_accesses_below",
            &["ACC01", "ACC02", "ACC03", "ACC08"],
        ),
        entry::<InNew<DropsAccesses>>(
            "drops_accesses_in_new",
            &["ACC01", "ACC02", "ACC03", "ACC08"],
        ),
        entry::<LoudInNew>("loud_in_new", &["ACC08"]),
        entry::<LoudInMoved>("loud_in_moved", &["ACC08"]),
        entry::<Below<TellsOwnLooks>>("tells_own_looks_below", &["ACC06"]),
        entry::<InNew<TellsOwnLooks>>("tells_own_looks_in_new", &["ACC06"]),
        entry::<AccessesInNew>("accesses_in_new", &["ACC04"]),
        entry::<InNew<StopsAtLocked>>("stops_at_locked_in_new", &["PERM01"]),
        entry::<Below<ForgetsLocked>>("forgets_locked", &["PERM05"]),
        entry::<InNew<HidesErrors>>("hides_errors_in_new", &["REC11"]),
        entry::<GivesUpLockedBelow>("gives_up_locked_below", &["REC12"]),
        entry::<GivesUpLockedInNew>("gives_up_locked_in_new", &["REC12"]),
        entry::<Below<PassesOverForeign>>("passes_over_foreign_below", &["PERM04"]),
        entry::<InNew<PassesOverForeign>>("passes_over_foreign_in_new", &["PERM04"]),
        entry::<StopsAtMounts>("stops_at_mounts", &["REC24"]),
        entry::<InNew<LooksFromHere>>("looks_from_here_in_new", &["CON10"]),
        entry::<FindsNoHidden>("finds_no_hidden", &["NAME07"]),
        entry::<TidiesRoots>("tidies_roots", &["CON10"]),
        entry::<RepeatsErrors>("repeats_errors", &["REC11"]),
        entry::<PlaceOfNow>("place_of_now", &["MOV03"]),
        entry::<OfAccesses<MakesTextOfNames>>("makes_text_of_accesses", &["NAME01"]),
        entry::<OfMetadata<MakesTextOfNames>>("makes_text_of_metadata", &["NAME01"]),
        entry::<OneHop>("one_hop", &["SYM01"]),
        entry::<SixtyFour>("sixty_four", &["CON28"]),
        entry::<KeepsTopOfInner>("keeps_top_of_inner", &["CHG13"]),
        entry::<CanonicalErrors>("canonical_errors", &["PERM07"]),
        entry::<DeafOverFolder>("deaf_over_folder", &["REC25"]),
    ]
}

/// When a folder is renamed over another one, ends the watches of both.
#[derive(Debug, Default)]
pub(crate) struct DeafOverFolder {
    folders: HashSet<PathBuf>,
    deaf: HashSet<PathBuf>,
}

impl Mutation for DeafOverFolder {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let entries = watches.iter().filter_map(|watch| fs::read_dir(&watch.path).ok()).flatten();
        let paths = entries.flatten().map(|entry| entry.path());
        let folders = paths.filter(|path| path.is_dir()).collect();
        Ok((InotifyBackend::new(watches)?, Self { folders, deaf: HashSet::new() }))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(Event { kind, path, .. }) = &item {
            match kind {
                EventKind::Create(CreateKind::Folder) => _ = self.folders.insert(path.clone()),
                EventKind::Modify(ModifyKind::Name(RenameMode::To))
                    if self.folders.contains(path) =>
                {
                    self.deaf.insert(path.clone());
                }
                EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                    self.folders.remove(path);
                    self.deaf.remove(path);
                }
                _ => {}
            }
        }
        if !path_of(&item).ancestors().skip(1).any(|above| self.deaf.contains(above)) {
            reported.push_back(item);
        }
    }
}

/// A mistake only below the entries of the watched folders.
#[derive(Debug, Default)]
pub(crate) struct Below<M> {
    roots: Vec<PathBuf>,
    mistake: M,
}

impl<M: Mutation> Mutation for Below<M> {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let roots = watches.iter().map(|watch| watch.path.clone()).collect();
        let (inner, mistake) = M::new(watches)?;
        Ok((inner, Self { roots, mistake }))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let is_above = |root: &PathBuf| path == root || path.parent() == Some(root);
        if self.roots.iter().any(is_above) {
            reported.push_back(item);
        } else {
            self.mistake.report(item, reported);
        }
    }
}

/// A mistake only in folders that are newer than the watch.
#[derive(Debug, Default)]
pub(crate) struct InNew<M> {
    new: HashSet<PathBuf>,
    mistake: M,
}

impl<M: Mutation> Mutation for InNew<M> {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let (inner, mistake) = M::new(watches)?;
        Ok((inner, Self { new: HashSet::new(), mistake }))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item).to_owned();
        if path.ancestors().skip(1).any(|above| self.new.contains(above)) {
            self.mistake.report(item, reported);
            return;
        }
        let to = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        if let Ok(event) = &item
            && (matches!(event.kind, EventKind::Create(_)) || event.kind == to)
        {
            self.new.insert(path);
        }
        reported.push_back(item);
    }
}

pub(crate) fn path_of(item: &StreamItem) -> &Path {
    match item {
        Ok(event) => &event.path,
        Err(error) => error.path().unwrap_or(Path::new("")),
    }
}

/// Reports accesses in new folders, where no watch asks for them.
#[derive(Debug, Default)]
pub(crate) struct AccessesInNew {
    new: HashSet<PathBuf>,
}
impl Mutation for AccessesInNew {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        with_accesses(watches)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let is_in_new = event.path.ancestors().skip(1).any(|above| self.new.contains(above));
        if matches!(event.kind, EventKind::Create(_)) {
            self.new.insert(event.path.clone());
        }
        if is_in_new || !matches!(event.kind, EventKind::Access(_)) {
            reported.push_back(Ok(event));
        }
    }
}

/// Forgets an unreadable folder, and does not try again.
#[derive(Debug, Default)]
pub(crate) struct ForgetsLocked {
    locked: HashSet<PathBuf>,
}
impl Mutation for ForgetsLocked {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if event.path.ancestors().skip(1).any(|above| self.locked.contains(above)) {
            return;
        }
        let is_denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        if is_metadata(&event) && fs::read_dir(&event.path).is_err_and(is_denied) {
            self.locked.insert(event.path.clone());
        }
        reported.push_back(Ok(event));
    }
}

/// Reports metadata changes only of files.
#[derive(Debug, Default)]
pub(crate) struct DropsMetadataOfFolders;
impl Mutation for DropsMetadataOfFolders {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if !item.as_ref().is_ok_and(|event| is_metadata(event) && event.path.is_dir()) {
            reported.push_back(item);
        }
    }
}

/// Reports its own listing of a folder as an access.
#[derive(Debug, Default)]
pub(crate) struct TellsOwnLooks;
impl Mutation for TellsOwnLooks {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let look = (event.kind == EventKind::Create(CreateKind::Folder))
            .then(|| Event::new(EventKind::Access(AccessKind::Any), event.path.clone()));
        reported.push_back(Ok(event));
        reported.extend(look.map(Ok));
    }
}

/// Mutations that report accesses in new entries, where only another watch asks for them.
macro_rules! loud_where {
    ($($(#[$doc:meta])* $name:ident = |$event:ident| $is_coming:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                quiet: Vec<PathBuf>,
                came: HashSet<PathBuf>,
            }
            impl Mutation for $name {
                fn new(watches: Vec<Watch>) -> Made<Self> {
                    let quiet = watches.iter().filter(|watch| !watch.access);
                    let quiet: Vec<_> = quiet.map(|watch| watch.path.clone()).collect();
                    let is_mixed = quiet.len() < watches.len();
                    let watches = if is_mixed {
                        watches.into_iter().map(Watch::with_access).collect()
                    } else {
                        watches
                    };
                    Ok((InotifyBackend::new(watches)?, Self { quiet, came: HashSet::new() }))
                }
                fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    let Ok($event) = item else { return };
                    let is_quiet = self.quiet.iter().any(|root| $event.path.starts_with(root));
                    let mut above = $event.path.ancestors().skip(1);
                    let is_loud = !is_quiet || above.any(|above| self.came.contains(above));
                    if $is_coming {
                        self.came.insert($event.path.clone());
                    }
                    if is_loud || !matches!($event.kind, EventKind::Access(_)) {
                        reported.push_back(Ok($event));
                    }
                }
            }
        )*
    };
}

loud_where! {
    LoudInNew = |event| matches!(event.kind, EventKind::Create(_));
    /// A moved folder keeps the platform's watch of its old place.
    LoudInMoved = |event| event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::To));
}

fn locked_below(folder: &Path) -> Vec<PathBuf> {
    let is_denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let listed = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return if is_denied(error) { vec![folder.to_owned()] } else { vec![] },
    };
    let folders = listed.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    folders.flat_map(|folder| locked_below(&folder)).collect()
}

fn is_in(item: &StreamItem, folders: &HashSet<PathBuf>) -> bool {
    path_of(item).ancestors().skip(1).any(|above| folders.contains(above))
}

/// Does not try again to watch a folder that it could not read at the start, except directly in the watched
/// folder.
#[derive(Debug, Default)]
pub(crate) struct GivesUpLockedBelow {
    locked: HashSet<PathBuf>,
}
impl Mutation for GivesUpLockedBelow {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut locked = HashSet::new();
        for Watch { path, .. } in &watches {
            let below = locked_below(path).into_iter();
            locked.extend(below.filter(|folder| folder.parent() != Some(path)));
        }
        Ok((InotifyBackend::new(watches)?, Self { locked }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if !is_in(&item, &self.locked) {
            reported.push_back(item);
        }
    }
}

/// The same for a new folder.
#[derive(Debug, Default)]
pub(crate) struct GivesUpLockedInNew {
    locked: HashSet<PathBuf>,
}
impl Mutation for GivesUpLockedInNew {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Err(error) = &item {
            self.locked.extend(error.path().map(Path::to_owned));
        }
        let to = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        if item.as_ref().is_ok_and(|event| event.kind == to) {
            self.locked.extend(locked_below(path_of(&item)));
        }
        if !is_in(&item, &self.locked) {
            reported.push_back(item);
        }
    }
}

/// Reports nothing in another user's folder.
#[derive(Debug, Default)]
pub(crate) struct PassesOverForeign;
impl Mutation for PassesOverForeign {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let user = rustix::process::geteuid().as_raw();
        let folder = path_of(&item).parent().and_then(|folder| folder.metadata().ok());
        if folder.is_none_or(|folder| folder.uid() == user) {
            reported.push_back(item);
        }
    }
}

/// Reports nothing on file systems other than those of the watched paths.
#[derive(Debug, Default)]
struct StopsAtMounts {
    devices: HashSet<u64>,
}

fn device(path: &Path) -> Option<u64> {
    Some(path.metadata().ok()?.dev())
}

impl Mutation for StopsAtMounts {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let devices = watches.iter().filter_map(|watch| device(&watch.path)).collect();
        Ok((InotifyBackend::new(watches)?, Self { devices }))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let device = path_of(&item).parent().and_then(device);
        if device.is_none_or(|device| self.devices.contains(&device)) {
            reported.push_back(item);
        }
    }
}

/// Follows a watched link for only one step.
#[derive(Debug, Default)]
struct OneHop;
impl Mutation for OneHop {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let next = fs::read_link(path).ok().zip(path.parent());
        if !next.is_some_and(|(target, folder)| folder.join(target).is_symlink()) {
            reported.push_back(item);
        }
    }
}

/// Watches only a limited number of paths, and skips the others.
#[derive(Debug, Default)]
pub(crate) struct SixtyFour {
    watches: usize,
}
impl SixtyFour {
    const ROOM: usize = 64;
}
impl Mutation for SixtyFour {
    fn new(mut watches: Vec<Watch>) -> Made<Self> {
        watches.truncate(Self::ROOM);
        let count = watches.len();
        Ok((InotifyBackend::new(watches)?, Self { watches: count }))
    }
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        self.watches += 1;
        if self.watches > Self::ROOM { Ok(()) } else { inner.watch(watch) }
    }
}

/// When the watch of a tree is removed, reduces a watched tree inside it to its top folder.
#[derive(Debug, Default)]
struct KeepsTopOfInner {
    roots: Vec<PathBuf>,
    tops: Vec<PathBuf>,
}
impl Mutation for KeepsTopOfInner {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let roots = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { roots, tops: Vec::new() }))
    }
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        let inside = self.roots.iter().filter(|root| root.starts_with(path) && *root != path);
        self.tops.extend(inside.cloned());
        inner.unwatch(path)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let below = |top: &PathBuf| path_of(&item).strip_prefix(top).ok();
        let is_deep = |top| below(top).is_some_and(|below| below.components().count() > 1);
        if !self.tops.iter().any(is_deep) {
            reported.push_back(item);
        }
    }
}

/// Resolves the links in the path of something that it cannot watch.
#[derive(Debug, Default)]
struct CanonicalErrors;
impl Mutation for CanonicalErrors {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        reported.push_back(match item {
            Err(StreamError::Unwatched { path, cause, .. }) => {
                Err(StreamError::unwatched(path.canonicalize().unwrap_or(path), *cause))
            }
            item => item,
        });
    }
}

/// Looks up folders by relative paths, even after the process has changed its current folder.
#[derive(Debug, Default)]
struct LooksFromHere;
impl Mutation for LooksFromHere {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        if path.is_absolute() || path.parent().is_some_and(Path::is_dir) {
            reported.push_back(item);
        }
    }
}

/// Mutations of only one kind of event.
macro_rules! of {
    ($($name:ident = |$event:ident| $is_it:expr;)*) => {
        $(
            #[derive(Debug, Default)]
            struct $name<M>(M);
            impl<M: Mutation> Mutation for $name<M> {
                fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    if item.as_ref().is_ok_and(|$event| $is_it) {
                        self.0.report(item, reported);
                    } else {
                        reported.push_back(item);
                    }
                }
            }
        )*
    };
}

of! {
    OfAccesses = |event| matches!(event.kind, EventKind::Access(_));
    OfMetadata = |event| is_metadata(event);
}

/// Reports all events in a folder under its current path.
#[derive(Debug, Default)]
struct PlaceOfNow {
    read: VecDeque<StreamItem>,
}
impl Mutation for PlaceOfNow {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        while self.read.is_empty() {
            let end = read_all(inner, cx, &mut self.read);
            if self.read.is_empty() {
                return end;
            }
            self.move_all();
        }
        Poll::Ready(self.read.pop_front())
    }
}
impl PlaceOfNow {
    fn move_all(&mut self) {
        for at in 0..self.read.len() {
            let Some(Ok(to)) = self.read.get(at) else { continue };
            let to = to.clone();
            if to.kind != EventKind::Modify(ModifyKind::Name(RenameMode::To)) {
                continue;
            }
            let mut old = None;
            for item in self.read.iter_mut().take(at).rev() {
                let Ok(event) = item else { continue };
                let is_half = event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::From));
                if is_half && event.attrs.tracker() == to.attrs.tracker() {
                    old = Some(event.path.clone());
                } else if let Some(old) = &old
                    && let Ok(below) = event.path.strip_prefix(old)
                {
                    event.path = to.path.join(below);
                }
            }
        }
    }
}

/// Skips hidden names when it lists a new folder, but not in events.
#[derive(Debug, Default)]
struct FindsNoHidden {
    left_out: HashSet<PathBuf>,
}
impl Mutation for FindsNoHidden {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        if path.ancestors().any(|above| self.left_out.contains(above)) {
            return;
        }
        if item.as_ref().is_ok_and(|it| it.kind == EventKind::Create(CreateKind::Folder)) {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            let hidden = entries.filter(|it| it.file_name().as_encoded_bytes().starts_with(b"."));
            self.left_out.extend(hidden.map(|entry| entry.path()));
        }
        reported.push_back(item);
    }
}

/// Reports events of the watched path itself under a normalised spelling.
#[derive(Debug, Default)]
struct TidiesRoots {
    roots: Vec<PathBuf>,
}
impl Mutation for TidiesRoots {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let roots = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { roots }))
    }
    fn report(&mut self, mut item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &mut item
            && self.roots.contains(&event.path)
        {
            event.path = event.path.components().collect();
        }
        reported.push_back(item);
    }
}

/// Reports at each look something that it cannot read.
#[derive(Debug, Default)]
struct RepeatsErrors;
impl Mutation for RepeatsErrors {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let again = item.as_ref().err().and_then(StreamError::path).map(|path| {
            StreamError::unwatched(path, BackendError::unavailable("it cannot be looked at"))
        });
        reported.push_back(item);
        reported.extend(again.map(Err));
    }
}
