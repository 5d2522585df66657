//! What can go wrong: when a backend is made or changed ([`BackendError`]), and while it runs
//! ([`StreamError`]).
//!
//! A message is one line: it names the paths, and says what happened to them and what to do. It includes
//! the operating system's message, so that error is not a [`source`](std::error::Error::source) as well; the
//! variants have it as a field.

mod limit;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

pub use limit::Limit;

use super::{
    capability::Capability,
    display::{Flattened, PathList, Quoted},
};

/// Why a backend could not be made, or a watch could not be added or removed.
///
/// A backend turns the operating system's error for a path into one of these with
/// [`from_io`](Self::from_io). For what a backend finds itself, there is a function with the variant's
/// name, such as [`not_found`](Self::not_found). Later versions may add fields to any variant: do not
/// write a variant out, and end the fields in a pattern with `..`.
///
/// ```
/// use notify_backend::prelude::*;
/// use std::fs;
///
/// let error = fs::metadata("/no/such/file").unwrap_err();
/// let error = BackendError::from_io("/no/such/file", error);
/// assert!(matches!(&error, BackendError::NotFound { paths, .. } if paths == &[Path::new("/no/such/file")]));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The paths do not exist.
    ///
    /// Return it from [`new`](crate::Backend::new) with every missing path of the request, and from
    /// [`watch`](crate::Backend::watch). A frontend may try again with the other paths, wait for the
    /// missing ones by watching their parents, or tell the user.
    #[error("no such file or folder: {}; check the spelling, or create it before watching it", PathList(.paths))]
    #[non_exhaustive]
    NotFound {
        /// Every path of the request that does not exist.
        paths: Vec<PathBuf>,
    },

    /// The backend lacks a capability that the request needs.
    ///
    /// Return it for a recursive watch without [`Capability::WatchRecursively`], for a file without
    /// [`Capability::WatchFiles`], and the like, with every path concerned. A frontend may choose
    /// another backend, or ask for less, such as one watch for each folder of a tree.
    #[error("this backend does not support {capability}, which {} would need; choose another backend, or ask for less", PathList(.paths))]
    #[non_exhaustive]
    NotSupported {
        /// What is missing.
        capability: Capability,
        /// The paths that need it.
        paths: Vec<PathBuf>,
    },

    /// The process may not watch the paths.
    ///
    /// Return it for a watched path itself; below one, it is the cause of a
    /// [`StreamError::Unwatched`]. A frontend may leave the path out, or tell the user.
    #[error("permission denied: {}{}; run with the rights to read it, or leave it out", PathList(.paths), InFolder(.folder))]
    #[non_exhaustive]
    PermissionDenied {
        /// The paths that may not be watched.
        paths: Vec<PathBuf>,
        /// The file's folder, if that is what may not be read: a file may be watched through its folder
        /// ([`with_folder`](Self::with_folder)).
        folder: Option<PathBuf>,
    },

    /// The platform's limit on the number of watches is reached.
    ///
    /// Return it with the setting that has to be raised, if it is known
    /// ([`with_limit`](Self::with_limit)). A frontend may tell the user, who has to raise it or to
    /// watch less, or fall back to a backend that polls.
    #[error("watch limit reached at {}; watch fewer folders, or raise {limit}", PathList(.paths))]
    #[non_exhaustive]
    WatchLimit {
        /// The paths whose watches were refused.
        paths: Vec<PathBuf>,
        /// The limit, as far as the backend knows it.
        limit: Limit,
    },

    /// The limit on the number of notification instances, or of open files, is reached. The
    /// operating system does not say which.
    ///
    /// Return it with the setting for instances, if there is one
    /// ([`with_limit`](Self::with_limit)). A frontend may use one backend for all its paths instead
    /// of one for each, tell the user, or fall back to a backend that polls.
    #[error("too many watchers or open files{}; close some, or raise {limit} or the number of open files", ToWatch(.paths))]
    #[non_exhaustive]
    InstanceLimit {
        /// The paths that were to be watched; none if the backend itself could not be made.
        paths: Vec<PathBuf>,
        /// The limit, as far as the backend knows it.
        limit: Limit,
    },

    /// [`Backend::unwatch`](crate::Backend::unwatch) was given a path that is not watched under
    /// this spelling.
    ///
    /// Return it also for a path below a recursively watched one, which has no watch of its own. A
    /// frontend may ignore it, or take it as a mistake in its own bookkeeping.
    #[error("not watched: {}; name the path as it was given when it was added", PathList(.paths))]
    #[non_exhaustive]
    NotWatched {
        /// The path that was given.
        paths: Vec<PathBuf>,
    },

    /// The backend was made outside a Tokio runtime.
    ///
    /// Return it with [`check_watches`](crate::check_watches), if the backend needs a
    /// runtime. It is a mistake in the frontend, which has to be changed.
    #[error(
        "no Tokio runtime here; make the backend inside one, e.g. in a #[tokio::main] function or after Runtime::enter()"
    )]
    #[non_exhaustive]
    NoRuntime,

    /// The stream has ended, and watches nothing any more.
    ///
    /// Return it from [`watch`](crate::Backend::watch) and [`unwatch`](crate::Backend::unwatch) once
    /// the stream has yielded `None`. A frontend has to make a new backend.
    #[error("the stream of events has ended; make a new backend")]
    #[non_exhaustive]
    Ended,

    /// The cursor is from another backend, or damaged.
    ///
    /// Return it from [`resume`](crate::Backend::resume); [`Cursor::position`](crate::Cursor::position)
    /// does. A cursor whose place the source has forgotten is no error: the stream begins with a
    /// [`Missed`](crate::EventKind::Missed). A frontend makes a new backend, and rescans.
    #[error(
        "this cursor is damaged, or is from another backend; make a new backend, and rescan all watched paths"
    )]
    #[non_exhaustive]
    InvalidCursor,

    /// The backend is not written yet. A new project starts with this error.
    ///
    /// A published backend never returns it. A frontend can do nothing about it.
    #[error("not implemented yet: {}", Flattened(.what))]
    #[non_exhaustive]
    NotImplemented {
        /// What is still to be written.
        what: &'static str,
    },

    /// The facility is not available on this machine, or does not work at some paths.
    ///
    /// Return it if the kernel is too old, a daemon does not run, or a privilege is missing
    /// without which no path can be watched ([`unavailable`](Self::unavailable)), and for paths on a
    /// file system that cannot be watched ([`unavailable_at`](Self::unavailable_at)). A frontend may
    /// fall back to another backend.
    #[error("not available {}: {}", Where(.paths), Flattened(.reason))]
    #[non_exhaustive]
    Unavailable {
        /// What is missing, and how to get it if that is possible.
        reason: String,
        /// The paths that cannot be watched; none if that is true for all paths.
        paths: Vec<PathBuf>,
    },

    /// Another error from the operating system.
    ///
    /// Return it if no other variant fits. A frontend may leave the path out or try again later.
    #[error("failed to watch {}: {}", PathList(.paths), Flattened(.error))]
    #[non_exhaustive]
    Io {
        /// The paths concerned.
        paths: Vec<PathBuf>,
        /// The operating system's error.
        error: io::Error,
    },
}

