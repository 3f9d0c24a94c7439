//! Engines of three members with a file system in memory: a job, its rows, and its leaders.

mod lost;

use super::*;
use crate::jobs::group::Lead;
use crate::jobs::sums::{LIMITS, by_partition};
use memberd_jobs::{
    At, CommandError, Condition, FileKey, From, Incarnation, MemberState, OnFailed, SeenFile,
    StoreOperation as Operation,
};
use memberd_membership::VersionedTags;
use memberd_streams::{Fold, LineTime, Plan, Query};

const BEGIN_MS: i64 = 1_764_500_000_000;

/// A file of the file system.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    version: u64,
    token: u64,
}

/// The file system.
#[derive(Default)]
struct Store {
    files: BTreeMap<JobFile, Kept>,
    /// Whether the place of a new job's rows has bytes.
    has_rows: bool,
    /// Whether it answers nothing but about the table.
    is_silent: bool,
}

impl Store {
    fn ask(&mut self, file: JobFile, operation: Operation) -> StoreAnswer {
        if self.is_silent && file != JobFile::Table {
            return StoreAnswer::Unavailable;
        }
        if let Operation::Create { .. } = operation {
            if self.has_rows && matches!(file, JobFile::Sink(_)) {
                return StoreAnswer::Changed(At { version: 1, length: 1 });
            }
            self.files.entry(file).or_default();
        }
        let Some(kept) = self.files.get_mut(&file) else { return StoreAnswer::Absent };
        let at = |kept: &Kept| At { version: kept.version, length: kept.bytes.len() as u64 };
        let (token, only, bytes, is_append) = match operation {
            Operation::Create { .. } => return StoreAnswer::Done(at(kept)),
            Operation::Read { from } => {
                return StoreAnswer::Bytes(
                    at(kept),
                    kept.bytes[usize::try_from(from).unwrap()..].to_vec(),
                );
            }
            Operation::Fence { token } if token < kept.token => {
                return StoreAnswer::Fenced(kept.token);
            }
            Operation::Fence { token } => {
                kept.token = token;
                return StoreAnswer::Done(at(kept));
            }
            Operation::Append { token, only, bytes } => (token, only, bytes, true),
            Operation::Replace { token, only, bytes } => (token, only, bytes, false),
        };
        let holds = match only {
            Condition::Version(version) => kept.version == version,
            Condition::Length(length) => kept.bytes.len() as u64 == length,
            Condition::Always => true,
        };
        match (token < kept.token, holds) {
            (true, _) => StoreAnswer::Fenced(kept.token),
            (_, false) => StoreAnswer::Changed(at(kept)),
            _ => {
                if !is_append {
                    kept.bytes.clear();
                }
                kept.bytes.extend(bytes);
                (kept.version, kept.token) = (kept.version + 1, token);
                StoreAnswer::Done(at(kept))
            }
        }
    }
}

/// The time of a line is its first word.
struct FirstWord;

impl LineTime for FirstWord {
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64> {
        std::str::from_utf8(line.split(|byte| *byte == b' ').next()?).ok()?.parse().ok()
    }
}

/// The fleet. Each member has one log.
struct Fleet {
    engines: Vec<Engine>,
    logs: Vec<String>,
    store: Store,
    /// Whether there was a table once.
    was_there: bool,
    boot_ms: u64,
    group: Group,
}

fn name(number: usize) -> Name {
    Name::new(&format!("vm{number}")).unwrap()
}

fn spec(job: &str) -> JobSpec {
    JobSpec {
        name: job.to_owned(),
        query: "| logfmt | count by status every 10s".to_owned(),
        partitions: 4,
        every_ms: 10_000,
        over_ms: None,
        lateness_ms: 1_000,
        retain_ms: 60_000,
        commit_ms: 200,
        on_failed: OnFailed::Exclude,
        copies: 1,
        files: vec!["/a.log".to_owned()],
        from: From::Beginning,
        tags: Vec::new(),
        sink: format!("/streams/{job}.tsv"),
        limits: memberd_jobs::JobLimits::default(),
    }
}

impl Fleet {
    fn new(count: usize) -> Fleet {
        let settings = Arc::new(Settings::default());
        let engines = (0..count).map(|number| Engine::new(name(number), Arc::clone(&settings)));
        let member = |number| MemberId { name: name(number), incarnation: Incarnation(1) };
        let state = |number| MemberState {
            member: member(number),
            is_alive: true,
            has_jobs: true,
            tags: VersionedTags::default(),
        };
        Fleet {
            engines: engines.collect(),
            logs: vec![String::new(); count],
            store: Store::default(),
            was_there: false,
            boot_ms: 5_000,
            group: Group { own: None, members: (0..count).map(state).collect(), lead: None },
        }
    }

    fn now(&self) -> Now {
        let boot_ms = self.boot_ms;
        Now { boot_ms, wall_ms: BEGIN_MS + i64::try_from(boot_ms).unwrap() }
    }

