//! A file-system notification backend on Linux's inotify. {%- capture source %}
//!
//! Folders are watched one by one; [`recursion`](notify_backend::recursion) keeps track of them.
//! This file says what each event means for what is watched, `kernel.rs` holds the flags and calls
//! of the platform.
//!
//! # What it does at the edges
//!
//! - A watched **file** is watched under its name, for as long as the folder it is in exists: it
//!   may be replaced, removed and made again.
//! - A watched **folder** is watched until it is removed, renamed or unmounted; that is its last
//!   event. Once all watched paths have ended so, the stream ends.
//! - Where the kernel's queue overflows (`fs.inotify.max_queued_events`), all watched trees are
//!   compared with what is on disk; then comes a `Missed`.
//! - Symbolic links to folders are followed, each where it leads to a folder that the same tree
//!   does not hold already.
//! - Changes through memory maps, and those made elsewhere on a network file system, are not
//!   reported by the kernel.

mod kernel;

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsStr,
    fs, io,
    ops::Range,
    os::fd::AsFd,
    task::ready,
};

use notify_backend::{
    backend::require_runtime,
    descriptor::Descriptor,
    error::Limit,
    event::Tracker,
    prelude::*,
    recursion::{FolderWatcher, Found, Node, Scan, Via, WatchTree, watch_below},
};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags};

use kernel::{Files, Kernel, RawEvent, entry_kind, root_kind};

const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::EmitOnAccess,
    Capability::TrackRelated,
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::ChangeWatches,
]);

/// Whether links to folders are followed.
const FOLLOW_LINKS: bool = true;

/// How many entries of a folder are looked at before another task gets its turn.
const SCAN_STEP: usize = 256;

/// Watches paths through inotify.
#[derive(Debug)]
pub struct InotifyBackend {
    descriptor: Descriptor,
    // What was read, and the part of it that was not looked at yet.
    buffer: Box<[u8]>,
    unread: Range<usize>,
    // Whether that was all the kernel had.
    is_drained: bool,
    watched: Watched,
}

/// What is watched, and what there is to say of it.
#[derive(Debug)]
struct Watched {
    tree: WatchTree<i32>,
    // The watched folders, and whether recursively.
    roots: HashMap<Node, bool>,
    files: Files,
    scan: Scan<i32>,
    // Folders that were renamed, until it is known where to.
    moving: Vec<Moving>,
    // Whether a `Missed` is due once the scan is done.
    overflown: bool,
    // Whether a watched path has ended by itself.
    ended: bool,
    ready: VecDeque<StreamItem>,
}

#[derive(Debug)]
struct Moving {
    folder: Node,
    cookie: u32,
    // Whether the kernel has been read to the end since.
    is_old: bool,
}

impl Backend for InotifyBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        require_runtime()?;
        let descriptor = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .map_err(io::Error::from)
            .and_then(Descriptor::new)
            .map_err(|error| explain(PathBuf::new(), error))?;
        let mut backend = Self {
            descriptor,
            buffer: vec![0; 64 * 1024].into_boxed_slice(),
            unread: 0..0,
            is_drained: false,
            watched: Watched {
                tree: WatchTree::new(),
                roots: HashMap::new(),
                files: Files::default(),
                scan: Scan::new(FOLLOW_LINKS),
                moving: Vec::new(),
                overflown: false,
                ended: false,
                ready: VecDeque::new(),
            },
        };
        let missing = |watch: &&Watch| fs::metadata(&watch.path).is_err_and(|e| is_missing(&e));
        let paths: Vec<_> = watches.iter().filter(missing).map(|w| w.path.clone()).collect();
        if !paths.is_empty() {
            return Err(BackendError::NotFound { paths });
        }
        for watch in watches {
            backend.watch(watch)?;
        }
        Ok(backend)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/inotify"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        let Watch { path, recursive } = watch;
        match fs::metadata(&path) {
            Err(error) => Err(explain(path, error)),
            Ok(metadata) if metadata.is_dir() => self.watch_folder(&path, recursive),
            Ok(_) => self.watch_file(path),
        }
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        let Self { descriptor, watched, .. } = self;
        if watched.files.contains(path) {
            if let Some(wd) = watched.files.remove(path) {
                watched.release_unused(wd, descriptor);
            }
        } else if let Some(root) = watched.root_at(path) {
            watched.remove_root(root, descriptor);
        } else {
            return Err(BackendError::NotWatched { path: path.to_owned() });
        }
        watched.forget_below(path);
        Ok(())
    }
}

