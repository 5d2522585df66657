//! Where the backend sees the folder in which the suite changes files: [`View`].

use std::{
    any::Any,
    fmt,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::contract::{
    backend::{About, Backend, StreamItem, Watch},
    capability::Capabilities,
    cursor::Cursor,
    error::{BackendError, StreamError},
};

/// A place that shows the files of a folder: a mount of it, or the path under which a service reports them. See
/// [`Suite::seen_through`](crate::compliance::Suite::seen_through).
pub struct View {
    path: PathBuf,
    keep: Box<dyn Any>,
}

impl View {
    /// Creates a view at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), keep: Box::new(()) }
    }

    /// Keeps `keep` until the backends that use the view are dropped, such as a value that unmounts or ends a
    /// server when it is dropped. That has to happen in bounded time.
    #[must_use]
    pub fn keeping(self, keep: impl Any) -> Self {
        Self { keep: Box::new((self.keep, keep)), ..self }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("path", &self.path).finish_non_exhaustive()
    }
}

/// How paths below a folder are spelled in its view.
#[derive(Clone, Debug)]
pub(crate) struct Spelling {
    folder: PathBuf,
    view: PathBuf,
}

impl Spelling {
    /// Returns the one for `view` of `folder`; `None` if both have the same path.
    pub(crate) fn new(folder: &Path, view: &View) -> Option<Self> {
        let spelling = Self { folder: folder.into(), view: view.path.clone() };
        (spelling.folder.as_os_str() != spelling.view.as_os_str()).then_some(spelling)
    }

    /// Returns the path in the view of a `path` in the folder; another one as it is.
    fn of_view(&self, path: &Path) -> PathBuf {
        replaced(path, &self.folder, &self.view)
    }

    /// Returns the path in the folder of a `path` in the view; another one as it is.
    fn of_folder(&self, path: &Path) -> PathBuf {
        replaced(path, &self.view, &self.folder)
    }

    fn error(&self, error: BackendError) -> BackendError {
        error.with_paths(|path| self.of_folder(path))
    }
}

/// Replaces the beginning of a path and leaves the spelling of the rest.
fn replaced(path: &Path, old: &Path, new: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_encoded_bytes();
    let rest = bytes.strip_prefix(old.as_os_str().as_encoded_bytes());
    let is_separator = |byte: &u8| std::path::is_separator(char::from(*byte));
    let Some(rest) = rest.filter(|rest| rest.first().is_none_or(is_separator)) else {
        return path.into();
    };
    let Ok(below) = path.strip_prefix(old) else { return path.into() };
    // By text, a path can only be rebuilt name by name; what such a rest adds has to be kept otherwise.
    let joined = if rest.is_empty() { new.to_owned() } else { new.join(below) };
    spelled_as(rest, joined)
}

/// Adds what `Path` leaves out at the end of a path: `a/` and `a/.` are `a` to it.
fn spelled_as(rest: &[u8], mut path: PathBuf) -> PathBuf {
    if rest.ends_with(b"/.") {
        path.as_mut_os_string().push("/.");
    } else if rest.ends_with(b"/") {
        path.as_mut_os_string().push("/");
    }
    path
}

/// The backend under test, which is given the paths of the view, while the suite goes on with those of the folder.
#[derive(Debug)]
pub(crate) struct Viewing {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) spelling: Spelling,
}

impl Viewing {
    /// Makes a backend that watches the view.
    pub(crate) fn make(
        spelling: &Spelling,
        watches: Vec<Watch>,
        new: impl FnOnce(Vec<Watch>) -> Result<Box<dyn Backend>, BackendError>,
    ) -> Result<Self, BackendError> {
        let watches = watches.into_iter().map(|watch| in_view(spelling, watch)).collect();
        let backend = new(watches).map_err(|error| spelling.error(error))?;
        Ok(Self { backend, spelling: spelling.clone() })
    }
}

fn in_view(spelling: &Spelling, mut watch: Watch) -> Watch {
    watch.path = spelling.of_view(&watch.path);
    watch
}

impl Backend for Viewing {
    fn new(_: Vec<Watch>) -> Result<Self, BackendError> {
        Err(BackendError::not_implemented("a view is made of a backend"))
    }

    fn capabilities() -> Capabilities {
        Capabilities::NONE
    }

    fn name() -> &'static str {
        "notify-backend/viewing"
    }

    fn about(&self) -> About {
        self.backend.about()
    }

    fn cursor(&self) -> Option<Cursor> {
        self.backend.cursor()
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        let watch = in_view(&self.spelling, watch);
        self.backend.watch(watch).map_err(|error| self.spelling.error(error))
    }

    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        let watches = watches.into_iter().map(|watch| in_view(&self.spelling, watch)).collect();
        self.backend.watch_all(watches).map_err(|error| self.spelling.error(error))
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        let path = self.spelling.of_view(path);
        self.backend.unwatch(&path).map_err(|error| self.spelling.error(error))
    }
}

impl Stream for Viewing {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let Self { backend, spelling } = &mut *self;
        Pin::new(&mut **backend).poll_next(cx).map(|item| {
            item.map(|item| match item {
                Ok(mut event) => {
                    event.path = spelling.of_folder(&event.path);
                    Ok(event)
                }
                Err(StreamError::Unwatched { path, cause }) => {
                    Err(StreamError::unwatched(spelling.of_folder(&path), spelling.error(*cause)))
                }
                Err(error) => Err(error),
            })
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.backend.size_hint()
    }
}
