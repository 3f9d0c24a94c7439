//! The network: what is lost, late, doubled, cut off. It owns no messages.

use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The network between machines.
#[derive(Default)]
pub struct Network {
    /// The chances that a message is lost, comes twice, or takes long.
    pub loss: f64,
    pub twice: f64,
    pub slow: f64,
    /// Pairs whose messages do not arrive, in this direction.
    pub cut: BTreeSet<(usize, usize)>,
    /// When the last message of a connection arrives: a connection keeps its order.
    streams: BTreeMap<(usize, usize, bool), Duration>,
}

impl Network {
    /// When copies of a message arrive: none, one or two.
    pub fn arrivals(
        &mut self,
        rng: &mut SmallRng,
        now: Duration,
        (from, to): (usize, usize),
        is_bulk: bool,
    ) -> Vec<Duration> {
        if self.cut.contains(&(from, to)) || rng.random_bool(self.loss) {
            return Vec::new();
        }
        let copies = 1 + usize::from(rng.random_bool(self.twice));
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            let most = if rng.random_bool(self.slow) { 900_000 } else { 1_500 };
            let takes = Duration::from_micros(rng.random_range(100..most));
            let stream = self.streams.entry((from, to, is_bulk)).or_default();
            *stream = (*stream).max(now + takes);
            arrivals.push(*stream);
        }
        arrivals
    }

    /// Whether both hear each other.
    pub fn joins(&self, one: usize, other: usize) -> bool {
        !self.cut.contains(&(one, other)) && !self.cut.contains(&(other, one))
    }

    /// Cuts these off from all others.
    pub fn split(&mut self, side: &[usize], size: usize) {
        for one in side {
            for other in (0..size).filter(|other| !side.contains(other)) {
                self.cut.insert((*one, other));
                self.cut.insert((other, *one));
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }
}
