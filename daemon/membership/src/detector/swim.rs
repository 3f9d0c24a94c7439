//! SWIM's detector: each member pings its successors on the ring in turn, and they acknowledge. It
//! owns the time of the next ping, and the pings that others asked for.
//!
//! A ping is evidence for the pinged, and its acknowledgement for the pinger, so both watch each
//! other. The schedule is fixed: a slow acknowledgement delays no ping, and counts for its own send
//! time. Only while evidence is missing are there more pings, also through other members.

use super::next_turn;
use super::outbox::Outbox;
use super::peer_clock;
use super::watches::{Missing, Timing};
use crate::context::Context;
use crate::identity::{Incarnation, Name};
use crate::list::Entry;
use crate::message::{Body, Message};
use crate::ring::Ring;
use crate::settings::{GroupSettings, SwimSettings};
use crate::time::{Instant, millis};
use rand::RngExt;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How much later than an interval evidence may come before it is missing.
const SLACK: Duration = Duration::from_millis(250);

/// The interval of pings while evidence is missing.
const PING_AGAIN: Duration = Duration::from_millis(250);

/// The same interval once the member is suspected.
const PING_SUSPECTED_AGAIN: Duration = Duration::from_millis(500);

/// How long before the deadline others are asked about a member that is only probed.
const ASK_OTHERS: Duration = Duration::from_millis(1_500);

/// With how many others lists are compared at each ping after a change.
const COMPARED: usize = 2;

/// How many members beyond its monitors may help to reach a silent one. They are asked in turn.
const HELPERS_BEYOND: usize = 16;

/// How long one that was asked to ping another waits for that.
const ERRAND: Duration = Duration::from_millis(500);

/// The most such errands at a time.
const MOST_ERRANDS: usize = 64;

/// When evidence is missing, and when its absence is final.
pub(super) fn timing(group: &GroupSettings, swim: &SwimSettings) -> Timing {
    Timing {
        missed_after: swim.ping_interval + SLACK,
        newcomer_missed_after: PING_AGAIN,
        patience: group.patience(),
        newcomer_patience: group.patience(),
        probed_patience: group.patience(),
        suspicion: swim.suspicion_timeout,
        probe_again: PING_AGAIN,
        probe_again_late: PING_SUSPECTED_AGAIN,
        probe_others: ASK_OTHERS,
    }
}

/// The pings of one member.
#[derive(Debug)]
pub(super) struct Pings {
    settings: SwimSettings,
    next_at: Instant,
    /// Counts the pings, to take the successors in turn.
    turn: usize,
    /// The successors that are pinged.
    successors: Vec<Peer>,
    /// All that are watched, and watch this member.
    monitors: BTreeSet<(Name, Incarnation)>,
    errands: Vec<Errand>,
    stopped: bool,
}

#[derive(Debug, Clone)]
struct Peer {
    name: Name,
    address: SocketAddr,
}

/// A ping that another member asked for.
#[derive(Debug)]
struct Errand {
    name: Name,
    incarnation: Incarnation,
    requester: SocketAddr,
    until: Instant,
}

impl Pings {
    /// Pings nobody yet.
    pub(super) fn new(settings: SwimSettings) -> Self {
        Pings {
            settings,
            next_at: Instant::EPOCH,
            turn: 0,
            successors: Vec::new(),
            monitors: BTreeSet::new(),
            errands: Vec::new(),
            stopped: false,
        }
    }

    /// Begins at a random phase, so that members that start together do not ping in step.
    pub(super) fn start(settings: SwimSettings, context: &mut Context) -> Self {
        let phase = settings.ping_interval.mul_f64(context.rng.random::<f64>());
        Pings { next_at: context.now.mono + phase, ..Pings::new(settings) }
    }

