//! Datagrams in: who sent them, whether they are accepted, and which state machine they concern.

use super::{Node, Phase};
use crate::detector::introduced_heartbeat;
use crate::gossip::{Source, anti_entropy};
use crate::identity::{Identity, Incarnation, Name};
use crate::list::{Claim, Update};
use crate::message::{Body, Message};
use crate::rejoin::{self, announce, send_declared_failed};
use crate::time::Now;
use crate::wire::{self, DecodeError};
use std::net::SocketAddr;

/// Who sent a datagram.
enum Sender {
    /// A member that is alive in what is reported to others, in this very incarnation.
    Member(Name),
    /// A member that is gone here, or its former incarnation.
    Gone,
    /// Nobody that is known.
    Stranger,
}

/// Whether the sender takes this node for a member that it watches, or that watches it.
fn asks_for_evidence(body: &Body) -> bool {
    matches!(
        body,
        Body::Heartbeat { .. }
            | Body::Probe { .. }
            | Body::Ping { .. }
            | Body::PingRequest { .. }
            | Body::IndirectPing { .. }
    )
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
        self.begin_step(now);
        let decoded = wire::decode(bytes).inspect_err(|_| self.context.counters.refused += 1);
        if let Ok(message) = &decoded {
            self.context.counters.count_received(bytes.len());
            if self.in_group() && from != self.context.local.address {
                self.context.told_from = Some(from);
                self.receive(from, message);
            }
        }
        self.finish_step();
        decoded
    }

    fn receive(&mut self, from: SocketAddr, message: &Message) {
        if let Body::DeclaredFailed { incarnation, side } = message.body {
            self.on_declared_failed(from, message, incarnation, side);
            return;
        }
        let theirs = message.incarnation;
        match self.attribute(from, message) {
            Sender::Member(name) => self.receive_from_member(from, &name, message),
            Sender::Gone if message.body == Body::Leave => {
                self.context.send(from, Body::LeaveAcknowledged);
            }
            Sender::Gone => send_declared_failed(from, theirs, &self.members, &mut self.context),
            Sender::Stranger => {
                if let Some(name) = self.meet(from, message) {
                    self.receive_from_member(from, &name, message);
                }
            }
        }
    }

    fn attribute(&self, from: SocketAddr, message: &Message) -> Sender {
        match self.members.at(from) {
            Some(entry)
                if entry.identity.incarnation == message.incarnation
                    && entry.is_alive_to_others() =>
            {
                Sender::Member(entry.identity.name.clone())
            }
            Some(entry) if entry.identity.incarnation >= message.incarnation => Sender::Gone,
            _ if self.members.forgotten.at(from) >= Some(message.incarnation) => Sender::Gone,
            _ => Sender::Stranger,
        }
    }

    /// A stranger that introduces itself becomes a member. One whose name a newer machine has gets
    /// that machine's entry.
    fn meet(&mut self, from: SocketAddr, message: &Message) -> Option<Name> {
        let introduction = self.introduction_in(from, message)?;
        self.take_update(&introduction, Source::FirstHand, from);
        if self.members.forgotten.covers(&introduction.identity) {
            send_declared_failed(from, message.incarnation, &self.members, &mut self.context);
            return None;
        }
        let holder = self.members.get(&introduction.identity.name)?;
        if holder.identity == introduction.identity {
            return Some(introduction.identity.name);
        }
        let (update, gone) = (holder.to_update(), !holder.is_alive_to_others());
        // It is back and waits as a candidate. To hear that it has failed would make it rejoin.
        let (theirs, own) = (introduction.identity.incarnation, self.context.local.incarnation);
        let plausible = self.context.plausibility.is_plausible(theirs, own);
        if gone && plausible && holder.identity.incarnation < theirs {
            return None;
        }
        self.context.send(from, Body::Updates(vec![update]));
        // It may hold this member for gone and not accept the update. That it is gone here it can
        // look into, and what it then says of this member is to be heard from where it really is.
        if gone {
            self.announcer.remember([from]);
        }
        send_declared_failed(from, message.incarnation, &self.members, &mut self.context);
        None
    }

    /// The update by which a stranger introduces itself. Without one it is asked who it is, unless
    /// its settings are of another group.
    fn introduction_in(&mut self, from: SocketAddr, message: &Message) -> Option<Update> {
        let introduces = |update: &&Update| {
            update.claim == Claim::Alive
                && update.identity.address == from
                && update.identity.incarnation == message.incarnation
        };
        match &message.body {
            Body::Announce { name, settings, .. }
                if *settings == self.context.group().fingerprint() =>
            {
                let incarnation = message.incarnation;
                let identity = Identity { name: name.clone(), address: from, incarnation };
                // An announce has no tags. They may have been reported.
                let reported = self.candidates.reported(&identity);
                Some(reported.unwrap_or_else(|| Update::new(identity, Claim::Alive)))
            }
            Body::Announce { .. } => {
                self.announcer.note_other_settings(from, &mut self.context);
                None
            }
            body => {
                let introduction = body.updates().iter().find(introduces).cloned();
                let introduction = introduction.or_else(|| match body {
                    Body::Heartbeat { .. } | Body::Ping { .. } => {
                        self.candidates.answered(from, message.incarnation)
                    }
                    _ => None,
                });
                if introduction.is_none() {
                    self.ask_who(from, body);
                }
                introduction
            }
        }
    }

    /// A member whose new incarnation is not known yet is asked about its old one, which makes it
    /// introduce itself. An unknown sender of heartbeats or probes gets an announce, for the same
    /// reason: its entry is missing here, or has another address.
    ///
    /// Whoever asks for this member is answered, known or not. Else two that came back at the same
    /// time, and are candidates to each other, would both wait for the other's answer.
    fn ask_who(&mut self, from: SocketAddr, body: &Body) {
        let local = &self.context.local;
        if let Body::Probe { name, incarnation } = body
            && *name == local.name
        {
            let asks_who = *incarnation != local.incarnation;
            self.context.send(from, Body::Updates(vec![local.introduction()]));
            // Two that ask each other who they are would never end.
            if asks_who {
                return;
            }
        }
        if let Some(entry) = self.members.at(from) {
            let Identity { name, incarnation, .. } = entry.identity.clone();
            self.context.send(from, Body::Probe { name, incarnation });
        } else if asks_for_evidence(body) {
            announce::announce(from, &self.members, &mut self.context);
        }
    }

    fn receive_from_member(&mut self, from: SocketAddr, name: &Name, message: &Message) {
        self.detector.on_evidence(name, message, self.context.now);
        let now = self.context.now.mono;
        for (doubted, until) in self.doubts.on_heard(name, &mut self.members, &mut self.context) {
            self.detector.watch_again(&doubted, until, now);
        }
        self.finish_activating(name, message.incarnation);
        for update in message.body.updates() {
            self.take_update(update, Source::SecondHand, from);
        }
        self.tell_forgotten(message.body.updates(), from);
        if !self.in_group() {
            return;
        }
        self.doubts.drop_settled(&self.members);
        let (members, gossip, context) = (&self.members, &mut self.gossip, &mut self.context);
        self.detector.on_message((name, from), message, members, gossip, context);
        let (sent, members) = (message.sent.mono, &self.members);
        self.suspicions.on_direct(name, message.incarnation, sent, members, &mut self.context);
        self.clear_suspicion(name, message.incarnation, sent);
        let (members, context) = (&self.members, &mut self.context);
        match &message.body {
            Body::Heartbeat { hash, .. } | Body::Ping { hash, .. } => {
                self.anti_entropy.compare(name, from, *hash, members, context);
            }
            Body::Summary(summary) => {
                anti_entropy::answer_summary(summary, from, members, context);
            }
            Body::Announce { .. } => {
                let introduction = context.local.introduction();
                context.send(from, introduced_heartbeat(members, introduction));
            }
            Body::Leave => {
                let left = members.get(name).map(|entry| entry.with_claim(Claim::Left));
                if let Some(left) = left {
                    // Its own clock, so that all who hear it give the leave one time.
                    let left = left.ended_at(message.sent.wall);
                    self.take_update(&left, Source::FirstHand, from);
                }
                self.context.send(from, Body::LeaveAcknowledged);
            }
            Body::LeaveAcknowledged => {
                if let Phase::Leaving(leave) = &mut self.phase {
                    leave.on_acknowledged();
                }
            }
            Body::Forgotten { hash, records } => self.on_forgotten(*hash, records, from),
            Body::ProbeReply { name, incarnation, sent, .. } => {
                self.clear_suspicion(name, *incarnation, *sent);
                self.take_evidence(name, *incarnation, from);
            }
            Body::Suspicions(facts) => self.take_suspicions(facts),
            Body::View(news) => self.take_view_news(name, *news),
            Body::Updates(_)
            | Body::DeclaredFailed { .. }
            | Body::Probe { .. }
            | Body::PingRequest { .. }
            | Body::IndirectPing { .. } => {}
        }
    }

    /// A sender holds this member for failed in `incarnation`. If each holds the other for failed,
    /// the larger side answers so, and the smaller comes back. Else this member comes back through
    /// the sender. That one is up here and right, or this list has another incarnation of it, which
    /// no `DeclaredFailed` could reach.
    fn on_declared_failed(
        &mut self,
        from: SocketAddr,
        message: &Message,
        incarnation: Incarnation,
        side: crate::Digest,
    ) {
        let theirs = message.incarnation;
        if incarnation != self.context.local.incarnation || matches!(self.phase, Phase::Leaving(_))
        {
            return;
        }
        // A machine that was forgotten here may be on the larger side of a split.
        let forgotten = self.members.forgotten.at(from).is_some();
        if self.members.at(from).is_none() && !self.announcer.knows(from) && !forgotten {
            return;
        }
        if rejoin::stays(from, theirs, side, &self.members) {
            send_declared_failed(from, theirs, &self.members, &mut self.context);
            return;
        }
        self.rejoin.through(from, incarnation, &mut self.context);
    }

    /// Updates about others are merged. An update about this very member may mean that it has to
    /// come back, or to give way: after that it is out, and takes nothing in any more.
    pub(super) fn take_update(&mut self, update: &Update, source: Source, from: SocketAddr) {
        if !self.in_group() {
            return;
        }
        let Update { identity, claim, tags, .. } = update;
        let local = &self.context.local;
        if identity.name != local.name {
            self.weigh(update.clone(), source, from);
            return;
        }
        if identity.incarnation < local.incarnation || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        if *identity == local.identity() && *claim == Claim::Alive {
            self.correct_tags(tags);
            return;
        }
        if !self.context.plausibility.is_plausibly_own(identity.incarnation, local.incarnation) {
            self.context.counters.implausible += 1;
            return;
        }
        let alive_elsewhere = *claim == Claim::Alive && identity.address != local.address;
        if alive_elsewhere && identity.incarnation > local.incarnation {
            self.give_way(identity.clone());
        } else if alive_elsewhere {
            // The very same incarnation cannot be elsewhere. Where the right entry does not win by
            // itself, a larger incarnation does.
            if identity.address > local.address {
                self.rejoin_alone();
            }
        } else {
            // Even at another address: where no such machine is, that entry fails soon, and this
            // one rejoins.
            self.rejoin.through(from, identity.incarnation, &mut self.context);
        }
    }
}
