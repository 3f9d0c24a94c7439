//! The JSON objects about jobs. Users rely on their shapes: fields may be added, and none may
//! change. Times are in milliseconds.

use std::collections::BTreeMap;

use memberd_control::streams::{
    StreamFrom, StreamPartition, StreamSource, StreamSpec, StreamState, StreamStatus, StreamSummary,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::job_file::{Job as Parsed, Problem};

/// What was done, and with what.
#[derive(Debug, Serialize)]
pub(super) struct Done<'a> {
    name: &'a str,
    done: bool,
}

impl<'a> Done<'a> {
    /// It is done.
    pub(super) fn of(name: &'a str) -> Done<'a> {
        Done { name, done: true }
    }
}

/// A job in a list.
#[derive(Debug, Serialize)]
pub(super) struct Job<'a> {
    name: &'a str,
    id: u64,
    state: StreamState,
    reason: Option<&'a str>,
    partitions: u64,
    sink: &'a str,
    query: &'a str,
}

impl<'a> From<&'a StreamSummary> for Job<'a> {
    fn from(job: &'a StreamSummary) -> Job<'a> {
        Job {
            name: &job.name,
            id: job.id,
            state: job.state,
            reason: job.reason.as_deref(),
            partitions: job.partitions,
            sink: &job.sink,
            query: &job.query,
        }
    }
}

/// All jobs.
#[derive(Debug, Serialize)]
pub(super) struct Jobs<'a> {
    jobs: Vec<Job<'a>>,
}

impl<'a> Jobs<'a> {
    /// These.
    pub(super) fn of(jobs: &'a [StreamSummary]) -> Jobs<'a> {
        Jobs { jobs: jobs.iter().map(Job::from).collect() }
    }
}

/// All about a job.
#[derive(Debug, Serialize)]
pub(super) struct Status<'a> {
    name: &'a str,
    id: u64,
    state: StreamState,
    reason: Option<&'a str>,
    query: &'a str,
    sink: &'a str,
    sink_owner: Option<&'a str>,
    rows: u64,
    epoch: u64,
    partitions: &'a [StreamPartition],
    lag_bytes: u64,
    lag_ms: u64,
    watermark: Option<i64>,
    held_back_by: Option<&'a str>,
    held_back_why: Option<&'a str>,
    late: u64,
    unparsed: u64,
    gaps: u64,
    sources: &'a [StreamSource],
    unanswered: &'a [String],
}

impl<'a> From<&'a StreamStatus> for Status<'a> {
    fn from(status: &'a StreamStatus) -> Status<'a> {
        let job = &status.job;
        Status {
            name: &job.name,
            id: job.id,
            state: job.state,
            reason: job.reason.as_deref(),
            query: &job.query,
            sink: &job.sink,
            sink_owner: status.sink_owner.as_deref(),
            rows: status.rows,
            epoch: status.epoch,
            partitions: &status.partitions,
            lag_bytes: status.lag_bytes,
            lag_ms: status.lag_ms,
            watermark: status.watermark,
            held_back_by: status.held_back_by.as_deref(),
            held_back_why: status.held_back_why.as_deref(),
            late: status.late,
            unparsed: status.unparsed,
            gaps: status.gaps,
            sources: &status.sources,
            unanswered: &status.unanswered,
        }
    }
}

/// What a check found.
#[derive(Debug, Serialize)]
pub(super) struct Checked<'a> {
    file: &'a str,
    good: bool,
    problems: &'a [Problem],
    job: Option<Spec<'a>>,
}

impl<'a> Checked<'a> {
    /// A file with a job, or with problems.
    pub(super) fn of(file: &'a str, parsed: Result<&'a Parsed, &'a Vec<Problem>>) -> Checked<'a> {
        let (job, problems) = match parsed {
            Ok(parsed) => (Some(Spec::from(parsed)), [].as_slice()),
            Err(problems) => (None, problems.as_slice()),
        };
        Checked { file, good: job.is_some(), problems, job }
    }
}

/// A job as its file has it.
#[derive(Debug, Serialize)]
struct Spec<'a> {
    name: &'a str,
    query: &'a str,
    every_ms: i64,
    over_ms: i64,
    files: &'a [String],
    from: Value,
    on: BTreeMap<&'a str, &'a str>,
    lateness_ms: u64,
    retain_ms: u64,
    commit_ms: u64,
    on_failed: &'static str,
    partitions: Option<u16>,
    sink: &'a str,
    replication: u8,
    groups: Option<u64>,
    memory: Option<u64>,
}

impl<'a> From<&'a Parsed> for Spec<'a> {
    fn from(Parsed { spec, windows }: &'a Parsed) -> Spec<'a> {
        let StreamSpec { tags, from, waits_for_failed, .. } = spec;
        Spec {
            name: &spec.name,
            query: &spec.query,
            every_ms: windows.every_ms,
            over_ms: windows.over_ms,
            files: &spec.files,
            from: match from {
                StreamFrom::Now => json!("now"),
                StreamFrom::Beginning => json!("beginning"),
                StreamFrom::At(moment) => json!(moment),
            },
            on: tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            lateness_ms: spec.lateness_ms,
            retain_ms: spec.retain_ms,
            commit_ms: spec.commit_ms,
            on_failed: if *waits_for_failed { "wait" } else { "exclude" },
            partitions: spec.partitions,
            sink: &spec.sink,
            replication: spec.copies,
            groups: spec.groups,
            memory: spec.memory,
        }
    }
}
