//! Paths on network file systems: [`is_networked`], [`check_local`].

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::{io, path::Path};

use super::Watch;
use crate::contract::error::BackendError;

/// Returns whether `path` leads to a file system on another machine, such as NFS, SMB, 9p or sshfs. This
/// machine's kernel does not notice changes that other machines make there.
///
/// Backends on the kernel's notifications would miss such changes silently: see [`check_local`].
///
/// | system | decided by |
/// |---|---|
/// | Linux, Android | the type of the mount in `/proc/self/mountinfo` (proc(5)) |
/// | Windows | whether the path, as the system resolves it, is on a server (`\\server\share`); paths on mapped drives are |
/// | others | nothing yet: an error of the kind [`Unsupported`](io::ErrorKind::Unsupported) |
///
/// On Linux, the types are those of the kernel's modules for file systems of servers, clusters and hosts of
/// virtual machines, and of programs that FUSE names (`fuse.sshfs`, `fuse.rclone`). GNU tail decides in the
/// same way, by magic number (statfs(2)), whether `-f` can rely on inotify, but treats all of FUSE as
/// remote. Here, unknown types are local, such as `fuseblk` (ntfs-3g) and `fuse.gocryptfs`. Only the path
/// itself is checked, and not the mounts below it.
///
/// A link is followed.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use notify_backend::{is_networked, prelude::*};
///
/// assert!(!is_networked(Path::new("/proc"))?);
/// # }
/// # Ok::<_, std::io::Error>(())
/// ```
///
/// # Errors
///
/// The system's error if the path cannot be inspected. If a server does not answer, the call may block until
/// the system gives up.
pub fn is_networked(path: &Path) -> io::Result<bool> {
    system::is_networked(path)
}

/// Refuses watches on [network file systems](is_networked), for a backend on the kernel's notifications,
/// unless one of its settings allows them. After this error, [`FirstOf`](crate::fallback::FirstOf) goes on
/// to a backend that polls. `reason` is for the user, and says what to do.
///
/// A link that a watch does not follow belongs to its folder. A path that cannot be inspected passes:
/// adding its watch will show why.
///
/// ```
/// use notify_backend::{Watch, check_local};
///
/// let reason = "this backend does not notice changes by other machines; use one that polls";
/// # if cfg!(target_os = "linux") {
/// assert!(check_local(&[Watch::recursive("/proc")], reason).is_ok());
/// # }
/// ```
///
/// # Errors
///
/// [`BackendError::Unavailable`] with the reason and every path that is on such a file system.
pub fn check_local(watches: &[Watch], reason: impl Into<String>) -> Result<(), BackendError> {
    let refused = watches.iter().filter(|watch| is_remote(watch));
    let refused: Vec<_> = refused.map(|watch| &watch.path).collect();
    if refused.is_empty() { Ok(()) } else { Err(BackendError::unavailable_at(reason, refused)) }
}

/// Returns whether a watch is on a network file system, as far as that can be determined.
pub(crate) fn is_remote(watch: &Watch) -> bool {
    is_networked(place(watch)).unwrap_or(false)
}

/// Returns the path that has to be on this machine: if a link is not followed, that of its folder.
fn place(watch: &Watch) -> &Path {
    match watch.path.parent() {
        Some(folder) if !watch.follow_links && watch.path.is_symlink() => {
            if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
        }
        _ => &watch.path,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

    /// The kernel's names of file systems.
    const TYPES: &[&str] = &[
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "gpfs", "lustre", "ncpfs", "nfs",
        "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf",
        "virtiofs", "vmhgfs",
    ];

    /// The names that programs give themselves when they mount through FUSE.
    const PROGRAMS: &[&str] = &[
        "ceph",
        "ceph-fuse",
        "curlftpfs",
        "davfs",
        "gcsfuse",
        "glusterfs",
        "gvfsd-fuse",
        "juicefs",
        "mount-s3",
        "rclone",
        "s3fs",
        "smbnetfs",
        "sshfs",
        "vmhgfs-fuse",
    ];

    pub(super) fn is_networked(path: &Path) -> io::Result<bool> {
        let device = path.metadata()?.dev();
        let mounts = fs::read("/proc/self/mountinfo")?;
        // A device that is not listed belongs to a file system with several, such as btrfs: on this
        // machine.
        Ok(type_of(&String::from_utf8_lossy(&mounts), device).is_some_and(is_type_networked))
    }

    /// Returns the type of the file system on `device`.
    pub(super) fn type_of(mounts: &str, device: u64) -> Option<&str> {
        // The layout of makedev(3).
        let major = (device >> 32) & 0xffff_f000 | (device >> 8) & 0xfff;
        let minor = (device >> 12) & 0xffff_ff00 | device & 0xff;
        let number = format!("{major}:{minor}");
        let mount = mounts.lines().find(|mount| mount.split(' ').nth(2) == Some(&number))?;
        mount.split_once(" - ")?.1.split(' ').next()
    }

    pub(super) fn is_type_networked(name: &str) -> bool {
        TYPES.contains(&name)
            || name.strip_prefix("fuse.").is_some_and(|program| PROGRAMS.contains(&program))
    }
}

#[cfg(windows)]
mod system {
    use std::{
        io,
        path::{Component, Path, Prefix},
    };

    pub(super) fn is_networked(path: &Path) -> io::Result<bool> {
        let resolved = path.canonicalize()?;
        Ok(match resolved.components().next() {
            Some(Component::Prefix(prefix)) => {
                matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..))
            }
            _ => false,
        })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
mod system {
    use std::{io, path::Path};

    pub(super) fn is_networked(path: &Path) -> io::Result<bool> {
        path.metadata()?;
        Err(io::ErrorKind::Unsupported.into())
    }
}
