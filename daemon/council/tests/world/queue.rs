//! Orders the happenings of the simulation. It owns those that are to come.

use super::Happening;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

/// What is to come. Of happenings at one moment, the one that was planned first comes first.
#[derive(Clone, Default)]
pub(super) struct Queue {
    order: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    planned: u64,
}

impl Queue {
    pub(super) fn plan(&mut self, at: Duration, happening: Happening) {
        self.planned += 1;
        self.order.push(Reverse((at, self.planned)));
        self.happenings.insert(self.planned, happening);
    }

    /// The next one, if it comes by `end`.
    pub(super) fn next(&mut self, end: Duration) -> Option<(Duration, Happening)> {
        let Reverse((at, number)) = *self.order.peek()?;
        if at > end {
            return None;
        }
        self.order.pop();
        let happening = self.happenings.remove(&number)?;
        Some((at, happening))
    }
}
