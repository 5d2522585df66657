//! The service behind all streams of the process, as `fseventsd` is on macOS: [`Service`].

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt, io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader},
    io::Errno,
};

use super::{LIMIT, STICKY, paths::Folders};
use crate::backend::{Deliver, EventId, Flags, FsEvent, History, Request, SINCE_NOW};

pub(super) struct Service {
    state: Mutex<State>,
    /// Wakes the thread, since there is something to deliver.
    waker: OwnedFd,
}

struct State {
    folders: Folders,
    last: EventId,
    /// Goes up when the history is forgotten.
    history: u64,
    keeps_no_history: bool,
    /// What has happened at each path, and when that was reported last.
    log: HashMap<PathBuf, (Flags, EventId, Instant)>,
    streams: HashMap<u64, Stream>,
    streams_ever: u64,
    /// Files that were written and not closed yet.
    written: HashSet<PathBuf>,
    /// A folder that was renamed, until the next event says where to.
    renamed: Option<(u32, PathBuf)>,
    /// Folders that were renamed. They are listed once everything is read: a listing for each rename takes longer than
    /// the next rename.
    to_list: BTreeSet<PathBuf>,
}

struct Stream {
    request: Request,
    deliver: Deliver,
    /// What is to be delivered first, without waiting.
    ready: Vec<FsEvent>,
    waiting: HashMap<PathBuf, (Flags, EventId)>,
    /// When the waiting ones are delivered.
    due: Option<Instant>,
}

impl Service {
    /// Returns the service of the process, which is started at the first call.
    pub(super) fn get() -> io::Result<&'static Self> {
        static SERVICE: OnceLock<Service> = OnceLock::new();
        static START: Mutex<()> = Mutex::new(());

