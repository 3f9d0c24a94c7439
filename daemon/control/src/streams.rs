//! Durable jobs: what `memberctl stream` asks, and what it hears. It owns no state.

use crate::bounded::at_most;
use crate::stats::MAX_QUERY_BYTES;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The most jobs of a group.
pub const MAX_STREAMS: usize = 32;

/// The most parts that the keys of a job have.
pub const MAX_STREAM_PARTITIONS: usize = 64;

/// The most globs of a job.
pub const MAX_STREAM_GLOBS: usize = 64;

/// The most tags by which a job chooses members.
pub const MAX_STREAM_TAGS: usize = 16;

/// The longest name of a job, in bytes.
pub const MAX_STREAM_NAME: usize = 64;

/// The longest glob, tag or path of a job, in bytes.
pub const MAX_STREAM_TEXT: usize = 512;

/// The most members that a status names one by one.
pub const MAX_STREAM_SOURCES: usize = 1_000;

/// How late lines may be, in milliseconds.
pub const LATENESS_MS: RangeInclusive<u64> = 0..=86_400_000;

/// How long closed windows may take late lines, in milliseconds.
pub const RETAIN_MS: RangeInclusive<u64> = 0..=604_800_000;

/// How often owners may make durable what has changed, in milliseconds.
pub const COMMIT_MS: RangeInclusive<u64> = 100..=60_000;

/// How many copies logs and sink may have.
pub const STREAM_COPIES: RangeInclusive<u8> = 1..=5;

/// How many groups a window may have in one partition.
pub const STREAM_GROUPS: RangeInclusive<u64> = 1..=1_000_000;

/// How much memory these groups may take, in bytes.
pub const STREAM_MEMORY: RangeInclusive<u64> = 1 << 20..=64 << 20;

/// What a client asks of durable jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamRequest {
    /// Begin a job.
    Start(Box<StreamSpec>),
    /// List all jobs.
    List,
    /// Tell all about a job.
    Status {
        /// Its name.
        name: String,
    },
    /// End a job. Its sink stays.
    Cancel {
        /// Its name.
        name: String,
        /// Do not wait for its members: rows and the last line may be missing in the sink.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// The disk of a member will not come back: its files have ended.
    Forget {
        /// The job's name; none for all jobs in which the member takes part.
        name: Option<String>,
        /// The member's name.
        member: String,
    },
}

/// What a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSpec {
    /// Its name: 1 to [`MAX_STREAM_NAME`] letters, digits and `. _ -`, the first no dot.
    pub name: String,
    /// The question, in the words of the crate `memberd-streams`. It says how long windows are.
    pub query: String,
    /// Globs over what members offer: 1 to [`MAX_STREAM_GLOBS`].
    #[serde(deserialize_with = "at_most::<_, _, MAX_STREAM_GLOBS>")]
    pub files: Vec<String>,
    /// From where on files are read.
    pub from: StreamFrom,
    /// Members that have all these tags take part, key and value. All members if it is empty.
    #[serde(deserialize_with = "at_most::<_, _, MAX_STREAM_TAGS>")]
    pub tags: Vec<(String, String)>,
    /// How much older than the newest line of its file a line may be without being late, in
    /// milliseconds, one of [`LATENESS_MS`].
    pub lateness_ms: u64,
    /// How long a closed window takes late lines, in milliseconds, one of [`RETAIN_MS`]. With 0
    /// late lines are only counted.
    pub retain_ms: u64,
    /// How often an owner makes durable what has changed, in milliseconds, one of [`COMMIT_MS`].
    pub commit_ms: u64,
    /// Whether windows wait for members that have failed; else they close without them.
    pub waits_for_failed: bool,
    /// The file of rows: its path in the replicated files.
    pub sink: String,
    /// How many copies logs and sink have, one of [`STREAM_COPIES`].
    pub copies: u8,
    /// How many parts the keys have, at most [`MAX_STREAM_PARTITIONS`]; none: as many as is usual.
    pub partitions: Option<u16>,
    /// The most groups of a window in one partition, one of [`STREAM_GROUPS`]; none: as many as is
    /// usual. A job that has more stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<u64>,
    /// The most memory of these groups in bytes, one of [`STREAM_MEMORY`]; none: as much as is
    /// usual. A job that has more stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// From where on a job reads files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamFrom {
    /// What is written from its start on.
    #[default]
    Now,
    /// All, rotated files too.
    Beginning,
    /// Lines of this moment or later, in milliseconds since the Unix epoch.
    At(i64),
}

