//! The open files, on the model of kqueue: they are closed when they are not needed, and when there are too many, that
//! is reported. This is one test in a program of its own, since it counts and limits the descriptors of its process.
#![cfg(target_os = "linux")]

#[path = "../../../../template/src/kqueue/tests/model/mod.rs"]
mod model;
mod reading;

use std::{fs, path::Path};

use notify_backend::prelude::*;
use notify_backend_kqueue as backend;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::reading::{settle, until};

type Tested = backend::VnodeBackend<model::Model>;

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
