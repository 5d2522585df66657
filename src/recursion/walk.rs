//! Watching a whole tree at the start: [`Scan::watch_below`].

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Debug,
    hash::Hash,
    io,
    os::fd::AsFd,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    FolderWatcher, Node, Scan, Via, WatchTree,
    entries::read_all,
    finish_listing,
    folder::{Opened, has_vanished, open_in},
    open_known, place, release_unused,
};

impl<I: Copy + Eq + Hash + Debug + Send + Sync> Scan<I> {
    /// Watches every folder below `top`, which is watched already, and adds them to the tree. Large
    /// trees are walked by as many threads as there are cores; all have ended when it returns.
    ///
    /// A folder without others in it is watched for everything as soon as it is listed, while the
    /// system has it at hand; the others when everything is.
    ///
    /// Links that lead to folders are followed after everything else and in the order of their
    /// paths, and each only if it leads to a folder that the same root does not watch yet: no chain
    /// of links makes the walk longer than the number of folders.
    ///
    /// Returns the folders that could not be watched, with the reason. A folder that vanishes
    /// meanwhile is none; one that is renamed is left to the [steps](Self::step) to come.
    pub fn watch_below<W: FolderWatcher<Id = I> + Sync>(
        &mut self,
        top: Node,
        tree: &mut WatchTree<I>,
        watcher: &W,
    ) -> Vec<(PathBuf, io::Error)> {
        let follow_links = self.follows_links(top, tree);
        let state = State {
            tree,
            folders: Vec::new(),
            links: BTreeMap::new(),
            busy: 0,
            waiting: 0,
            listed: Vec::new(),
            finished: Vec::new(),
            replaced: Vec::new(),
            failed: Vec::new(),
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let walk = Walk { watcher, follow_links, state, changed };
        walk.enter_top(top);
        if !walk.work(FEW) {
            with_helpers(|| {
                walk.work(usize::MAX);
            });
        }
        let state = walk.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        for folder in state.replaced {
            state.tree.remove(folder).into_iter().for_each(|id| watcher.release(id));
        }
        let mark = watcher.mark();
        let (placed, astray) = finish_all(&state.listed, state.tree, watcher);
        if let Some(mark) = mark {
            self.recent.mark_walk(mark, placed, state.finished);
        }
        for (id, folder) in astray {
            self.finish_later(id, folder, state.tree);
        }
        state.failed
    }
}

/// Has folders that were listed watched for everything. Returns those that are where the tree has
/// them, and the others with their ids.
fn finish_all<W: FolderWatcher + Sync>(
    ids: &[W::Id],
    tree: &WatchTree<W::Id>,
    watcher: &W,
) -> (Vec<Node>, Vec<(W::Id, Node)>)
where
    W::Id: Send + Sync,
{
    let parts = Mutex::new(ids.chunks(FEW));
    let finished = Mutex::new((Vec::with_capacity(ids.len()), Vec::new()));
    let finish = || {
        let mut placed = Vec::with_capacity(FEW);
        while let Some(part) = lock(&parts).next() {
            for &id in part {
                if let Some(folder) = finish_listing(id, tree, watcher, &mut placed) {
                    lock(&finished).1.push((id, folder));
                }
            }
            lock(&finished).0.append(&mut placed);
        }
    };
    if ids.len() <= FEW {
        finish();
    } else {
        with_helpers(finish);
    }
    finished.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something in as many threads as there are cores.
fn with_helpers(work: impl Fn() + Sync) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        // Where there can be no more threads, those that there are do it.
        let helper = |_| thread::Builder::new().spawn_scoped(scope, &work).ok();
        let helpers: Vec<_> = (1..cores).map_while(helper).collect();
        work();
        for helper in helpers {
            // The scope alone would wait for their work, but not for their end.
            helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
    });
}

/// For so many folders, starting threads does not pay.
const FEW: usize = 64;

struct Walk<'a, W: FolderWatcher> {
    watcher: &'a W,
    follow_links: bool,
    state: Mutex<State<'a, W::Id>>,
    // Signalled when there is something to do, and when everything is done.
    changed: Condvar,
}

struct State<'a, I> {
    tree: &'a mut WatchTree<I>,
    // What is to be watched and listed. Last in, first out: few folders are open at a time.
    folders: Vec<Entry>,
    // By path, in folders that are not kept open, since these may be many.
    links: BTreeMap<PathBuf, (Node, OsString)>,
    // Threads that may find more to do.
    busy: usize,
    // Threads that wait for that.
    waiting: usize,
    // What was watched to be listed, and is not watched for everything yet.
    listed: Vec<I>,
    // What is, while it was where the tree has it.
    finished: Vec<Node>,
    // Folders of the tree whose place is another one's. Watched to the end, by which they may have
    // been found elsewhere.
    replaced: Vec<Node>,
    failed: Vec<(PathBuf, io::Error)>,
}

struct Entry {
    parent: Node,
    folder: Arc<Open>,
    name: OsString,
    via: Via,
}

/// A folder that is listed.
struct Open {
    folder: Opened,
    // Where it was when it was entered.
    location: PathBuf,
}

