use notify_backend::prelude::*;

#[derive(Debug)]
struct Acme;

impl Backend for Acme {}

impl Stream for Acme {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Poll::Ready(None)
    }
}

fn main() {}
