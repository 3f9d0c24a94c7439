//! One run: lines and faults, quiet, and the end, where the sink is compared with all lines.

use super::faults::Fault;
use super::setup::Setup;
use super::sim::{Happening, World};
use super::sums::{Groups, Order};
use memberd_jobs::{JobFile, JobId, JobStatus, Lag, Mutant};
use rand::RngExt;
use std::collections::BTreeMap;

pub const SECOND_US: u64 = 1_000_000;

/// What the runs did, so that nobody takes runs without any work for sound ones.
#[derive(Debug, Default)]
pub struct Total {
    pub runs: u64,
    pub lines: u64,
    pub records: u64,
    pub images: u64,
    pub rows: u64,
    pub revisions: u64,
    /// Windows with a list in the sink, and revisions of these.
    pub lists: u64,
    pub list_revisions: u64,
    pub late: u64,
    pub lost: u64,
    pub opened: u64,
    pub deposed: u64,
    pub terms: u64,
    pub events: u64,
    /// Sums that were too large for a delta, and answers to hellos that were not all.
    pub large: u64,
    pub pages: u64,
    /// Cursors that were dropped.
    pub drops: u64,
    /// The longest time from the end of faults until all was in the sink, in milliseconds.
    pub settled_ms: u64,
}

impl Total {
    pub fn add(&mut self, world: &World, settled_ms: u64) {
        self.runs += 1;
        self.lines += world.lines;
        self.records += world.oracle.records;
        self.images += world.oracle.images;
        for shadow in world.oracle.shadows.values() {
            self.rows += shadow.rows.len() as u64;
            self.revisions += shadow.revisions;
            self.late += shadow.late;
            self.lost += shadow.lost;
            self.drops += shadow.drops;
        }
        self.lists += world.oracle.listing.windows() as u64;
        self.list_revisions += world.oracle.listing.revisions;
        let noted = |kind| world.notes.get(kind).copied().unwrap_or(0);
        self.opened += noted("opened");
        self.deposed += noted("deposed");
        self.large += noted("large sums");
        self.pages += noted("pages");
        self.terms += u64::from(world.term);
        self.events += world.events;
        self.settled_ms = self.settled_ms.max(settled_ms);
    }

    pub fn expect_work(&self) {
        let runs = self.runs;
        if runs < 20 {
            return;
        }
        assert!(self.lines > 300 * runs, "hardly any lines: {self:?}");
        assert!(self.rows > 200 * runs, "hardly any rows: {self:?}");
        assert!(self.revisions > 5 * runs, "hardly any late lines: {self:?}");
        assert!(self.lists > runs && 2 * self.list_revisions > runs, "hardly any lists: {self:?}");
        assert!(self.late > runs && self.lost > 0, "nothing was too late or lost: {self:?}");
        assert!(4 * self.deposed > runs, "hardly any zombies: {self:?}");
        assert!(self.large > runs, "hardly any range was cut anew: {self:?}");
        assert!(self.pages > runs, "hardly any answer in parts: {self:?}");
        assert!(self.drops > runs, "hardly any cursor was dropped: {self:?}");
        assert!(self.images > runs, "hardly any images: {self:?}");
    }
}

/// A drawn run. How long it took to settle, in milliseconds.
pub fn story(seed: u64, mutant: Option<Mutant>) -> (World, u64) {
    let mut world = World::new(Setup::draw(seed).with(mutant));
    let settled_ms = run(&mut world, 15 * SECOND_US);
    (world, settled_ms)
}

/// A drawn run of a job whose windows soon have more groups than they may have.
pub fn with_limits(seed: u64, mutant: Option<Mutant>) -> World {
    let mut setup = Setup::draw(seed).with(mutant);
    "limited".clone_into(&mut setup.spec.query);
    until_it_stops(setup)
}

/// A drawn run of a job that lists the first rows of windows.
pub fn with_lists(seed: u64, mutant: Option<Mutant>) -> World {
    let mut setup = Setup::draw(seed).with(mutant);
    "top".clone_into(&mut setup.spec.query);
    let mut world = World::new(setup);
    run(&mut world, 15 * SECOND_US);
    world
}

