//! Watching a whole tree at the start: [`watch_below`].

use std::{
    ffi::OsString,
    fmt::Debug,
    fs,
    hash::Hash,
    io,
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{FolderWatcher, Node, Via, WatchTree, has_vanished, is_repeated};

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
    let Some(location) = tree.location(top) else {
        return Vec::new();
    };
    let walk = Walk {
        watcher,
        follow_links,
        state: Mutex::new(State {
            tree,
            jobs: vec![Job { task: Task::List(top), location }],
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
    // Last in, first out: what is waiting stays small.
    jobs: Vec<Job>,
    links: Vec<Job>,
    // Threads that have taken a job and may add others.
    busy: usize,
    failed: Vec<(PathBuf, io::Error)>,
}

struct Job {
    task: Task,
    location: PathBuf,
}

enum Task {
    /// The folder is watched; list it.
    List(Node),
    /// An entry of the folder; watch and list it.
    Enter(Node, OsString, Via),
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
                drop(state);
                let outcome = self.run(&job);
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

    fn run(&self, job: &Job) -> io::Result<Outcome<W::Id>> {
        // Watched before it is listed: what is made in between is seen at least once.
        let id = match &job.task {
            Task::List(_) => None,
            Task::Enter(_, _, via) => Some(self.watcher.watch_folder(&job.location, *via)?),
        };
        let mut entries = Vec::new();
        let listed = fs::read_dir(&job.location).and_then(|listing| {
            for entry in listing {
                let entry = entry?;
                let file_type = entry.file_type()?;
                if file_type.is_dir() {
                    entries.push((entry.file_name(), Via::Name));
                } else if file_type.is_symlink() && self.follow_links {
                    entries.push((entry.file_name(), Via::Link));
                }
            }
            Ok(())
        });
        Ok(Outcome { id, entries, listed })
    }

    fn lock(&self) -> MutexGuard<'_, State<'a, W::Id>> {
        // Nothing panics while it holds the lock; the state would be whole if it did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What running a job found.
struct Outcome<I> {
    id: Option<I>,
    entries: Vec<(OsString, Via)>,
    listed: io::Result<()>,
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
            Err(error) => return self.fail(&job, error),
        };
        if let Err(error) = outcome.listed {
            self.fail(&job, error);
        }
        let node = match (job.task, outcome.id) {
            (Task::Enter(parent, _, via), Some(id)) if is_repeated(self.tree, parent, via, id) => {
                return;
            }
            (Task::Enter(parent, name, via), Some(id)) => self.tree.add(parent, &name, via, id),
            (Task::List(node) | Task::Enter(node, ..), _) => node,
        };
        for (name, via) in outcome.entries {
            let location = job.location.join(&name);
            let job = Job { task: Task::Enter(node, name, via), location };
            if via == Via::Link { &mut self.links } else { &mut self.jobs }.push(job);
        }
    }

    fn fail(&mut self, job: &Job, error: io::Error) {
        let path = match &job.task {
            Task::List(node) => self.tree.path(*node),
            Task::Enter(parent, name, _) => self.tree.entry_path(*parent, name),
        };
        if !has_vanished(&error) {
            self.failed.extend(path.map(|path| (path, error)));
        }
    }
}