        let _start = START.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = SERVICE.get() {
            return Ok(service);
        }
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let waker = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let inotify_of_thread = inotify.try_clone()?;
        let state = State {
            folders: Folders::new(inotify),
            last: 1,
            history: 1,
            keeps_no_history: false,
            log: HashMap::new(),
            streams: HashMap::new(),
            streams_ever: 0,
            written: HashSet::new(),
            renamed: None,
            to_list: BTreeSet::new(),
        };
        let service = SERVICE.get_or_init(|| Self { state: Mutex::new(state), waker });
        thread::Builder::new()
            .name("model of fseventsd".into())
            .spawn(move || service.run(&inotify_of_thread))?;
        Ok(service)
    }

    pub(super) fn current(&self) -> EventId {
        self.up_to_date().last
    }

    pub(super) fn history(&self, path: &Path) -> Option<History> {
        let mut state = self.up_to_date();
        // What is at a link is elsewhere.
        if let Ok(path) = path.canonicalize() {
            state.folders.add(&path);
        }
        (!state.keeps_no_history).then(|| u128::from(state.history).to_le_bytes())
    }

    pub(super) fn keep_history(&self, is_kept: bool) {
        self.up_to_date().keeps_no_history = !is_kept;
    }

    pub(super) fn start(&self, request: Request, deliver: Deliver) -> u64 {
        let mut state = self.up_to_date();
        for path in &request.paths {
            state.folders.add(path);
        }
        let is_past = |(path, (_, id, _)): &(&PathBuf, &(Flags, EventId, Instant))| {
            !state.keeps_no_history && *id > request.since && has(&request, path)
        };
        let past = state.log.iter().filter(is_past);
        let event =
            |(path, &(flags, id, _)): (&PathBuf, &_)| FsEvent { path: path.clone(), flags, id };
        let mut ready: Vec<_> = past.map(event).collect();
        ready.sort_by_key(|event| event.id);
        let id = state.last;
        if request.since != SINCE_NOW {
            ready.push(FsEvent { path: PathBuf::new(), flags: Flags::HISTORY_DONE, id });
        }
        state.streams_ever += 1;
        let number = state.streams_ever;
        let stream =
            Stream { request, deliver, ready, waiting: HashMap::new(), due: Some(Instant::now()) };
        state.streams.insert(number, stream);
        drop(state);
        self.wake();
        number
    }

    pub(super) fn stop(&self, stream: u64) {
        self.lock().streams.remove(&stream);
    }

    pub(super) fn flush(&self, stream: u64) {
        if let Some(stream) = self.up_to_date().streams.get_mut(&stream) {
            stream.deliver();
        }
    }

    pub(super) fn forget(&self) {
        let mut state = self.up_to_date();
        state.history += 1;
        state.log.clear();
    }

    pub(super) fn wrap_ids(&self) {
        let mut state = self.up_to_date();
        state.history += 1;
        state.log.clear();
        state.last = 1;
        let wrapped = FsEvent { path: PathBuf::from("/"), flags: Flags::EVENT_IDS_WRAPPED, id: 1 };
        for stream in state.streams.values_mut() {
            stream.deliver();
            stream.ready.push(wrapped.clone());
            stream.deliver();
        }
    }

    pub(super) fn lose(&self, path: &Path, flags: Flags) {
        let mut state = self.up_to_date();
        state.last += 1;
        let id = state.last;
        for stream in state.streams.values_mut() {
            stream.waiting.retain(|waiting, _| !waiting.starts_with(path));
            stream.ready.push(FsEvent { path: path.to_owned(), flags, id });
            stream.deliver();
        }
    }

    /// Reads what inotify has, and delivers it when it is due.
    fn run(&self, inotify: &OwnedFd) {
        loop {
            let mut state = self.up_to_date();
            let now = Instant::now();
            for stream in state.streams.values_mut() {
                if stream.due.is_some_and(|due| due <= now) {
                    stream.deliver();
                }
            }
            let next = state.streams.values().filter_map(|stream| stream.due).min();
            drop(state);
            let timeout = next.map(|next| next.saturating_duration_since(now)).map(timespec);
            let mut ready = [inotify, &self.waker].map(|it| PollFd::new(it, PollFlags::IN));
            match poll(&mut ready, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => panic!("inotify cannot be waited for: {error}"),
            }
            // Fails if it was not woken.
            _ = rustix::io::read(&self.waker, &mut [0; 8]);
        }
    }

    fn wake(&self) {
        rustix::io::write(&self.waker, &1_u64.to_ne_bytes()).expect("its counter has room");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state, after what has happened until now.
    fn up_to_date(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let had_waiting = state.streams.values().any(|stream| stream.due.is_some());
        state.read();
        if !had_waiting && state.streams.values().any(|stream| stream.due.is_some()) {
            // The thread may be waiting without a timeout.
            self.wake();
        }
        state
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}

/// Returns whether a stream with this request has events of a path.
fn has(request: &Request, path: &Path) -> bool {
    request.paths.iter().any(|root| path.starts_with(root))
}

impl State {
    /// Reads what inotify has, and lists the folders that were renamed.
    fn read(&mut self) {
        self.read_events();
        for folder in std::mem::take(&mut self.to_list) {
            // A folder in it may have been made so shortly before that it could not be watched at its first path.
            self.attach(&folder);
        }
    }

    /// Reads until inotify has nothing more.
    fn read_events(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut is_last = false;
        loop {
            let mut events = vec![];
            let mut reader = Reader::new(&self.folders.inotify, &mut buffer);
            let end = loop {
                match reader.next() {
                    Ok(event) => {
                        let name = event.file_name().map(|name| name.to_bytes().to_vec());
                        events.push((event.wd(), event.events(), event.cookie(), name));
                    }
                    Err(end) => break end,
                }
                if reader.is_buffer_empty() {
                    break Errno::INTR;
                }
            };
            for (watch, flags, cookie, name) in events {
                let name = name.as_deref().map(std::ffi::OsStr::from_bytes);
                self.happened(watch, flags, cookie, name.map(Path::new));
            }
            match end {
                Errno::INTR => {}
                Errno::AGAIN if self.renamed.is_none() => return,
                // The second half of a rename comes right after the first.
                Errno::AGAIN if !is_last => {
                    is_last = true;
                    let mut more = [PollFd::new(&self.folders.inotify, PollFlags::IN)];
                    // If it fails, there is just less time.
                    _ = poll(&mut more, Some(&timespec(Duration::from_millis(1))));
                }
                Errno::AGAIN => {
                    if let Some((_, from)) = self.renamed.take() {
                        self.folders.detach(&from);
                    }
                    return;
                }
                error => panic!("inotify cannot be read: {error}"),
            }
        }
    }

    /// Translates one event of inotify.
    fn happened(&mut self, watch: i32, flags: ReadFlags, cookie: u32, name: Option<&Path>) {
        let renamed = self.renamed.take();
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            return self.overflow();
        }
        if flags.contains(ReadFlags::IGNORED) {
            self.renamed = renamed;
            return self.folders.ended(watch);
        }
        if flags.contains(ReadFlags::UNMOUNT)
            && let Some(folder) = self.folders.get(watch).map(Path::to_owned)
        {
            self.renamed = renamed;
            self.folders.ended(watch);
            self.record(&folder, true, Flags::UNMOUNT);
            // What was below the mount.
            return self.folders.attach(&folder, &mut |_, _| {});
        }
        let (Some(folder), Some(name)) = (self.folders.get(watch), name) else {
            // Of a folder itself, the one above it tells.
            self.renamed = renamed;
            return;
        };
        let path = folder.join(name);
        let is_folder = flags.contains(ReadFlags::ISDIR);
        if let Some((other, from)) = &renamed
            && !(flags.contains(ReadFlags::MOVED_TO) && *other == cookie)
        {
            self.folders.detach(from);
        }
        if flags.contains(ReadFlags::CREATE) {
            self.record(&path, is_folder, Flags::CREATED);
            if is_folder {
                self.attach(&path);
            }
        } else if flags.contains(ReadFlags::DELETE) {
            self.record(&path, is_folder, Flags::REMOVED);
        } else if flags.contains(ReadFlags::MOVED_FROM) {
            self.record(&path, is_folder, Flags::RENAMED);
            if is_folder {
                self.renamed = Some((cookie, path));
            }
        } else if flags.contains(ReadFlags::MOVED_TO) {
            self.record(&path, is_folder, Flags::RENAMED);
            if let Some((_, from)) = renamed.filter(|(other, _)| *other == cookie) {
                self.folders.rename(&from, &path);
                if !self.folders.is_recorded(&path) {
                    self.folders.detach(&path);
                }
                // The two may have been exchanged.
                if self.folders.is_other(&from) {
                    self.to_list.insert(from.clone());
                }
                self.follow(&from, &path);
                self.to_list.insert(path);
            } else if is_folder {
                self.folders.attach(&path, &mut |_, _| {});
            }
        } else if flags.contains(ReadFlags::MODIFY) {
            self.written.insert(path);
        } else if flags.contains(ReadFlags::CLOSE_WRITE) {
            if self.written.remove(&path) {
                self.record(&path, is_folder, Flags::MODIFIED);
            }
        } else if flags.contains(ReadFlags::ATTRIB) {
            self.record(&path, is_folder, Flags::INODE_META_MOD);
            if is_folder {
                // inotify may have been refused, which the service of macOS, root's, never is.
                self.folders.attach(&path, &mut |_, _| {});
            }
        }
    }

    /// Notes that a folder is elsewhere now, with those in it that are to be listed.
    fn follow(&mut self, from: &Path, to: &Path) {
        let is_inside = |folder: &PathBuf| folder != from && folder.starts_with(from);
        let moved: Vec<_> = self.to_list.iter().filter(|it| is_inside(it)).cloned().collect();
        for folder in moved {
            self.to_list.remove(&folder);
            let below = folder.strip_prefix(from).expect("it is inside");
            self.to_list.insert(to.join(below));
        }
    }

    /// Watches a folder and those below it, and records what is in those that were not watched before.
    fn attach(&mut self, folder: &Path) {
        let mut found = vec![];
        self.folders.attach(folder, &mut |path, is_folder| {
            found.push((path.to_owned(), is_folder));
        });
        for (path, is_folder) in found {
            self.record(&path, is_folder, Flags::CREATED);
        }
    }

    /// Records what has happened at a path, for all streams now and later.
    fn record(&mut self, path: &Path, is_folder: bool, flags: Flags) {
        let comes_or_goes = Flags::CREATED.and(Flags::REMOVED).and(Flags::RENAMED);
        if flags.has_any(comes_or_goes) {
            self.change_roots(path);
        }
        if !self.folders.is_recorded(path) {
            return;
        }
        self.last += 1;
        let id = self.last;
        let mut flags = flags.and(if is_folder { Flags::IS_DIR } else { Flags::IS_FILE });
        if let Some((earlier, _, at)) = self.log.get(path)
            && at.elapsed() < STICKY
        {
            flags = flags.and(*earlier);
        }
        self.log.insert(path.to_owned(), (flags, id, Instant::now()));
        for stream in self.streams.values_mut() {
            let is_root = stream.request.paths.iter().any(|root| root == path);
            if has(&stream.request, path) && !(is_root && flags.has_any(comes_or_goes)) {
                stream.add(path.to_owned(), flags, id);
            }
        }
    }

    /// Tells the streams whose own paths are changed by what has happened at this one.
    fn change_roots(&mut self, path: &Path) {
        for stream in self.streams.values_mut() {
            let roots = stream.request.paths.iter().filter(|root| root.starts_with(path));
            for root in roots.cloned().collect::<Vec<_>>() {
                stream.add(root, Flags::ROOT_CHANGED, 0);
            }
        }
    }

    /// inotify has lost events.
    fn overflow(&mut self) {
        self.folders.attach_all();
        self.last += 1;
        let flags = Flags::MUST_SCAN_SUB_DIRS.and(Flags::KERNEL_DROPPED);
        for stream in self.streams.values_mut() {
            stream.add(PathBuf::from("/"), flags, self.last);
        }
    }
}

