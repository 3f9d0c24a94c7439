//! Healing: knocking at the lost, telling those that are gone here, and coming back after having
//! been declared failed.

use super::{MAX_ACQUAINTANCES, Node, Phase};
use crate::calls::{CallError, CallPurpose};
use crate::event::Event;
use crate::gossip::anti_entropy::digest::Digest;
use crate::gossip::broadcast::{Rumours, TELL_EVERYONE_UP_TO};
use crate::identity::{Identity, Incarnation};
use crate::join::{CallReply, CallRequest};
use crate::list::{Claim, Standing, Update};
use crate::message::Body;
use crate::time::{Instant, Now};
use rand::RngExt;
use rand::seq::IndexedRandom;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// How often all members together knock: each waits this long times the number of members between
/// two knocks.
const FLEET_KNOCK_INTERVAL: Duration = Duration::from_millis(250);

/// How often one member knocks at most.
const KNOCK_INTERVAL: Duration = Duration::from_millis(500);

/// The least time between two attempts to come back.
const RENEWAL_PAUSE: Duration = Duration::from_millis(500);

/// How many former companions a member that changes sides tells of it in a large group.
const TELL_COMPANIONS: usize = 8;

/// What healing goes by.
#[derive(Debug)]
pub(super) struct Healing {
    pub(super) next_at: Option<Instant>,
    introducers: Vec<SocketAddr>,
    /// Members of former days, from the state file and from entries that were forgotten.
    acquaintances: VecDeque<SocketAddr>,
    /// The incarnation that this member asked to come back with.
    asked_for: Incarnation,
    next_renewal: Instant,
    other_settings: BTreeSet<SocketAddr>,
}

impl Default for Healing {
    fn default() -> Self {
        Healing {
            next_at: None,
            introducers: Vec::new(),
            acquaintances: VecDeque::new(),
            asked_for: Incarnation(0),
            next_renewal: Instant::EPOCH,
            other_settings: BTreeSet::new(),
        }
    }
}

impl Healing {
    pub(super) fn remember(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        for address in addresses.into_iter().take(MAX_ACQUAINTANCES) {
            if !self.acquaintances.contains(&address) {
                self.acquaintances.push_back(address);
            }
        }
        let surplus = self.acquaintances.len().saturating_sub(MAX_ACQUAINTANCES);
        self.acquaintances.drain(..surplus);
    }

    pub(super) fn set_introducers(&mut self, introducers: Vec<SocketAddr>) {
        self.introducers = introducers;
    }

    /// A group with other settings is reported once for each address.
    pub(super) fn note_other_settings(
        &mut self,
        address: SocketAddr,
        events: &mut VecDeque<Event>,
    ) {
        if self.other_settings.len() < MAX_ACQUAINTANCES && self.other_settings.insert(address) {
            events.push_back(Event::OtherSettings { address });
        }
    }

    pub(super) fn abandon(&mut self) {
        self.next_at = None;
    }
}

impl Node {
    pub(super) fn knock_if_due(&mut self, now: Now) {
        if self.healing.next_at.is_some_and(|next| next > now.mono) {
            return;
        }
        let share = u32::try_from(self.list.up()).unwrap_or(u32::MAX);
        let pause = KNOCK_INTERVAL.max(FLEET_KNOCK_INTERVAL.saturating_mul(share));
        let first = self.healing.next_at.is_none();
        self.healing.next_at = Some(now.mono + pause.mul_f64(0.5 + self.rng.random::<f64>()));
        if first || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        let lost = self.lost();
        if let Some(address) = lost.choose(&mut self.rng) {
            self.knock(*address, now);
        }
    }

    /// Asks whether anybody is there: a member answers with a heartbeat that introduces it.
    pub(super) fn knock(&mut self, to: SocketAddr, now: Now) {
        let body = Body::Knock {
            name: self.name.clone(),
            settings: self.settings.group.fingerprint(),
            side: self.list.digest(),
        };
        self.send(to, body, now);
    }

    /// Where members may be that this one has lost: the failed, absent introducers, and
    /// acquaintances that are not in the list.
    fn lost(&self) -> Vec<SocketAddr> {
        let failed = self
            .list
            .iter()
            .filter(|entry| matches!(entry.standing, Standing::Failed(_) | Standing::Doubted(_)));
        let absent =
            self.healing.introducers.iter().chain(&self.healing.acquaintances).copied().filter(
                |address| {
                    *address != self.address
                        && self.list.at(*address).is_none_or(|entry| !entry.is_up())
                },
            );
        let lost: BTreeSet<SocketAddr> =
            failed.map(|entry| entry.identity.address).chain(absent).collect();
        lost.into_iter().collect()
    }

    /// Tells a member that it is gone here.
    pub(super) fn send_verdict(&mut self, to: SocketAddr, incarnation: Incarnation, now: Now) {
        self.send(to, Body::Verdict { incarnation, side: self.list.digest() }, now);
    }

