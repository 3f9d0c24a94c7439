//! Datagrams in: who sent them, whether they are believed, and what follows.

use super::{Node, Phase};
use crate::detector::peer_clock::Agreement;
use crate::event::Event;
use crate::gossip::broadcast::Source;
use crate::identity::{Identity, Incarnation, Name};
use crate::list::{Claim, Standing, Update};
use crate::message::{Body, Message};
use crate::time::{Instant, Now};
use crate::wire::{self, DecodeError};
use std::net::SocketAddr;
use std::time::Duration;

/// For how long a wall clock has to disagree before that is reported.
const REPORT_SKEW_AFTER: Duration = Duration::from_secs(5);

/// A neighbour whose wall clock disagrees with ours.
#[derive(Debug)]
pub(super) struct Skew {
    since: Instant,
    pub(super) reported: bool,
}

/// Who sent a datagram.
enum Sender {
    /// A member that is told alive here, in this very incarnation.
    Member(Name),
    /// A member that is gone here, or its former life.
    Gone,
    /// Nobody that is known.
    Stranger,
}

impl Node {
    /// A datagram came. Returns what it says, for whoever counts or logs.
    ///
    /// # Errors
    /// When the bytes are no message of this version; nothing has changed then.
    pub fn handle_datagram(
        &mut self,
        now: Now,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<Message, DecodeError> {
        self.notice_stall(now);
        let decoded = wire::decode(bytes).inspect_err(|_| self.counters.refused += 1);
        if let Ok(message) = &decoded {
            self.counters.count_received(bytes.len());
            if self.in_group() && from != self.address {
                self.receive(now, from, message);
            }
        }
        self.settle(now);
        decoded
    }

    fn receive(&mut self, now: Now, from: SocketAddr, message: &Message) {
        if let Body::Verdict { incarnation, side } = message.body {
            self.hear_verdict(from, message.incarnation, incarnation, side, now);
            return;
        }
        match self.attribute(from, message) {
            Sender::Member(name) => self.receive_from_member(now, from, &name, message),
            Sender::Gone if message.body == Body::Leave => self.send(from, Body::LeaveHeard, now),
            Sender::Gone => self.send_verdict(from, message.incarnation, now),
            Sender::Stranger => {
                if let Some(name) = self.meet(from, message, now) {
                    self.receive_from_member(now, from, &name, message);
                }
            }
        }
    }

    fn attribute(&self, from: SocketAddr, message: &Message) -> Sender {
        match self.list.at(from) {
            Some(entry)
                if entry.identity.incarnation == message.incarnation && entry.is_told_alive() =>
            {
                Sender::Member(entry.identity.name.clone())
            }
            Some(entry) if entry.identity.incarnation >= message.incarnation => Sender::Gone,
            _ => Sender::Stranger,
        }
    }

    /// A stranger that introduces itself becomes a member. One whose name a newer machine has is
    /// told so.
    fn meet(&mut self, from: SocketAddr, message: &Message, now: Now) -> Option<Name> {
        let introduces = |update: &&Update| {
            update.claim == Claim::Alive
                && update.identity.address == from
                && update.identity.incarnation == message.incarnation
        };
        let introduction = match &message.body {
            Body::Knock { name, settings, .. }
                if *settings == self.settings.group.fingerprint() =>
            {
                let identity = Identity {
                    name: name.clone(),
                    address: from,
                    incarnation: message.incarnation,
                };
                Update::new(identity, Claim::Alive)
            }
            Body::Knock { .. } => {
                self.healing.note_other_settings(from, &mut self.events);
                return None;
            }
            body => match body.news().iter().find(introduces) {
                Some(update) => update.clone(),
                None => {
                    self.ask_who(from, body, now);
                    return None;
                }
            },
        };
        self.take_news(&introduction, Source::FirstHand, from, now);
        let holder = self.list.get(&introduction.identity.name)?;
        if holder.identity == introduction.identity {
            return Some(introduction.identity.name);
        }
        let (update, gone) = (holder.to_update(), !holder.is_told_alive());
        self.send(from, Body::News(vec![update]), now);
        // It may hold this member for gone and not believe the news; that it is gone here it can
        // look into, and what it then says of this member is to be heard from where it really is.
        if gone {
            self.healing.remember([from]);
        }
        self.send_verdict(from, message.incarnation, now);
        None
    }

    /// A member whose new life is not known yet is asked about its old one, which makes it
    /// introduce itself. Whoever sends heartbeats or asks from where nobody is known is knocked at,
    /// for the same reason: its entry is missing here, or has another address.
    fn ask_who(&mut self, from: SocketAddr, body: &Body, now: Now) {
        if let Some(entry) = self.list.at(from) {
            let Identity { name, incarnation, .. } = entry.identity.clone();
            self.send(from, Body::Ask { name, incarnation }, now);
        } else if matches!(body, Body::Heartbeat { .. } | Body::Ask { .. }) {
            self.knock(from, now);
        }
    }

    fn receive_from_member(&mut self, now: Now, from: SocketAddr, name: &Name, message: &Message) {
        self.detector.heard(name, message.incarnation, message.sent, now);
        self.note_heard(name, now);
        self.finish_greeting(name, message.incarnation);
        for update in message.body.news() {
            self.take_news(update, Source::Told, from, now);
        }
        if !self.in_group() {
            return;
        }
        self.drop_settled_doubts();
        match &message.body {
            Body::Heartbeat { hash, delay, .. } => {
                if let Some(delay) = delay {
                    self.detector.told_delay(name, *delay);
                }
                self.watch_clock(name, now);
                self.compare(name, from, *hash, now);
            }
            Body::News(_) | Body::Verdict { .. } => {}
            Body::Ask { name, incarnation } => self.answer(name, *incarnation, from, now),
            Body::Answer { name, incarnation, sent, age } => {
                self.detector.hearsay(
                    name,
                    *incarnation,
                    *sent,
                    Duration::from_millis(*age),
                    now.mono,
                );
            }
            Body::Summary(summary) => self.send_difference(summary, from, now),
            Body::Knock { .. } => {
                let news = vec![self.introduction()];
                self.send(from, self.plain_heartbeat(news), now);
            }
            Body::Leave => {
                if let Some(update) = self.list.get(name).map(|entry| entry.with_claim(Claim::Left))
                {
                    self.take_news(&update, Source::FirstHand, from, now);
                }
                self.send(from, Body::LeaveHeard, now);
            }
            Body::LeaveHeard => self.note_leave_heard(),
        }
    }

    /// News about others is merged; news about this very member may mean that it has to come back,
    /// or to give way: after that it is out, and takes nothing in any more.
    pub(super) fn take_news(
        &mut self,
        update: &Update,
        source: Source,
        from: SocketAddr,
        now: Now,
    ) {
        if !self.in_group() {
            return;
        }
        let Update { identity, claim, tags } = update;
        if identity.name != self.name {
            self.merge(update.clone(), source, now);
            return;
        }
        if identity.incarnation < self.incarnation || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        if *identity == self.identity() && *claim == Claim::Alive {
            self.correct_tags(tags, now);
            return;
        }
        if !self.is_plausibly_mine(identity.incarnation, now) {
            self.counters.implausible += 1;
            return;
        }
        let alive_elsewhere = *claim == Claim::Alive && identity.address != self.address;
        if alive_elsewhere && identity.incarnation > self.incarnation {
            self.give_way(identity.clone());
        } else if alive_elsewhere {
            // The very same life cannot be elsewhere. Where the right entry does not win by itself,
            // a larger incarnation does.
            if identity.address > self.address {
                self.renew_alone(now);
            }
        } else {
            // Even at another address: where no such machine is, that entry fails soon, and this
            // one is let in again.
            self.renew_through(from, identity.incarnation, now);
        }
    }

    /// Reports a neighbour's wall clock once when it has not agreed with ours for a while, and once
    /// when it agrees again. A change of the latency looks like a wrong clock until both sides have
    /// seen it.
    fn watch_clock(&mut self, name: &Name, now: Now) {
        let Some(agreement) =
            self.detector.clock(name).and_then(crate::detector::peer_clock::PeerClock::agreement)
        else {
            return;
        };
        let Some(member) = self.list.get(name).map(|entry| entry.identity.clone()) else { return };
        match agreement {
            Agreement::Ahead(ahead) => {
                let skew = self
                    .skewed
                    .entry(name.clone())
                    .or_insert(Skew { since: now.mono, reported: false });
                if !skew.reported && now.mono.since(skew.since) >= REPORT_SKEW_AFTER {
                    skew.reported = true;
                    self.events.push_back(Event::ClockDisagrees { member, ahead });
                }
            }
            Agreement::Agree => {
                if self.skewed.remove(name).is_some_and(|skew| skew.reported) {
                    self.events.push_back(Event::ClockAgrees { member });
                }
            }
        }
    }

    /// Whether a member, in this very life, counts as failed in this list.
    pub(super) fn holds_failed(&self, address: SocketAddr, incarnation: Incarnation) -> bool {
        self.list.at(address).is_some_and(|entry| {
            entry.identity.incarnation == incarnation
                && matches!(entry.standing, Standing::Failed(_))
        })
    }
}
