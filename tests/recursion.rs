//! Tests of recursive watching that depend on state which all threads of a process share. They are a separate test
//! program.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has to fail")]

use std::{
    env,
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::fs::{MetadataExt, symlink},
    },
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use notify_backend::{
    prelude::*,
    recursion::{FolderEvent, FolderWatcher, Folders},
};

/// Watches nothing, but distinguishes folders, and records how many are open.
#[derive(Default)]
struct ByNumber {
    // The system assigns the lowest free descriptor.
    highest: AtomicI32,
    watched: Mutex<Vec<u64>>,
    is_full: AtomicBool,
}

impl FolderWatcher for ByNumber {
    type Id = u64;

    fn watch_folder(&self, folder: BorrowedFd<'_>, _access: bool) -> io::Result<u64> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.highest.fetch_max(folder.as_raw_fd(), Ordering::SeqCst);
        let id = File::from(folder.try_clone_to_owned()?).metadata()?.ino();
        let mut watched = self.watched.lock().unwrap();
        if !watched.contains(&id) {
            watched.push(id);
        }
        Ok(id)
    }

    fn release(&self, _: u64) {}
}

fn number(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_relative_root_stays_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("root/a")).unwrap();
    env::set_current_dir(folder.path()).unwrap();
    let mut folders = Folders::new(ByNumber::default());
    folders.watch(Watch::recursive("root")).unwrap();
    env::set_current_dir("/").unwrap();

    fs::create_dir_all(folder.path().join("root/a/b/c")).unwrap();
    let kind = EventKind::Create(CreateKind::Folder);
    let created = FolderEvent::Entry { name: "b".as_ref(), kind, is_folder: true, cookie: 0 };
    folders.apply(number(&folder.path().join("root/a")), created);
    while folders.step(1) {}
    let said: Vec<_> = std::iter::from_fn(|| folders.next()).map(|it| it.unwrap().path).collect();
    assert_eq!(said, ["root/a/b", "root/a/b/c"].map(PathBuf::from));
}

#[test]
fn a_file_stays_watched_if_watching_it_again_fails() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut folders = Folders::new(ByNumber::default());
    folders.watch(Watch::non_recursive(&file)).unwrap();
    folders.watcher().is_full.store(true, Ordering::SeqCst);
    let again = folders.watch(Watch::non_recursive(&file).following_links());
    assert!(matches!(again, Err(BackendError::WatchLimit { .. })), "{again:?}");

    let kind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    let written = FolderEvent::Entry { name: "file".as_ref(), kind, is_folder: false, cookie: 0 };
    folders.apply(number(folder.path()), written);
    assert_eq!(folders.next().unwrap().unwrap(), Event::new(kind, file));
}

/// A process may have 1024 files open by default, and large trees have many links.
#[test]
fn few_folders_are_open_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..1500 {
        let path = folder.path().join(format!("{}/{i}", i % 5));
        fs::create_dir_all(&path).unwrap();
        symlink("..", path.join("link")).unwrap();
    }
    let mut folders = Folders::new(ByNumber::default());
    folders.watch(Watch::recursive(folder.path()).following_links()).unwrap();
    folders.lose();
    while folders.step(1) {}
    let said: Vec<_> = std::iter::from_fn(|| folders.next()).collect();
    assert!(
        matches!(&said[..], [Ok(event)] if matches!(event.kind, EventKind::Missed(_))),
        "{said:?}"
    );
    assert_eq!(folders.watcher().watched.lock().unwrap().len(), 1 + 5 + 1500);
    let highest = folders.watcher().highest.load(Ordering::SeqCst);
    assert!(highest < 100, "{highest} are open");
}
