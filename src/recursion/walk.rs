//! Watching a whole tree at the start: [`watch_below`].

use std::{
    ffi::OsString,
    fmt::Debug,
    hash::Hash,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    FolderWatcher, Node, Via, WatchTree,
    folder::{Entries, has_vanished, open, open_in},
    is_repeated,
};

/// Watches every folder below `top`, which is watched already, and adds them to the tree. Large
/// trees are walked by as many threads as there are cores; all have ended when it returns.
///
/// Links that lead to folders are followed where `follow_links` says so, after everything else, and
/// each only if it leads to a folder that the same root does not watch yet: no chain of links makes
/// the walk longer than the number of folders.
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
    let walk = Walk {
        watcher,
        follow_links,
        state: Mutex::new(State {
            tree,
            jobs: vec![Job::List(top)],
            links: Vec::new(),
            busy: 0,
            failed: Vec::new(),
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| walk.work(Some(scope)));
    walk.state.into_inner().unwrap_or_else(PoisonError::into_inner).failed
}

/// From this many waiting folders on, starting threads pays.
const MANY: usize = 64;

struct Walk<'a, W: FolderWatcher> {
    watcher: &'a W,
    follow_links: bool,
    state: Mutex<State<'a, W::Id>>,
    // Signalled when there are new jobs, and when the last one is done.
    changed: Condvar,
}

struct State<'a, I> {
    tree: &'a mut WatchTree<I>,
    // Last in, first out: few folders are kept open.
    jobs: Vec<Job>,
    links: Vec<Job>,
    // Threads that have taken a job and may add others.
    busy: usize,
    failed: Vec<(PathBuf, io::Error)>,
}

enum Job {
    /// List a folder that is watched already.
    List(Node),
    /// Watch and list an entry of a folder.
    Enter { parent: Parent, name: OsString, via: Via },
}

/// A folder some of whose entries are yet to be entered.
#[derive(Clone)]
struct Parent {
    node: Node,
    folder: Arc<OwnedFd>,
}

/// What running a job found.
struct Outcome<I> {
    id: Option<I>,
    // The folder and its entries that may be folders, if it has any.
    below: Option<(OwnedFd, Vec<(OsString, Via)>)>,
    // Why the listing is not complete.
    error: Option<io::Error>,
}

impl<'a, W: FolderWatcher + Sync> Walk<'a, W>
where
    W::Id: Send,
{
    /// Takes jobs until none are left. Starts helpers once many are waiting, if given the scope.
    fn work<'scope>(&'scope self, mut scope: Option<&'scope thread::Scope<'scope, '_>>) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.next_job() {
                if state.jobs.len() >= MANY
                    && let Some(scope) = scope.take()
                {
                    let count = thread::available_parallelism().map_or(1, usize::from);
                    for _ in 1..count {
                        scope.spawn(|| self.work(None));
                    }
                }
                let top = match &job {
                    Job::List(node) => state.tree.location(*node),
                    Job::Enter { .. } => None,
                };
                drop(state);
                let outcome = self.run(&job, top);
                state = self.lock();
                state.record(job, outcome);
                self.changed.notify_all();
            } else if state.busy == 0 {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// `top` is where the folder is that is only to be listed.
    fn run(&self, job: &Job, top: Option<PathBuf>) -> io::Result<Outcome<W::Id>> {
        let (folder, id) = match job {
            Job::List(_) => (open(&top.unwrap_or_default())?, None),
            Job::Enter { parent, name, via } => {
                let folder = open_in(parent.folder.as_fd(), name, *via)?;
                // Watched before it is listed: what is made in between is seen at least once.
                let id = self.watcher.watch_folder(folder.as_fd())?;
                (folder, Some(id))
            }
        };
        let mut outcome = Outcome { id, below: None, error: None };
        outcome.error = self.list(folder, &mut outcome.below).err();
        Ok(outcome)
    }

    fn list(
        &self,
        folder: OwnedFd,
        below: &mut Option<(OwnedFd, Vec<(OsString, Via)>)>,
    ) -> io::Result<()> {
        let mut entries = Entries::new(folder)?;
        let mut names = Vec::new();
        let listed = entries.try_for_each(|entry| {
            let (name, entry_type) = entry?;
            names.extend(entry_type.via(self.follow_links).map(|via| (name, via)));
            Ok(())
        });
        if !names.is_empty() {
            *below = Some((entries.folder()?.try_clone_to_owned()?, names));
        }
        listed
    }

    fn lock(&self) -> MutexGuard<'_, State<'a, W::Id>> {
        // Nothing panics while it holds the lock; the state would be whole if it did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Copy + Eq + Hash + Debug> State<'_, I> {
    fn next_job(&mut self) -> Option<Job> {
        let job = match self.jobs.pop() {
            Some(job) => job,
            // Links one at a time and last, so that what is reached without them is known by then.
            None if self.busy == 0 => self.links.pop()?,
            None => return None,
        };
        self.busy += 1;
        Some(job)
    }

    fn record(&mut self, job: Job, outcome: io::Result<Outcome<I>>) {
        self.busy -= 1;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                let path = match &job {
                    Job::List(node) => self.tree.path(*node),
                    Job::Enter { parent, name, .. } => self.tree.entry_path(parent.node, name),
                };
                return self.fail(path, error);
            }
        };
        let node = match (job, outcome.id) {
            (Job::Enter { parent, via, .. }, Some(id))
                if is_repeated(self.tree, parent.node, via, id) =>
            {
                return;
            }
            (Job::Enter { parent, name, via }, Some(id)) => {
                self.tree.add(parent.node, &name, via, id)
            }
            (Job::List(node) | Job::Enter { parent: Parent { node, .. }, .. }, _) => node,
        };
        if let Some(error) = outcome.error {
            self.fail(self.tree.path(node), error);
        }
        if let Some((folder, names)) = outcome.below {
            let parent = Parent { node, folder: Arc::new(folder) };
            for (name, via) in names {
                let jobs = if via == Via::Link { &mut self.links } else { &mut self.jobs };
                jobs.push(Job::Enter { parent: parent.clone(), name, via });
            }
        }
    }

    fn fail(&mut self, path: Option<PathBuf>, error: io::Error) {
        if !has_vanished(&error) {
            self.failed.extend(path.map(|path| (path, error)));
        }
    }
}
