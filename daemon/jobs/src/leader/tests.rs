//! Tests of the leader: what moves, when, and what is told only after it is durable.

mod parts;
mod starts;

use super::*;
use crate::ids::Partition;
use crate::store::{At, StoreOperation};
use crate::table::{Assignment, From, Job, JobSpec, MAX_JOBS, OnFailed, SourceState, SpecError};
use memberd_membership::{Incarnation, VersionedTags};

fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

fn members(up: &[usize], down: &[usize]) -> Vec<MemberState> {
    let state = |(i, is_alive): (usize, bool)| MemberState {
        member: MemberId { name: name(i), incarnation: Incarnation(1) },
        is_alive,
        has_jobs: true,
        tags: VersionedTags::default(),
    };
    let up = up.iter().map(|i| (*i, true));
    up.chain(down.iter().map(|i| (*i, false))).map(state).collect()
}

/// The spec of another job, with a sink of its own.
fn other(name: &str) -> JobSpec {
    JobSpec { name: name.to_owned(), sink: format!("/streams/{name}.tsv"), ..spec() }
}

fn spec() -> JobSpec {
    JobSpec {
        name: "shop".to_owned(),
        query: String::new(),
        partitions: 16,
        every_ms: 10_000,
        over_ms: None,
        lateness_ms: 5_000,
        retain_ms: 60_000,
        commit_ms: 1_000,
        on_failed: OnFailed::Exclude,
        copies: 5,
        files: vec!["/var/log/shop/*.log".to_owned()],
        from: From::Now,
        tags: Vec::new(),
        sink: "/streams/shop.tsv".to_owned(),
        limits: crate::table::JobLimits::default(),
    }
}

/// A leader, and the table's file.
struct Pair {
    leader: Leader,
    at: At,
    bytes: Vec<u8>,
    now: Now,
    told: Vec<Message>,
    noted: Vec<Note>,
    /// Whether no file of a job can be made.
    refuses_files: bool,
}

impl Pair {
    fn new() -> Pair {
        let leader = Leader::new(Arc::new(Settings::default()), 3, Now::default());
        let now = Now { boot_ms: 1, wall_ms: 0 };
        let mut pair = Pair {
            leader,
            at: At::default(),
            bytes: Vec::new(),
            now,
            told: Vec::new(),
            noted: Vec::new(),
            refuses_files: false,
        };
        pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1, 2, 3], &[]), out));
        pair.give(|leader, now, out| {
            leader.command(now, Command::Start(spec()), out).unwrap();
        });
        pair
    }

    /// Gives an input, and answers whatever the file is asked.
    fn give(&mut self, input: impl FnOnce(&mut Leader, Now, &mut VecDeque<Output>)) {
        let mut out = VecDeque::new();
        input(&mut self.leader, self.now, &mut out);
        while let Some(output) = out.pop_front() {
            match output {
                Output::Send(_, message) => self.told.push(message),
                Output::Store(ask) => {
                    let answer = self.stored(&ask);
                    let about = (ask.id, ask.file);
                    self.leader.handle_store(self.now, about, answer, &mut out);
                }
                Output::Note(note) => self.noted.push(note),
                Output::Fold(_) => {}
            }
        }
    }

    fn stored(&mut self, ask: &StoreAsk) -> StoreAnswer {
        match &ask.operation {
            StoreOperation::Create { .. } if self.refuses_files => StoreAnswer::Unavailable,
            StoreOperation::Read { .. } => StoreAnswer::Bytes(self.at, self.bytes.clone()),
            StoreOperation::Replace { bytes, .. } => {
                self.bytes.clone_from(bytes);
                self.at.version += 1;
                StoreAnswer::Done(self.at)
            }
            _ => StoreAnswer::Done(self.at),
        }
    }

    fn job(&self) -> (JobId, Job) {
        let table = read_table(&self.bytes).unwrap();
        let (id, job) = table.jobs.first_key_value().unwrap();
        (*id, job.clone())
    }

    fn moved(&self, before: &Job) -> usize {
        let (_, job) = self.job();
        job.stages.iter().filter(|(stage, now)| before.stages.get(stage) != Some(now)).count()
    }

    fn open_all(&mut self) {
        let (id, job) = self.job();
        for (stage, assignment) in job.stages {
            let opened = Message::Opened { job: id, stage, epoch: assignment.epoch };
            self.give(|leader, _, out| leader.handle_message(&name(0), &opened, out));
        }
    }
}

