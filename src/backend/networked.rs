//! Whether a path is on a network file system: [`is_networked`].

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::{io, path::Path};

/// Returns whether `path` leads to a file system on another machine, such as NFS, SMB, 9p or sshfs. This
/// machine's kernel does not notice changes that other machines make there.
///
/// It is for backends on the kernel's notifications. They would miss such changes silently, so they refuse
/// such a path ([`unavailable_at`](crate::BackendError::unavailable_at)) unless a setting allows it. After
/// that error, [`FirstOf`](crate::fallback::FirstOf) goes on to a backend that polls.
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
/// A link is followed. If a watch does not follow a link, the link belongs to its folder: check that folder.
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

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

    /// Of file systems, as the kernel calls them.
    const TYPES: &[&str] = &[
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "gpfs", "lustre", "ncpfs", "nfs",
        "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf",
        "virtiofs", "vmhgfs",
    ];

    /// Of programs that mount through FUSE, as they call themselves.
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
        // One that is not listed is of a file system that has several, as btrfs does: on this machine.
        Ok(type_of(&String::from_utf8_lossy(&mounts), device).is_some_and(is_type_networked))
    }

    /// The type of the file system on `device`.
    pub(super) fn type_of(mounts: &str, device: u64) -> Option<&str> {
        // As makedev(3) puts it together.
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
