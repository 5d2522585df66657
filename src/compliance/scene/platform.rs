//! File operations that the standard library lacks or has for some systems only.
//!
//! On a system without them, they return `Unsupported`; the cases that use them need an
//! [`Environment`](super::environment::Environment) that has.

use std::{io, path::Path};

#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(unix)]
mod unix {
    use std::{
        fs,
        os::{
            fd::{AsRawFd as _, OwnedFd},
            unix::{
                self,
                fs::{MetadataExt as _, PermissionsExt as _},
            },
        },
    };

    use rustix::{
        fs::{AtFlags, Mode, OFlags, openat, unlinkat},
        process::{Resource, Rlimit, getrlimit, setrlimit},
    };

    use super::{Path, io};

    /// A folder that stays open: it can be changed, whatever its name is by then.
    #[derive(Debug)]
    pub(crate) struct OpenFolder(OwnedFd);

    impl OpenFolder {
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            Ok(Self(fs::File::open(path)?.into()))
        }

        /// Opens a file to be written; makes it if it is not there.
        pub(crate) fn open_file(&self, name: &str) -> io::Result<fs::File> {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            Ok(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?.into())
        }

        pub(crate) fn remove_file(&self, name: &str) -> io::Result<()> {
            Ok(unlinkat(&self.0, name, AtFlags::empty())?)
        }
    }

    /// Makes a symbolic link at `path` that leads to `target`.
    pub(crate) fn symlink(target: &Path, path: &Path) -> io::Result<()> {
        unix::fs::symlink(target, path)
    }

    /// Sets the permission bits.
    pub(crate) fn chmod(path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    /// Lets the owner enter, list and change a folder.
    pub(crate) fn unlock(folder: &Path) {
        // What cannot be unlocked stays behind in the temporary folder.
        _ = chmod(folder, 0o700);
    }

    /// Gives a file to user and group 65534.
    pub(crate) fn chown(path: &Path) -> io::Result<()> {
        unix::fs::chown(path, Some(65534), Some(65534))
    }

    /// Calls `act` while this process can open no more than so many files.
    pub(crate) fn with_descriptors<T>(count: u64, act: impl FnOnce() -> T) -> io::Result<T> {
        let limit = getrlimit(Resource::Nofile);
        // The lowest that is free: all below it are taken.
        let free = fs::File::open("/dev/null")?.as_raw_fd();
        let current = Some(u64::from(free.unsigned_abs()) + count);
        setrlimit(Resource::Nofile, Rlimit { current, ..limit })?;
        let done = act();
        setrlimit(Resource::Nofile, limit)?;
        Ok(done)
    }

    /// Returns the number that the file system gives to a file or folder.
    pub(crate) fn number(path: &Path) -> io::Result<u64> {
        Ok(fs::symlink_metadata(path)?.ino())
    }

    /// Makes a socket.
    pub(crate) fn socket(path: &Path) -> io::Result<()> {
        unix::net::UnixListener::bind(path).map(drop)
    }
}

#[cfg(not(unix))]
mod other {
    use std::{convert::Infallible, fs::File};

    use super::{Path, io};

    /// A folder that stays open. There is none on this system.
    #[derive(Debug)]
    pub(crate) struct OpenFolder(Infallible);

    impl OpenFolder {
        pub(crate) fn open(_: &Path) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn open_file(&self, _: &str) -> io::Result<File> {
            match self.0 {}
        }

        pub(crate) fn remove_file(&self, _: &str) -> io::Result<()> {
            match self.0 {}
        }
    }

    pub(crate) fn symlink(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn chmod(_: &Path, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn unlock(_: &Path) {}

    pub(crate) fn chown(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn with_descriptors<T>(_: u64, _: impl FnOnce() -> T) -> io::Result<T> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn number(_: &Path) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn socket(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(not(unix))]
pub(crate) use other::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs::File, io::Write as _, os::fd::AsRawFd as _};

    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, XattrFlags};

    use super::{Path, io};

    /// Makes a named pipe.
    pub(crate) fn mkfifo(path: &Path) -> io::Result<()> {
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0)?)
    }

    /// Makes a file without a name, writes it, and gives it one.
    pub(crate) fn link_nameless(path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(CWD, folder, flags, Mode::RUSR)?);
        file.write_all(content)?;
        // As open(2) says; only root may link the descriptor itself.
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(rustix::fs::linkat(CWD, open, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Exchanges two entries in one step.
    pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
    }

    /// Sets an extended attribute.
    pub(crate) fn setxattr(path: &Path) -> io::Result<()> {
        Ok(rustix::fs::setxattr(path, "user.suite", b"value", XattrFlags::empty())?)
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod not_linux {
    use super::{Path, io};

    pub(crate) fn mkfifo(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn link_nameless(_: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn setxattr(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use not_linux::*;