    pub(super) fn settings(&self) -> &SwimSettings {
        &self.settings
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Those that watch this member.
    pub(super) fn monitors(&self) -> impl Iterator<Item = &Name> {
        self.monitors.iter().map(|(name, _)| name)
    }

    /// Treats every monitor as a new one.
    pub(super) fn forget_monitors(&mut self) {
        self.monitors.clear();
        self.successors.clear();
    }

    /// Sets the neighbours on each ring: those that this member pings come first. Returns the new
    /// ones, which are to be pinged at once, because neither has evidence of the other.
    pub(super) fn set_neighbours(
        &mut self,
        rings: &[Vec<&Arc<Entry>>],
        pinged: usize,
    ) -> Vec<Name> {
        let before = std::mem::take(&mut self.monitors);
        self.successors.clear();
        let mut new = Vec::new();
        for ring in rings {
            for (place, entry) in ring.iter().enumerate() {
                let identity = &entry.identity;
                let neighbour = (identity.name.clone(), identity.incarnation);
                if !before.contains(&neighbour) && !self.monitors.contains(&neighbour) {
                    new.push(identity.name.clone());
                }
                self.monitors.insert(neighbour);
                let known = self.successors.iter().any(|peer| peer.name == identity.name);
                if place < pinged && !known {
                    let (name, address) = (identity.name.clone(), identity.address);
                    self.successors.push(Peer { name, address });
                }
            }
        }
        new
    }

    /// Pings the next successor if that is due. Soon after a change it also compares lists with
    /// others.
    pub(super) fn send_if_due(&mut self, outbox: &mut Outbox) {
        let now = outbox.context.now.mono;
        if self.next_at > now {
            return;
        }
        let successors = u32::try_from(self.successors.len()).unwrap_or(u32::MAX).max(1);
        self.next_at = next_turn(self.next_at, self.settings.ping_interval / successors, now);
        if self.stopped {
            return;
        }
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn.checked_rem(self.successors.len());
        if let Some(peer) = turn.and_then(|turn| self.successors.get(turn)) {
            outbox.send_ping(&peer.name, peer.address);
        }
        outbox.compare_after_change(COMPARED, self.monitors());
    }

    /// Pings a member out of turn.
    pub(super) fn ping(&self, name: &Name, outbox: &mut Outbox) {
        let address = outbox.members.get(name).map(|entry| entry.identity.address);
        if let Some(address) = address.filter(|_| !self.stopped) {
            outbox.send_ping(name, address);
        }
    }

    /// Looks for a silent member: pings it, and from the second round on asks others to do that
    /// too. If this member `hears` nobody at all, the fault may be its own, and it asks nobody.
    pub(super) fn seek(&self, missing: &Missing, hears: bool, outbox: &mut Outbox) {
        let Missing { name, incarnation, round, .. } = missing;
        if !hears && round % 2 == 1 {
            return;
        }
        self.ping(name, outbox);
        let Some(round) = round.checked_sub(1).filter(|_| hears && !self.stopped) else { return };
        let now = outbox.context.now.mono;
        let sent = outbox.watches.newest(name, *incarnation, now).map_or(0, |(sent, _)| sent);
        for helper in self.helpers(name, round, outbox) {
            outbox.context.counters.indirect_pings += 1;
            let (name, incarnation) = (name.clone(), *incarnation);
            outbox.context.send(helper, Body::PingRequest { name, incarnation, sent });
        }
    }

    /// The members to ask in a round: first the other monitors of the silent member, in further
    /// rounds the next ones on the ring, in turn. Nobody is asked whose own evidence is missing.
    fn helpers(&self, of: &Name, round: u32, outbox: &Outbox) -> Vec<SocketAddr> {
        let Outbox { watches, members, context, .. } = outbox;
        let wanted = usize::from(self.settings.indirect_pings);
        let ring = Ring::of_up(members);
        let mut able = ring.monitors(of, context.monitors_wanted());
        for entry in ring.monitors(of, context.monitors_wanted() + HELPERS_BEYOND) {
            if !able.iter().any(|other| Arc::ptr_eq(other, entry)) {
                able.push(entry);
            }
        }
        able.retain(|entry| {
            let name = &entry.identity.name;
            *name != context.local.name && !watches.is_missing(name, context.now.mono)
        });
        let first = usize::try_from(round).unwrap_or(0).saturating_mul(wanted);
        let first = first.checked_rem(able.len()).unwrap_or(0);
        let from = able.iter().cycle().skip(first);
        from.take(wanted.min(able.len())).map(|entry| entry.identity.address).collect()
    }

    /// Handles a member's pings, requests and answers.
    pub(super) fn on_message(
        &mut self,
        name: &Name,
        from: SocketAddr,
        message: &Message,
        outbox: &mut Outbox,
    ) {
        self.finish_errands(name, message, outbox);
        if self.stopped {
            return;
        }
        match &message.body {
            Body::Ping { .. } => {
                outbox.context.counters.acks += 1;
                outbox.send_heartbeat(name, from);
            }
            Body::PingRequest { name: silent, incarnation, sent } => {
                let (members, now) = (outbox.members, outbox.context.now.mono);
                let known = outbox.watches.known(silent, *incarnation, Some(*sent), members, now);
                // A heartbeat shows that this member hears the other.
                let answer = known.unwrap_or_else(|| outbox.heartbeat(name));
                outbox.context.send(from, answer);
                self.take_errand(name, from, (silent, *incarnation), outbox);
            }
            Body::IndirectPing { requester } => {
                let requester = outbox.members.get(requester);
                let requester = requester.filter(|entry| entry.is_alive_to_others());
                let requester = requester.filter(|entry| entry.identity.address != from);
                let requester =
                    requester.map(|entry| (&entry.identity.name, entry.identity.address));
                for (name, address) in [(name, from)].into_iter().chain(requester) {
                    outbox.context.counters.acks += 1;
                    let ack = outbox.heartbeat(name);
                    outbox.context.send(address, ack);
                }
            }
            _ => {}
        }
    }

    /// Pings a member for another one, unless it was heard lately, or somebody has asked already.
    fn take_errand(
        &mut self,
        requester: &Name,
        from: SocketAddr,
        (silent, incarnation): (&Name, Incarnation),
        outbox: &mut Outbox,
    ) {
        let now = outbox.context.now.mono;
        let other = (*silent != outbox.context.local.name).then_some(silent);
        let entry = other.and_then(|silent| outbox.members.alive_as(silent, incarnation));
        let Some(entry) = entry else { return };
        let heard = outbox.watches.newest(silent, incarnation, now).is_some()
            && !outbox.watches.is_missing(silent, now);
        self.errands.retain(|errand| now < errand.until);
        let same = |errand: &Errand| errand.requester == from && errand.name == *silent;
        if heard || self.errands.iter().any(same) || self.errands.len() >= MOST_ERRANDS {
            return;
        }
        let (name, until) = (silent.clone(), now + ERRAND);
        self.errands.push(Errand { name, incarnation, requester: from, until });
        let ping = Body::IndirectPing { requester: requester.clone() };
        outbox.context.send(entry.identity.address, ping);
    }

    /// Passes on that a member was heard, to those that asked for it.
    fn finish_errands(&mut self, name: &Name, message: &Message, outbox: &mut Outbox) {
        let (now, incarnation) = (outbox.context.now, message.incarnation);
        let is_done =
            |errand: &mut Errand| errand.name == *name && errand.incarnation == incarnation;
        for errand in self.errands.extract_if(.., is_done).filter(|errand| now.mono < errand.until)
        {
            let sent = message.sent.mono;
            let known = outbox.watches.newest(name, incarnation, now.mono);
            let age = known.filter(|(newest, _)| *newest == sent).map(|(_, age)| millis(age));
            // Of one that it does not watch, a member knows no better than the wall clocks.
            let age = age.unwrap_or_else(|| millis(peer_clock::way_by_wall(now, message.sent)));
            let name = name.clone();
            let reply = Body::ProbeReply { name, incarnation, sent, age };
            outbox.context.send(errand.requester, reply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::peer_clock::{SentAt, sent_at};
    use crate::detector::watches::{Target, Watches};
    use crate::settings::Settings;
    use crate::testing::{Fixture, address, identity, name};

    const SENT: SentAt = SentAt { mono: 90_000, wall: crate::time::WallTime(0) };

    /// Member 0 with its watches in a group of this size. It has heard nobody yet.
    struct World {
        fixture: Fixture,
        watches: Watches,
        pings: Pings,
    }

    impl World {
        fn new(size: u8) -> Self {
            let settings = Settings { group: GroupSettings::swim(), ..Settings::default() };
            let mut fixture = Fixture::of(settings.clone(), size);
            let swim = SwimSettings::default();
            let mut pings = Pings::start(swim, &mut fixture.context);
            let ring = Ring::of_up(&fixture.members).monitors(&name(0), 4);
            let mut watches = Watches::new(timing(&settings.group, &swim));
            let targets = ring.iter().map(|entry| {
                let incarnation = entry.identity.incarnation;
                (entry.identity.name.clone(), Target { incarnation, newcomer: false })
            });
            watches.watch(targets, |_, _| true, fixture.context.now.mono);
            let new = pings.set_neighbours(&[ring], 2);
            assert_eq!(new.len(), usize::from(size.min(5) - 1));
            World { fixture, watches, pings }
        }

        fn outbox<T>(&mut self, act: impl FnOnce(&mut Pings, &mut Outbox) -> T) -> T {
            let Fixture { members, gossip, context, .. } = &mut self.fixture;
            let watches = &self.watches;
            act(&mut self.pings, &mut Outbox { watches, members, gossip, context })
        }

        fn hear(&mut self, i: u8) {
            let now = self.fixture.context.now;
            let sent = sent_at(now, Instant::EPOCH);
            self.watches.heard(&name(i), identity(i).incarnation, sent, now);
        }

        fn receive(&mut self, from: u8, sent: SentAt, body: Body) {
            let message = Message { incarnation: identity(from).incarnation, sent, body };
            self.outbox(|pings, outbox| {
                pings.on_message(&name(from), address(from), &message, outbox);
            });
        }
    }

    fn ping() -> Body {
        Body::Ping { hash: 0, delay: None, updates: Vec::new() }
    }

    #[test]
    fn each_successor_is_pinged_once_an_interval_and_nobody_else() {
        let mut world = World::new(10);
        let successors: Vec<SocketAddr> =
            world.pings.successors.iter().map(|peer| peer.address).collect();
        assert_eq!(successors.len(), 2);
        let mut pinged = Vec::new();
        for _ in 0..1_000 {
            world.fixture.pass(10);
            world.outbox(Pings::send_if_due);
            pinged.extend(world.fixture.sent().into_iter().map(|(to, _)| to));
        }
        assert_eq!(pinged.len(), 8, "10 s are four intervals");
        assert!(pinged.iter().all(|to| successors.contains(to)));
        assert!(pinged.windows(2).all(|two| two[0] != two[1]), "in turn");
    }

    #[test]
    fn a_ping_is_acknowledged_unless_this_member_leaves() {
        let mut world = World::new(3);
        world.hear(1);
        world.receive(1, SENT, ping());
        let sent = world.fixture.sent();
        assert!(matches!(&sent[..], [(to, Body::Heartbeat { .. })] if *to == address(1)));
        assert_eq!(world.fixture.context.counters.acks, 1);
        world.pings.stop();
        world.receive(1, SENT, ping());
        assert_eq!(world.fixture.sent(), []);
    }

    #[test]
    fn who_was_never_heard_gets_an_introduction_with_the_ping() {
        let mut world = World::new(3);
        world.outbox(|pings, outbox| pings.ping(&name(1), outbox));
        let introduction = world.fixture.context.local.introduction();
        assert_eq!(world.fixture.sent()[0].1.updates(), [introduction]);
        world.hear(1);
        world.outbox(|pings, outbox| pings.ping(&name(1), outbox));
        assert_eq!(world.fixture.sent()[0].1.updates(), []);
    }

    fn missing(round: u32, world: &World) -> Missing {
        let missed_at = world.fixture.context.now.mono;
        Missing { name: name(1), incarnation: identity(1).incarnation, round, missed_at }
    }

    #[test]
    fn helpers_are_asked_from_the_second_round_on_and_in_turn() {
        let mut world = World::new(12);
        let mut asked = Vec::new();
        for round in 0..4 {
            let missing = missing(round, &world);
            world.outbox(|pings, outbox| pings.seek(&missing, true, outbox));
            let sent = world.fixture.sent();
            let requests = sent.iter().filter(|(_, body)| matches!(body, Body::PingRequest { .. }));
            asked.push(requests.map(|(to, _)| *to).collect::<Vec<_>>());
            assert!(sent.iter().any(|(to, _)| *to == address(1)), "it is pinged itself");
        }
        assert_eq!(asked[0], []);
        assert!(asked[1..].iter().all(|asked| asked.len() == 3), "{asked:?}");
        assert!(asked[1..].iter().flatten().all(|to| ![address(0), address(1)].contains(to)));
        assert!(asked[1].iter().all(|to| !asked[2].contains(to)), "others in the next round");
    }

    #[test]
    fn a_deaf_member_asks_nobody_else() {
        let mut world = World::new(12);
        for round in 0..4 {
            let missing = missing(round, &world);
            world.outbox(|pings, outbox| pings.seek(&missing, false, outbox));
        }
        let to: Vec<SocketAddr> = world.fixture.sent().into_iter().map(|(to, _)| to).collect();
        assert_eq!(to, [address(1), address(1)], "half as often");
    }

    #[test]
    fn a_helper_shows_that_it_hears_pings_and_passes_the_answer_on() {
        let mut world = World::new(12);
        let incarnation = identity(2).incarnation;
        let request = Body::PingRequest { name: name(2), incarnation, sent: 80_000 };
        world.receive(3, SENT, request.clone());
        let sent = world.fixture.sent();
        assert!(matches!(&sent[0], (to, Body::Heartbeat { .. }) if *to == address(3)), "{sent:?}");
        let indirect = Body::IndirectPing { requester: name(3) };
        assert_eq!(sent[1..], [(address(2), indirect)]);
        world.receive(3, SENT, request);
        assert_eq!(world.fixture.sent().len(), 1, "one errand at a time");
        let wall = world.fixture.context.now.wall;
        let ack = Body::Heartbeat { hash: 0, delay: None, updates: Vec::new() };
        world.receive(2, SentAt { mono: 99_000, wall }, ack.clone());
        let reply = Body::ProbeReply { name: name(2), incarnation, sent: 99_000, age: 0 };
        assert_eq!(world.fixture.sent(), [(address(3), reply)]);
        world.receive(2, SENT, ack);
        assert_eq!(world.fixture.sent(), [], "once");
    }

    #[test]
    fn an_errand_ends_and_there_are_not_too_many() {
        let mut world = World::new(100);
        let request = |i: u8| Body::PingRequest {
            name: name(i),
            incarnation: identity(i).incarnation,
            sent: 0,
        };
        (2..100).for_each(|i| world.receive(1, SENT, request(i)));
        assert_eq!(world.pings.errands.len(), MOST_ERRANDS);
        world.fixture.sent();
        world.fixture.pass(500);
        let ack = Body::Heartbeat { hash: 0, delay: None, updates: Vec::new() };
        world.receive(2, SENT, ack);
        assert_eq!(world.fixture.sent(), [], "too late");
    }

    #[test]
    fn newer_evidence_is_told_at_once_and_nobody_is_pinged_for_it() {
        let mut world = World::new(3);
        world.hear(2);
        let incarnation = identity(2).incarnation;
        let request = Body::PingRequest { name: name(2), incarnation, sent: 5 };
        world.receive(1, SENT, request);
        let sent = world.fixture.sent();
        assert!(matches!(&sent[..], [(_, Body::ProbeReply { sent: 100_000, .. })]), "{sent:?}");
    }

    #[test]
    fn an_indirect_ping_is_acknowledged_to_both_by_the_own_list() {
        let mut world = World::new(4);
        world.receive(1, SENT, Body::IndirectPing { requester: name(2) });
        let to: Vec<SocketAddr> = world.fixture.sent().into_iter().map(|(to, _)| to).collect();
        assert_eq!(to, [address(1), address(2)]);
        world.receive(1, SENT, Body::IndirectPing { requester: name(99) });
        assert_eq!(world.fixture.sent().len(), 1, "nobody of that name");
    }
}
