//! Says what a job is and how far it is, for clients. It owns no state.

use super::calls::{Answer, Call};
use super::{Command, Handle};
use memberd_control::streams::{
    MAX_STREAM_SOURCES, StreamPartition, StreamReply, StreamSource, StreamState, StreamStatus,
    StreamSummary,
};
use memberd_jobs::{Job, JobId, JobStatus, Name, Partition, PartitionStatus, SourceState, Stage};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// How far a job is on one member, as that member says it to others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Here {
    /// The parts that it has.
    parts: Vec<HerePart>,
    /// How many rows the sink has, if it has the sink.
    rows: Option<u64>,
    /// How far its files are: bytes and milliseconds, if it knows.
    lag: Option<(u64, u64)>,
}

/// A part of a job, as its owner says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct HerePart {
    part: StreamPartition,
    /// The name of the member that holds its watermark back.
    held_back_by: Option<String>,
    /// Whether its sums have no room, so that files wait.
    is_full: bool,
}

impl From<JobStatus> for Here {
    fn from(status: JobStatus) -> Here {
        Here {
            parts: status.partitions.into_iter().map(part).collect(),
            rows: status.sink.filter(|sink| sink.is_open).map(|sink| sink.rows),
            lag: status.lag.map(|lag| (lag.bytes, lag.ms)),
        }
    }
}

fn part(status: PartitionStatus) -> HerePart {
    let part = StreamPartition {
        partition: status.partition.0.into(),
        owner: None,
        epoch: status.epoch.token(),
        is_open: status.is_open,
        watermark: status.watermark,
        late: status.late,
        unparsed: status.uncounted,
        gaps: status.gaps,
        bytes: status.groups_bytes,
    };
    let held_back_by = status.held_back_by.map(|member| member.to_string());
    HerePart { part, held_back_by, is_full: status.is_full }
}

/// A job of the table.
pub(super) fn summary(id: JobId, job: &Job) -> StreamSummary {
    let is_placed = || job.all_stages().all(|stage| job.stages.contains_key(&stage));
    let state = match (job.is_finished, job.stopped.is_some()) {
        (true, true) => StreamState::Stopped,
        (true, false) => StreamState::Cancelled,
        _ if job.is_ending() => StreamState::Cancelling,
        _ if is_placed() => StreamState::Running,
        _ => StreamState::Starting,
    };
    StreamSummary {
        name: job.spec.name.clone(),
        id: id.0,
        state,
        reason: job.stopped.clone(),
        partitions: job.spec.partitions.into(),
        sink: job.spec.sink.clone(),
        query: job.spec.query.clone(),
    }
}

/// All about the job of this name. Every member that takes part is asked.
///
/// # Errors
/// When there is none: one line.
pub(super) async fn status(name: &str, jobs: &Handle) -> Result<StreamReply, String> {
    let told = jobs.ask(Command::Tell).await.map_err(|ended| ended.to_string())?;
    let job = told.table.jobs.iter().find(|(_, job)| job.spec.name == name);
    let (id, job) = job
        .ok_or_else(|| format!("there is no job of the name {name}: see memberctl stream list"))?;
    let owners = job.stages.values().map(|assignment| assignment.owner.name.clone());
    let live = job.sources.iter().filter(|(_, state)| **state == SourceState::Live);
    let members = owners.chain(live.map(|(member, _)| member.clone()));
    let told = ask_all(*id, members.collect(), jobs).await;
    Ok(StreamReply::Status(Box::new(describe(*id, job, &told))))
}

/// What members say of a job. None: one says nothing.
type Told = BTreeMap<Name, Option<Here>>;

async fn ask_all(job: JobId, members: BTreeSet<Name>, jobs: &Handle) -> Told {
    let mut asked = JoinSet::new();
    for member in members {
        let jobs = jobs.clone();
        asked.spawn(async move {
            let here = match jobs.call(&member, Call::Status(job)).await {
                Ok(Answer::Status(here)) => Some(here),
                Ok(Answer::Stream(_)) | Err(_) => None,
            };
            (member, here)
        });
    }
    asked.join_all().await.into_iter().collect()
}

