//! Leases: what a backup has promised ([`Promise`]), and what a primary has got ([`Lease`]).

use crate::keeper::record::Mark;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How much of a lease a primary uses: other clocks may run slower than its own, by 1 %.
const USED_PERCENT: u32 = 99;

/// The most beacons whose answers can still count.
const MAX_SENT: usize = 64;

/// Until when primaries may answer reads because this keeper heard them. Not durable.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promise {
    current: Option<(Name, BootTime)>,
    /// The end of the leases of all others before.
    former: BootTime,
}

impl Promise {
    /// That of a keeper which has forgotten what it promised: a whole lease.
    pub(crate) fn restarted(mark: &Mark, now: BootTime, lease: Duration) -> Promise {
        Promise { current: mark.primary.clone().map(|name| (name, now + lease)), former: now }
    }

    pub(crate) fn promise(&mut self, primary: &Name, until: BootTime) {
        match &mut self.current {
            Some((name, end)) if name == primary => *end = (*end).max(until),
            _ => {
                if let Some((_, end)) = self.current.replace((primary.clone(), until)) {
                    self.former = self.former.max(end);
                }
            }
        }
    }

    /// How long the leases of others than this one last.
    pub(crate) fn left(&self, primary: &Name, now: BootTime) -> Duration {
        let current = match &self.current {
            Some((name, end)) if name != primary => *end,
            _ => now,
        };
        current.max(self.former).since(now)
    }
}

/// The lease of a primary: all other keepers heard a beacon that was sent since.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lease {
    sequence: u64,
    sent: VecDeque<(u64, BootTime)>,
    heard: BTreeMap<Name, BootTime>,
}

impl Lease {
    pub(crate) fn send(&mut self, now: BootTime) -> u64 {
        self.sequence += 1;
        if self.sent.len() == MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back((self.sequence, now));
        self.sequence
    }

    /// When the last beacon was sent.
    pub(crate) fn last_sent(&self) -> Option<BootTime> {
        self.sent.back().map(|(_, at)| *at)
    }

    pub(crate) fn on_heard(&mut self, from: &Name, sequence: u64) {
        if let Some((_, at)) = self.sent.iter().find(|(number, _)| *number == sequence) {
            let heard = self.heard.entry(from.clone()).or_insert(*at);
            *heard = (*heard).max(*at);
        }
    }

    /// Until when the primary may answer reads: a lease after the oldest beacon that counts.
    /// Without other keepers for ever.
    pub(crate) fn until(&self, others: &[Name], lease: Duration) -> Option<BootTime> {
        let heard = others.iter().map(|name| self.heard.get(name).copied());
        let oldest = heard.collect::<Option<Vec<_>>>()?.into_iter().min();
        Some(oldest.map_or(BootTime::from_epoch(Duration::MAX), |at| at + used(lease)))
    }
}

fn used(lease: Duration) -> Duration {
    lease * USED_PERCENT / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> BootTime {
        BootTime::from_epoch(Duration::from_millis(milliseconds))
    }

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    #[test]
    fn a_lease_needs_all_others_and_counts_from_the_sending() {
        let (others, lease) = ([name("b"), name("c")], Duration::from_secs(1));
        let mut primary = Lease::default();
        let first = primary.send(at(100));
        let second = primary.send(at(500));
        primary.on_heard(&name("b"), second);
        assert_eq!(primary.until(&others, lease), None);
        primary.on_heard(&name("c"), first);
        assert_eq!(primary.until(&others, lease), Some(at(1090)));
        primary.on_heard(&name("c"), 99);
        assert_eq!(primary.until(&others, lease), Some(at(1090)));
    }

    #[test]
    fn a_promise_holds_against_others_alone() {
        let mut promise = Promise::default();
        promise.promise(&name("a"), at(500));
        assert_eq!(promise.left(&name("a"), at(100)), Duration::ZERO);
        assert_eq!(promise.left(&name("b"), at(100)), Duration::from_millis(400));
        promise.promise(&name("b"), at(300));
        assert_eq!(promise.left(&name("b"), at(100)), Duration::from_millis(400));
        let mut mark = Mark::blank(crate::Epoch(1));
        mark.primary = Some(name("a"));
        let restarted = Promise::restarted(&mark, at(0), Duration::from_secs(1));
        assert_eq!(restarted.left(&name("b"), at(400)), Duration::from_millis(600));
        assert_eq!(restarted.left(&name("a"), at(400)), Duration::ZERO);
    }
}
