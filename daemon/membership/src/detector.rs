//! Failure detection. It owns the data about each watched member, and the detector that gathers it.
//!
//! Both detectors share the data about a member (`watches`, `peer_clock`). A [`DetectorImpl`]
//! decides to whom it sends and when. Its [`Timing`] says when evidence is missing and when silence
//! is final.

mod heartbeat;
mod outbox;
pub(crate) mod peer_clock;
mod probe;
mod skew;
mod swim;
mod watches;

use crate::context::Context;
use crate::gossip::Gossip;
use crate::identity::{Incarnation, Name};
use crate::list::{Entry, Update};
use crate::members::Members;
use crate::message::{Body, Message};
use crate::ring::Ring;
use crate::settings::{Detection, GroupSettings};
use crate::suspicion::Suspicion;
use crate::time::{Instant, Now};
use heartbeat::Heartbeats;
use outbox::Outbox;
use peer_clock::PeerClock;
pub(crate) use probe::probe;
use skew::Skews;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use swim::Pings;
pub(crate) use watches::{Finding, Missing, Silence};
use watches::{Target, Timing, Watches};

/// How many of the nearest members on the ring are probed when a never-heard member is silent past
/// its deadline. Then more than k members are gone at once. If the ring moved on by k at a time,
/// each step would take a `failure_timeout`.
const PROBED_BEYOND: usize = 128;

/// The detector of one member.
#[derive(Debug)]
pub(crate) struct Detector {
    watches: Watches,
    skews: Skews,
    implementation: DetectorImpl,
}

/// The detector that the group runs.
#[derive(Debug)]
enum DetectorImpl {
    /// Each member sends heartbeats to its monitors.
    Heartbeat(Heartbeats),
    /// Each member pings its successors.
    Swim(Pings),
}

impl DetectorImpl {
    fn timing(&self, group: &GroupSettings) -> Timing {
        match self {
            DetectorImpl::Heartbeat(_) => heartbeat::timing(group),
            DetectorImpl::Swim(pings) => swim::timing(group, pings.settings()),
        }
    }
}

impl Detector {
    /// A detector that watches nobody.
    pub(crate) fn new(group: &GroupSettings) -> Self {
        let implementation = match group.detection {
            Detection::Ring { .. } => DetectorImpl::Heartbeat(Heartbeats::default()),
            Detection::Swim(swim) => DetectorImpl::Swim(Pings::new(swim)),
        };
        let watches = Watches::new(implementation.timing(group));
        Detector { watches, skews: Skews::default(), implementation }
    }

    /// Starts to send at a random phase, so that a fleet started at once does not send in step.
    pub(crate) fn start(&mut self, context: &mut Context) {
        match &mut self.implementation {
            DetectorImpl::Heartbeat(heartbeats) => *heartbeats = Heartbeats::start(context),
            DetectorImpl::Swim(pings) => *pings = Pings::start(*pings.settings(), context),
        }
    }

    /// Begins a new incarnation. It must hear every watched member again, and greet every member
    /// that watches it.
    pub(crate) fn begin_incarnation(&mut self, group: &GroupSettings) {
        self.watches = Watches::new(self.implementation.timing(group));
        match &mut self.implementation {
            DetectorImpl::Heartbeat(heartbeats) => heartbeats.forget_recipients(),
            DetectorImpl::Swim(pings) => pings.forget_monitors(),
        }
    }

    /// Notes that this member leaves. It sends nothing more, but continues to watch.
    pub(crate) fn stop_sending(&mut self) {
        match &mut self.implementation {
            DetectorImpl::Heartbeat(heartbeats) => heartbeats.stop(),
            DetectorImpl::Swim(pings) => pings.stop(),
        }
    }

