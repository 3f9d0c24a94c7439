//! Checks what must hold at every moment, each 100 ms of virtual time while a world runs. It owns
//! the data of the last check.

use super::World;
use memberd_membership::{Digest, Entry, Incarnation, List, MemberState, Name, PhaseName, Ring};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The interval of the checks.
const EVERY: Duration = Duration::from_millis(100);

/// Once all lists have been equal for this long, no watch and no receiver of heartbeats from an
/// earlier ring remains. A detector with longer timeouts keeps them longer.
const SETTLED: Duration = Duration::from_secs(5);

/// The data of the last check.
#[derive(Default)]
pub(super) struct Checks {
    pub(super) next_at: Duration,
    /// Each member's list, and its own incarnation.
    lists: Vec<Option<(Option<Incarnation>, List)>>,
    agreed: Option<(Digest, Duration)>,
}

impl World {
    pub(super) fn check(&mut self) {
        self.checks.next_at = self.now + EVERY;
        self.checks.lists.resize_with(self.machines.len(), || None);
        let mut changed = false;
        for i in 0..self.machines.len() {
            let Some(node) = &self.machines[i].node else {
                changed |= self.checks.lists[i].take().is_some();
                continue;
            };
            let (incarnation, list) = (node.member().map(|member| member.incarnation), node.list());
            // A list shares its entries with its clone until it changes.
            let before = self.checks.lists[i].as_ref();
            if before.is_some_and(|(was, before)| {
                *was == incarnation && before.by_position().as_ptr() == list.by_position().as_ptr()
            }) {
                continue;
            }
            changed = true;
            self.check_list(i, list);
            if let Some((_, before)) =
                before.filter(|(was, _)| was.is_some() && *was == incarnation)
            {
                self.check_history(i, before, list);
            }
            self.checks.lists[i] = Some((incarnation, list.clone()));
        }
        self.check_ring(changed);
    }

    /// Each name has one entry, and each address at most one member that is up. Counts and digests
    /// match the entries, and every incarnation was really used.
    fn check_list(&self, i: usize, list: &List) {
        let names: Vec<&Name> = list.iter().map(|entry| &entry.identity.name).collect();
        assert!(
            names.is_sorted_by(|one, other| one < other),
            "vm{i} holds a name twice: {names:?}"
        );
        let ring = list.by_position();
        assert!(
            ring.len() == list.len() && ring.is_sorted_by_key(|entry| entry.position),
            "vm{i}'s ring is not its list"
        );
        let alive: Vec<&Arc<Entry>> =
            list.iter().filter(|entry| entry.is_alive_to_others()).collect();
        let hash = alive.iter().fold(0_u32, |sum, entry| sum.wrapping_add(entry.fingerprint()));
        assert_eq!(
            list.digest(),
            Digest { count: alive.len() as u32, hash },
            "vm{i}'s digest is not its list's"
        );
        assert_eq!(list.up(), list.iter().filter(|entry| entry.is_up()).count(), "vm{i} miscounts");
        for entry in list.iter().filter(|_| !self.corrupted) {
            let last =
                self.index(entry.identity.address).and_then(|index| self.machines[index].last);
            assert!(
                last >= Some(entry.identity.incarnation),
                "vm{i} holds {:?}, which was never used",
                entry.identity
            );
        }
    }

    /// When all lists have been equal for a while, every member exchanges heartbeats with exactly
    /// the members that the ring gives it.
    fn check_ring(&mut self, changed: bool) {
        let nodes = || {
            self.machines
                .iter()
                .filter_map(|machine| machine.node.as_ref())
                .filter(|node| node.phase() != PhaseName::Out)
        };
        let digest = nodes().next().map(|node| node.list().digest());
        let agree = |digest: Digest| {
            nodes().all(|node| {
                node.phase() == PhaseName::Member
                    && node.list().digest() == digest
                    && node.list().up() == digest.count as usize
            })
        };
        let since = match (self.checks.agreed, digest.filter(|digest| agree(*digest))) {
            (_, None) => {
                self.checks.agreed = None;
                return;
            }
            (Some((agreed, since)), Some(digest)) if agreed == digest && !changed => since,
            (_, Some(digest)) => {
                self.checks.agreed = Some((digest, self.now));
                return;
            }
        };
        let group = &self.settings.group;
        let settled =
            SETTLED.max(group.patience() + EVERY * 20).max(group.failure_timeout * 2 + EVERY);
        if self.now - since < settled || self.now - since >= settled + EVERY * 2 {
            return;
        }
        let k = usize::from(group.max_simultaneous_failures);
        for (i, machine) in self.machines.iter().enumerate() {
            let Some(node) = machine.node.as_ref().filter(|node| node.phase() == PhaseName::Member)
            else {
                continue;
            };
            let (list, own) = (node.list(), node.name());
            let (monitors, targets) =
                (Ring::of_up(list).monitors(own, k), Ring::of_up(list).targets(own, k));
            for monitor in &monitors {
                let theirs = Ring::of_up(list).targets(&monitor.identity.name, k);
                assert!(
                    theirs.iter().any(|entry| entry.identity.name == *own),
                    "{monitor:?} does not watch vm{i}"
                );
            }
            let due: BTreeSet<&Name> =
                monitors.iter().chain(&targets).map(|entry| &entry.identity.name).collect();
            let neighbours = node.neighbours(self.clocks(i).mono);
            let actual: BTreeSet<&Name> =
                neighbours.iter().map(|neighbour| &neighbour.member.name).collect();
            assert_eq!(actual, due, "vm{i}'s neighbours are not those of the ring");
        }
    }

    /// Within one incarnation of the observer, no incarnation becomes smaller, and no ended
    /// incarnation comes back. Only who is asked to forgets anybody.
    fn check_history(&self, i: usize, before: &List, after: &List) {
        for old in before.iter() {
            let Some(new) = after.get(&old.identity.name) else {
                assert!(self.saw_forgotten(i, &old.identity), "vm{i} forgot {:?}", old.identity);
                continue;
            };
            let (was, is) = (old.identity.incarnation, new.identity.incarnation);
            let raised = is == was && !old.is_alive_to_others() && new.is_alive_to_others();
            let resigned =
                is == was && old.state == MemberState::Left && new.state != MemberState::Left;
            assert!(is >= was && !raised && !resigned, "vm{i} held {old:?} and then {new:?}");
        }
    }
}
