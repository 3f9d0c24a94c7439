//! A simulated group of whole members: deterministic, seeded, in virtual time. It runs the very
//! state machines and the very store that memberd runs. One seed draws every delay, loss, view,
//! operation and fault. The first broken invariant stops it.

use super::clients::Clients;
use super::faults::Fault;
use super::machine::Machine;
use super::network::Network;
use super::truth::Truth;
use super::views::Views;
use super::{Setup, index, ms, name, share};
use memberd_files::store::{Done, JobId, Refused};
use memberd_files::{ClientId, FilesMessage, Member, MemberOfView, Name, ReadPurpose, Transfer};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What happens at a moment. `process` is that of the machine: a restart makes it void.
pub enum Happening {
    Message { from: usize, to: usize, process: u64, message: Box<FilesMessage> },
    Disk { at: usize, process: u64 },
    DiskDone { at: usize, process: u64, answers: Vec<(JobId, Result<Done, Refused>)> },
    Wake { at: usize, process: u64, due: Duration },
    Idle { at: usize, process: u64 },
    Taken { at: usize, process: u64, client: ClientId },
    Feed { at: usize, process: u64, client: ClientId },
    Restarted { at: usize, process: u64, about: usize },
    Session(usize),
    Ring,
    Group,
    Fault(Fault),
}

/// The world.
pub struct World {
    pub setup: Setup,
    pub now: Duration,
    pub rng: SmallRng,
    pub machines: Vec<Machine>,
    pub network: Network,
    pub views: Views,
    pub clients: Clients,
    pub truth: Truth,
    /// No faults any more, and none is to come.
    pub is_calm: bool,
    /// Whether everything was whole once since the last faults.
    pub was_whole: bool,
    /// Machines that some fault has met since then.
    pub harmed: BTreeSet<usize>,
    /// Members that are in no view any more: since when, and whether their copies count as lost.
    pub gone: BTreeMap<usize, (Duration, bool)>,
    /// The bytes of copies that were lost or away for long, and those that repairs asked for.
    pub lost_bytes: u64,
    pub repaired_bytes: u64,
    /// Nothing happens for hours.
    pub is_long: bool,
    /// What a read in quiet got.
    pub last_read: Vec<u8>,
    pub broken: Option<String>,
    pub events: u64,
    pub messages: u64,
    queue: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    pub traced: bool,
}

impl World {
    pub fn new(seed: u64, mutant: super::Mutant) -> World {
        let mut rng = SmallRng::seed_from_u64(seed);
        let setup = Setup::draw(seed, mutant, &mut rng);
        let machines = (0..setup.machines).map(|_| Machine::draw(&mut rng)).collect();
        let members: BTreeMap<Name, MemberOfView> =
            (0..setup.machines).map(|i| (name(i), setup.member(i))).collect();
        let mut world = World {
            now: Duration::from_secs(10),
            machines,
            network: Network::default(),
            views: Views::new(members, &[share()], setup.keepers),
            clients: Clients::default(),
            truth: Truth::default(),
            is_calm: false,
            was_whole: false,
            harmed: BTreeSet::new(),
            gone: BTreeMap::new(),
            lost_bytes: 0,
            repaired_bytes: 0,
            is_long: false,
            last_read: Vec::new(),
            broken: None,
            events: 0,
            messages: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            traced: std::env::var("MEMBERD_SIM_SEED").is_ok(),
            rng,
            setup,
        };
        (0..world.machines.len()).for_each(|i| world.start(i));
        world.at(ms(1), Happening::Ring);
        world.at(ms(2), Happening::Group);
        world
    }