    /// Everybody hears that this member leads.
    fn lead(&mut self, term: u32, number: usize) {
        let now = self.now();
        for (at, engine) in self.engines.iter_mut().enumerate() {
            let lead = Some(Lead { term, name: name(number), is_sure: at == number });
            let own = Some(self.group.members[at].member.clone());
            let group = Group { own, lead, ..self.group.clone() };
            engine.handle_group(now, &group);
        }
    }

    fn change(&mut self, at: usize, change: Change) -> Result<Changed, ChangeError> {
        let (reply, mut answer) = oneshot::channel();
        let now = self.now();
        self.engines[at].change(now, change, reply);
        for _ in 0..5_000 {
            if let Ok(answer) = answer.try_recv() {
                return answer;
            }
            self.step();
        }
        panic!("nobody answers");
    }

    /// Does all there is to do, and then lets a little time pass.
    fn step(&mut self) {
        let now = self.now();
        for at in 0..self.engines.len() {
            if self.engines[at].due_ms() <= self.boot_ms {
                self.engines[at].handle_timeout(now);
            }
            while let Some(work) = self.engines[at].poll_work() {
                self.carry_out(at, work);
            }
        }
        self.boot_ms += 10;
    }

    fn carry_out(&mut self, at: usize, work: Work) {
        let now = self.now();
        match work {
            Work::Send(to, message) => {
                let to: usize = to.as_str()[2..].parse().unwrap();
                self.engines[to].handle_message(now, &name(at), message);
            }
            Work::Store(ask) => {
                let answer = self.store.ask(ask.file, ask.operation);
                self.engines[at].handle_store(now, (ask.id, ask.file), answer);
            }
            Work::Look(job, _) => {
                let end = self.logs[at].len() as u64;
                let key = FileKey(at as u128 + 1);
                let (first, lost_below, is_finished) = (0, 0, false);
                let seen = SeenFile { key, first, lost_below, end, is_finished };
                let look = Look { began_ms: now.wall_ms, files: vec![seen], former: Vec::new() };
                self.engines[at].handle_look(now, job, &look);
            }
            Work::Fold(ask, spec) => {
                let fold = |range: &memberd_jobs::FoldRange| {
                    let [from, to] = [range.from, range.to].map(|at| usize::try_from(at).unwrap());
                    fold(&self.logs[at][from..to], range, &spec)
                };
                let folded: Vec<_> = ask.ranges.iter().map(fold).collect();
                self.engines[at].handle_folded(now, (ask.job, ask.number), &folded);
            }
            Work::FindTable => {
                if self.store.files.contains_key(&JobFile::Table) {
                    self.engines[at].handle_table_there(now);
                } else if self.was_there {
                    self.engines[at].handle_table_lost(now);
                }
            }
            Work::RestoreTable(table) => {
                let bytes = memberd_jobs::table_bytes(&table.unwrap());
                self.store.files.insert(JobFile::Table, Kept { bytes, ..Kept::default() });
                self.engines[at].handle_table_there(now);
            }
            Work::Remove(job) => self.engines[at].handle_removed(now, job),
            Work::TableRead(..) | Work::Note(_) => {}
        }
    }

    /// Writes a line that is stamped now.
    fn write(&mut self, at: usize, status: usize) {
        use std::fmt::Write as _;
        let stamp = self.now().wall_ms;
        writeln!(self.logs[at], "{stamp} status={status}").unwrap();
    }

    /// What people read of a job.
    fn text(&self, job: JobId) -> String {
        String::from_utf8(self.store.files[&JobFile::Sink(job)].bytes.clone()).unwrap()
    }

    /// The rows of a sink: status and count.
    fn rows(&self, job: JobId) -> BTreeMap<String, u64> {
        let text = self.text(job);
        let mut sums = BTreeMap::new();
        for line in text.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            if line.starts_with('#') {
                continue;
            }
            assert_eq!((columns.len(), columns[4]), (5, "0"), "revisions: {line}");
            *sums.entry(columns[2].to_owned()).or_default() += columns[3].parse::<u64>().unwrap();
        }
        sums
    }
}

fn fold(text: &str, range: &memberd_jobs::FoldRange, spec: &JobSpec) -> Option<Folded> {
    let plan = Arc::new(Plan::new(&Query::parse(&spec.query).unwrap()).unwrap());
    let mut fold = Fold::new(plan, "vm", LIMITS);
    let mut newest = None;
    for line in text.lines() {
        fold.line(line.as_bytes(), &mut FirstWord).unwrap();
        newest = newest.max(FirstWord.milliseconds(line.as_bytes()));
    }
    let partials: Vec<Vec<u8>> = fold.into_partials().collect();
    let sums = sums_of(spec).unwrap();
    let parts = by_partition(&sums, spec, &range.partitions, &partials).unwrap();
    Some(Folded { to: range.to, newest, uncounted: 0, parts })
}

