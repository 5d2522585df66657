//! Watching with one mark per file system: [`Filesystems`].
//!
//! The kernel sends the events of the whole file system. Those that are not below a watched path are
//! dropped by the handle of their folder, before anything else is looked at.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    task::{Context, Poll},
};

use libc::{
    FAN_ACCESS, FAN_ATTRIB, FAN_CLOSE_NOWRITE, FAN_CLOSE_WRITE, FAN_CREATE, FAN_DELETE,
    FAN_MARK_ADD, FAN_MARK_FILESYSTEM, FAN_MARK_REMOVE, FAN_MODIFY, FAN_ONDIR, FAN_OPEN,
    FAN_RENAME, FAN_REPORT_DFID_NAME_TARGET, FAN_UNLIMITED_MARKS,
};
use notify_backend::{descriptor::Descriptor, prelude::*};
use rustix::io::Errno;

use crate::{
    explain::explain,
    folder::open_folder,
    mounts::Mounts,
    places::{self, Places},
    queue::Queue,
    recent::Recent,
    reserve::Reserve,
    roots::{Beside, Covered, Open, Root, Roots, locate},
    settings::Settings,
    sys::{self, Handle},
};

const CHANGES: u64 = FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_MODIFY | FAN_RENAME | FAN_ONDIR;
pub(crate) const ACCESSES: u64 = FAN_ACCESS | FAN_CLOSE_NOWRITE | FAN_CLOSE_WRITE | FAN_OPEN;

/// How many records are looked at before another task gets its turn.
const STEPS: usize = 64;

/// The watched paths, and the marks on the file systems that they are on.
#[derive(Debug)]
pub(crate) struct Filesystems {
    pub(crate) queue: Queue,
    mounts: Mounts,
    mounted: HashSet<(i32, PathBuf)>,
    /// Whether `mounted` is up to date.
    has_looked: bool,
    pub(crate) places: Places,
    pub(crate) roots: Roots,
    /// How many roots are on each file system, and how many of them ask for accesses.
    pub(crate) marks: HashMap<u64, [usize; 2]>,
    pub(crate) ready: VecDeque<StreamItem>,
    /// How many renames were reported.
    pub(crate) renames: u64,
    /// The paths under which the events in a folder are reported, as of the record that is taken next.
    pub(crate) covered: Recent<Handle, Arc<Covered>>,
    /// Open until the next item is returned, or the task waits.
    pub(crate) open: Open,
    /// For looks when too many files are open.
    pub(crate) reserve: Reserve,
    has_ended: bool,
    pub(crate) settings: Settings,
}

impl Filesystems {
    /// Fails if no file system can be marked. Without root's privileges, only the watches can show that, so
    /// `is_empty` says whether there are none.
    pub(crate) fn new(settings: Settings, is_empty: bool) -> io::Result<Self> {
        // Unlimited marks are a privilege, and so is opening files by their handles.
        let privileged = sys::init(FAN_REPORT_DFID_NAME_TARGET | FAN_UNLIMITED_MARKS)
            .and_then(|group| sys::check_open_by_handle().map(|()| group));
        let group = match privileged {
            Err(error) if !is_empty && Errno::from_io_error(&error) == Some(Errno::PERM) => {
                sys::init(FAN_REPORT_DFID_NAME_TARGET)?
            }
            group => group?,
        };
        let descriptor = Descriptor::new(group)?;
        Ok(Self {
            queue: Queue::new(descriptor),
            mounts: Mounts::new()?,
            mounted: Mounts::all()?,
            has_looked: true,
            places: Places::default(),
            roots: Roots::default(),
            marks: HashMap::new(),
            ready: VecDeque::new(),
            renames: 0,
            covered: Recent::default(),
            open: Open::default(),
            reserve: Reserve::new()?,
            has_ended: false,
            settings,
        })
    }

    pub(crate) fn check_open(&self) -> Result<(), BackendError> {
        if self.has_ended { Err(BackendError::ended()) } else { Ok(()) }
    }

