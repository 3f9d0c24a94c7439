//! The ring: it orders the members, and decides who sends heartbeats to whom and who watches whom.
//! It also finds the members that a key belongs to. It owns nothing, because it is a view of a
//! list.
//!
//! A member sends its heartbeats to its ceil(k/2) successors and floor(k/2) predecessors. It
//! watches the members that send to it: its ceil(k/2) predecessors and floor(k/2) successors. For
//! even k these are the same members. In a group of k + 1 or fewer, every member watches every
//! other. Positions give the order, but members that name their zone are spread: see `zones.rs`.
//!
//! A key belongs to the first member whose position is not before the key's own, as in consistent
//! hashing (Karger et al., STOC 1997). The successors of a key begin with this owner and may share
//! a zone: see [`Ring::successors`]. The successors of a member do not include the member.

mod zones;

pub use zones::ZONE_CELL_MAX;

use crate::identity::{Name, Position};
use crate::list::{Entry, List};
use std::iter;
use std::sync::Arc;
use zones::Way;

/// The ring of some members of a list. Each member of the list knows the same ring.
///
/// ```
/// use memberd_membership::{List, Position, Ring};
///
/// let list = List::new();
/// assert!(Ring::of_up(&list).owner(Position::of_key(b"shop.log")).is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Ring<'a> {
    list: &'a List,
    stands: fn(&Entry) -> bool,
}

impl<'a> Ring<'a> {
    /// The ring of the members that are up, in this machine's view.
    pub fn of_up(list: &'a List) -> Self {
        Ring { list, stands: Entry::is_up }
    }

    /// The ring of those that are alive in what is reported to others: the doubted stand on it
    /// too.
    pub fn of_alive_to_others(list: &'a List) -> Self {
        Ring { list, stands: Entry::is_alive_to_others }
    }

