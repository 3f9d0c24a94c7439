//! A simulated fleet that agrees on views: deterministic, seeded, in virtual time. It runs the very
//! state machine that memberd runs, with a simulated network, disk, clock and list beside each.
//!
//! One seed draws every delay, loss, write and fault, so a run can be replayed. Machines are
//! numbered; machine `i` is named `vm{i}`. The checker looks at every invariant after every event;
//! the first broken one stops the world.

#![allow(dead_code, unreachable_pub, reason = "each test and example uses its part of the world")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's world is small, and a broken one should stop the run"
)]

pub mod clocks;
pub mod disk;
pub mod environment;
pub mod faults;
pub mod fold;
pub mod invariants;
pub mod measure;
pub mod network;
pub mod point;
pub mod process;
mod queue;
pub mod refusals;
pub mod rest;
pub mod ring;
mod run;
pub mod schedules;
mod trace;

use clocks::Clock;
use disk::Disk;
use faults::Fault;
use invariants::{Exclusive, Invariants, Violation};
use memberd_council::{Council, Durable, Event, Message, Mutant, Now, Output, View, ViewId};
use network::Network;
use point::Point;
use process::{Setup, moment, name};
use queue::Queue;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use refusals::Refusals;
use ring::{News, Ring};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What happens at a moment.
#[derive(Clone)]
enum Happening {
    Message { from: usize, to: usize, process: u32, connection: u64, message: Message },
    Gossip { from: usize, to: usize, view: ViewId },
    Refused { machine: usize, process: u32, by: usize },
    Connected { machine: usize, process: u32, to: usize },
    Written { machine: usize, process: u32, id: u64 },
    Wake { machine: usize, due: Duration },
    List { machine: usize },
    Resume { machine: usize, stop: u32 },
    News(News),
    Fault(Fault),
}

/// A machine: its clocks and disk, and the process on it while it runs.
#[derive(Clone)]
pub struct Machine {
    pub process: Option<Council>,
    pub clock: Clock,
    pub disk: Disk<Durable>,
    /// Whether its process is stopped (SIGSTOP, suspend or pause).
    pub stopped: bool,
    pub leaving: bool,
    stops: u32,
    /// The number of the process. Events for an earlier process are void.
    number: u32,
    woken_for: Option<Duration>,
    /// How often in a row it was to be woken at once.
    wakes_at_once: u32,
    /// Whether it is about to be shown its list.
    list_changed: bool,
    inbox: Vec<Happening>,
    /// What it would have sent when it was stopped in the middle of a step.
    unsent: Vec<Output>,
    /// The view that was seen last.
    view: Option<Arc<View>>,
    pub sent: u64,
    pub writes: u64,
}

/// What the schedule reacts to, so that its fault comes at the worst moment.
#[derive(Debug, Clone, Default)]
pub struct Triggers {
    /// The chance that a voter crashes right after it answered a RENEW.
    pub crash_after_renew: f64,
    /// The chance that a leader is cut off right after a view with a new council.
    pub isolate_after_seat: f64,
}

/// The world. A clone goes on from the same moment, so that one story has many ends.
#[derive(Clone)]
pub struct World {
    pub seed: u64,
    pub now: Duration,
    pub network: Network,
    pub refusals: Refusals,
    pub machines: Vec<Machine>,
    pub ring: Ring,
    pub invariants: Invariants,
    pub violation: Option<Violation>,
    pub triggers: Triggers,
    /// Whether faults have ended: what was planned of them does not come.
    pub is_calm: bool,
    pub point: Option<Point>,
    /// The steps of the machine that is watched for them.
    pub steps: Option<point::Steps>,
    pub setup: Setup,
    /// Whether every event is written down, for the report of a broken run.
    pub traced: bool,
    pub events: u64,
    /// What each machine told of, with the true time.
    pub seen: Vec<(Duration, usize, Event)>,
    queue: Queue,
    rng: SmallRng,
    /// The machines that lead or are exclusive, as of their last event.
    leading: BTreeSet<usize>,
    /// The machines that ever left by plan.
    left: BTreeSet<usize>,
    notes: Vec<(Duration, String)>,
}

