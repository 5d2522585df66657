//! Watching a whole tree at the start: [`watch_below`].

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::fd::{AsFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    FolderWatcher, Node, Via, WatchTree,
    folder::{Entries, has_vanished, open_in},
    open_known, place,
};

/// Watches every folder below `top`, which is watched already, and adds them to the tree. Large
/// trees are walked by as many threads as there are cores; all have ended when it returns.
///
/// Links that lead to folders are followed where `follow_links` says so, after everything else and
/// in the order of their paths, and each only if it leads to a folder that the same root does not
/// watch yet: no chain of links makes the walk longer than the number of folders.
///
/// Returns the folders that could not be watched, with the reason. A folder that vanishes meanwhile
/// is none.
pub fn watch_below<W: FolderWatcher + Sync>(
    tree: &mut WatchTree<W::Id>,
    top: Node,
    follow_links: bool,
    watcher: &W,
) -> Vec<(PathBuf, io::Error)>
where
    W::Id: Send,
{
    let state = State {
        tree,
        folders: Vec::new(),
        links: BTreeMap::new(),
        busy: 0,
        replaced: Vec::new(),
        failed: Vec::new(),
    };
    let (state, changed) = (Mutex::new(state), Condvar::new());
    let walk = Walk { watcher, follow_links, state, changed };
    let folder = walk.open_known(top, &mut walk.lock());
    if let Some(folder) = folder {
        walk.list(top, folder);
    }
    if !walk.work(FEW) {
        walk.work_with_helpers();
    }
    let state = walk.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    for folder in state.replaced {
        state.tree.remove(folder).into_iter().for_each(|id| watcher.release(id));
    }
    state.failed
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
    // Folders of the tree whose place is another one's. Watched to the end, by which they may have
    // been found elsewhere.
    replaced: Vec<Node>,
    failed: Vec<(PathBuf, io::Error)>,
}

struct Entry {
    parent: Node,
    folder: Arc<OwnedFd>,
    name: OsString,
    via: Via,
}

impl<'a, W: FolderWatcher + Sync> Walk<'a, W>
where
    W::Id: Send,
{
    fn work_with_helpers(&self) {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let helper = |_| {
                // Where there can be no more threads, those that there are do it.
                thread::Builder::new().spawn_scoped(scope, || self.work(usize::MAX)).ok()
            };
            let helpers: Vec<_> = (1..cores).map_while(helper).collect();
            self.work(usize::MAX);
            for helper in helpers {
                // The scope alone would wait for their work, but not for their end.
                helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
            }
        });
    }

    /// Watches and lists up to `most` folders. Returns whether none are left.
    fn work(&self, most: usize) -> bool {
        for _ in 0..most {
            let Some(entry) = self.next() else {
                return true;
            };
            let entered = panic::catch_unwind(AssertUnwindSafe(|| self.enter(entry)));
            // Or the other threads would wait for what this one might have found.
            self.lock().busy -= 1;
            self.changed.notify_all();
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
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // Links one at a time and last, so that what is reached without them is known by then.
            let (_, (parent, name)) = state.links.pop_first()?;
            if let Some(folder) = self.open_known(parent, &mut state) {
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
        let watched = open_in(folder.as_fd(), &name, via)
            .and_then(|folder| Ok((self.watcher.watch_folder(folder.as_fd())?, folder)));
        let mut state = self.lock();
        match watched {
            Ok((id, folder)) => {
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
        let listed = folder.try_clone().and_then(Entries::new).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                let (name, entry_type) = entry?;
                found.extend(entry_type.via(self.follow_links).map(|via| (name, via)));
                Ok(())
            })
        });
        let folder = Arc::new(folder);
        let mut state = self.lock();
        for (name, via) in found {
            if via == Via::Name {
                let folder = Arc::clone(&folder);
                state.folders.push(Entry { parent: node, folder, name, via });
            } else if let Some(path) = state.tree.entry_path(node, &name) {
                state.links.insert(path, (node, name));
            }
        }
        if let Err(error) = listed {
            let path = state.tree.path(node);
            state.fail(path, error);
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<'a, W::Id>> {
        // Whoever panicked has left it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I> State<'_, I> {
    fn fail(&mut self, path: Option<PathBuf>, error: io::Error) {
        if !has_vanished(&error) {
            self.failed.extend(path.map(|path| (path, error)));
        }
    }
}
