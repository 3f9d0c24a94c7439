//! Broadcasts: recent facts go to a few other members at once, and updates also travel with the
//! next heartbeats. It owns these facts.

use crate::context::Context;
use crate::identity::Name;
use crate::list::Update;
use crate::members::Members;
use crate::message::UPDATES_ROOM;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// Up to this many members, a member that learns an update first-hand sends it to everyone
/// directly.
pub(crate) const TELL_EVERYONE_UP_TO: usize = 64;

/// How many random members receive each round.
pub(crate) const FANOUT: usize = 4;

/// The number of rounds that pass an update on, in a group too large for direct messages to
/// everyone.
pub(crate) const ROUNDS: u8 = 3;

/// More updates than this at once, as when a whole fleet starts, are sent in one round only. Every
/// round takes many datagrams, most of what they say is known already, and lists are compared for
/// the rest.
const BULK: usize = 200;

/// The shortest time between two rounds. Updates learned meanwhile travel together.
pub(crate) const ROUND_GAP: Duration = Duration::from_millis(25);

/// The most bytes of updates in a heartbeat.
const RIDING_ROOM: usize = UPDATES_ROOM / 2;

/// A fact that is spread.
pub(crate) trait Fact: Clone {
    /// What tells whether two facts are about the same.
    type About: Clone + Ord + std::fmt::Debug;

    /// What it is about, such as a member.
    fn about(&self) -> &Self::About;
}

impl Fact for Update {
    type About = Name;

    fn about(&self) -> &Name {
        &self.identity.name
    }
}

/// The source of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// This member saw it: it declared the failure, or received the leave or the newcomer's
    /// announce.
    FirstHand,
    /// Another reported it.
    SecondHand,
}

#[derive(Debug, Clone)]
struct Item<T> {
    fact: T,
    source: Source,
    rounds_left: u8,
    rides_until: Instant,
}

/// Facts to send in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Round<T> {
    /// To all members.
    pub everyone: Vec<T>,
    /// To [`FANOUT`] random ones.
    pub few: Vec<T>,
}

impl<T> Round<T> {
    /// To whom which facts go. The random members are drawn now.
    pub(crate) fn addressed(
        self,
        members: &Members,
        context: &mut Context,
    ) -> Vec<(Vec<SocketAddr>, Vec<T>)> {
        let parts = [(usize::MAX, self.everyone), (FANOUT, self.few)];
        let told = parts.into_iter().filter(|(_, facts)| !facts.is_empty());
        let nobody = BTreeSet::new();
        let mut draw = |count| members.random(count, &nobody, &context.local, &mut context.rng);
        told.map(|(count, facts)| (draw(count), facts)).collect()
    }
}

/// The facts that one member spreads.
#[derive(Debug)]
pub(crate) struct Broadcasts<T: Fact> {
    items: BTreeMap<T::About, Item<T>>,
    next_round: Option<Instant>,
    last_round: Option<Instant>,
}

impl<T: Fact> Default for Broadcasts<T> {
    fn default() -> Self {
        Broadcasts { items: BTreeMap::new(), next_round: None, last_round: None }
    }
}

impl<T: Fact> Broadcasts<T> {
    /// Takes a fact. It replaces an older one about the same.
    pub(crate) fn learn(
        &mut self,
        fact: T,
        source: Source,
        members: usize,
        ride: Duration,
        now: Instant,
    ) {
        let rounds_left = if members <= TELL_EVERYONE_UP_TO { 1 } else { ROUNDS };
        let about = fact.about().clone();
        let item = Item { source, rounds_left, rides_until: now + ride, fact };
        self.items.insert(about, item);
        let earliest = self.last_round.map_or(now, |last| (last + ROUND_GAP).max(now));
        self.next_round = Some(self.next_round.map_or(earliest, |next| next.min(earliest)));
    }

    /// The facts to send now, if a round is due.
    pub(crate) fn round(&mut self, members: usize, now: Instant) -> Option<Round<T>> {
        self.next_round.filter(|next| *next <= now)?;
        self.last_round = Some(now);
        self.items.retain(|_, item| item.rounds_left > 0 || now < item.rides_until);
        let mut round = Round { everyone: Vec::new(), few: Vec::new() };
        for item in self.items.values_mut().filter(|item| item.rounds_left > 0) {
            item.rounds_left -= 1;
            match item.source {
                Source::FirstHand if members <= TELL_EVERYONE_UP_TO => {
                    round.everyone.push(item.fact.clone());
                }
                Source::FirstHand | Source::SecondHand => round.few.push(item.fact.clone()),
            }
        }
        if round.few.len() > BULK {
            self.items.values_mut().for_each(|item| item.rounds_left = 0);
        }
        let more = self.items.values().any(|item| item.rounds_left > 0);
        self.next_round = more.then_some(now + ROUND_GAP);
        Some(round)
    }

    /// Whether further rounds will send the fact about this.
    pub(crate) fn is_spreading(&self, about: &T::About) -> bool {
        self.items.get(about).is_some_and(|item| item.rounds_left > 0)
    }

    /// The time of the next round.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_round
    }
}

impl Broadcasts<Update> {
    /// The updates to add to heartbeats now, as many as fit.
    pub(crate) fn riding(&mut self, now: Instant) -> Vec<Update> {
        self.items.retain(|_, item| item.rounds_left > 0 || now < item.rides_until);
        let mut room = RIDING_ROOM;
        let mut riding = Vec::new();
        for item in self.items.values().filter(|item| now < item.rides_until) {
            let Some(left) = room.checked_sub(item.fact.wire_size()) else { break };
            room = left;
            riding.push(item.fact.clone());
        }
        riding
    }
}
