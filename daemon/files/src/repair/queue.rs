//! What is to be repaired, and in which order: fewest copies left, then small ones. Owns the queue.

use super::running::Running;
use super::{Known, Repairer};
use crate::ids::ExtentId;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, BTreeSet};

/// The copies left, the bytes, and which.
type Order = (usize, u64, ExtentId);

/// What waits for its time, and what waits for its turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    waiting: BTreeSet<(BootTime, ExtentId)>,
    ready: BTreeSet<Order>,
    at: BTreeMap<ExtentId, (BootTime, Order)>,
}

impl Queue {
    pub(super) fn insert(&mut self, at: BootTime, order: Order) {
        self.remove(order.2);
        self.waiting.insert((at, order.2));
        self.at.insert(order.2, (at, order));
    }

    pub(super) fn remove(&mut self, extent: ExtentId) {
        if let Some((at, order)) = self.at.remove(&extent) {
            self.waiting.remove(&(at, extent));
            self.ready.remove(&order);
        }
    }

    /// The next whose time has come.
    pub(super) fn first(&mut self, now: BootTime) -> Option<Order> {
        while let Some((at, extent)) = self.waiting.first().copied().filter(|(at, _)| *at <= now) {
            self.waiting.remove(&(at, extent));
            if let Some((_, order)) = self.at.get(&extent) {
                self.ready.insert(*order);
            }
        }
        self.ready.first().copied()
    }

    pub(super) fn extents(&self) -> impl Iterator<Item = ExtentId> {
        self.at.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    /// When the next is due. What is ready waits for another to end.
    pub(super) fn due(&self) -> Option<BootTime> {
        self.waiting.first().map(|(at, _)| *at)
    }
}

impl Known {
    /// The holders that can be asked: in the view, and not known to lack it.
    pub(super) fn survivors(&self, repairer: &Repairer, extent: ExtentId) -> Vec<Name> {
        let lacking = repairer.lacking.get(&extent);
        let is_here = |name: &&Name| {
            repairer.view.members.contains_key(*name)
                && !repairer.hints.dead.contains(*name)
                && !lacking.is_some_and(|lacking| lacking.contains(*name))
        };
        self.set.members.iter().filter(is_here).cloned().collect()
    }
}

impl Repairer {
    /// Puts an extent into the queue, or out of it.
    pub(super) fn consider(&mut self, extent: ExtentId) {
        self.queue.remove(extent);
        let Some(known) = self.known.get(&extent) else { return };
        if self.running.get(&extent).is_some_and(Running::may_be_recorded) {
            return;
        }
        let survivors = known.survivors(self, extent);
        let wanted = self.settings.copies.max(known.set.members.len());
        let wanted = wanted.min(self.view.members.len());
        if survivors.len() >= wanted || survivors.first() != Some(&self.own) {
            self.running.remove(&extent);
            return;
        }
        if self.running.contains_key(&extent) {
            return;
        }
        let at = self.due_of(known, extent, survivors.len());
        self.queue.insert(at, (survivors.len(), known.length, extent));
    }

    /// From when on it may be repaired.
    fn due_of(&self, known: &Known, extent: ExtentId, left: usize) -> BootTime {
        // What a member lacks that is here is missing for good.
        let is_dead = known.set.members.iter().any(|name| self.hints.dead.contains(name));
        if left <= 1 || is_dead || self.lacking.contains_key(&extent) {
            return self.now;
        }
        let wait = |name: &Name| {
            let gone = self.gone.get(name)?;
            let planned = self.settings.repair_after_leave.max(self.settings.repair_after);
            let wait = if gone.is_planned { planned } else { self.settings.repair_after };
            Some(gone.since + wait)
        };
        let after = known.set.members.iter().filter_map(wait).max().unwrap_or(self.now);
        let brake = self.brake.until(self.now).unwrap_or(self.now);
        let crowded = self.now + super::running::LATER;
        let crowded = if self.hints.is_crowded { crowded } else { self.now };
        after.max(brake).max(crowded)
    }
}
