//! The platform's backend without `ChangeWatches`: [`Fixed`].

use notify_backend::{prelude::*, settings::Hints};

use super::OfPlatform;

#[derive(Debug)]
pub(crate) struct Fixed {
    backend: OfPlatform,
    /// The watched paths that still exist.
    left: Vec<PathBuf>,
}

impl Backend for Fixed {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_hints(watches, &Hints::default())
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        let left = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok(Self { backend: OfPlatform::with_hints(watches, hints)?, left })
    }

    fn capabilities() -> Capabilities {
        OfPlatform::capabilities().without(Capability::ChangeWatches)
    }

    fn name() -> &'static str {
        "tests/fixed"
    }
}

impl Stream for Fixed {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let Self { backend, left } = self.get_mut();
        if left.is_empty() {
            return Poll::Ready(None);
        }
        let polled = Pin::new(backend).poll_next(cx);
        if let Poll::Ready(Some(Ok(Event { kind: EventKind::Remove(_), path, .. }))) = &polled {
            left.retain(|watched| watched != path);
        }
        polled
    }
}
