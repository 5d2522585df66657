//! The ways to drive a case: [`Mode`].

use std::fmt;

/// How a case's changes and the reading of events interleave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All changes are made first; then everything is read. Finds what a backend loses when it is late:
    /// merged events, small buffers, paths that are gone by the time it looks.
    Batched,
    /// Everything is read after each change. The plainest expectations.
    Stepped,
    /// Changes are made by another thread while events are read. Finds races.
    Concurrent,
}

impl Mode {
    /// Every mode, for cases that hold in each.
    pub(crate) const ALL: &[Self] = &[Self::Stepped, Self::Batched, Self::Concurrent];
    /// For cases that drive the backend by themselves.
    pub(crate) const OWN: &[Self] = &[Self::Stepped];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Batched => "batched",
            Self::Stepped => "stepped",
            Self::Concurrent => "concurrent",
        }
    }

    pub(crate) const fn explanation(self) -> &'static str {
        match self {
            Self::Batched => "all changes first, then reading",
            Self::Stepped => "reading after each change",
            Self::Concurrent => "changes by another thread while reading",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.explanation())
    }
}
