//! Limits how often one kind of event is logged. Owns its count, and when it was last logged.

use std::time::{Duration, Instant};

/// The shortest time between two log lines about one kind of event.
pub const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Counts events of one kind, and decides when to log them: the first at once, further ones
/// together once a minute.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogRateLimit {
    total: u64,
    logged: u64,
    logged_at: Option<Instant>,
}

impl LogRateLimit {
    /// Counts one event. Returns how many events to log now, this one included, or none if the
    /// last line is less than [`LOG_INTERVAL`] old.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
        self.total += 1;
        self.take_due(now)
    }

    /// Returns how many events to log now, if any are due.
    pub fn take_due(&mut self, now: Instant) -> Option<u64> {
        let unlogged = self.total - self.logged;
        if unlogged == 0 || self.logged_at.is_some_and(|at| now.duration_since(at) < LOG_INTERVAL) {
            return None;
        }
        self.logged = self.total;
        self.logged_at = Some(now);
        Some(unlogged)
    }

    /// All events so far, logged or not.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first event is logged at once, and then all that came meanwhile once a minute.
    #[test]
    fn logs_the_first_event_and_then_once_a_minute() {
        let (mut limit, start) = (LogRateLimit::default(), Instant::now());
        let logged: Vec<Option<u64>> =
            (0..181).map(|second| limit.count(start + Duration::from_secs(second))).collect();
        let expected = |second| match second {
            0 => Some(1),
            60 | 120 | 180 => Some(60),
            _ => None,
        };
        assert_eq!(logged, (0..181).map(expected).collect::<Vec<_>>());
        assert_eq!(limit.total(), 181);
    }

    /// The rest is logged when its minute is over, though no further event comes.
    #[test]
    fn logs_the_rest_when_its_minute_is_over() {
        let (mut limit, start) = (LogRateLimit::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.take_due(start), None);
        let logged: Vec<_> = (0..1_000).filter_map(|_| limit.count(start)).collect();
        assert_eq!(logged, [1]);
        assert_eq!(
            [59, 60, 61, 200].map(|seconds| limit.take_due(after(seconds))),
            [None, Some(999), None, None]
        );
        assert_eq!(limit.count(after(201)), Some(1));
    }
}