    /// Computes again who watches whom, after a change of the list. It greets new monitors at once.
    ///
    /// While this member doubts others (`any_doubted`), it uses two rings, with and without
    /// them, because they may be alive.
    pub(crate) fn on_list(
        &mut self,
        members: &Members,
        any_doubted: bool,
        gossip: &mut Gossip,
        context: &mut Context,
    ) {
        let up = Ring::of_up(members);
        let rings =
            if any_doubted { vec![up, Ring::of_alive_to_others(members)] } else { vec![up] };
        let (own, k) = (&context.local.name, context.monitors_wanted());
        let mut monitors = Vec::new();
        let mut targets = Vec::new();
        for ring in rings {
            monitors.push(ring.monitors(own, k));
            let watched = ring.targets(own, k);
            targets.extend(watched.into_iter().map(|entry| target(entry, context)));
        }
        let still_up = |name: &Name, incarnation| members.alive_as(name, incarnation).is_some();
        self.watches.watch(targets, still_up, context.now.mono);
        let watches = &self.watches;
        self.skews.retain(|name| watches.clock(name).is_some());
        match &mut self.implementation {
            DetectorImpl::Heartbeat(heartbeats) => {
                let new = heartbeats.set_monitors(&monitors.concat(), still_up, context);
                let outbox = &mut Outbox { watches, members, gossip, context };
                new.iter().for_each(|name| heartbeats.greet(name, outbox));
            }
            DetectorImpl::Swim(pings) => {
                let new = pings.set_neighbours(&monitors, k / 2);
                let outbox = &mut Outbox { watches, members, gossip, context };
                new.iter().for_each(|name| pings.ping(name, outbox));
            }
        }
    }

    /// A datagram of a member is evidence that the member was up when it sent it. The content does
    /// not matter.
    pub(crate) fn on_evidence(&mut self, name: &Name, message: &Message, now: Now) {
        self.watches.heard(name, message.incarnation, message.sent, now);
    }

    /// Handles a member's message about itself and others, and answers its probes.
    pub(crate) fn on_message(
        &mut self,
        (by, from): (&Name, SocketAddr),
        message: &Message,
        members: &Members,
        gossip: &mut Gossip,
        context: &mut Context,
    ) {
        match &message.body {
            Body::Heartbeat { delay, .. } | Body::Ping { delay, .. } => {
                if let Some(delay) = delay {
                    self.watches.on_reported_delay(by, *delay);
                }
                let agreement = self.watches.clock(by).and_then(PeerClock::agreement);
                let member = members.get(by).map(|entry| entry.identity.clone());
                if let (Some(agreement), Some(member)) = (agreement, member) {
                    self.skews.observe(member, agreement, context);
                }
            }
            Body::Probe { name, incarnation } => {
                self.answer_probe(name, *incarnation, from, members, context);
            }
            Body::ProbeReply { name, incarnation, sent, age } => {
                // The way of the answer counts too, as far as it is known.
                let now = context.now;
                let way = self.watches.clock(by).and_then(|clock| {
                    Some(now.mono.since(clock.to_local(now.mono, message.sent.mono)?))
                });
                let way = way.unwrap_or_else(|| peer_clock::way_by_wall(now, message.sent));
                let age = Duration::from_millis(*age).saturating_add(way);
                self.watches.hearsay(name, *incarnation, *sent, Some(age), now.mono);
            }
            _ => {}
        }
        if let DetectorImpl::Swim(pings) = &mut self.implementation {
            let watches = &self.watches;
            pings.on_message(by, from, message, &mut Outbox { watches, members, gossip, context });
        }
    }

    /// Another member said when this one was up at the latest, by its own clock. That counts where
    /// that clock is known.
    pub(crate) fn on_refutation(&mut self, suspicion: &Suspicion, now: Instant) {
        let Suspicion { name, incarnation, sent, .. } = suspicion;
        self.watches.hearsay(name, *incarnation, *sent, None, now);
    }

    /// Whether a watched member cannot have sent anything at this moment of its clock yet.
    pub(crate) fn is_ahead(&self, name: &Name, sent: u64, now: Instant) -> bool {
        self.watches.is_ahead(name, sent, now)
    }

