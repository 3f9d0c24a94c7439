//! Suspicions of SWIM: what this node says of silent members, and what it does about what others
//! say. [`Node`] owns the state machines that are concerned.

use super::Node;
use crate::detector::{Silence, introduced_heartbeat};
use crate::gossip::Source;
use crate::identity::{Incarnation, Name};
use crate::message::Body;
use crate::suspicion::Suspicion;
use crate::time::millis;
use std::net::SocketAddr;
use std::time::Duration;

impl Node {
    /// A member is silent for so long that it is suspected, unless this node may accuse nobody.
    pub(super) fn suspect(&mut self, silence: &Silence) {
        let may_accuse = self.doubts.may_accuse(silence, &self.members);
        if !may_accuse || self.suspicions.suspected_by(&silence.name).is_some() {
            return;
        }
        let fact = Suspicion {
            name: silence.name.clone(),
            incarnation: silence.incarnation,
            sent: silence.newest_sent.unwrap_or(0),
            by: Some(self.context.local.name.clone()),
        };
        let silent = Some(Duration::from_millis(silence.silent_ms));
        let (members, context) = (&self.members, &mut self.context);
        if self.suspicions.learn(fact, Source::FirstHand, silent, members, context) {
            self.context.counters.suspicions += 1;
        }
    }

    /// A member says what it knows of suspected ones.
    pub(super) fn take_suspicions(&mut self, facts: &[Suspicion], from: SocketAddr) {
        for fact in facts {
            if fact.name == self.context.local.name {
                self.refute(fact, from);
            } else {
                self.take_suspicion(fact);
            }
        }
    }

    fn take_suspicion(&mut self, fact: &Suspicion) {
        let Suspicion { name, incarnation, sent, by } = fact;
        let now = self.context.now.mono;
        let newest = self.detector.newest(name, *incarnation, now);
        let newer = newest.filter(|(newest, _)| newest > sent);
        match (by, newer) {
            (Some(by), Some((sent, age))) => self.answer_monitor(by, name, *incarnation, sent, age),
            (by, _) => {
                let silent = newest.map(|(_, age)| age);
                let (members, context) = (&self.members, &mut self.context);
                let source = Source::SecondHand;
                if !self.suspicions.learn(fact.clone(), source, silent, members, context) {
                    return;
                }
                if by.is_some() {
                    self.detector.ping(name, members, &mut self.gossip, context);
                } else {
                    self.detector.on_refutation(fact, now);
                }
            }
        }
    }

    /// This very member is suspected. The monitor hears that it is up, and all hear when it was up
    /// at the latest.
    fn refute(&mut self, fact: &Suspicion, from: SocketAddr) {
        let local = &self.context.local;
        let Some(by) = fact.by.as_ref().filter(|_| fact.incarnation == local.incarnation) else {
            return;
        };
        let sent = local.sent_at(self.context.now).mono;
        let refutation = Suspicion { sent, by: None, ..fact.clone() };
        let monitor = self.members.get(by).filter(|entry| entry.is_alive_to_others());
        let monitor = monitor.map(|entry| entry.identity.address);
        let (members, context) = (&self.members, &mut self.context);
        let is_new = self.suspicions.refutes(fact)
            && self.suspicions.learn(refutation, Source::FirstHand, None, members, context);
        if is_new {
            context.counters.refutations += 1;
        }
        if let Some(monitor) = monitor.filter(|monitor| is_new || *monitor == from) {
            let introduction = context.local.introduction();
            context.send(monitor, introduced_heartbeat(members, introduction));
        }
    }

    /// A member was up at this moment of its clock: it was heard, or heard of. Whoever suspects it
    /// hears of that.
    pub(super) fn clear_suspicion(&mut self, name: &Name, incarnation: Incarnation, sent: u64) {
        if self.suspicions.suspected_by(name).is_none() {
            return;
        }
        let newest = self.detector.newest(name, incarnation, self.context.now.mono);
        let (members, context) = (&self.members, &mut self.context);
        let by = self.suspicions.on_heard(name, incarnation, sent, members, context);
        if let (Some(by), Some((sent, age))) = (by, newest) {
            self.answer_monitor(&by, name, incarnation, sent, age);
        }
    }

    fn answer_monitor(
        &mut self,
        monitor: &Name,
        name: &Name,
        incarnation: Incarnation,
        sent: u64,
        age: Duration,
    ) {
        let monitor = self.members.get(monitor).filter(|entry| entry.is_alive_to_others());
        if let Some(address) = monitor.map(|entry| entry.identity.address) {
            let (name, age) = (name.clone(), millis(age));
            self.context.send(address, Body::ProbeReply { name, incarnation, sent, age });
        }
    }
}
