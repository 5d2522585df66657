//! Wishes of a program that does not know the backend: [`Hints`].

use std::time::Duration;

/// Wishes of a program that does not know the backend, for example from notify's configuration. See
/// [`Backend::with_hints`](crate::Backend::with_hints).
///
/// A backend follows the hints that apply to it, and programs must not rely on any. The demands of a
/// [`Watch`](crate::Watch), in contrast, are met or refused. Later versions may add hints.
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
    /// The time between two looks, for a backend that looks from time to time; `None` leaves the choice to
    /// the backend.
    pub poll_interval: Option<Duration>,
    /// Whether to read files and compare their contents, for a backend that would otherwise miss changes.
    pub compare_contents: bool,
    /// Whether to report that a file which was open for writing is closed
    /// ([`Access(Close(Write))`](crate::event::AccessKind::Close)), even for a watch that does not ask for
    /// accesses. Notify's inotify watcher reports it, and some programs wait for it: it is the last event of
    /// a write. No other access is reported because of this hint.
    pub report_closes: bool,
}

impl Hints {
    /// Asks for this time between two looks.
    #[must_use]
    pub fn with_poll_interval(self, interval: Duration) -> Self {
        Self { poll_interval: Some(interval), ..self }
    }

    /// Asks for the contents of files to be compared, or not.
    #[must_use]
    pub fn with_compare_contents(self, compare_contents: bool) -> Self {
        Self { compare_contents, ..self }
    }

    /// Asks for the closing of written files to be reported, or not.
    #[must_use]
    pub fn with_report_closes(self, report_closes: bool) -> Self {
        Self { report_closes, ..self }
    }
}