    pub(crate) fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        let path = watch.path.clone();
        let refused = |error| explain(path.clone(), error);
        let (mut root, folder) = locate(watch).map_err(refused)?;
        let Some(file_system) = root.file_system() else {
            return Err(refused(io::ErrorKind::NotFound.into()));
        };
        self.mark(file_system, root.watch.access, folder.as_fd()).map_err(refused)?;
        if let Err(error) = check_handles(&root) {
            self.unmark(&root);
            return Err(refused(error));
        }
        // Events up to now are older than the watch, even if they were not read yet.
        self.queue.read_ahead();
        self.queue.leave_nothing_out();
        root.since = self.queue.end();
        root.since_below = root.since;
        let earlier = self.roots.take(&path);
        if let Some(earlier) = &earlier
            && earlier.folder == root.folder
            && earlier.at == root.at
        {
            root.since = earlier.since;
            if earlier.watch.recursive {
                root.since_below = earlier.since_below;
            }
        }
        self.ready
            .extend(self.mounted.iter().filter_map(|mount| root.say_mounted(&mount.1)).map(Err));
        self.roots.insert(root);
        self.covered.clear();
        if let Some(earlier) = earlier {
            self.unmark(&earlier);
        }
        Ok(())
    }

    pub(crate) fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        let root = self.roots.take(path).ok_or_else(|| BackendError::not_watched(path))?;
        self.covered.clear();
        self.unmark(&root);
        let roots = &self.roots;
        self.ready.retain(|item| {
            let said = match item {
                Ok(event) => event.path.as_path(),
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            !said.starts_with(path) || roots.iter().any(|root| root.covers(said))
        });
        Ok(())
    }

    /// Returns the events that every watch needs.
    fn changes(&self) -> u64 {
        if self.settings.reports_closes() { CHANGES | FAN_CLOSE_WRITE } else { CHANGES }
    }

    /// Marks a file system, unless it is marked already, and counts the root.
    fn mark(&mut self, file_system: u64, access: bool, folder: BorrowedFd<'_>) -> io::Result<()> {
        let [all, accesses] = self.marks.get(&file_system).copied().unwrap_or_default();
        let mask = match (all, access && accesses == 0) {
            (_, true) => CHANGES | ACCESSES,
            (0, false) => self.changes(),
            _ => 0,
        };
        if mask != 0 {
            let group = self.queue.descriptor.as_fd();
            sys::mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, folder)?;
        }
        self.marks.insert(file_system, [all + 1, accesses + usize::from(access)]);
        Ok(())
    }

    /// Removes the mark of a root that is gone, as far as no other root needs it.
    pub(crate) fn unmark(&mut self, root: &Root) {
        let Some(file_system) = root.file_system() else { return };
        let changes = self.changes();
        let Some([all, accesses]) = self.marks.get_mut(&file_system) else { return };
        *all -= 1;
        *accesses -= usize::from(root.watch.access);
        let mask = match (*all, root.watch.access && *accesses == 0) {
            (0, _) => CHANGES | ACCESSES,
            (_, true) => ACCESSES & !changes,
            _ => return,
        };
        if *all == 0 {
            self.marks.remove(&file_system);
        }
        let is_of_it = |path: &Path| open_folder(path).ok().filter(|found| found.1 == file_system);
        // Fails if the file system is gone, and the mark with it, which does no harm.
        if let Some((folder, _)) = root.location.ancestors().find_map(is_of_it) {
            let group = self.queue.descriptor.as_fd();
            _ = sys::mark(group, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM, mask, folder.as_fd());
        }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let polled = self.poll(cx);
        self.open = Open::default();
        polled
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let mut steps = 0;
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            if self.has_ended {
                return Poll::Ready(None);
            }
            // Several at a time, since they share the open files.
            let before = steps;
            while steps < before + STEPS
                && let Some((number, record)) = self.queue.next()
            {
                let first = self.ready.len();
                self.apply(number, &record);
                if self.settings.reports_processes() {
                    self.name_process(first, record.process);
                }
                steps += 1;
            }
            if steps >= STEPS && self.ready.is_empty() {
                // Other tasks get their turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if steps > before {
                continue;
            }
            if let Poll::Ready(result) = self.queue.poll_fill(cx) {
                if let Err(error) = result {
                    self.has_ended = true;
                    self.ready.push_back(Err(StreamError::read(error)));
                }
                continue;
            }
            // If it fails, for example with too many open files, it is tried again.
            if !self.has_looked && self.look_for_mounts().is_ok() {
                self.has_looked = true;
                continue;
            }
            match self.mounts.poll_change(cx) {
                Poll::Ready(Ok(())) => self.has_looked = false,
                Poll::Ready(Err(error)) => {
                    self.has_ended = true;
                    self.ready.push_back(Err(StreamError::read(error)));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Adds the process to the items from the `first` one on.
    fn name_process(&mut self, first: usize, process: Option<u32>) {
        for event in self.ready.range_mut(first..).flatten() {
            event.attrs.set_process(process);
        }
    }

    /// Looks at all watched paths again after a loss: places of folders may be wrong, and watched paths
    /// gone.
    pub(crate) fn look_again(&mut self) {
        self.places.clear();
        self.covered.clear();
        for number in self.roots.numbers() {
            let Some(root) = self.roots.get(number) else { continue };
            let Ok(found) = self.reserve.lend(|| root.find()) else { continue };
            if found.is_none_or(|(found, _)| Some(&found) != root.anchor()) {
                // A watched file may be away for the moment, but not the folder that it is in.
                let is_folder = root.folder.is_some();
                let kind = if is_folder { RemoveKind::Folder } else { RemoveKind::File };
                self.end_root(number, Event::remove(kind, ""));
            }
        }
        self.miss();
    }

    /// Looks for watched paths that were unmounted, and reports file systems that were mounted below
    /// others.
    fn look_for_mounts(&mut self) -> io::Result<()> {
        let mounted = self.reserve.lend(Mounts::all)?;
        for number in self.roots.numbers() {
            let Some(root) = self.roots.get(number) else { continue };
            let found = self.reserve.lend(|| root.find())?;
            // If another folder of the same file system has taken its place, records will show that.
            let is_hidden = found.is_some_and(|(found, mount)| {
                let is_other =
                    mount != root.mount || Some(found.file_system()) != root.file_system();
                Some(&found) != root.anchor() && is_other
            });
            if is_hidden || mounted.iter().all(|(mount, _)| *mount != root.mount) {
                let event = Event::remove(RemoveKind::Other, "").with_info("unmounted");
                self.end_root(number, event);
            } else {
                let new = mounted.difference(&self.mounted);
                self.ready.extend(new.filter_map(|mount| root.say_mounted(&mount.1)).map(Err));
            }
        }
        self.mounted = mounted;
        Ok(())
    }
}

/// Fails if files cannot be opened by their handles although the file system can be marked.
fn check_handles(root: &Root) -> io::Result<()> {
    let mut roots = Roots::default();
    let Some(folder) = root.anchor() else { return Ok(()) };
    let folder = folder.clone();
    roots.insert(root.clone());
    places::is_gone(&folder, &mut Beside { roots: &roots, open: &mut Open::default() }).map(drop)
}
