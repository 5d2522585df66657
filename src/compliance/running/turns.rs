//! Which cases may run beside each other: [`Turns`].

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Cases share a file system, unless they have their own. A case that other changes would disturb, since the
/// backend gets the events of all of it, runs alone, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct Turns(RwLock<()>);

/// A case's turn, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "they are held")]
pub(crate) enum Turn<'a> {
    WithOthers(RwLockReadGuard<'a, ()>),
    Alone(RwLockWriteGuard<'a, ()>),
}

impl Turns {
    /// Waits until a case may run.
    pub(crate) fn take(&self, is_alone: bool) -> Turn<'_> {
        if is_alone {
            Turn::Alone(self.0.write().unwrap_or_else(PoisonError::into_inner))
        } else {
            Turn::WithOthers(self.0.read().unwrap_or_else(PoisonError::into_inner))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_alone_and_others_are_not() {
        let turns = Turns::default();
        let one = turns.take(false);
        let other = turns.take(false);
        assert!(turns.0.try_write().is_err(), "none is alone beside others");
        drop((one, other));
        let alone = turns.take(true);
        assert!(turns.0.try_read().is_err(), "none is beside one that is alone");
        drop(alone);
        assert!(turns.0.try_read().is_ok());
    }
}
