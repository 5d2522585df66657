use notify_backend::prelude::*;

#[derive(Debug)]
struct Acme;

impl Backend for Acme {
    fn new(_watches: Vec<Watch>) -> Result<Self, BackendError> {
        Ok(Acme)
    }

    fn capabilities() -> Capabilities {
        Capabilities::declare(&Capability::ALL)
    }

    fn name() -> &'static str {
        "acme/acme"
    }

    fn trait_version() -> &'static str {
        "0.1.0"
    }
}

impl Stream for Acme {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Poll::Ready(None)
    }
}

fn main() {
    for capability in Capability::ALL {
        println!("{}", Acme::capabilities().contains(capability));
    }
}
