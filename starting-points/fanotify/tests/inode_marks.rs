//! Why there is no backend on marks of single folders, which need no privileges: they give less information than
//! inotify's watches, and it takes as many. If a test here fails, a newer kernel can do more.
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]

// The backend's own modules, so that both make the same system calls.
#[allow(dead_code, reason = "the backend uses the rest")]
#[path = "../../../template/src/fanotify/record.rs"]
mod record;
#[allow(dead_code, reason = "the backend uses the rest")]
#[path = "../../../template/src/fanotify/sys.rs"]
mod sys;

use std::{
    ffi::OsStr,
    fs::{self, File, Permissions},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::{Path, PathBuf},
};

use libc::{
    FAN_ATTRIB, FAN_CREATE, FAN_DELETE, FAN_EVENT_ON_CHILD, FAN_MARK_ADD, FAN_MARK_FILESYSTEM,
    FAN_MARK_REMOVE, FAN_ONDIR, FAN_RENAME, FAN_REPORT_DFID_NAME_TARGET,
};
use rustix::{
    fs::fstatvfs,
    io::{Errno, read},
    thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities},
};
use tempfile::TempDir;

use crate::{
    record::{RawRecord, Record},
    sys::Handle,
};

const CHANGES: u64 =
    FAN_ATTRIB | FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ONDIR | FAN_EVENT_ON_CHILD;

/// A folder, and a notification group that needs no privileges.
struct Scene {
    folder: TempDir,
    group: OwnedFd,
}

impl Scene {
    fn new() -> Self {
        // Each test runs in its own thread.
        let effective = CapabilitySet::empty();
        let all = capabilities(None).unwrap();
        set_capabilities(None, CapabilitySets { effective, ..all }).unwrap();
        let group = sys::init(FAN_REPORT_DFID_NAME_TARGET).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), group }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Creates a folder and marks it.
    fn make(&self, path: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir(&path).unwrap();
        self.mark(FAN_MARK_ADD, &path).unwrap();
        path
    }

    fn mark(&self, flags: u32, folder: &Path) -> std::io::Result<()> {
        sys::mark(self.group.as_fd(), flags, CHANGES, File::open(folder)?.as_fd())
    }

    fn read(&self) -> Vec<Record> {
        let mut buffer = [0; 4096];
        let length = match read(&self.group, &mut buffer) {
            Err(Errno::AGAIN) => 0,
            length => length.unwrap(),
        };
        let mut unread = &buffer[..length];
        let records = std::iter::from_fn(|| RawRecord::take(&mut unread));
        records.map(RawRecord::parse).collect()
    }
}

fn handle(folder: &Path) -> Handle {
    let folder = File::open(folder).unwrap();
    let file_system = fstatvfs(&folder).unwrap().f_fsid;
    sys::handle(folder.as_fd(), OsStr::new(""), file_system).unwrap().0
}

fn errno(result: std::io::Result<impl Sized>) -> Option<Errno> {
    result.err().as_ref().and_then(Errno::from_io_error)
}

#[test]
fn a_file_system_cannot_be_marked() {
    let scene = Scene::new();
    let folder = scene.make("folder");
    let changes = CHANGES & !FAN_EVENT_ON_CHILD;
    let opened = File::open(&folder).unwrap();
    let marked =
        sys::mark(scene.group.as_fd(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, changes, opened.as_fd());
    assert_eq!(errno(marked), Some(Errno::PERM));
}

// inotify removes a watch by its number.
#[test]
fn mark_of_a_moved_folder_cannot_be_removed() {
    let scene = Scene::new();
    let (tree, elsewhere) = (scene.make("tree"), scene.path("elsewhere"));
    let folder = scene.make("tree/folder");
    fs::create_dir(&elsewhere).unwrap();
    scene.read();
    fs::rename(&folder, elsewhere.join("folder")).unwrap();
    let away = scene.read();
    assert_eq!(away.len(), 1, "{away:?}");
    assert_eq!(away[0].to, None, "the record does not say where it went");
    let told = away[0].child.clone().unwrap();

    let beside = File::open(&tree).unwrap();
    assert_eq!(errno(sys::open_by_handle(beside.as_fd(), &told)), Some(Errno::PERM));
    assert_eq!(errno(scene.mark(FAN_MARK_REMOVE, &folder)), Some(Errno::NOENT));
    fs::write(elsewhere.join("folder/file"), "").unwrap();
    let still = scene.read();
    assert_eq!(still[0].at.as_ref().map(|at| &at.folder), Some(&told), "{still:?}");
}

// inotify gives the name in the watched folder. Here, even a non-recursive backend would have to look up all
// subfolders beforehand.
#[test]
fn metadata_of_a_folder_is_reported_by_its_handle_alone() {
    let scene = Scene::new();
    let tree = scene.make("tree");
    let folder = tree.join("folder");
    fs::create_dir(&folder).unwrap();
    scene.read();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let records = scene.read();
    let at = records[0].at.as_ref().unwrap();
    assert_eq!((&at.folder, at.name.as_os_str()), (&handle(&folder), OsStr::new(".")));
}

// The engine of recursive watching relies on the order of events.
#[test]
fn removal_comes_before_earlier_events() {
    let scene = Scene::new();
    let tree = scene.make("tree");
    fs::create_dir(tree.join("one")).unwrap();
    fs::create_dir(tree.join("other")).unwrap();
    fs::remove_dir(tree.join("one")).unwrap();
    let records = scene.read();
    let masks: Vec<_> = records.iter().map(|record| record.mask & !FAN_ONDIR).collect();
    assert_eq!(masks, [FAN_CREATE | FAN_DELETE, FAN_CREATE], "{records:?}");
}
