//! Whether a backend reports anything at all: [`Hearing`].
//!
//! A case can only find out by patience that its barrier is never reported. If that was so in the first
//! cases, the next ones need less of it.

use std::sync::{Mutex, PoisonError};

use crate::compliance::{record::measurements::Barriers, rules::profile::Outlook};

/// The barriers of a run so far.
#[derive(Debug, Default)]
pub(crate) struct Hearing(Mutex<Barriers>);

/// After so many barriers that were not reported, and none that was, nothing is expected in the next cases.
const ENOUGH: usize = 2;

impl Hearing {
    /// Notes the barriers of a case that has ended.
    pub(crate) fn note(&self, barriers: Barriers) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.arrived += barriers.arrived;
        all.overdue += barriers.overdue;
    }

    /// Returns what to expect of the backend in the next case.
    pub(crate) fn outlook(&self) -> Outlook {
        let Barriers { arrived, overdue } = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if arrived == 0 && overdue >= ENOUGH { Outlook::Deaf } else { Outlook::Good }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_where_nothing_is_ever_heard() {
        let hearing = Hearing::default();
        let silent = Barriers { arrived: 0, overdue: 1 };
        let is_patient = || hearing.outlook() == Outlook::Good;
        hearing.note(Barriers::default());
        hearing.note(silent);
        assert!(is_patient());
        hearing.note(silent);
        assert!(!is_patient());
        hearing.note(Barriers { arrived: 1, overdue: 0 });
        assert!(is_patient());
        hearing.note(silent);
        assert!(is_patient());
    }
}
