//! Mistakes in the reports.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    ffi::OsString,
    fs,
    num::NonZeroU32,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    time::{Duration, Instant, SystemTime},
};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

use crate::{
    kills::{Entry, entry, sampled_entry},
    mutant::{Mutation, is_sentinel},
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<Silent>(
            "silent",
            &[
                "FIL01", "FIL02", "FIL03", "FIL04", "FIL05", "FIL07", "FIL08", "FIL12", "FIL15",
                "FIL16", "FIL17", "FIL19", "DIR01", "DIR04", "REC01", "REC13", "REN07", "ACC01",
                "ACC03", "SAVE06", "HARD01", "HARD04", "NAME05", "META01", "META10", "FIL13",
                "REN12", "SCALE01", "SCALE03", "CONV03",
            ],
        ),
        entry::<DropsWrites>(
            "drops_writes",
            &["FIL02", "FIL03", "FIL04", "FIL05", "FIL16", "FIL19", "HARD02", "ORD05"],
        ),
        entry::<DropsRemovals>("drops_removals", &["FIL07", "FIL09", "FIL11", "DIR01", "FIL17"]),
        entry::<DropsMetadata>(
            "drops_metadata",
            &["META01", "META03", "META04", "META05", "META09", "DIR05"],
        ),
        entry::<MetadataAsData>("metadata_as_data", &["META07", "META01"]),
        entry::<MetadataAsAny>("metadata_as_any", &["META07"]),
        entry::<NeedsNewerTime>("needs_newer_time", &["META11"]),
        entry::<NeedsOtherTime>("needs_other_time", &["META11"]),
        entry::<MetadataMasks>("metadata_masks", &["META06"]),
        entry::<EverythingIsAFile>("everything_is_a_file", &["DIR01", "FIL10"]),
        entry::<RemovalComesLast>("removal_comes_last", &["FIL08", "REN05", "SAVE01", "SAVE02"]),
        entry::<AccessAsChange>("access_as_change", &["FIL14", "ACC05"]),
        entry::<ClosesAreWrites>("closes_are_writes", &["ACC07"]),
        entry::<BlamesSibling>("blames_sibling", &["DIR07"]),
        entry::<DropsCloses>("drops_closes", &["ACC02", "ACC03"]),
        entry::<GhostsOfThePast>(
            "ghosts_of_the_past",
            &["FIL18", "ROOT03", "ROOT01", "ROOT09", "REC06", "DIR03", "HARD04", "ORD06"],
        ),
        entry::<NameOnly>("name_only", &["FIL01"]),
        entry::<OtherWithoutInfo>("other_without_info", &["FIL01"]),
        entry::<UnmountWithoutInfo>("unmount_without_info", &["ROOT07"]),
        entry::<UnmountAsRemoval>("unmount_as_removal", &["ROOT07"]),
        entry::<FlatOnly>("flat_only", &["REC01", "REC02", "REN02", "REC13", "SCALE02"]),
        entry::<AlwaysDeep>("always_deep", &["DIR06", "DIR02"]),
        entry::<NoNewFolders>(
            "no_new_folders",
            &["REC02", "REC03", "REC04", "REC05", "REC10", "DIR04"],
        ),
        entry::<NoRescan>("no_rescan", &["REC03", "REC04"]),
        entry::<OldPaths>("old_paths", &["REC07", "REC08", "REC15", "REC16", "REC18", "REC20"]),
        entry::<PrefixesOfNames>("prefixes_of_names", &["REC09"]),
        entry::<FirstWatchOnly>("first_watch_only", &["REC14", "ROOT02", "FIL19"]),
        entry::<KnowsFoldersByBirth>("knows_folders_by_birth", &["REC23"]),
        entry::<ForgetsUncovered>("forgets_uncovered", &["REC22"]),
        entry::<TellsRootsTwice>("tells_roots_twice", &["REC21"]),
        entry::<EndsWithFirstRoot>("ends_with_first_root", &["ROOT02", "ROOT01"]),
        entry::<RagesAboutRoot>("rages_about_root", &["ROOT04", "ROOT06"]),
        entry::<OneSaveOnly>("one_save_only", &["ROOT05", "SAVE03", "SAVE04"]),
        entry::<NoTrackers>("no_trackers", &["REN01", "REN02", "REN06", "REN09", "REN10", "REN14"]),
        entry::<DropsBetweenHalves>("drops_between_halves", &["MOV01", "MOV02"]),
        entry::<MissedBetweenHalves>("missed_between_halves", &["MOV01", "MOV02"]),
        entry::<MergesWithWhatWasRead>("merges_with_what_was_read", &["FIL05"]),
        entry::<ToBeforeFrom>("to_before_from", &["REN01"]),
        entry::<DropsArrivals>("drops_arrivals", &["REN03", "REC05"]),
        entry::<HoldsFirstHalf>("holds_first_half", &["REN04"]),
        entry::<HoldsFolders>("holds_first_half_of_folders", &["REN04"]),
        entry::<InventsRemovals>("invents_removals", &["REN08"]),
        entry::<NoSpecialFiles>("no_special_files", &["FIL12", "REN13", "SYM03", "SAVE05"]),
        entry::<LinkPathOnly>("link_path_only", &["SYM05"]),
        entry::<StopsAtLocked>("stops_at_locked", &["PERM01", "PERM03"]),
        entry::<SwallowsLoss>("swallows_loss", &["OVF01"]),
        entry::<LossWithoutNeed>("loss_without_need", &["FIL01"]),
        entry::<LossElsewhere>("loss_elsewhere", &["OVF01"]),
        entry::<LossOfFirst>("loss_of_first", &["OVF11"]),
        entry::<CountsTooMany>("counts_too_many", &["OVF01"]),
        entry::<CountsTooFew>("counts_too_few", &["OVF01"]),
        entry::<ThrowsRestAway>("throws_rest_away", &["OVF12"]),
        entry::<NoFilesAfterLoss>("no_files_after_loss", &["OVF13"]),
        entry::<NoLinksAfterLoss>("no_links_after_loss", &["OVF13"]),
        entry::<RootsGoneInLoss>("roots_gone_in_loss", &["OVF13"]),
        entry::<DeadAfterLoss>("dead_after_loss", &["OVF02"]),
        entry::<FlatAfterLoss>("flat_after_loss", &["OVF03"]),
        entry::<NoRemovalsAfterLoss>("no_removals_after_loss", &["OVF04"]),
        entry::<Swaps>("swaps", &["ORD01", "ORD02", "ORD07"]),
        entry::<DropsEverySeventh>(
            "drops_every_seventh",
            &["CONV01", "CONV02", "CONV04", "CONV06", "CONV07", "SCALE04"],
        ),
        sampled_entry::<DropsEverySeventh>(
            "drops_every_seventh_sample",
            &["CONV01", "CONV02", "CONV04", "CONV06", "CONV07"],
        ),
        entry::<DoublesWhereRootsOverlap>("doubles_where_roots_overlap", &["REC14"]),
        sampled_entry::<DoublesWhereRootsOverlap>("doubles_where_looks_overlap", &["REC14"]),
        sampled_entry::<TellsRootsTwice>("tells_looks_at_roots_twice", &["REC21"]),
        entry::<DoublesWhatItFinds>("doubles_what_it_finds", &["ORD08"]),
        entry::<Doubles>("doubles", &["ORD04", "ORD05", "REN14"]),
    ]
}

