//! The place for folders of tests that need no disk: [`folder`].

use std::path::Path;

/// Returns a folder in memory, if there is one with enough room. On a disk, creating files is slower: ext4 skips
/// all inode numbers that were freed within the last seconds, one by one.
///
/// Only tests of the suite itself use it. Backends are tested on disks.
pub(crate) fn folder() -> Option<&'static Path> {
    let folder = Path::new("/dev/shm");
    // Containers may have very little room there. The largest scenes have some thousand folders.
    let system = rustix::fs::statvfs(folder).ok()?;
    let has_room = system.f_bavail * system.f_frsize >= 1 << 28 && system.f_favail >= 100_000;
    (has_room && tempfile::tempdir_in(folder).is_ok()).then_some(folder)
}
