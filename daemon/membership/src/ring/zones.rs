//! Spreads the members of a zone over the ring, because they may fail together. So the end of a
//! zone never takes all monitors of a member. This file owns no state.
//!
//! The ring of positions is cut into cells. Within a cell, each zone's members are dealt evenly
//! over the places, the largest zone first, and each zone in the order of its positions. A cell has
//! all members whose positions begin with the same bits. A cell of more than [`ZONE_CELL_MAX`]
//! members is always halved by the next bit. A smaller cell is halved if both halves have
//! [`ZONE_CELL_MIN`] members and no zone has more than half of either. So the order depends only on
//! the members of the ring. A member that comes or goes moves others in its own cell only. If all
//! members have one zone, or none names its zone, the order is that of the positions.

use crate::identity::Position;
use crate::list::Entry;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A cell of more members than this is always halved.
pub const ZONE_CELL_MAX: usize = 256;

/// No cell of up to [`ZONE_CELL_MAX`] members is halved so that one half has fewer.
const ZONE_CELL_MIN: usize = 8;

/// The direction on the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Onward,
    Back,
}

/// A cell, by the places of its members among all entries by position.
struct Cell {
    /// The places in the order of positions.
    members: Vec<usize>,
    /// The places in the order of the ring.
    order: Vec<usize>,
}

/// Up to `wanted` members of the ring next to the one at `place`, the nearest first. That one must
/// stand on the ring.
pub(super) fn walk(
    ring: &[Arc<Entry>],
    place: usize,
    wanted: usize,
    way: Way,
    stands: &impl Fn(&Entry) -> bool,
) -> Vec<usize> {
    let home = Cell::at(ring, place, stands);
    let (mut before, mut after): (Vec<usize>, Vec<usize>) = {
        let mut halves = home.order.split(|member| *member == place).map(<[usize]>::to_vec);
        (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
    };
    if way == Way::Back {
        (before, after) = (after.into_iter().rev().collect(), before.into_iter().rev().collect());
    }
    let mut found = after;
    let mut next = next_place(ring, home.end(way), way, stands);
    while found.len() < wanted && !home.members.contains(&next) {
        let cell = Cell::at(ring, next, stands);
        match way {
            Way::Onward => found.extend(&cell.order),
            Way::Back => found.extend(cell.order.iter().rev()),
        }
        next = next_place(ring, cell.end(way), way, stands);
    }
    found.extend(before);
    found.truncate(wanted);
    found
}

/// The next occupied place in this direction, or the same place if no other is occupied.
fn next_place(
    ring: &[Arc<Entry>],
    place: usize,
    way: Way,
    stands: &impl Fn(&Entry) -> bool,
) -> usize {
    let mut onward = (place + 1..ring.len()).chain(0..place);
    let is_taken = |place: &usize| ring.get(*place).is_some_and(|entry| stands(entry));
    match way {
        Way::Onward => onward.find(is_taken),
        Way::Back => onward.rfind(is_taken),
    }
    .unwrap_or(place)
}

impl Cell {
    /// The cell of the member at a place. The member stands on the ring.
    fn at(ring: &[Arc<Entry>], place: usize, stands: &impl Fn(&Entry) -> bool) -> Cell {
        let own = ring[place].position;
        let mut bits = 0;
        while bits < u64::BITS && is_too_large(ring, place, bits, stands) {
            bits += 1;
        }
        let (before, after) = beside(ring, place, bits, stands);
        let mut members: Vec<usize> = before.collect();
        members.reverse();
        members.push(place);
        members.extend(after);
        let mut members = members.as_slice();
        while bits < u64::BITS {
            let (low, high) = members
                .split_at(members.partition_point(|member| bit(ring[*member].position, bits) == 0));
            if !(is_mixed(ring, low) && is_mixed(ring, high)) {
                break;
            }
            members = if bit(own, bits) == 0 { low } else { high };
            bits += 1;
        }
        Cell { members: members.to_vec(), order: spread(ring, members) }
    }

    /// The last of its positions in this direction.
    fn end(&self, way: Way) -> usize {
        let end = match way {
            Way::Onward => self.members.last(),
            Way::Back => self.members.first(),
        };
        end.copied().unwrap_or_default()
    }
}

fn bit(position: Position, index: u32) -> u64 {
    position.0 >> (u64::BITS - 1 - index) & 1
}

/// The places of the neighbours of `place` whose positions share this many bits with its own. The
/// first iterator has those before it, the nearest first, and the second those after it.
fn beside(
    ring: &[Arc<Entry>],
    place: usize,
    bits: u32,
    stands: &impl Fn(&Entry) -> bool,
) -> (impl Iterator<Item = usize>, impl Iterator<Item = usize>) {
    let own = ring[place].position;
    let shared = move |other: &usize| (ring[*other].position.0 ^ own.0).leading_zeros() >= bits;
    let standing = |other: &usize| stands(&ring[*other]);
    let before = (0..place).rev().take_while(shared).filter(standing);
    (before, (place + 1..ring.len()).take_while(shared).filter(standing))
}

/// Whether a prefix of this many bits has more than [`ZONE_CELL_MAX`] members. It looks at no more
/// than twice as many.
fn is_too_large(
    ring: &[Arc<Entry>],
    place: usize,
    bits: u32,
    stands: &impl Fn(&Entry) -> bool,
) -> bool {
    let (before, after) = beside(ring, place, bits, stands);
    1 + before.take(ZONE_CELL_MAX).count() + after.take(ZONE_CELL_MAX).count() > ZONE_CELL_MAX
}

/// Whether these members can form a cell: there are enough of them, and no zone has more than half.
fn is_mixed(ring: &[Arc<Entry>], members: &[usize]) -> bool {
    let most = by_zone(ring, members).first().map_or(0, Vec::len);
    members.len() >= ZONE_CELL_MIN && most <= members.len().div_ceil(2)
}

/// The members of each zone in the order of positions, the largest zone first. Members without a
/// zone count as one zone.
fn by_zone(ring: &[Arc<Entry>], members: &[usize]) -> Vec<Vec<usize>> {
    let mut zones = BTreeMap::new();
    for member in members {
        zones.entry(ring[*member].zone()).or_insert_with(Vec::new).push(*member);
    }
    let mut zones: Vec<Vec<usize>> = zones.into_values().collect();
    // The sort is stable. Of two zones of one size, the one whose name comes first stays first.
    zones.sort_by_key(|zone| Reverse(zone.len()));
    zones
}

/// Deals each zone's members evenly over the places that are still free.
fn spread(ring: &[Arc<Entry>], members: &[usize]) -> Vec<usize> {
    let mut order = vec![None; members.len()];
    for zone in by_zone(ring, members) {
        let mut free: Vec<&mut Option<usize>> =
            order.iter_mut().filter(|place| place.is_none()).collect();
        let (places, count) = (free.len(), zone.len());
        for (rank, member) in zone.into_iter().enumerate() {
            // The middle of the rank's share of the places. It is within the places, and differs
            // for each rank.
            *free[(2 * rank + 1) * places / (2 * count)] = Some(member);
        }
    }
    order.into_iter().flatten().collect()
}
