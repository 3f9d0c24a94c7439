//! Simulates the kept streams between machines: each is in order, waits for what was lost, and
//! breaks at a cut. It owns the streams and the cuts.

use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A lost segment comes after this long, and after twice that if it is lost again (RFC 6298).
const RESEND: Duration = Duration::from_millis(200);

/// A stream with more than this many losses in a row is given up.
const RESENDS: u32 = 6;

/// How the network treats messages.
#[derive(Debug, Clone)]
pub struct Network {
    /// The least delay, and the mean of an additional, exponentially distributed one.
    pub delay: Duration,
    pub jitter: Duration,
    /// The fraction of segments that are lost and sent again.
    pub loss: f64,
    /// The fraction of messages that hold their stream for up to `stall`, while newer ones of
    /// other streams overtake them: so the newest is often heard first.
    pub stalls: f64,
    pub stall: Duration,
    /// Whether messages of one stream overtake each other, and are doubled: more than any stream
    /// does, as if each message had a connection of its own.
    pub unordered: bool,
    streams: BTreeMap<(usize, usize), Stream>,
    cut: BTreeSet<(usize, usize)>,
}

/// One direction of a stream.
#[derive(Debug, Clone, Default)]
struct Stream {
    /// Grows whenever the stream breaks.
    connection: u64,
    last: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            delay: Duration::from_micros(200),
            jitter: Duration::from_micros(300),
            loss: 0.0,
            stalls: 0.0,
            stall: Duration::from_secs(4),
            unordered: false,
            streams: BTreeMap::new(),
            cut: BTreeSet::new(),
        }
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

impl Network {
    /// A network without any delay.
    pub fn instant() -> Self {
        Network { delay: Duration::ZERO, jitter: Duration::ZERO, ..Network::default() }
    }

    /// A message is sent. Returns when it arrives, and on which connection; twice if it is doubled,
    /// and never over a cut.
    pub fn send(
        &mut self,
        now: Duration,
        from: usize,
        to: usize,
        rng: &mut SmallRng,
    ) -> Vec<(Duration, u64)> {
        if self.is_cut(from, to) {
            return Vec::new();
        }
        let mut arrivals = Vec::new();
        let doubled = self.unordered && rng.random_bool(0.1);
        for _ in 0..1 + usize::from(doubled) {
            let Some(delay) = self.draw(rng) else {
                self.break_stream(from, to);
                break;
            };
            let unordered = self.unordered;
            let stream = self.streams.entry((from, to)).or_default();
            let mut at = now + delay;
            if !unordered {
                at = at.max(stream.last);
                stream.last = at;
            }
            arrivals.push((at, stream.connection));
        }
        arrivals
    }

    /// The delay of one message, or none if the stream breaks.
    pub fn draw(&self, rng: &mut SmallRng) -> Option<Duration> {
        let mut delay = self.delay + self.jitter.mul_f64(-(1.0 - rng.random::<f64>()).ln());
        if self.loss > 0.0 {
            let mut lost = 0;
            while rng.random_bool(self.loss) {
                delay += RESEND * 2_u32.pow(lost);
                lost += 1;
                if lost > RESENDS {
                    return None;
                }
            }
        }
        if self.stalls > 0.0 && rng.random_bool(self.stalls) {
            delay += self.stall.mul_f64(rng.random::<f64>());
        }
        Some(delay)
    }

    /// The number of the connection from one machine to another.
    pub fn connection(&self, from: usize, to: usize) -> u64 {
        self.streams.get(&(from, to)).map_or(0, |stream| stream.connection)
    }

    /// Whether what was sent on this connection still arrives.
    pub fn arrives(&self, from: usize, to: usize, connection: u64) -> bool {
        self.connection(from, to) == connection
    }

    fn break_stream(&mut self, one: usize, other: usize) {
        for direction in [(one, other), (other, one)] {
            let stream = self.streams.entry(direction).or_default();
            stream.connection += 1;
            stream.last = Duration::ZERO;
        }
    }

    /// Cuts a link. What was in flight is lost.
    pub fn cut(&mut self, one: usize, other: usize) {
        if one != other && self.cut.insert(pair(one, other)) {
            self.break_stream(one, other);
        }
    }

    /// Breaks the streams that hold something back for long: whoever sends makes them anew.
    pub fn drop_stalled(&mut self, now: Duration) {
        let stalled = |stream: &Stream| stream.last > now + RESEND;
        let links: Vec<(usize, usize)> = self
            .streams
            .iter()
            .filter(|(_, stream)| stalled(stream))
            .map(|(link, _)| *link)
            .collect();
        links.into_iter().for_each(|(one, other)| self.break_stream(one, other));
    }

    /// Joins a link again.
    pub fn join(&mut self, one: usize, other: usize) {
        self.cut.remove(&pair(one, other));
    }

    /// Joins all links.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    pub fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&pair(one, other))
    }

    /// Ends every stream of a machine: its process is gone.
    pub fn hang_up(&mut self, gone: usize, size: usize) {
        for other in (0..size).filter(|other| *other != gone) {
            // What it had sent is in the receiver's kernel and arrives; what was for it is lost.
            self.streams.entry((other, gone)).or_default().connection += 1;
            self.streams.entry((other, gone)).or_default().last = Duration::ZERO;
        }
    }
}
