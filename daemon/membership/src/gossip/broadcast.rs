//! Broadcasts: recent updates go to a few other members at once, and travel with the next
//! heartbeats. It owns these updates.

use crate::identity::Name;
use crate::list::Update;
use crate::message::UPDATES_ROOM;
use crate::time::Instant;
use std::collections::BTreeMap;
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

/// The source of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// This member saw it: it declared the failure, or received the leave or the newcomer's
    /// announce.
    FirstHand,
    /// Another reported it.
    SecondHand,
}

#[derive(Debug, Clone)]
struct Item {
    update: Update,
    source: Source,
    rounds_left: u8,
    rides_until: Instant,
}

/// Updates to send in one round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// To all members.
    pub everyone: Vec<Update>,
    /// To [`FANOUT`] random ones.
    pub few: Vec<Update>,
}

/// The updates of one member.
#[derive(Debug, Clone, Default)]
pub(crate) struct Broadcasts {
    items: BTreeMap<Name, Item>,
    next_round: Option<Instant>,
    last_round: Option<Instant>,
}

impl Broadcasts {
    /// Takes an update. It replaces an older one about the same member.
    pub(crate) fn learn(
        &mut self,
        update: Update,
        source: Source,
        members: usize,
        ride: Duration,
        now: Instant,
    ) {
        let rounds_left = if members <= TELL_EVERYONE_UP_TO { 1 } else { ROUNDS };
        let item = Item { source, rounds_left, rides_until: now + ride, update };
        self.items.insert(item.update.identity.name.clone(), item);
        let earliest = self.last_round.map_or(now, |last| (last + ROUND_GAP).max(now));
        self.next_round = Some(self.next_round.map_or(earliest, |next| next.min(earliest)));
    }

    /// The updates to send now, if a round is due.
    pub(crate) fn round(&mut self, members: usize, now: Instant) -> Option<Round> {
        self.next_round.filter(|next| *next <= now)?;
        self.last_round = Some(now);
        self.items.retain(|_, item| item.rounds_left > 0 || now < item.rides_until);
        let mut round = Round::default();
        for item in self.items.values_mut().filter(|item| item.rounds_left > 0) {
            item.rounds_left -= 1;
            match item.source {
                Source::FirstHand if members <= TELL_EVERYONE_UP_TO => {
                    round.everyone.push(item.update.clone());
                }
                Source::FirstHand | Source::SecondHand => round.few.push(item.update.clone()),
            }
        }
        if round.few.len() > BULK {
            self.items.values_mut().for_each(|item| item.rounds_left = 0);
        }
        let more = self.items.values().any(|item| item.rounds_left > 0);
        self.next_round = more.then_some(now + ROUND_GAP);
        Some(round)
    }

    /// The updates to add to heartbeats now, as many as fit.
    pub(crate) fn riding(&mut self, now: Instant) -> Vec<Update> {
        self.items.retain(|_, item| item.rounds_left > 0 || now < item.rides_until);
        let mut room = RIDING_ROOM;
        let mut riding = Vec::new();
        for item in self.items.values().filter(|item| now < item.rides_until) {
            let Some(left) = room.checked_sub(item.update.wire_size()) else { break };
            room = left;
            riding.push(item.update.clone());
        }
        riding
    }

    /// The time of the next round.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_round
    }
}
