//! How far a job is on one member, for people. Plain values.

use crate::ids::{Epoch, Partition};
use memberd_membership::Name;

/// How far a job is on one member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobStatus {
    /// The partitions that this member has.
    pub partitions: Vec<PartitionStatus>,
    /// The sink, if this member has it.
    pub sink: Option<SinkStatus>,
    /// How far the files of this member are. None: it is not known yet. Zero once the job ends.
    pub lag: Option<Lag>,
}

/// How far the files of a member are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Bytes that were seen, and that some partition has not made durable.
    pub bytes: u64,
    /// The oldest of them was written at most so long ago, in milliseconds, unless it was there
    /// before the first look. Zero if there are none.
    pub ms: u64,
}

/// A partition on its owner. The figures are those of its log, and of what is on its way there.
/// While it is not open they are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Which.
    pub partition: Partition,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Whether its log is read, so that it takes deltas.
    pub is_open: bool,
    /// Whether it has its last record.
    pub has_ended: bool,
    /// Whether it had no room for what came last: files wait.
    pub is_full: bool,
    /// Windows that end at or before this are closed, in milliseconds since 1970. None: no window
    /// is, or all are.
    pub watermark: Option<i64>,
    /// The member whose files, or whose silence, hold the watermark where it is.
    pub held_back_by: Option<Name>,
    /// Lines that came after their window was given up.
    pub late: u64,
    /// Lines in no group.
    pub uncounted: u64,
    /// Ranges of bytes that were not counted.
    pub gaps: u64,
    /// About the memory of its sums, in bytes.
    pub groups_bytes: u64,
}

/// The sink on its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkStatus {
    /// Under which epoch.
    pub epoch: Epoch,
    /// Whether its log is read.
    pub is_open: bool,
    /// How many rows have a place that is durable.
    pub rows: u64,
    /// Whether the sink has its last line.
    pub is_finished: bool,
    /// About the memory of the lists of windows, in bytes: none unless stages order the rows.
    pub lists_bytes: usize,
}
