//! Mistakes in going on from a cursor.
//!
//! No kernel facility outlives a program, so these are not built on the inotify backend: [`Resumable`] is a small
//! one whose source is a journal in this process.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use notify_backend::{
    Cursor, check_watches,
    compliance::{Profile, Suite},
    prelude::*,
};
use notify_backend_inotify::InotifyBackend;

use crate::{
    kills::{Entry, entry, entry_of},
    mutant::Mutation,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        resumable::<FROM_NOW>("resumes_from_now", &["RSM01", "RSM04"]),
        resumable::<FROM_START>("resumes_from_the_start", &["RSM01"]),
        resumable::<REPORTS_WHAT_EXISTS>("resumes_with_all_files", &["RSM02"]),
        resumable::<AHEAD>("cursor_of_what_was_received", &["RSM03"]),
        resumable::<BEHIND>("cursor_of_what_was_received_before", &["RSM03"]),
        resumable::<LATE>("no_cursor_before_the_first_item", &["RSM04"]),
        resumable::<CONSUMES>("forgets_what_was_read", &["RSM05"]),
        resumable::<ONE_PLACE_FOR_ALL>("one_place_for_all_folders", &["RSM06"]),
        resumable::<SILENT>("resumes_in_silence_after_a_loss", &["RSM07"]),
        resumable::<TRUSTING>("trusts_every_cursor", &["RSM08"]),
        resumable::<PANICKING>("panics_at_forged_cursors", &["RSM08"]),
        resumable::<UNCHECKED>("resumes_without_missing_paths", &["RSM09"]),
        resumable::<NO_REMOVALS>("cursor_before_removals", &["RSM11"]),
        resumable::<KEEPS_LOSSES>("keeps_losses_of_the_unwatched", &["RSM12"]),
        resumable::<BLIND_ABOVE>("blind_to_losses_above", &["OVF17"]),
        entry::<HasCursor>("cursor_undeclared", &["RSM10"]),
    ]
}

/// The suite for the same without a mistake.
pub(crate) fn control() -> Suite {
    suite::<RIGHT>(Profile::default())
}

fn resumable<const MISTAKE: u8>(name: &'static str, kills: &'static [&'static str]) -> Entry {
    entry_of(name, suite::<MISTAKE>(Profile::default().patience(Duration::from_millis(400))), kills)
}

fn suite<const MISTAKE: u8>(profile: Profile) -> Suite {
    let profile = profile.pairs_renames(false);
    Suite::of::<Resumable<MISTAKE>>().profile(profile).forgetting(forget).losing(lose)
}

/// Returns a cursor, although the capability is not declared.
#[derive(Debug, Default)]
struct HasCursor;
impl Mutation for HasCursor {
    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor::new(Self::name(), b""))
    }
}

const RIGHT: u8 = 0;
/// Begins with what happens from now on.
const FROM_NOW: u8 = 1;
/// Begins with the oldest item.
const FROM_START: u8 = 2;
/// Compares with nothing.
const REPORTS_WHAT_EXISTS: u8 = 3;
/// The cursor stands after the last item that was received.
const AHEAD: u8 = 4;
/// The cursor stands before all that was received together.
const BEHIND: u8 = 5;
/// There is no cursor before there was an item.
const LATE: u8 = 6;
/// Each item is delivered once.
const CONSUMES: u8 = 7;
/// A folder that the cursor does not name is resumed like the others.
const ONE_PLACE_FOR_ALL: u8 = 8;
/// Begins anew without a word.
const SILENT: u8 = 9;
/// Asks neither for the name nor for the checksum.
const TRUSTING: u8 = 10;
/// Takes the length of the position for granted.
const PANICKING: u8 = 11;
/// Leaves out what is gone.
const UNCHECKED: u8 = 12;
/// The cursor does not move past removals.
const NO_REMOVALS: u8 = 13;
/// `unwatch` leaves the losses that were not read yet.
const KEEPS_LOSSES: u8 = 14;
/// A loss above the watched folders is none of theirs.
const BLIND_ABOVE: u8 = 15;

