//! The protocol as one state machine: [`Node`]. Inputs go in together with the time; what to send,
//! what happened and when to wake it are asked of it.

mod belief;
mod heal;
mod heartbeat;
mod joining;
mod leaving;
mod receive;
mod repair;
mod status;
mod suspect;
mod tagging;

pub use joining::NotOut;
pub use status::{Counters, Neighbour, PhaseName};

use crate::calls::{Call, Calls};
use crate::detector::heartbeat::Detector;
use crate::detector::peer_clock::sent_at;
use crate::event::{Event, MemberEvent, MemberEventKind};
use crate::gossip::broadcast::{Rumours, Source};
use crate::identity::{Identity, Incarnation, Name};
use crate::join::Round;
use crate::list::tags::VersionedTags;
use crate::list::{Change, Claim, Entry, List, Standing, Update};
use crate::message::{Body, Message};
use crate::outbox::Outbox;
use crate::settings::Settings;
use crate::time::{Instant, Now, WallTime};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// A wake-up that comes later than this is a stall of this machine, not a matter of scheduling.
pub const STALL: Duration = Duration::from_millis(100);

/// The most addresses remembered for knocking, beside the list.
const MAX_ACQUAINTANCES: usize = 256;

/// A datagram to send; its bytes are in the buffer that [`Node::poll_transmit`] was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// To whom.
    pub to: SocketAddr,
    /// Its kind, for logs and counters.
    pub kind: &'static str,
}

/// Where a node is in its life in the group.
#[derive(Debug)]
enum Phase {
    /// Not in the group.
    Out,
    /// Asking to be let in.
    Joining(Round),
    /// Let in and announced; waits for the first heartbeat.
    Greeting { since: Instant },
    /// In the group.
    Member,
    /// Telling the others that it leaves.
    Leaving(leaving::Farewell),
}

/// One member of the group.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    name: Name,
    address: SocketAddr,
    rng: SmallRng,
    phase: Phase,
    /// This life, or the last one.
    incarnation: Incarnation,
    tags: VersionedTags,
    born: Instant,
    /// The latest that the wall clock ever showed.
    latest_wall: WallTime,
    list: List,
    detector: Detector,
    rumours: Rumours,
    heartbeats: heartbeat::Heartbeats,
    suspicions: suspect::Suspicions,
    repairs: repair::Repairs,
    healing: heal::Healing,
    counters: Counters,
    /// The neighbours whose wall clocks disagree.
    skewed: BTreeMap<Name, receive::Skew>,
    ring_moved: bool,
    last_change: Instant,
    next_forgetting: Instant,
    /// When [`Node::handle_timeout`] was last asked for.
    due: Option<Instant>,
    /// When that was reckoned: what was due before then is not late.
    settled_at: Instant,
    outbox: Outbox,
    calls: Calls,
    events: VecDeque<Event>,
}

impl Node {
    /// A node that is out of the group. `last` is the largest incarnation that this machine ever
    /// used; `seed` drives every random choice.
    pub fn new(
        settings: Settings,
        name: Name,
        address: SocketAddr,
        last: Option<Incarnation>,
        seed: u64,
    ) -> Self {
        Node {
            settings,
            name,
            address,
            rng: SmallRng::seed_from_u64(seed),
            phase: Phase::Out,
            incarnation: last.unwrap_or(Incarnation(0)),
            tags: VersionedTags::default(),
            born: Instant::EPOCH,
            latest_wall: WallTime(0),
            list: List::new(),
            detector: Detector::new(settings.group),
            rumours: Rumours::default(),
            heartbeats: heartbeat::Heartbeats::default(),
            suspicions: suspect::Suspicions::default(),
            repairs: repair::Repairs::default(),
            healing: heal::Healing::default(),
            counters: Counters::default(),
            skewed: BTreeMap::new(),
            ring_moved: false,
            last_change: Instant::EPOCH,
            next_forgetting: Instant::EPOCH,
            due: None,
            settled_at: Instant::EPOCH,
            outbox: Outbox::default(),
            calls: Calls::default(),
            events: VecDeque::new(),
        }
    }

