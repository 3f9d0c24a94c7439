//! One run: lines and faults, quiet, and the end, where the sink is compared with all lines.

use super::setup::Setup;
use super::sim::{Happening, World};
use memberd_jobs::{JobFile, Mutant};
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
    pub late: u64,
    pub lost: u64,
    pub opened: u64,
    pub deposed: u64,
    pub terms: u64,
    pub events: u64,
    /// Sums that were too large for a delta, and answers to hellos that were not all.
    pub large: u64,
    pub pages: u64,
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
        }
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
        assert!(self.late > runs && self.lost > 0, "nothing was too late or lost: {self:?}");
        assert!(4 * self.deposed > runs, "hardly any zombies: {self:?}");
        assert!(self.large > runs, "hardly any range was cut anew: {self:?}");
        assert!(self.pages > runs, "hardly any answer in parts: {self:?}");
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
    setup.cancel_us = None;
    let mut world = World::new(setup);
    world.draw_faults(15 * SECOND_US);
    world.run(15 * SECOND_US);
    world.settle();
    world
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
        let event_ms = (spec.lateness_ms + spec.every_ms + most - least) as u64;
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
            if shadow.is_open_before(until) {
                return Some(format!("{partition:?} is at {}, not {until}", shadow.watermark));
            }
        }
        let sink = self.oracle.job.and_then(|job| self.store.files.get(&JobFile::Sink(job)));
        if !self.oracle.has_all_rows() || sink.is_none_or(|sink| sink.bytes != self.oracle.text) {
            return Some("rows are not in the sink".to_owned());
        }
        None
    }

    /// The last revision of each row is the fold of all lines, but for those that are told as late
    /// or lost. This looks at the sink as `cat` shows it.
    fn expect_exact(&mut self) {
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
            return self.break_it("the sink is not what was counted");
        }
        self.expect_all_lines();
    }

    /// Every line below a cursor is in a row or in an open window, or was told as late or lost.
    fn expect_all_lines(&mut self) {
        for (partition, shadow) in &self.oracle.shadows {
            let (counted, held) = (shadow.counted(&self.machines), shadow.held() + shadow.late);
            if counted != held {
                let what = format!("{counted} lines of {partition:?}, and {held} are told");
                return self.break_it(what);
            }
        }
    }
}
