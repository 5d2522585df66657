//! A file-system notification backend. {%- capture source %}
//!
//! Its four parts are numbered as in the guide "Writing a Backend".

use notify_backend::prelude::*; // (1)

/// Watches paths through YOUR PLATFORM and streams what happens to them.
#[derive(Debug)]
pub struct YourBackend {
    // Keep here what the platform gives you: a descriptor, a channel, a `Buffer`. (2)
}

/// The promises, each of which the compliance tests check. Add to them as you go.
const CAPABILITIES: Capabilities = Capabilities::declare(&[Capability::WatchFolders]);

impl Backend for YourBackend {
    // (3)
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_watches(&watches, CAPABILITIES)?;
        Err(BackendError::not_implemented(
            "YourBackend::new has to set up the platform's watches (src/lib.rs)",
        ))
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

    // (4)
    fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        // There is no value of this type yet. Once there is: return the next event, or store the
        // waker where the platform's notification will wake it, and return `Poll::Pending`.
        Poll::Ready(None)
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "YourBackend", type_name | replace: "your-namespace/skeleton", backend_name -}}
