//! Suspicions of SWIM: what this node says of silent members, and what it does about what others
//! say. [`Node`] owns the state machines that are concerned.

use super::Node;
use crate::detector::{Silence, introduced_heartbeat};
use crate::event::Event;
use crate::gossip::Source;
use crate::identity::{Incarnation, Name};
use crate::message::Body;
use crate::settings::Detection;
use crate::suspicion::Suspicion;
use crate::time::millis;
use std::collections::BTreeMap;
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
    pub(super) fn take_suspicions(&mut self, facts: &[Suspicion]) {
        if !matches!(self.context.group().detection, Detection::Swim(_)) {
            return;
        }
        // Each member once, so that no datagram makes this one send many.
        let mut newest: BTreeMap<&Name, &Suspicion> = BTreeMap::new();
        for fact in facts.iter().filter(|fact| self.is_credible(fact)) {
            let held = newest.entry(&fact.name).or_insert(fact);
            if fact.newness() > held.newness() {
                *held = fact;
            }
        }
        for fact in newest.into_values() {
            if fact.name == self.context.local.name {
                self.refute(fact);
            } else {
                self.take_suspicion(fact);
            }
        }
    }

    /// Whether a fact can be: its monitor is another member of the group, and its time has come.
    /// What this member itself suspects it need not hear.
    fn is_credible(&self, fact: &Suspicion) -> bool {
        let local = &self.context.local;
        let now = self.context.now;
        let is_ahead = if fact.name == local.name {
            fact.sent > local.sent_at(now).mono
        } else {
            self.detector.is_ahead(&fact.name, fact.sent, now.mono)
        };
        let monitor_stands = fact.by.as_ref().is_none_or(|by| {
            *by != fact.name && *by != local.name && self.address_of_monitor(by).is_some()
        });
        !is_ahead && monitor_stands
    }

    fn take_suspicion(&mut self, fact: &Suspicion) {
        let Suspicion { name, incarnation, sent, by } = fact;
        let now = self.context.now.mono;
        let newest = self.detector.newest(name, *incarnation, now);
        let newer = newest.filter(|(newest, _)| newest > sent);
        match (by, newer) {
            (Some(by), Some((sent, age))) => self.answer_monitor(by, name, *incarnation, sent, age),
            (Some(_), None) if self.is_too_late(fact) => {}
            (by, _) => {
                let silent = newest.map(|(_, age)| age);
                let (members, context) = (&self.members, &mut self.context);
                let source = Source::SecondHand;
                if !self.suspicions.learn(fact.clone(), source, silent, members, context) {
                    self.tell_newer(fact);
                } else if by.is_some() {
                    self.detector.ping(name, members, &mut self.gossip, context);
                } else {
                    self.detector.on_refutation(fact, now);
                }
            }
        }
    }

    /// Whether a suspicion comes when the silence that it is about is final already. Then the
    /// deadlines of the monitors alone decide. Only a monitor can tell.
    fn is_too_late(&self, fact: &Suspicion) -> bool {
        let Suspicion { name, incarnation, sent, .. } = fact;
        let age = self.detector.age_of(name, *incarnation, *sent, self.context.now.mono);
        age.is_some_and(|age| age > self.context.group().patience())
    }

    /// A monitor suspects a member of which newer is known. It hears that.
    fn tell_newer(&mut self, fact: &Suspicion) {
        let newer = self.suspicions.newer_than(fact).filter(|newer| newer.by.is_none());
        let monitor = fact.by.as_ref().and_then(|by| self.address_of_monitor(by));
        if let (Some(newer), Some(address)) = (newer, monitor) {
            self.context.send(address, Body::Suspicions(vec![newer]));
        }
    }

    /// This very member is suspected. The monitor hears that it is up, and all hear when it was up
    /// at the latest. It says so twice a second at most.
    fn refute(&mut self, fact: &Suspicion) {
        let local = &self.context.local;
        let Some(by) = fact.by.as_ref().filter(|_| fact.incarnation == local.incarnation) else {
            return;
        };
        let sent = local.sent_at(self.context.now).mono;
        let refutation = Suspicion { sent, by: None, ..fact.clone() };
        let monitor = self.address_of_monitor(by);
        if !self.suspicions.may_refute(self.context.now.mono) {
            return;
        }
        let (members, context) = (&self.members, &mut self.context);
        self.suspicions.learn(refutation, Source::FirstHand, None, members, context);
        context.counters.refutations += 1;
        let last_sent = Duration::from_millis(sent.saturating_sub(fact.sent));
        let member = context.local.identity();
        context.report(Event::Refuted { member, by: by.clone(), last_sent });
        if let Some(monitor) = monitor {
            let introduction = context.local.introduction();
            context.send(monitor, introduced_heartbeat(members, introduction));
        }
    }

    /// A member was up at this moment of its clock: it was heard, or heard of. Whoever suspects it
    /// hears of that.
    pub(super) fn clear_suspicion(&mut self, name: &Name, incarnation: Incarnation, sent: u64) {
        let is_suspected = self.suspicions.suspected_by(name).is_some();
        if !is_suspected || self.detector.is_ahead(name, sent, self.context.now.mono) {
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
        if let Some(address) = self.address_of_monitor(monitor) {
            let (name, age) = (name.clone(), millis(age));
            self.context.send(address, Body::ProbeReply { name, incarnation, sent, age });
        }
    }

    fn address_of_monitor(&self, name: &Name) -> Option<SocketAddr> {
        let entry = self.members.get(name).filter(|entry| entry.is_alive_to_others());
        entry.map(|entry| entry.identity.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::peer_clock::SentAt;
    use crate::message::Message;
    use crate::outputs::Output;
    use crate::settings::{GroupSettings, Settings};
    use crate::testing::{address, at, identity, list, name};
    use crate::{SimulatedGroup, wire};

    /// Member 0 of ten.
    fn node(group: GroupSettings) -> Node {
        let settings = Settings { group, ..Settings::default() };
        let own = identity(0);
        let mut node = Node::new(settings, own.name, own.address, Some(own.incarnation), 7);
        let group = SimulatedGroup { list: list(10), incarnation: own.incarnation };
        node.assume(at(100_000), group);
        sent(&mut node);
        node
    }

    fn sent(node: &mut Node) -> Vec<(SocketAddr, Body)> {
        let (mut payload, mut sent) = (Vec::new(), Vec::new());
        while let Some(output) = node.poll_output(&mut payload) {
            if let Output::Transmit(transmit) = output {
                sent.push((transmit.to, wire::decode(&payload).unwrap().body));
            }
        }
        sent
    }

    fn events(node: &mut Node) -> Vec<Event> {
        node.context.outputs.events.drain(..).collect()
    }

    fn fact(of: u8, sent: u64, by: u8) -> Suspicion {
        let incarnation = identity(of).incarnation;
        Suspicion { name: name(of), incarnation, sent, by: Some(name(by)) }
    }

    #[test]
    fn a_group_of_the_ring_takes_no_suspicions() {
        let mut node = node(GroupSettings::default());
        node.take_suspicions(&[fact(1, 5, 2), fact(0, 0, 2)]);
        assert_eq!(node.suspected_by(&name(1)), None);
        assert_eq!(sent(&mut node), []);
    }

    #[test]
    fn one_datagram_makes_a_member_refute_once() {
        let mut node = node(GroupSettings::swim());
        node.context.begin_step(at(200_000));
        let facts: Vec<Suspicion> = (0..70).map(|sent| fact(0, sent, 2)).collect();
        events(&mut node);
        node.take_suspicions(&facts);
        node.take_suspicions(&facts);
        let now = node.context.local.sent_at(at(200_000)).mono;
        let last_sent = Duration::from_millis(now - 69);
        assert_eq!(
            events(&mut node),
            [Event::Refuted { member: identity(0), by: name(2), last_sent }]
        );
        let sent = sent(&mut node);
        assert!(matches!(&sent[..], [(to, Body::Heartbeat { .. })] if *to == address(2)));
        assert_eq!(node.counters().refutations, 1);
    }

    #[test]
    fn facts_that_cannot_be_are_ignored() {
        let mut node = node(GroupSettings::swim());
        let nobody = Suspicion { by: Some(name(99)), ..fact(1, 5, 2) };
        for fact in [fact(0, u64::MAX, 2), fact(1, 5, 0), fact(1, 5, 1), nobody] {
            node.take_suspicions(&[fact]);
        }
        assert_eq!(node.suspected_by(&name(1)), None);
        assert_eq!(sent(&mut node), []);
    }

    /// A monitor knows the clock of the member. It neither believes what is too late nor passes it
    /// on.
    #[test]
    fn a_suspicion_after_both_timeouts_is_ignored() {
        let mut node = node(GroupSettings::swim());
        let watched = node.detector.watched().next().unwrap().clone();
        let number = (1..10).find(|i| name(*i) == watched).unwrap();
        let other = (1..10).find(|i| *i != number).unwrap();
        let heard = at(110_000);
        let sent = SentAt { mono: 50_000, wall: heard.wall };
        let body = Body::Heartbeat { hash: 0, delay: None, updates: Vec::new() };
        let message = Message { incarnation: identity(number).incarnation, sent, body };
        let mut bytes = Vec::new();
        wire::encode(&message, &mut bytes);
        node.handle_datagram(heard, address(number), &bytes).unwrap();
        for (passed, is_suspected) in [(6_501, false), (6_499, true)] {
            node.context.begin_step(at(110_000 + passed));
            node.take_suspicions(&[fact(number, 50_000, other)]);
            assert_eq!(node.suspected_by(&watched).is_some(), is_suspected, "{passed} ms");
        }
    }

    #[test]
    fn a_monitor_hears_what_is_newer_than_its_suspicion() {
        let mut node = node(GroupSettings::swim());
        node.take_suspicions(&[Suspicion { by: None, ..fact(1, 900, 2) }]);
        sent(&mut node);
        node.take_suspicions(&[fact(1, 800, 2)]);
        let newer = Suspicion { by: None, ..fact(1, 900, 2) };
        assert_eq!(sent(&mut node), [(address(2), Body::Suspicions(vec![newer]))]);
    }
}
