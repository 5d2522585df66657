use notify_backend::prelude::*;

#[derive(Debug)]
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
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Poll::Ready(None)
    }
}

fn main() {}