/// Mistakes with names, and with watched files.
pub(crate) fn mutants_of_names() -> Vec<Entry> {
    vec![
        entry::<PanicsAtNames>("panics_at_names", &["NAME01", "NAME09"]),
        entry::<MakesTextOfNames>("makes_text_of_names", &["NAME01"]),
        entry::<MakesTextInRenames>("makes_text_in_renames", &["NAME01"]),
        entry::<MakesTextInChanges>("makes_text_in_changes", &["NAME01"]),
        entry::<MakesTextInRemovals>("makes_text_in_removals", &["NAME01"]),
        entry::<CutsFoldersAtLineBreaks>("cuts_folders_at_line_breaks", &["NAME02", "NAME08"]),
        entry::<HidesInModules>("hides_in_modules", &["NAME07"]),
        entry::<DropsMetadataOfFiles>("drops_metadata_of_watched_files", &["FIL16"]),
        entry::<DropsEmptying>("drops_emptying_of_watched_files", &["FIL16"]),
        entry::<Debounces>("debounces", &["FIL04", "FIL02"]),
        entry::<TrimsNames>("trims_names", &["NAME02"]),
        entry::<CutsNames>("cuts_names", &["NAME03"]),
        entry::<ComposesNames>("composes_names", &["NAME04"]),
        entry::<PassesOverHidden>("passes_over_hidden", &["NAME07"]),
    ]
}

