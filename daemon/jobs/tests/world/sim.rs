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
    AskId, Command, FoldAsk, Incarnation, JobFile, JobId, Leader, MemberId, MemberState, Message,
    Name, Note, Now, Output, StoreAnswer, StoreAsk, Worker,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

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
    Group,
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
    woken_for: u64,
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
        }
        world.at(10_000, Happening::Group);
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
                    self.lead(at, |leader, now, out| leader.handle_timeout(now, out));
                }
            }
            Happening::Look { at, process } => self.look(at, process),
            Happening::Write(machine) => self.write(machine),
            Happening::Group => self.group(),
            Happening::Repair => {
                let up = self.disks(self.events as usize);
                self.store.repair(&up);
                self.at(1_000_000, Happening::Repair);
            }
            Happening::Known { machine, is_alive } => self.known(machine, is_alive),
            Happening::Fault(fault) => self.fault(fault),
        }
    }

    fn deliver(&mut self, from: usize, to: usize, message: Message) {
        if self.cut.contains(&(from, to)) {
            return;
        }
        self.note(|| format!("vm{from} -> vm{to} {}", short(&message)));
        if matches!(message, Message::AskTable | Message::Opened { .. }) {
            let from = name(from);
            return self.lead(to, |leader, _, out| leader.handle_message(&from, &message, out));
        }
        self.give(to, |worker, now| worker.handle_message(now, &name(from), message));
    }

    fn run_store(&mut self, at: usize, process: u32, ask: &StoreAsk, is_heard: bool) {
        let spread = ask.file.spread();
        let up = self.disks(spread);
        let before = self.store.files.get(&ask.file).map_or(0, |file| file.bytes.len());
        let answer = self.store.run(ask, &up);
        self.note(|| format!("store: vm{at} {} => {answer:?}", short(ask)));
        let file = self.store.files.get(&ask.file);
        let judged = self.oracle.stored(&self.machines, ask, at, (file, before), &answer);
        self.judge(judged);
        if is_heard {
            self.answers(at, process, ask, answer);
        }
    }

    /// An answer is on its way: it may come twice, and is sometimes lost.
    fn answers(&mut self, at: usize, process: u32, ask: &StoreAsk, answer: StoreAnswer) {
        let (id, file) = (ask.id, ask.file);
        let is_lost = !self.is_calm && self.rng.random_bool(self.setup.losses);
        let answer = if is_lost { StoreAnswer::Unknown } else { answer };
        let twice = !self.is_calm && self.rng.random_bool(self.setup.doubles);
        for _ in 0..=u8::from(twice) {
            let wait = self.delay();
            let answer = answer.clone();
            self.at(wait, Happening::Answer { at, process, id, file, answer });
        }
    }

    fn answer(&mut self, at: usize, id: AskId, file: JobFile, answer: StoreAnswer) {
        let is_leaders = self.machines[at].leader.as_ref().is_some_and(|leader| {
            id.token == u64::from(leader.term()) << 32
        });
        if file == JobFile::Table || is_leaders {
            return self.lead(at, |leader, now, out| {
                leader.handle_store(now, (id, file), answer, out);
            });
        }
        self.give(at, |worker, now| worker.handle_store(now, id, file, answer));
    }

    /// How long a message or an operation takes, in microseconds.
    pub fn delay(&mut self) -> u64 {
        match self.rng.random_range(0..100) {
            0 if !self.is_calm => self.rng.random_range(50_000..3_000_000),
            1..8 => self.rng.random_range(5_000..60_000),
            _ => self.rng.random_range(200..5_000),
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
    pub fn lead(
        &mut self,
        i: usize,
        input: impl FnOnce(&mut Leader, Now, &mut VecDeque<Output>),
    ) {
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

    fn wake(&mut self, i: usize) {
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
        let over = worker.weights().find(|(_, _, weight)| *weight > bound);
        if let Some((_, partition, weight)) = over {
            self.break_it(format!("I8: {partition:?} takes {weight} of {bound} bytes"));
        }
    }

    fn carry_out(&mut self, i: usize, output: Output) {
        if self.crosses(i) {
            return;
        }
        match output {
            Output::Send(to, message) => self.send(i, index(&to), message),
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

    fn send(&mut self, from: usize, to: usize, message: Message) {
        let judged = self.oracle.sent(from, to, &message);
        self.judge(judged);
        let process = self.machines[to].process;
        let faulty = !self.is_calm && from != to;
        if faulty && self.rng.random_bool(self.setup.losses) {
            return;
        }
        let twice = faulty && self.rng.random_bool(self.setup.doubles);
        for _ in 0..=u8::from(twice) {
            let wait = self.delay();
            let message = message.clone();
            self.at(wait, Happening::Message { from, to, process, message });
        }
    }

    /// A question goes to the file system. It may be refused, lost on the way, or done late.
    fn ask_store(&mut self, at: usize, ask: StoreAsk) {
        let process = self.machines[at].process;
        let faulty = !self.is_calm && self.rng.random_bool(self.setup.refusals);
        let wait = self.delay();
        if !faulty {
            return self.at(wait, Happening::Store { at, process, ask, is_heard: true });
        }
        let answer = match self.rng.random_range(0..3) {
            0 => StoreAnswer::Unavailable,
            // It happens once more, or later, and nobody hears of that.
            once => {
                let late = wait + self.rng.random_range(0..6_000_000);
                let again = StoreAsk::clone(&ask);
                self.at_any(late, Happening::Store { at, process, ask: again, is_heard: false });
                if once == 1 {
                    return self.at(wait, Happening::Store { at, process, ask, is_heard: true });
                }
                StoreAnswer::Unknown
            }
        };
        self.at(wait, Happening::Answer { at, process, id: ask.id, file: ask.file, answer });
    }

    /// Happens even if its process does not live any more: it is in the network.
    fn at_any(&mut self, after_us: u64, happening: Happening) {
        self.at(after_us, happening);
    }

    fn fold(&mut self, at: usize, ask: &FoldAsk) {
        let spec = &self.setup.spec;
        let counting = Counting::make(spec).unwrap();
        let files = &self.machines[at].files;
        let fold = |range| lines::fold(files, range, counting, spec.partitions, spec.every_ms);
        let folded: Vec<_> = ask.ranges.iter().map(fold).collect();
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
        let lateness = self.setup.spec.lateness_ms;
        let machine = &mut self.machines[i];
        machine.clock_ms = machine.clock_ms.max(now);
        let open: Vec<usize> = (0..machine.files.len())
            .filter(|at| !machine.files[*at].is_finished && !machine.files[*at].is_deleted)
            .collect();
        let file = open[self.rng.random_range(0..open.len())];
        let (clocks, is_early) = ((now, machine.clock_ms), !machine.was_looked_at);
        machine.files[file].write(&mut self.rng, clocks, lateness, is_early);
        self.lines += 1;
    }

    /// Who leads is told who is a member.
    fn group(&mut self) {
        self.at(300_000, Happening::Group);
        self.elect_if_needed();
        let members: Vec<MemberState> = (0..self.machines.len())
            .map(|i| MemberState { member: self.member(i), is_alive: self.machines[i].is_known_alive })
            .collect();
        let spec = self.setup.spec.clone();
        for i in 0..self.machines.len() {
            if self.is_up(i) && self.machines[i].leader.is_some() {
                self.lead(i, |leader, now, out| {
                    leader.handle_members(now, &members, out);
                    let is_there = leader.table().is_none_or(|table| !table.jobs.is_empty());
                    if !is_there {
                        leader.command(now, Command::Start(spec.clone()), out);
                    }
                });
            }
        }
    }

    fn elect_if_needed(&mut self) {
        let leads = |i: usize| {
            self.is_up(i) && self.machines[i].leader.as_ref().is_some_and(|it| it.term() == self.term)
        };
        if self.leading.is_some_and(leads) {
            return;
        }
        if !self.is_calm && !self.rng.random_bool(0.3) {
            return;
        }
        let up: Vec<usize> = (0..self.machines.len()).filter(|i| self.is_up(*i)).collect();
        if !up.is_empty() {
            let chosen = up[self.rng.random_range(0..up.len())];
            self.elect(chosen);
        }
    }

    /// A new leader. The one before may not know.
    pub fn elect(&mut self, i: usize) {
        self.term += 1;
        self.leading = Some(i);
        self.note(|| format!("vm{i} leads in term {}", self.term));
        let now = self.clocks(i);
        let settings = Arc::new(self.setup.settings.clone());
        self.machines[i].leader = Some(Leader::new(settings, self.term, now));
        self.lead(i, |leader, now, out| leader.handle_timeout(now, out));
    }

    pub fn member(&self, i: usize) -> MemberId {
        MemberId { name: name(i), incarnation: Incarnation(self.machines[i].incarnation) }
    }

    /// Begins a process, which knows nothing.
    pub fn start(&mut self, i: usize) {
        let own = self.member(i);
        let settings = Arc::new(self.setup.settings.clone());
        let machine = &mut self.machines[i];
        machine.process += 1;
        machine.stopped_until = 0;
        machine.woken_for = u64::MAX;
        machine.leader = None;
        machine.worker = Some(Worker::new(settings, own, Counting::make));
        let process = machine.process;
        let wait = self.rng.random_range(1_000..100_000);
        self.at(wait, Happening::Look { at: i, process });
        self.wake(i);
    }

    /// A process ends at once.
    pub fn end(&mut self, i: usize) {
        let machine = &mut self.machines[i];
        machine.worker = None;
        machine.leader = None;
        machine.process += 1;
        machine.stopped_until = 0;
        machine.was_restarted = true;
    }

    fn known(&mut self, machine: usize, is_alive: bool) {
        // News of a stay that is over, or of faults that are.
        if !is_alive && (self.is_calm || self.machines[machine].joined_us + 400_000 > self.now_us) {
            return;
        }
        self.machines[machine].joined_us = self.now_us;
        self.note(|| format!("vm{machine} is known to be {}", ["down", "up"][usize::from(is_alive)]));
        self.machines[machine].is_known_alive = is_alive;
        self.machines[machine].was_excluded |= !is_alive;
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

/// How files differ in where their copies are.
trait Spread {
    fn spread(&self) -> usize;
}

impl Spread for JobFile {
    fn spread(&self) -> usize {
        format!("{self:?}").bytes().map(usize::from).sum()
    }
}

fn short(what: &impl std::fmt::Debug) -> String {
    format!("{what:?}").chars().take(220).collect()
}

fn kind(note: &Note) -> &'static str {
    match note {
        Note::Opened(..) => "opened",
        Note::Deposed(..) => "deposed",
        Note::LogLost(..) => "log lost",
        Note::LogUnreadable(..) => "log unreadable",
        Note::SinkDamaged(_) => "sink damaged",
        Note::BadSums(..) => "bad sums",
        Note::Full(..) => "full",
        Note::Lost(..) => "lost",
    }
}
