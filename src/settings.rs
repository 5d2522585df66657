//! Settings that reach a backend through whatever is given its type: [`Made`] by a [`Maker`], and
//! [`Hints`].

#[cfg(test)]
mod tests;

mod hints;

use std::{
    fmt,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

pub use hints::Hints;

use crate::{
    backend::{About, Backend, StreamItem, Watch},
    capability::Capabilities,
    error::BackendError,
};

/// How a backend is made with settings.
///
/// A backend that can be set up has a function of its own for that, beside [`Backend::new`]. What takes a
/// backend by its type calls `new`: the adapter to notify and its debouncers,
/// [`FirstOf`](crate::fallback::FirstOf), the sample command, the compliance suite. A maker is a type that
/// stands for the settings, and [`Made`] by it is a backend that any of these can take:
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
/// What is known only at run time, such as what a program reads from its configuration, goes into a
/// [`OnceLock`](std::sync::OnceLock) that `make` reads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make a backend",
    label = "`impl Maker for {Self}` is missing",
    note = "a maker is a type that stands for settings: see the documentation of `settings::Maker`"
)]
pub trait Maker: 'static {
    /// What it makes.
    type Backend: Backend;

    /// Makes the backend, as [`Backend::new`] does, with the settings that this type stands for.
    ///
    /// # Errors
    ///
    /// As [`Backend::new`].
    fn make(watches: Vec<Watch>) -> Result<Self::Backend, BackendError>;
}

/// A backend that is made by `M`: what [`M::Backend`](Maker::Backend) is, with the settings that `M`
/// stands for.
///
/// [`Hints`] change nothing about them: a program that names a maker knows the backend better.
#[must_use = "streams do nothing unless polled"]
pub struct Made<M: Maker>(M::Backend);

impl<M: Maker> Backend for Made<M> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        M::make(watches).map(Self)
    }

    fn capabilities() -> Capabilities {
        M::Backend::capabilities()
    }

    fn name() -> &'static str {
        M::Backend::name()
    }

    fn about(&self) -> About {
        self.0.about()
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