impl BackendError {
    /// Creates the error that `paths` do not exist.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let watches = [Watch::recursive("/srv/wwww"), Watch::recursive("/")];
    /// let paths: Vec<_> =
    ///     watches.iter().map(|watch| &watch.path).filter(|path| !path.exists()).collect();
    /// let error = BackendError::not_found(paths);
    /// assert_eq!(error.paths(), [Path::new("/srv/wwww")]);
    /// ```
    #[must_use]
    pub fn not_found<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self::NotFound { paths: paths.into_iter().map(Into::into).collect() }
    }

    /// Creates the error that the backend lacks `capability`, which `paths` need.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let error = BackendError::not_supported(Capability::WatchFiles, ["/etc/hosts"]);
    /// assert_eq!(error.paths(), [Path::new("/etc/hosts")]);
    /// ```
    #[must_use]
    pub fn not_supported<P: Into<PathBuf>>(
        capability: Capability,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        Self::NotSupported { capability, paths: paths.into_iter().map(Into::into).collect() }
    }

    /// Creates the error that `path` is not watched under this spelling.
    #[must_use]
    pub fn not_watched(path: impl Into<PathBuf>) -> Self {
        Self::NotWatched { paths: vec![path.into()] }
    }

    /// Creates the error that the backend needs a Tokio runtime and there is none.
    #[must_use]
    pub const fn no_runtime() -> Self {
        Self::NoRuntime
    }

    /// Creates the error that the stream has ended.
    #[must_use]
    pub const fn ended() -> Self {
        Self::Ended
    }

    /// Creates the error that a cursor is from another backend, or damaged.
    #[must_use]
    pub const fn invalid_cursor() -> Self {
        Self::InvalidCursor
    }

    /// Creates the error that `what` is still to be written.
    #[must_use]
    pub const fn not_implemented(what: &'static str) -> Self {
        Self::NotImplemented { what }
    }

    /// Creates the error that the facility is not available on this machine. `reason` says why, and what to
    /// do about it.
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), paths: vec![] }
    }

    /// Creates the error that the facility does not work at `paths`, for example on their file system.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let error = BackendError::unavailable_at("overlayfs has no file handles", ["/srv"]);
    /// assert_eq!(error.to_string(), "not available at /srv: overlayfs has no file handles");
    /// assert!(error.may_suit_another());
    /// ```
    #[must_use]
    pub fn unavailable_at<P: Into<PathBuf>>(
        reason: impl Into<String>,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        let paths = paths.into_iter().map(Into::into).collect();
        Self::Unavailable { reason: reason.into(), paths }
    }

    /// Returns whether another backend may succeed, because this one is unavailable or at a limit.
    #[must_use]
    pub const fn may_suit_another(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::WatchLimit { .. } | Self::InstanceLimit { .. }
        )
    }

    /// Converts the operating system's `error` for `path`. An empty path stands for no path.
    ///
    /// | error | variant |
    /// |---|---|
    /// | not found (`ENOENT`) | [`NotFound`](Self::NotFound) |
    /// | permission denied (`EACCES`, `EPERM`) | [`PermissionDenied`](Self::PermissionDenied) |
    /// | storage full (`ENOSPC`): watching stores nothing else | [`WatchLimit`](Self::WatchLimit) |
    /// | too many open files (`EMFILE`, `ENFILE`, `ERROR_TOO_MANY_OPEN_FILES`) | [`InstanceLimit`](Self::InstanceLimit) |
    /// | any other | [`Io`](Self::Io) |
    ///
    /// `ENOTDIR` is among the others. It may mean a path that cannot exist, because it goes through a file,
    /// but also a file where a folder was requested.
    ///
    /// If something other than the operating system refuses a path, such as a daemon, make the
    /// error from a kind: `io::ErrorKind::PermissionDenied.into()`.
    #[must_use]
    pub fn from_io(path: impl Into<PathBuf>, error: io::Error) -> Self {
        let paths = Some(path.into()).filter(|path: &PathBuf| !path.as_os_str().is_empty());
        let paths: Vec<_> = paths.into_iter().collect();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { paths },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { paths, folder: None },
            io::ErrorKind::StorageFull => Self::WatchLimit { paths, limit: Limit::UNKNOWN },
            _ if is_descriptor_limit(&error) => {
                Self::InstanceLimit { paths, limit: Limit::UNKNOWN }
            }
            _ => Self::Io { paths, error },
        }
    }

    /// Adds the setting behind a [`WatchLimit`](Self::WatchLimit) or an
    /// [`InstanceLimit`](Self::InstanceLimit). Leaves other errors as they are.
    ///
    /// ```
    /// use notify_backend::{Limit, prelude::*};
    /// use std::io;
    ///
    /// let error = BackendError::from_io("/srv", io::ErrorKind::StorageFull.into())
    ///     .with_limit(Limit::new("kern.maxfiles", Some(12_328)));
    /// assert!(error.to_string().ends_with("raise kern.maxfiles (now 12328)"));
    /// ```
    #[must_use]
    pub fn with_limit(mut self, new: Limit) -> Self {
        if let Self::WatchLimit { limit, .. } | Self::InstanceLimit { limit, .. } = &mut self {
            *limit = new;
        }
        self
    }

    /// Adds the folder that causes the [`PermissionDenied`](Self::PermissionDenied) for a file in it. Leaves
    /// other errors as they are.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    /// use std::io;
    ///
    /// let error = BackendError::from_io("/srv/file", io::ErrorKind::PermissionDenied.into())
    ///     .with_folder("/srv");
    /// assert_eq!(error.paths(), [Path::new("/srv/file")]);
    /// assert!(error.to_string().contains("/srv/file, whose folder /srv cannot be read;"));
    /// ```
    #[must_use]
    pub fn with_folder(mut self, new: impl Into<PathBuf>) -> Self {
        if let Self::PermissionDenied { folder, .. } = &mut self {
            *folder = Some(new.into());
        }
        self
    }

    /// Returns the paths concerned; none for an error that is not about a path.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        self.list()
    }

    /// Replaces each path.
    #[cfg(feature = "compliance")]
    pub(crate) fn with_paths(mut self, new: impl Fn(&Path) -> PathBuf) -> Self {
        if let Self::PermissionDenied { folder: Some(folder), .. } = &mut self {
            *folder = new(folder);
        }
        let (Self::NotFound { paths, .. }
        | Self::NotSupported { paths, .. }
        | Self::PermissionDenied { paths, .. }
        | Self::WatchLimit { paths, .. }
        | Self::InstanceLimit { paths, .. }
        | Self::NotWatched { paths, .. }
        | Self::Unavailable { paths, .. }
        | Self::Io { paths, .. }) = &mut self
        else {
            return self;
        };
        for path in paths {
            *path = new(path);
        }
        self
    }

    fn list(&self) -> &Vec<PathBuf> {
        match self {
            Self::NotFound { paths }
            | Self::NotSupported { paths, .. }
            | Self::PermissionDenied { paths, .. }
            | Self::WatchLimit { paths, .. }
            | Self::InstanceLimit { paths, .. }
            | Self::NotWatched { paths }
            | Self::Unavailable { paths, .. }
            | Self::Io { paths, .. } => paths,
            Self::NoRuntime | Self::Ended | Self::InvalidCursor | Self::NotImplemented { .. } => {
                const { &Vec::new() }
            }
        }
    }

    /// Returns the number of bytes that its paths and texts take on the heap.
    fn heap_bytes(&self) -> usize {
        let more = match self {
            Self::Unavailable { reason, .. } => reason.capacity(),
            Self::PermissionDenied { folder: Some(folder), .. } => folder.capacity(),
            _ => 0,
        };
        let list = self.list().capacity() * size_of::<PathBuf>();
        more + list + self.paths().iter().map(PathBuf::capacity).sum::<usize>()
    }
}

