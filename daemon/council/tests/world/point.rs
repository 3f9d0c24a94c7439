//! A point in a machine's work at which it crashes or stops: after a number of its steps, with a
//! part of what the last one sends. It owns the point, and the steps of a machine that is watched.

use super::World;
use super::faults::Fault;
use memberd_council::Output;
use std::time::Duration;

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The machine is gone, and comes back this much later, if at all.
    Crash { back: Option<Duration> },
    /// SIGSTOP. What it had not sent it sends when it goes on.
    Stop { lasts: Duration },
}

/// The point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub machine: usize,
    /// How many of its steps come before. A step is one event from which something follows.
    pub steps: usize,
    /// Which of the messages of the last step were sent, by bit.
    pub sent: u32,
    /// Whether what it was writing became durable.
    pub durable: bool,
    pub then: Then,
}

/// What one step of a machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub sends: usize,
    /// Whether a write runs at its end.
    pub writing: bool,
}

/// The steps of a machine that is watched.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    pub machine: usize,
    pub list: Vec<Step>,
}

impl Step {
    /// The parts of its messages that can have been sent, by bits: all subsets of a few messages.
    /// Of many: none, all, all but one and only one.
    pub fn subsets(&self, most: usize) -> Vec<u32> {
        let all = (1_u32 << self.sends.min(31)) - 1;
        if self.sends <= most {
            return (0..=all).collect();
        }
        let one = (0..self.sends.min(31)).map(|bit| 1 << bit);
        let mut chosen: Vec<u32> = one.flat_map(|one| [one, all & !one]).chain([0, all]).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

impl World {
    /// Lets a step of the machine end at the point, if this is the step. Returns what goes out.
    pub(super) fn cut_short(&mut self, i: usize, outs: Vec<Output>) -> Vec<Output> {
        if outs.is_empty() {
            return outs;
        }
        if let Some(steps) = self.steps.as_mut().filter(|steps| steps.machine == i) {
            let sends = outs.iter().filter(|out| matches!(out, Output::Send { .. })).count();
            let writes = outs.iter().any(|out| matches!(out, Output::Write { .. }));
            let writing = writes || !self.machines[i].disk.waiting().is_empty();
            steps.list.push(Step { sends, writing });
        }
        let Some(point) = self.point.as_mut().filter(|point| point.machine == i) else {
            return outs;
        };
        if point.steps > 0 {
            point.steps -= 1;
            return outs;
        }
        let point = *point;
        self.point = None;
        self.note(|| format!("vm{i} reaches {point:?}"));
        let mut number = 0_u32;
        let (gone, kept): (Vec<Output>, Vec<Output>) = outs.into_iter().partition(|out| {
            if !matches!(out, Output::Send { .. } | Output::Gossip(_)) {
                return true;
            }
            number += 1;
            point.sent & 1 << (number - 1).min(31) != 0
        });
        for out in gone {
            self.put_out(i, out);
        }
        match point.then {
            Then::Crash { back } => {
                self.crash(i, if point.durable { usize::MAX } else { 0 });
                if let Some(back) = back {
                    self.plan(back, Fault::Start(i));
                }
            }
            Then::Stop { lasts } => {
                self.machines[i].unsent = kept;
                self.stop(i, lasts);
            }
        }
        Vec::new()
    }
}
