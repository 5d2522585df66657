//! The best backend for the platform and the paths, as one type.
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod platform;
#[cfg(feature = "notify")]
mod watcher;

use notify_backend::{About, fallback::FirstOf, prelude::*, settings::Hints};

#[cfg(feature = "notify")]
pub use crate::watcher::{RecommendedWatcher, recommended_watcher};

/// The best backend for the platform that the program is built for, and for the paths that it watches.
///
/// It is chosen when it is made, as by [`FirstOf`], and stays the same from then on.
/// [`about`](Backend::about) names it, and has its capabilities, which are often more than this type can
/// promise. [The crate's documentation](crate#the-choice) has the order.
///
/// ```
/// use notify_backend::prelude::*;
/// use notify_backend_native::NativeBackend;
///
/// let folder = tempfile::tempdir()?;
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// let _inside = runtime.enter();
/// let changes = NativeBackend::new(vec![Watch::non_recursive(folder.path())])?;
/// # #[cfg(target_os = "linux")]
/// assert_eq!(changes.about().name.rsplit('/').next(), Some("inotify"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct NativeBackend(FirstOf<platform::Candidates>);

impl Backend for NativeBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        FirstOf::new(watches).map(Self)
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        FirstOf::with_hints(watches, hints).map(Self)
    }

    fn capabilities() -> Capabilities {
        FirstOf::<platform::Candidates>::capabilities()
    }

    fn name() -> &'static str {
        "notify-backend/native"
    }

    fn candidates() -> Vec<About> {
        FirstOf::<platform::Candidates>::candidates()
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

impl Stream for NativeBackend {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Pin::new(&mut self.0).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