impl InotifyBackend {
    fn watch_folder(&mut self, path: &Path, recursive: bool) -> Result<(), BackendError> {
        let Self { descriptor, watched, .. } = self;
        let Watched { tree, files, ready, roots, .. } = watched;
        let kernel = Kernel { descriptor: descriptor.as_fd(), files };
        let wd = kernel.watch_root(path).map_err(|error| explain(path.to_owned(), error))?;
        let previous = roots.keys().copied().find(|&root| tree.name(root) == path);
        let root = tree.add_root(path, wd);
        roots.insert(root, recursive);
        if recursive {
            let failed = watch_below(tree, root, FOLLOW_LINKS, &kernel);
            ready.extend(failed.into_iter().map(|(path, error)| Err(unwatched(path, error))));
        }
        // Last, so that what both cover is watched all the time.
        if let Some(previous) = previous {
            watched.remove_root(previous, descriptor);
        }
        Ok(())
    }

    fn watch_file(&mut self, path: PathBuf) -> Result<(), BackendError> {
        let Self { descriptor, watched, .. } = self;
        if !watched.files.contains(&path) {
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            let kernel = Kernel { descriptor: descriptor.as_fd(), files: &watched.files };
            let wd = kernel.watch_root(&folder).map_err(|error| explain(folder, error))?;
            watched.files.add(wd, path);
        }
        Ok(())
    }
}

impl Stream for InotifyBackend {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let Self { descriptor, buffer, unread, is_drained, watched } = self.get_mut();
        loop {
            if let Some(item) = watched.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            if watched.has_ended() {
                return Poll::Ready(None);
            }
            // A scan goes before the kernel's further events, which it may anticipate.
            if watched.scan.is_active() {
                watched.step(descriptor);
                if watched.ready.is_empty() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            } else if let Some(event) = RawEvent::take(buffer, unread) {
                watched.apply(&event, descriptor);
            } else {
                if std::mem::take(is_drained) {
                    watched.settle(descriptor);
                }
                match ready!(descriptor.poll_read(cx, buffer, RawEvent::LARGEST)) {
                    Ok(reading) => (*unread, *is_drained) = (0..reading.bytes, reading.is_drained),
                    Err(error) => return Poll::Ready(Some(Err(StreamError::Read { error }))),
                }
            }
        }
    }
}