    /// This machine hears others again, and a doubted member has until then to be heard too. Pings
    /// are rare, so it is looked for meanwhile. Heartbeats come by themselves.
    pub(crate) fn watch_again(&mut self, name: &Name, until: Instant, now: Instant) {
        if matches!(self.implementation, DetectorImpl::Swim(_)) {
            self.watches.watch_again(name, until, now);
        }
    }

    /// The newest send time known of a watched member by its own clock, and its age.
    pub(crate) fn newest(
        &self,
        name: &Name,
        incarnation: Incarnation,
        now: Instant,
    ) -> Option<(u64, Duration)> {
        self.watches.newest(name, incarnation, now)
    }

    /// How long ago it was this moment of a watched member's clock, if the member was heard.
    pub(crate) fn age_of(
        &self,
        name: &Name,
        incarnation: Incarnation,
        sent: u64,
        now: Instant,
    ) -> Option<Duration> {
        self.watches.age_of(name, incarnation, sent, now)
    }

    /// Looks for a silent member. `hears` says whether any other was heard lately.
    pub(crate) fn seek(
        &self,
        missing: &Missing,
        hears: bool,
        members: &Members,
        gossip: &mut Gossip,
        context: &mut Context,
    ) {
        match &self.implementation {
            DetectorImpl::Heartbeat(_) => {
                probe::probe_all(&missing.name, missing.incarnation, members, context);
            }
            DetectorImpl::Swim(pings) => {
                let watches = &self.watches;
                pings.seek(missing, hears, &mut Outbox { watches, members, gossip, context });
            }
        }
    }

    /// Pings a watched member that somebody suspects.
    pub(crate) fn ping(
        &self,
        name: &Name,
        members: &Members,
        gossip: &mut Gossip,
        context: &mut Context,
    ) {
        let watches = &self.watches;
        if let DetectorImpl::Swim(pings) = &self.implementation
            && watches.clock(name).is_some()
        {
            pings.ping(name, &mut Outbox { watches, members, gossip, context });
        }
    }

    /// Sends what is due.
    pub(crate) fn on_timeout(
        &mut self,
        members: &Members,
        gossip: &mut Gossip,
        context: &mut Context,
    ) {
        let outbox = &mut Outbox { watches: &self.watches, members, gossip, context };
        match &mut self.implementation {
            DetectorImpl::Heartbeat(heartbeats) => heartbeats.send_if_due(outbox),
            DetectorImpl::Swim(pings) => pings.send_if_due(outbox),
        }
    }

    /// Moves every deadline by a stall of this machine.
    pub(crate) fn forgive(&mut self, stall: Duration, now: Instant) {
        self.watches.forgive(stall, now);
    }