    /// The monitors of `of`, to which it sends its heartbeats. `of` must be in the list, but need
    /// not stand on the ring.
    pub fn monitors(&self, of: &Name, k: usize) -> Vec<&'a Arc<Entry>> {
        self.neighbours(of, k.div_ceil(2), k / 2)
    }

    /// The members that `of` watches.
    pub fn targets(&self, of: &Name, k: usize) -> Vec<&'a Arc<Entry>> {
        self.neighbours(of, k / 2, k.div_ceil(2))
    }

    /// The member that a key belongs to; `None` for an empty ring. When a member comes or goes,
    /// only keys between it and its predecessor change their owner.
    pub fn owner(&self, key: Position) -> Option<&'a Arc<Entry>> {
        Some(&self.list.by_position()[self.owner_place(key)?])
    }

    /// Up to `n` distinct members: first the owner of a key, then the next ones on the ring. It
    /// returns fewer only if fewer stand there. The ring spreads the members of a zone, so copies
    /// rarely fail together. But distinct zones are not guaranteed: all `n` may be in one.
    pub fn successors(&self, key: Position, n: usize) -> Vec<&'a Arc<Entry>> {
        let Some(owner) = self.owner_place(key).filter(|_| n > 0) else { return Vec::new() };
        let ring = self.list.by_position();
        let following = self.following(owner, n - 1);
        iter::once(&ring[owner]).chain(following).collect()
    }

    /// All entries of the list in the order of the ring. An entry outside the ring follows its
    /// predecessor by position.
    pub fn order(&self) -> Vec<&'a Arc<Entry>> {
        let ring = self.list.by_position();
        let first = ring.iter().position(|entry| (self.stands)(entry));
        let Some(first) = first.filter(|_| self.list.has_zones()) else {
            return ring.iter().collect();
        };
        let others = zones::walk(ring, first, ring.len(), Way::Onward, &self.stands);
        let mut order = Vec::with_capacity(ring.len());
        for place in iter::once(first).chain(others) {
            order.push(&ring[place]);
            order.extend(ring[place + 1..].iter().take_while(|entry| !(self.stands)(entry)));
        }
        order.extend(ring[..first].iter().filter(|entry| !(self.stands)(entry)));
        order
    }

    /// The place of a key's owner among all entries by position.
    fn owner_place(&self, key: Position) -> Option<usize> {
        let ring = self.list.by_position();
        let start = ring.partition_point(|entry| entry.position < key);
        (start..ring.len()).chain(0..start).find(|place| (self.stands)(&ring[*place]))
    }

    /// Up to `n` members that follow the one at a place. That one stands on the ring.
    fn following(&self, place: usize, n: usize) -> Vec<&'a Arc<Entry>> {
        let ring = self.list.by_position();
        if self.list.has_zones() {
            let places = zones::walk(ring, place, n, Way::Onward, &self.stands);
            return places.into_iter().map(|place| &ring[place]).collect();
        }
        let after = ring[place + 1..].iter().chain(&ring[..place]);
        after.filter(|entry| (self.stands)(entry)).take(n).collect()
    }

    fn neighbours(&self, of: &Name, successors: usize, predecessors: usize) -> Vec<&'a Arc<Entry>> {
        let ring = self.list.by_position();
        let Some(place) = self.list.get(of).and_then(|entry| {
            ring.binary_search_by(|other| {
                (other.position, &other.identity.name).cmp(&(entry.position, of))
            })
            .ok()
        }) else {
            return Vec::new();
        };
        if !self.list.has_zones() {
            let after = ring[place + 1..].iter().chain(&ring[..place]);
            let before = after.clone().rev();
            let stands = |entry: &&Arc<Entry>| (self.stands)(entry);
            return distinct(
                after.filter(stands).take(successors),
                before.filter(stands).take(predecessors),
            );
        }
        let stands = |entry: &Entry| (self.stands)(entry) || entry.identity.name == *of;
        let after = zones::walk(ring, place, successors, Way::Onward, &stands);
        let before = zones::walk(ring, place, predecessors, Way::Back, &stands);
        distinct(
            after.into_iter().map(|place| &ring[place]),
            before.into_iter().map(|place| &ring[place]),
        )
    }
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
                    let monitors = Ring::of_up(&list).monitors(&entry.identity.name, k);
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
                    let watched = names(&Ring::of_up(&list).targets(&me.identity.name, k));
                    let mut expected: Vec<Name> = list
                        .iter()
                        .filter(|other| {
                            names(&Ring::of_up(&list).monitors(&other.identity.name, k))
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
        let me = list.by_position()[0].identity.name.clone();
        let next = list.by_position()[1].identity.clone();
        list.merge(Update::new(next.clone(), Claim::Left), Instant::EPOCH);
        assert!(!names(&Ring::of_up(&list).monitors(&me, 4)).contains(&next.name));
        assert_eq!(Ring::of_up(&list).monitors(&me, 4).len(), 4);
    }

    fn keys() -> impl Iterator<Item = Position> {
        (0..500_u32).map(|key| Position::of_key(&key.to_be_bytes()))
    }

    #[test]
    fn a_key_belongs_to_the_first_member_not_before_it() {
        let list = list(12);
        let ring = Ring::of_up(&list);
        let positions: Vec<Position> =
            list.by_position().iter().map(|entry| entry.position).collect();
        for entry in list.by_position() {
            assert_eq!(ring.owner(entry.position).unwrap().position, entry.position);
        }
        for key in keys() {
            let expected = positions.iter().find(|position| **position >= key);
            let owner = ring.owner(key).unwrap().position;
            assert_eq!(owner, *expected.unwrap_or(&positions[0]));
        }
    }

    #[test]
    fn successors_are_distinct_and_begin_with_the_owner() {
        let list = list(7);
        let ring = Ring::of_up(&list);
        for key in keys() {
            for n in 0..10 {
                let successors = ring.successors(key, n);
                let mut distinct = names(&successors);
                distinct.dedup();
                assert_eq!(distinct.len(), n.min(7));
                assert_eq!(successors.first().copied(), ring.owner(key).filter(|_| n > 0));
            }
        }
    }

    #[test]
    fn only_the_keys_of_a_member_that_goes_change_their_owner() {
        let before = list(20);
        let gone = before.by_position()[7].identity.clone();
        let mut after = before.clone();
        after.merge(Update::new(gone.clone(), Claim::Left), Instant::EPOCH);
        for key in keys() {
            let old = Ring::of_up(&before).successors(key, 2);
            let new = Ring::of_up(&after).owner(key).unwrap();
            let heir = if old[0].identity == gone { old[1] } else { old[0] };
            assert_eq!(new.identity, heir.identity);
        }
    }

    #[test]
    fn nobody_owns_a_key_where_nobody_stands() {
        let empty = List::new();
        assert_eq!(Ring::of_up(&empty).owner(Position(7)), None);
        assert!(Ring::of_up(&empty).successors(Position(7), 3).is_empty());
    }

    #[test]
    fn copies_of_a_key_are_not_all_in_one_zone() {
        let mut zoned = List::new();
        for i in 0..30_u16 {
            let zone = crate::testing::tags("zone", &(i % 3).to_string());
            let mut update = list(30).iter().nth(usize::from(i)).unwrap().to_update();
            update.tags = crate::list::tags::VersionedTags::first(zone);
            zoned.merge(update, Instant::EPOCH);
        }
        for key in keys() {
            let copies = Ring::of_up(&zoned).successors(key, 3);
            assert_eq!(copies.len(), 3);
            assert!(copies.iter().any(|copy| copy.zone() != copies[0].zone()), "{copies:?}");
        }
    }
}
