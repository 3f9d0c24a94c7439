//! One machine of the world: its disk, the store on it, and the member, as a daemon would wire
//! them.

use super::facts::{Facts, OnStore};
use super::faults::Fault;
use super::sim::{Happening, World};
use super::views::Change;
use super::{index, ms, name};
use memberd_files::store::sim_disk::SimDisk;
use memberd_files::store::{Done, Job, JobId, Refused, Room, Store, StoreSettings, StoreState};
use memberd_files::{BootTime, Entry, Epoch, ExtentId, Hints, Member, MemberOutput, Now, OnDisk};
use memberd_membership::WallTime;
use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The most jobs that a member may have the store do at once.
const MAX_JOBS: usize = 4_096;

pub struct Machine {
    pub member: Option<Member>,
    pub store: Option<Store<SimDisk>>,
    pub disk: SimDisk,
    pub process: u64,
    pub facts: Facts,
    /// All that was ever sealed here.
    pub ever_sealed: BTreeSet<ExtentId>,
    /// Whether the power went: what was not synced is lost in part at the next start.
    pub lost_power: bool,
    /// Whether its disk is to fail at some sync that is still to come.
    pub is_doomed: bool,
    /// In which view it lost its disk.
    pub wiped_in: Epoch,
    /// The newest view that it was shown.
    pub shown: Epoch,
    /// The first view after a start is one that the council confirmed since.
    least: Epoch,
    pub stopped_until: Duration,
    /// When the group last heard it, and since when it has done so.
    pub heard_at: Duration,
    pub up_since: Duration,
    pub woken_for: Option<Duration>,
    pub hints: Hints,
    /// Whom it takes for failed without reason.
    pub rumours: BTreeSet<usize>,
    /// What it wants the group to agree on.
    pub proposals: Vec<Change>,
    jobs: VecDeque<(JobId, Job)>,
    disk_runs: bool,
    told: (Room, bool),
    offset: Duration,
    drift_ppm: i64,
}

impl Machine {
    pub fn draw(rng: &mut SmallRng) -> Machine {
        Machine {
            member: None,
            store: None,
            disk: SimDisk::default(),
            process: 0,
            facts: Facts::default(),
            ever_sealed: BTreeSet::new(),
            lost_power: false,
            is_doomed: false,
            wiped_in: Epoch(0),
            shown: Epoch(0),
            least: Epoch(0),
            stopped_until: Duration::ZERO,
            heard_at: Duration::ZERO,
            up_since: Duration::ZERO,
            woken_for: None,
            hints: Hints::default(),
            rumours: BTreeSet::new(),
            proposals: Vec::new(),
            jobs: VecDeque::new(),
            disk_runs: false,
            told: (Room::Plenty, false),
            offset: Duration::from_secs(rng.random_range(0..100_000)),
            drift_ppm: rng.random_range(-4_000..=4_000),
        }
    }

    pub fn runs(&self) -> bool {
        self.member.is_some()
    }
}

impl World {
    pub fn clock(&self, at: usize) -> Now {
        let machine = &self.machines[at];
        let ran = self.now.as_nanos() as i128;
        let ran = ran + ran * i128::from(machine.drift_ppm) / 1_000_000;
        let ran = Duration::from_nanos(ran as u64) + machine.offset;
        Now { boot: BootTime::from_epoch(ran), wall: WallTime(ran.as_millis() as u64) }
    }

