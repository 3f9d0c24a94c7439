//! A simulated fleet with one durable job: deterministic, seeded, in virtual time. It runs the very
//! state machines that memberd will run. One seed draws every delay, loss, line and fault. The
//! first broken invariant stops it.

use super::faults::{CrashAt, Fault};
use super::lines::{self, LogFile};
use super::oracle::Oracle;
use super::setup::Setup;
use super::store::Store;
use super::sums::Counting;
use memberd_jobs::{
    AskId, FoldAsk, JobFile, JobId, Leader, Message, Name, Note, Now, Output, Part, StoreAnswer,
    StoreAsk, Worker,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// When the simulation begins, in milliseconds since 1970.
pub const BEGIN_MS: i64 = 1_764_500_000_000;

pub fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

pub fn index(name: &Name) -> usize {
    name.as_str()[2..].parse().unwrap()
}

/// What happens at a moment. `process` is that of the machine: a restart makes it void.
#[derive(Debug)]
pub enum Happening {
    Message { from: usize, to: usize, process: u32, message: Message },
    Store { at: usize, process: u32, ask: StoreAsk, is_heard: bool },
    Answer { at: usize, process: u32, id: AskId, file: JobFile, answer: StoreAnswer },
    Folded { at: usize, process: u32, ask: FoldAsk },
    Wake { at: usize, process: u32, due: u64 },
    Look { at: usize, process: u32 },
    Write(usize),
    Rotate(usize),
    Group,
    Cancel,
    Repair,
    Known { machine: usize, is_alive: bool },
    Fault(Fault),
}

/// A machine. Its files outlive its processes.
pub struct Machine {
    pub worker: Option<Worker<Counting>>,
    pub leader: Option<Leader>,
    pub process: u32,
    pub incarnation: u64,
    pub stopped_until: u64,
    pub skew_ms: i64,
    /// The largest that its clock has been.
    pub clock_ms: i64,
    pub files: Vec<LogFile>,
    /// Whether its source was ever begun anew.
    pub was_restarted: bool,
    /// Whether its source has looked at its files.
    pub was_looked_at: bool,
    /// Whether windows may have closed without it.
    pub was_excluded: bool,
    /// What the others take it for.
    pub is_known_alive: bool,
    /// Since when.
    pub joined_us: u64,
    pub woken_for: u64,
}

pub struct World {
    pub setup: Setup,
    pub now_us: u64,
    pub rng: SmallRng,
    pub machines: Vec<Machine>,
    pub store: Store,
    pub oracle: Oracle,
    pub cut: BTreeSet<(usize, usize)>,
    pub term: u32,
    pub leading: Option<usize>,
    pub is_calm: bool,
    pub writes: bool,
    /// Whether people want the job to end.
    pub cancels: bool,
    pub broken: Option<String>,
    pub events: u64,
    pub lines: u64,
    /// How many inputs and outputs there were: where a crash can come.
    pub boundary: u64,
    pub crash_at: Option<CrashAt>,
    pub notes: BTreeMap<&'static str, u64>,
    pub traced: bool,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    next_file: u128,
}

impl World {
    pub fn new(setup: Setup) -> World {
        let mut rng = SmallRng::seed_from_u64(setup.seed);
        let machine = |rng: &mut SmallRng| Machine {
            worker: None,
            leader: None,
            process: 0,
            incarnation: 1,
            stopped_until: 0,
            skew_ms: rng.random_range(-2_000..2_000),
            clock_ms: 0,
            files: Vec::new(),
            was_restarted: false,
            was_looked_at: false,
            was_excluded: false,
            is_known_alive: true,
            joined_us: 0,
            woken_for: u64::MAX,
        };
        let machines = (0..setup.machines).map(|_| machine(&mut rng)).collect();
        let mut world = World {
            now_us: 1_000_000,
            machines,
            store: Store::default(),
            oracle: Oracle::new(&setup),
            cut: BTreeSet::new(),
            term: 0,
            leading: None,
            is_calm: false,
            writes: true,
            cancels: false,
            broken: None,
            events: 0,
            lines: 0,
            boundary: 0,
            crash_at: None,
            notes: BTreeMap::new(),
            traced: std::env::var("MEMBERD_SIM_SEED").is_ok(),
            queue: BTreeMap::new(),
            sequence: 0,
            next_file: 1,
            rng,
            setup,
        };
        let all: Vec<usize> = (0..world.machines.len()).collect();
        world.store.create(JobFile::Table, 5, &all);
        for i in all {
            for _ in 0..world.rng.random_range(1..3) {
                world.new_file(i);
            }
            world.start(i);
            world.at(1_000, Happening::Write(i));
            if let Some(rotate_us) = world.setup.rotate_us {
                world.at(rotate_us, Happening::Rotate(i));
            }
        }
        world.at(10_000, Happening::Group);
        if let Some(cancel_us) = world.setup.cancel_us {
            world.at(cancel_us, Happening::Cancel);
        }
        world.at(1_000_000, Happening::Repair);
        world
    }

    pub fn new_file(&mut self, i: usize) {
        self.next_file += 1;
        self.machines[i].files.push(LogFile::new(self.next_file * 7_919));
    }

    /// Something happens after a while.
    pub fn at(&mut self, after_us: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now_us + after_us, self.sequence), happening);
    }

    pub fn clocks(&self, i: usize) -> Now {
        let now_ms = self.now_us / 1_000;
        let wall_ms = BEGIN_MS + now_ms as i64 + self.machines[i].skew_ms;
        Now { boot_ms: now_ms, wall_ms }
    }

    pub fn break_it(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.note(|| format!("BROKEN: {what}"));
        let at_s = self.now_us as f64 / 1e6;
        let seed = self.setup.seed;
        self.broken.get_or_insert(format!("MEMBERD_SIM_SEED={seed} at {at_s:.6} s: {what}"));
    }

    pub fn judge(&mut self, judged: Result<(), String>) {
        if let Err(what) = judged {
            self.break_it(what);
        }
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        if self.traced {
            println!("{:>12.6} {}", self.now_us as f64 / 1e6, what());
        }
    }

    pub fn is_up(&self, i: usize) -> bool {
        self.machines[i].worker.is_some() && self.machines[i].stopped_until <= self.now_us
    }

    /// The machines whose disks can be read, in an order that differs by file.
    pub fn disks(&self, spread: usize) -> Vec<usize> {
        let count = self.machines.len();
        let all = (0..count).map(|i| (i + spread) % count);
        all.filter(|i| self.machines[*i].worker.is_some()).collect()
    }

    /// Runs for a while, or until an invariant breaks.
    pub fn run(&mut self, span_us: u64) {
        let end = self.now_us + span_us;
        while let Some(first) = self.queue.first_entry() {
            if first.key().0 > end || self.broken.is_some() {
                break;
            }
            let ((at, _), happening) = first.remove_entry();
            self.now_us = self.now_us.max(at);
            self.events += 1;
            if self.events > 4_000_000 {
                return self.break_it("it does not come to rest");
            }
            self.happen(happening);
        }
        if self.broken.is_none() {
            self.now_us = self.now_us.max(end);
        }
    }

    fn happen(&mut self, happening: Happening) {
        if let Some((at, process)) = happening.machine() {
            if self.machines[at].process != process || self.machines[at].worker.is_none() {
                return;
            }
            if self.machines[at].stopped_until > self.now_us {
                let wait = self.machines[at].stopped_until - self.now_us;
                return self.at(wait, happening);
            }
            if self.crosses(at) {
                return;
            }
        }
        match happening {
            Happening::Message { from, to, message, .. } => self.deliver(from, to, message),
            Happening::Store { at, process, ask, is_heard } => {
                self.run_store(at, process, &ask, is_heard);
            }
            Happening::Answer { at, id, file, answer, .. } => self.answer(at, id, file, answer),
            Happening::Folded { at, ask, .. } => self.fold(at, &ask),
            Happening::Wake { at, due, .. } => {
                if self.machines[at].woken_for == due {
                    self.machines[at].woken_for = u64::MAX;
                    self.give(at, Worker::handle_timeout);
                    self.lead(at, Leader::handle_timeout);
                    self.expect_rest(at);
                }
            }
            Happening::Look { at, process } => self.look(at, process),
            Happening::Write(machine) => self.write(machine),
            Happening::Rotate(machine) => {
                if let Some(rotate_us) = self.setup.rotate_us.filter(|_| !self.is_calm) {
                    self.rotate(machine);
                    self.at(rotate_us, Happening::Rotate(machine));
                }
            }
            Happening::Group => self.group(),
            Happening::Cancel => self.cancels = true,
            Happening::Repair => {
                let up = self.disks(self.events as usize);
                self.store.repair(&up);
                self.at(1_000_000, Happening::Repair);
            }
            Happening::Known { machine, is_alive } => self.known(machine, is_alive),
            Happening::Fault(fault) => self.fault(fault),
        }
    }

    /// Hands an input to a worker, and does what it says.
    pub fn give(&mut self, i: usize, input: impl FnOnce(&mut Worker<Counting>, Now)) {
        let now = self.clocks(i);
        let Some(worker) = &mut self.machines[i].worker else { return };
        input(worker, now);
        while let Some(worker) = &mut self.machines[i].worker {
            let Some(output) = worker.poll_output() else { break };
            self.carry_out(i, output);
        }
        self.wake(i);
        self.look_at_memory(i);
    }

    /// Hands an input to a leader, if there is one.
    pub fn lead(&mut self, i: usize, input: impl FnOnce(&mut Leader, Now, &mut VecDeque<Output>)) {
        let now = self.clocks(i);
        let Some(leader) = &mut self.machines[i].leader else { return };
        let mut out = VecDeque::new();
        input(leader, now, &mut out);
        if leader.has_ended() {
            self.machines[i].leader = None;
        }
        for output in out {
            if self.machines[i].worker.is_some() {
                self.carry_out(i, output);
            }
        }
        self.wake(i);
    }

    /// What was due is done, or is done at once: a host does not spin.
    fn expect_rest(&mut self, i: usize) {
        let now = self.clocks(i).boot_ms;
        // A question without an answer ends first, and is asked again then.
        self.give(i, Worker::handle_timeout);
        self.lead(i, Leader::handle_timeout);
        let machine = &self.machines[i];
        let worker = machine.worker.as_ref().map_or(u64::MAX, Worker::due_ms);
        let leader = machine.leader.as_ref().map_or(u64::MAX, Leader::due_ms);
        if worker.min(leader) <= now {
            self.break_it(format!("vm{i} spins at {now}: {worker} {leader}"));
        }
    }

    pub fn wake(&mut self, i: usize) {
        let machine = &self.machines[i];
        let Some(worker) = &machine.worker else { return };
        let leader = machine.leader.as_ref().map_or(u64::MAX, Leader::due_ms);
        let due = worker.due_ms().min(leader);
        if due < machine.woken_for {
            let process = machine.process;
            self.machines[i].woken_for = due;
            let wait = (due * 1_000).saturating_sub(self.now_us).max(100);
            self.at(wait, Happening::Wake { at: i, process, due });
        }
    }

    fn look_at_memory(&mut self, i: usize) {
        let Some(worker) = &self.machines[i].worker else { return };
        let bound = self.setup.settings.sums_bytes;
        let all: usize = worker.weights().map(|(_, _, weight)| weight).sum();
        let over = worker.weights().find(|(_, _, weight)| *weight > bound);
        if let Some((_, partition, weight)) = over {
            self.break_it(format!("I8: {partition:?} takes {weight} of {bound} bytes"));
        }
        let bound = self.setup.settings.member_bytes;
        if all > bound {
            self.break_it(format!("I8: vm{i} takes {all} of {bound} bytes"));
        }
        let bound = self.setup.settings.lists_bytes;
        let worker = self.machines[i].worker.as_ref();
        let job = self.oracle.job;
        let status = worker.zip(job).and_then(|(it, job)| it.status(self.clocks(i), job));
        let lists = status.and_then(|status| status.sink).map_or(0, |sink| sink.lists_bytes);
        if lists > bound {
            self.break_it(format!("I8: lists of vm{i} take {lists} of {bound} bytes"));
        }
        if let Some(job) = self.oracle.job.filter(|_| self.events.is_multiple_of(8)) {
            let worker = self.machines[i].worker.as_ref();
            let acknowledged = worker.map_or_else(Vec::new, |worker| worker.acknowledged(job));
            let judged = self.oracle.acknowledged(i, &acknowledged);
            self.judge(judged);
        }
    }

    fn carry_out(&mut self, i: usize, output: Output) {
        if self.crosses(i) {
            return;
        }
        match output {
            Output::Send(to, message) => self.send(i, index(&to), &message),
            Output::Store(ask) => self.ask_store(i, ask),
            Output::Fold(ask) => {
                let process = self.machines[i].process;
                let wait = self.delay();
                self.at(wait, Happening::Folded { at: i, process, ask });
            }
            Output::Note(note) => {
                self.note(|| format!("vm{i} {note:?}"));
                *self.notes.entry(kind(&note)).or_default() += 1;
            }
        }
    }

    fn fold(&mut self, at: usize, ask: &FoldAsk) {
        let spec = &self.setup.spec;
        let counting = Counting::make(spec).unwrap();
        let files = &self.machines[at].files;
        let fold = |range| lines::fold(files, range, counting, spec.partitions, spec.every_ms);
        let folded: Vec<_> = ask.ranges.iter().map(fold).collect();
        let most = self.setup.settings.delta_bytes;
        let bytes =
            |parts: &Vec<Part>| parts.iter().map(|part| 64 + part.sums.len()).sum::<usize>();
        let all = folded.iter().flatten().flat_map(|folded| folded.parts.values());
        *self.notes.entry("large sums").or_default() +=
            all.filter(|parts| bytes(parts) > most).count() as u64;
        self.give(at, |worker, now| worker.handle_folded(now, ask.job, ask.number, &folded));
    }

    fn look(&mut self, at: usize, process: u32) {
        let began_ms = self.clocks(at).wall_ms;
        let look = lines::look(&self.machines[at].files, began_ms);
        if let Some(job) = self.job() {
            let worker = self.machines[at].worker.as_ref();
            let knows = worker.is_some_and(|worker| worker.table().jobs.contains_key(&job));
            self.machines[at].was_looked_at |= knows;
            self.give(at, |worker, now| worker.handle_look(now, job, &look));
        }
        let wait = self.setup.settings.look_ms * 1_000;
        self.at(wait, Happening::Look { at, process });
    }

    /// The job, once it is in the table.
    pub fn job(&self) -> Option<JobId> {
        self.oracle.job
    }

    fn write(&mut self, i: usize) {
        let wait = self.rng.random_range(5_000..self.setup.write_us);
        self.at(wait, Happening::Write(i));
        if !self.writes {
            return;
        }
        let now = self.clocks(i).wall_ms;
        let (lateness, has_future) = (self.setup.spec.lateness_ms, self.setup.has_future);
        let machine = &mut self.machines[i];
        machine.clock_ms = machine.clock_ms.max(now);
        let open: Vec<usize> = (0..machine.files.len())
            .filter(|at| !machine.files[*at].is_finished && !machine.files[*at].is_deleted)
            .collect();
        let file = open[self.rng.random_range(0..open.len())];
        let (clocks, is_early) = ((now, machine.clock_ms), !machine.was_looked_at);
        machine.files[file].write(&mut self.rng, clocks, (lateness, has_future), is_early);
        self.lines += 1;
    }
}

