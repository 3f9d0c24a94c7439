//! Simulates the machines' clocks and their errors. It owns the rate of each.

use super::{EPOCH_WALL, Machine, World};
use memberd_membership::{Instant, Now, WallTime};
use std::time::Duration;

/// How fast a machine's two clocks run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    /// Parts per million too fast, or too slow if negative, with the time of the change.
    drift: i32,
    since: Duration,
    /// What both clocks had gained by then, in seconds.
    gained: f64,
}

impl Rate {
    fn gained(&self, now: Duration) -> f64 {
        self.gained + (now - self.since).as_secs_f64() * f64::from(self.drift) * 1e-6
    }

    /// How long this span of the machine's time takes in true time. It is rounded up, so that
    /// nobody is woken too early.
    pub(super) fn true_time(&self, span: Duration) -> Duration {
        if self.drift == 0 {
            span
        } else {
            span.div_f64(1.0 + f64::from(self.drift) * 1e-6) + Duration::from_nanos(1_000)
        }
    }
}

impl World {
    pub fn clocks(&self, i: usize) -> Now {
        // Each machine booted at another time.
        let Machine { rate, wall_offset, .. } = &self.machines[i];
        let elapsed = match rate.gained(self.now) {
            0.0 => self.now,
            gained => Duration::from_secs_f64(self.now.as_secs_f64() + gained),
        };
        let mono = elapsed + Duration::from_secs(1_000 * (i as u64 % 97));
        let wall = (EPOCH_WALL + elapsed.as_millis() as u64).saturating_add_signed(*wall_offset);
        Now { mono: Instant::from_epoch(mono), wall: WallTime(wall) }
    }

    /// Makes both clocks of a machine too fast by this many parts per million, or too slow if
    /// negative.
    pub fn drift(&mut self, i: usize, parts_per_million: i32) {
        let gained = self.machines[i].rate.gained(self.now);
        self.machines[i].rate = Rate { drift: parts_per_million, since: self.now, gained };
    }

    /// Sets a machine's wall clock wrong by this many milliseconds.
    pub fn set_wall_clock(&mut self, i: usize, offset: i64) {
        self.note(format!("vm{i}'s wall clock is {offset} ms off"));
        self.machines[i].wall_offset = offset;
    }
}