/// Why a job cannot be as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamSpecError {
    /// Its name cannot be one.
    #[error(
        "the name of a job has 1 to 64 letters, digits and . _ -, and does not begin with a dot"
    )]
    Name,
    /// The question is too long.
    #[error("the query is longer than 16 KiB")]
    Query,
    /// It has no globs, or too many.
    #[error("a job reads 1 to 64 globs of files")]
    Files,
    /// It chooses members by too many tags.
    #[error("a job chooses members by 16 tags at most")]
    Tags,
    /// A glob, a tag or the path of the sink is empty or too long.
    #[error("a glob, a tag and the path of a sink have 1 to 512 bytes: {0:?}")]
    Text(String),
    /// Lines may not be so late.
    #[error("lateness is 0 s to 1 day")]
    Lateness,
    /// Windows may not be kept for so long.
    #[error("retain is 0 s to 7 days")]
    Retain,
    /// Commits may not be so rare or frequent.
    #[error("commit is 100 ms to 60 s")]
    Commit,
    /// There may not be so many copies.
    #[error("replication is 1 to 5 copies")]
    Copies,
    /// The keys may not have so many parts.
    #[error("keys have 1 to 64 partitions")]
    Partitions,
    /// A window may not have so many groups.
    #[error("limits.groups is 1 to 1000000 in a window of a partition")]
    Groups,
    /// Groups may not take so much memory.
    #[error("limits.memory is 1M to 64M for a window of a partition")]
    Memory,
}

impl StreamSpec {
    /// Checks its bounds. It reads neither query, globs nor path.
    ///
    /// # Errors
    /// For the first bound that it is outside of.
    pub fn check(&self) -> Result<(), StreamSpecError> {
        let partitions = self.partitions.map_or(1, usize::from);
        let rules = [
            (is_stream_name(&self.name), StreamSpecError::Name),
            (self.query.len() <= MAX_QUERY_BYTES, StreamSpecError::Query),
            ((1..=MAX_STREAM_GLOBS).contains(&self.files.len()), StreamSpecError::Files),
            (self.tags.len() <= MAX_STREAM_TAGS, StreamSpecError::Tags),
            (LATENESS_MS.contains(&self.lateness_ms), StreamSpecError::Lateness),
            (RETAIN_MS.contains(&self.retain_ms), StreamSpecError::Retain),
            (COMMIT_MS.contains(&self.commit_ms), StreamSpecError::Commit),
            (STREAM_COPIES.contains(&self.copies), StreamSpecError::Copies),
            ((1..=MAX_STREAM_PARTITIONS).contains(&partitions), StreamSpecError::Partitions),
            (self.groups.is_none_or(|it| STREAM_GROUPS.contains(&it)), StreamSpecError::Groups),
            (self.memory.is_none_or(|it| STREAM_MEMORY.contains(&it)), StreamSpecError::Memory),
        ];
        if let Some((_, error)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(error);
        }
        let keys = self.tags.iter().map(|(key, _)| key);
        let texts = self.files.iter().chain(keys).chain([&self.sink]);
        // A tag's value may be empty.
        let values = self.tags.iter().map(|(_, value)| value);
        let mut wrong = texts
            .filter(|text| !(1..=MAX_STREAM_TEXT).contains(&text.len()))
            .chain(values.filter(|value| value.len() > MAX_STREAM_TEXT));
        match wrong.next() {
            None => Ok(()),
            Some(text) => Err(StreamSpecError::Text(text.chars().take(40).collect())),
        }
    }
}

