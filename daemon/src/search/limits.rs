//! What greps may cost this machine: the `[limits]` of the settings.

use std::num::NonZero;
use std::time::Duration;

/// Bounds on the searches of this machine, and on the greps that begin here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Searches at once, for whichever member; further ones wait a few seconds, and are refused
    /// then. As many again may follow.
    pub searches: usize,
    /// On how many threads one search runs.
    pub search_threads: NonZero<usize>,
    /// How long one search may take, the waiting for a slow reader included. One that follows may
    /// go on. A reader that has not taken what is left 10 s after that is given up.
    pub search_time: Duration,
    /// How many bytes one search may return.
    pub search_output: u64,
    /// Greps at once that clients of this machine have begun.
    pub greps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            searches: 32,
            search_threads: NonZero::<usize>::MIN.saturating_add(1),
            search_time: Duration::from_secs(60 * 60),
            search_output: 16 << 30,
            greps: 16,
        }
    }
}
