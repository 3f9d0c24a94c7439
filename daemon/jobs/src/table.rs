//! The job table: who owns what, under which epoch, and whose files count. Plain values. The
//! leader alone changes it, and every member obeys the newest that it has seen.

use crate::forms;
use crate::ids::{Epoch, JobId, MemberId, Partition, Stage};
use memberd_membership::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a member that has failed does to windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailed {
    /// Windows close without it. Its lines make revisions when it is back.
    Exclude,
    /// Windows wait for it.
    Wait,
}

/// What a job is. It never changes: another question is another job, so no state is ever read by
/// a query that did not make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The name that people use.
    pub name: String,
    /// The query's text.
    pub query: String,
    /// How many parts the keys have: 1 to [`MAX_PARTITIONS`](crate::MAX_PARTITIONS).
    pub partitions: u16,
    /// How long a window is, in milliseconds: above 0.
    pub every_ms: i64,
    /// How much older than the newest line of its file a line may be without being late, in
    /// milliseconds.
    pub lateness_ms: i64,
    /// How long a closed window still takes late lines, in milliseconds.
    pub retain_ms: i64,
    /// How often an owner makes durable what has changed, in milliseconds.
    pub commit_ms: u64,
    /// What members that have failed do.
    pub on_failed: OnFailed,
    /// How many copies logs and sink have: 1 to 5. Five survive any four crashes.
    pub copies: u8,
}

/// How a member takes part with its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceState {
    /// It is in the group.
    Live,
    /// It has failed or left.
    Failed,
    /// Its disk will not come back: its files have ended, and that is told as gaps.
    Forgotten,
}

/// Who has a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Who.
    pub owner: MemberId,
    /// Under which epoch. Each is given once.
    pub epoch: Epoch,
}

/// A job in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it is.
    pub spec: JobSpec,
    /// Whether it is to end.
    pub is_cancelled: bool,
    /// The members whose files count.
    #[serde(with = "forms::by_name")]
    pub sources: BTreeMap<Name, SourceState>,
    /// Who has what. All stages are there once somebody could have them.
    pub stages: BTreeMap<Stage, Assignment>,
}

impl Job {
    /// All its stages.
    pub fn all_stages(&self) -> impl Iterator<Item = Stage> + use<> {
        let partitions = (0..self.spec.partitions).map(|part| Stage::Partition(Partition(part)));
        partitions.chain([Stage::Sink])
    }
}

/// All jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    /// Grows with each change.
    pub version: u64,
    /// The newest epoch that was given.
    pub newest: Epoch,
    /// The jobs.
    pub jobs: BTreeMap<JobId, Job>,
}
