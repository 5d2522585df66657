//! The thread that waits for notes and looks: [`Watcher`].

use std::{
    collections::HashMap,
    ffi::OsString,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use notify_backend::{
    listing::{Demand, Looker, Touched, Trees},
    prelude::*,
};

use crate::{files::Files, vnodes::Vnodes};

/// How often a look that was not finished asks for further notes.
const ROUNDS: usize = 16;

/// How long to wait for the note about the folder that a file was moved to. The kernel sends it right after the one
/// about the folder that the file was moved from.
const ARRIVAL: Duration = Duration::from_millis(20);

/// How often files and folders are looked at that may not be opened.
const INTERVAL: Duration = Duration::from_secs(1);

/// A thread that looks where something has happened, as long as a consumer waits for events. The kernel merges what
/// happens meanwhile.
#[derive(Debug)]
pub(crate) struct Watcher<V: Vnodes> {
    shared: Arc<Shared<V>>,
    looker: Looker,
    /// The folders above the watched paths, by the watched path as it was given.
    above: HashMap<OsString, PathBuf>,
}

#[derive(Debug)]
struct Shared<V: Vnodes> {
    files: Arc<Files<V>>,
    trees: Trees,
}

impl<V: Vnodes> Watcher<V> {
    /// Starts the thread, which has nothing to wait for yet.
    pub(crate) fn new() -> io::Result<Self> {
        let files = Arc::new(Files::new()?);
        let trees = Trees::new().observed_by(files.clone());
        let shared = Arc::new(Shared { files, trees });
        let [looking, stopping] = [shared.clone(), shared.clone()];
        let stop = move || {
            stopping.trees.stop();
            stopping.files.wake();
        };
        let looker = Looker::start("kqueue backend", stop, move |demand| looking.run(demand))?;
        Ok(Self { shared, looker, above: HashMap::new() })
    }

    /// Adds a watch, or changes the one with the same path.
    pub(crate) fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.looker.check()?;
        let path = watch.path.clone();
        let above = std::path::absolute(&path).ok();
        let above = above.as_deref().and_then(Path::parent);
        let is_new = !self.above.contains_key(path.as_os_str());
        if let Some(above) = above.filter(|_| is_new) {
            // Before the path is looked at, so that nothing is lost in between.
            self.shared.files.watch_above(above);
        }
        let watched = self.shared.trees.watch(watch);
        if let Some(above) = above.filter(|_| is_new) {
            if watched.is_ok() {
                self.above.insert(path.into(), above.to_owned());
            } else {
                self.shared.files.unwatch_above(above);
            }
        }
        self.looker.wake_if(|| self.shared.trees.is_ready());
        watched
    }

    /// Removes the watch with this path.
    pub(crate) fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.looker.check()?;
        self.shared.trees.unwatch(path)?;
        if let Some(above) = self.above.remove(path.as_os_str()) {
            self.shared.files.unwatch_above(&above);
        }
        Ok(())
    }

    /// Returns the next item, or stores the waker until there is one.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.looker.poll_next(cx, || self.shared.trees.next())
    }
}

impl<V: Vnodes> Shared<V> {
    /// Waits for notes and looks, until the backend is dropped.
    fn run(&self, demand: &Demand) -> io::Result<()> {
        let mut due = Vec::new();
        let mut last = Instant::now();
        let mut rested = last;
        while demand.wait_until(rested) {
            if due.is_empty() && !self.trees.is_waiting() {
                due = self.wait(&mut last)?;
                // The consumer may have gone by now.
                continue;
            }
            let timeout = if due.is_empty() { ARRIVAL } else { Duration::ZERO };
            due.extend(self.files.wait(Some(timeout))?);
            let start = Instant::now();
            due = self.look_at(merged(due))?;
            demand.wake_if(|| self.trees.is_ready());
            // Looking takes half a core at most.
            rested = Instant::now() + start.elapsed();
        }
        Ok(())
    }

    /// Waits for notes, or until it is time to look at what may not be opened.
    fn wait(&self, last: &mut Instant) -> io::Result<Vec<Touched>> {
        let mut unopened = self.files.unopened();
        if unopened.is_empty() {
            return self.files.wait(None);
        }
        let touched = self.files.wait(Some(INTERVAL.saturating_sub(last.elapsed())))?;
        if last.elapsed() < INTERVAL {
            return Ok(touched);
        }
        *last = Instant::now();
        unopened.extend(touched);
        Ok(unopened)
    }

    /// Looks at these places, and at those that turn out to belong to the same changes. Returns the places that have to
    /// be looked at again.
    fn look_at(&self, places: Vec<Touched>) -> io::Result<Vec<Touched>> {
        let mut failure = None;
        let mut rounds = 0;
        let left = self.trees.look_at(places, || {
            rounds += 1;
            if rounds > ROUNDS {
                return Vec::new();
            }
            let mut named = self.files.left();
            match self.files.wait(Some(Duration::ZERO)) {
                Ok(touched) => named.extend(touched),
                Err(error) => failure = Some(error),
            }
            merged(named)
        });
        failure.map_or(Ok(left), Err)
    }
}

/// Returns each place once.
fn merged(mut places: Vec<Touched>) -> Vec<Touched> {
    places.sort();
    // Of two, the one that was written comes last.
    places.reverse();
    places.dedup_by(|next, kept| next.path == kept.path);
    places
}
