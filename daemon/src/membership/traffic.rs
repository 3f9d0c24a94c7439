//! Counts datagrams by kind, and the heartbeats of neighbours that did not arrive. It owns these
//! counters.
//!
//! Heartbeats have no numbers. A sender sends them at a fixed interval of its clock, and they carry
//! their send time. A gap of three intervals therefore means that two were lost, or that the sender
//! was stalled.

use memberd_membership::{
    Body, GroupSettings, Incarnation, Instant, Message, millis, wire::DecodeError,
};
use memberd_transport::LogRateLimit;
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
    /// Heartbeats of watched members that did not arrive.
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
    silence: u64,
    totals: Totals,
    /// When each cause of refusal was last logged.
    refused_limits: BTreeMap<&'static str, LogRateLimit>,
    unsent_limit: LogRateLimit,
    peers: BTreeMap<SocketAddr, Peer>,
}

/// One neighbour's heartbeats.
#[derive(Debug)]
struct Peer {
    incarnation: Incarnation,
    /// The send time of the newest heartbeat in turn, by the neighbour's clock, in milliseconds.
    newest: u64,
    window_began: Instant,
    now: Tally,
    before: Tally,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    expected: u64,
    lost: u64,
}

impl Traffic {
    pub(super) fn new(settings: GroupSettings) -> Self {
        Traffic {
            interval: millis(settings.interval()).max(1),
            // A member that is silent for longer is not alive, or was not watched in the meantime.
            silence: millis(settings.patience()) * 2,
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

    /// Takes in a message of a watched member. If it is a heartbeat, the missing ones before it
    /// count as lost.
    pub(super) fn heard(&mut self, from: SocketAddr, message: &Message, now: Instant) {
        let (Body::Heartbeat { .. } | Body::Ping { .. }, sent) = (&message.body, message.sent.mono)
        else {
            return;
        };
        if self.peers.len() >= MOST_PEERS && !self.peers.contains_key(&from) {
            self.peers.clear();
        }
        let incarnation = message.incarnation;
        let begin = || Peer {
            incarnation,
            newest: sent,
            window_began: now,
            now: Tally::default(),
            before: Tally::default(),
        };
        let peer = self.peers.entry(from).or_insert_with(begin);
        let gap = sent.saturating_sub(peer.newest);
        if peer.incarnation != incarnation || gap > self.silence {
            *peer = begin();
            return;
        }
        // A heartbeat within half an interval is out of turn, such as an answer.
        let turns = (gap + self.interval / 2) / self.interval;
        if turns == 0 {
            return;
        }
        peer.newest = sent;
        if now.since(peer.window_began) >= WINDOW {
            (peer.before, peer.now, peer.window_began) = (peer.now, Tally::default(), now);
        }
        peer.now.expected += turns;
        peer.now.lost += turns - 1;
        self.totals.heartbeats_lost += turns - 1;
    }

    /// This member is out of the group. Heartbeats that it misses from now on do not count as lost.
    pub(super) fn out(&mut self) {
        self.peers.clear();
    }

    /// How many of a thousand heartbeats of this member were lost recently; `None` while none were
    /// expected.
    pub(super) fn lost_permille(&self, from: SocketAddr) -> Option<u16> {
        let peer = self.peers.get(&from)?;
        let (lost, expected) =
            (peer.now.lost + peer.before.lost, peer.now.expected + peer.before.expected);
        u16::try_from((lost * 1_000).checked_div(expected)?).ok()
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
        let mut traffic = Traffic::new(GroupSettings::default());
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

    #[test]
    fn heartbeats_missed_outside_the_group_are_not_lost() {
        let from = "127.0.0.1:1".parse().unwrap();
        let mut traffic = Traffic::new(GroupSettings::default());
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
