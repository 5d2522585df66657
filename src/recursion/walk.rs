//! Watching a whole tree at the start: [`Scan::watch_below`].

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Debug,
    hash::Hash,
    io,
    os::fd::{AsFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    FolderWatcher, Node, Scan, Via, WatchTree, finish_listing,
    folder::{Entries, has_vanished, open_in},
    open_known, place,
};

impl<I: Copy + Eq + Hash + Debug + Send + Sync> Scan<I> {
    /// Watches every folder below `top`, which is watched already, and adds them to the tree. Large
    /// trees are walked by as many threads as there are cores; all have ended when it returns.
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
        let state = State {
            tree,
            folders: Vec::new(),
            links: BTreeMap::new(),
            busy: 0,
            waiting: 0,
            listed: Vec::new(),
            replaced: Vec::new(),
            failed: Vec::new(),
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let walk = Walk { watcher, follow_links: self.follow_links, state, changed };
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
            self.recent.mark_walk(mark, placed);
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
    // What was watched to be listed.
    listed: Vec<I>,
    // Folders of the tree whose place is another one's. Watched to the end, by which they may have
    // been found elsewhere.
    replaced: Vec<Node>,
    failed: Vec<(PathBuf, io::Error)>,
}

struct Entry {
    parent: Node,
    folder: Arc<Entries>,
    name: OsString,
    via: Via,
}

impl<'a, W: FolderWatcher + Sync> Walk<'a, W>
where
    W::Id: Send,
{
    fn enter_top(&self, top: Node) {
        let mut state = self.lock();
        let opened = open_known(top, state.tree, self.watcher);
        let watched = opened.and_then(|folder| {
            let watch = |folder: OwnedFd| Ok((self.watcher.watch_to_list(folder.as_fd())?, folder));
            folder.map(watch).transpose()
        });
        match watched {
            Ok(Some((id, folder))) => {
                state.listed.push(id);
                drop(state);
                self.list(top, folder);
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
            if let Some(folder) = folder.and_then(|folder| Entries::new(folder).ok()) {
                state.busy += 1;
                return Some(Entry { parent, folder: folder.into(), name, via: Via::Link });
            }
        }
    }

    fn open_known(&self, node: Node, state: &mut State<'a, W::Id>) -> Option<OwnedFd> {
        open_known(node, state.tree, self.watcher).unwrap_or_else(|error| {
            state.fail(state.tree.path(node), error);
            None
        })
    }

    fn enter(&self, Entry { parent, folder, name, via }: Entry) {
        // Watched before it is listed: what is made in between is seen at least once.
        let watched = folder
            .folder()
            .and_then(|folder| open_in(folder, &name, via))
            .and_then(|folder| Ok((self.watcher.watch_to_list(folder.as_fd())?, folder)));
        let mut state = self.lock();
        match watched {
            Ok((id, folder)) => {
                state.listed.push(id);
                let (node, replaced) = place(state.tree, (parent, &name, via), id);
                state.replaced.extend(replaced);
                drop(state);
                if let Some(node) = node {
                    self.list(node, folder);
                }
            }
            Err(error) => {
                let path = state.tree.entry_path(parent, &name);
                state.fail(path, error);
            }
        }
    }

    fn list(&self, node: Node, folder: OwnedFd) {
        let mut found = Vec::new();
        let listed = Entries::new(folder).map(|mut entries| {
            let listed = entries.try_for_each(|entry| {
                let (name, entry_type) = entry?;
                found.extend(entry_type.via(self.follow_links).map(|via| (name, via)));
                Ok(())
            });
            (Arc::new(entries), listed)
        });
        let mut state = self.lock();
        let error = match listed {
            Ok((folder, listed)) => {
                state.add(node, &folder, found);
                listed.err()
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let path = state.tree.path(node);
            state.fail(path, error);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<'a, W::Id>> {
        // Whoever panicked has left it whole.
        lock(&self.state)
    }
}

impl<I: Copy + Eq + Hash + Debug> State<'_, I> {
    /// Has what may be folders in a folder entered.
    fn add(&mut self, parent: Node, folder: &Arc<Entries>, found: Vec<(OsString, Via)>) {
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