/// What has happened in this process, whether or not there was a backend. It finds out by comparing, so that it
/// needs neither a thread nor a descriptor.
#[derive(Debug)]
struct Journal {
    /// Differs from that of a journal that was forgotten.
    generation: u64,
    items: Vec<Option<Event>>,
    /// The entries of each folder, as they were when it was last looked at.
    known: BTreeMap<PathBuf, Entries>,
}

type Entries = HashMap<PathBuf, (u64, u64, Option<SystemTime>)>;

static JOURNAL: Mutex<Journal> =
    Mutex::new(Journal { generation: 1, items: vec![], known: BTreeMap::new() });

fn journal() -> MutexGuard<'static, Journal> {
    JOURNAL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::unnecessary_wraps, reason = "others may fail")]
fn forget(folder: &Path) -> io::Result<()> {
    let mut journal = journal();
    journal.generation += 1;
    journal.items.clear();
    journal.known.remove(folder);
    Ok(())
}

/// Loses what has happened in a folder or below and was not looked at yet, and says so.
#[expect(clippy::unnecessary_wraps, reason = "others may fail")]
fn lose(folder: &Path) -> io::Result<()> {
    let mut journal = journal();
    for (known, state) in &mut journal.known {
        if known.starts_with(folder) {
            *state = entries(known);
        }
    }
    journal.items.push(Some(Event::missed_below(folder, None)));
    Ok(())
}

fn entries(folder: &Path) -> Entries {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let state = |path: PathBuf| {
        let metadata = path.symlink_metadata().ok()?;
        Some((path, (metadata.ino(), metadata.len(), metadata.modified().ok())))
    };
    entries.filter_map(|entry| state(entry.path())).collect()
}

impl Journal {
    /// Adds an item for everything that has changed in `folder`.
    fn look(&mut self, folder: &Path) {
        let now = entries(folder);
        let before = self.known.insert(folder.to_owned(), now.clone()).unwrap_or_default();
        let paths: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        for path in paths {
            let event = match (before.get(path), now.get(path)) {
                (None, Some(_)) => Event::create(CreateKind::Any, path),
                (Some(_), None) => Event::remove(RemoveKind::Any, path),
                (before, now) if before != now => {
                    Event::modify(ModifyKind::Data(DataChange::Any), path)
                }
                _ => continue,
            };
            self.items.push(Some(event));
        }
    }
}

/// A backend that reads the journal.
#[derive(Debug)]
struct Resumable<const MISTAKE: u8> {
    /// Says when to look.
    inner: InotifyBackend,
    folders: Vec<PathBuf>,
    lost: VecDeque<Event>,
    /// The number of the next item in the journal, and that of the first one that was found with it.
    position: usize,
    batch: usize,
    /// The number of the item after the last one that was yielded and is no removal.
    arrived: usize,
    has_yielded: bool,
}

impl<const MISTAKE: u8> Resumable<MISTAKE> {
    fn at(position: usize, watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_watches(&watches, Self::capabilities())?;
        let folders = watches.iter().map(|watch| watch.path.clone()).collect();
        let inner = InotifyBackend::new(watches)?;
        let lost = VecDeque::new();
        let (batch, arrived) = (position, position);
        Ok(Self { inner, folders, lost, position, batch, arrived, has_yielded: false })
    }

    fn from_now(watches: Vec<Watch>) -> Result<Self, BackendError> {
        let mut journal = journal();
        let backend = Self::at(journal.items.len(), watches)?;
        for folder in &backend.folders {
            journal.known.insert(folder.clone(), entries(folder));
        }
        Ok(backend)
    }
}

