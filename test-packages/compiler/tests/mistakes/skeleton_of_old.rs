// The skeleton of the template as it was before the contract was settled.
use notify_backend::prelude::*;

#[derive(Debug)]
pub struct YourBackend {}

const CAPABILITIES: Capabilities = Capabilities::declare(&[Capability::WatchFolders]);

impl Backend for YourBackend {
    fn new(_watches: Vec<Watch>) -> Result<Self, BackendError> {
        notify_backend::backend::require_runtime()?;
        Err(BackendError::not_implemented("YourBackend::new"))
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/skeleton"
    }
}

impl Stream for YourBackend {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Poll::Ready(None)
    }
}

fn main() {}
