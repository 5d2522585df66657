//! A folder on its own file system, and the reports of a backend about it: [`Scene`].

use std::{
    collections::BTreeSet,
    fs,
    future::poll_fn,
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
    time::{Duration, Instant},
};

use notify_backend::{Backend, StreamItem, prelude::*, settings::Hints};
use notify_backend_fanotify::FanotifyBackend;
use tokio::runtime::{EnterGuard, Runtime};

/// The deadline for an expected item.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tmpfs with the folders `root`, which the tests watch, and `outside`.
pub(crate) struct Scene {
    top: PathBuf,
    runtime: Runtime,
    barriers: usize,
}

/// Returns why the backend cannot be created on this machine, if so.
pub(crate) fn obstacle() -> Option<String> {
    let mut obstacle = None;
    run(|scene| {
        let _entered = scene.enter();
        match FanotifyBackend::new(vec![Watch::recursive(scene.path("root"))]) {
            Err(BackendError::Unavailable { reason, .. }) => obstacle = Some(reason),
            made => _ = made.unwrap(),
        }
    });
    obstacle
}

/// Runs a test in a scene.
pub(crate) fn run(test: impl FnOnce(&mut Scene)) {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().canonicalize().unwrap();
    mount(&["-t", "tmpfs", "none"], &top);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut scene = Scene { top, runtime, barriers: 0 };
    for name in ["root", "outside", "sentinels"] {
        fs::create_dir(scene.path(name)).unwrap();
    }
    test(&mut scene);
    unmount(&scene.top);
}

pub(crate) fn mount(arguments: &[&str], point: &Path) {
    let status = Command::new("mount").args(arguments).arg(point).status().unwrap();
    assert!(status.success(), "mount {arguments:?} {}", point.display());
}

pub(crate) fn unmount(point: &Path) {
    let status = Command::new("umount").arg(point).status().unwrap();
    assert!(status.success(), "umount {}", point.display());
}

impl Scene {
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.top.join(path)
    }

    /// Creates a backend that watches these, `root` recursively, and the scene's own folder.
    pub(crate) fn watch(&self, others: &[&str]) -> FanotifyBackend {
        let mut watches = vec![Watch::recursive(self.path("root"))];
        watches.extend(others.iter().map(|path| Watch::recursive(self.path(path))));
        self.watch_these(watches)
    }

    /// Enters the runtime, without which no backend can be created.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    pub(crate) fn watch_these<B: Backend>(&self, watches: Vec<Watch>) -> B {
        self.watch_with_hints(watches, &Hints::default())
    }

    pub(crate) fn watch_with_hints<B: Backend>(&self, mut watches: Vec<Watch>, hints: &Hints) -> B {
        watches.push(Watch::non_recursive(self.path("sentinels")));
        let _entered = self.enter();
        B::with_hints(watches, hints).unwrap()
    }

    /// Reads all events so far, as text, with paths relative to the scene's top.
    pub(crate) fn read(&mut self, backend: &mut impl Backend) -> Vec<String> {
        self.barriers += 1;
        let barrier = self.path("sentinels").join(self.barriers.to_string());
        fs::write(&barrier, "").unwrap();
        let mut said = vec![];
        loop {
            match self.next(backend) {
                Ok(event) if event.path == barrier => {
                    if matches!(event.kind, EventKind::Create(_)) {
                        return said;
                    }
                }
                Ok(event) if event.path.starts_with(self.path("sentinels")) => {}
                Ok(event) => said.push(format!("{} {}", event.kind, self.show(&event.path))),
                Err(error) => {
                    let path = error.path().unwrap_or(Path::new(""));
                    said.push(format!("error {}", self.show(path)));
                }
            }
        }
    }

    /// Reads the next item.
    pub(crate) fn next(&self, backend: &mut impl Backend) -> StreamItem {
        let start = Instant::now();
        let item = self.runtime.block_on(async {
            let item = poll_fn(|cx| Pin::new(&mut *backend).poll_next(cx));
            tokio::time::timeout(PATIENCE, item).await
        });
        // The timeout wakes the task too, which would hide a missing wake-up.
        assert!(start.elapsed() < PATIENCE, "no item in time, but by the timeout: {item:?}");
        item.expect("it was in time").expect("the stream continues")
    }

    fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.top).unwrap_or(path).display().to_string()
    }
}

/// Returns the paths that exist in the end, according to the reports alone.
pub(crate) fn picture(said: &[String]) -> BTreeSet<&str> {
    let mut there = BTreeSet::new();
    for said in said {
        let (kind, path) = said.split_once(' ').unwrap();
        if kind.starts_with("create/") || kind == "modify/name/to" {
            there.insert(path);
        } else if kind.starts_with("remove/") || kind == "modify/name/from" {
            there.remove(path);
        }
    }
    there
}
