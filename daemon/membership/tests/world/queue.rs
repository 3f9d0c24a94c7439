//! Orders the events of the simulation.

use super::Happening;
use std::cmp::Ordering;
use std::time::Duration;

/// An event with its time. Of events at one moment, the one that was planned first comes first.
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
    /// The largest element of the heap must be the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.order().cmp(&self.order())
    }
}
