//! Tests of a worker: which tables it obeys, and whose rows it takes.

use super::*;
use crate::ids::Epoch;
use crate::message::Rows;
use crate::record::Row;
use crate::store::{At, StoreOperation};
use crate::sums::{SumRow, SumsError};
use crate::table::testing::quick_spec;
use crate::table::{Assignment, Job};
use memberd_membership::Incarnation;

const JOB: JobId = JobId(1);
const SINK: Epoch = Epoch { term: 1, number: 2 };

/// No sums at all.
struct NoSums;

impl Sums for NoSums {
    type Table = ();

    fn empty(&self) {}

    fn check(&self, _: &Name, _: i64, _: &[u8]) -> Result<(), SumsError> {
        Ok(())
    }

    fn add(&self, (): &mut (), _: &[u8]) -> Result<(), SumsError> {
        Ok(())
    }

    fn bytes(&self, (): &()) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn rows(&self, _: i64, _: &[&()]) -> Result<Vec<SumRow>, SumsError> {
        Ok(Vec::new())
    }

    fn weight(&self, (): &()) -> usize {
        0
    }
}

fn member(name: &str) -> MemberId {
    MemberId { name: Name::new(name).unwrap(), incarnation: Incarnation(1) }
}

fn job(name: &str) -> Job {
    let spec = quick_spec(name);
    let part = Assignment { owner: member("vm2"), epoch: Epoch { term: 1, number: 1 } };
    let sink = Assignment { owner: member("vm1"), epoch: SINK };
    let stages = [(Stage::Partition(Partition(0)), part), (Stage::Sink, sink)];
    Job { stages: stages.into(), ..Job::new(spec) }
}

/// A worker on vm1, and how many appends it asked for.
struct Pair {
    worker: Worker<NoSums>,
    now: Now,
    appends: usize,
    notes: Vec<Note>,
}

impl Pair {
    fn new() -> Pair {
        let make: MakeSums<NoSums> = |_| Some(NoSums);
        let worker = Worker::new(Arc::new(Settings::default()), member("vm1"), make);
        Pair { worker, now: Now { boot_ms: 1, wall_ms: 0 }, appends: 0, notes: Vec::new() }
    }

    fn say(&mut self, from: &str, message: Message) {
        let from = Name::new(from).unwrap();
        self.worker.handle_message(self.now, &from, message);
        self.answer();
    }

    /// The store says that every file is empty, and nothing of appends.
    fn answer(&mut self) {
        while let Some(output) = self.worker.poll_output() {
            let ask = match output {
                Output::Store(ask) => ask,
                Output::Note(note) => {
                    self.notes.push(note);
                    continue;
                }
                _ => continue,
            };
            let at = At::default();
            let answer = match ask.operation {
                StoreOperation::Read { .. } => StoreAnswer::Bytes(at, Vec::new()),
                StoreOperation::Append { .. } => {
                    self.appends += 1;
                    continue;
                }
                _ => StoreAnswer::Done(at),
            };
            self.worker.handle_store(self.now, ask.id, ask.file, answer);
        }
    }
}

fn table(jobs: &[(JobId, Job)]) -> Message {
    let jobs = jobs.iter().cloned().collect();
    Message::Table(Arc::new(Table { version: 1, newest: SINK, jobs }))
}

/// Rows count if the owner of their partition sent them.
#[test]
fn rows_of_another_member_do_not_count() {
    let mut pair = Pair::new();
    pair.say("vm9", table(&[(JOB, job("shop"))]));
    let (key, values) = (b"all".to_vec(), b"1".to_vec());
    let row = Row::Sum { window: 0, key, values, revision: 0 };
    let (partition, epoch) = (Partition(0), SINK);
    let rows = Rows { job: JOB, partition, epoch, from: 0, rows: vec![row], end: None };
    pair.say("vm3", Message::Rows(rows.clone()));
    pair.now.boot_ms += 100;
    pair.worker.handle_timeout(pair.now);
    pair.answer();
    assert_eq!(pair.appends, 0);
    pair.say("vm2", Message::Rows(rows));
    assert!(pair.appends > 0);
}

/// A spec with 0 partitions, or a window of 0 ms, would be divided by.
#[test]
fn a_job_whose_spec_is_none_is_passed_over() {
    let mut pair = Pair::new();
    let mut none = job("none");
    none.spec.every_ms = 0;
    pair.say("vm9", table(&[(JobId(2), none), (JOB, job("shop"))]));
    assert!(pair.worker.status(pair.now, JobId(2)).is_none());
    assert!(pair.worker.status(pair.now, JOB).is_some());
    assert!(pair.notes.contains(&Note::CannotRun(JobId(2))));
}