    /// Starts the process of a machine with what its disk has.
    pub fn start(&mut self, at: usize) {
        if self.machines[at].runs() {
            return;
        }
        let seed = self.rng.random();
        let machine = &mut self.machines[at];
        if std::mem::take(&mut machine.lost_power) {
            machine.disk.restart(seed);
        }
        let settings = StoreSettings { space_bytes: 1 << 34, salt: seed };
        let opened = Store::open(machine.disk.clone(), settings);
        let loaded = opened.map_err(|error| error.to_string()).and_then(|mut store| {
            let found = survey(&mut store)?;
            let on_disk = OnDisk::load(&mut store).map_err(|refused| refused.to_string())?;
            Ok((store, found, on_disk))
        });
        let (mut store, found, on_disk) = match loaded {
            Ok(loaded) => loaded,
            // A fault came by while it opened: it begins again.
            Err(error) if machine.disk.is_off() || error.ends_with("other error") => {
                machine.lost_power = true;
                return self.at(ms(300), Happening::Fault(Fault::Start(at)));
            }
            Err(error) => return self.break_it(format!("the store of vm{at}: {error}")),
        };
        store.set_mutant(self.setup.store_mutant);
        let entries: Vec<Entry> = found.entries.values().flatten().cloned().collect();
        let sealed: Vec<ExtentId> = found.extents.keys().copied().collect();
        if let Err(what) = self.machines[at].facts.compare(&found) {
            return self.break_it(format!("vm{at} lost what it had said to be durable: {what}"));
        }
        self.machines[at].ever_sealed.extend(sealed);
        entries.iter().for_each(|entry| self.learn(entry));
        self.begin(at, store, on_disk);
    }

    fn begin(&mut self, at: usize, store: Store<SimDisk>, on_disk: OnDisk) {
        let (now, seed) = (self.clock(at), self.rng.random());
        let settings = self.setup.settings.clone();
        let machine = &mut self.machines[at];
        machine.process += 1;
        (machine.woken_for, machine.disk_runs, machine.told) = (None, false, (Room::Plenty, false));
        machine.jobs.clear();
        machine.proposals.clear();
        machine.hints = Hints::default();
        machine.stopped_until = Duration::ZERO;
        machine.up_since = self.now;
        (machine.least, machine.shown) = (self.views.newest().epoch, Epoch(0));
        machine.store = Some(store);
        machine.member = Some(Member::new(name(at), settings, on_disk, seed, now));
        self.note(|| format!("vm{at} starts"));
        self.carry_out(at);
        let process = self.machines[at].process;
        self.at(ms(200), Happening::Idle { at, process });
        for other in 0..self.machines.len() {
            let after = self.micros(100_000, 1_500_000);
            let process = self.machines[other].process;
            self.at(after, Happening::Restarted { at: other, process, about: at });
        }
    }

    /// The process ends. If the power goes, what was not synced is lost in part.
    pub fn crash(&mut self, at: usize, power: bool) {
        let machine = &mut self.machines[at];
        machine.lost_power |= power;
        if machine.member.take().is_none() {
            return;
        }
        machine.store = None;
        machine.jobs.clear();
        machine.stopped_until = Duration::ZERO;
        self.note(|| format!("vm{at} ends, power lost: {power}"));
        self.clients_lost(at);
    }

    /// The machine loses its disk.
    pub fn wipe(&mut self, at: usize) {
        self.count_lost(at);
        self.crash(at, true);
        self.note(|| format!("vm{at} loses its disk"));
        let newest = self.views.newest().epoch;
        let machine = &mut self.machines[at];
        machine.disk = SimDisk::default();
        machine.facts = Facts::default();
        machine.is_doomed = false;
        (machine.wiped_in, machine.shown) = (newest, Epoch(0));
        self.check_all_kept("a disk is lost");
    }

    /// Hands something to a member, and does what it asks for.
    pub fn give(&mut self, at: usize, input: impl FnOnce(&mut Member, Now)) {
        let now = self.clock(at);
        if let Some(member) = self.machines[at].member.as_mut() {
            input(member, now);
            self.carry_out(at);
        }
    }

    pub fn carry_out(&mut self, at: usize) {
        while let Some(output) = self.machines[at].member.as_mut().and_then(Member::poll_output) {
            self.look_at_keepers(at);
            self.put_out(at, output);
        }
        self.look_at_keepers(at);
        let Some(member) = self.machines[at].member.as_ref() else { return };
        let due = member.poll_timeout().map(BootTime::since_epoch);
        let own = self.clock(at).boot.since_epoch();
        if let Some(due) = due
            && self.machines[at].woken_for.is_none_or(|before| before != due)
        {
            let process = self.machines[at].process;
            self.machines[at].woken_for = Some(due);
            let wait = due.saturating_sub(own).mul_f64(1.006).max(Duration::from_micros(50));
            self.at(wait + Duration::from_micros(20), Happening::Wake { at, process, due });
        }
    }

