//! A folder that is watched while a test changes it: [`Scene`].

use std::{
    fs::{self, File},
    future::poll_fn,
    path::{Path, PathBuf},
    pin::Pin,
    thread,
    time::Duration,
};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, timeout_at},
};

/// The deadline after which a missing event counts as lost.
const DEADLINE: Duration = Duration::from_secs(20);

/// A folder that is watched recursively.
pub(crate) struct Scene {
    // Dropped before the folder and the runtime.
    backend: InotifyBackend,
    top: TempDir,
    runtime: Runtime,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::watching(tempfile::tempdir().expect("a folder can be made"))
    }

    pub(crate) fn watching(top: TempDir) -> Self {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let watches = vec![Watch::recursive(top.path())];
        let backend = runtime.block_on(async { InotifyBackend::new(watches) });
        let backend = backend.expect("it can be watched");
        Self { backend, top, runtime }
    }

    /// Creates a scene with some folders that the backend knows.
    pub(crate) fn with(folders: &[&str]) -> Self {
        let mut scene = Self::new();
        for folder in folders {
            fs::create_dir_all(scene.path(folder)).expect("a folder can be made");
        }
        scene.settle();
        scene
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.top.path().join(path)
    }

    pub(crate) fn touch(&self, path: &str) {
        File::create(self.path(path)).expect("a file can be made");
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("it can be renamed");
    }

    /// Reads up to an event of `last`, and returns all events.
    pub(crate) fn read_to(&mut self, last: &Path) -> Vec<Event> {
        let deadline = Instant::now() + DEADLINE;
        let mut events = Vec::new();
        while events.last().is_none_or(|event: &Event| event.path != last) {
            let next = poll_fn(|cx| Pin::new(&mut self.backend).poll_next(cx));
            let item = self.runtime.block_on(async { timeout_at(deadline, next).await });
            let item = item.expect("the last change is reported").expect("the stream goes on");
            events.push(item.expect("nothing fails"));
        }
        events
    }

    /// Reads all reports so far.
    pub(crate) fn settle(&mut self) {
        self.touch_and_read("settled");
        fs::remove_file(self.path("settled")).expect("it is there");
    }

    /// Creates a file and reads up to its event, so that all earlier events are read too.
    pub(crate) fn touch_and_read(&mut self, path: &str) -> Vec<Event> {
        self.touch(path);
        let path = self.path(path);
        self.read_to(&path)
    }

    /// Reads while `changes` are made, up to an event of `last`, and returns all events.
    pub(crate) fn read_during(&mut self, changes: impl FnOnce() + Send, last: &Path) -> Vec<Event> {
        thread::scope(|scope| {
            scope.spawn(changes);
            self.read_to(last)
        })
    }
}

/// Fails if the backend reports a loss.
pub(crate) fn assert_nothing_missed(events: &[Event]) {
    let missed = |event: &&Event| matches!(event.kind, EventKind::Missed(_));
    assert!(!events.iter().any(|event| missed(&event)), "{events:#?}");
}