/// Mutations that turn each item into others, without state.
macro_rules! reports {
    ($($(#[$doc:meta])* $name:ident = |$event:ident, $reported:ident| $body:block)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $name;

            impl Mutation for $name {
                fn report(&mut self, item: StreamItem, $reported: &mut VecDeque<StreamItem>) {
                    match item {
                        Ok($event) => $body,
                        error => $reported.push_back(error),
                    }
                }
            }
        )*
    };
}

pub(crate) fn is_removal(event: &Event) -> bool {
    matches!(event.kind, EventKind::Remove(_))
}

pub(crate) fn is_half(event: &Event, half: RenameMode) -> bool {
    event.kind == EventKind::Modify(ModifyKind::Name(half))
}

pub(crate) fn is_metadata(event: &Event) -> bool {
    matches!(event.kind, EventKind::Modify(ModifyKind::Metadata(_)))
}

fn with_name(event: &mut Event, change: impl FnOnce(OsString) -> OsString) {
    if !is_sentinel(&event.path)
        && let Some(name) = event.path.file_name()
    {
        let name = change(name.to_owned());
        event.path.set_file_name(name);
    }
}

fn as_text(event: Event) -> Event {
    let path = event.path.to_string_lossy().into_owned();
    Event { path: path.into(), ..event }
}

reports! {
    /// Reports only the items without which the suite cannot continue.
    Silent = |event, reported| {
        if is_sentinel(&event.path) {
            reported.push_back(Ok(event));
        }
    }

    DropsWrites = |event, reported| {
        if !matches!(event.kind, EventKind::Modify(ModifyKind::Data(_))) || is_sentinel(&event.path) {
            reported.push_back(Ok(event));
        }
    }

    DropsRemovals = |event, reported| {
        if !is_removal(&event) {
            reported.push_back(Ok(event));
        }
    }

    DropsMetadata = |event, reported| {
        if !is_metadata(&event) {
            reported.push_back(Ok(event));
        }
    }

    MetadataAsData = |event, reported| {
        let is_metadata = is_metadata(&event);
        let data = Event::data(DataChange::Any, event.path.clone());
        reported.push_back(Ok(if is_metadata { data } else { event }));
    }

    MetadataAsAny = |event, reported| {
        let is_metadata = is_metadata(&event);
        let any = Event::modify(ModifyKind::Any, event.path.clone());
        reported.push_back(Ok(if is_metadata { any } else { event }));
    }

    EverythingIsAFile = |event, reported| {
        let mut event = event;
        match &mut event.kind {
            EventKind::Create(kind) => *kind = CreateKind::File,
            EventKind::Remove(kind) => *kind = RemoveKind::File,
            _ => {}
        }
        reported.push_back(Ok(event));
    }

    /// Reports the end of a replaced file after the one that has replaced it.
    RemovalComesLast = |event, reported| {
        let path = event.path.clone();
        let replaces = is_half(&event, RenameMode::To) || matches!(event.kind, EventKind::Create(_));
        reported.push_back(Ok(event));
        if replaces && path.file_name().is_some_and(|name| name == "file" || name == "target") {
            reported.push_back(Ok(Event::remove(RemoveKind::File, path)));
        }
    }

    /// Reports a created or removed entry as a change of the first file in the folder.
    BlamesSibling = |event, reported| {
        if matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_)) {
            let entries = event.path.parent().and_then(|folder| fs::read_dir(folder).ok());
            let files = entries.into_iter().flatten().flatten().map(|entry| entry.path());
            let first = files.filter(|path| path.is_file() && !is_sentinel(path)).min();
            reported.extend(first.map(|path| Ok(Event::modify(ModifyKind::Any, path))));
        }
        reported.push_back(Ok(event));
    }

    DropsCloses = |event, reported| {
        if !matches!(event.kind, EventKind::Access(AccessKind::Close(_))) {
            reported.push_back(Ok(event));
        }
    }

    NameOnly = |event, reported| {
        let mut event = event;
        event.path = event.path.file_name().map(PathBuf::from).unwrap_or_default();
        reported.push_back(Ok(event));
    }

    OtherWithoutInfo = |event, reported| {
        reported.push_back(Ok(Event::new(EventKind::Other, event.path.clone())));
        reported.push_back(Ok(event));
    }

    UnmountWithoutInfo = |event, reported| {
        reported.push_back(Ok(match event.kind {
            EventKind::Remove(RemoveKind::Other) => Event::remove(RemoveKind::Other, event.path),
            _ => event,
        }));
    }

    UnmountAsRemoval = |event, reported| {
        reported.push_back(Ok(match event.kind {
            EventKind::Remove(RemoveKind::Other) => Event::remove(RemoveKind::Folder, event.path),
            _ => event,
        }));
    }

    NoTrackers = |event, reported| {
        reported.push_back(Ok(event.with_tracker(None)));
    }

    InventsRemovals = |event, reported| {
        if is_sentinel(&event.path) {
            let path = event.path.with_file_name("a");
            reported.push_back(Ok(Event::remove(RemoveKind::File, path)));
        }
        reported.push_back(Ok(event));
    }

    NoSpecialFiles = |event, reported| {
        let kind = event.path.symlink_metadata().map(|metadata| metadata.file_type());
        if kind.is_ok_and(|kind| kind.is_file() || kind.is_dir()) {
            reported.push_back(Ok(event));
        }
    }

    LinkPathOnly = |event, reported| {
        let text = event.path.to_string_lossy().replace("/real/", "/a-link/");
        let event = Event { path: text.into(), ..event };
        reported.push_back(Ok(event));
    }

    PanicsAtNames = |event, reported| {
        let path = event.path.to_str().expect("paths are text").to_owned();
        reported.push_back(Ok(Event { path: path.into(), ..event }));
    }

    MakesTextOfNames = |event, reported| {
        let path = event.path.to_string_lossy().into_owned();
        reported.push_back(Ok(Event { path: path.into(), ..event }));
    }

    MakesTextInRenames = |event, reported| {
        let is_rename = matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
        reported.push_back(Ok(if is_rename { as_text(event) } else { event }));
    }

    MakesTextInChanges = |event, reported| {
        let is_change = matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
        reported.push_back(Ok(if is_change { as_text(event) } else { event }));
    }

    MakesTextInRemovals = |event, reported| {
        reported.push_back(Ok(if is_removal(&event) { as_text(event) } else { event }));
    }

    /// Reads one line per event.
    CutsFoldersAtLineBreaks = |event, reported| {
        let folder = event.path.parent().unwrap_or(Path::new(""));
        if !folder.as_os_str().as_bytes().contains(&b'\n') {
            reported.push_back(Ok(event));
        }
    }

    HidesInModules = |event, reported| {
        if !event.path.parent().is_some_and(|folder| folder.ends_with("node_modules")) {
            reported.push_back(Ok(event));
        }
    }

    /// Keeps the path of a folder as text.
    MakesTextOfFolders = |event, reported| {
        let folder = event.path.parent().map(|folder| folder.to_string_lossy().into_owned());
        let path = event.path.file_name().map(|name| PathBuf::from(folder.unwrap_or_default()).join(name));
        let path = path.unwrap_or_default();
        reported.push_back(Ok(Event { path, ..event }));
    }

    /// Skips the entries of hidden folders.
    HidesInHidden = |event, reported| {
        let is_hidden = |name: &std::ffi::OsStr| name.as_bytes().starts_with(b".");
        if !event.path.parent().and_then(Path::file_name).is_some_and(is_hidden) {
            reported.push_back(Ok(event));
        }
    }

    DropsAccesses = |event, reported| {
        if !matches!(event.kind, EventKind::Access(_)) {
            reported.push_back(Ok(event));
        }
    }

    TrimsNames = |event, reported| {
        let mut event = event;
        with_name(&mut event, |name| name.to_string_lossy().trim().to_owned().into());
        reported.push_back(Ok(event));
    }

    CutsNames = |event, reported| {
        let mut event = event;
        with_name(&mut event, |name| {
            let mut bytes = name.into_vec();
            bytes.truncate(254);
            OsString::from_vec(bytes)
        });
        reported.push_back(Ok(event));
    }

    ComposesNames = |event, reported| {
        let mut event = event;
        with_name(&mut event, |name| {
            name.to_string_lossy().replace("e\u{301}", "\u{e9}").into()
        });
        reported.push_back(Ok(event));
    }

    PassesOverHidden = |event, reported| {
        let is_hidden = |name: &std::ffi::OsStr| name.as_bytes().starts_with(b".");
        if !event.path.file_name().is_some_and(is_hidden) {
            reported.push_back(Ok(event));
        }
    }

    SwallowsLoss = |event, reported| {
        if !matches!(event.kind, EventKind::Missed(_)) {
            reported.push_back(Ok(event));
        }
    }

    LossWithoutNeed = |event, reported| {
        reported.push_back(Ok(Event::missed(None)));
        reported.push_back(Ok(event));
    }

    LossElsewhere = |event, reported| {
        let mut event = event;
        if matches!(event.kind, EventKind::Missed(_)) {
            event.path = "/no/such/folder".into();
        }
        reported.push_back(Ok(event));
    }

    CountsTooMany = |event, reported| {
        let is_loss = matches!(event.kind, EventKind::Missed(_));
        reported.push_back(Ok(if is_loss { Event::missed(NonZeroU32::new(u32::MAX)) } else { event }));
    }

    CountsTooFew = |event, reported| {
        let is_loss = matches!(event.kind, EventKind::Missed(_));
        reported.push_back(Ok(if is_loss { Event::missed(NonZeroU32::new(1)) } else { event }));
    }

    /// Does not report the end of a folder, as if a loss had hidden it.
    RootsGoneInLoss = |event, reported| {
        if !(is_removal(&event) && event.path.ends_with("gone")) {
            reported.push_back(Ok(event));
        }
    }

    Doubles = |event, reported| {
        for _ in 0..6 {
            reported.push_back(Ok(event.clone()));
        }
    }
}

