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

fn main() {}
