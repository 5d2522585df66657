use notify_backend::prelude::*;

struct Acme;

impl Backend for Acme {
    fn new(_watches: Vec<Watch>) -> Result<Self, BackendError> {
        Err(BackendError::no_runtime())
    }

    fn capabilities() -> Capabilities {
        Capabilities::NONE
    }

    fn name() -> &'static str {
        "acme/acme"
    }
}

impl Stream for Acme {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Poll::Ready(None)
    }
}

fn main() {}
