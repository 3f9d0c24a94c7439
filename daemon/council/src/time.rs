//! The two kinds of time of this protocol: a [`BootTime`] for leases, and membership's
//! [`WallTime`]. Both are plain values.

use memberd_membership::WallTime;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on `CLOCK_BOOTTIME`, counted from an epoch that its owner chose. It runs on while the
/// machine is suspended, which membership's monotonic clock does not. So it is a type of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BootTime(Duration);

impl BootTime {
    /// The epoch.
    pub const EPOCH: BootTime = BootTime(Duration::ZERO);

    /// The moment this long after the epoch.
    pub const fn from_epoch(elapsed: Duration) -> Self {
        BootTime(elapsed)
    }

    /// The span since the epoch.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// The time since `earlier`, or zero if this is not after it.
    pub fn since(self, earlier: BootTime) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for BootTime {
    type Output = BootTime;
    fn add(self, span: Duration) -> BootTime {
        BootTime(self.0.saturating_add(span))
    }
}

impl Sub<Duration> for BootTime {
    type Output = BootTime;
    /// The moment `span` earlier, but never before the epoch.
    fn sub(self, span: Duration) -> BootTime {
        BootTime(self.0.saturating_sub(span))
    }
}

/// Both clocks, read together. Every input of the protocol carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_BOOTTIME`.
    pub boot: BootTime,
    /// The wall clock. It shows only that this machine was stopped and its other clock with it.
    pub wall: WallTime,
}