fn describe(id: JobId, job: &Job, told: &Told) -> StreamStatus {
    let heres = || told.values().flatten();
    let parts: Vec<HerePart> =
        (0..job.spec.partitions).map(|number| part_of(job, number, told)).collect();
    let mut summary = summary(id, job);
    if summary.state == StreamState::Running {
        (summary.state, summary.reason) = state_of(&parts);
    }
    // The least of all, and none as long as one is not known.
    let holder = |part: &HerePart| (part.part.watermark, part.held_back_by.clone());
    let (watermark, held_back_by) = parts.iter().map(holder).min().unwrap_or_default();
    let partitions: Vec<StreamPartition> = parts.into_iter().map(|part| part.part).collect();
    let sources = job.sources.iter().take(MAX_STREAM_SOURCES);
    let silent = told.iter().filter(|(_, here)| here.is_none()).map(|(name, _)| name.to_string());
    StreamStatus {
        job: summary,
        epoch: job.stages.values().map(|one| one.epoch.token()).max().unwrap_or(0),
        sink_owner: job.stages.get(&Stage::Sink).map(|one| one.owner.name.to_string()),
        rows: heres().filter_map(|here| here.rows).max().unwrap_or(0),
        lag_bytes: heres().filter_map(|here| here.lag).map(|(bytes, _)| bytes).sum(),
        lag_ms: heres().filter_map(|here| here.lag).map(|(_, ms)| ms).max().unwrap_or(0),
        watermark,
        held_back_by,
        late: partitions.iter().map(|part| part.late).sum(),
        unparsed: partitions.iter().map(|part| part.unparsed).sum(),
        gaps: partitions.iter().map(|part| part.gaps).sum(),
        sources: sources.map(|(member, state)| source(member, *state, told)).collect(),
        partitions,
        unanswered: silent.take(MAX_STREAM_SOURCES).collect(),
    }
}

/// What becomes of a job all of whose parts have an owner, and why it waits.
fn state_of(parts: &[HerePart]) -> (StreamState, Option<String>) {
    if !parts.iter().all(|part| part.part.is_open) {
        return (StreamState::Starting, None);
    }
    let full = parts.iter().find(|part| part.is_full).and_then(|part| part.part.owner.as_ref());
    match full {
        Some(owner) => {
            let why = format!("the sums on {owner} have no room, and files wait: cancel a job");
            (StreamState::Waiting, Some(why))
        }
        None => (StreamState::Running, None),
    }
}

/// A part as its owner says it. What an owner of before says is not true any more.
fn part_of(job: &Job, number: u16, told: &Told) -> HerePart {
    let part = StreamPartition { partition: number.into(), ..StreamPartition::default() };
    let empty = HerePart { part, ..HerePart::default() };
    let Some(assignment) = job.stages.get(&Stage::Partition(Partition(number))) else {
        return empty;
    };
    let (owner, epoch) = (&assignment.owner.name, assignment.epoch.token());
    let here = told.get(owner).and_then(Option::as_ref);
    let mut parts = here.iter().flat_map(|here| &here.parts);
    let number = empty.part.partition;
    let said = parts.find(|said| said.part.partition == number && said.part.epoch == epoch);
    let mut said = said.cloned().unwrap_or(empty);
    (said.part.owner, said.part.epoch) = (Some(owner.to_string()), epoch);
    said
}

