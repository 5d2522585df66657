//! The memory of `Folders` per folder.

use std::{
    fs::{self, File},
    io,
    os::{fd::BorrowedFd, unix::fs::MetadataExt},
};

use notify_backend::{
    Watch,
    recursion::{FolderWatcher, Folders},
};

use crate::held;

const FOLDERS: usize = 10_000;
/// The limit per folder, without its name, which has at most 7 bytes here.
const PER_FOLDER: usize = 80;

/// Watches nothing, but distinguishes folders.
struct ByNumber;

impl FolderWatcher for ByNumber {
    type Id = u64;

    fn watch_folder(&self, folder: BorrowedFd<'_>, _access: bool) -> io::Result<u64> {
        Ok(File::from(folder.try_clone_to_owned()?).metadata()?.ino())
    }

    fn release(&self, _: u64) {}
}

/// Listing all folders leaves nothing behind.
#[test]
fn a_watched_folder_takes_at_most_80_bytes_and_its_name() {
    let top = tempfile::tempdir().unwrap();
    for folder in 0..FOLDERS {
        fs::create_dir_all(top.path().join(format!("{}/{folder}", folder % 100))).unwrap();
    }
    let before = held();
    let mut folders = Folders::new(ByNumber);
    folders.watch(Watch::recursive(top.path())).unwrap();
    while folders.step(1) {}
    let cost = (held() - before).cast_unsigned().div_ceil(FOLDERS + 100);
    println!("{cost} bytes for a folder and its name");
    assert!(cost <= PER_FOLDER + 7, "{cost} bytes for each of {FOLDERS} folders");
}
