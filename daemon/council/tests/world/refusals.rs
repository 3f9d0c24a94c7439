//! Simulates what links notice of the member at their other end: their connection was closed, and a
//! new one is refused. It owns who refuses whom.
//!
//! A machine that stays up refuses connections while nothing runs on it, and one without power does
//! not. A firewall may reject what goes between two machines.

use super::process::name;
use super::{Happening, World, ms};
use rand::RngExt;
use std::collections::BTreeSet;
use std::time::Duration;

/// When a link connects anew after the end of its connection. The second time counts if a process
/// that was about to end took the first.
const TRIES: [Duration; 2] = [ms(20), ms(60)];

/// How often it takes the second.
const SECOND_TRY: f64 = 0.1;

/// Who refuses whom.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    /// The chance that a machine stays up whose process crashes, and that a cut of one link rejects
    /// what it does not let through.
    pub chance: f64,
    /// The machines that stayed up when their processes ended.
    up: BTreeSet<usize>,
    /// The cuts that reject.
    rejecting: BTreeSet<(usize, usize)>,
    /// By observer and target: who was refused, and has not connected since.
    noticed: BTreeSet<(usize, usize)>,
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

impl Refusals {
    /// A process begins: its machine does not refuse any more.
    pub(super) fn begin(&mut self, i: usize) {
        self.up.remove(&i);
    }

    /// A link lets everything through again.
    pub fn join(&mut self, one: usize, other: usize) {
        self.rejecting.remove(&pair(one, other));
    }

    /// All links do.
    pub fn heal(&mut self) {
        self.rejecting.clear();
    }
}

impl World {
    /// Whether what is drawn now refuses.
    pub(super) fn draws_refusal(&mut self) -> bool {
        self.refusals.chance > 0.0 && self.rng.random_bool(self.refusals.chance)
    }

    /// The process of this machine has just ended.
    pub(super) fn after_end(&mut self, i: usize, stays_up: bool) {
        if !stays_up {
            self.refusals.up.remove(&i);
        } else if self.refusals.up.insert(i) {
            for observer in (0..self.machines.len()).filter(|observer| *observer != i) {
                self.plan_try(observer, i);
            }
        }
    }

    /// A firewall rejects what goes between two machines, also over connections that are open.
    pub(super) fn reject(&mut self, one: usize, other: usize) {
        if one != other && self.refusals.rejecting.insert(pair(one, other)) {
            self.plan_try(one, other);
            self.plan_try(other, one);
        }
    }

    /// A link hears of the end of its connection, and connects anew.
    fn plan_try(&mut self, observer: usize, by: usize) {
        if self.machines[observer].process.is_none() {
            return;
        }
        let process = self.machines[observer].number;
        let Some(heard) = self.network.draw(&mut self.rng) else { return };
        let late = self.rng.random_bool(SECOND_TRY);
        let refused = Happening::Refused { machine: observer, process, by };
        self.queue.plan(self.now + heard + TRIES[usize::from(late)], refused);
    }

    /// The link has connected anew, or was refused, or nobody answers.
    pub(super) fn try_again(&mut self, observer: usize, process: u32, by: usize) {
        let cut = self.network.is_cut(observer, by);
        let rejects = cut && self.refusals.rejecting.contains(&pair(observer, by));
        let down = self.machines[by].process.is_none() && self.refusals.up.contains(&by);
        if self.machines[observer].number != process || !rejects && (cut || !down) {
            return;
        }
        self.note(|| format!("vm{observer} is refused by vm{by}"));
        self.refusals.noticed.insert((observer, by));
        self.give(observer, |council, now| council.handle_refusal(now, &name(by)));
    }

    /// A machine sends something. If it was refused before, its link says that it is not any more.
    pub(super) fn connect(&mut self, observer: usize, to: usize) {
        let there = self.machines[to].process.is_some() && !self.network.is_cut(observer, to);
        if !there || !self.refusals.noticed.remove(&(observer, to)) {
            return;
        }
        let process = self.machines[observer].number;
        let Some(delay) = self.network.draw(&mut self.rng) else { return };
        let open = Happening::Connected { machine: observer, process, to };
        self.queue.plan(self.now + delay, open);
    }
}
