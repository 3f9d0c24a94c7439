//! Durable questions over the logs of a fleet, such as counts by status every ten seconds, of
//! which each line counts once, through any crash: the protocol as pure state machines. No I/O, no
//! clock, no threads, no randomness.
//!
//! A [`Worker`] is one member: the source of its own files, and the owner of the stages that the
//! job [`Table`] gives it. A [`Leader`] writes that table. Each is handed inputs together with the
//! time, and says what to do as [`Output`]s. The README has the protocol in words.

mod cursor;
mod forms;
mod ids;
mod leader;
mod list;
mod log;
mod message;
mod output;
mod owner;
mod placement;
mod record;
mod settings;
mod sink;
mod source;
mod state;
mod status;
mod store;
mod stream_sums;
mod sums;
mod table;
mod watermark;
mod wire;
mod worker;

pub use cursor::{Cursor, Verdict, judge};
pub use ids::{Epoch, FileId, FileKey, JobId, MemberId, Now, Partition, Stage};
pub use leader::{Command, CommandError, Leader, MemberState, read_table, table_bytes};
pub use list::{list_bytes, list_rows, ordered};
pub use memberd_membership::{Incarnation, Name};
pub use message::{
    Cursors, CursorsKind, Delta, Frame, MAX_DELTAS, MAX_PARTS, MAX_ROWS, MAX_TOLD, Message, Part,
    Rows, ToldCursor,
};
pub use output::{FoldAsk, FoldRange, Folded, Note, Output};
pub use placement::{MAX_PARTITIONS, partition_of, rank};
pub use record::{
    Entry, Gap, GapReason, Image, List, Record, RecordError, Row, Shown, SinkRecord, WindowImage,
    WindowLists, WindowSums, entries,
};
#[doc(hidden)]
pub use settings::Mutant;
pub use settings::Settings;
pub use sink::SinkState;
pub use source::{Acknowledged, Look, SeenFile};
pub use state::{State, StateError, Window, WindowTimes};
pub use status::{JobStatus, Lag, PartitionStatus, SinkStatus};
pub use store::{AskId, At, Condition, JobFile, StoreAnswer, StoreAsk, StoreOperation};
pub use stream_sums::{StreamSums, StreamTable};
pub use sums::{OrderStep, SumRow, Sums, SumsError};
pub use table::{
    Assignment, From, Job, JobLimits, JobSpec, MAX_GROUPS, MAX_JOBS, MAX_PATTERNS, MAX_SOURCES,
    MAX_SUM_BYTES, MAX_TEXT_BYTES, OnFailed, SourceState, SpecError, Table,
};
pub use watermark::window_of;
pub use wire::{MESSAGE_CAP, WireError, decode, encode};
pub use worker::{MakeSums, Worker};
