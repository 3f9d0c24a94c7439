//! The order of what happens.

use super::Happening;
use std::cmp::Ordering;
use std::time::Duration;

/// A happening in its time; of those of one moment the one that was planned first comes first.
pub(super) struct Planned {
    pub(super) at: Duration,
    pub(super) sequence: u64,
    pub(super) happening: Happening,
}

impl Planned {
    fn order(&self) -> (Duration, u64) {
        (self.at, self.sequence)
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    /// The largest of a heap is the first in time.
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}