/// Reports every loss as one in the first watched folder.
#[derive(Debug, Default)]
pub(crate) struct LossOfFirst {
    first: PathBuf,
}
impl Mutation for LossOfFirst {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let first = watches.first().map(|watch| watch.path.clone()).unwrap_or_default();
        Ok((InotifyBackend::new(watches)?, Self { first }))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let mut item = item;
        if let Ok(event) = &mut item
            && matches!(event.kind, EventKind::Missed(_))
        {
            event.path.clone_from(&self.first);
        }
        reported.push_back(item);
    }
}

/// Merges two events of one path.
#[derive(Debug, Default)]
pub(crate) struct MetadataMasks {
    masked: HashSet<PathBuf>,
}
impl Mutation for MetadataMasks {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if is_metadata(&event) {
            self.masked.insert(event.path.clone());
        } else if self.masked.contains(&event.path) {
            return;
        }
        reported.push_back(Ok(event));
    }
}

/// Asks for accesses, to report something else for them.
pub(crate) fn with_accesses<M: Default>(watches: Vec<Watch>) -> Made<M> {
    let watches = watches.into_iter().map(Watch::with_access).collect();
    Ok((InotifyBackend::new(watches)?, M::default()))
}

/// Reports an access as a change.
#[derive(Debug, Default)]
pub(crate) struct AccessAsChange;
impl Mutation for AccessAsChange {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        with_accesses(watches)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        reported.push_back(item.map(|event| match event.kind {
            EventKind::Access(_) => Event::data(DataChange::Any, event.path),
            _ => event,
        }));
    }
}

