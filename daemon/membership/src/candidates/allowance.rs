//! An allowance: so many at once, and then one per pause. It owns how many are left.

use crate::time::Instant;
use std::time::Duration;

/// What is allowed without a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// The most that are saved up.
    most: u32,
    /// How long it takes until there is one more.
    pause: Duration,
    left: u32,
    /// Until when the pauses are counted.
    counted: Instant,
}

impl Allowance {
    /// A full allowance.
    pub(super) const fn new(most: u32, pause: Duration) -> Self {
        Allowance { most, pause, left: most, counted: Instant::EPOCH }
    }

    /// Takes one, if there is one left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let pauses = now.since(self.counted).as_millis() / self.pause.as_millis().max(1);
        let pauses = u32::try_from(pauses).unwrap_or(u32::MAX);
        if pauses >= self.most - self.left {
            (self.left, self.counted) = (self.most, now);
        } else {
            self.left += pauses;
            self.counted = self.counted + self.pause * pauses;
        }
        let allowed = self.left > 0;
        self.left -= u32::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn taken(allowance: &mut Allowance, ms: u64) -> usize {
        (0..100).filter(|_| allowance.take(at(ms).mono)).count()
    }

    #[test]
    fn so_many_at_once_and_then_one_per_pause() {
        let mut allowance = Allowance::new(5, Duration::from_millis(100));
        assert_eq!(taken(&mut allowance, 1_000), 5);
        assert_eq!(taken(&mut allowance, 1_099), 0);
        assert_eq!(taken(&mut allowance, 1_150), 1);
        assert_eq!(taken(&mut allowance, 1_200), 1, "the half pause before counts");
        assert_eq!(taken(&mut allowance, 1_500), 3);
        assert_eq!(taken(&mut allowance, 60_000), 5, "no more are saved up");
    }
}
