//! Mistakes that show only after a loss.

use std::collections::{HashSet, VecDeque};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

use crate::{
    construction::Made,
    contents::is_metadata,
    kills::{Entry, entry},
    mutant::Mutation,
    places::path_of,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<TellsOneLoss>("tells_one_loss", &["OVF15"]),
        entry::<RescansOnce>("rescans_once", &["OVF15"]),
        entry::<TellsBeforeRepair>("tells_before_repair", &["OVF12"]),
        entry::<SilentAfterWatch>("silent_after_watch", &["OVF16"]),
        entry::<AfterLoss<NoFileLinks>>("no_file_links_after_loss", &["OVF13"]),
        entry::<ForgetsHomeless>("forgets_homeless_files", &["OVF13"]),
        entry::<AfterLoss<NoMetadata>>("no_metadata_after_loss", &["OVF15"]),
        entry::<AfterLoss<NoAccesses>>("no_accesses_after_loss", &["OVF15"]),
        entry::<AfterLoss<NoTrackers>>("no_trackers_after_loss", &["OVF15"]),
        entry::<AfterLoss<NoNewFolders>>("no_new_folders_after_loss", &["OVF15"]),
    ]
}

fn is_loss(item: &StreamItem) -> bool {
    item.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Missed(_)))
}

/// A mistake that begins with the first loss.
#[derive(Debug, Default)]
struct AfterLoss<M> {
    has_lost: bool,
    mistake: M,
}
impl<M: Mutation> Mutation for AfterLoss<M> {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if self.has_lost {
            self.mistake.report(item, reported);
        } else {
            self.has_lost = is_loss(&item);
            reported.push_back(item);
        }
    }
}

/// Goes on watching the old target of a link to a file.
#[derive(Debug, Default)]
struct NoFileLinks;
impl Mutation for NoFileLinks {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_link = |event: &Event| event.path.is_symlink() && event.path.is_file();
        if !item.as_ref().is_ok_and(is_link) {
            reported.push_back(item);
        }
    }
}

#[derive(Debug, Default)]
struct NoMetadata;
impl Mutation for NoMetadata {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if !item.as_ref().is_ok_and(is_metadata) {
            reported.push_back(item);
        }
    }
}

#[derive(Debug, Default)]
struct NoAccesses;
impl Mutation for NoAccesses {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if !item.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
            reported.push_back(item);
        }
    }
}

#[derive(Debug, Default)]
struct NoTrackers;
impl Mutation for NoTrackers {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        reported.push_back(item.map(|event| event.with_tracker(None)));
    }
}

#[derive(Debug, Default)]
struct NoNewFolders {
    new: HashSet<PathBuf>,
}
impl Mutation for NoNewFolders {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if let Ok(event) = &item {
            if event.path.ancestors().skip(1).any(|above| self.new.contains(above)) {
                return;
            }
            if event.kind == EventKind::Create(CreateKind::Folder) {
                self.new.insert(event.path.clone());
            }
        }
        reported.push_back(item);
    }
}

/// Reports only the first loss.
#[derive(Debug, Default)]
struct TellsOneLoss {
    has_told: bool,
}
impl Mutation for TellsOneLoss {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if !is_loss(&item) || !std::mem::replace(&mut self.has_told, true) {
            reported.push_back(item);
        }
    }
}

/// Scans everything after the first loss, but only known folders after the second.
#[derive(Debug, Default)]
struct RescansOnce {
    losses: usize,
    heard: HashSet<PathBuf>,
}
impl Mutation for RescansOnce {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        self.losses += usize::from(is_loss(&item));
        if let Ok(event) = &item
            && let Some(folder) = event.path.parent()
        {
            if self.losses > 1 && !self.heard.contains(folder) {
                return;
            }
            self.heard.insert(folder.to_owned());
            if event.kind == EventKind::Create(CreateKind::Folder) {
                self.heard.insert(event.path.clone());
            }
        }
        reported.push_back(item);
    }
}

/// Reports a loss, and then looks for folders that it does not know yet: what happens there until it has read
/// everything is missing.
#[derive(Debug, Default)]
struct TellsBeforeRepair {
    known: HashSet<PathBuf>,
    is_repairing: bool,
    /// Whether it has read anything since the loss.
    has_read: bool,
}
impl Mutation for TellsBeforeRepair {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        let polled = Pin::new(inner).poll_next(cx);
        self.is_repairing &= polled.is_ready() || !self.has_read;
        polled
    }
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let known = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { known, is_repairing: false, has_read: false }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_known = |folder: &Path| self.known.contains(folder);
        if self.is_repairing && path_of(&item).parent().is_some_and(|folder| !is_known(folder)) {
            self.has_read = true;
            return;
        }
        self.is_repairing |= is_loss(&item);
        self.has_read = !is_loss(&item);
        self.known.extend(path_of(&item).parent().map(Path::to_owned));
        reported.push_back(item);
    }
}

/// Reports no loss once it has read ahead for a new watch.
#[derive(Debug, Default)]
struct SilentAfterWatch {
    has_read_ahead: bool,
}
impl Mutation for SilentAfterWatch {
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        self.has_read_ahead = true;
        inner.watch(watch)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        if !(self.has_read_ahead && is_loss(&item)) {
            reported.push_back(item);
        }
    }
}

/// Does not find, after a loss, that the folder of a watched file is gone.
#[derive(Debug, Default)]
struct ForgetsHomeless;
impl Mutation for ForgetsHomeless {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_it = |path: &Path| {
            path.ends_with("home/file") && path.parent().is_some_and(|folder| !folder.exists())
        };
        if !is_it(path_of(&item)) {
            reported.push_back(item);
        }
    }
}
