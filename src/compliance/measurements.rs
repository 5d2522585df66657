//! What a case has measured and counted: [`Measurements`].

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::hearing::Barriers;

/// What a case has measured and counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Measurements(Rc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    measured: RefCell<Vec<(String, String)>>,
    barriers: Cell<Barriers>,
}

impl Measurements {
    /// Notes something that was measured, with its unit.
    pub(super) fn note(&self, name: &str, value: impl Into<String>) {
        self.0.measured.borrow_mut().push((name.into(), value.into()));
    }

    /// What was measured: a name, and a value with its unit.
    pub(super) fn take(&self) -> Vec<(String, String)> {
        self.0.measured.take()
    }

    /// The barriers that were set up.
    pub(super) fn barriers(&self) -> Barriers {
        self.0.barriers.get()
    }

    /// Counts a barrier, of which something was reported or nothing.
    pub(super) fn count_barrier(&self, is_heard: bool) {
        let mut barriers = self.0.barriers.get();
        let count = if is_heard { &mut barriers.arrived } else { &mut barriers.overdue };
        *count += 1;
        self.0.barriers.set(barriers);
    }
}