/// The same, whose lists have less memory than they need.
pub fn with_little_memory(seed: u64) -> World {
    let mut setup = Setup::draw(seed);
    "top".clone_into(&mut setup.spec.query);
    setup.settings.lists_bytes = 800;
    setup.spec.retain_ms = 40_000;
    until_it_stops(setup)
}

/// A run of a job that stops by itself, and that nobody cancels.
fn until_it_stops(setup: Setup) -> World {
    let mut world = World::new(Setup { cancel_us: None, ..setup });
    world.draw_faults(15 * SECOND_US);
    world.run(15 * SECOND_US);
    world.settle();
    world
}

/// A run of `seconds` in which each machine rotates its files five times a second, and processes
/// are killed. The most cursors of a partition whose files are gone, in the second half of it.
pub fn with_rotation(seed: u64, mutant: Option<Mutant>, seconds: u64) -> (World, usize) {
    let mut setup = Setup::draw(seed).with(mutant);
    (setup.rotate_us, setup.cancel_us) = (Some(200_000), None);
    (setup.losses, setup.refusals, setup.loses_bytes, setup.has_future) = (0., 0., false, false);
    (setup.spec.retain_ms, setup.spec.lateness_ms, setup.spec.every_ms) = (1_000, 200, 500);
    setup.spec.over_ms = setup.spec.over_ms.map(|_| 1_500);
    let mut world = World::new(setup);
    let mut most = 0;
    for second in 0..seconds {
        if second % 4 == 3 {
            let machine = world.rng.random_range(0..world.machines.len());
            world.fault(Fault::Kill(machine));
        }
        world.run(SECOND_US);
        if second >= seconds / 2 {
            let gone = world.oracle.shadows.values().map(|shadow| shadow.gone(&world.machines));
            most = gone.max().unwrap_or(0).max(most);
        }
    }
    end(&mut world);
    (world, most)
}

/// A drawn run that sums floating point.
pub fn with_floats(seed: u64) -> World {
    let mut setup = Setup::draw(seed);
    "floats".clone_into(&mut setup.spec.query);
    let mut world = World::new(setup);
    run(&mut world, 15 * SECOND_US);
    world
}

pub fn run(world: &mut World, faults_us: u64) -> u64 {
    world.draw_faults(faults_us);
    world.run(faults_us);
    end(world)
}

/// Quiet, and the comparison. How long it took to settle, in milliseconds.
pub fn end(world: &mut World) -> u64 {
    let settled_ms = world.settle();
    if world.broken.is_none() {
        world.expect_exact();
        world.cancel();
    }
    settled_ms
}

impl World {
    /// Faults end, and no line is written any more: all comes into the sink.
    pub fn settle(&mut self) -> u64 {
        if self.broken.is_some() {
            return 0;
        }
        self.is_calm = true;
        self.crash_at = None;
        self.cut.clear();
        for i in 0..self.machines.len() {
            self.machines[i].stopped_until = self.machines[i].stopped_until.min(self.now_us);
            if self.machines[i].worker.is_none() {
                self.machines[i].incarnation += 1;
                self.start(i);
            }
            let wait = self.rng.random_range(0..500_000);
            self.at(wait, Happening::Known { machine: i, is_alive: true });
        }
        // Some lines in quiet, then none.
        self.run(2 * SECOND_US);
        self.writes = false;
        let begin = self.now_us;
        let spec = &self.setup.spec;
        let skews = || self.machines.iter().map(|machine| machine.skew_ms);
        let (least, most) = (skews().min().unwrap_or(0), skews().max().unwrap_or(0));
        let until = super::sim::BEGIN_MS + (self.now_us / 1_000) as i64 + most;
        let event_ms = (spec.lateness_ms + spec.times().over_ms + most - least) as u64;
        let bound = begin + 10 * SECOND_US + event_ms * 1_000;
        while self.broken.is_none()
            && let Some(unrest) = self.unrest(until)
        {
            if self.now_us > bound {
                self.break_it(format!("liveness: {unrest}"));
            }
            self.run(100_000);
        }
        (self.now_us - begin) / 1_000
    }