    /// Something happens after a while.
    pub fn at(&mut self, after: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), happening);
    }

    pub fn micros(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(self.rng.random_range(from..to))
    }

    pub fn break_it(&mut self, what: impl Into<String>) {
        let (seed, now, what) = (self.setup.seed, self.now, what.into());
        self.note(|| format!("BROKEN: {what}"));
        self.broken.get_or_insert(format!("MEMBERD_SIM_SEED={seed} at {now:?}: {what}"));
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>12.6} {}", self.now.as_secs_f64(), what());
        }
    }

    /// Runs for a while, or until an invariant breaks.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(first) = self.queue.first_entry() {
            if first.key().0 > end || self.broken.is_some() {
                break;
            }
            let ((at, _), happening) = first.remove_entry();
            self.now = self.now.max(at);
            self.events += 1;
            if self.events > 6_000_000 {
                return self.break_it("it does not come to rest");
            }
            self.happen(happening);
        }
        if self.broken.is_none() {
            self.now = self.now.max(end);
        }
    }

    /// Runs until something holds, at most for so long.
    pub fn run_until(&mut self, most: Duration, holds: impl Fn(&World) -> bool) -> bool {
        let end = self.now + most;
        while self.now < end && self.broken.is_none() {
            if holds(self) {
                return true;
            }
            self.run(ms(500));
        }
        holds(self)
    }

    fn happen(&mut self, happening: Happening) {
        if let Some((at, process)) = happening.machine() {
            let machine = &self.machines[at];
            if machine.process != process || machine.member.is_none() {
                return;
            }
            // A process that is stopped does it all when it goes on.
            if machine.stopped_until > self.now {
                let wait = machine.stopped_until - self.now;
                return self.at(wait, happening);
            }
        }
        match happening {
            Happening::Message { from, to, message, .. } => {
                if !self.network.cut.contains(&(from, to)) {
                    self.give(to, |member, now| member.handle_message(now, &name(from), *message));
                }
            }
            Happening::Disk { at, .. } => self.run_disk(at),
            Happening::DiskDone { at, answers, .. } => self.disk_done(at, answers),
            // Another moment was asked for since: a machine has one timer.
            Happening::Wake { at, due, .. } => {
                if self.machines[at].woken_for == Some(due) {
                    self.machines[at].woken_for = None;
                    self.give(at, Member::handle_timeout);
                }
            }
            Happening::Idle { at, .. } => self.idle(at),
            Happening::Taken { at, client, .. } => {
                self.give(at, |member, now| member.taken(now, client));
            }
            Happening::Feed { client, .. } => self.feed(client),
            Happening::Restarted { at, about, .. } => {
                self.give(at, |member, now| member.handle_restarted(now, &name(about)));
            }
            Happening::Session(session) => self.session(session),
            Happening::Ring => self.ring(),
            Happening::Group => self.group(),
            Happening::Fault(fault) => self.fault(fault),
        }
    }

    /// A message goes out.
    pub fn send(&mut self, from: usize, to: &Name, message: &FilesMessage) {
        let to = index(to);
        if from == to {
            return self.break_it(format!("vm{from} sends itself {message:?}"));
        }
        self.messages += 1;
        self.look_at_message(from, message);
        if self.traced {
            self.trace(from, to, message);
        }
        if let FilesMessage::Transfer(Transfer::Read(order)) = message
            && matches!(order.purpose, ReadPurpose::Repair { .. })
        {
            self.repaired_bytes += u64::from(order.bytes);
        }
        let is_bulk = message.is_bulk();
        let arrivals = self.network.arrivals(&mut self.rng, self.now, (from, to), is_bulk);
        let process = self.machines[to].process;
        for arrives in arrivals {
            let message = Box::new(message.clone());
            let happening = Happening::Message { from, to, process, message };
            self.at(arrives - self.now, happening);
        }
    }

    fn trace(&self, from: usize, to: usize, message: &FilesMessage) {
        match message {
            FilesMessage::Transfer(
                Transfer::Piece { .. } | Transfer::Data { .. } | Transfer::Got { .. },
            ) => {}
            FilesMessage::Transfer(other) => {
                self.note(|| format!("vm{from} -> vm{to} {other:?}"));
            }
            FilesMessage::Keeper { message, .. } => {
                let text = format!("{:?}", message.body);
                let short: String = text.chars().take(160).collect();
                self.note(|| format!("vm{from} -> vm{to} {short}"));
            }
            other => {
                let text = format!("{other:?}");
                let short: String = text.chars().take(160).collect();
                self.note(|| format!("vm{from} -> vm{to} {short}"));
            }
        }
    }

    /// What is sent can be read, and is in its bounds.
    fn look_at_message(&mut self, from: usize, message: &FilesMessage) {
        if !self.rng.random_bool(0.03) {
            return;
        }
        let bytes = message.encode();
        if bytes.len() > (1 << 20) + (4 << 10) {
            self.break_it(format!("vm{from} sends {} bytes", bytes.len()));
        }
        if FilesMessage::decode(&bytes).as_ref() != Ok(message) {
            self.break_it(format!("vm{from} sends what cannot be read: {message:?}"));
        }
    }
}

impl Happening {
    fn machine(&self) -> Option<(usize, u64)> {
        match self {
            Happening::Message { to: at, process, .. }
            | Happening::Disk { at, process }
            | Happening::DiskDone { at, process, .. }
            | Happening::Wake { at, process, .. }
            | Happening::Idle { at, process }
            | Happening::Taken { at, process, .. }
            | Happening::Feed { at, process, .. }
            | Happening::Restarted { at, process, .. } => Some((*at, *process)),
            Happening::Session(_) | Happening::Ring | Happening::Group | Happening::Fault(_) => {
                None
            }
        }
    }
}
