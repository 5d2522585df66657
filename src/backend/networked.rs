//! Whether what others change at a path is heard of here: [`is_networked`].

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::{io, path::Path};

/// Returns whether `path` leads to a file system that is kept elsewhere, such as NFS, SMB, 9p or sshfs.
/// What others change there, the kernel of this machine does not hear of.
///
/// It is for backends that are built on the kernel's notifications. They see nothing of others' changes
/// there, which looks as if there were none, and so refuse such a path
/// ([`unavailable_at`](crate::BackendError::unavailable_at)), unless they are told otherwise: then
/// [`FirstOf`](crate::fallback::FirstOf) goes on to a backend that looks.
///
/// | system | what it goes by |
/// |---|---|
/// | Linux, Android | the type of the mount in `/proc/self/mountinfo` (proc(5)) |
/// | Windows | whether the path, as the system resolves it, is one of a server (`\\server\share`); that of a mapped drive is |
/// | others | nothing yet: an error of the kind [`Unsupported`](io::ErrorKind::Unsupported) |
///
/// The types on Linux are those of kernel modules for file systems of servers, of clusters, and of the
/// host of a virtual machine, and of the programs that FUSE calls by name (`fuse.sshfs`,
/// `fuse.rclone`). GNU tail decides in the same way, by magic number (statfs(2)), whether `-f` can rely
/// on inotify, but takes all of FUSE for remote; here what is not known is local, such as `fuseblk`
/// (ntfs-3g) and `fuse.gocryptfs`. It looks at the path alone, and not at mounts below it.
///
/// A link is followed. One that a watch is not to follow is a thing of the folder that it is in: ask about
/// that.
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
/// What the system says where the path cannot be looked at. Where a server does not answer, the call may
/// take as long as the system is patient.
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