    /// The job is cancelled, and its sink gets its last line. All windows have rows then.
    fn cancel(&mut self) {
        self.cancels = true;
        let bound = self.now_us + 5 * SECOND_US;
        while self.broken.is_none() && !self.has_ended() {
            if self.now_us > bound {
                self.break_it("liveness: the job does not end");
            }
            self.run(100_000);
        }
        if self.broken.is_none() {
            self.expect_exact();
        }
    }

    /// Whether the job has ended, and the sink has all that is due.
    pub fn has_ended(&self) -> bool {
        let sink = self.oracle.job.and_then(|job| self.store.files.get(&JobFile::Sink(job)));
        self.oracle.is_finished && sink.is_some_and(|sink| sink.bytes == self.oracle.text)
    }

    /// What is still to come. `until` is the farthest clock when the last line was written.
    fn unrest(&self, until: i64) -> Option<String> {
        if self.oracle.is_cancelled || self.oracle.stopped.is_some() {
            return (!self.has_ended()).then(|| "the job does not end".to_owned());
        }
        for (i, machine) in self.machines.iter().enumerate() {
            let mut files = machine.files.iter();
            if let Some(file) = files.find(|file| !self.oracle.is_counted(i, file)) {
                return Some(format!("vm{i} {:?} is not counted up to {}", file.key, file.end()));
            }
        }
        for (partition, shadow) in &self.oracle.shadows {
            if let Some(id) = shadow.leftover(&self.machines) {
                return Some(format!("I9: {partition:?} has a cursor of {id:?}, which is gone"));
            }
            if shadow.is_open_before(until) {
                return Some(format!("{partition:?} is at {}, not {until}", shadow.watermark));
            }
        }
        let sink = self.oracle.job.and_then(|job| self.store.files.get(&JobFile::Sink(job)));
        if !self.oracle.has_all_rows() || sink.is_none_or(|sink| sink.bytes != self.oracle.text) {
            return Some("rows are not in the sink".to_owned());
        }
        let counting = self.oracle.counting();
        let over_ms = self.setup.spec.times().over_ms;
        let missing = self.oracle.listing.unrest(until, over_ms, counting);
        if let Some(at) = missing {
            return Some(format!("the list of {at} is not in the sink"));
        }
        None
    }

    /// The last revision of each row is the fold of all lines, but for those that are told as late
    /// or lost. This looks at the sink as `cat` shows it.
    fn expect_exact(&mut self) {
        if self.oracle.counting().order == Order::Nothing {
            self.expect_rows();
        } else {
            self.expect_lists();
        }
        if self.broken.is_none() {
            self.expect_all_lines();
            self.expect_status();
        }
    }

    /// The rows of a window with the largest revision are its first rows, of all partitions.
    fn expect_lists(&mut self) {
        let sink = self.oracle.job.and_then(|job| self.store.files.get(&JobFile::Sink(job)));
        let text = sink.map(|sink| String::from_utf8(sink.bytes.clone()).unwrap());
        let mut last: BTreeMap<String, (u32, Vec<String>)> = BTreeMap::new();
        for line in text.iter().flat_map(|text| text.lines()) {
            let columns: Vec<&str> = line.split('\t').collect();
            if line.starts_with("# ") || columns[1] == "gap" {
                continue;
            }
            let (window, revision) = (columns[1].to_owned(), columns[5].parse().unwrap());
            let known = last.entry(window).or_default();
            if known.0 < revision {
                *known = (revision, Vec::new());
            }
            known.1.push(columns[2..5].join("\t"));
        }
        let mut windows: BTreeMap<i64, Groups> = BTreeMap::new();
        for shadow in self.oracle.shadows.values() {
            for ((window, key), group) in &shadow.last {
                let key: u8 = String::from_utf8_lossy(&key[1..]).parse().unwrap();
                windows.entry(*window).or_default().insert(key, *group);
            }
        }
        let closed = self.oracle.listing.closed(self.setup.spec.partitions);
        windows.retain(|at, _| *at + self.setup.spec.times().over_ms <= closed);
        let counting = self.oracle.counting();
        let row = |(at, groups): (&i64, &Groups)| {
            (memberd_streams::time_text(*at), super::listing::rows(groups, counting))
        };
        let expected: BTreeMap<_, _> = windows.iter().map(row).collect();
        let last: BTreeMap<_, _> = last.into_iter().map(|(at, (_, rows))| (at, rows)).collect();
        if last != expected {
            self.break_it("the sink does not have the first rows of each window");
        }
    }

