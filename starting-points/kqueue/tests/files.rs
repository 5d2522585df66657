//! The open files, on the model of kqueue: they are closed when they are not needed, and when there are too many, that
//! is reported. This is one test in a program of its own, since it counts and limits the descriptors of its process.
#![cfg(target_os = "linux")]

#[path = "../../../template/src/kqueue/tests/model/mod.rs"]
mod model;

use std::{
    fs,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use notify_backend::prelude::*;
use notify_backend_kqueue as backend;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

type Tested = backend::VnodeBackend<model::Model>;

/// The deadline after which a missing item counts as lost.
const DEADLINE: Duration = Duration::from_secs(20);

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Returns all items up to the first one that `is_last`.
fn until(backend: &mut Tested, is_last: impl Fn(&StreamItem) -> bool) -> Vec<StreamItem> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = Instant::now();
    let mut items = vec![];
    loop {
        match Pin::new(&mut *backend).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(item) => {
                items.push(item.expect("the stream goes on"));
                if items.last().is_some_and(&is_last) {
                    return items;
                }
            }
            Poll::Pending => {
                let left = DEADLINE.checked_sub(start.elapsed());
                thread::park_timeout(
                    left.unwrap_or_else(|| panic!("the last is missing: {items:?}")),
                );
            }
        }
    }
}

/// Reads until everything that was done before has been reported.
fn settle(backend: &mut Tested, folder: &Path, name: &str) -> Vec<StreamItem> {
    let mut items = vec![];
    // A look may have begun before the first file is made.
    for number in 0..2 {
        let barrier = folder.join(format!("{name}-{number}"));
        fs::write(&barrier, "").expect("a file can be made");
        let is_it = |item: &StreamItem| item.as_ref().is_ok_and(|event| event.path == barrier);
        items.extend(until(backend, is_it));
        fs::remove_file(&barrier).expect("it can be removed");
        let is_gone = |item: &StreamItem| {
            let is_removal = |event: &Event| matches!(event.kind, EventKind::Remove(_));
            is_it(item) && item.as_ref().is_ok_and(is_removal)
        };
        items.extend(until(backend, is_gone));
    }
    items
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("the process has descriptors").count()
}

fn create(folder: &Path, count: usize) {
    fs::create_dir(folder).expect("the folder can be made");
    for number in 0..count {
        fs::write(folder.join(number.to_string()), "").expect("a file can be made");
    }
}

#[test]
fn open_files_are_needed_and_limited() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let watched = folder.path().join("watched");
    fs::create_dir(&watched).expect("the folder can be made");
    let without = descriptors();
    let mut backend = Tested::new(vec![Watch::recursive(&watched)]).expect("it can be watched");
    settle(&mut backend, &watched, "first");
    let few = descriptors();

    // Each file and folder takes one, until it is gone.
    create(&watched.join("full"), 50);
    settle(&mut backend, &watched, "full");
    assert_eq!(descriptors(), few + 51);
    fs::rename(watched.join("full"), folder.path().join("full")).expect("it can be moved");
    settle(&mut backend, &watched, "moved");
    assert_eq!(descriptors(), few);

    // With too few, a watch is not added, and takes nothing.
    let limit = getrlimit(Resource::Nofile);
    let low = few as u64 + 30;
    let lower = Rlimit { current: Some(low), ..limit };
    setrlimit(Resource::Nofile, lower).expect("the limit can be lowered");
    let error = backend.watch(Watch::recursive(folder.path().join("full")));
    assert!(matches!(error, Err(BackendError::InstanceLimit { .. })), "{error:?}");
    assert_eq!(descriptors(), few);

    // Files that appear later are one error for their folder. Each file that marks the end is another one, for its own.
    create(&watched.join("later"), 50);
    let is_error = |item: &StreamItem| item.is_err();
    let error = until(&mut backend, is_error).pop().expect("the error").expect_err("the error");
    assert_eq!(error.path(), Some(watched.join("later").as_path()), "{error}");
    assert!(error.to_string().contains("ulimit -n"), "{error}");
    let further = settle(&mut backend, &watched, "later");
    let errors = further.iter().filter_map(|item| item.as_ref().err());
    let folders: Vec<_> = errors.filter_map(StreamError::path).collect();
    assert!(folders.iter().all(|folder| *folder == watched), "{further:?}");

    setrlimit(Resource::Nofile, limit).expect("the limit can be raised again");
    drop(backend);
    assert_eq!(descriptors(), without);
}
