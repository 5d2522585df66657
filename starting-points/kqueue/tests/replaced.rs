//! A file that is replaced after it was found and before it is opened, which is no error.
#![cfg(target_os = "linux")]

#[path = "../../../template/src/kqueue/tests/model/mod.rs"]
mod model;
#[path = "files/reading.rs"]
mod reading;

use std::{fs, io, path::Path, time::Duration};

use notify_backend::prelude::*;
use notify_backend_kqueue::{self as backend, Note, VnodeBackend, Vnodes};

use self::reading::settle;

/// The model, but before `open` opens a file in a folder `folder`, that is removed, and a file takes its place.
#[derive(Debug)]
struct Replacing(model::Model);

impl Vnodes for Replacing {
    type File = <model::Model as Vnodes>::File;

    fn new() -> io::Result<Self> {
        model::Model::new().map(Self)
    }

    fn open(path: &Path) -> io::Result<Self::File> {
        if let Some(folder) =
            path.parent().filter(|above| above.ends_with("folder") && above.is_dir())
        {
            fs::remove_dir_all(folder)?;
            fs::write(folder, "")?;
        }
        model::Model::open(path)
    }

    fn watch(&self, file: &Self::File, token: usize) -> io::Result<()> {
        self.0.watch(file, token)
    }

    fn take(&self, timeout: Option<Duration>) -> io::Result<Vec<Note>> {
        self.0.take(timeout)
    }

    fn wake(&self) {
        self.0.wake();
    }
}

#[test]
fn what_was_found_and_replaced_is_no_error() {
    let root = tempfile::tempdir().expect("a folder can be made");
    let watches = vec![Watch::recursive(root.path())];
    let mut backend = VnodeBackend::<Replacing>::new(watches).expect("it can be watched");
    let outside = tempfile::tempdir().expect("a folder can be made");
    let made = outside.path().join("folder");
    fs::create_dir(&made).expect("a folder can be made");
    fs::write(made.join("file"), "").expect("a file can be made");
    let folder = root.path().join("folder");
    fs::rename(made, &folder).expect("it can be moved");
    let items = settle(&mut backend, root.path(), "barrier");
    assert!(folder.is_file(), "it was not replaced: {items:?}");
    assert!(items.iter().all(Result::is_ok), "{items:?}");
    let last = items.iter().flatten().rfind(|event| event.path == folder);
    assert!(
        last.is_some_and(|event| event.kind == EventKind::Create(CreateKind::File)),
        "{items:?}"
    );
}
