//! What a program wishes for that does not know the backend: [`Hints`].

use std::time::Duration;

/// What a program wishes for that does not know the backend, such as by notify's configuration. See
/// [`Backend::with_hints`](crate::Backend::with_hints).
///
/// A backend heeds those that mean something to it, and nobody relies on any: that is the difference from
/// the demands of a [`Watch`](crate::Watch). Later versions may add some.
///
/// ```
/// use std::time::Duration;
///
/// use notify_backend::settings::Hints;
///
/// let hints = Hints::default().with_poll_interval(Duration::from_secs(5));
/// assert_eq!(hints.poll_interval, Some(Duration::from_secs(5)));
/// assert!(!hints.compare_contents);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Hints {
    /// How much time to leave between two looks, for a backend that looks from time to time; `None` leaves
    /// it to the backend.
    pub poll_interval: Option<Duration>,
    /// Whether to read files and compare their contents, for a backend that would otherwise miss changes.
    pub compare_contents: bool,
}

impl Hints {
    /// Wishes for this time between two looks.
    #[must_use]
    pub fn with_poll_interval(self, interval: Duration) -> Self {
        Self { poll_interval: Some(interval), ..self }
    }

    /// Wishes for the contents of files to be compared.
    #[must_use]
    pub fn with_compare_contents(self, compare_contents: bool) -> Self {
        Self { compare_contents, ..self }
    }
}
