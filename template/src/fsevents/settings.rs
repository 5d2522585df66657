//! How long events are collected: [`Settings`]. {%- capture source %}

use std::time::Duration;

/// What the system's service is asked for.
///
/// ```no_run
/// use std::time::Duration;
///
/// use notify_backend::prelude::*;
/// use notify_backend_fsevents::{FsEventsBackend, Settings};
///
/// let settings = Settings::default().latency(Duration::from_millis(500));
/// let changes = FsEventsBackend::with_settings(settings, vec![Watch::recursive("/srv")])?;
/// # Ok::<_, BackendError>(())
/// ```
///
/// For generic code that takes the backend by its type, such as a watcher of the `notify` crate, write a
/// [`Maker`](notify_backend::settings::Maker) that calls `with_settings`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(crate) latency: Duration,
}

impl Default for Settings {
    /// Collects for 20 milliseconds.
    fn default() -> Self {
        Self { latency: Duration::from_millis(20) }
    }
}

impl Settings {
    /// Sets how long the service collects events before it delivers them, so that several changes of a file
    /// are one; by default 20 milliseconds. More than an hour counts as an hour.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency.min(Duration::from_secs(60 * 60));
        self
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_fsevents", crate_name | replace: "FsEventsBackend", type_name -}}
