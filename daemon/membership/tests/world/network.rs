//! Simulates the network between the machines, which loses, doubles, delays and cuts. It owns the
//! cuts.

use super::{Happening, World};
use memberd_membership::{Body, wire};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The shortest additional delay of slow datagrams. It has a Pareto distribution of shape
/// [`SLOW_SHAPE`], and ends at [`SLOW_MOST`].
const SLOW_LEAST: Duration = Duration::from_millis(20);
const SLOW_SHAPE: f64 = 1.2;
const SLOW_MOST: Duration = Duration::from_secs(3);

/// How the network treats datagrams.
#[derive(Debug, Clone)]
pub struct Network {
    /// The fraction of lost datagrams, 0 to 1.
    pub loss: f64,
    /// The fraction of datagrams that are delivered twice.
    pub duplication: f64,
    /// The least delay.
    pub delay: Duration,
    /// The mean of an additional, exponentially distributed delay, which makes datagrams overtake
    /// each other.
    pub jitter: Duration,
    /// The fraction of datagrams with an additional long-tailed delay: at least 20 ms, a third of
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

/// The cuts: who cannot hear whom.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    /// The side of a split for each machine. Machines without an entry are on the first side.
    pub(super) sides: Vec<u8>,
    /// The machines that receive nothing.
    pub(super) deaf: BTreeSet<usize>,
    /// The machines that receive no updates.
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
    /// Cuts the network, so that machines on different sides do not reach each other.
    pub fn split(&mut self, sides: &[u8]) {
        self.note(format!("the network splits: {sides:?}"));
        self.cuts.sides = sides.to_vec();
    }

    pub fn heal(&mut self) {
        self.note("the network heals".to_owned());
        self.cuts.sides.clear();
    }

    /// Sets whether a machine sends datagrams but receives none.
    pub fn deafen(&mut self, i: usize, deaf: bool) {
        self.note(format!("vm{i} {} deaf", if deaf { "is" } else { "is no longer" }));
        if deaf {
            self.cuts.deaf.insert(i)
        } else {
            self.cuts.deaf.remove(&i)
        };
    }

    /// Sets whether every datagram with updates to this machine is lost.
    pub fn keep_uninformed(&mut self, i: usize, uninformed: bool) {
        self.note(format!("vm{i} {} updates", if uninformed { "is sent no" } else { "is sent" }));
        if uninformed {
            self.cuts.uninformed.insert(i)
        } else {
            self.cuts.uninformed.remove(&i)
        };
    }

    /// Sets the fraction of lost datagrams from one machine to another, in addition to the general
    /// loss.
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
                let (from, bytes) = (self.machines[from].address, bytes.to_vec());
                self.at(at, Happening::Datagram { to, from, bytes });
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
        Body::Forgotten { .. } => true,
        _ => false,
    })
}