/// Reports a change whenever a file that was open for writing is closed.
#[derive(Debug, Default)]
pub(crate) struct ClosesAreWrites;
impl Mutation for ClosesAreWrites {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        with_accesses(watches)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                reported.push_back(Ok(Event::data(DataChange::Any, event.path)));
            }
            EventKind::Access(_) => {}
            _ => reported.push_back(Ok(event)),
        }
    }
}

/// Goes on reporting removed paths.
#[derive(Debug, Default)]
pub(crate) struct GhostsOfThePast {
    gone: Option<PathBuf>,
}
impl Mutation for GhostsOfThePast {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if let Some(gone) = &self.gone {
            reported.push_back(Ok(Event::data(DataChange::Any, gone.join("file"))));
            reported.push_back(Ok(Event::data(DataChange::Any, gone)));
        }
        if is_removal(&event) || is_half(&event, RenameMode::From) {
            self.gone = Some(event.path.clone());
        }
        reported.push_back(Ok(event));
    }
}

pub(crate) type Made<M> = Result<(InotifyBackend, M), BackendError>;

/// Watches no folder below the given one.
#[derive(Debug, Default)]
pub(crate) struct FlatOnly;
impl Mutation for FlatOnly {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let flat = watches.into_iter().map(|watch| Watch::non_recursive(watch.path)).collect();
        Ok((InotifyBackend::new(flat)?, Self))
    }
}

/// Watches everything below, requested or not.
#[derive(Debug, Default)]
pub(crate) struct AlwaysDeep;
impl Mutation for AlwaysDeep {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let deep = watches.into_iter().map(|watch| Watch::recursive(watch.path)).collect();
        Ok((InotifyBackend::new(deep)?, Self))
    }
}

/// Does not watch new folders.
#[derive(Debug, Default)]
pub(crate) struct NoNewFolders {
    new: Vec<PathBuf>,
}
impl Mutation for NoNewFolders {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let appears = matches!(event.kind, EventKind::Create(_)) || is_half(&event, RenameMode::To);
        if appears && event.path.is_dir() {
            self.new.push(event.path.clone());
        }
        let is_in_new = |new: &PathBuf| *new != event.path && event.path.starts_with(new);
        if !self.new.iter().any(is_in_new) {
            reported.push_back(Ok(event));
        }
    }
}

/// Watches new folders, but does not list them.
#[derive(Debug, Default)]
pub(crate) struct NoRescan {
    new: HashSet<PathBuf>,
}
impl Mutation for NoRescan {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let is_creation = matches!(event.kind, EventKind::Create(_));
        let is_in_new = event.path.parent().is_some_and(|parent| self.new.contains(parent));
        if is_creation {
            self.new.insert(event.path.clone());
        }
        if !is_creation || !is_in_new || is_sentinel(&event.path) {
            reported.push_back(Ok(event));
        }
    }
}

/// Keeps the old path of a renamed folder.
#[derive(Debug, Default)]
pub(crate) struct OldPaths {
    halves: HashMap<Tracker, PathBuf>,
    renamed: Vec<(PathBuf, PathBuf)>,
}
impl Mutation for OldPaths {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(mut event) = item else { return };
        if let Some(tracker) = event.attrs.tracker() {
            if is_half(&event, RenameMode::From) {
                self.halves.insert(tracker, event.path.clone());
            } else if let Some(from) = self.halves.remove(&tracker) {
                self.renamed.push((event.path.clone(), from));
            }
        }
        for (new, old) in self.renamed.iter().rev() {
            if event.path != *new
                && !is_sentinel(&event.path)
                && let Ok(rest) = event.path.strip_prefix(new)
            {
                event.path = old.join(rest);
                break;
            }
        }
        reported.push_back(Ok(event));
    }
}

/// Compares paths as text, without regard to components.
#[derive(Debug, Default)]
pub(crate) struct PrefixesOfNames {
    gone: Vec<OsString>,
}
impl Mutation for PrefixesOfNames {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let path = event.path.as_os_str().to_owned();
        let is_gone = |gone: &OsString| path.as_bytes().starts_with(gone.as_bytes());
        let is_lost = self.gone.iter().any(is_gone);
        if is_removal(&event) || is_half(&event, RenameMode::From) {
            self.gone.push(path);
        }
        if !is_lost {
            reported.push_back(Ok(event));
        }
    }
}

