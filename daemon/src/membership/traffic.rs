//! Counts datagrams by kind, and the heartbeats of neighbours that did not arrive. It owns these
//! counters. With the detector `swim`, pings without an answer count instead.
//!
//! Heartbeats have no numbers. A sender sends them at a fixed interval of its clock, and they carry
//! their send time. A gap of three intervals therefore means that two were lost, or that the sender
//! was stalled.

mod pings;

use memberd_membership::{
    Body, Detection, GroupSettings, Incarnation, Instant, Message, millis, wire::DecodeError,
};
use memberd_transport::LogRateLimit;
use pings::Pings;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// The loss of a neighbour covers at least this time, and at most twice as long.
const WINDOW: Duration = Duration::from_secs(60);

/// The most neighbours that have counters of their own.
const MOST_PEERS: usize = 64;

/// Why a datagram is no message.
const REFUSAL_CAUSES: [&str; 3] = ["too_long", "version", "malformed"];

/// Counters by a fixed set of words.
pub type ByKind = BTreeMap<&'static str, u64>;

/// Totals since the daemon started. Each cause of a refusal is there from the beginning, at 0, so
/// that Prometheus sees the first one as an increase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Datagrams sent, by kind.
    pub sent: ByKind,
    /// Datagrams received and understood, by kind.
    pub received: ByKind,
    /// Datagrams received that were not valid messages, by cause.
    pub refused: ByKind,
    /// Datagrams that the kernel refused to send.
    pub unsent: u64,
    /// Heartbeats of watched members that did not arrive, or pings without an answer.
    pub heartbeats_lost: u64,
}

impl Default for Totals {
    fn default() -> Self {
        let refused = REFUSAL_CAUSES.into_iter().map(|cause| (cause, 0)).collect();
        Totals {
            sent: ByKind::new(),
            received: ByKind::new(),
            refused,
            unsent: 0,
            heartbeats_lost: 0,
        }
    }
}

/// The traffic of one member.
#[derive(Debug)]
pub(super) struct Traffic {
    interval: u64,
    /// A member that is silent for longer is not alive, or was not watched in the meantime. In
    /// milliseconds.
    silence: u64,
    /// Whether pings are counted, and not heartbeats.
    counts_pings: bool,
    totals: Totals,
    /// When each cause of refusal was last logged.
    refused_limits: BTreeMap<&'static str, LogRateLimit>,
    unsent_limit: LogRateLimit,
    peers: BTreeMap<SocketAddr, Peer>,
}

/// One neighbour's heartbeats, or the pings to it.
#[derive(Debug)]
struct Peer {
    /// Its incarnation; `None` until it is heard.
    incarnation: Option<Incarnation>,
    /// The send time of the newest heartbeat in turn, by the neighbour's clock, in milliseconds.
    newest: u64,
    pings: Pings,
    window_began: Instant,
    now: Tally,
    before: Tally,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    expected: u64,
    lost: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.expected += other.expected;
        self.lost += other.lost;
    }

    /// How many of a thousand were lost; `None` while none were expected.
    fn permille(self) -> Option<u16> {
        u16::try_from((self.lost * 1_000).checked_div(self.expected)?).ok()
    }
}

impl Peer {
    /// One that was not heard yet, or that is heard anew.
    fn new(incarnation: Option<Incarnation>, newest: u64, now: Instant) -> Self {
        Peer {
            incarnation,
            newest,
            pings: Pings::default(),
            window_began: now,
            now: Tally::default(),
            before: Tally::default(),
        }
    }

    fn count(&mut self, tally: Tally, now: Instant) {
        if now.since(self.window_began) >= WINDOW {
            (self.before, self.now, self.window_began) = (self.now, Tally::default(), now);
        }
        self.now.add(tally);
    }
}

impl Traffic {
    pub(super) fn new(settings: &GroupSettings) -> Self {
        Traffic {
            interval: millis(settings.interval()).max(1),
            silence: millis(settings.patience()) * 2,
            counts_pings: matches!(settings.detection, Detection::Swim(_)),
            totals: Totals::default(),
            refused_limits: BTreeMap::new(),
            unsent_limit: LogRateLimit::default(),
            peers: BTreeMap::new(),
        }
    }

    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(super) fn sent(&mut self, kind: &'static str) {
        *self.totals.sent.entry(kind).or_default() += 1;
    }

    /// Counts a datagram that the kernel refused to send. Returns how many there were if a log line
    /// is due.
    pub(super) fn unsent(&mut self) -> Option<u64> {
        self.totals.unsent += 1;
        self.unsent_limit.count(std::time::Instant::now())
    }

    pub(super) fn received(&mut self, message: &Message) {
        *self.totals.received.entry(message.body.kind()).or_default() += 1;
    }

    /// Counts a refused datagram. Returns how many had this cause if a log line is due.
    pub(super) fn refused(&mut self, error: DecodeError) -> Option<u64> {
        let [too_long, version, malformed] = REFUSAL_CAUSES;
        let cause = match error {
            DecodeError::TooLong(_) => too_long,
            DecodeError::Version(_) => version,
            DecodeError::Malformed => malformed,
        };
        *self.totals.refused.entry(cause).or_default() += 1;
        self.refused_limits.entry(cause).or_default().count(std::time::Instant::now())
    }

    /// A watched member is pinged.
    pub(super) fn pinged(&mut self, to: SocketAddr, now: Instant) {
        self.peer(to, || Peer::new(None, 0, now)).pings.sent(now);
    }

    /// Takes in a message of a watched member.
    pub(super) fn heard(&mut self, from: SocketAddr, message: &Message, now: Instant) {
        let tally = match &message.body {
            Body::Heartbeat { .. } if self.counts_pings => self.answered(from, message, now),
            Body::Heartbeat { .. } => self.heartbeat(from, message, now),
            _ => None,
        };
        self.totals.heartbeats_lost += tally.map_or(0, |tally| tally.lost);
    }

