//! How to look: [`Settings`]. {%- capture source %}

use std::time::Duration;

use notify_backend::settings::Hints;

/// How often the watched paths are looked at, and how closely.
///
/// ```no_run
/// use std::time::Duration;
///
/// use notify_backend::prelude::*;
/// use notify_backend_poll::{PollBackend, Settings};
///
/// let settings = Settings::default().interval(Duration::from_secs(5)).compare_contents(true);
/// let changes = PollBackend::with_settings(settings, vec![Watch::recursive("/mnt/share")])?;
/// # Ok::<_, BackendError>(())
/// ```
///
/// For generic code that takes the backend by its type, such as a watcher of the `notify` crate, write a
/// [`Maker`](notify_backend::settings::Maker) that calls `with_settings`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub(crate) interval: Duration,
    pub(crate) compare_contents: bool,
}

/// A time that every clock can add.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Default for Settings {
    /// Looks once per second, at everything but the contents.
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), compare_contents: false }
    }
}

impl From<&Hints> for Settings {
    /// Takes the hints of a program that does not know this backend.
    fn from(hints: &Hints) -> Self {
        let settings = Self::default().compare_contents(hints.compare_contents);
        hints.poll_interval.map_or(settings, |interval| settings.interval(interval))
    }
}

impl Settings {
    /// Sets the time between two looks; by default one second.
    ///
    /// It is longer if a look takes long: see [the crate's documentation](crate). More than a year counts as
    /// a year.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.min(LONGEST);
        self
    }

    /// Sets whether files are read at each look, to compare their contents; by default they are not.
    ///
    /// This finds changes that keep size and times, and distinguishes a written file from one whose time was
    /// set. It costs reading all watched files.
    #[must_use]
    pub fn compare_contents(mut self, compare: bool) -> Self {
        self.compare_contents = compare;
        self
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_poll", crate_name | replace: "PollBackend", type_name -}}
