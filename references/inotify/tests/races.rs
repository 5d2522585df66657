//! What happens while the backend looks, far more often than the compliance suite makes it happen.

use std::{fs, future::poll_fn, path::Path, pin::Pin, thread, time::Duration};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// After which time a missing item is lost.
const DEADLINE: Duration = Duration::from_secs(20);

/// A folder that is watched with all below it.
struct Scene {
    // Dropped before the folder and the runtime.
    backend: InotifyBackend,
    top: TempDir,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        let top = tempfile::tempdir().expect("a folder can be made");
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let watches = vec![Watch::recursive(top.path())];
        let backend = runtime.block_on(async { InotifyBackend::new(watches) });
        let backend = backend.expect("it can be watched");
        Self { backend, top, runtime }
    }

    /// Reads while `changes` are made, up to an event of `last`, and hands over each event.
    fn read(&mut self, changes: impl FnOnce() + Send, last: &Path, mut event: impl FnMut(&Event)) {
        thread::scope(|scope| {
            scope.spawn(changes);
            loop {
                let next = poll_fn(|cx| Pin::new(&mut self.backend).poll_next(cx));
                let item = self.runtime.block_on(async { timeout(DEADLINE, next).await });
                let item = item.expect("the last change is reported").expect("the stream goes on");
                let reported = item.expect("nothing fails");
                event(&reported);
                if reported.path == last {
                    break;
                }
            }
        });
    }
}

/// From a moment before its removal is reported, a folder is not found any more.
#[test]
fn folders_that_come_and_go_are_no_loss() {
    // The kernel tells one after the other, this backend somewhere among them.
    let others: Vec<_> = (0..60).map_while(|_| inotify::init(CreateFlags::NONBLOCK).ok()).collect();
    let mut scene = Scene::new();
    let folder = scene.top.path().join("folder");
    for round in 0..50 {
        let last = folder.join(round.to_string());
        let changes = || {
            for _ in 0..20 {
                fs::create_dir(&folder).unwrap();
                for other in &others {
                    inotify::add_watch(other, &folder, WatchFlags::DELETE_SELF).unwrap();
                }
                fs::remove_dir(&folder).unwrap();
            }
            fs::create_dir(&folder).unwrap();
            fs::File::create(&last).unwrap();
        };
        scene.read(changes, &last, |event| {
            assert!(!matches!(event.kind, EventKind::Missed(_)), "round {round}: {event}");
        });
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// It is found in a folder that is opened in one place, and listed when it is in another.
#[test]
fn what_is_made_after_a_rename_is_told_of_the_new_place() {
    let mut scene = Scene::new();
    // What takes some time to list.
    let elsewhere = tempfile::tempdir().unwrap();
    let full = elsewhere.path().join("full");
    fs::create_dir(&full).unwrap();
    for i in 0..2_000 {
        fs::File::create(full.join(i.to_string())).unwrap();
    }
    let path = |name: &str| scene.top.path().join(name);
    let [first, second, last] = ["first", "second", "last"].map(path);
    for round in 0..50 {
        let last = last.with_extension(round.to_string());
        let changes = || {
            fs::rename(&full, &first).unwrap();
            thread::yield_now();
            fs::rename(&first, &second).unwrap();
            for i in 0..20 {
                fs::File::create(second.join(format!("made-{i}"))).unwrap();
            }
            fs::File::create(&last).unwrap();
        };
        scene.read(changes, &last, |event| {
            let is_made = event.path.to_string_lossy().contains("made-");
            assert!(!is_made || event.path.starts_with(&second), "round {round}: {event}");
        });
        for i in 0..20 {
            fs::remove_file(second.join(format!("made-{i}"))).unwrap();
        }
        fs::rename(&second, &full).unwrap();
    }
}