    /// Somebody, in the life `theirs`, holds this member for gone. If each holds the very life of
    /// the other for failed, the group was split, and the smaller side yields: its members come
    /// back one by one, and the larger side keeps its incarnations. Else this member comes back
    /// through it: it is up here and right, or what is held here is of another life, by which it
    /// could not be told.
    pub(super) fn hear_verdict(
        &mut self,
        from: SocketAddr,
        theirs: Incarnation,
        incarnation: Incarnation,
        side: Digest,
        now: Now,
    ) {
        if incarnation != self.incarnation || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        let known = self.list.at(from).is_some() || self.healing.introducers.contains(&from);
        if !known && !self.healing.acquaintances.contains(&from) {
            return;
        }
        if self.holds_failed(from, theirs) && side <= self.list.digest() {
            self.send_verdict(from, theirs, now);
            return;
        }
        self.renew_through(from, incarnation, now);
    }

    /// Asks a member to let this one in again, under an incarnation larger than `known`.
    pub(super) fn renew_through(&mut self, via: SocketAddr, known: Incarnation, now: Now) {
        if self.calls.any(CallPurpose::Rejoin) || now.mono < self.healing.next_renewal {
            return;
        }
        self.healing.next_renewal = now.mono + RENEWAL_PAUSE;
        let incarnation = self.next_incarnation(now, known);
        let mut newcomer = self.introduction();
        newcomer.identity.incarnation = incarnation;
        let request = CallRequest::Join { newcomer, settings: self.settings.group };
        self.calls.start(via, &request, CallPurpose::Rejoin);
        self.healing.asked_for = incarnation;
    }

    /// Takes in the reply to the call by which this member comes back. Without a welcome the next
    /// verdict starts another attempt.
    pub(super) fn finish_renewal(&mut self, reply: Result<CallReply, CallError>, now: Now) {
        let Ok(CallReply::Welcome { list, last }) = reply else { return };
        let old = self.incarnation;
        let known = self.believed(last, now);
        let new = self.next_incarnation(now, known).max(self.healing.asked_for);
        let companions = self.companions();
        // What the former life still had to say of others was about another side.
        self.rumours = Rumours::default();
        self.begin_incarnation(new, now);
        self.take_over(&list, now);
        self.announce(now);
        self.events.push_back(Event::Renewed { old, new });
        self.tell_companions(companions, now);
    }

    /// Comes back without asking: others hold this very life for being elsewhere, and only it can
    /// know better.
    pub(super) fn renew_alone(&mut self, now: Now) {
        if now.mono < self.healing.next_renewal {
            return;
        }
        self.healing.next_renewal = now.mono + RENEWAL_PAUSE;
        self.calls.abandon(CallPurpose::Rejoin);
        let old = self.incarnation;
        let new = self.next_incarnation(now, old);
        self.begin_incarnation(new, now);
        self.announce(now);
        self.events.push_back(Event::Renewed { old, new });
    }

    /// Another live machine has the name and is the newer.
    pub(super) fn give_way(&mut self, by: Identity) {
        self.events.push_back(Event::Superseded { by });
        self.go_out();
    }

    /// Takes over the list of another side. What it says of equal incarnations counts more than
    /// what was believed here, but for leaves: whom this side lost is up there, or will be declared
    /// there.
    pub(super) fn take_over(&mut self, theirs: &[Update], now: Now) {
        for update in theirs {
            if update.identity.name == self.name {
                continue;
            }
            if !self.is_plausible(update.identity.incarnation, now) {
                self.counters.implausible += 1;
                continue;
            }
            let keeps = self.list.get(&update.identity.name).is_some_and(|ours| {
                let newer = ours.identity.incarnation > update.identity.incarnation;
                let same = ours.identity.incarnation == update.identity.incarnation;
                let settled = match &ours.standing {
                    Standing::Left => true,
                    Standing::Failed(_) => update.claim != Claim::Alive,
                    Standing::Alive => update.claim == Claim::Alive,
                    Standing::Doubted(_) => false,
                };
                newer || same && settled
            });
            let change = if keeps {
                self.list.merge_tags(update, now.mono)
            } else {
                self.list.set(update.clone(), now.mono)
            };
            if let Some(change) = change {
                self.changed(&change, now);
            }
        }
        self.drop_settled_doubts();
    }

    /// Those that are up here, with their incarnations.
    fn companions(&self) -> Vec<(SocketAddr, Incarnation)> {
        let up = self.list.iter().filter(|entry| entry.is_up() && entry.identity.name != self.name);
        up.map(|entry| (entry.identity.address, entry.identity.incarnation)).collect()
    }

    /// After a change of sides the former companions are told, so that they follow at once.
    fn tell_companions(&mut self, companions: Vec<(SocketAddr, Incarnation)>, now: Now) {
        let mut left_behind: Vec<(SocketAddr, Incarnation)> = companions
            .into_iter()
            .filter(|(address, incarnation)| self.holds_failed(*address, *incarnation))
            .collect();
        if left_behind.len() > TELL_EVERYONE_UP_TO {
            left_behind = left_behind.sample(&mut self.rng, TELL_COMPANIONS).copied().collect();
        }
        for (address, incarnation) in left_behind {
            self.send_verdict(address, incarnation, now);
        }
    }
}
