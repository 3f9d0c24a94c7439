//! The job table: who owns what, under which epoch, and whose files count. Plain values. The
//! leader alone changes it, and every member obeys the newest that it has seen.

use crate::forms;
use crate::ids::{Epoch, JobId, MemberId, Partition, Stage};
use crate::placement::MAX_PARTITIONS;
use crate::state::WindowTimes;
use memberd_membership::Name;
use memberd_streams::MAX_DURABLE_OVERLAP;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most jobs of a group, those that are cancelled included.
pub const MAX_JOBS: usize = 32;
/// The most members whose files a job counts.
pub const MAX_SOURCES: usize = 4_096;
/// The most patterns of files, and the most tags, that a job names.
pub const MAX_PATTERNS: usize = 64;
/// The most bytes of all texts of a job's spec.
pub const MAX_TEXT_BYTES: usize = 64 << 10;
/// The most groups of a window in one partition.
pub const MAX_GROUPS: u64 = 1_000_000;
/// The most memory of a window's groups in one partition, in bytes. All sums of a member have as
/// much: see [`Settings::member_bytes`](crate::Settings::member_bytes).
pub const MAX_SUM_BYTES: u64 = 64 << 20;
/// The stages of a job with [`MAX_PARTITIONS`](crate::MAX_PARTITIONS) partitions.
const MAX_STAGES: usize = 65;

/// What a member that has failed does to windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailed {
    /// Windows close without it. Its lines make revisions when it is back.
    Exclude,
    /// Windows wait for it.
    Wait,
}

/// Where files begin to count that a job finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum From {
    /// At their ends when the job begins; files that appear later count from their first byte.
    #[default]
    Now,
    /// At their first bytes.
    Beginning,
    /// At their first line with this stamp or a later one, in milliseconds since 1970; at their
    /// ends if they have none.
    At(i64),
}

/// How much the sums of a job may be. With more the job stops: no row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLimits {
    /// The most groups of a window in one partition: 1 to [`MAX_GROUPS`].
    pub groups: u64,
    /// The most memory of these groups, in bytes: 1 to [`MAX_SUM_BYTES`].
    pub bytes: u64,
}

impl Default for JobLimits {
    fn default() -> JobLimits {
        JobLimits { groups: 200_000, bytes: MAX_SUM_BYTES }
    }
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
    /// How often a window begins, in milliseconds: above 0.
    pub every_ms: i64,
    /// How long a window is, in milliseconds: 1 to [`MAX_DURABLE_OVERLAP`] times `every_ms`. None:
    /// as long as that, so that windows do not overlap.
    #[serde(default)]
    pub over_ms: Option<i64>,
    /// How much older than the newest line of its file a line may be without being late, in
    /// milliseconds.
    pub lateness_ms: i64,
    /// How long a closed window still takes late lines, in milliseconds.
    pub retain_ms: i64,
    /// How often an owner makes durable what has changed, in milliseconds: 10 to 60,000.
    pub commit_ms: u64,
    /// What members that have failed do.
    pub on_failed: OnFailed,
    /// How many copies logs and sink have: 1 to 5. Five survive any four crashes.
    pub copies: u8,
    /// Which files count: 1 to [`MAX_PATTERNS`] globs of absolute paths.
    #[serde(default, deserialize_with = "forms::at_most::<_, _, MAX_PATTERNS>")]
    pub files: Vec<String>,
    /// Where they begin to count.
    #[serde(default)]
    pub from: From,
    /// Members with all these tags take part with their files: at most [`MAX_PATTERNS`]. None: all
    /// members.
    #[serde(default, deserialize_with = "forms::at_most::<_, _, MAX_PATTERNS>")]
    pub tags: Vec<(String, String)>,
    /// The path of the sink in the replicated file system.
    #[serde(default)]
    pub sink: String,
    /// How much its sums may be.
    #[serde(default)]
    pub limits: JobLimits,
}

/// Why a spec is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Its number of partitions.
    #[error("a job has 1 to {MAX_PARTITIONS} partitions, not {0}")]
    Partitions(u16),
    /// How often its windows begin.
    #[error("a window begins every 1 ms or more, not every {0} ms")]
    Every(i64),
    /// The length of its windows.
    #[error(
        "a window is 1 to {MAX_DURABLE_OVERLAP} times as long as from one to the next, not {0} ms"
    )]
    Over(i64),
    /// How often an owner commits.
    #[error("a job commits every 10 to 60,000 ms, not {0}")]
    Commit(u64),
    /// A time is below zero.
    #[error("lateness and retain are not below zero")]
    Negative,
    /// Its copies.
    #[error("a job's files have 1 to 5 copies, not {0}")]
    Copies(u8),
    /// Its files.
    #[error("a job names 1 to {MAX_PATTERNS} patterns of files, not {0}")]
    Files(usize),
    /// Its tags.
    #[error("a job names at most {MAX_PATTERNS} tags, not {0}")]
    Tags(usize),
    /// A name is missing.
    #[error("a job has a name and the path of a sink")]
    Nameless,
    /// Its limits.
    #[error("a window has 1 to {MAX_GROUPS} groups, in 1 to {MAX_SUM_BYTES} bytes")]
    Limits,
    /// All texts together.
    #[error("the texts of a job have at most {MAX_TEXT_BYTES} bytes, not {0}")]
    Texts(usize),
}

