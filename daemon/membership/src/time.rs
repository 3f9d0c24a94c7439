//! The two kinds of time: a monotonic [`Instant`] for intervals, and a [`WallTime`] to show and
//! compare. Neither converts into the other, and both are plain values.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on this machine's monotonic clock, counted from an epoch that its owner chose. Steps of
/// the wall clock do not move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The epoch.
    pub const EPOCH: Instant = Instant(Duration::ZERO);

    /// The moment this long after the epoch.
    pub const fn from_epoch(elapsed: Duration) -> Self {
        Instant(elapsed)
    }

    /// The time since `earlier`, or zero if this is not after it.
    pub fn since(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole milliseconds since the epoch.
    pub fn as_millis(self) -> u64 {
        millis(self.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, span: Duration) -> Instant {
        Instant(self.0.saturating_add(span))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    /// The moment `span` earlier, but never before the epoch.
    fn sub(self, span: Duration) -> Instant {
        Instant(self.0.saturating_sub(span))
    }
}

/// Milliseconds since the Unix epoch on some machine's wall clock. It can step either way at any
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

/// Both clocks, read together. Every input of the protocol carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock.
    pub mono: Instant,
    /// The wall clock.
    pub wall: WallTime,
}

/// Whole milliseconds of a span, saturating after 584 million years.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
