//! Settings for a backend that generic code makes by its type: [`Made`] with a [`Maker`], and [`Hints`].

#[cfg(test)]
mod tests;

pub(super) mod hints;

use std::{
    fmt,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

pub use hints::Hints;

use super::{
    backend::{About, Backend, StreamItem, Watch},
    capability::{Capabilities, Capability},
    cursor::Cursor,
    error::BackendError,
};

/// Makes a backend with settings.
///
/// A backend with settings has a second constructor beside [`Backend::new`]. But generic code calls `new`:
/// the adapter for notify and its debouncers, [`FirstOf`](crate::fallback::FirstOf), the sample command, the
/// compliance suite. A maker is a type that stands for certain settings, and [`Made`] with this maker is a
/// backend that generic code can make:
///
/// ```
/// # mod acme {
/// #     use notify_backend::prelude::*;
/// #     #[derive(Debug)]
/// #     pub struct AcmeBackend(u16);
/// #     impl AcmeBackend {
/// #         pub fn with_port(port: u16, _: Vec<Watch>) -> Result<Self, BackendError> { Ok(Self(port)) }
/// #     }
/// #     impl Backend for AcmeBackend {
/// #         fn new(watches: Vec<Watch>) -> Result<Self, BackendError> { Self::with_port(7070, watches) }
/// #         fn capabilities() -> Capabilities { Capabilities::NONE }
/// #         fn name() -> &'static str { "acme/acme" }
/// #     }
/// #     impl Stream for AcmeBackend {
/// #         type Item = StreamItem;
/// #         fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
/// #             Poll::Pending
/// #         }
/// #     }
/// # }
/// use acme::AcmeBackend;
/// use notify_backend::{prelude::*, settings::{Made, Maker}};
///
/// struct OnPort80;
///
/// impl Maker for OnPort80 {
///     type Backend = AcmeBackend;
///
///     fn make(watches: Vec<Watch>) -> Result<AcmeBackend, BackendError> {
///         AcmeBackend::with_port(80, watches)
///     }
/// }
///
/// let changes = Made::<OnPort80>::new(vec![Watch::recursive("/srv")])?;
/// # assert_eq!(format!("{changes:?}"), "AcmeBackend(80)");
/// # Ok::<_, BackendError>(())
/// ```
///
/// Put settings that are known only at run time, such as those from a program's configuration, into a
/// [`OnceLock`](std::sync::OnceLock), and let `make` read it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make a backend",
    label = "`impl Maker for {Self}` is missing",
    note = "a maker is a type that stands for settings: see the documentation of `settings::Maker`"
)]
pub trait Maker: 'static {
    /// The backend that it makes.
    type Backend: Backend;

    /// Makes the backend, as [`Backend::new`] does, with the settings that this type stands for.
    ///
    /// # Errors
    ///
    /// As [`Backend::new`].
    fn make(watches: Vec<Watch>) -> Result<Self::Backend, BackendError>;

    /// Makes the backend, as [`Backend::with_hints`] does, with the settings that this type stands for. The
    /// provided method calls [`make`](Self::make) and ignores the hints: a program that names a maker knows the
    /// backend better. Write it for a maker that stands for something else, such as a condition.
    ///
    /// # Errors
    ///
    /// As [`Backend::with_hints`].
    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self::Backend, BackendError> {
        let _ = hints;
        Self::make(watches)
    }

    /// Makes the backend, as [`Backend::resume`] does, with the settings that this type stands for. The
    /// provided method refuses: the backend's own `resume` would not have the settings.
    ///
    /// Write it together with [`RESUMES`](Self::RESUMES).
    ///
    /// # Errors
    ///
    /// As [`Backend::resume`].
    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self::Backend, BackendError> {
        let _ = from;
        let paths = watches.into_iter().map(|watch| watch.path);
        Err(BackendError::not_supported(Capability::Resume, paths))
    }

    /// Whether [`resume`](Self::resume) is written. If it is not, [`Made`] does not declare
    /// [`Capability::Resume`], whatever the backend declares.
    const RESUMES: bool = false;
}

/// An [`M::Backend`](Maker::Backend) with the settings that `M` stands for.
///
/// [`Hints`] change the settings only if [the maker](Maker::with_hints) follows them.
#[must_use = "streams do nothing unless polled"]
pub struct Made<M: Maker>(M::Backend);

impl<M: Maker> Backend for Made<M> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        M::make(watches).map(Self)
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        M::with_hints(watches, hints).map(Self)
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError> {
        M::resume(watches, from).map(Self)
    }

    fn capabilities() -> Capabilities {
        able::<M>(M::Backend::capabilities())
    }

    fn name() -> &'static str {
        M::Backend::name()
    }

    fn candidates() -> Vec<About> {
        let mut candidates = M::Backend::candidates();
        for candidate in &mut candidates {
            candidate.capabilities = able::<M>(candidate.capabilities);
        }
        candidates
    }

    fn about(&self) -> About {
        let mut about = self.0.about();
        about.capabilities = able::<M>(about.capabilities);
        about
    }

    fn cursor(&self) -> Option<Cursor> {
        if M::RESUMES { self.0.cursor() } else { None }
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.0.watch(watch)
    }

    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        self.0.watch_all(watches)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.0.unwatch(path)
    }
}

/// Returns the capabilities of a backend that `M` has made.
fn able<M: Maker>(capabilities: Capabilities) -> Capabilities {
    if M::RESUMES { capabilities } else { capabilities.without(Capability::Resume) }
}

impl<M: Maker> Stream for Made<M> {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Pin::new(&mut self.0).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// As the backend itself.
impl<M: Maker> fmt::Debug for Made<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