    /// Returns the members whose silence has a meaning now. A silent member is found once.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Finding> {
        self.watches.poll(now)
    }

    /// The next moment at which something may be found or sent.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        let speaks_at = match &self.implementation {
            DetectorImpl::Heartbeat(heartbeats) => heartbeats.next_at(),
            DetectorImpl::Swim(pings) => pings.next_at(),
        };
        self.watches.poll_at().into_iter().chain([speaks_at]).min()
    }

    /// Probes the nearest unwatched members on the ring, because those between may be gone.
    pub(crate) fn probe_beyond(&mut self, members: &Members, context: &Context) {
        let own = &context.local.name;
        let nearest = Ring::of_up(members).targets(own, PROBED_BEYOND);
        let nearest = nearest.iter().map(|entry| &entry.identity);
        self.watches.probe(nearest.map(|id| (&id.name, id.incarnation)), context.now.mono);
    }

    /// Answers another monitor's probe. The probed member answers with a heartbeat. A member that
    /// knows of its end answers with that, and another monitor with the newest send time.
    fn answer_probe(
        &self,
        name: &Name,
        incarnation: Incarnation,
        to: SocketAddr,
        members: &Members,
        context: &mut Context,
    ) {
        if *name == context.local.name {
            let body = if incarnation == context.local.incarnation {
                let prober = members.at(to).map(|entry| &entry.identity.name);
                let delay = prober.and_then(|prober| self.watches.clock(prober)?.delay());
                let watches = prober.is_some_and(|prober| self.monitors().contains(prober));
                // Whoever does not watch it may have heard of it only now, by a rumour.
                let introduction = (!watches).then(|| context.local.introduction());
                let updates = introduction.into_iter().collect();
                Body::Heartbeat { hash: members.digest().hash, delay, updates }
            } else {
                Body::Updates(vec![context.local.introduction()])
            };
            context.send(to, body);
            return;
        }
        let known = self.watches.known(name, incarnation, None, members, context.now.mono);
        if let Some(known) = known {
            context.send(to, known);
        }
    }

    /// Whether this incarnation of a member has been heard.
    pub(crate) fn has_heard(&self, name: &Name, incarnation: Incarnation) -> bool {
        self.watches.has_heard(name, incarnation)
    }

    /// The estimate of a watched member's clock.
    pub(crate) fn clock(&self, name: &Name) -> Option<&PeerClock> {
        self.watches.clock(name)
    }

    /// How long ago the newest known datagram of a watched member was sent.
    pub(crate) fn age(&self, name: &Name, now: Instant) -> Option<Duration> {
        self.watches.age(name, now)
    }

    /// Whether a neighbour's wall clock was reported to disagree with ours.
    pub(crate) fn is_skewed(&self, name: &Name) -> bool {
        self.skews.is_reported(name)
    }

    /// All watched members, including the lingering ones.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Name> {
        self.watches.watched()
    }

    /// The members that watch this one now.
    pub(crate) fn monitors(&self) -> BTreeSet<Name> {
        match &self.implementation {
            DetectorImpl::Heartbeat(heartbeats) => heartbeats.monitors().cloned().collect(),
            DetectorImpl::Swim(pings) => pings.monitors().cloned().collect(),
        }
    }
}

/// When to send next: a pause after `at`, which is due, but not in the past.
fn next_turn(at: Instant, pause: Duration, now: Instant) -> Instant {
    let next = at + pause;
    if next > now { next } else { now + pause }
}

/// A heartbeat that compares lists and carries updates, for a member that need not watch.
pub(crate) fn plain_heartbeat(members: &Members) -> Body {
    Body::Heartbeat { hash: members.digest().hash, delay: None, updates: Vec::new() }
}

/// The same, for a member that may not know this one.
pub(crate) fn introduced_heartbeat(members: &Members, introduction: Update) -> Body {
    Body::Heartbeat { hash: members.digest().hash, delay: None, updates: vec![introduction] }
}

