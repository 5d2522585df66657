//! Mistakes that are made in some places of a tree and not in others.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
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
    mutant::Mutation,
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
            &["META01", "META03", "META04", "META09"],
        ),
        entry::<InNew<DropsMetadata>>("drops_metadata_in_new", &["META01", "META03", "META09"]),
        entry::<InNew<MetadataMasks>>("metadata_masks_in_new", &["META06"]),
        entry::<Below<MetadataAsData>>("metadata_as_data_below", &["META07"]),
        entry::<Below<DropsAccesses>>("drops_accesses_below", &["ACC01", "ACC02", "ACC03"]),
        entry::<InNew<DropsAccesses>>("drops_accesses_in_new", &["ACC01", "ACC02", "ACC03"]),
        entry::<AccessesInNew>("accesses_in_new", &["ACC04"]),
        entry::<InNew<StopsAtLocked>>("stops_at_locked_in_new", &["PERM01"]),
        entry::<Below<ForgetsLocked>>("forgets_locked", &["PERM05"]),
        entry::<InNew<HidesErrors>>("hides_errors_in_new", &["REC11"]),
    ]
}

/// A mistake that is made below the entries of the watched folders alone.
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

/// A mistake that is made in folders alone that have come while the backend watched.
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

fn path_of(item: &StreamItem) -> &Path {
    match item {
        Ok(event) => &event.path,
        Err(error) => error.path().unwrap_or(Path::new("")),
    }
}

/// Hears of accesses in folders that come later, where nobody has asked for them.
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

/// Forgets a folder that may not be read, and does not look at it again.
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
