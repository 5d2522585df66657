//! What can go wrong: when a backend is made or changed ([`BackendError`]), and while it runs
//! ([`StreamError`]).

use std::{
    fmt::{self, Write as _},
    io,
    path::{Path, PathBuf},
};

use crate::capability::Capability;

/// Why a backend could not be made, or a watch not be added or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The paths do not exist. A frontend may retry with the others, or later.
    #[error("no such file or folder: {}; check the spelling, or create it before watching it", Paths(.paths))]
    NotFound {
        /// Every path of the request that does not exist.
        paths: Vec<PathBuf>,
    },

    /// The backend lacks a capability that the request needs. A frontend may choose another
    /// backend, or ask for less.
    #[error("this backend does not support {capability}, which {} would need; choose another backend, or ask for less", Paths(.paths))]
    NotSupported {
        /// What is missing.
        capability: Capability,
        /// The paths that need it.
        paths: Vec<PathBuf>,
    },

    /// The process may not read the path.
    #[error("permission denied: {}; run with the rights to read it, or leave it out", .path.display())]
    PermissionDenied {
        /// The path that may not be read.
        path: PathBuf,
    },

    /// The platform's limit on the number of watches is reached.
    #[error("watch limit reached at {}; watch fewer folders, or raise {limit}", .path.display())]
    WatchLimit {
        /// The path whose watch was refused.
        path: PathBuf,
        /// The limit, as far as the backend knows it.
        limit: Limit,
    },

    /// The platform's limit on the number of notification instances, or of open files, is reached.
    #[error("instance limit reached; close other watchers, or raise {limit}")]
    InstanceLimit {
        /// The limit, as far as the backend knows it.
        limit: Limit,
    },

    /// [`Backend::unwatch`](crate::Backend::unwatch) was given a path that is not watched under
    /// this spelling.
    #[error("not watched: {}; name the path as it was given when it was added", .path.display())]
    NotWatched {
        /// The path that was given.
        path: PathBuf,
    },

    /// The backend was made outside a Tokio runtime.
    #[error(
        "no Tokio runtime here; make the backend inside one, e.g. in a #[tokio::main] function or after Runtime::enter()"
    )]
    NoRuntime,

    /// The backend is not written yet. What a new backend starts with.
    #[error("not implemented yet: {what}")]
    NotImplemented {
        /// What is still to be written.
        what: &'static str,
    },

    /// The facility is not there on this machine. A frontend may fall back to another backend.
    #[error("not available here: {reason}")]
    Unavailable {
        /// What is missing, and how to get it where that is possible.
        reason: String,
    },

    /// Another error from the operating system.
    #[error("failed to watch {}: {error}", .path.display())]
    Io {
        /// The path concerned.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

impl BackendError {
    /// Says that `capability` is missing for `paths`.
    pub fn not_supported<P: Into<PathBuf>>(
        capability: Capability,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        Self::NotSupported { capability, paths: paths.into_iter().map(Into::into).collect() }
    }

    /// Says what the operating system's `source` means for `path`.
    ///
    /// Recognises a missing path, missing permission, the watch limit (`ENOSPC`) and the instance
    /// limit (`EMFILE`, `ENFILE`); everything else is [`Io`](Self::Io).
    pub fn from_io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { paths: vec![path] },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { path },
            io::ErrorKind::StorageFull => Self::WatchLimit { path, limit: Limit::UNKNOWN },
            _ if is_descriptor_limit(&source) => Self::InstanceLimit { limit: Limit::UNKNOWN },
            _ => Self::Io { path, error: source },
        }
    }

    /// Names the setting behind a [`WatchLimit`](Self::WatchLimit) or an
    /// [`InstanceLimit`](Self::InstanceLimit); leaves other errors as they are.
    #[must_use]
    pub fn with_limit(mut self, new: Limit) -> Self {
        if let Self::WatchLimit { limit, .. } | Self::InstanceLimit { limit } = &mut self {
            *limit = new;
        }
        self
    }

    /// The paths concerned; none for an error that is not about a path.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::NotFound { paths } | Self::NotSupported { paths, .. } => paths,
            Self::PermissionDenied { path }
            | Self::WatchLimit { path, .. }
            | Self::NotWatched { path }
            | Self::Io { path, .. } => std::slice::from_ref(path),
            Self::InstanceLimit { .. }
            | Self::NoRuntime
            | Self::NotImplemented { .. }
            | Self::Unavailable { .. } => &[],
        }
    }
}

impl BackendError {
    /// The bytes that its paths and texts take on the heap.
    fn heap_bytes(&self) -> usize {
        let lists = match self {
            Self::NotFound { paths } | Self::NotSupported { paths, .. } => {
                paths.capacity() * size_of::<PathBuf>()
            }
            Self::Unavailable { reason } => reason.capacity(),
            _ => 0,
        };
        lists + self.paths().iter().map(PathBuf::capacity).sum::<usize>()
    }
}

/// `EMFILE` or `ENFILE`, for which the standard library has no [`io::ErrorKind`].
fn is_descriptor_limit(error: &io::Error) -> bool {
    // The numbers are the same on Linux, macOS and the BSDs (errno(3)).
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// A platform limit: the setting to raise, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The setting's name as an administrator knows it, e.g. `fs.inotify.max_user_watches`.
    pub setting: &'static str,
    /// Its value, where it could be read.
    pub value: Option<u64>,
}

impl Limit {
    /// A limit of which the backend knows nothing.
    pub const UNKNOWN: Self = Self { setting: "the platform's limit", value: None };

    /// The Linux setting `name` (as in `sysctl NAME`) and its current value.
    #[must_use]
    pub fn sysctl(name: &'static str) -> Self {
        let file = Path::new("/proc/sys").join(name.replace('.', "/"));
        let value = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        Self { setting: name, value }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.setting)?;
        self.value.map_or(Ok(()), |value| write!(f, " (now {value})"))
    }
}

/// Something that went wrong with a part of what is watched; the rest is watched all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A file or folder could not be watched, or not any longer: what happens below it is not
    /// reported. A frontend may tell the user, or scan that part itself.
    #[error("{} is not watched: {cause}", .path.display())]
    Unwatched {
        /// The path that is not watched, with all that is below it.
        path: PathBuf,
        /// Why.
        cause: Box<BackendError>,
    },

    /// The platform's event source failed.
    #[error("reading events failed: {error}")]
    Read {
        /// What the operating system said.
        error: io::Error,
    },
}

impl StreamError {
    /// Says that `path` is not watched because of the operating system's `source`.
    pub fn unwatched(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::Unwatched { cause: Box::new(BackendError::from_io(&path, source)), path }
    }

    /// The path concerned, if the error is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unwatched { path, .. } => Some(path),
            Self::Read { .. } => None,
        }
    }

    /// The bytes that it takes on the heap, without what the operating system's error may hold.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Unwatched { path, cause } => {
                path.capacity() + size_of::<BackendError>() + cause.heap_bytes()
            }
            Self::Read { .. } => 0,
        }
    }
}

/// Paths in a message: all of them, separated by commas.
pub(crate) struct Paths<'a>(pub(crate) &'a [PathBuf]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, path) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", path.display())?;
        }
        if self.0.is_empty() { f.write_char('-') } else { Ok(()) }
    }
}
