//! Whether anything is heard of a backend: [`Hearing`].
//!
//! A case that waits for its barrier in vain has no other way to know than to be patient. If that is
//! so in each case, it need not be found out in each anew.

use std::sync::{Mutex, PoisonError};

use crate::compliance::{record::measurements::Barriers, rules::profile::Outlook};

/// What is known in the course of a run.
#[derive(Debug, Default)]
pub(crate) struct Hearing(Mutex<Barriers>);

/// After so many barriers of which nothing was heard, and none of which something was, nothing is
/// expected of the next cases.
const ENOUGH: usize = 2;

impl Hearing {
    /// A case has ended in which these were set up.
    pub(crate) fn note(&self, barriers: Barriers) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.arrived += barriers.arrived;
        all.overdue += barriers.overdue;
    }

    /// Returns what is to be expected of the next case.
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