impl<'a, W: FolderWatcher + Sync> Walk<'a, W>
where
    W::Id: Send,
{
    fn enter_top(&self, top: Node) {
        let mut state = self.lock();
        let opened = open_known(top, state.tree, self.watcher);
        let watched = opened.and_then(|folder| {
            let watch = |folder: Opened| Ok((self.watcher.watch_to_list(folder.as_fd())?, folder));
            folder.map(watch).transpose()
        });
        let location = state.tree.location(top).unwrap_or_default();
        match watched {
            Ok(Some((id, folder))) => {
                drop(state);
                let finished = self.list((top, id), folder, location);
                self.lock().finished.extend(finished);
            }
            Ok(None) => {}
            Err(error) => {
                let path = state.tree.path(top);
                state.fail(path, error);
            }
        }
    }

    /// Watches and lists up to `most` folders. Returns whether none are left.
    fn work(&self, most: usize) -> bool {
        for _ in 0..most {
            let Some(entry) = self.next() else {
                return true;
            };
            let entered = panic::catch_unwind(AssertUnwindSafe(|| self.enter(entry)));
            // Or the other threads would wait for what this one might have found.
            let mut state = self.lock();
            state.finished.extend(entered.iter().flatten());
            state.busy -= 1;
            let is_signal_due = state.waiting > 0 && (state.busy == 0 || !state.folders.is_empty());
            drop(state);
            if is_signal_due {
                self.changed.notify_all();
            }
            entered.unwrap_or_else(|panic| panic::resume_unwind(panic));
        }
        false
    }

    /// Waits until there is something to enter, or everything is done.
    fn next(&self) -> Option<Entry> {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.folders.pop() {
                state.busy += 1;
                return Some(entry);
            }
            if state.busy > 0 {
                state.waiting += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
                continue;
            }
            // Links one at a time and last, so that what is reached without them is known by then.
            let (_, (parent, name)) = state.links.pop_first()?;
            let folder = self.open_known(parent, &mut state);
            if let Some((folder, location)) = folder.zip(state.tree.location(parent)) {
                state.busy += 1;
                let folder = Open { folder, location }.into();
                return Some(Entry { parent, folder, name, via: Via::Link });
            }
        }
    }

    fn open_known(&self, node: Node, state: &mut State<'a, W::Id>) -> Option<Opened> {
        open_known(node, state.tree, self.watcher).unwrap_or_else(|error| {
            state.fail(state.tree.path(node), error);
            None
        })
    }

    /// Watches and lists a folder. Returns it if it is watched for everything then.
    fn enter(&self, Entry { parent, folder, name, via }: Entry) -> Option<Node> {
        // Watched before it is listed: what is made in between is seen at least once.
        let watched = open_in(&folder.folder, &name, via)
            .and_then(|opened| Ok((self.watcher.watch_to_list(opened.as_fd())?, opened)));
        let mut state = self.lock();
        match watched {
            Ok((id, opened)) => {
                let (node, replaced) = place(state.tree, (parent, &name, via), id);
                state.replaced.extend(replaced);
                let Some(node) = node else {
                    state.listed.push(id);
                    return None;
                };
                drop(state);
                self.list((node, id), opened, folder.location.join(name))
            }
            Err(error) => {
                let path = state.tree.entry_path(parent, &name);
                state.fail(path, error);
                None
            }
        }
    }

    /// Lists a folder. Returns it if it is watched for everything then.
    fn list(&self, (node, id): (Node, W::Id), opened: Opened, location: PathBuf) -> Option<Node> {
        let mut found = Vec::new();
        let listed = opened.into_readable().map(|folder| {
            let read = read_all(&folder, |name, entry_type| {
                let via = entry_type.via(|| self.follow_links);
                found.extend(via.map(|via| (name.to_owned(), via)));
            });
            (folder, read)
        });
        let (folder, error) = match listed {
            Ok((folder, Ok(()))) if found.is_empty() => {
                // Nothing in it will be listed. That it is closed would be reported already.
                drop(folder);
                match self.watcher.listed(&location, id) {
                    Ok(there) if there == id => return Some(node),
                    Ok(other) => release_unused(other, self.lock().tree, self.watcher),
                    Err(_) => {}
                }
                (None, None)
            }
            Ok((folder, read)) => (Some(folder), read.err()),
            Err(error) => (None, Some(error)),
        };
        let mut state = self.lock();
        state.listed.push(id);
        if let Some(folder) = folder.map(Opened::Readable) {
            state.add(node, &Arc::new(Open { folder, location }), found);
        }
        if let Some(error) = error {
            let path = state.tree.path(node);
            state.fail(path, error);
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State<'a, W::Id>> {
        // Whoever panicked has left it whole.
        lock(&self.state)
    }
}

impl<I: Copy + Eq + Hash + Debug> State<'_, I> {
    /// Has what may be folders in a folder entered.
    fn add(&mut self, parent: Node, folder: &Arc<Open>, found: Vec<(OsString, Via)>) {
        for (name, via) in found {
            if via == Via::Name {
                let folder = Arc::clone(folder);
                self.folders.push(Entry { parent, folder, name, via });
            } else if let Some(path) = self.tree.entry_path(parent, &name) {
                self.links.insert(path, (parent, name));
            }
        }
    }

    fn fail(&mut self, path: Option<PathBuf>, error: io::Error) {
        if !has_vanished(&error) {
            self.failed.extend(path.map(|path| (path, error)));
        }
    }
}