    /// A moment that was asked for with [`Node::poll_timeout`] has come. Whatever waits in the
    /// socket is to be handed in first, so that a stalled machine reads before it judges.
    pub fn handle_timeout(&mut self, now: Now) {
        self.notice_stall(now);
        match &self.phase {
            Phase::Out => {}
            Phase::Joining(_) => self.continue_joining(now),
            Phase::Greeting { .. } | Phase::Member | Phase::Leaving(_) => {
                self.judge(now);
                self.send_heartbeats_if_due(now);
                self.tell_rumours_if_due(now);
                self.knock_if_due(now);
                self.forget_if_due(now);
                self.give_up_greeting_if_due(now);
                self.continue_leaving(now);
            }
        }
        self.settle(now);
    }

    /// What to send next; its bytes replace those in `payload`, which is best the same buffer each
    /// time. Events are to be asked for first: see [`Event::Incarnation`].
    pub fn poll_transmit(&mut self, payload: &mut Vec<u8>) -> Option<Transmit> {
        self.outbox.take(payload)
    }

    /// What to ask over TCP next.
    pub fn poll_call(&mut self) -> Option<Call> {
        self.calls.poll()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Node::handle_timeout`]; nothing while there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Every input ends here: the ring is laid anew if the list changed, and the next moment is
    /// reckoned.
    fn settle(&mut self, now: Now) {
        if self.ring_moved {
            self.ring_moved = false;
            self.lay_ring(now);
        }
        self.settled_at = now.mono;
        self.due = match &self.phase {
            Phase::Out => None,
            Phase::Joining(round) => Some(round.next_at),
            Phase::Greeting { since } => {
                earliest(self.group_timeouts(), Some(*since + joining::GREETING_TIMEOUT))
            }
            Phase::Member => self.group_timeouts(),
            Phase::Leaving(farewell) => earliest(self.group_timeouts(), Some(farewell.next_at())),
        };
    }

    fn group_timeouts(&self) -> Option<Instant> {
        [
            self.detector.poll_at(),
            self.suspicions.next_at(),
            Some(self.heartbeats.next_at),
            self.rumours.next_at(),
            self.healing.next_at,
            Some(self.next_forgetting),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Notes the time, and this machine's own lateness: deadlines move by it, and after a long one
    /// nobody is accused before there was time to hear.
    fn notice_stall(&mut self, now: Now) {
        self.latest_wall = self.latest_wall.max(now.wall);
        let Some(due) = self.due else { return };
        let stall = now.mono.since(due.max(self.settled_at));
        if stall <= STALL || matches!(self.phase, Phase::Out | Phase::Joining(_)) {
            return;
        }
        self.counters.stalls += 1;
        self.detector.forgive(stall, now.mono);
        self.suspicions.forgive(stall);
        if stall > self.settings.group.failure_timeout {
            self.events.push_back(Event::Stalled(stall));
        }
    }

    fn identity(&self) -> Identity {
        Identity { name: self.name.clone(), address: self.address, incarnation: self.incarnation }
    }

    fn introduction(&self) -> Update {
        Update { identity: self.identity(), claim: Claim::Alive, tags: self.tags.clone() }
    }

    fn in_group(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. } | Phase::Member | Phase::Leaving(_))
    }

    fn send(&mut self, to: SocketAddr, body: Body, now: Now) {
        if to == self.address {
            return;
        }
        let message =
            Message { incarnation: self.incarnation, sent: sent_at(now, self.born), body };
        let length = self.outbox.add(to, &message);
        self.counters.count_sent(length);
    }

    /// Takes in a piece of news about another member.
    fn merge(&mut self, update: Update, source: Source, now: Now) {
        if !self.is_plausible(update.identity.incarnation, now) {
            self.counters.implausible += 1;
            return;
        }
        if let Some(change) = self.list.merge(update, now.mono) {
            self.rumours.learn(
                change.after.to_update(),
                source,
                self.list.up(),
                self.settings.group.heartbeat_interval * 2,
                now.mono,
            );
            self.changed(&change, now);
        }
    }

    /// What every change of the list entails.
    fn changed(&mut self, change: &Change, now: Now) {
        self.ring_moved = true;
        self.last_change = now.mono;
        self.next_forgetting =
            self.next_forgetting.min(change.after.since + self.settings.forget_after);
        let own_restart = |event: &MemberEvent| {
            event.member.name == self.name && matches!(event.kind, MemberEventKind::Restarted)
        };
        let events = member_events(change).into_iter().filter(|event| !own_restart(event));
        self.events.extend(events.map(Event::Member));
        if change
            .before
            .as_ref()
            .is_some_and(|before| before.is_up() && before.identity == change.after.identity)
            && change.after.is_up()
        {
            self.events.push_back(Event::Tagged(change.after.identity.clone()));
        }
    }

    fn forget_if_due(&mut self, now: Now) {
        if self.next_forgetting > now.mono {
            return;
        }
        let age = self.settings.forget_after;
        let lost: Vec<SocketAddr> = self
            .list
            .iter()
            .filter(|entry| {
                matches!(entry.standing, Standing::Failed(_)) && now.mono.since(entry.since) >= age
            })
            .map(|entry| entry.identity.address)
            .collect();
        self.healing.remember(lost);
        self.list.forget(age, now.mono);
        let hour = now.mono + Duration::from_secs(3_600);
        self.next_forgetting =
            self.list.next_forgetting(age).map_or(hour, |next| next.clamp(now.mono, hour));
    }

    /// Some random members that are up, none of them this one, one of `except`, or twice.
    fn random_members(&mut self, count: usize, except: &BTreeSet<Name>) -> Vec<SocketAddr> {
        let ring = self.list.ring();
        let wanted = count.min(self.list.up().saturating_sub(1));
        let eligible = |entry: &Entry| {
            entry.is_up()
                && entry.identity.name != self.name
                && !except.contains(&entry.identity.name)
        };
        let mut chosen = BTreeSet::new();
        // A few looks for each; then, in a list of mostly the gone or when nearly all are wanted,
        // from a random place on.
        for _ in 0..wanted * 2 {
            if chosen.len() < wanted && wanted * 2 < ring.len() {
                let entry = &ring[self.rng.random_range(0..ring.len())];
                if eligible(entry) {
                    chosen.insert(entry.identity.address);
                }
            }
        }
        if chosen.len() < wanted {
            let start = self.rng.random_range(0..ring.len());
            for entry in ring[start..].iter().chain(&ring[..start]) {
                if chosen.len() < wanted && eligible(entry) {
                    chosen.insert(entry.identity.address);
                }
            }
        }
        chosen.into_iter().collect()
    }

    /// The next incarnation: the wall clock's, but always larger than the last and than what the
    /// group knows.
    fn next_incarnation(&self, now: Now, known: Incarnation) -> Incarnation {
        let larger = self.incarnation.max(known).0.saturating_add(1);
        Incarnation(now.wall.0.max(larger))
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// The events of one change of the list.
fn member_events(change: &Change) -> Vec<MemberEvent> {
    let after = &change.after;
    let event = |member: &Identity, kind| MemberEvent { member: member.clone(), kind };
    let before_up = change.before.as_ref().filter(|before| before.is_up());
    match &after.standing {
        // Only its tags changed.
        Standing::Alive if before_up.is_some_and(|before| before.identity == after.identity) => {
            Vec::new()
        }
        Standing::Alive => {
            let restarted =
                before_up.map(|before| event(&before.identity, MemberEventKind::Restarted));
            restarted.into_iter().chain([event(&after.identity, MemberEventKind::Joined)]).collect()
        }
        Standing::Doubted(evidence) | Standing::Failed(evidence) => {
            let failed = before_up
                .map(|_| event(&after.identity, MemberEventKind::Failed(evidence.clone())));
            failed.into_iter().collect()
        }
        Standing::Left => {
            let known =
                change.before.as_ref().map(|_| event(&after.identity, MemberEventKind::Left));
            known.into_iter().collect()
        }
    }
}