    /// A heartbeat answers a ping. Those before it that were not answered count as lost.
    fn answered(&mut self, from: SocketAddr, message: &Message, now: Instant) -> Option<Tally> {
        let longest = Duration::from_millis(self.silence);
        let peer = self.peers.get_mut(&from)?;
        let heard = peer.incarnation.replace(message.incarnation);
        if heard.is_some_and(|heard| heard != message.incarnation) {
            *peer = Peer::new(Some(message.incarnation), 0, now);
        }
        let tally = peer.pings.answered(now, longest);
        peer.count(tally, now);
        Some(tally)
    }

    /// The heartbeats that are missing before this one count as lost.
    fn heartbeat(&mut self, from: SocketAddr, message: &Message, now: Instant) -> Option<Tally> {
        let (incarnation, sent) = (Some(message.incarnation), message.sent.mono);
        let (interval, silence) = (self.interval, self.silence);
        let peer = self.peer(from, || Peer::new(incarnation, sent, now));
        let gap = sent.saturating_sub(peer.newest);
        if peer.incarnation != incarnation || gap > silence {
            *peer = Peer::new(incarnation, sent, now);
            return None;
        }
        // A heartbeat within half an interval is out of turn, such as an answer.
        let turns = (gap + interval / 2) / interval;
        let lost = turns.checked_sub(1)?;
        peer.newest = sent;
        let tally = Tally { expected: turns, lost };
        peer.count(tally, now);
        Some(tally)
    }

    fn peer(&mut self, address: SocketAddr, begin: impl FnOnce() -> Peer) -> &mut Peer {
        if self.peers.len() >= MOST_PEERS && !self.peers.contains_key(&address) {
            self.peers.clear();
        }
        self.peers.entry(address).or_insert_with(begin)
    }

    /// This member is out of the group. Heartbeats that it misses from now on do not count as lost.
    pub(super) fn out(&mut self) {
        self.peers.clear();
    }

    /// How many of a thousand heartbeats of this member, or pings to it, were lost recently; `None`
    /// while none were expected.
    pub(super) fn lost_permille(&self, from: SocketAddr) -> Option<u16> {
        let peer = self.peers.get(&from)?;
        let mut tally = peer.now;
        tally.add(peer.before);
        tally.permille()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::{SentAt, WallTime};

    fn at(milliseconds: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(milliseconds))
    }

    fn heartbeat(sent: u64) -> Message {
        let body = Body::Heartbeat { hash: 0, delay: None, updates: Vec::new() };
        Message {
            incarnation: Incarnation(1),
            sent: SentAt { mono: sent, wall: WallTime(0) },
            body,
        }
    }

    fn loss(sent: &[u64]) -> (Option<u16>, u64) {
        let from = "127.0.0.1:1".parse().unwrap();
        let mut traffic = Traffic::new(&GroupSettings::default());
        sent.iter().for_each(|sent| traffic.heard(from, &heartbeat(*sent), at(sent + 10)));
        (traffic.lost_permille(from), traffic.totals().heartbeats_lost)
    }

    #[test]
    fn a_gap_of_three_intervals_is_two_lost_heartbeats() {
        assert_eq!(loss(&[1_000]), (None, 0));
        assert_eq!(loss(&[1_000, 1_600, 2_200, 2_800]), (Some(0), 0));
        assert_eq!(loss(&[1_000, 2_800, 3_400]), (Some(500), 2));
    }

    #[test]
    fn heartbeats_out_of_turn_twice_or_late_are_not_counted() {
        assert_eq!(loss(&[1_000, 1_100, 1_600, 1_600, 1_000, 1_750, 2_200]), (Some(0), 0));
    }

    /// With `swim` a heartbeat is the answer to a ping. Heartbeats have no turn.
    #[test]
    fn pings_that_are_not_answered_are_lost() {
        let from = "127.0.0.1:1".parse().unwrap();
        let mut traffic = Traffic::new(&GroupSettings::swim());
        let mut ping = |sent: u64, is_answered: bool| {
            traffic.pinged(from, at(sent));
            if is_answered {
                traffic.heard(from, &heartbeat(sent + 1), at(sent + 2));
            }
            (traffic.lost_permille(from), traffic.totals().heartbeats_lost)
        };
        assert_eq!(ping(1_000, true), (None, 0));
        assert_eq!(ping(3_500, true), (Some(0), 0));
        ping(6_000, false);
        assert_eq!(ping(6_250, true), (Some(333), 1));
        assert_eq!(ping(200_000, true), (Some(333), 1), "no pause is loss");
    }

    #[test]
    fn heartbeats_missed_outside_the_group_are_not_lost() {
        let from = "127.0.0.1:1".parse().unwrap();
        let mut traffic = Traffic::new(&GroupSettings::default());
        traffic.heard(from, &heartbeat(1_000), at(1_010));
        traffic.out();
        [4_000, 4_600]
            .iter()
            .for_each(|sent| traffic.heard(from, &heartbeat(*sent), at(sent + 10)));
        assert_eq!((traffic.lost_permille(from), traffic.totals().heartbeats_lost), (Some(0), 0));
    }

    #[test]
    fn a_pause_of_the_watch_is_not_loss_and_old_loss_expires() {
        assert_eq!(loss(&[1_000, 60_000, 60_600]), (Some(0), 0));
        let lossy_at_first: Vec<u64> =
            [1_000, 2_800].into_iter().chain((0..250).map(|turn| 3_400 + turn * 600)).collect();
        assert_eq!(loss(&lossy_at_first), (Some(0), 2));
    }
}