#[test]
fn a_job_is_told_once_all_of_it_is_durable() {
    let pair = Pair::new();
    let (_, job) = pair.job();
    assert_eq!(job.stages.len(), 17);
    let told = pair.told.iter().filter_map(|message| match message {
        Message::Table(table) => Some(table.version),
        _ => None,
    });
    assert_eq!(told.max(), Some(read_table(&pair.bytes).unwrap().version));
    let epochs: BTreeSet<Epoch> = job.stages.values().map(|assignment| assignment.epoch).collect();
    assert_eq!(epochs.len(), 17, "each epoch is given once");
}

#[test]
fn stages_of_a_member_that_died_move_at_once() {
    let mut pair = Pair::new();
    let (_, before) = pair.job();
    let of_dead = before.stages.values().filter(|it| it.owner.name == name(2)).count();
    assert!(of_dead > 2);
    pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1, 3], &[2]), out));
    assert_eq!(pair.moved(&before), of_dead);
    let (_, job) = pair.job();
    assert!(job.stages.values().all(|it| it.owner.name != name(2) && it.epoch.term == 3));
    assert_eq!(job.sources.get(&name(2)), Some(&SourceState::Failed));
}

/// Who joins gets its share two stages at a time, and none before the group has settled.
#[test]
fn for_balance_two_stages_move_at_a_time() {
    let mut pair = Pair::new();
    pair.open_all();
    let (_, before) = pair.job();
    pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1, 2, 3, 4], &[]), out));
    assert_eq!(pair.moved(&before), 0);
    pair.now.boot_ms += 29_000;
    pair.give(Leader::handle_timeout);
    assert_eq!(pair.moved(&before), 0);
    pair.now.boot_ms += 2_000;
    pair.give(Leader::handle_timeout);
    assert_eq!(pair.moved(&before), 2);
    pair.give(Leader::handle_timeout);
    assert_eq!(pair.moved(&before), 2, "the first two are not open yet");
    pair.open_all();
    pair.give(Leader::handle_timeout);
    assert!(pair.moved(&before) > 2);
}

#[test]
fn a_leader_that_is_fenced_ends() {
    let mut pair = Pair::new();
    let mut out = VecDeque::new();
    let now = pair.now;
    pair.leader.handle_members(now, &members(&[0, 1], &[2, 3]), &mut out);
    let ask = out.iter().find_map(|output| match output {
        Output::Store(ask) => Some(ask.clone()),
        _ => None,
    });
    let ask = ask.unwrap();
    let fenced = StoreAnswer::Fenced(Epoch { term: 4, number: 0 }.token());
    pair.leader.handle_store(now, (ask.id, ask.file), fenced, &mut out);
    assert!(pair.leader.has_ended() && pair.leader.table().is_none());
}

#[test]
fn a_name_begins_once_and_a_forgotten_member_stays_so() {
    let mut pair = Pair::new();
    let (id, _) = pair.job();
    pair.give(|leader, now, out| {
        let again = leader.command(now, Command::Start(spec()), out);
        assert_eq!(again, Err(CommandError::NameTaken));
    });
    assert_eq!(read_table(&pair.bytes).unwrap().jobs.len(), 1);
    pair.give(|leader, now, out| {
        leader.command(now, Command::Forget(id, name(1)), out).unwrap();
    });
    pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1], &[]), out));
    assert_eq!(pair.job().1.sources.get(&name(1)), Some(&SourceState::Forgotten));
    pair.give(|leader, now, out| {
        leader.command(now, Command::Cancel(id), out).unwrap();
    });
    assert!(pair.job().1.is_cancelled);
}