/// Watches only the first of the given paths, besides the suite's own.
#[derive(Debug, Default)]
pub(crate) struct FirstWatchOnly;
impl Mutation for FirstWatchOnly {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let is_needed = |(i, watch): &(usize, Watch)| *i == 0 || watch.path.ends_with("sentinels");
        let watches = watches.into_iter().enumerate().filter(is_needed).map(|(_, watch)| watch);
        Ok((InotifyBackend::new(watches.collect())?, Self))
    }
}

/// Identifies a folder by its birth time.
#[derive(Debug, Default)]
pub(crate) struct KnowsFoldersByBirth {
    births: HashMap<PathBuf, SystemTime>,
}
impl Mutation for KnowsFoldersByBirth {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let mut mutation = Self::default();
        let mut folders: Vec<_> = watches.iter().map(|watch| watch.path.clone()).collect();
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
            let birth = folder.metadata().and_then(|metadata| metadata.created());
            mutation.births.extend(birth.map(|birth| (folder, birth)));
        }
        Ok((InotifyBackend::new(watches)?, mutation))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let folder = event.path.parent().map(Path::to_owned).unwrap_or_default();
        let birth = folder.metadata().and_then(|metadata| metadata.created()).ok();
        let before = self.births.get(&folder).copied();
        if birth.is_some() && before.is_some() && birth != before {
            reported.push_back(Ok(Event::remove(RemoveKind::Folder, folder.clone())));
            reported.push_back(Ok(Event::create(CreateKind::Folder, folder.clone())));
            self.births.remove(&folder);
        }
        reported.push_back(Ok(event));
    }
}

/// Takes an unmounted path as gone forever.
#[derive(Debug, Default)]
pub(crate) struct ForgetsUncovered {
    unmounted: Vec<PathBuf>,
}
impl Mutation for ForgetsUncovered {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let is_unmounted = event.kind == EventKind::Remove(RemoveKind::Other);
        if is_unmounted || !self.unmounted.iter().any(|folder| event.path.starts_with(folder)) {
            if is_unmounted {
                self.unmounted.push(event.path.clone());
            }
            reported.push_back(Ok(event));
        }
    }
}

/// Reports the events of a watched path, and again those about it from the folder above.
#[derive(Debug, Default)]
pub(crate) struct TellsRootsTwice {
    roots: Vec<PathBuf>,
}
impl Mutation for TellsRootsTwice {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let roots = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { roots }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let is_above = |root: &PathBuf| event.path.parent() == Some(root);
        if self.roots.contains(&event.path) && self.roots.iter().any(is_above) {
            reported.push_back(Ok(event.clone().with_tracker(None)));
        }
        reported.push_back(Ok(event));
    }
}

/// Takes the end of one watch as the end of all.
#[derive(Debug, Default)]
pub(crate) struct EndsWithFirstRoot {
    roots: Vec<PathBuf>,
    has_ended: bool,
}
impl Mutation for EndsWithFirstRoot {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let roots = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { roots, has_ended: false }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        self.has_ended |= is_removal(&event) && self.roots.contains(&event.path);
        reported.push_back(Ok(event));
    }
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        if self.has_ended { Poll::Ready(None) } else { Pin::new(inner).poll_next(cx) }
    }
}

/// Tries again and again to watch a removed path, and reports each failure.
#[derive(Debug, Default)]
pub(crate) struct RagesAboutRoot {
    gone: Option<PathBuf>,
}
impl Mutation for RagesAboutRoot {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if is_removal(&event) {
            self.gone = Some(event.path.clone());
        }
        reported.push_back(Ok(event));
    }
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        match &self.gone {
            Some(gone) => {
                let error = std::io::ErrorKind::NotFound.into();
                Poll::Ready(Some(Err(StreamError::unwatched(
                    gone,
                    BackendError::from_io(gone, error),
                ))))
            }
            None => Pin::new(inner).poll_next(cx),
        }
    }
}

/// Watches a file, but not its name.
#[derive(Debug, Default)]
pub(crate) struct OneSaveOnly {
    lost: HashSet<PathBuf>,
}
impl Mutation for OneSaveOnly {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if self.lost.contains(&event.path) {
            return;
        }
        let ends = is_removal(&event)
            || is_half(&event, RenameMode::From)
            || is_half(&event, RenameMode::To);
        if ends {
            self.lost.insert(event.path.clone());
        }
        reported.push_back(Ok(event));
    }
}

/// Reports the second half of a rename first.
#[derive(Debug, Default)]
pub(crate) struct ToBeforeFrom {
    held: Option<Event>,
}
impl Mutation for ToBeforeFrom {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if is_half(&event, RenameMode::From) {
            self.held = Some(event);
            return;
        }
        reported.push_back(Ok(event));
        reported.extend(self.held.take().map(Ok));
    }
}

/// Recognises the next event from a folder that was just renamed: such an event may have come between the two
/// halves of the rename.
#[derive(Debug, Default)]
struct JustRenamed(Option<PathBuf>);
impl JustRenamed {
    fn is_next(&mut self, event: &Event) -> bool {
        if is_sentinel(&event.path) {
            return false;
        }
        let is_to = is_half(event, RenameMode::To);
        let before = std::mem::replace(&mut self.0, is_to.then(|| event.path.clone()));
        before.is_some_and(|folder| event.path != folder && event.path.starts_with(folder))
    }
}

