//! The waiting room of candidates. It owns those that wait, who reported them, and whose turn it
//! is.
//!
//! Every reporter has a queue, and the queues take turns. A full room makes place at the cost of
//! the longest queue. So a member that reports thousands delays no name that another reports.

use super::host::host_of;
use crate::identity::{Identity, Incarnation};
use crate::list::Update;
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound;

/// The most candidates that wait. What finds no place is reported again, as long as lists
/// differ.
pub(super) const MAX_WAITING: usize = 4_096;

/// One candidate.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) update: Update,
    /// Who reported it, first and then another. More are not needed.
    pub(super) reporters: Vec<SocketAddr>,
    /// When to ask it first.
    pub(super) ask_at: Instant,
    /// How often it was asked.
    pub(super) asks: u32,
    /// When it is given up, once it was asked.
    pub(super) until: Instant,
    /// Whether another member says that it has heard it.
    pub(super) was_heard: bool,
}

/// The room.
#[derive(Debug, Default)]
pub(super) struct Room {
    waiting: BTreeMap<Identity, Candidate>,
    /// Those that were not asked yet, by the machine that reported them first. A queue may also
    /// name some that are gone from the room.
    queues: BTreeMap<IpAddr, VecDeque<Identity>>,
    /// Whose turn was last.
    served: Option<IpAddr>,
}

impl Room {
    pub(super) fn get(&self, identity: &Identity) -> Option<&Candidate> {
        self.waiting.get(identity)
    }

    pub(super) fn get_mut(&mut self, identity: &Identity) -> Option<&mut Candidate> {
        self.waiting.get_mut(identity)
    }

    /// The smaller incarnations of the same name at the same address.
    pub(super) fn former(&self, identity: &Identity) -> Vec<Identity> {
        let first = Identity { incarnation: Incarnation(0), ..identity.clone() };
        self.waiting.range(first..identity.clone()).map(|(former, _)| former.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn remove(&mut self, identity: &Identity) -> Option<Candidate> {
        self.waiting.remove(identity)
    }

    /// Takes a candidate in. Returns how many are left out for it, itself included: none or one.
    pub(super) fn add(&mut self, candidate: Candidate, from: SocketAddr) -> usize {
        let host = host_of(from);
        let mut left_out = 0;
        if self.waiting.len() >= MAX_WAITING || self.length(host) >= MAX_WAITING {
            left_out = 1;
            let longest = self.queues.iter().max_by_key(|(_, queue)| queue.len());
            let longest = longest.map(|(host, queue)| (*host, queue.len()));
            let Some((host, _)) = longest.filter(|(_, most)| *most > self.length(host) + 1) else {
                return left_out;
            };
            let newest = self.queues.get_mut(&host).and_then(VecDeque::pop_back);
            newest.and_then(|newest| self.waiting.remove(&newest));
        }
        let identity = candidate.update.identity.clone();
        self.queues.entry(host).or_default().push_back(identity.clone());
        self.waiting.insert(identity, candidate);
        left_out
    }

    /// The next one to ask: of the reporter whose turn it is, the oldest whose time has come. Some
    /// reporters may have no turn.
    pub(super) fn next(
        &mut self,
        now: Instant,
        has_turn: impl Fn(&IpAddr) -> bool,
    ) -> Option<Identity> {
        for host in self.turns().into_iter().filter(has_turn) {
            let queue = self.queues.get_mut(&host)?;
            while let Some(identity) = queue.front() {
                match self.waiting.get(identity).filter(|candidate| candidate.asks == 0) {
                    Some(candidate) if candidate.ask_at > now => break,
                    waits => {
                        let waits = waits.is_some();
                        let identity = queue.pop_front();
                        if waits {
                            self.served = Some(host);
                            return identity;
                        }
                    }
                }
            }
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        None
    }

    /// When the next one may be asked.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let fronts = self.queues.values().filter_map(VecDeque::front);
        // One that is gone from the room is cleared away when its turn comes.
        let at =
            fronts.map(|first| self.waiting.get(first).map_or(Instant::EPOCH, |one| one.ask_at));
        at.min()
    }

    /// The reporters, from the one after that whose turn was last.
    fn turns(&self) -> Vec<IpAddr> {
        let Some(served) = self.served else { return self.queues.keys().copied().collect() };
        let after = self.queues.range((Bound::Excluded(served), Bound::Unbounded));
        let rest = self.queues.range(..=served);
        after.chain(rest).map(|(host, _)| *host).collect()
    }

    fn length(&self, host: IpAddr) -> usize {
        self.queues.get(&host).map_or(0, VecDeque::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Name;
    use crate::list::Claim;
    use crate::testing::{address, at};

    fn candidate(reporter: u8, number: usize) -> Candidate {
        let name = Name::new(&format!("g{reporter}_{number}")).unwrap();
        let identity = Identity { name, address: address(99), incarnation: Incarnation(1) };
        Candidate {
            update: Update::new(identity, Claim::Alive),
            reporters: vec![address(reporter)],
            ask_at: at(10).mono,
            asks: 0,
            until: at(0).mono,
            was_heard: false,
        }
    }

    fn next(room: &mut Room) -> Option<String> {
        room.next(at(10).mono, |_| true).map(|identity| identity.name.to_string())
    }

    #[test]
    fn reporters_take_turns_and_their_oldest_comes_first() {
        let mut room = Room::default();
        for (reporter, number) in [(1, 0), (1, 1), (1, 2), (2, 0), (3, 0)] {
            assert_eq!(room.add(candidate(reporter, number), address(reporter)), 0);
        }
        room.remove(&candidate(2, 0).update.identity);
        assert_eq!(room.next(at(9).mono, |_| true), None, "nobody's time has come");
        assert_eq!(room.next_at(), Some(at(10).mono));
        let order = [(); 4].map(|()| next(&mut room).unwrap());
        assert_eq!(order, ["g1_0", "g3_0", "g1_1", "g1_2"]);
        assert_eq!((next(&mut room), room.next_at()), (None, None));
    }

    /// What one machine reports fills the room, but keeps nobody else's names out of it.
    #[test]
    fn a_full_room_makes_place_at_the_cost_of_the_longest_queue() {
        let mut room = Room::default();
        let told = |room: &mut Room, reporter, count| -> usize {
            (0..count).map(|number| room.add(candidate(reporter, number), address(reporter))).sum()
        };
        assert_eq!(told(&mut room, 1, 20_000), 20_000 - MAX_WAITING);
        assert_eq!(told(&mut room, 2, 100), 100);
        assert_eq!(room.len(), MAX_WAITING);
        let order = [(); 200].map(|()| next(&mut room).unwrap());
        assert_eq!(order.iter().filter(|name| name.starts_with("g2_")).count(), 100);
    }
}