/// Every member has lines, the leader changes in between, and each line is in one row.
#[test]
fn a_job_counts_each_line_once() {
    let mut fleet = Fleet::new(3);
    fleet.store.ask(JobFile::Table, Operation::Create { copies: 1 });
    fleet.lead(1, 0);
    (0..50).for_each(|_| fleet.step());
    let Changed { job } = fleet.change(0, Change::Start(spec("shop"))).unwrap();
    let mut written = BTreeMap::new();
    for number in 0..600_usize {
        if number == 200 {
            fleet.lead(2, 1);
        }
        let status = 200 + number % 7;
        fleet.write(number % 3, status);
        *written.entry(status.to_string()).or_default() += 1;
        (0..10).for_each(|_| fleet.step());
    }
    for _ in 0..3_000 {
        fleet.step();
    }
    assert_eq!(fleet.rows(job), written);
    assert_eq!(fleet.engines[2].table().newest.term, 1, "no stage had to move");
    assert!(fleet.engines[1].leads() && !fleet.engines[0].leads());
}

#[test]
fn a_change_is_answered_by_the_table() {
    let mut fleet = Fleet::new(3);
    fleet.lead(1, 0);
    let start = || Change::Start(spec("shop"));
    assert_eq!(fleet.change(1, start()), Err(ChangeError::NotLeader));
    fleet.step();
    assert_eq!(fleet.change(0, start()), Err(ChangeError::NoTable), "nobody made it");
    fleet.store.ask(JobFile::Table, Operation::Create { copies: 1 });
    let now = fleet.now();
    fleet.engines[0].handle_table_there(now);
    (0..50).for_each(|_| fleet.step());
    let started = fleet.change(0, start()).unwrap();
    let taken = ChangeError::Refused(CommandError::NameTaken);
    assert_eq!(fleet.change(0, start()), Err(taken));
    let absent = Change::Cancel("other".to_owned());
    assert_eq!(fleet.change(0, absent), Err(ChangeError::NoJob("other".to_owned())));
    let forget = Change::Forget("shop".to_owned(), name(2));
    assert_eq!(fleet.change(0, forget), Ok(started));
    assert_eq!(fleet.change(0, Change::Cancel("shop".to_owned())), Ok(started));
    assert!(!fleet.engines[1].reads(started.job));
    // It ends, and then its name is free.
    (0..1_000).for_each(|_| fleet.step());
    assert!(fleet.engines[2].table().jobs[&started.job].is_finished);
    assert!(fleet.text(started.job).ends_with(
        "# cancelled 0
"
    ));
    (0..KEEP_MS / 10).for_each(|_| fleet.step());
    assert!(fleet.engines[2].table().jobs.is_empty());
    // Who is given up ends at once.
    let hanging = fleet.change(0, start()).unwrap();
    fleet.store.is_silent = true;
    assert_eq!(fleet.change(0, Change::Cancel("shop".to_owned())), Ok(hanging));
    (0..6_500).for_each(|_| fleet.step());
    assert_eq!(fleet.change(0, Change::Cancel("shop".to_owned())), Ok(hanging));
    assert!(!fleet.engines[0].table().jobs[&hanging.job].is_finished, "however often");
    assert_eq!(fleet.change(0, Change::Abandon("shop".to_owned())), Ok(hanging));
    assert!(fleet.engines[0].table().jobs[&hanging.job].is_finished);
    fleet.store.is_silent = false;
    (0..KEEP_MS / 10 + 100).for_each(|_| fleet.step());

    fleet.store.has_rows = true;
    let taken = ChangeError::SinkTaken("/streams/shop.tsv".to_owned());
    assert_eq!(fleet.change(0, start()), Err(taken), "rows of another job are there");
    fleet.store.has_rows = false;
    assert!(fleet.change(0, start()).is_ok());
}

/// A process that was started anew has the view of its last one, and is no leader by that.
#[test]
fn only_who_is_sure_leads() {
    let mut fleet = Fleet::new(1);
    let unsure = Lead { term: 3, name: name(0), is_sure: false };
    let own = Some(fleet.group.members[0].member.clone());
    let mut group = Group { own, lead: Some(unsure), ..fleet.group.clone() };
    let now = fleet.now();
    fleet.engines[0].handle_group(now, &group);
    assert!(!fleet.engines[0].leads());
    for (is_sure, term) in [(true, 3), (false, 3), (true, 4)] {
        group.lead = Some(Lead { term, name: name(0), is_sure });
        fleet.engines[0].handle_group(now, &group);
        assert!(fleet.engines[0].leads());
    }
}

/// Else one member could end the jobs of all.
#[test]
fn only_the_leader_tells_the_table() {
    let mut fleet = Fleet::new(3);
    fleet.lead(1, 0);
    fleet.store.files.entry(JobFile::Table).or_default();
    let (now, version) = (fleet.now(), u64::MAX);
    let told = || Message::Table(Arc::new(Table { version, ..Table::default() }));
    fleet.engines[1].handle_message(now, &name(2), told());
    fleet.engines[1].handle_message(now, &name(2), Message::Beat { term: 9, version });
    assert_eq!(fleet.engines[1].table().version, 0);
    assert!(fleet.engines[1].poll_work().is_none());
    fleet.engines[1].handle_message(now, &name(0), told());
    assert_eq!(fleet.engines[1].table().version, version);
}
