//! Zones on the ring: members of one zone, which may fail together, are spread, so that no zone's
//! end takes all monitors of a member.
//!
//! The ring of positions is cut into cells, and within a cell each zone's members are dealt evenly
//! over the cell's places, the largest zone first, each zone in the order of its positions. A cell
//! is all members whose positions begin with the same bits. One of more than [`ZONE_CELL_MAX`]
//! members is halved by the next bit in any case; a smaller one as long as both halves have
//! [`ZONE_CELL_MIN`] members and no zone has more than half of either. So the order depends on
//! nothing but who stands on the ring, a member that comes or goes moves others in its own cell
//! only, and where all are of one zone, or none names its zone, the order is that of the positions.

use crate::identity::Position;
use crate::list::Entry;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A cell of more members than this is halved in any case.
pub const ZONE_CELL_MAX: usize = 256;

/// No cell of up to [`ZONE_CELL_MAX`] members is halved so that one half has fewer.
const ZONE_CELL_MIN: usize = 8;

/// Which way round the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Onward,
    Back,
}

/// A cell, by the places of its members among all entries by position.
struct Cell {
    /// In the order of positions.
    members: Vec<usize>,
    /// In the order of the ring.
    order: Vec<usize>,
}

/// Up to `wanted` members that stand on the ring next to the one at `place`, the nearest first.
/// That one must stand on it.
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

/// The next place on the way round at which somebody stands; the same one if nobody else does.
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
    /// The cell of the member at a place, who stands on the ring.
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

    /// The last of its positions on the way round.
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

/// The places of the neighbours of `place` whose positions share this many bits with its own: those
/// before it, the nearest first, and those after it.
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

/// Whether these can do as a cell of their own: enough of them, and no zone has more than half.
fn is_mixed(ring: &[Arc<Entry>], members: &[usize]) -> bool {
    let most = by_zone(ring, members).first().map_or(0, Vec::len);
    members.len() >= ZONE_CELL_MIN && most <= members.len().div_ceil(2)
}

/// The members of each zone in the order of positions, the largest zone first. Those that name none
/// are a zone too.
fn by_zone(ring: &[Arc<Entry>], members: &[usize]) -> Vec<Vec<usize>> {
    let mut zones = BTreeMap::new();
    for member in members {
        zones.entry(ring[*member].zone()).or_insert_with(Vec::new).push(*member);
    }
    let mut zones: Vec<Vec<usize>> = zones.into_values().collect();
    // Stable: of two zones of one size the one whose name comes first.
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
            // In the middle of the rank's share of the places: less than all of them, and another
            // for each rank.
            *free[(2 * rank + 1) * places / (2 * count)] = Some(member);
        }
    }
    order.into_iter().flatten().collect()
}