/// Returns whether an error is `EMFILE` or `ENFILE`, or `ERROR_TOO_MANY_OPEN_FILES` on Windows, for which the
/// standard library has no [`io::ErrorKind`].
pub(crate) fn is_descriptor_limit(error: &io::Error) -> bool {
    match error.raw_os_error() {
        // The numbers are the same on Linux, macOS and the BSDs (errno(3)).
        Some(23 | 24) => cfg!(unix),
        Some(4) => cfg!(windows),
        _ => false,
    }
}

/// Something went wrong with a part of the watched paths. The rest is still watched.
///
/// It is an item of the stream, like an event, and does not mean that the stream is over: a backend that
/// cannot go on ends its stream. Make one with the function that has the variant's name, since later
/// versions may add fields.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A file or folder could not be watched, or cannot be watched any longer.
    ///
    /// Return it for a folder in a recursive watch that the operating system refuses, when
    /// the watch is made or whenever the folder appears. Return it once per folder, even if each of
    /// its files needs a platform resource that has run out, such as a descriptor for kqueue. A
    /// frontend may tell the user, or check that part itself from time to time.
    #[error("not everything is watched: {}{cause}", PathUnlessIn(.path, .cause))]
    #[non_exhaustive]
    Unwatched {
        /// The path that is not watched, along with everything below it that was not watched before.
        path: PathBuf,
        /// Why.
        cause: Box<BackendError>,
    },

    /// The platform's event source failed.
    ///
    /// Return it if events cannot be read, and end the stream unless trying again may help. A
    /// frontend rescans everything, as after a [`Missed`](crate::EventKind::Missed), and makes a new backend
    /// if the stream has ended.
    ///
    /// A backend that tries again, for example after its connection broke, reports this error at once, and a
    /// `Missed` when it gets events again, since changes in between are lost. Meanwhile, `watch` returns
    /// [`Unavailable`](BackendError::Unavailable) and adds nothing, and `unwatch` removes its path from those
    /// that will be watched again.
    #[error("reading events failed: {}; rescan all watched paths", Flattened(.error))]
    #[non_exhaustive]
    Read {
        /// The operating system's error.
        error: io::Error,
    },
}