/// Drops the events of a folder between the two halves of its rename, since it has no path then.
#[derive(Debug, Default)]
pub(crate) struct DropsBetweenHalves(JustRenamed);
impl Mutation for DropsBetweenHalves {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if !self.0.is_next(&event) {
            reported.push_back(Ok(event));
        }
    }
}

/// Reports the events of a folder between the two halves of its rename as a loss.
#[derive(Debug, Default)]
pub(crate) struct MissedBetweenHalves(JustRenamed);
impl Mutation for MissedBetweenHalves {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if self.0.is_next(&event) {
            reported.push_back(Ok(Event::missed(None)));
        }
        reported.push_back(Ok(event));
    }
}

/// Needs both halves of a rename.
#[derive(Debug, Default)]
pub(crate) struct DropsArrivals {
    halves: HashSet<Tracker>,
}
impl Mutation for DropsArrivals {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let is_known = event.attrs.tracker().is_some_and(|tracker| !self.halves.insert(tracker));
        if !is_half(&event, RenameMode::To) || is_known {
            reported.push_back(Ok(event));
        }
    }
}

/// Waits for the second half of a rename.
#[derive(Debug, Default)]
pub(crate) struct HoldsFirstHalf {
    held: Option<Event>,
}
impl Mutation for HoldsFirstHalf {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if is_half(&event, RenameMode::From) {
            self.held = Some(event);
            return;
        }
        reported.extend(self.held.take().map(Ok));
        reported.push_back(Ok(event));
    }
}

/// Drops an event that equals the last report, although that was read.
#[derive(Debug, Default)]
pub(crate) struct MergesWithWhatWasRead {
    last: Option<Event>,
}
impl Mutation for MergesWithWhatWasRead {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let event = item.as_ref().ok().cloned();
        if event.is_none() || event != self.last {
            reported.push_back(item);
        }
        self.last = event;
    }
}

/// Waits for the second half of a rename, but only of folders that it has found at the start.
#[derive(Debug, Default)]
pub(crate) struct HoldsFolders {
    folders: Vec<PathBuf>,
    halves: HoldsFirstHalf,
}
impl Mutation for HoldsFolders {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let entries = watches.iter().filter_map(|watch| fs::read_dir(&watch.path).ok()).flatten();
        let paths = entries.flatten().map(|entry| entry.path());
        let folders = paths.filter(|path| path.is_dir()).collect();
        Ok((InotifyBackend::new(watches)?, Self { folders, halves: HoldsFirstHalf::default() }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_folder = |event: &Event| self.folders.contains(&event.path);
        if item.as_ref().is_ok_and(is_folder) || self.halves.held.is_some() {
            self.halves.report(item, reported);
        } else {
            reported.push_back(item);
        }
    }
}

/// Stops reporting at a folder that it cannot read.
#[derive(Debug, Default)]
pub(crate) struct StopsAtLocked {
    has_stopped: bool,
}
impl Mutation for StopsAtLocked {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if is_metadata(&event) {
            let is_denied =
                |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
            self.has_stopped |= fs::File::open(&event.path).is_err_and(is_denied);
        }
        if !self.has_stopped || is_sentinel(&event.path) {
            reported.push_back(Ok(event));
        }
    }
}

/// Mutations that forget something after a loss.
macro_rules! after_loss {
    ($($(#[$doc:meta])* $name:ident = |$event:ident| $keeps:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                has_lost: bool,
            }
            impl Mutation for $name {
                fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    let Ok($event) = item else { return };
                    if !self.has_lost || $keeps {
                        self.has_lost |= matches!($event.kind, EventKind::Missed(_));
                        reported.push_back(Ok($event));
                    }
                }
            }
        )*
    };
}

after_loss! {
    DeadAfterLoss = |event| is_sentinel(&event.path);
    /// Does not look for folders that were created meanwhile.
    FlatAfterLoss = |event| is_sentinel(&event.path) || !event.path.to_string_lossy().contains("/new-");
    NoRemovalsAfterLoss = |event| !is_removal(&event);
    /// Does not watch a file that has replaced another.
    NoFilesAfterLoss = |event| !event.path.ends_with("files/file");
    /// Does not look up a link's target.
    NoLinksAfterLoss = |event| !event.path.ends_with("link/file");
}

