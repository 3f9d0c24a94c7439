//! This machine's two clocks, as the protocol takes them.

use memberd_ring::{Instant, Now, WallTime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The monotonic clock counted from the daemon's start, and the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    epoch: tokio::time::Instant,
}

impl Clocks {
    /// Starts counting now.
    pub fn new() -> Self {
        Clocks { epoch: tokio::time::Instant::now() }
    }

    /// Both clocks, now.
    pub fn now(&self) -> Now {
        // A wall clock before 1970 counts as 1970: incarnations grow nevertheless.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { mono: Instant::from_epoch(self.epoch.elapsed()), wall: WallTime(memberd_ring::time::millis(wall)) }
    }

    /// A moment of the protocol as one of the runtime.
    pub fn to_tokio(self, moment: Instant) -> tokio::time::Instant {
        self.epoch + moment.since(Instant::EPOCH)
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Clocks::new()
    }
}
