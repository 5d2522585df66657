use notify_backend::{
    backend::check_watches, buffer::Buffer, error::Limit, event::Event, prelude::*,
};

fn main() {
    let _: fn(&[Watch], Capabilities) -> Result<(), BackendError> = check_watches;
    let _: Option<(Buffer, Limit, Event)> = None;
}
