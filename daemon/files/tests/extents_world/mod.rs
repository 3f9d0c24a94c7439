//! A simulated group that writes, reads, repairs and loses extents: deterministic, seeded, in
//! virtual time. It runs the very state machines that memberd runs. The catalog is scripted; the
//! network, the disks and the views are simulated.
//!
//! Machines are numbered, and machine `i` is named `vm{i}`. The first broken invariant stops it.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part of the world")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's world is small, and a broken one should stop the run"
)]

pub mod catalog;
pub mod check;
pub mod clients;
pub mod disk;
pub mod environment;
pub mod faults;
pub mod machine;

use catalog::Catalog;
use check::History;
use clients::Operation;
use machine::{Machine, Question, Reply};
use memberd_files::{
    BootTime, Epoch, ExtentId, ExtentJob, ExtentSettings, FilesView, MemberOfView, Name,
    OperationId, Transfer,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

pub fn index(name: &Name) -> usize {
    name.as_str()[2..].parse().unwrap()
}

/// What happens at a moment. `process` is that of the machine: a restart makes it void.
#[derive(Clone)]
pub enum Happening {
    Message { from: usize, to: usize, message: Transfer },
    Disk { machine: usize, process: u32, id: u64, job: ExtentJob },
    Wake { machine: usize, process: u32 },
    Asked { machine: usize, process: u32, question: Question },
    Replied { machine: usize, process: u32, reply: Reply },
    View { machine: usize, view: Arc<FilesView> },
    Hint { machine: usize, about: usize, is_failed: bool },
    Dead { machine: usize, about: usize },
    Feed { machine: usize, process: u32, operation: OperationId },
    Taken { machine: usize, process: u32, get: u64 },
    Client,
    Fault(faults::Fault),
}

/// The network between machines, and to the catalog.
#[derive(Clone, Default)]
pub struct Network {
    /// The chance that a message is lost, and that one comes twice.
    pub loss: f64,
    pub twice: f64,
    pub cut_off: BTreeSet<usize>,
}

/// The world.
pub struct World {
    pub seed: u64,
    pub now: Duration,
    pub machines: Vec<Machine>,
    pub network: Network,
    pub catalog: Catalog,
    pub view: Arc<FilesView>,
    pub history: History,
    pub settings: ExtentSettings,
    pub operations: BTreeMap<OperationId, Operation>,
    /// Which machine has ever had an extent durable.
    pub sealed: BTreeSet<(usize, ExtentId)>,
    pub zones: usize,
    pub violation: Option<String>,
    pub events: u64,
    pub is_calm: bool,
    pub calm_since: Duration,
    /// The bytes of pieces that were sent from machine to machine.
    pub moved: u64,
    pub rng: SmallRng,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next: u64,
}

impl World {
    pub fn new(size: usize, zones: usize, seed: u64, settings: ExtentSettings) -> Self {
        let member = |i: usize| {
            let zone = (zones > 0).then(|| format!("z{}", i % zones.max(1)));
            (name(i), MemberOfView { zone })
        };
        let members: BTreeMap<_, _> = (0..size).map(member).collect();
        let view = FilesView { epoch: Epoch(1), members, ..Default::default() };
        let mut world = World {
            seed,
            now: 1_000 * SECOND,
            machines: (0..size).map(|_| Machine::default()).collect(),
            network: Network::default(),
            catalog: Catalog::default(),
            view: Arc::new(view),
            history: History::default(),
            settings,
            operations: BTreeMap::new(),
            sealed: BTreeSet::new(),
            zones,
            violation: None,
            events: 0,
            is_calm: false,
            calm_since: Duration::ZERO,
            moved: 0,
            rng: SmallRng::seed_from_u64(seed),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next: 0,
        };
        (0..size).for_each(|i| world.start(i));
        world
    }

    pub fn boot(&self) -> BootTime {
        BootTime::from_epoch(self.now)
    }

    pub fn at(&mut self, at: Duration, happening: Happening) {
        self.next += 1;
        self.queue.push(Reverse((at.max(self.now), self.next)));
        self.happenings.insert(self.next, happening);
    }

    pub fn span(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(self.rng.random_range(from * 1_000..=to * 1_000))
    }

    pub fn broken(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.violation.get_or_insert(format!("seed {}, {:?}: {what}", self.seed, self.now));
    }

    /// Runs for a span, or until an invariant breaks.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.violation.is_none() {
            let Some(Reverse((at, id))) = self.queue.peek().copied() else { break };
            if at > end {
                break;
            }
            self.queue.pop();
            let happening = self.happenings.remove(&id).unwrap();
            self.now = at;
            self.events += 1;
            assert!(self.events < 20_000_000, "seed {}: it does not come to rest", self.seed);
            self.happen(happening);
        }
        self.now = self.now.max(end);
    }

    fn is_current(&self, machine: usize, process: u32) -> bool {
        self.machines[machine].runs() && self.machines[machine].process == process
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Message { from, to, message } => self.deliver(from, to, &message),
            Happening::Disk { machine, process, id, job } if self.is_current(machine, process) => {
                self.run_job(machine, id, job);
            }
            Happening::Wake { machine, process } if self.is_current(machine, process) => {
                self.wake(machine);
            }
            Happening::Asked { machine, process, question } => {
                self.ask_catalog(machine, process, question);
            }
            Happening::Replied { machine, process, reply }
                if self.is_current(machine, process) && !self.is_cut(machine, machine) =>
            {
                self.reply(machine, reply);
            }
            Happening::View { machine, view } => self.show_view(machine, &view),
            Happening::Hint { machine, about, is_failed } => self.hint(machine, about, is_failed),
            Happening::Dead { machine, about } => {
                self.machines[machine].hints.dead.insert(name(about));
                self.show_hints(machine);
            }
            Happening::Feed { machine, process, operation }
                if self.is_current(machine, process) =>
            {
                self.feed(machine, operation);
            }
            Happening::Taken { machine, process, get } if self.is_current(machine, process) => {
                self.take(machine, get);
            }
            Happening::Client => self.client(),
            Happening::Fault(fault) => self.fault(fault),
            _ => {}
        }
    }

    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        let cut_off = &self.network.cut_off;
        cut_off.contains(&from) != cut_off.contains(&to) || (from == to && cut_off.contains(&from))
    }

    /// A message goes out. One to itself is neither lost nor late.
    pub fn send(&mut self, from: usize, to: &Name, message: Transfer) {
        let to = index(to);
        if from == to {
            let now = self.now;
            self.at(now, Happening::Message { from, to, message });
            return;
        }
        let (loss, twice) = (self.network.loss, self.network.twice);
        if self.is_cut(from, to) || self.rng.random_bool(loss) {
            return;
        }
        if let Transfer::Piece { bytes, .. } | Transfer::Data { bytes: Ok(bytes), .. } = &message {
            self.moved += bytes.len() as u64;
        }
        let again = self.rng.random_bool(twice);
        for _ in 0..=usize::from(again) {
            let mut late = self.span(0, 3);
            if !self.is_calm && self.rng.random_bool(0.01) {
                late += self.span(10, 3_000);
            }
            let at = self.now + late;
            self.at(at, Happening::Message { from, to, message: message.clone() });
        }
    }

    fn deliver(&mut self, from: usize, to: usize, message: &Transfer) {
        if self.machines[to].runs() && (from == to || !self.is_cut(from, to)) {
            self.message(from, to, message);
        }
    }

    /// A view follows the one before, and is shown to all, some of them late.
    pub fn change_view(&mut self, change: impl FnOnce(&mut BTreeMap<Name, MemberOfView>)) {
        let mut view = (*self.view).clone();
        change(&mut view.members);
        if view.members == self.view.members {
            return;
        }
        view.epoch.0 += 1;
        self.view = Arc::new(view);
        for machine in 0..self.machines.len() {
            let at = self.now + self.span(5, if self.is_calm { 50 } else { 900 });
            let view = self.view.clone();
            self.at(at, Happening::View { machine, view });
        }
    }

    pub fn member(&self, i: usize) -> MemberOfView {
        let zone = (self.zones > 0).then(|| format!("z{}", i % self.zones.max(1)));
        MemberOfView { zone }
    }
}