/// What is not taken is said at once, and changes nothing.
#[test]
fn a_command_that_cannot_be_done_is_refused() {
    let mut pair = Pair::new();
    let (id, _) = pair.job();
    let before = pair.bytes.clone();
    pair.give(|leader, now, out| {
        let mut refused = |command, error| {
            assert_eq!(leader.command(now, command, out), Err(error));
        };
        refused(Command::Start(spec()), CommandError::NameTaken);
        refused(Command::Cancel(JobId(1)), CommandError::NoSuchJob);
        refused(Command::Forget(id, name(9)), CommandError::NoSuchMember);
        refused(Command::Remove(id), CommandError::NotFinished);
        refused(Command::Abandon(id), CommandError::NotFinished);
        let none = JobSpec { name: "none".to_owned(), files: Vec::new(), ..spec() };
        refused(Command::Start(none), SpecError::Files(0).into());
        let wide = JobSpec { name: "wide".to_owned(), partitions: 65, ..spec() };
        refused(Command::Start(wide), SpecError::Partitions(65).into());
    });
    assert_eq!(pair.bytes, before);
    let mut new = Leader::new(Arc::new(Settings::default()), 4, pair.now);
    let early = new.command(pair.now, Command::Cancel(id), &mut VecDeque::new());
    assert_eq!(early, Err(CommandError::NotReady));
}

#[test]
fn jobs_beyond_the_bounds_of_the_table_are_refused() {
    let mut pair = Pair::new();
    let start = |pair: &mut Pair, i: usize, query: String| {
        let spec = JobSpec { query, ..other(&format!("job{i}")) };
        let mut answer = Ok(());
        pair.give(|leader, now, out| answer = leader.command(now, Command::Start(spec), out));
        answer
    };
    for i in 1..MAX_JOBS {
        start(&mut pair, i, String::new()).unwrap();
    }
    let more = start(&mut pair, MAX_JOBS, String::new());
    assert_eq!(more, Err(CommandError::TooManyJobs));

    let mut pair = Pair::new();
    let large = || "x".repeat(60 << 10);
    let refused = (1..MAX_JOBS).find_map(|i| start(&mut pair, i, large()).err());
    assert_eq!(refused, Some(CommandError::TableFull));
    let table = Message::Table(Arc::new(read_table(&pair.bytes).unwrap()));
    assert!(crate::wire::encode(&table).unwrap().len() > 600 << 10);
}

/// Members that join when the table is full are left out, and that is noted once.
#[test]
fn members_without_room_in_the_table_are_left_out() {
    let mut pair = Pair::new();
    for i in 1..16 {
        let spec = other(&format!("job{i}"));
        pair.give(|leader, now, out| leader.command(now, Command::Start(spec), out).unwrap());
    }
    let all: Vec<usize> = (0..4_000).collect();
    let mut noted = 0;
    for _ in 0..2 {
        let mut out = VecDeque::new();
        pair.leader.handle_members(pair.now, &members(&all, &[]), &mut out);
        let is_noted = |output: &Output| matches!(output, Output::Note(Note::LeftOut(..)));
        noted += out.iter().filter(|output| is_noted(output)).count();
        pair.give(|_, _, given| *given = out);
    }
    assert_eq!(noted, 1);
    let table = Message::Table(Arc::new(read_table(&pair.bytes).unwrap()));
    assert!(crate::wire::encode(&table).unwrap().len() > 700 << 10);
}

/// A write of the table that nobody knows of is done again, with the command in it.
#[test]
fn a_command_outlives_a_doubtful_write() {
    let mut pair = Pair::new();
    let (id, _) = pair.job();
    let mut out = VecDeque::new();
    pair.leader.command(pair.now, Command::Cancel(id), &mut out).unwrap();
    let Some(Output::Store(ask)) = out.pop_front() else { panic!("nothing is written") };
    let about = (ask.id, ask.file);
    pair.leader.handle_store(pair.now, about, StoreAnswer::Unknown, &mut out);
    pair.now.boot_ms += 5_000;
    pair.give(Leader::handle_timeout);
    assert!(pair.job().1.is_cancelled);
}

