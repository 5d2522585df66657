//! A folder, a daemon, a proxy and a backend: [`Scene`].

use std::{
    fs,
    future::poll_fn,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use notify_backend::prelude::*;
use notify_backend_watchman::{Settings, WatchmanBackend};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{daemon::Daemon, proxy::Proxy};

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a test works with. It has no backend yet.
pub(crate) struct Scene {
    pub(crate) daemon: Daemon,
    pub(crate) proxy: Proxy,
    runtime: Runtime,
    folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["daemon", "tree"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let daemon = Daemon::start(&folder.path().join("daemon"));
        let proxy = Proxy::new(folder.path(), daemon.socket());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { daemon, proxy, runtime, folder }
    }

    /// Returns a path in the watched folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("tree").join(name)
    }

    pub(crate) fn create(&self, name: impl AsRef<Path>) {
        fs::write(self.path(name), "").unwrap();
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::default().socket(self.proxy.socket())
    }

    pub(crate) fn watch(&self) -> WatchmanBackend {
        self.try_watch(self.settings()).unwrap()
    }

    pub(crate) fn try_watch(&self, settings: Settings) -> Result<WatchmanBackend, BackendError> {
        let _entered = self.runtime.enter();
        WatchmanBackend::with_settings(settings, vec![Watch::recursive(self.path(""))])
    }

    /// Lets the backend change its watches.
    pub(crate) fn inside<T>(&self, call: impl FnOnce() -> T) -> T {
        let _entered = self.runtime.enter();
        call()
    }

    /// Returns the next item.
    #[track_caller]
    pub(crate) fn next(&self, backend: &mut WatchmanBackend) -> StreamItem {
        let next = poll_fn(|cx| Pin::new(&mut *backend).poll_next(cx));
        let next = self.runtime.block_on(async { tokio::time::timeout(DEADLINE, next).await });
        next.expect("an item in time").expect("the stream goes on")
    }

    /// Reads until `is_it`, and returns what came before, and it.
    #[track_caller]
    pub(crate) fn until(
        &self,
        backend: &mut WatchmanBackend,
        is_it: impl Fn(&StreamItem) -> bool,
    ) -> Vec<StreamItem> {
        let mut items = vec![];
        loop {
            let item = self.next(backend);
            let is_last = is_it(&item);
            items.push(item);
            if is_last {
                return items;
            }
        }
    }

    /// Creates a file, and reads until it is reported.
    #[track_caller]
    pub(crate) fn sees(&self, backend: &mut WatchmanBackend, name: &str) -> Vec<StreamItem> {
        self.create(name);
        self.until(backend, is_about(&self.path(name)))
    }
}

pub(crate) fn is_about(path: &Path) -> impl Fn(&StreamItem) -> bool {
    move |item| item.as_ref().is_ok_and(|event| event.path == path)
}

pub(crate) fn is_missed(item: &StreamItem) -> bool {
    item.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Missed(_)))
}

pub(crate) fn is_broken(item: &StreamItem) -> bool {
    matches!(item, Err(StreamError::Read { .. }))
}
