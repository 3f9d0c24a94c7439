//! Measures the rows, one file each. A [`Stage`] owns the group on which they are measured.

pub(crate) mod crash;
pub(crate) mod hand_over;
pub(crate) mod rest;

use crate::group::Group;
use crate::pass;
use crate::system::{PACES, Pace, System};
use memberd_tests::Network;
use memberd_tests::bench;
use std::time::{Duration, Instant};

/// How long etcd must keep its leader, to bear a pace.
const BORNE: Duration = Duration::from_secs(15);

/// The time that nobody's start, or a new leader's first work, may disturb.
const QUIET: Duration = Duration::from_millis(500);

/// The servers of one system.
pub(crate) struct Stage<'a> {
    network: &'a Network,
    system: System,
    pace: Option<Pace>,
    group: Option<Group<'a>>,
}

impl<'a> Stage<'a> {
    /// A stage on which nothing runs yet.
    pub(crate) fn new(network: &'a Network, system: System) -> Self {
        Stage { network, system, pace: None, group: None }
    }

    /// Finds the fastest pace at which etcd keeps its leader while nothing happens.
    pub(crate) fn find_pace(&mut self) -> Option<Pace> {
        self.pace = PACES.into_iter().find(|pace| {
            let mut group = Group::start(self.system, Some(*pace), self.network);
            group.settle();
            pass(QUIET);
            let before = group.named();
            pass(BORNE);
            group.named() == before
        });
        self.pace
    }

    /// The group, and its leader.
    pub(crate) fn settled(&mut self) -> (&mut Group<'a>, usize) {
        let (system, pace, network) = (self.system, self.pace, self.network);
        let group = self.group.get_or_insert_with(|| Group::start(system, pace, network));
        let leader = group.settle();
        (group, leader)
    }

    /// Ends all servers.
    pub(crate) fn clear(&mut self) {
        self.group = None;
    }
}

/// How long a round waits, so that rounds begin at all phases of the timers.
fn phase(round: usize) -> Duration {
    QUIET + bench::phase(round)
}

/// The seconds from one moment to another; infinite if that never came.
fn seconds(since: Instant, until: Option<Instant>) -> f64 {
    until.map_or(f64::INFINITY, |until| until.saturating_duration_since(since).as_secs_f64())
}