impl Stream {
    fn add(&mut self, path: PathBuf, flags: Flags, id: EventId) {
        let known = self.waiting.entry(path).or_default();
        *known = (known.0.and(flags), known.1.max(id));
        if self.waiting.len() > LIMIT {
            self.merge();
        }
        let latency = self.request.latency;
        self.due.get_or_insert_with(|| Instant::now() + latency);
    }

    /// Makes one event of all that wait, for the folder above all of them.
    fn merge(&mut self) {
        let id = self.waiting.values().map(|(_, id)| *id).max().unwrap_or_default();
        let mut paths = self.waiting.keys();
        let mut above = paths.next().cloned().unwrap_or_default();
        for path in paths {
            while !path.starts_with(&above) && above.pop() {}
        }
        let lost = Flags::MUST_SCAN_SUB_DIRS.and(Flags::IS_DIR);
        self.waiting = HashMap::from([(above, (lost, id))]);
    }

    fn deliver(&mut self) {
        self.due = None;
        let mut waiting: Vec<_> =
            self.waiting.drain().map(|(path, (flags, id))| FsEvent { path, flags, id }).collect();
        waiting.sort_by_key(|event| event.id);
        self.ready.append(&mut waiting);
        if !self.ready.is_empty() {
            (self.deliver)(std::mem::take(&mut self.ready));
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model of fseventsd with {} streams", self.lock().streams.len())
    }
}