impl Happening {
    /// A question that is on its way to the file system outlives who asked.
    fn machine(&self) -> Option<(usize, u32)> {
        match self {
            Happening::Message { to: at, process, .. }
            | Happening::Answer { at, process, .. }
            | Happening::Folded { at, process, .. }
            | Happening::Wake { at, process, .. }
            | Happening::Look { at, process } => Some((*at, *process)),
            _ => None,
        }
    }
}

pub fn short(what: &impl std::fmt::Debug) -> String {
    format!("{what:?}").chars().take(220).collect()
}

fn kind(note: &Note) -> &'static str {
    match note {
        Note::Opened(..) => "opened",
        Note::Deposed(..) => "deposed",
        Note::LogLost(..) => "log lost",
        Note::LogUnreadable(..) => "log unreadable",
        Note::TableLost => "table lost",
        Note::TableUnreadable(_) => "table unreadable",
        Note::SinkDamaged(_) => "sink damaged",
        Note::CannotRun(_) => "cannot run",
        Note::Stopped(..) => "stopped",
        Note::NotStarted(..) => "not started",
        Note::NotMade(_) => "not made",
        Note::LeftOut(..) => "left out",
        Note::BadSums(..) => "bad sums",
        Note::Full(..) => "full",
        Note::Lost(..) => "lost",
    }
}