impl<const MISTAKE: u8> Backend for Resumable<MISTAKE> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::from_now(watches)
    }

    fn resume(mut watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError> {
        let bytes = match from.position(Self::name()) {
            Err(_) if MISTAKE == TRUSTING => &[],
            other => other?,
        };
        if MISTAKE == UNCHECKED {
            watches.retain(|watch| watch.path.exists());
        }
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let parsed = number(0).zip(number(8));
        let (generation, position) = match parsed {
            None if MISTAKE == TRUSTING => (0, 0),
            None if MISTAKE == PANICKING => panic!("the cursor is too short"),
            None => return Err(BackendError::invalid_cursor()),
            Some((generation, position)) => (generation, usize::try_from(position).unwrap_or(0)),
        };
        let names: Vec<_> = bytes.get(16..).unwrap_or_default().split(|&byte| byte == 0).collect();
        if MISTAKE == FROM_NOW {
            return Self::from_now(watches);
        }
        let mut journal = journal();
        let is_forgotten = generation != journal.generation || position > journal.items.len();
        let end = journal.items.len();
        let start = match MISTAKE {
            FROM_START => 0,
            _ if is_forgotten => end,
            _ => position,
        };
        let mut backend = Self::at(start, watches)?;
        for folder in backend.folders.clone() {
            let is_named = names.contains(&folder.as_os_str().as_bytes());
            if MISTAKE == REPORTS_WHAT_EXISTS {
                journal.known.remove(&folder);
            } else if is_forgotten || !is_named {
                if !matches!((MISTAKE, is_forgotten), (SILENT, true) | (ONE_PLACE_FOR_ALL, false)) {
                    backend.lost.push_back(Event::missed_below(&folder, None));
                }
                journal.known.insert(folder.clone(), entries(&folder));
            }
            journal.look(&folder);
        }
        Ok(backend)
    }

    fn capabilities() -> Capabilities {
        Capabilities::declare(&[
            Capability::WatchFolders,
            Capability::ChangeWatches,
            Capability::Resume,
        ])
    }

    fn name() -> &'static str {
        "mutants/journal"
    }

    fn cursor(&self) -> Option<Cursor> {
        let journal = journal();
        let position = match MISTAKE {
            AHEAD => journal.items.len(),
            BEHIND => self.batch,
            NO_REMOVALS => self.arrived,
            LATE if !self.has_yielded => return None,
            _ => self.position,
        };
        let mut bytes = journal.generation.to_le_bytes().to_vec();
        bytes.extend((position as u64).to_le_bytes());
        let names: Vec<_> =
            self.folders.iter().map(|folder| folder.as_os_str().as_bytes()).collect();
        bytes.extend(names.join(&0));
        Some(Cursor::new(Self::name(), &bytes))
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        let path = watch.path.clone();
        self.inner.watch(watch)?;
        journal().known.insert(path.clone(), entries(&path));
        self.folders.push(path);
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.inner.unwatch(path)?;
        self.folders.retain(|folder| folder != path);
        if MISTAKE != KEEPS_LOSSES {
            self.lost.retain(|missed| missed.path != path);
        }
        Ok(())
    }
}

impl<const MISTAKE: u8> Stream for Resumable<MISTAKE> {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let this = self.get_mut();
        this.has_yielded = true;
        if let Some(event) = this.lost.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        loop {
            let mut journal = journal();
            while this.position < journal.items.len() {
                let at = this.position;
                this.position += 1;
                let item = &mut journal.items[at];
                if let Some(Event { kind: EventKind::Missed(_), path, .. }) = item {
                    let is_blind = MISTAKE == BLIND_ABOVE && !this.folders.contains(path);
                    let missed = this.folders.iter().filter(|folder| folder.starts_with(&*path));
                    let missed = missed.map(|folder| Event::missed_below(folder, None));
                    this.lost.extend(missed.filter(|_| !is_blind));
                    if let Some(event) = this.lost.pop_front() {
                        return Poll::Ready(Some(Ok(event)));
                    }
                    continue;
                }
                let is_own = |event: &Event| {
                    event
                        .path
                        .parent()
                        .is_some_and(|folder| this.folders.iter().any(|it| it == folder))
                };
                if item.as_ref().is_some_and(is_own) {
                    let event = if MISTAKE == CONSUMES { item.take() } else { item.clone() };
                    if event.as_ref().is_some_and(|it| !matches!(it.kind, EventKind::Remove(_))) {
                        this.arrived = this.position;
                    }
                    return Poll::Ready(event.map(Ok));
                }
            }
            this.batch = this.position;
            for folder in &this.folders {
                journal.look(folder);
            }
            if this.position == journal.items.len() {
                match Pin::new(&mut this.inner).poll_next(cx) {
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }
    }
}