/// A member that has just entered the list is a newcomer. It is none if this member is itself new
/// and took over the whole list.
fn target(entry: &Entry, context: &Context) -> (Name, Target) {
    let lately = context.now.mono.since(entry.since) < context.group().interval();
    let newcomer = lately && entry.since > context.local.began;
    (entry.identity.name.clone(), Target { incarnation: entry.identity.incarnation, newcomer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, address, identity, name};

    fn detector(fixture: &mut Fixture) -> Detector {
        let mut detector = Detector::new(fixture.context.group());
        detector.start(&mut fixture.context);
        let Fixture { members, context, gossip, .. } = fixture;
        detector.on_list(members, false, gossip, context);
        detector
    }

    fn message(fixture: &Fixture, body: Body) -> Message {
        let sent = peer_clock::sent_at(fixture.context.now, Instant::EPOCH);
        Message { incarnation: identity(1).incarnation, sent, body }
    }

    fn hear(detector: &mut Detector, fixture: &Fixture, i: u8) {
        let now = fixture.context.now;
        detector.on_evidence(&name(i), &message(fixture, Body::Leave), now);
    }

    #[test]
    fn new_monitors_are_greeted_with_an_introduction() {
        let mut fixture = Fixture::new(10);
        let detector = detector(&mut fixture);
        let sent = fixture.sent();
        assert_eq!(detector.monitors().len(), 4);
        assert_eq!(sent.len(), 4);
        let introduction = fixture.context.local.introduction();
        assert!(sent.iter().all(|(_, body)| body.updates().contains(&introduction)));
    }

    #[test]
    fn heartbeats_go_to_the_monitors_once_an_interval() {
        let mut fixture = Fixture::new(5);
        let mut detector = detector(&mut fixture);
        for _ in 0..4 {
            fixture.sent();
            fixture.pass(600);
            let Fixture { members, context, gossip, .. } = &mut fixture;
            detector.on_timeout(members, gossip, context);
            detector.on_timeout(members, gossip, context);
            assert_eq!(fixture.sent().len(), 4);
        }
        detector.stop_sending();
        fixture.pass(600);
        let Fixture { members, context, gossip, .. } = &mut fixture;
        detector.on_timeout(members, gossip, context);
        assert_eq!(fixture.sent(), []);
    }

    #[test]
    fn a_member_that_falls_silent_is_missed_and_then_found() {
        let mut fixture = Fixture::new(2);
        let mut detector = detector(&mut fixture);
        let incarnation = identity(1).incarnation;
        fixture.pass(100);
        hear(&mut detector, &fixture, 1);
        assert!(detector.has_heard(&name(1), incarnation));
        fixture.pass(719);
        assert_eq!(detector.poll(fixture.context.now.mono), []);
        fixture.pass(1);
        let now = fixture.context.now.mono;
        let missing = Missing { name: name(1), incarnation, round: 0, missed_at: now };
        assert_eq!(detector.poll(now), [Finding::Missing(missing)]);
        fixture.pass(1_030);
        let found = detector.poll(fixture.context.now.mono);
        assert!(
            matches!(&found[..], [Finding::Silent(silence)] if silence.silent_ms == 1_750),
            "{found:?}"
        );
        assert_eq!(detector.poll(fixture.context.now.mono), [], "once");
    }

    #[test]
    fn a_stall_of_this_machine_moves_the_deadline() {
        let mut fixture = Fixture::new(2);
        let mut detector = detector(&mut fixture);
        hear(&mut detector, &fixture, 1);
        fixture.pass(1_750);
        detector.forgive(Duration::from_millis(1_000), fixture.context.now.mono);
        let found = detector.poll(fixture.context.now.mono);
        assert!(!found.iter().any(|finding| matches!(finding, Finding::Silent(_))));
    }

    #[test]
    fn a_probe_of_this_member_is_answered_with_a_heartbeat() {
        let mut fixture = Fixture::new(3);
        let mut detector = detector(&mut fixture);
        fixture.sent();
        let incarnation = fixture.context.local.incarnation;
        let probe = message(&fixture, Body::Probe { name: name(0), incarnation });
        let Fixture { members, gossip, context, .. } = &mut fixture;
        detector.on_message((&name(1), address(1)), &probe, members, gossip, context);
        let sent = fixture.sent();
        assert!(matches!(&sent[..], [(_, Body::Heartbeat { .. })]), "{sent:?}");
    }

    #[test]
    fn a_probe_of_another_is_answered_with_the_newest_send_time() {
        let mut fixture = Fixture::new(3);
        let mut detector = detector(&mut fixture);
        fixture.pass(100);
        hear(&mut detector, &fixture, 2);
        fixture.sent();
        fixture.pass(300);
        let incarnation = identity(2).incarnation;
        let probe = message(&fixture, Body::Probe { name: name(2), incarnation });
        let Fixture { members, gossip, context, .. } = &mut fixture;
        detector.on_message((&name(1), address(1)), &probe, members, gossip, context);
        let sent = fixture.sent();
        assert!(matches!(&sent[..], [(_, Body::ProbeReply { age: 300, .. })]), "{sent:?}");
    }
}