impl JobSpec {
    /// When its windows close and are given up.
    #[must_use]
    pub fn times(&self) -> WindowTimes {
        let over_ms = self.over_ms.unwrap_or(self.every_ms);
        WindowTimes { every_ms: self.every_ms, over_ms, retain_ms: self.retain_ms }
    }

    /// Whether its windows are as long as they may be.
    fn is_multiple(&self) -> bool {
        let WindowTimes { every_ms, over_ms, .. } = self.times();
        over_ms % every_ms == 0 && (1..=MAX_DURABLE_OVERLAP).contains(&(over_ms / every_ms))
    }

    /// Whether it is one. Its query and its patterns are not read.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), SpecError> {
        let texts = [&self.name, &self.query, &self.sink].into_iter().chain(&self.files);
        let tags = self.tags.iter().flat_map(|(key, value)| [key, value]);
        let bytes: usize = texts.chain(tags).map(String::len).sum();
        match self {
            _ if !(1..=MAX_PARTITIONS).contains(&self.partitions) => {
                Err(SpecError::Partitions(self.partitions))
            }
            _ if self.every_ms <= 0 => Err(SpecError::Every(self.every_ms)),
            _ if !self.is_multiple() => Err(SpecError::Over(self.times().over_ms)),
            _ if !(10..=60_000).contains(&self.commit_ms) => Err(SpecError::Commit(self.commit_ms)),
            _ if self.lateness_ms < 0 || self.retain_ms < 0 => Err(SpecError::Negative),
            _ if !(1..=5).contains(&self.copies) => Err(SpecError::Copies(self.copies)),
            _ if !(1..=MAX_PATTERNS).contains(&self.files.len()) => {
                Err(SpecError::Files(self.files.len()))
            }
            _ if self.tags.len() > MAX_PATTERNS => Err(SpecError::Tags(self.tags.len())),
            _ if self.name.is_empty() || self.sink.is_empty() => Err(SpecError::Nameless),
            _ if !(1..=MAX_GROUPS).contains(&self.limits.groups)
                || !(1..=MAX_SUM_BYTES).contains(&self.limits.bytes) =>
            {
                Err(SpecError::Limits)
            }
            _ if bytes > MAX_TEXT_BYTES => Err(SpecError::Texts(bytes)),
            _ => Ok(()),
        }
    }
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
    /// Whether it is to end: nothing more is read, all windows close, and the sink ends.
    pub is_cancelled: bool,
    /// Why it had to end: its windows stay as they are, and the sink ends.
    #[serde(default)]
    pub stopped: Option<String>,
    /// Whether it has ended: the sink has all that it will ever have, and logs may be deleted.
    #[serde(default)]
    pub is_finished: bool,
    /// The members whose files count. Who is not here reads nothing, and no window waits for it.
    #[serde(with = "forms::by_name")]
    pub sources: BTreeMap<Name, SourceState>,
    /// Who has what. All stages are there once somebody could have them.
    #[serde(deserialize_with = "forms::map_at_most::<_, _, _, MAX_STAGES>")]
    pub stages: BTreeMap<Stage, Assignment>,
}

impl Job {
    /// One that nobody has a part in yet.
    #[must_use]
    pub fn new(spec: JobSpec) -> Job {
        Job {
            spec,
            is_cancelled: false,
            stopped: None,
            is_finished: false,
            sources: BTreeMap::new(),
            stages: BTreeMap::new(),
        }
    }

    /// Whether it ends or has ended: nothing more is read.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.is_cancelled || self.stopped.is_some() || self.is_finished
    }

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
    /// The jobs: at most [`MAX_JOBS`].
    #[serde(deserialize_with = "forms::map_at_most::<_, _, _, MAX_JOBS>")]
    pub jobs: BTreeMap<JobId, Job>,
}

/// How many versions and epochs a table leaves out that is made anew: those that were written last,
/// and that nobody heard of.
const ROOM: u32 = 1_000;

impl Table {
    /// The same jobs under a version and an epoch that come after these, and after all that may
    /// have followed them unheard.
    #[must_use]
    pub fn beyond(self, version: u64, newest: Epoch) -> Table {
        let epoch = Epoch { number: newest.number.saturating_add(ROOM), ..newest };
        let newest = self.newest.max(epoch);
        Table { version: version + u64::from(ROOM), newest, ..self }
    }
}

/// A job of one partition, for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::{From, JobLimits, JobSpec, OnFailed};

    /// It has short times, and waits for members that have failed.
    pub(crate) fn quick_spec(name: &str) -> JobSpec {
        JobSpec {
            name: name.to_owned(),
            query: String::new(),
            partitions: 1,
            every_ms: 100,
            over_ms: None,
            lateness_ms: 10,
            retain_ms: 1_000,
            commit_ms: 50,
            on_failed: OnFailed::Wait,
            copies: 5,
            files: vec!["/var/log/shop/*.log".to_owned()],
            from: From::Now,
            tags: Vec::new(),
            sink: format!("/streams/{name}.tsv"),
            limits: JobLimits::default(),
        }
    }
}