impl Pair {
    /// The owner of a stage says something of it, and the leader has the time to write it down.
    fn say(&mut self, stage: Stage, message: impl FnOnce(JobId, Epoch) -> Message) {
        let (id, job) = self.job();
        let Assignment { owner, epoch } = job.stages[&stage].clone();
        let message = message(id, epoch);
        self.give(|leader, _, out| leader.handle_message(&owner.name, &message, out));
        self.now.boot_ms += 1_000;
        self.give(Leader::handle_timeout);
    }
}

#[test]
fn a_job_that_has_ended_can_be_taken_out() {
    let mut pair = Pair::new();
    pair.say(Stage::Sink, |job, epoch| Message::Finished { job, epoch });
    assert!(!pair.job().1.is_finished, "nobody has cancelled it");
    let (id, _) = pair.job();
    pair.give(|leader, now, out| leader.command(now, Command::Cancel(id), out).unwrap());
    pair.say(Stage::Sink, |job, _| Message::Finished { job, epoch: Epoch::default() });
    assert!(!pair.job().1.is_finished, "another epoch");
    pair.say(Stage::Sink, |job, epoch| Message::Finished { job, epoch });
    let (_, job) = pair.job();
    assert!(job.is_finished && job.stages.is_empty() && job.sources.is_empty());
    pair.give(|leader, now, out| leader.command(now, Command::Remove(id), out).unwrap());
    assert!(read_table(&pair.bytes).unwrap().jobs.is_empty());
    pair.give(|leader, now, out| leader.command(now, Command::Start(spec()), out).unwrap());
    assert!(pair.job().0 > id);
}

/// A stage that cannot go on stops the job. Without the sink's log it has ended with that.
#[test]
fn a_stage_that_cannot_go_on_stops_its_job() {
    let partition = Stage::Partition(Partition(3));
    let cases = [(partition, false, false), (Stage::Sink, false, true), (Stage::Sink, true, false)];
    for (stage, has_log, ends) in cases {
        let mut pair = Pair::new();
        let reason = "too many groups".to_owned();
        pair.say(stage, |job, epoch| Message::Stop { job, stage, epoch, reason, has_log });
        let (_, job) = pair.job();
        assert_eq!(job.stopped.as_deref(), Some("too many groups"));
        assert_eq!(job.is_finished, ends);
    }
}

/// A sink with bytes is that of another job: nothing is started, and that is noted.
#[test]
fn a_job_does_not_start_in_a_file_that_has_bytes() {
    let mut pair = Pair::new();
    let (mut out, other) = (VecDeque::new(), other("other"));
    pair.leader.command(pair.now, Command::Start(other.clone()), &mut out).unwrap();
    let is_sink = |output: &Output| match output {
        Output::Store(ask) if matches!(ask.file, JobFile::Sink(_)) => Some(ask.clone()),
        _ => None,
    };
    let ask = out.iter().find_map(is_sink).unwrap();
    let changed = StoreAnswer::Changed(At { version: 1, length: 9 });
    let about = (ask.id, ask.file);
    out.clear();
    pair.leader.handle_store(pair.now, about, changed, &mut out);
    assert!(matches!(out[0], Output::Note(Note::NotStarted(_, JobFile::Sink(_)))));
    pair.now.boot_ms += 10_000;
    pair.give(Leader::handle_timeout);
    assert_eq!(read_table(&pair.bytes).unwrap().jobs.len(), 1);
    pair.give(|leader, now, out| leader.command(now, Command::Start(other), out).unwrap());
    assert_eq!(read_table(&pair.bytes).unwrap().jobs.len(), 2);
}

/// A job whose last line never comes can be given up, once it is cancelled.
#[test]
fn a_job_that_cannot_end_can_be_given_up() {
    let mut pair = Pair::new();
    let (id, _) = pair.job();
    pair.give(|leader, now, out| leader.command(now, Command::Cancel(id), out).unwrap());
    pair.give(|leader, now, out| leader.command(now, Command::Abandon(id), out).unwrap());
    assert!(pair.job().1.is_finished);
}
