//! Estimates the send times of one peer's heartbeats in this machine's monotonic time. It owns the
//! estimate of the peer's clocks.
//!
//! The age of a heartbeat follows the peer's monotonic clock, relative to the smallest recent
//! delay. So a stepped wall clock accuses nobody. This method cannot see the constant part of the
//! latency; wall clocks show it if they agree. Both directions together show whether they agree,
//! because a peer reports the delay of our heartbeats. Half the difference of the two delays is the
//! offset between the clocks, as in NTP (RFC 5905, section 8), with equal one-way delays.

use crate::time::{Instant, Now, WallTime, millis};
use std::time::Duration;

/// Wall clocks that differ by more than this do not agree.
pub(crate) const AGREEMENT: i64 = 250;

/// How long the smallest delay is remembered: at least this long, and at most twice as long.
pub(crate) const WINDOW: Duration = Duration::from_secs(20);

/// The send time of a message, on its sender's two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentAt {
    /// The sender's monotonic clock: milliseconds since its incarnation began.
    pub mono: u64,
    /// The sender's wall clock: milliseconds since the Unix epoch.
    pub wall: WallTime,
}

/// The comparison of two machines' wall clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// Within [`AGREEMENT`]: the wall clocks are used.
    Agree,
    /// The peer's clock is this many milliseconds ahead of ours (behind, if negative): the wall
    /// clocks are not used.
    Ahead(i64),
}

/// The estimate of one peer's clocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerClock {
    /// The smallest difference of receipt (our clock) and sending (their clock), in milliseconds:
    /// recent, and before that.
    smallest: Option<i64>,
    smallest_before: Option<i64>,
    window_began: Option<Instant>,
    /// The delay of the fastest datagram by the wall clocks: the constant latency plus the clocks'
    /// offset.
    delay: Option<i64>,
    /// The delay of our datagrams, as the peer reported it.
    reported_delay: Option<i64>,
}

impl PeerClock {
    /// Takes the send time of a datagram, and returns it on our monotonic clock. It is never later
    /// than `now`.
    pub(crate) fn observe(&mut self, now: Now, sent: SentAt) -> Instant {
        let difference = signed(now.mono.as_millis()) - signed(sent.mono);
        self.roll(now.mono);
        let smallest = self.smallest.map_or(difference, |smallest| smallest.min(difference));
        self.smallest = Some(smallest);
        let base = self.smallest_before.map_or(smallest, |before| before.min(smallest));
        let late = difference - base;
        self.delay = Some((signed(now.wall.0) - signed(sent.wall.0)).saturating_sub(late));
        now.mono - Duration::from_millis((late + self.constant_latency()).unsigned_abs())
    }

    /// Takes the peer's report about the delay of our datagrams.
    pub(crate) fn on_reported_delay(&mut self, delay: i64) {
        self.reported_delay = Some(delay);
    }

    /// Converts the peer's monotonic send time to our clock, if the peer was heard before. The
    /// result is never later than `now`.
    pub(crate) fn to_local(&self, now: Instant, sent: u64) -> Option<Instant> {
        let base = match (self.smallest, self.smallest_before) {
            (Some(new), Some(old)) => new.min(old),
            (new, old) => new.or(old)?,
        };
        let local = signed(sent) + base - self.constant_latency();
        let local = Instant::from_epoch(Duration::from_millis(u64::try_from(local).unwrap_or(0)));
        Some(local.min(now))
    }

    /// Whether this monotonic send time would be well after `now`, which is impossible.
    pub(crate) fn is_ahead(&self, now: Instant, sent: u64) -> bool {
        let base = [self.smallest, self.smallest_before].into_iter().flatten().min();
        base.is_some_and(|base| signed(sent) + base > signed(now.as_millis()) + AGREEMENT)
    }

    /// The delay that we see on the peer's datagrams by the wall clocks, to be reported to it.
    pub(crate) fn delay(&self) -> Option<i64> {
        self.delay
    }

    /// The comparison of the wall clocks; `None` until the peer was heard.
    pub(crate) fn agreement(&self) -> Option<Agreement> {
        let delay = self.delay?;
        let ahead = match self.reported_delay {
            Some(reported) => reported.saturating_sub(delay) / 2,
            None => delay.saturating_neg(),
        };
        Some(if ahead.abs() <= AGREEMENT { Agreement::Agree } else { Agreement::Ahead(ahead) })
    }

    /// The best estimate of how many milliseconds the peer's wall clock is ahead of ours.
    pub(crate) fn offset(&self) -> Option<i64> {
        match (self.agreement()?, self.delay, self.reported_delay) {
            (Agreement::Ahead(ahead), _, _) => Some(ahead),
            (Agreement::Agree, Some(delay), Some(reported)) => {
                Some(reported.saturating_sub(delay) / 2)
            }
            (Agreement::Agree, _, _) => None,
        }
    }

