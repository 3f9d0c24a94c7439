//! What members say to each other. Plain values. Any of it may be late, lost, or come twice.

use crate::forms;
use crate::ids::{Epoch, FileKey, JobId, Partition, Stage};
use crate::record::{GapReason, Row};
use crate::table::Table;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most deltas of a frame.
pub const MAX_DELTAS: usize = 1_024;
/// The most windows of a delta.
pub const MAX_PARTS: usize = 4_096;
/// The most cursors of a message.
pub const MAX_TOLD: usize = 4_096;
/// The most rows of a message.
pub const MAX_ROWS: usize = 4_096;

/// A message. Who sent it is known to who gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Leader to all: the table, which is durable.
    Table(#[serde(with = "forms::shared")] Arc<Table>),
    /// Leader to all, again and again: the version of the table, and the leader's term.
    Beat {
        /// The leader's term.
        term: u32,
        /// The version.
        version: u64,
    },
    /// To the leader: its table is newer than this one.
    AskTable,
    /// Owner to leader: it has the log and takes deltas.
    Opened {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
        /// Under which epoch.
        epoch: Epoch,
    },
    /// Owner to leader, until it is in the table: the stage cannot go on, so the job has to end.
    Stop {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
        /// Under which epoch.
        epoch: Epoch,
        /// Why, for people.
        reason: String,
        /// Whether the stage has its log still: then a sink gets its last line.
        #[serde(default)]
        has_log: bool,
    },
    /// Owner of the sink to leader, until it is in the table: the sink has its last line.
    Finished {
        /// The job.
        job: JobId,
        /// The epoch of the sink.
        epoch: Epoch,
    },
    /// Source to owner: what are the cursors of my files? Nothing is sent before.
    Hello {
        /// The job.
        job: JobId,
        /// The partition.
        partition: Partition,
        /// The owner's epoch.
        epoch: Epoch,
        /// Of files with larger keys. None: of all.
        #[serde(default)]
        after: Option<FileKey>,
    },
    /// Source to owner.
    Frame(Frame),
    /// Owner to source.
    Cursors(Cursors),
    /// Owner to the owner of the sink.
    Rows(Rows),
    /// Owner of the sink to owner: its rows below `next` are durable.
    RowsTaken {
        /// The job.
        job: JobId,
        /// The partition.
        partition: Partition,
        /// The epoch of the sink.
        epoch: Epoch,
        /// The number of the row that is next.
        next: u64,
    },
    /// Owner of the sink to owner: other partitions have rows of windows that end at this time, in
    /// milliseconds since 1970. Say when they are closed here.
    AskClosed {
        /// The job.
        job: JobId,
        /// The partition.
        partition: Partition,
        /// The epoch of the sink.
        epoch: Epoch,
        /// The time.
        until: i64,
    },
}

/// What a partition's groups grew by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The job.
    pub job: JobId,
    /// The partition.
    pub partition: Partition,
    /// The epoch of its owner.
    pub epoch: Epoch,
    /// Files of this member that the owner does not know have no line with a stamp before this, in
    /// milliseconds since 1970, unless it is late. None: nothing is known of them yet.
    pub presence: Option<i64>,
    /// Ranges of files, in order: at most [`MAX_DELTAS`].
    #[serde(deserialize_with = "forms::at_most::<_, _, MAX_DELTAS>")]
    pub deltas: Vec<Delta>,
    /// Which cursors the source knows to be dropped: see [`Cursors::dropped_at`]. None from an
    /// older memberd, which says of no file that it is gone.
    #[serde(default)]
    pub dropped_at: Option<u64>,
    /// Files that were counted to their ends in all partitions, and that this member has no more:
    /// at most [`MAX_TOLD`].
    #[serde(default, deserialize_with = "forms::at_most::<_, _, MAX_TOLD>")]
    pub gone: Vec<FileKey>,
}

/// Of file F bytes `from..to`, these groups grew by that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The file.
    pub file: FileKey,
    /// Its first byte that counts.
    pub start: u64,
    /// The first byte.
    pub from: u64,
    /// The byte behind the last.
    pub to: u64,
    /// Lines behind it have no stamp before this, unless they are late.
    pub watermark: i64,
    /// Nothing follows.
    pub is_finished: bool,
    /// The bytes are lost, or all that may have followed: `parts` is empty.
    pub gap: Option<GapReason>,
    /// Lines in no group. Of a range only one partition is told.
    pub uncounted: u64,
    /// By window, sums: at most [`MAX_PARTS`].
    #[serde(deserialize_with = "forms::at_most::<_, _, MAX_PARTS>")]
    pub parts: Vec<Part>,
}

impl Delta {
    /// At least as many bytes as it has on the wire.
    pub(crate) fn bytes(&self) -> usize {
        256 + bytes_of_parts(&self.parts)
    }
}

/// At least as many bytes as parts have on the wire.
pub(crate) fn bytes_of_parts(parts: &[Part]) -> usize {
    parts.iter().map(|part| 64 + part.sums.len()).sum()
}

/// The sums of one window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// When it begins, in milliseconds since 1970.
    pub window: i64,
    /// How many lines are in the sums.
    pub lines: u64,
    /// The sums.
    #[serde(with = "forms::bytes")]
    pub sums: Vec<u8>,
}

/// What cursors are told for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CursorsKind {
    /// The answer to a hello: the files behind the one that it names, in the order of their keys.
    All,
    /// These are durable.
    Acknowledged,
    /// Deltas of these files did not begin at the cursor. The source goes on from there.
    Rewind,
    /// There is no room. The source waits, and goes on from there.
    Full,
}

/// Cursors of one member's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors {
    /// The job.
    pub job: JobId,
    /// The partition.
    pub partition: Partition,
    /// The epoch of its owner.
    pub epoch: Epoch,
    /// What for.
    pub kind: CursorsKind,
    /// Of an answer to a hello: what that named.
    #[serde(default)]
    pub after: Option<FileKey>,
    /// Whether more files follow, for which the source says hello again.
    #[serde(default)]
    pub has_more: bool,
    /// The newest durable record that has dropped cursors. Who does not know it may speak of a file
    /// that was dropped, so no file is new to the owner before.
    #[serde(default)]
    pub dropped_at: u64,
    /// Them: at most [`MAX_TOLD`].
    #[serde(deserialize_with = "forms::at_most::<_, _, MAX_TOLD>")]
    pub files: Vec<ToldCursor>,
}

/// A cursor, as its owner tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldCursor {
    /// Of which file.
    pub file: FileKey,
    /// Its first byte that counts.
    pub start: u64,
    /// What is durable: bytes below it are never asked for again. None: not even the file is.
    pub durable: Option<u64>,
    /// Where the next delta must begin. None: the file is not known.
    pub next: Option<u64>,
    /// Whether it is durable that nothing follows.
    pub is_finished: bool,
    /// Whether it is durable that its member has it no more.
    #[serde(default)]
    pub is_gone: bool,
}

/// Rows of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The job.
    pub job: JobId,
    /// The partition.
    pub partition: Partition,
    /// The epoch of the sink.
    pub epoch: Epoch,
    /// The number of the first.
    pub from: u64,
    /// Them: at most [`MAX_ROWS`]. None asks where to begin.
    #[serde(deserialize_with = "forms::at_most::<_, _, MAX_ROWS>")]
    pub rows: Vec<Row>,
    /// How many rows the partition will ever have, if its job has ended.
    #[serde(default)]
    pub end: Option<u64>,
}