    fn expect_rows(&mut self) {
        let sink = self.oracle.job.and_then(|job| self.store.files.get(&JobFile::Sink(job)));
        let text = sink.map(|sink| sink.bytes.clone()).unwrap_or_default();
        let counting = self.oracle.counting();
        let mut last: BTreeMap<(String, String), String> = BTreeMap::new();
        for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = String::from_utf8(line.to_vec()).unwrap();
            if line.starts_with("# ") {
                continue;
            }
            let columns: Vec<&str> = line.trim_end().split('\t').collect();
            if columns[0] != number.to_string() {
                return self.break_it(format!("I4: row {number} is {line:?}"));
            }
            if columns[1] != "gap" {
                let key = (columns[1].to_owned(), columns[2].to_owned());
                last.insert(key, format!("{}\t{}", columns[3], columns[4]));
            }
        }
        let mut expected: BTreeMap<(String, String), String> = BTreeMap::new();
        for shadow in self.oracle.shadows.values() {
            for ((window, key), group) in &shadow.last {
                let number: u8 = String::from_utf8_lossy(&key[1..]).parse().unwrap();
                let values = counting.row(number, *group).values;
                let window = memberd_streams::time_text(*window);
                let key = String::from_utf8(key.clone()).unwrap();
                expected.insert((window, key), String::from_utf8(values).unwrap());
            }
        }
        if last != expected {
            self.break_it("the sink is not what was counted");
        }
    }

    /// Whether a source waits for an acknowledgement, or a partition moves.
    fn is_busy(&self, job: JobId) -> bool {
        let status = |i: usize| {
            let worker = self.machines[i].worker.as_ref()?;
            worker.status(self.clocks(i), job)
        };
        let all: Vec<JobStatus> = (0..self.machines.len()).filter_map(status).collect();
        let owners = all.iter().flat_map(|status| &status.partitions).filter(|one| one.is_open);
        let missing = owners.count() < usize::from(self.setup.spec.partitions);
        let lags = all.iter().any(|status| status.lag != Some(Lag::default()));
        lags || (missing && !self.oracle.is_finished)
    }

    /// What owners and sources say of themselves is so.
    fn expect_status(&mut self) {
        let (Some(job), is_over) = (self.oracle.job, self.oracle.is_finished) else { return };
        // The last acknowledgement may be on its way, and a stage to its new owner.
        let bound = self.now_us + 5 * SECOND_US;
        while self.now_us < bound && self.broken.is_none() && self.is_busy(job) {
            self.run(100_000);
        }
        let mut owners = 0;
        for i in 0..self.machines.len() {
            let now = self.clocks(i);
            let worker = self.machines[i].worker.as_ref();
            let Some(status) = worker.and_then(|worker| worker.status(now, job)) else { continue };
            if status.lag != Some(Lag::default()) {
                return self.break_it(format!("status: vm{i} says {:?}", status.lag));
            }
            for status in status.partitions.iter().filter(|status| status.is_open) {
                owners += 1;
                let judged = self.oracle.shadows[&status.partition].is_said(status);
                self.judge(judged);
            }
        }
        if owners < self.setup.spec.partitions && !is_over {
            self.break_it(format!("status: {owners} owners"));
        }
    }

    /// Every line below a cursor is in a row or in an open window, or was told as late or lost.
    fn expect_all_lines(&mut self) {
        for (partition, shadow) in &self.oracle.shadows {
            let counted = shadow.counted(&self.machines);
            let held = shadow.held() + shadow.missing;
            if counted != held {
                let what = format!("{counted} lines of {partition:?}, and {held} are told");
                return self.break_it(what);
            }
        }
    }
}
