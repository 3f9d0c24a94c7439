//! The ring: who stands next to whom, who sends heartbeats to whom, and who therefore watches whom.
//!
//! A member sends its heartbeats to its ceil(k/2) successors and floor(k/2) predecessors, and
//! watches those whose heartbeats it is sent: its ceil(k/2) predecessors and floor(k/2) successors.
//! For even k the two are the same members. A group of k + 1 or fewer is watched all to all. The
//! order is that of the positions, but members that name their zone are spread, see `zones.rs`.

mod zones;

pub use zones::{LARGEST, SMALLEST};

use crate::identity::Name;
use crate::list::{Entry, List};
use std::iter;
use std::sync::Arc;
use zones::Way;

/// Which entries stand on the ring.
pub type OnRing = fn(&Entry) -> bool;

/// The members that `of` sends its heartbeats to: its monitors. `of` must be in the list; it need
/// not be up.
pub fn monitors<'a>(list: &'a List, of: &Name, k: usize, on_ring: OnRing) -> Vec<&'a Arc<Entry>> {
    neighbours(list, of, k.div_ceil(2), k / 2, on_ring)
}

/// The members that `of` watches.
pub fn targets<'a>(list: &'a List, of: &Name, k: usize, on_ring: OnRing) -> Vec<&'a Arc<Entry>> {
    neighbours(list, of, k / 2, k.div_ceil(2), on_ring)
}

/// All entries in the order of the ring; one that does not stand on it follows the one before it by
/// position.
pub fn order(list: &List, on_ring: OnRing) -> Vec<&Arc<Entry>> {
    let ring = list.ring();
    let Some(first) = ring.iter().position(|entry| on_ring(entry)).filter(|_| list.has_zones())
    else {
        return ring.iter().collect();
    };
    let others = zones::walk(ring, first, ring.len(), Way::Onward, &on_ring);
    let mut order = Vec::with_capacity(ring.len());
    for place in iter::once(first).chain(others) {
        order.push(&ring[place]);
        order.extend(ring[place + 1..].iter().take_while(|entry| !on_ring(entry)));
    }
    order.extend(ring[..first].iter().filter(|entry| !on_ring(entry)));
    order
}

fn neighbours<'a>(
    list: &'a List,
    of: &Name,
    successors: usize,
    predecessors: usize,
    on_ring: OnRing,
) -> Vec<&'a Arc<Entry>> {
    let ring = list.ring();
    let Some(place) = list.get(of).and_then(|entry| {
        ring.binary_search_by(|other| {
            (other.position, &other.identity.name).cmp(&(entry.position, of))
        })
        .ok()
    }) else {
        return Vec::new();
    };
    if !list.has_zones() {
        let after = ring[place + 1..].iter().chain(&ring[..place]);
        let before = after.clone().rev();
        let on_ring = |entry: &&Arc<Entry>| on_ring(entry);
        return distinct(
            after.filter(on_ring).take(successors),
            before.filter(on_ring).take(predecessors),
        );
    }
    let stands = |entry: &Entry| on_ring(entry) || entry.identity.name == *of;
    let after = zones::walk(ring, place, successors, Way::Onward, &stands);
    let before = zones::walk(ring, place, predecessors, Way::Back, &stands);
    distinct(
        after.into_iter().map(|place| &ring[place]),
        before.into_iter().map(|place| &ring[place]),
    )
}

/// The successors, and the predecessors that are not among them.
fn distinct<'a>(
    after: impl Iterator<Item = &'a Arc<Entry>>,
    before: impl Iterator<Item = &'a Arc<Entry>>,
) -> Vec<&'a Arc<Entry>> {
    let mut found: Vec<&Arc<Entry>> = after.collect();
    for entry in before {
        if !found.iter().any(|other| Arc::ptr_eq(other, entry)) {
            found.push(entry);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, Incarnation};
    use crate::list::{Claim, Update};
    use crate::time::Instant;

    fn list(count: u16) -> List {
        let mut list = List::new();
        for i in 0..count {
            let identity = Identity {
                name: Name::new(&format!("vm{i}")).unwrap(),
                address: format!("192.0.2.1:{}", 1000 + i).parse().unwrap(),
                incarnation: Incarnation(1),
            };
            list.merge(Update::new(identity, Claim::Alive), Instant::EPOCH);
        }
        list
    }

    fn names(entries: &[&Arc<Entry>]) -> Vec<Name> {
        let mut names: Vec<Name> =
            entries.iter().map(|entry| entry.identity.name.clone()).collect();
        names.sort();
        names
    }

    #[test]
    fn everyone_has_k_monitors_or_all_the_others() {
        for size in 1..=12 {
            for k in 1..=6 {
                let list = list(size);
                for entry in list.iter() {
                    let monitors = monitors(&list, &entry.identity.name, k, Entry::is_up);
                    let mut distinct = names(&monitors);
                    distinct.dedup();
                    assert_eq!(distinct.len(), k.min(usize::from(size) - 1), "size {size}, k {k}");
                    assert!(!distinct.contains(&entry.identity.name));
                }
            }
        }
    }

    #[test]
    fn i_watch_exactly_those_whose_monitor_i_am() {
        for size in 1..=12 {
            for k in 1..=6 {
                let list = list(size);
                for me in list.iter() {
                    let watched = names(&targets(&list, &me.identity.name, k, Entry::is_up));
                    let mut expected: Vec<Name> = list
                        .iter()
                        .filter(|other| {
                            names(&monitors(&list, &other.identity.name, k, Entry::is_up))
                                .contains(&me.identity.name)
                        })
                        .map(|other| other.identity.name.clone())
                        .collect();
                    expected.sort();
                    assert_eq!(watched, expected, "size {size}, k {k}");
                }
            }
        }
    }

    #[test]
    fn the_gone_are_stepped_over() {
        let mut list = list(8);
        let me = list.ring()[0].identity.name.clone();
        let next = list.ring()[1].identity.clone();
        list.merge(Update::new(next.clone(), Claim::Left), Instant::EPOCH);
        assert!(!names(&monitors(&list, &me, 4, Entry::is_up)).contains(&next.name));
        assert_eq!(monitors(&list, &me, 4, Entry::is_up).len(), 4);
    }
}