/// Whether a job may be called so.
pub fn is_stream_name(name: &str) -> bool {
    (1..=MAX_STREAM_NAME).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// An answer about durable jobs. Each is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamReply {
    /// The job is in the table on the disks of a majority: it goes on whatever crashes.
    Started(StreamSummary),
    /// The jobs, ordered by name.
    List(#[serde(deserialize_with = "at_most::<_, _, MAX_STREAMS>")] Vec<StreamSummary>),
    /// The job.
    Status(Box<StreamStatus>),
    /// It is done, and durable.
    Done,
    /// It was not done, or nobody knows whether it was.
    Failed {
        /// Why, and what to do: one line.
        reason: String,
    },
}

/// What becomes of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Some of its parts have no owner yet that counts.
    #[default]
    Starting,
    /// It counts.
    Running,
    /// It waits for something that is told as the reason, such as a majority.
    Waiting,
    /// It is to end, and its last rows are on their way.
    Cancelling,
    /// It has ended.
    Cancelled,
    /// It cannot go on, and the reason is told.
    Stopped,
}

impl StreamState {
    /// The word for it, such as `running`.
    pub fn as_str(self) -> &'static str {
        match self {
            StreamState::Starting => "starting",
            StreamState::Running => "running",
            StreamState::Waiting => "waiting",
            StreamState::Cancelling => "cancelling",
            StreamState::Cancelled => "cancelled",
            StreamState::Stopped => "stopped",
        }
    }
}

/// A job in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSummary {
    /// Its name.
    pub name: String,
    /// The id of this job, which no other job of the name has.
    pub id: u64,
    /// What becomes of it.
    pub state: StreamState,
    /// Why it waits or has stopped: one line.
    pub reason: Option<String>,
    /// How many parts its keys have.
    pub partitions: u64,
    /// The file of rows.
    pub sink: String,
    /// The question.
    pub query: String,
}

/// All about a job. Times are in milliseconds since the Unix epoch, and absent where they are not
/// known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// As in a list.
    pub job: StreamSummary,
    /// The token of the newest epoch of its parts. It only grows.
    pub epoch: u64,
    /// Its parts, in order.
    #[serde(deserialize_with = "at_most::<_, _, MAX_STREAM_PARTITIONS>")]
    pub partitions: Vec<StreamPartition>,
    /// The name of the member that writes the sink.
    pub sink_owner: Option<String>,
    /// How many rows the sink has.
    pub rows: u64,
    /// Bytes that are in its files and not counted yet, on all members.
    pub lag_bytes: u64,
    /// How long ago the oldest of these was seen, in milliseconds.
    pub lag_ms: u64,
    /// Up to when all windows are closed.
    pub watermark: Option<i64>,
    /// The name of the member that holds the watermark back, if one does.
    pub held_back_by: Option<String>,
    /// Why that member does: one line.
    #[serde(default)]
    pub held_back_why: Option<String>,
    /// Lines that came too late even for a revision.
    pub late: u64,
    /// Lines that the query could not read.
    pub unparsed: u64,
    /// Ranges of files that were lost before they were counted. Each is a row of the sink.
    pub gaps: u64,
    /// The members that take part, ordered by name, at most [`MAX_STREAM_SOURCES`].
    #[serde(deserialize_with = "at_most::<_, _, MAX_STREAM_SOURCES>")]
    pub sources: Vec<StreamSource>,
    /// The names of members that did not say how far they are. The figures lack theirs.
    #[serde(deserialize_with = "at_most::<_, _, MAX_STREAM_SOURCES>")]
    pub unanswered: Vec<String>,
}

/// One part of a job's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPartition {
    /// Its number, from 0 on.
    pub partition: u64,
    /// The name of the member that has it.
    pub owner: Option<String>,
    /// The token of the epoch under which it has it.
    pub epoch: u64,
    /// Whether it counts. If not, its owner reads the log still.
    pub is_open: bool,
    /// As in [`StreamStatus`].
    pub watermark: Option<i64>,
    /// As in [`StreamStatus`].
    pub late: u64,
    /// As in [`StreamStatus`].
    pub unparsed: u64,
    /// As in [`StreamStatus`].
    pub gaps: u64,
    /// The memory of its sums, in bytes.
    pub bytes: u64,
}

/// A member whose files a job reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSource {
    /// Its name.
    pub member: String,
    /// Its state: `live`, `failed` or `forgotten`.
    pub state: String,
    /// As in [`StreamStatus`]; none if it did not say.
    pub lag_bytes: Option<u64>,
    /// As in [`StreamStatus`]; none if it did not say.
    pub lag_ms: Option<u64>,
}

#[cfg(test)]
mod tests;
