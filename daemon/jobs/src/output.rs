//! What the protocol asks of its host. Plain values.

use crate::ids::{FileKey, JobId, Partition, Stage};
use crate::message::{Message, Part};
use crate::store::{JobFile, StoreAsk};
use memberd_membership::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Something for the host to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send this to a member, which may be this one.
    Send(Name, Message),
    /// Ask the file system.
    Store(StoreAsk),
    /// Read and sum ranges of files.
    Fold(FoldAsk),
    /// Tell people.
    Note(Note),
}

/// Ranges of files of this member to sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldAsk {
    /// Of which job.
    pub job: JobId,
    /// Repeated by the answer.
    pub number: u64,
    /// Them. Ends are ends of lines, or bounds to round down to one.
    pub ranges: Vec<FoldRange>,
}

/// A range of a file to sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldRange {
    /// The file.
    pub file: FileKey,
    /// Its first byte.
    pub from: u64,
    /// At most up to here; the host goes to the end of the last whole line, or of the first line
    /// if that alone is longer.
    pub to: u64,
    /// For which partitions.
    pub partitions: BTreeSet<Partition>,
}

/// The sums of a range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    /// The byte behind the last line in it.
    pub to: u64,
    /// The newest stamp of all its lines, in milliseconds since 1970.
    pub newest: Option<i64>,
    /// Lines in no group.
    pub uncounted: u64,
    /// By partition, sums by window. Those without any are left out.
    pub parts: BTreeMap<Partition, Vec<Part>>,
}

/// Something that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A stage is owned here now.
    Opened(JobId, Stage),
    /// Another member has the stage, so it ended here.
    Deposed(JobId, Stage),
    /// All copies of a stage's log are lost. It is not begun anew: its rows would come twice.
    LogLost(JobId, Stage),
    /// A stage's log cannot be read: this is why.
    LogUnreadable(JobId, Stage, String),
    /// There is no job table. It is made once, empty, when a group begins to have jobs.
    TableLost,
    /// The job table cannot be read: this is why.
    TableUnreadable(String),
    /// A job does not run here, since there are no sums for its query: its stages here wait.
    CannotRun(JobId),
    /// The stage cannot go on, so the job ends: this is why.
    Stopped(JobId, Stage, String),
    /// The job of this name was not started, since this file of it is not new.
    NotStarted(String, JobFile),
    /// The job of this name was not started, since its files could not be made for too long.
    NotMade(String),
    /// The sink has other bytes than were written there.
    SinkDamaged(JobId),
    /// A member sent sums that cannot be read: this is why. They are not counted.
    BadSums(JobId, Name, String),
    /// The sums of a partition have no room. Its sources wait.
    Full(JobId, Partition),
    /// The job table has no room for the files of this member, and maybe others. They do not count.
    LeftOut(JobId, Name),
    /// Bytes of a file are gone that were not counted.
    Lost(JobId, FileKey),
}
