//! How much of a file is still wanted, while its chunks are searched on several threads.

use std::sync::atomic::{AtomicU64, Ordering};

/// The index of the last chunk that is wanted.
#[derive(Debug)]
pub(crate) struct Wanted(AtomicU64);

impl Default for Wanted {
    /// All are wanted.
    fn default() -> Wanted {
        Wanted(AtomicU64::new(u64::MAX))
    }
}

impl Wanted {
    /// No chunk after this one is wanted. Those before it still are: one of them may decide that
    /// the file does not match.
    pub(crate) fn end_with(&self, index: u64) {
        self.0.fetch_min(index, Ordering::Relaxed);
    }

    /// Whether a chunk is still wanted.
    pub(crate) fn is_wanted(&self, index: u64) -> bool {
        index <= self.0.load(Ordering::Relaxed)
    }
}
