// A choice is a tuple, also one of a single backend, and a maker is no backend.
use notify_backend::{fallback::FirstOf, prelude::*};

#[derive(Debug)]
struct YourBackend;

impl Backend for YourBackend {
    fn new(_: Vec<Watch>) -> Result<Self, BackendError> {
        Ok(Self)
    }
    fn capabilities() -> Capabilities {
        Capabilities::NONE
    }
    fn name() -> &'static str {
        "acme/acme"
    }
}

impl Stream for YourBackend {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Poll::Pending
    }
}

#[derive(Debug)]
struct Maker;

type Single = FirstOf<YourBackend>;
type WithMaker = FirstOf<(YourBackend, Maker)>;

fn main() {
    drop::<Option<Single>>(None);
    drop::<Option<WithMaker>>(None);
}
