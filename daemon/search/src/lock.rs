//! Takes a lock whose data is whole, also if a thread panicked while it held it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The data behind the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
