//! The timer of a node. It owns the requested moment, which reveals a stall of this machine.

use crate::time::Instant;
use std::time::Duration;

/// A wake-up that is later than this means a stall of this machine, not a delay of scheduling.
pub const STALL: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Timers {
    /// The moment that was last requested for [`crate::Node::handle_timeout`].
    due: Option<Instant>,
    /// The time of that request. Work that was due before it is not late.
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

    /// How long this machine was stalled, if it was.
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
