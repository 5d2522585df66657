//! The inotify backend, as it would be if its watches could not be changed: [`Fixed`].

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

#[derive(Debug)]
pub(crate) struct Fixed(InotifyBackend);

impl Backend for Fixed {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        InotifyBackend::new(watches).map(Self)
    }

    fn capabilities() -> Capabilities {
        InotifyBackend::capabilities().without(Capability::ChangeWatches)
    }

    fn name() -> &'static str {
        "tests/fixed"
    }
}

impl Stream for Fixed {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}
