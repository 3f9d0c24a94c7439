//! Reads this machine's two clocks for the protocol. It owns the start of the monotonic clock.

use memberd_membership::{Instant, Now, WallTime, millis};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The monotonic clock counted from the daemon's start, and the wall clock.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    epoch: tokio::time::Instant,
}

impl Clocks {
    /// Starts the count now.
    pub fn new() -> Self {
        Clocks { epoch: tokio::time::Instant::now() }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        // Incarnations grow also when it is before 1970.
        Now { mono: Instant::from_epoch(self.epoch.elapsed()), wall: wall() }
    }

    /// Converts a moment of the protocol to one of the runtime.
    pub fn to_tokio(self, moment: Instant) -> tokio::time::Instant {
        self.epoch + moment.since(Instant::EPOCH)
    }
}

/// The wall clock. A time before 1970 counts as 1970.
pub fn wall() -> WallTime {
    WallTime(millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)))
}

/// Converts moments of the monotonic clock to the wall clock's time. One moment gives the same time
/// again and again, until the wall clock is set.
#[derive(Debug, Clone, Copy)]
pub struct Anchor(Now);

/// The wall clock counts as set if the two clocks differ by more than this.
const DRIFT_MS: u64 = 20;

impl Anchor {
    /// Starts with both clocks as they are now.
    pub fn new(now: Now) -> Self {
        Anchor(now)
    }

    /// Starts again with both clocks as they are now, if the wall clock was set.
    pub fn keep(&mut self, now: Now) {
        if self.wall(now.mono).0.abs_diff(now.wall.0) > DRIFT_MS {
            *self = Anchor(now);
        }
    }

    /// A moment in the wall clock's time. A time before 1970 becomes 1970.
    pub fn wall(&self, moment: Instant) -> WallTime {
        let Now { mono, wall } = self.0;
        let later_ms = wall.0 + millis(moment.since(mono));
        WallTime(later_ms.saturating_sub(millis(mono.since(moment))))
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Clocks::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(micros: u64, wall: u64) -> Now {
        Now { mono: Instant::from_epoch(Duration::from_micros(micros)), wall: WallTime(wall) }
    }

    #[test]
    fn a_moment_keeps_its_time_until_the_wall_clock_is_set() {
        let moment = now(1_000_700, 0).mono;
        let mut anchor = Anchor::new(now(2_000_300, 1_763_688_012_000));
        let first = anchor.wall(moment);
        for micros in (3_000_000..9_000_000).step_by(10_007) {
            anchor.keep(now(micros, 1_763_688_010_000 + micros / 1_000));
            assert_eq!(anchor.wall(moment), first);
        }
        anchor.keep(now(9_000_000, 1_763_688_019_000 + 3_600_000));
        assert!(anchor.wall(moment).0.abs_diff(first.0 + 3_600_000) <= 1);
        assert_eq!(Anchor::new(now(9_000_000, 0)).wall(moment), WallTime(0), "before 1970 is 1970");
    }
}