impl StreamError {
    /// Creates the error that `path`, and everything below it, is not watched because of `cause`.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    /// use std::fs;
    ///
    /// let folder = Path::new("/no/such/folder");
    /// if let Err(error) = fs::read_dir(folder) {
    ///     let error = StreamError::unwatched(folder, BackendError::from_io(folder, error));
    ///     assert_eq!(error.path(), Some(folder));
    /// }
    /// ```
    #[must_use]
    pub fn unwatched(path: impl Into<PathBuf>, cause: BackendError) -> Self {
        Self::Unwatched { path: path.into(), cause: Box::new(cause) }
    }

    /// Creates the error that reading events failed with the operating system's `error`.
    #[must_use]
    pub const fn read(error: io::Error) -> Self {
        Self::Read { error }
    }

    /// Returns the path concerned, if the error is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unwatched { path, .. } => Some(path),
            Self::Read { .. } => None,
        }
    }

    /// Returns the number of bytes that it takes on the heap, without those of the operating system's error.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Unwatched { path, cause } => {
                path.capacity() + size_of::<BackendError>() + cause.heap_bytes()
            }
            Self::Read { .. } => 0,
        }
    }
}

/// Shows the paths that are affected, or "here" for all of them.
struct Where<'a>(&'a [PathBuf]);

impl fmt::Display for Where<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("here") } else { write!(f, "at {}", PathList(self.0)) }
    }
}

/// Shows the paths to watch, after a reason that may concern no path.
struct ToWatch<'a>(&'a [PathBuf]);

impl fmt::Display for ToWatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " to watch {}", PathList(self.0)) }
    }
}

/// Shows the folder that makes the preceding path unreadable, if it is known.
struct InFolder<'a>(&'a Option<PathBuf>);

impl fmt::Display for InFolder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(folder) => write!(f, ", whose folder {} cannot be read", Quoted(folder)),
            None => Ok(()),
        }
    }
}

/// Shows a path before a message, unless the message names it.
struct PathUnlessIn<'a>(&'a PathBuf, &'a BackendError);

impl fmt::Display for PathUnlessIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, error) = self;
        if error.paths().contains(path) { Ok(()) } else { write!(f, "{}: ", Quoted(path)) }
    }
}