impl Watched {
    /// Says what an event says, and follows what it means for the folders that are watched.
    fn apply(&mut self, event: &RawEvent<'_>, descriptor: &Descriptor) {
        if event.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.compare_all(descriptor);
        } else if event.flags.contains(ReadFlags::IGNORED) {
            // The watch has ended. What that means was said by the event before, or by the one that
            // the folder above is about to get.
            let gone: Vec<_> = self.tree.nodes(event.wd).collect();
            for folder in gone {
                self.remove_folder(folder, descriptor);
            }
        } else if event.name.is_empty() {
            self.apply_to_root(event, descriptor);
        } else {
            self.apply_to_entry(event, descriptor);
        }
    }

    fn apply_to_entry(&mut self, event: &RawEvent<'_>, descriptor: &Descriptor) {
        let &RawEvent { wd, flags, cookie, name } = event;
        let Some(kind) = entry_kind(flags) else {
            return;
        };
        match kind {
            EventKind::Create(_) if self.scan.is_repeated(wd, name) => return,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                self.scan.forget(wd, name);
            }
            _ => {}
        }
        let tracker = Tracker::new(cookie as usize);
        let mut said: Vec<PathBuf> = Vec::new();
        let in_folders = self.tree.nodes(wd).filter_map(|node| self.tree.entry_path(node, name));
        for path in in_folders.chain(self.files.paths(wd, name).iter().cloned()) {
            // Where roots overlap, more than one of them has the entry under the same path.
            if !said.contains(&path) {
                said.push(path);
            }
        }
        let events = said.into_iter().map(|path| Ok(Event::new(kind, path).with_tracker(tracker)));
        self.ready.extend(events);
        if flags.contains(ReadFlags::ISDIR) {
            self.follow(event, kind, descriptor);
        }
    }

    /// Follows what became of a folder in a watched folder.
    fn follow(&mut self, event: &RawEvent<'_>, kind: EventKind, descriptor: &Descriptor) {
        let &RawEvent { wd, cookie, name, .. } = event;
        let parents: Vec<_> = self.tree.nodes(wd).collect();
        for parent in parents {
            let is_recursive = |root| self.roots.get(&root) == Some(&true);
            if !self.tree.root(parent).is_some_and(is_recursive) {
                continue;
            }
            let child = self.tree.child(parent, name);
            match (kind, child) {
                (EventKind::Modify(ModifyKind::Name(RenameMode::From)), Some(child)) => {
                    self.tree.detach(child);
                    self.moving.push(Moving { folder: child, cookie, is_old: false });
                }
                (EventKind::Modify(ModifyKind::Name(RenameMode::To)), replaced) => {
                    match self.moving.iter().position(|moving| moving.cookie == cookie) {
                        Some(i) => {
                            let moved = self.moving.swap_remove(i).folder;
                            self.tree.attach(moved, parent, name);
                        }
                        None => self.enter(parent, name, true, descriptor),
                    }
                    if let Some(replaced) = replaced {
                        self.remove_folder(replaced, descriptor);
                    }
                }
                (EventKind::Remove(_), Some(child)) => self.remove_folder(child, descriptor),
                (EventKind::Create(_), _) => self.enter(parent, name, true, descriptor),
                // It may have become readable.
                (EventKind::Modify(ModifyKind::Metadata(_)), None) => {
                    self.enter(parent, name, false, descriptor);
                }
                _ => {}
            }
        }
    }

    /// Watches a folder that appeared, and what is below it.
    fn enter(&mut self, parent: Node, name: &OsStr, report: bool, descriptor: &Descriptor) {
        let Some(location) = self.tree.location(parent) else {
            return;
        };
        let kernel = Kernel { descriptor: descriptor.as_fd(), files: &self.files };
        match kernel.watch_folder(&location.join(name), Via::Name) {
            Ok(wd) => {
                let folder = self.tree.add(parent, name, wd);
                if report {
                    self.scan.report(folder);
                } else {
                    self.scan.compare(folder);
                }
            }
            Err(error) if is_missing(&error) => {}
            Err(error) => {
                let path = self.tree.entry_path(parent, name).unwrap_or(location);
                self.ready.push_back(Err(unwatched(path, error)));
            }
        }
    }

    fn apply_to_root(&mut self, event: &RawEvent<'_>, descriptor: &Descriptor) {
        let Some(kind) = root_kind(event.flags) else {
            return;
        };
        let ends = !matches!(kind, EventKind::Modify(ModifyKind::Metadata(_)));
        let nodes: Vec<_> = self.tree.nodes(event.wd).collect();
        for node in nodes {
            let is_unmounted = kind == EventKind::Remove(RemoveKind::Other);
            // The folder above tells of the others.
            if !self.tree.is_root(node) && !is_unmounted {
                continue;
            }
            if let Some(path) = self.tree.path(node) {
                let mut said = Event::new(kind, path);
                if is_unmounted {
                    said = said.with_info("unmounted");
                }
                self.ready.push_back(Ok(said));
            }
            if ends {
                self.remove_folder(node, descriptor);
            }
        }
        if ends {
            let files = self.files.remove_all(event.wd);
            self.ended |= !files.is_empty();
            self.release_unused(event.wd, descriptor);
            if kind != EventKind::Remove(RemoveKind::Folder) {
                let events = files.into_iter().map(|path| Ok(Event::new(kind, path)));
                self.ready.extend(events);
            }
        }
    }

    /// Removes a folder that is not watched any more; a root has ended thereby.
    fn remove_folder(&mut self, folder: Node, descriptor: &Descriptor) {
        self.ended |= self.roots.remove(&folder).is_some();
        for wd in self.tree.remove(folder) {
            self.release_unused(wd, descriptor);
        }
    }

    fn remove_root(&mut self, root: Node, descriptor: &Descriptor) {
        self.scan.leave(root, &self.tree);
        self.roots.remove(&root);
        for wd in self.tree.remove(root) {
            self.release_unused(wd, descriptor);
        }
    }

    fn release_unused(&self, wd: i32, descriptor: &Descriptor) {
        if self.tree.nodes(wd).next().is_none() {
            Kernel { descriptor: descriptor.as_fd(), files: &self.files }.release(wd);
        }
    }

    /// Compares all that is watched with what is there, since the kernel has lost events.
    fn compare_all(&mut self, descriptor: &Descriptor) {
        self.scan.settle();
        self.overflown = true;
        let roots: Vec<_> =
            self.roots.iter().map(|(&root, &recursive)| (root, recursive)).collect();
        for (root, recursive) in roots {
            let Some(location) = self.tree.location(root) else {
                continue;
            };
            let kernel = Kernel { descriptor: descriptor.as_fd(), files: &self.files };
            if let Ok(wd) = kernel.watch_root(&location) {
                if let Some(freed) = self.tree.set_id(root, wd) {
                    self.release_unused(freed, descriptor);
                }
                if recursive {
                    self.scan.compare(root);
                }
            } else {
                let path = self.tree.path(root).unwrap_or(location);
                self.ready.push_back(Ok(Event::remove(RemoveKind::Any, path)));
                self.remove_folder(root, descriptor);
            }
        }
    }

    fn step(&mut self, descriptor: &Descriptor) {
        let Self { tree, files, scan, ready, .. } = self;
        let kernel = Kernel { descriptor: descriptor.as_fd(), files };
        scan.step(SCAN_STEP, tree, &kernel, |found| {
            ready.push_back(match found {
                Found::Entry(path, file_type) if file_type.is_dir() => {
                    Ok(Event::create(CreateKind::Folder, path))
                }
                Found::Entry(path, _) => Ok(Event::create(CreateKind::File, path)),
                Found::Unwatched(path, error) => Err(unwatched(path, error)),
            });
        });
        // After the scan: whoever now looks at the folders anew finds them all watched.
        if self.overflown && !self.scan.is_active() {
            self.overflown = false;
            self.ready.push_back(Ok(Event::missed(None)));
        }
    }

    /// The kernel had no more events at some moment after those that were applied.
    fn settle(&mut self, descriptor: &Descriptor) {
        self.scan.settle();
        // A folder that was renamed to somewhere else is not ours any more.
        let moving = std::mem::take(&mut self.moving);
        let (gone, fresh): (Vec<_>, Vec<_>) = moving.into_iter().partition(|moving| moving.is_old);
        for moving in gone {
            self.remove_folder(moving.folder, descriptor);
        }
        self.moving = fresh;
        for moving in &mut self.moving {
            moving.is_old = true;
        }
    }

    fn has_ended(&self) -> bool {
        self.ended && self.roots.is_empty() && self.files.is_empty()
    }

    fn root_at(&self, path: &Path) -> Option<Node> {
        self.roots.keys().copied().find(|&root| self.tree.name(root) == path)
    }

    /// Drops what is yet to be said of `path` and what is below it, unless another watch covers it.
    fn forget_below(&mut self, path: &Path) {
        let Self { ready, roots, tree, files, .. } = self;
        ready.retain(|item| {
            let said = match item {
                Ok(event) => event.path.as_path(),
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            let covers = |(&root, &recursive): (&Node, &bool)| {
                said.strip_prefix(tree.name(root))
                    .is_ok_and(|rest| recursive || rest.components().count() <= 1)
            };
            !said.starts_with(path) || files.contains(said) || roots.iter().any(covers)
        });
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// What an error of the kernel means for a path.
fn explain(path: PathBuf, error: io::Error) -> BackendError {
    let error = BackendError::from_io(path, error);
    let setting = match error {
        BackendError::WatchLimit { .. } => "fs.inotify.max_user_watches",
        BackendError::InstanceLimit { .. } => "fs.inotify.max_user_instances",
        _ => return error,
    };
    error.with_limit(Limit::sysctl(setting))
}

fn unwatched(path: PathBuf, error: io::Error) -> StreamError {
    StreamError::Unwatched { cause: Box::new(explain(path.clone(), error)), path }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_inotify", crate_name | replace: "InotifyBackend", type_name -}}
