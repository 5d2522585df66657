//! What a case has measured and counted: [`Measurements`].

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use serde::{Deserialize, Serialize};

/// How many barriers were reported, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Barriers {
    pub(crate) arrived: usize,
    /// Barriers of which nothing was reported within the patience.
    pub(crate) overdue: usize,
}

/// What a case has measured and counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measurements(Rc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    measured: RefCell<Vec<(String, String)>>,
    barriers: Cell<Barriers>,
}

impl Measurements {
    /// Notes something that was measured, with its unit.
    pub(crate) fn note(&self, name: &str, value: impl Into<String>) {
        self.0.measured.borrow_mut().push((name.into(), value.into()));
    }

    /// Returns what was measured: a name, and a value with its unit.
    pub(crate) fn take(&self) -> Vec<(String, String)> {
        self.0.measured.take()
    }

    /// Returns the barriers that were set up.
    pub(crate) fn barriers(&self) -> Barriers {
        self.0.barriers.get()
    }

    /// Counts a barrier, and whether anything of it was reported.
    pub(crate) fn count_barrier(&self, is_reported: bool) {
        let mut barriers = self.0.barriers.get();
        let count = if is_reported { &mut barriers.arrived } else { &mut barriers.overdue };
        *count += 1;
        self.0.barriers.set(barriers);
    }
}