impl World {
    /// A fleet of `size` machines, of which the first `members` run and are in each other's list.
    pub fn new(size: usize, members: usize, seed: u64, setup: Setup) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let machine = |i: usize, rng: &mut SmallRng| {
            let booted = Duration::from_secs(1_000 * (i as u64 % 97));
            let mut disk = Disk::new();
            disk.falls_back = setup.settings.mutant == Some(Mutant::FileRolledBack);
            Machine {
                process: None,
                clock: Clock::new(booted, rng.random_range(-200..=200)),
                disk,
                stopped: false,
                leaving: false,
                stops: 0,
                number: 0,
                woken_for: None,
                list_changed: false,
                wakes_at_once: 0,
                inbox: Vec::new(),
                unsent: Vec::new(),
                view: None,
                sent: 0,
                writes: 0,
            }
        };
        let machines = (0..size).map(|i| machine(i, &mut rng)).collect();
        let mut world = World {
            seed,
            now: Duration::from_secs(10),
            network: Network::default(),
            refusals: Refusals::default(),
            machines,
            ring: Ring::new(size, members),
            invariants: Invariants::default(),
            violation: None,
            triggers: Triggers::default(),
            is_calm: false,
            point: None,
            steps: None,
            setup,
            traced: environment::is_one(),
            events: 0,
            seen: Vec::new(),
            queue: Queue::default(),
            rng,
            leading: BTreeSet::new(),
            left: BTreeSet::new(),
            notes: Vec::new(),
        };
        for i in 0..members {
            world.run_process(i);
        }
        world
    }

    /// Draws everything from here on anew.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = SmallRng::seed_from_u64(seed);
    }

    /// Whether a machine runs and is not stopped.
    pub fn runs(&self, i: usize) -> bool {
        self.machines[i].process.is_some() && !self.machines[i].stopped
    }

    /// Begins a process with what the disk of its machine holds.
    fn run_process(&mut self, i: usize) {
        let now = self.clocks(i);
        let durable = self.machines[i].disk.durable().cloned();
        let fresh = self.rng.random();
        let process = self.setup.begin(i, durable.clone(), fresh, now);
        let checked = self.invariants.begins(i, durable.as_ref(), process.view(), process.own());
        self.judge(checked);
        let machine = &mut self.machines[i];
        machine.number += 1;
        machine.view = None;
        machine.process = Some(process);
        self.refusals.begin(i);
        self.show_list(i);
        self.drain(i);
    }

    /// The clocks of a machine.
    pub fn clocks(&self, i: usize) -> Now {
        let clock = &self.machines[i].clock;
        moment(clock.boot(self.now), clock.wall(self.now))
    }

    fn judge(&mut self, checked: Result<(), Violation>) {
        if let Err(violation) = checked
            && self.violation.is_none()
        {
            self.note(|| format!("BROKEN: {violation}"));
            self.violation = Some(violation);
        }
    }

    /// The machines that are exclusive leaders, as anybody would find who asked each of them now.
    pub fn exclusive(&self) -> Vec<Exclusive> {
        let asked = |i: &usize| {
            let i = *i;
            let machine = &self.machines[i];
            // While a hypervisor pauses a machine nothing on it runs, and no clock.
            let process = machine.process.as_ref().filter(|_| !machine.clock.is_paused())?;
            process.exclusive(self.clocks(i))?;
            let view = process.view();
            Some(Exclusive { machine: i, lineage: view.lineage, token: view.term })
        };
        self.leading.iter().filter_map(asked).collect()
    }

    /// The leader of the newest view that anybody has, if that machine runs.
    pub fn leader(&self) -> Option<usize> {
        let newest = self.invariants.newest()?;
        let leader = process::index(&newest.leader.as_ref()?.name);
        self.runs(leader).then_some(leader)
    }

    /// The machines of the newest council.
    pub fn council(&self) -> Vec<usize> {
        let newest = self.invariants.newest();
        newest.map_or_else(Vec::new, |view| {
            view.council.iter().map(|seat| process::index(&seat.name)).collect()
        })
    }

    /// A machine's view, in memory while it runs.
    pub fn view(&self, i: usize) -> Option<&Arc<View>> {
        let machine = &self.machines[i];
        match &machine.process {
            Some(process) => Some(process.view()),
            None => machine.disk.durable().map(|durable| &durable.view),
        }
    }

    /// Whether a machine is in a view, in its present incarnation.
    pub fn is_member(&self, view: &View, i: usize) -> bool {
        view.members.contains(&process::identity(i, self.ring.incarnation(i)))
    }

    /// Whether a machine is in a view, in any incarnation.
    pub fn is_named(&self, view: &View, i: usize) -> bool {
        view.members.iter().any(|member| member.name == name(i))
    }
}