/// If one watched folder is in another, reports each change once for each of them.
#[derive(Debug, Default)]
pub(crate) struct DoublesWhereRootsOverlap {
    watches: Vec<Watch>,
}
impl Mutation for DoublesWhereRootsOverlap {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((InotifyBackend::new(watches.clone())?, Self { watches }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let covers = |watch: &&Watch| match event.path.strip_prefix(&watch.path) {
            Ok(below) => watch.recursive || below.components().count() <= 1,
            Err(_) => false,
        };
        let times = self.watches.iter().filter(covers).count();
        reported.extend((0..times).map(|_| Ok(event.clone())));
    }
}

/// Reports the files that it finds when it lists a new folder, and again when the platform sends their events.
#[derive(Debug, Default)]
pub(crate) struct DoublesWhatItFinds {
    found: HashSet<PathBuf>,
}
impl Mutation for DoublesWhatItFinds {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if let EventKind::Create(_) = event.kind {
            if self.found.contains(&event.path) {
                reported.push_back(Ok(event.clone()));
            }
            let entries = fs::read_dir(&event.path).into_iter().flatten().flatten();
            self.found.extend(entries.map(|entry| entry.path()).filter(|path| path.is_file()));
        }
        reported.push_back(Ok(event));
    }
}

/// Drops the events right after a loss, as if they were part of it.
#[derive(Debug, Default)]
pub(crate) struct ThrowsRestAway {
    throws_away: bool,
}
impl Mutation for ThrowsRestAway {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        self.throws_away &= !is_sentinel(&event.path);
        if !self.throws_away {
            self.throws_away = matches!(event.kind, EventKind::Missed(_));
            reported.push_back(Ok(event));
        }
    }
}

/// Mutations that compare a file's time to find out whether it was written.
macro_rules! judge_by_time {
    ($($(#[$doc:meta])* $name:ident = |$new:ident, $old:ident| $is_written:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                times: HashMap<PathBuf, SystemTime>,
            }
            impl Mutation for $name {
                fn new(watches: Vec<Watch>) -> Made<Self> {
                    let folders = watches.iter().map(|watch| fs::read_dir(&watch.path));
                    let files = folders.flatten().flatten().flatten().map(|entry| entry.path());
                    let time = |path: PathBuf| Some((path.clone(), path.metadata().ok()?.modified().ok()?));
                    let times = files.filter_map(time).collect();
                    Ok((InotifyBackend::new(watches)?, Self { times }))
                }
                fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    let Ok(mut event) = item else { return };
                    let time = event.path.metadata().and_then(|metadata| metadata.modified());
                    if let EventKind::Modify(ModifyKind::Data(_)) = event.kind
                        && let (Ok($new), Some($old)) = (time, self.times.get(&event.path).copied())
                        && !$is_written
                    {
                        event.kind = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
                    }
                    reported.push_back(Ok(event));
                }
            }
        )*
    };
}

judge_by_time! {
    NeedsNewerTime = |new, old| new > old;
    NeedsOtherTime = |new, old| new != old;
}

/// Loses some events, but no accesses.
#[derive(Debug, Default)]
pub(crate) struct DropsEverySeventh {
    count: usize,
}
impl Mutation for DropsEverySeventh {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        let is_access = matches!(event.kind, EventKind::Access(_));
        if !is_access && !is_sentinel(&event.path) {
            self.count += 1;
            if self.count.is_multiple_of(7) {
                return;
            }
        }
        reported.push_back(Ok(event));
    }
}

/// Reports every two events in the wrong order.
#[derive(Debug, Default)]
pub(crate) struct Swaps {
    held: Option<StreamItem>,
}
impl Mutation for Swaps {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if matches!(&item, Ok(event) if matches!(event.kind, EventKind::Access(_))) {
            reported.push_back(item);
            return;
        }
        match self.held.take() {
            None => self.held = Some(item),
            Some(held) => {
                reported.push_back(item);
                reported.push_back(held);
            }
        }
    }
}

/// Does not repeat its last report within a second.
#[derive(Debug, Default)]
pub(crate) struct Debounces {
    last: Option<(Event, Instant)>,
}
impl Mutation for Debounces {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = item else { return };
        if is_sentinel(&event.path) {
            reported.push_back(Ok(event));
            return;
        }
        let is_same = self
            .last
            .as_ref()
            .is_some_and(|(last, when)| *last == event && when.elapsed() < Duration::from_secs(1));
        self.last = Some((event.clone(), Instant::now()));
        if !is_same {
            reported.push_back(Ok(event));
        }
    }
}

/// Mutations that leave out events of a watched file.
macro_rules! of_watched_files {
    ($($name:ident = |$event:ident| $leaves_out:expr;)*) => {
        $(
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                files: Vec<PathBuf>,
            }
            impl Mutation for $name {
                fn new(watches: Vec<Watch>) -> Made<Self> {
                    let files = watches.iter().map(|watch| watch.path.clone());
                    let files = files.filter(|path| path.is_file()).collect();
                    Ok((InotifyBackend::new(watches)?, Self { files }))
                }
                fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    let Ok($event) = item else { return };
                    if !self.files.contains(&$event.path) || is_sentinel(&$event.path) || !$leaves_out {
                        reported.push_back(Ok($event));
                    }
                }
            }
        )*
    };
}

of_watched_files! {
    DropsMetadataOfFiles = |event| is_metadata(&event);
    DropsEmptying = |event| event.path.metadata().is_ok_and(|metadata| metadata.len() == 0);
}
