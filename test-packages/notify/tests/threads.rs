//! The number of threads per watcher. The test is alone in its process, since it counts the threads.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has to fail")]
#![cfg(target_os = "linux")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use notify::{Config, RecursiveMode, Watcher};
use notify_backend::adapter::NotifyWatcher;
use notify_backend_inotify::InotifyBackend;

const DEADLINE: Duration = Duration::from_secs(60);

fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name =
        |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.filter(|task| name(task.as_ref().unwrap()).starts_with("notify-backend")).count()
}

#[test]
fn one_for_each_watcher() {
    let folder = tempfile::tempdir().unwrap();
    let mut watchers: Vec<_> = (0..3)
        .map(|_| NotifyWatcher::<InotifyBackend>::new(|_| {}, Config::default()).unwrap())
        .collect();
    for watcher in &mut watchers {
        for name in ["a", "b", "c"] {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).unwrap();
            watcher.watch(&path, RecursiveMode::Recursive).unwrap();
        }
    }
    assert_eq!(threads(), 3);
    drop(watchers);
    let start = Instant::now();
    while threads() > 0 {
        assert!(start.elapsed() < DEADLINE, "threads outlive their watchers");
        thread::yield_now();
    }
}
