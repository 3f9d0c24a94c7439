//! The network between the machines: what it loses, doubles, delays and cuts.

use super::{Happening, World, address};
use memberd_membership::{Body, wire};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The slow datagrams' delay on top is at least this, has a Pareto distribution of shape
/// [`SLOW_SHAPE`], and ends at [`SLOW_MOST`].
const SLOW_LEAST: Duration = Duration::from_millis(20);
const SLOW_SHAPE: f64 = 1.2;
const SLOW_MOST: Duration = Duration::from_secs(3);

/// How the network treats datagrams.
#[derive(Debug, Clone)]
pub struct Network {
    /// The part of the datagrams that is lost, 0 to 1.
    pub loss: f64,
    /// The part that is delivered twice.
    pub duplication: f64,
    /// The least delay.
    pub delay: Duration,
    /// The mean of a delay on top that is exponentially distributed, so that datagrams overtake
    /// each other.
    pub jitter: Duration,
    /// The part of the datagrams whose delay has a long tail on top: 20 ms at least, a third of
    /// them over 50 ms, up to 3 s.
    pub slow: f64,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            loss: 0.0,
            duplication: 0.0,
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            slow: 0.0,
        }
    }
}

/// Who cannot hear whom.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// Which side of a split each machine is on; the first when it is not named.
    pub(super) sides: Vec<u8>,
    /// Those that hear nothing.
    pub(super) deaf: BTreeSet<usize>,
    /// Those that hear no updates.
    pub(super) uninformed: BTreeSet<usize>,
    /// The loss of single links, by sender and receiver.
    pub(super) links: BTreeMap<(usize, usize), f64>,
}

impl Cuts {
    pub(super) fn apart(&self, one: usize, other: usize) -> bool {
        let side = |i: usize| self.sides.get(i).copied().unwrap_or(0);
        side(one) != side(other)
    }
}

impl World {
    /// Cuts the network: machines on different sides do not reach each other.
    pub fn split(&mut self, sides: &[u8]) {
        self.note(format!("the network splits: {sides:?}"));
        self.cuts.sides = sides.to_vec();
    }

    pub fn heal(&mut self) {
        self.note("the network heals".to_owned());
        self.cuts.sides.clear();
    }

    /// From now on, or no more, a machine sends datagrams but receives none.
    pub fn deafen(&mut self, i: usize, deaf: bool) {
        self.note(format!("vm{i} {} deaf", if deaf { "is" } else { "is no longer" }));
        if deaf {
            self.cuts.deaf.insert(i)
        } else {
            self.cuts.deaf.remove(&i)
        };
    }

    /// From now on, or no more, every datagram with updates to this machine is lost.
    pub fn keep_uninformed(&mut self, i: usize, uninformed: bool) {
        self.note(format!("vm{i} {} updates", if uninformed { "is sent no" } else { "is sent" }));
        if uninformed {
            self.cuts.uninformed.insert(i)
        } else {
            self.cuts.uninformed.remove(&i)
        };
    }

    /// Sets the part of the datagrams from one machine to another that is lost, beside what is lost
    /// anyway.
    pub fn set_link_loss(&mut self, from: usize, to: usize, loss: f64) {
        self.note(format!("vm{from} to vm{to}: {} % loss", loss * 100.0));
        self.cuts.links.insert((from, to), loss);
    }

    pub(super) fn carry(&mut self, from: usize, to: SocketAddr, bytes: &[u8]) {
        let Some(to) = self.index(to) else { return };
        if self.cuts.apart(from, to) || self.cuts.deaf.contains(&to) {
            return;
        }
        if !self.cuts.uninformed.is_empty()
            && self.cuts.uninformed.contains(&to)
            && carries_news(bytes)
        {
            return;
        }
        let link = self.cuts.links.get(&(from, to)).copied().unwrap_or(0.0);
        let doubled =
            self.network.duplication > 0.0 && self.rng.random_bool(self.network.duplication);
        for _ in 0..1 + u8::from(doubled) {
            let lost =
                |rng: &mut rand::rngs::SmallRng, loss: f64| loss > 0.0 && rng.random_bool(loss);
            if !lost(&mut self.rng, self.network.loss) && !lost(&mut self.rng, link) {
                let at = self.now + self.delay();
                self.at(at, Happening::Datagram { to, from: address(from), bytes: bytes.to_vec() });
            }
        }
    }

    pub(super) fn delay(&mut self) -> Duration {
        let mut delay = self.network.delay;
        if self.network.jitter > Duration::ZERO {
            delay += self.network.jitter.mul_f64(-(1.0 - self.rng.random::<f64>()).ln());
        }
        if self.network.slow > 0.0 && self.rng.random_bool(self.network.slow) {
            let factor = (1.0 - self.rng.random::<f64>()).powf(-1.0 / SLOW_SHAPE);
            delay += SLOW_LEAST.mul_f64(factor.min(1_000.0)).min(SLOW_MOST);
        }
        delay
    }
}

fn carries_news(bytes: &[u8]) -> bool {
    wire::decode(bytes).is_ok_and(|message| match message.body {
        Body::Heartbeat { updates, .. } | Body::Updates(updates) => !updates.is_empty(),
        _ => false,
    })
}
