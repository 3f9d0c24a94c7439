//! The timer of a node. Owns the moment that was asked for, by which a stall of this machine is
//! noticed.

use crate::time::Instant;
use std::time::Duration;

/// A wake-up that comes later than this is a stall of this machine, not a matter of scheduling.
pub const STALL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Timers {
    /// When [`crate::Node::handle_timeout`] was last asked for.
    due: Option<Instant>,
    /// When that was reckoned: what was due before then is not late.
    reckoned_at: Instant,
}

impl Timers {
    pub(super) fn new() -> Self {
        Timers { due: None, reckoned_at: Instant::EPOCH }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn set(&mut self, due: Option<Instant>, now: Instant) {
        self.due = due;
        self.reckoned_at = now;
    }

    /// For how long this machine was stalled, if it was.
    pub(super) fn stall(&self, now: Instant) -> Option<Duration> {
        let late = now.since(self.due?.max(self.reckoned_at));
        (late > STALL).then_some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn only_what_was_due_later_than_reckoned_is_late() {
        let mut timers = Timers::new();
        assert_eq!(timers.stall(at(9_000).mono), None, "nothing was due");
        timers.set(Some(at(1_000).mono), at(5_000).mono);
        assert_eq!(timers.stall(at(5_100).mono), None);
        assert_eq!(timers.stall(at(5_101).mono), Some(Duration::from_millis(101)));
        timers.set(Some(at(6_000).mono), at(5_000).mono);
        assert_eq!(timers.stall(at(6_100).mono), None);
        assert_eq!(timers.stall(at(7_000).mono), Some(Duration::from_secs(1)));
    }
}
