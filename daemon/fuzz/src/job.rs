//! A member of a durable job, and the replicated files that it asks. It owns those files.

use memberd_jobs::{
    Assignment, At, Epoch, From, Job, JobFile, JobId, JobLimits, JobSpec, MemberId, Message, Name,
    Now, OnFailed, Output, Partition, SourceState, Stage, StoreAnswer, StoreAsk, StoreOperation,
    StreamSums, Table, Worker, encode,
};
use memberd_membership::Incarnation;
use memberd_streams::{Limits, Plan, Query};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The job.
pub const JOB: JobId = JobId(1);

/// A job with lists.
pub const LISTS: JobId = JobId(2);

/// Under which all of its stages are owned.
pub const EPOCH: Epoch = Epoch { term: 1, number: 1 };

/// The most bytes of sums that the job may have.
const SUM_BYTES: usize = 4 << 20;

/// Its question.
pub const QUESTION: &str = "| logfmt | count, sum(v) by k every 10s over 20s";

fn name(name: &str) -> Name {
    Name::new(name).expect("a name")
}

/// The table, with two jobs of two partitions. All of it is owned by `vm1`.
pub fn table() -> Table {
    let lists = job("lists", &format!("{QUESTION} | top 3 by count"));
    Table { version: 1, newest: EPOCH, jobs: [(JOB, job("shop", QUESTION)), (LISTS, lists)].into() }
}

fn job(named: &str, query: &str) -> Job {
    let spec = JobSpec {
        name: named.to_owned(),
        query: query.to_owned(),
        partitions: 2,
        every_ms: 10_000,
        over_ms: Some(20_000),
        lateness_ms: 5_000,
        retain_ms: 60_000,
        commit_ms: 200,
        on_failed: OnFailed::Exclude,
        copies: 5,
        files: vec!["/srv/*.log".to_owned()],
        from: From::Beginning,
        tags: Vec::new(),
        sink: format!("/streams/{named}.tsv"),
        limits: JobLimits::default(),
    };
    let owner = MemberId { name: name("vm1"), incarnation: Incarnation(1) };
    let stages = [Stage::Partition(Partition(0)), Stage::Partition(Partition(1)), Stage::Sink];
    let stages = stages.map(|stage| (stage, Assignment { owner: owner.clone(), epoch: EPOCH }));
    let sources = ["vm1", "vm2"].map(|member| (name(member), SourceState::Live));
    Job { sources: sources.into(), stages: stages.into(), ..Job::new(spec) }
}

/// The sums of a question, if it is one.
pub fn sums(spec: &JobSpec) -> Option<StreamSums> {
    let plan = Plan::new(&Query::parse(&spec.query).ok()?).ok()?;
    Some(StreamSums::new(Arc::new(plan), Limits { groups: 10_000, bytes: SUM_BYTES }))
}

/// `vm1`, which owns all of the job.
#[derive(Debug)]
pub struct JobMember {
    worker: Worker<StreamSums>,
    files: BTreeMap<JobFile, (At, Vec<u8>)>,
}

impl Default for JobMember {
    fn default() -> Self {
        let own = MemberId { name: name("vm1"), incarnation: Incarnation(1) };
        JobMember { worker: Worker::new(Arc::default(), own, sums), files: BTreeMap::new() }
    }
}

impl JobMember {
    /// Hears a message of `vm2`, and does all that follows. Every file is written at once.
    pub fn hear(&mut self, now: Now, message: Message) {
        self.worker.handle_message(now, &name("vm2"), message);
        self.worker.handle_timeout(now);
        while let Some(output) = self.worker.poll_output() {
            match output {
                Output::Send(_, message) => {
                    encode(&message).expect("what a member says has its bounds");
                }
                Output::Store(StoreAsk { id, file, operation }) => {
                    let answer = self.answer(file, operation);
                    self.worker.handle_store(now, id, file, answer);
                }
                Output::Fold(ask) => {
                    let none = vec![None; ask.ranges.len()];
                    self.worker.handle_folded(now, ask.job, ask.number, &none);
                }
                Output::Note(_) => {}
            }
        }
    }

    fn answer(&mut self, file: JobFile, operation: StoreOperation) -> StoreAnswer {
        let (at, content) = self.files.entry(file).or_default();
        match operation {
            StoreOperation::Create { .. } | StoreOperation::Fence { .. } => {}
            StoreOperation::Read { from } => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(content.len());
                return StoreAnswer::Bytes(*at, content[from..].to_vec());
            }
            StoreOperation::Append { bytes, .. } => {
                content.extend(bytes);
                at.version += 1;
            }
            StoreOperation::Replace { bytes, .. } => {
                *content = bytes;
                at.version += 1;
            }
        }
        at.length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        StoreAnswer::Done(*at)
    }
}