    fn put_out(&mut self, at: usize, output: MemberOutput) {
        match output {
            MemberOutput::Send { to, message } => self.send(at, &to, &message),
            MemberOutput::Job { id, job } => {
                self.machines[at].jobs.push_back((id, job));
                if self.machines[at].jobs.len() > MAX_JOBS {
                    self.break_it(format!("vm{at} has more than {MAX_JOBS} jobs"));
                }
                self.begin_disk(at);
            }
            MemberOutput::Length { client, length, is_newest, .. } => {
                self.client_length(client, length, is_newest);
            }
            MemberOutput::Data { client, bytes } => self.client_data(at, client, &bytes),
            MemberOutput::Done { client, result } => self.client_done(client, result),
            MemberOutput::Fill { share, keeper, epoch } => {
                self.note(|| format!("vm{at} finds {keeper} whole in {epoch:?}"));
                let change = Change::Fill { share, keeper, epoch };
                self.machines[at].proposals.push(change);
            }
            MemberOutput::Lose { share, keeper, epoch } => {
                let change = Change::Lose { share, keeper, epoch };
                if !self.machines[at].proposals.contains(&change) {
                    self.note(|| format!("vm{at} finds that {change:?}"));
                    self.machines[at].proposals.push(change);
                }
            }
            MemberOutput::Note(note) => self.note(|| format!("vm{at} notes {note:?}")),
        }
    }

    fn begin_disk(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        if !machine.disk_runs && !machine.jobs.is_empty() {
            machine.disk_runs = true;
            let process = machine.process;
            let after = self.micros(20, 300);
            self.at(after, Happening::Disk { at, process });
        }
    }

    /// The thread of the disk does all that waits, with one sync.
    pub fn run_disk(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let Some(store) = machine.store.as_mut() else { return };
        let batch: BTreeMap<JobId, Job> = machine.jobs.drain(..).collect();
        let mut syncs = false;
        for (id, job) in &batch {
            store.take(*id, job.clone());
            syncs |= changes(job);
        }
        store.commit();
        let answers: Vec<_> = std::iter::from_fn(|| store.poll_done()).collect();
        if machine.disk.is_off() {
            batch.values().for_each(|job| machine.facts.open(job));
            return self.crash(at, true);
        }
        let mut dropped = Vec::new();
        let mut told = Vec::new();
        for (id, result) in &answers {
            let job = &batch[id];
            if self.traced && changes(job) {
                told.push(format!("vm{at} disk: {} {result:?}", short(job)));
            }
            machine.facts.answered(job, result);
            match (job, result) {
                (Job::Seal { id, .. }, Ok(_)) => drop(machine.ever_sealed.insert(*id)),
                (Job::Drop { id }, Ok(_)) => dropped.push(*id),
                _ => {}
            }
        }
        told.into_iter().for_each(|what| self.note(|| what));
        if answers.len() != batch.len() {
            return self.break_it(format!("vm{at}: {} of {} jobs", answers.len(), batch.len()));
        }
        self.learn_entries(batch.values());
        dropped.into_iter().for_each(|extent| self.check_kept(extent, "a copy was dropped"));
        let takes = match (syncs, self.rng.random_bool(self.network.slow)) {
            (false, _) => self.micros(30, 400),
            (true, false) => self.micros(300, 4_000),
            (true, true) => self.micros(10_000, 300_000),
        };
        let process = self.machines[at].process;
        self.at(takes, Happening::DiskDone { at, process, answers });
    }

    pub fn disk_done(&mut self, at: usize, answers: Vec<(JobId, Result<Done, Refused>)>) {
        self.machines[at].disk_runs = false;
        for (id, result) in answers {
            self.give(at, |member, now| member.handle_job(now, id, result));
        }
        self.tell_store(at);
        self.begin_disk(at);
    }

