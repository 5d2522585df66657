//! How the thread that makes changes and the one that reads take turns: [`Pace`].

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use super::sync::lock;

/// Lets the thread that makes changes and the one that reads wait for each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<(Mutex<Turn>, Condvar)>);

#[derive(Debug, Default)]
struct Turn {
    changes: Changes,
    /// The reader, which is to be woken when that changes.
    reader: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Changes {
    /// The thread makes changes.
    #[default]
    Going,
    /// The thread waits until what it did has been read.
    Waiting,
    /// There are no more changes, and neither thread waits.
    Done,
}

impl Pace {
    /// Waits until the change that was just made has been read.
    pub(crate) fn changed(&self) {
        if !self.is_done() {
            self.set(Changes::Waiting);
            self.wait_until(|changes| changes != Changes::Waiting);
        }
    }

    /// Lets the changes go on, now that what was done has been read.
    pub(crate) fn go_on(&self) {
        self.set(Changes::Going);
    }

    /// There are no more changes.
    pub(crate) fn end(&self) {
        self.set(Changes::Done);
    }

    /// Does the same once the returned value is dropped.
    pub(crate) fn ending(&self) -> impl Drop {
        Ending(self.clone())
    }

    /// Blocks as long as changes are made.
    pub(crate) fn wait_while_going(&self) {
        self.wait_until(|changes| changes != Changes::Going);
    }

    pub(crate) fn is_going(&self) -> bool {
        self.turn().changes == Changes::Going
    }

    pub(crate) fn is_done(&self) -> bool {
        self.turn().changes == Changes::Done
    }

    fn set(&self, changes: Changes) {
        let mut turn = self.turn();
        turn.changes = changes;
        let reader = turn.reader.take();
        drop(turn);
        self.0.1.notify_all();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn wait_until(&self, holds: impl Fn(Changes) -> bool) {
        let waiting = self.0.1.wait_while(self.turn(), |turn| !holds(turn.changes));
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn wake_reader(&self, reader: &Waker) {
        self.turn().reader = Some(reader.clone());
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        lock(&self.0.0)
    }
}

/// Says, when dropped, that there are no more changes.
struct Ending(Pace);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}
