//! Something that is wrong, and is reported once it has lasted: [`Trouble`].

use std::time::{Duration, Instant};

/// Whether something is wrong, since when, and whether that was reported.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    since: Option<Instant>,
    is_reported: bool,
}

impl Trouble {
    /// Notes that all is well.
    pub(crate) fn ends(&mut self) {
        *self = Self::default();
    }

    /// Notes that something is wrong. Returns whether to report it: once, when it has lasted for longer than
    /// `patience`.
    pub(crate) fn lasts(&mut self, patience: Duration) -> bool {
        let is_long = self.since.get_or_insert_with(Instant::now).elapsed() > patience;
        is_long && !std::mem::replace(&mut self.is_reported, is_long)
    }
}