fn source(member: &Name, state: SourceState, told: &Told) -> StreamSource {
    let lag = told.get(member).and_then(Option::as_ref).and_then(|here| here.lag);
    let state = match state {
        SourceState::Live => "live",
        SourceState::Failed => "failed",
        SourceState::Forgotten => "forgotten",
    };
    StreamSource {
        member: member.to_string(),
        state: state.to_owned(),
        lag_bytes: lag.map(|(bytes, _)| bytes),
        lag_ms: lag.map(|(_, ms)| ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_jobs::{Assignment, Epoch, From, Incarnation, JobSpec, MemberId, OnFailed};

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    fn epoch(number: u32) -> Epoch {
        Epoch { term: 1, number }
    }

    /// Two parts and a sink on `a`, and the files of `a` and `b`.
    fn job() -> Job {
        let mut job = Job::new(JobSpec {
            name: "shop".to_owned(),
            query: "| logfmt | count every 10s".to_owned(),
            partitions: 2,
            every_ms: 10_000,
            over_ms: None,
            lateness_ms: 0,
            retain_ms: 0,
            commit_ms: 1_000,
            on_failed: OnFailed::Exclude,
            copies: 5,
            files: vec!["/x".to_owned()],
            from: From::Now,
            tags: Vec::new(),
            sink: "/streams/shop.tsv".to_owned(),
            limits: memberd_jobs::JobLimits::default(),
        });
        let owner = MemberId { name: name("a"), incarnation: Incarnation(1) };
        for (number, stage) in (1..).zip(job.all_stages().collect::<Vec<_>>()) {
            let assignment = Assignment { owner: owner.clone(), epoch: epoch(number) };
            job.stages.insert(stage, assignment);
        }
        job.sources.insert(name("a"), SourceState::Live);
        job.sources.insert(name("b"), SourceState::Failed);
        job
    }

    fn here(epochs: [u32; 2]) -> Here {
        let part = |(number, of): (u64, u32)| StreamPartition {
            partition: number,
            epoch: epoch(of).token(),
            is_open: true,
            watermark: Some(5_000 + i64::try_from(number).unwrap()),
            late: 3,
            ..StreamPartition::default()
        };
        let held_back_by = Some("b".to_owned());
        let parts = (0..).zip(epochs).map(part);
        let parts =
            parts.map(|part| HerePart { part, held_back_by: held_back_by.clone(), is_full: false });
        Here { parts: parts.collect(), rows: Some(7), lag: Some((100, 20)) }
    }

    #[test]
    fn a_job_is_as_its_members_say() {
        let told = Told::from([(name("a"), Some(here([1, 2]))), (name("b"), None)]);
        let status = describe(JobId(9), &job(), &told);
        assert_eq!(status.job.state, StreamState::Running);
        assert_eq!((status.watermark, status.held_back_by), (Some(5_000), Some("b".to_owned())));
        assert_eq!((status.late, status.rows, status.lag_bytes, status.lag_ms), (6, 7, 100, 20));
        assert_eq!(status.unanswered, ["b"]);
        let sources: Vec<_> = status.sources.iter().map(|it| (&*it.state, it.lag_ms)).collect();
        assert_eq!(sources, [("live", Some(20)), ("failed", None)]);
    }

    #[test]
    fn a_job_without_room_waits_and_says_where() {
        let mut full = here([1, 2]);
        full.parts[1].is_full = true;
        let status = describe(JobId(9), &job(), &Told::from([(name("a"), Some(full))]));
        assert_eq!(status.job.state, StreamState::Waiting);
        assert!(status.job.reason.unwrap().contains("the sums on a have no room"));
    }

    #[test]
    fn what_an_owner_of_before_says_does_not_count() {
        let told = Told::from([(name("a"), Some(here([1, 1])))]);
        let status = describe(JobId(9), &job(), &told);
        assert_eq!((status.job.state, status.watermark), (StreamState::Starting, None));
        assert_eq!((status.partitions[1].is_open, status.late), (false, 3));
        assert_eq!(status.partitions[1].owner.as_deref(), Some("a"));
    }

    #[test]
    fn the_end_of_a_job_has_its_words() {
        let mut job = job();
        job.is_cancelled = true;
        assert_eq!(summary(JobId(9), &job).state, StreamState::Cancelling);
        job.is_finished = true;
        assert_eq!(summary(JobId(9), &job).state, StreamState::Cancelled);
        job.stopped = Some("groups".to_owned());
        let summary = summary(JobId(9), &job);
        assert_eq!(
            (summary.state, summary.reason.as_deref()),
            (StreamState::Stopped, Some("groups"))
        );
    }
}
