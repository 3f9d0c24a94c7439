//! The limits of greps on this machine: the `[limits]` of the settings. This value owns them.

use memberd_search::MemoryBudget;
use std::num::NonZero;
use std::time::Duration;

/// Bounds on the searches of this machine, and on the greps that begin here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Concurrent searches for all members. Further ones wait a few seconds and are then refused.
    /// The same number of searches may follow.
    pub searches: usize,
    /// The number of threads of one search.
    pub search_threads: NonZero<usize>,
    /// How long one search may take, including waits for a slow reader. A following search has no
    /// limit. The reader gets 10 s more for the rest, and is then given up.
    pub search_time: Duration,
    /// The most bytes that one search may return.
    pub search_output: u64,
    /// The most bytes of memory that all searches together may have.
    pub search_memory: usize,
    /// Concurrent greps of this machine's clients.
    pub greps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            searches: 32,
            search_threads: NonZero::<usize>::MIN.saturating_add(1),
            search_time: Duration::from_secs(60 * 60),
            search_output: 16 << 30,
            search_memory: MemoryBudget::DEFAULT_BYTES,
            greps: 16,
        }
    }
}
