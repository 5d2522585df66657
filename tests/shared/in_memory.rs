//! Where tests make their folders that need no disk: [`folder`].

use std::path::Path;

/// A folder that is on no disk, if there is one with room. On a disk, each new file takes a part of the
/// time: ext4 passes over all numbers that were given back within the last seconds, one by one.
///
/// What this is for judges the suite. The backends themselves are judged on disks.
pub(crate) fn folder() -> Option<&'static Path> {
    let folder = Path::new("/dev/shm");
    // Containers may have next to nothing there. The largest scenes have some thousand folders.
    let system = rustix::fs::statvfs(folder).ok()?;
    let has_room = system.f_bavail * system.f_frsize >= 1 << 28 && system.f_favail >= 100_000;
    (has_room && tempfile::tempdir_in(folder).is_ok()).then_some(folder)
}
