//! A watched mount, and the reports about it: [`Scene`].

use std::{
    fs::File,
    future::poll_fn,
    path::PathBuf,
    pin::Pin,
    time::{Duration, Instant},
};

use notify_backend::prelude::*;
use notify_backend_poll::{PollBackend, Settings};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use crate::mount::Mount;

pub(crate) const INTERVAL: Duration = Duration::from_millis(10);
/// The deadline after which a missing item counts as lost.
const DEADLINE: Duration = Duration::from_secs(20);

/// A backend that watches a mount and a local folder recursively.
pub(crate) struct Scene<'a> {
    // Dropped before the runtime.
    backend: PollBackend,
    mount: &'a Mount,
    local: TempDir,
    barriers: usize,
    runtime: Runtime,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(mount: &'a Mount) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = tempfile::tempdir().expect("a folder can be made");
        // sshfs has times in seconds, so only contents show a second write within one.
        let settings = Settings::default().interval(INTERVAL).compare_contents(true);
        let watches = vec![Watch::recursive(mount.path("")), Watch::recursive(local.path())];
        let entered = runtime.enter();
        let backend = PollBackend::with_settings(settings, watches).expect("both can be watched");
        drop(entered);
        Self { backend, mount, local, barriers: 0, runtime }
    }

    /// Creates another backend that watches the mount, if it accepts it.
    pub(crate) fn beside<B: Backend>(
        &self,
        new: impl FnOnce(Vec<Watch>) -> Result<B, BackendError>,
    ) -> Result<B, BackendError> {
        let _entered = self.runtime.enter();
        new(vec![Watch::recursive(self.mount.path(""))])
    }

    /// Returns the items up to the report of a change, given in the format of a printed event. Fails if that does
    /// not arrive.
    pub(crate) fn until(&mut self, change: &str) -> Vec<StreamItem> {
        let mount = self.mount;
        self.runtime.block_on(until(&mut self.backend, |event| says(event, mount, change), change))
    }

    /// Does the same for another backend.
    pub(crate) fn of_other(&self, mut other: impl Backend, change: &str) -> Vec<StreamItem> {
        let is_it = |event: &Event| says(event, self.mount, change);
        self.runtime.block_on(until(&mut other, is_it, change))
    }

    /// Checks that these changes are reported of the mount, in any order, and nothing of other paths.
    pub(crate) fn saw(&mut self, changes: &[&str]) {
        let mut missing = changes.to_vec();
        let mut seen = vec![];
        while let Some(first) = missing.first().copied() {
            let item = self.next(DEADLINE);
            let Some(item) = item else { panic!("{first} is missing among {seen:?}") };
            let event = item.expect("no error");
            missing.retain(|change| !says(&event, self.mount, change));
            let path = self.mount.shown(&event.path);
            let is_expected = changes.iter().any(|change| change.ends_with(&format!(" {path}")));
            assert!(is_expected, "{event} is not among {changes:?}");
            seen.push(event.to_string());
        }
    }

    /// Returns the items up to the reports of a local file that is created now, and of one that is created after
    /// that: a whole look at everything lies between them.
    pub(crate) fn until_barrier(&mut self) -> Vec<StreamItem> {
        let mut items = vec![];
        for _ in 0..2 {
            self.barriers += 1;
            let file: PathBuf = self.local.path().join(format!("barrier-{}", self.barriers));
            File::create(&file).expect("a file can be made");
            let is_it = |event: &Event| event.path == file;
            items.extend(self.runtime.block_on(until(&mut self.backend, is_it, "the barrier")));
        }
        items
    }

    /// Returns the next item, if there is one within that time.
    pub(crate) fn next(&mut self, limit: Duration) -> Option<StreamItem> {
        self.runtime.block_on(next(&mut self.backend, limit))
    }

    /// Drops the backend, and returns how long that takes.
    pub(crate) fn drop_backend(self) -> Duration {
        let start = Instant::now();
        drop(self.backend);
        start.elapsed()
    }
}

/// Returns whether the event, printed with a path relative to the mount, equals `change`.
fn says(event: &Event, mount: &Mount, change: &str) -> bool {
    format!("{} {}", event.kind, mount.shown(&event.path)) == change
}

async fn until(
    backend: &mut impl Backend,
    is_it: impl Fn(&Event) -> bool,
    what: &str,
) -> Vec<StreamItem> {
    let mut items = vec![];
    loop {
        let Some(item) = next(backend, DEADLINE).await else {
            panic!("{what} is not reported, but {items:?}");
        };
        let is_last = item.as_ref().is_ok_and(&is_it);
        items.push(item);
        if is_last {
            return items;
        }
    }
}

async fn next(backend: &mut impl Backend, limit: Duration) -> Option<StreamItem> {
    let next = poll_fn(|cx| Pin::new(&mut *backend).poll_next(cx));
    timeout(limit, next).await.ok().flatten()
}