    /// What a daemon does each second.
    pub fn idle(&mut self, at: usize) {
        let process = self.machines[at].process;
        let pause = if self.is_long { 300_000 } else { 20_000 };
        let pause = if self.is_calm { ms(pause) } else { ms(1_000) };
        self.at(pause, Happening::Idle { at, process });
        let now_ms = self.now.as_millis() as u64;
        let machine = &mut self.machines[at];
        let Some(store) = machine.store.as_mut().filter(|_| !machine.disk_runs) else { return };
        store.idle_step(now_ms);
        if machine.disk.is_off() {
            return self.crash(at, true);
        }
        self.tell_store(at);
    }

    /// Tells a member how its store stands, if that has changed.
    pub fn tell_store(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let Some(store) = machine.store.as_mut() else { return };
        let bad = store.take_bad();
        let status = store.status();
        let told = (status.room, matches!(status.state, StoreState::Failed(_)));
        if told != machine.told || !bad.is_empty() {
            let has_failed = told.1 && !machine.told.1;
            machine.told = told;
            if has_failed {
                self.count_lost(at);
                self.check_all_kept("a disk failed");
            }
            self.give(at, |member, now| member.handle_store(now, told.0, bad));
        }
    }

    /// Shows a machine a view, if it may hear of it.
    pub fn show(&mut self, at: usize, epoch: Epoch) {
        let machine = &self.machines[at];
        if epoch <= machine.shown || epoch < machine.least {
            return;
        }
        let Some(view) = self.views.of(epoch).cloned() else { return };
        self.machines[at].shown = epoch;
        self.give(at, |member, now| member.handle_view(now, Arc::clone(&view)));
    }

    pub fn room_of(&self, at: usize) -> (Room, bool) {
        self.machines[at].told
    }
}

/// A job, without its bytes.
fn short(job: &Job) -> String {
    match job {
        Job::Append { first, entries, .. } => format!("append {first}, {} entries", entries.len()),
        Job::Promise { epoch, .. } => format!("promise {epoch:?}"),
        Job::Seal { id, facts, .. } => format!("seal {id:?} {:?}", facts.set),
        other => format!("{other:?}"),
    }
}

fn changes(job: &Job) -> bool {
    !matches!(
        job,
        Job::ReadLog { .. }
            | Job::ReadImage { .. }
            | Job::ReadPieces { .. }
            | Job::Read { .. }
            | Job::Head { .. }
            | Job::List { .. }
            | Job::Piece { .. }
            | Job::ImagePiece { .. }
            | Job::DropPieces { .. }
    )
}

/// Reads all that a store has.
fn survey(store: &mut Store<SimDisk>) -> Result<OnStore, String> {
    let mut run = |job: Job| {
        store.take(JobId(0), job);
        store.poll_done().map(|(_, result)| result)
    };
    let listed = match run(Job::List { with: None, after: None, limit: usize::MAX }) {
        Some(Ok(Done::Extents(listed))) => listed,
        other => return Err(format!("a list gave {other:?}")),
    };
    let mut extents = BTreeMap::new();
    for one in listed {
        if let Some(Ok(Done::Head(head))) = run(Job::Head { id: one.id }) {
            extents.insert(one.id, (head.length, head.root));
        }
    }
    let mut entries: BTreeMap<_, Vec<Entry>> = BTreeMap::new();
    let shares = store.shares();
    for standing in &shares {
        let mut from = standing.first;
        while from < standing.end {
            let job = Job::ReadLog { share: standing.share.clone(), from, max_bytes: 1 << 20 };
            store.take(JobId(0), job);
            let Some((_, Ok(Done::Entries { entries: read, .. }))) = store.poll_done() else {
                return Err(format!("entry {from} of {} cannot be read", standing.share));
            };
            from += read.len() as u64;
            let read = read.iter().filter_map(|bytes| Entry::decode(bytes));
            entries.entry(standing.share.clone()).or_default().extend(read);
        }
    }
    Ok(OnStore { shares, extents, entries })
}

/// The machines of names.
pub fn indices<'a>(names: impl IntoIterator<Item = &'a memberd_files::Name>) -> Vec<usize> {
    names.into_iter().map(index).collect()
}
