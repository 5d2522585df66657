//! Locks that hold after a panic as well.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex. What the suite guards by one is valid at any moment, so that a panic of another thread does
/// not matter.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