    /// The smallest recent delay of the peer's datagrams, in milliseconds. It is half of the round
    /// trip, so that the clocks' offset does not count. It is `None` until the peer has reported
    /// the other half.
    pub(crate) fn smallest_delay(&self) -> Option<u64> {
        let there_and_back = self.delay?.saturating_add(self.reported_delay?);
        Some(u64::try_from(there_and_back / 2).unwrap_or(0))
    }

    /// The latency of the peer's fastest datagrams, as far as it is known.
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.constant_latency().unsigned_abs())
    }

    /// The part of the latency that the smallest delay hides, in milliseconds.
    fn constant_latency(&self) -> i64 {
        match (self.agreement(), self.delay) {
            (Some(Agreement::Agree), Some(delay)) => delay.max(0),
            _ => 0,
        }
    }

    fn roll(&mut self, now: Instant) {
        let began = *self.window_began.get_or_insert(now);
        if now.since(began) >= WINDOW {
            self.smallest_before = self.smallest.take();
            self.window_began = Some(now);
        }
    }
}

/// The monotonic send time of `now` for a sender whose incarnation began at `began`, and its wall
/// time.
pub(crate) fn sent_at(now: Now, began: Instant) -> SentAt {
    SentAt { mono: millis(now.mono.since(began)), wall: now.wall }
}

/// How long a datagram was on its way by the wall clocks of two machines that have not compared
/// them. If they seem to disagree, nothing is known of it, which counts as no time.
pub(crate) fn way_by_wall(now: Now, sent: SentAt) -> Duration {
    let way = signed(now.wall.0).saturating_sub(signed(sent.wall.0));
    let way = if way <= AGREEMENT { way.max(0) } else { 0 };
    Duration::from_millis(way.unsigned_abs())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 1_763_688_000_000;

    /// Our clocks at a moment of true time, in milliseconds.
    fn now(at: u64) -> Now {
        Now { mono: Instant::from_epoch(Duration::from_millis(at)), wall: WallTime(BASE + at) }
    }

    /// A peer whose monotonic clock started 5 s before ours and whose wall clock is `offset` off.
    fn sent(at: u64, offset: i64) -> SentAt {
        SentAt { mono: at + 5_000, wall: WallTime((BASE + at).saturating_add_signed(offset)) }
    }

    fn ms(at: u64) -> Instant {
        Instant::from_epoch(Duration::from_millis(at))
    }

    #[test]
    fn constant_latency_is_charged_when_the_clocks_agree() {
        let mut clock = PeerClock::default();
        clock.on_reported_delay(3_000);
        assert_eq!(
            clock.observe(now(10_000), sent(7_000, 0)),
            ms(7_000),
            "3 s of latency either way"
        );
        assert_eq!(clock.agreement(), Some(Agreement::Agree));
        assert_eq!(clock.to_local(ms(20_000), 12_500), Some(ms(7_500)));
    }

    #[test]
    fn a_delayed_datagram_buys_nothing_whatever_the_wall_clocks_say() {
        for offset in [0, 10_000, -10_000, 3_600_000] {
            let mut clock = PeerClock::default();
            clock.on_reported_delay(offset);
            clock.observe(now(10_001), sent(10_000, offset));
            let estimate = clock.observe(now(12_500), sent(10_500, offset));
            assert!(estimate <= ms(10_501), "offset {offset}: {estimate:?}");
        }
    }

    #[test]
    fn an_offset_clock_is_not_taken_for_latency_and_is_reported() {
        let mut clock = PeerClock::default();
        clock.observe(now(10_001), sent(10_000, -10_000));
        clock.on_reported_delay(1 - 10_000);
        assert_eq!(clock.observe(now(10_501), sent(10_500, -10_000)), ms(10_501));
        assert_eq!(clock.agreement(), Some(Agreement::Ahead(-10_000)));
        assert_eq!(clock.smallest_delay(), Some(1), "the offset does not count");
    }

    #[test]
    fn a_step_of_the_wall_clock_does_not_age_a_heartbeat() {
        for step in [3_600_000, -3_600_000] {
            let mut clock = PeerClock::default();
            clock.on_reported_delay(1);
            clock.observe(now(10_001), sent(10_000, 0));
            let estimate = clock.observe(now(10_501), sent(10_500, step));
            assert!(estimate >= ms(10_500), "step {step}: {estimate:?}");
        }
    }

    #[test]
    fn the_smallest_delay_is_forgotten_after_a_while() {
        let mut clock = PeerClock::default();
        clock.on_reported_delay(-100_000);
        clock.observe(now(1_001), sent(1_000, 100_000));
        for second in 2..60 {
            clock.observe(now(second * 1_000 + 400), sent(second * 1_000, 100_000));
        }
        let estimate = clock.observe(now(60_400), sent(60_000, 100_000));
        assert_eq!(estimate, ms(60_400), "a slower path is the path after a while");
    }
}
