//! The messages of the control socket: hellos, requests, replies, and the records in them.

mod agreement;
mod file;
mod request;

pub use self::agreement::{
    Checked, ClaimRequest, ClaimedRecord, LeaderRecord, LeaderRequest, LeaseLost, LeaseRecord,
    LostRecord, MAX_CLAIM_KEY, MAX_EVENT_NAMES, MAX_LOST_NAMES, PastViewRecord, PendingRecord,
    RecoverRequest, RecoveryPlan, VIEW_MEMBERS_PER_REPLY, ViewChange, ViewEventRecord, ViewMember,
    ViewOperation, ViewRecord, ViewRequest, ViewSummary,
};
pub use self::file::{
    FILE_ENTRIES_PER_REPLY, FILE_PIECE_BYTES, FileAppend, FileCopies, FileEntry, FileKind,
    FileLacking, FileList, FileMerged, FileProgress, FilePut, FileRead, FileReply, FileRequest,
    FileStat, FileStatRequest, FileUpload, FilesChecked, FilesReport, ShareReport, StoredExtent,
};
pub use self::request::{ChangeKinds, EventsFrom, Follow, Forget, Request};

use crate::files::FileListing;
use crate::grep::{GrepCopy, GrepOutcome};
use crate::streams::StreamReply;
use crate::tags::Tags;
use serde::{Deserialize, Serialize};

/// The version of this protocol. A client and a daemon of different versions end the connection
/// after the hellos.
pub const PROTOCOL_VERSION: u32 = 1;

/// The first frame in each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The sender's [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The sender's program and version, for people: `memberctl 0.1.0`.
    pub program: String,
}

/// One frame from the daemon. Every request is answered by zero or more of the streamed kinds and
/// then exactly one final kind; [`Request::Events`] and a [`Request::Follow`] without an end have
/// no final reply but [`Reply::Refused`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Final: the daemon is a member now, or was one already.
    Joined {
        /// This member's identity, `name@address:port/incarnation`.
        id: String,
        /// How many members are alive, this one included.
        alive: u64,
        /// Whether it was in the group before the request.
        already: bool,
        /// Why it has founded the group, if it has. Older daemons do not say so.
        #[serde(default)]
        founded: Option<Founded>,
    },
    /// Final: the daemon is not in the group any more.
    Left {
        /// Whether it was in the group before the request.
        was_member: bool,
    },
    /// Streamed: a part of the list, at most [`MEMBERS_PER_REPLY`] members, ordered by name.
    Members(Vec<MemberRecord>),
    /// Final: the state of the daemon.
    Status(Box<StatusReport>),
    /// Streamed: a membership change.
    Event(EventRecord),
    /// Streamed: output of one member, ready to print. It has whole lines, or a piece of a line
    /// that is longer than a frame. The other pieces of that line are the next replies.
    GrepOutput {
        /// The name of the member that sent it.
        member: String,
        /// The lines, newlines included.
        #[serde(with = "crate::bytes")]
        bytes: Vec<u8>,
    },
    /// Streamed: a message of one member's search for standard error, without a newline, such as
    /// `FILE: Permission denied`.
    GrepMessage {
        /// The name of the member that sent it.
        member: String,
        /// The message.
        text: String,
    },
    /// Streamed: the progress of a grep that takes longer than half a second, about four times a
    /// second.
    GrepProgress {
        /// The number of members that are asked in all.
        asked: u64,
        /// The number of members that have finished, or are lost.
        answered: u64,
        /// Bytes searched on all members so far.
        bytes: u64,
    },
    /// Streamed: a sentence about the group for standard error. For example, a member has joined
    /// that `--follow` follows from now on.
    GrepNotice(String),
    /// Streamed: one member's search has ended.
    GrepMember {
        /// The member's name.
        member: String,
        /// How it ended.
        outcome: GrepOutcome,
    },
    /// Streamed: a copy of one member's logs is searched in place of them. What is found is that
    /// member's output. Only a client that asks for copies gets it.
    GrepCopy {
        /// The member's name.
        member: String,
        /// Its copy.
        copy: GrepCopy,
    },
    /// Final: all replies have been sent.
    Done,
    /// Final: the request was not carried out, and why.
    Refused(RequestRefusal),
    /// Final: what the daemon logs now.
    Log {
        /// As in [`Request::Log`].
        filter: String,
    },
    /// Streamed: changes are missing at this place.
    EventsMissed(MissedRecord),
    /// Final: the daemon's metrics in Prometheus' text format.
    Metrics(String),
    /// Streamed: the files of one member that can be searched.
    Files {
        /// The member's name.
        member: String,
        /// Its files.
        listing: Box<FileListing>,
    },
    /// Streamed: a part of the ring, at most [`MEMBERS_PER_REPLY`] members, in its order.
    Ring(RingPart),
    /// Final: members were forgotten, here and on the others.
    Forgotten(ForgottenReport),
    /// Final: the outcome of a reload.
    Reloaded(ReloadReport),
    /// Streamed: a part of the members of the view that follows, at most
    /// [`VIEW_MEMBERS_PER_REPLY`], ordered by name.
    ViewMembers(Vec<ViewMember>),
    /// Streamed: a view of the past. The oldest comes first.
    PastView(PastViewRecord),
    /// Final: the view that is installed.
    View(Box<ViewRecord>),
    /// Streamed: what the recovery is about to do. If only the plan was wanted, it does nothing.
    RecoveryPlan(RecoveryPlan),
    /// Final: who leads.
    Leader(LeaderRecord),
    /// Final: whether this machine is exclusive.
    Checked(Checked),
    /// Streamed: this machine is exclusive, first when it becomes so and then with each renewal.
    Lease(LeaseRecord),
    /// Final: the lease is not renewed any more. The last [`Reply::Lease`] still counts.
    LeaseLost(LeaseLost),
    /// Final: who has the key.
    Claimed(ClaimedRecord),
    /// An answer about replicated files, streamed or final as it says.
    File(FileReply),
    /// Streamed: a part of one member's sums. They count only once the member's
    /// [`Reply::GrepMember`] says that it searched all; while it follows, once its
    /// [`Reply::StatsRound`] says so. Only [`Request::Stats`] gets it.
    StatsPartial {
        /// The member's name.
        member: String,
        /// What the crate `memberd-streams` made, at most
        /// [`MAX_PARTIAL_BYTES`](crate::stats::MAX_PARTIAL_BYTES).
        #[serde(with = "crate::bytes")]
        bytes: Vec<u8>,
    },
    /// Streamed: one member's parts since its last round belong together. Each line that it follows
    /// counts in one whole round. Only [`Request::Stats`] with
    /// [`StatsRequest::every_ms`](crate::stats::StatsRequest::every_ms) gets it.
    StatsRound {
        /// The member's name.
        member: String,
        /// They count now. If not, they must be thrown away, since the member was asked anew: its
        /// later parts have those lines again.
        is_whole: bool,
    },
    /// Final: an answer about durable jobs.
    Stream(StreamReply),
    /// Streamed: something happened to the agreed views. Only a client that asks for
    /// [`ChangeKinds::WithViews`] receives this.
    ViewEvent(Box<ViewEventRecord>),
}

/// What became of a request to forget members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgottenReport {
    /// The ids of the forgotten members, ordered by name.
    pub ids: Vec<String>,
    /// The names of members that are too old for it. They go on listing the forgotten.
    pub older: Vec<String>,
    /// The names of members that did not answer. They hear of it later.
    pub unanswered: Vec<String>,
    /// The number of members that were not asked, since the group is large. They hear of it within
    /// seconds.
    pub not_asked: u64,
}

/// Why a daemon has founded a new group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Founded {
    /// No introducers are set or named.
    NoIntroducers,
    /// It is an introducer itself, and no other answered.
    NobodyAnswered,
}

/// The most members in one [`Reply::Members`].
pub const MEMBERS_PER_REPLY: usize = 100;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRefusal {
    /// The kind, which decides the exit status.
    pub kind: RefusalKind,
    /// One line for the user: what failed, on what, and what to do.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// The daemon is not in a group.
    NotInGroup,
    /// The request failed.
    Failed,
    /// The caller has no permission.
    NotPermitted,
    /// The request is wrong, for example a bad pattern or address.
    Usage,
    /// The time limit has passed.
    TimedOut,
    /// The client's protocol version is not the daemon's.
    Version,
}

/// A member's status in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// Up.
    Alive,
    /// Declared failed: it crashed, or its heartbeats did not arrive.
    Failed,
    /// It left voluntarily.
    Left,
}

impl MemberStatus {
    /// All values.
    pub const ALL: [MemberStatus; 3] =
        [MemberStatus::Alive, MemberStatus::Failed, MemberStatus::Left];

    /// The word for it: `alive`, `failed` or `left`.
    pub fn as_str(self) -> &'static str {
        match self {
            MemberStatus::Alive => "alive",
            MemberStatus::Failed => "failed",
            MemberStatus::Left => "left",
        }
    }
}

/// One member as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// `name@address:port/incarnation`.
    pub id: String,
    /// The machine's name.
    pub name: String,
    /// IPv4 or IPv6 address, without brackets.
    pub address: String,
    /// UDP and TCP port.
    pub port: u16,
    /// Its status.
    pub status: MemberStatus,
    /// When it joined, in milliseconds since the Unix epoch, and always more than for its last
    /// join.
    pub incarnation: u64,
    /// Whether this is the daemon that replies.
    pub this_machine: bool,
    /// When it joined, failed or left, in milliseconds since the Unix epoch, by the clock of who
    /// said so. It is when this daemon learned of that, if nobody said the time.
    pub since: u64,
    /// For a failed member: who noticed, and the evidence.
    pub evidence: Option<EvidenceRecord>,
    /// For an alive member: the name of the monitor that suspects it, if any does. Only a list says
    /// so, no event. Older daemons do not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected_by: Option<String>,
    /// The member's tags.
    #[serde(default)]
    pub tags: Tags,
}

/// The evidence of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// The name of the monitor that declared the member failed.
    pub accuser: String,
    /// How long before that the newest known heartbeat was sent, in milliseconds.
    pub silent_for: u64,
}

/// A membership change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// When this daemon learned of it, in milliseconds since the Unix epoch.
    pub time: u64,
    /// What has changed.
    #[serde(default)]
    pub change: Change,
    /// The member's status since then. If the status has changed, `alive` means a join.
    pub status: MemberStatus,
    /// The member as it is since then.
    pub member: MemberRecord,
}

/// What has changed about a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Its status.
    #[default]
    #[serde(rename = "Standing")]
    Liveness,
    /// Its tags. Only a client that asks for [`ChangeKinds::All`] or more receives this.
    Tags,
    /// An operator had it forgotten; the record says how it was before. Only a client that asks for
    /// [`ChangeKinds::WithForgotten`] receives this.
    Forgotten,
}

/// A gap in the changes that a follower receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedRecord {
    /// All changes from this moment on are sent. It is in milliseconds since the Unix epoch.
    pub until: u64,
    /// How many changes are missing; none if they happened before the daemon started, and it does
    /// not know.
    pub count: Option<u64>,
}

/// The outcome of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Whether the settings of the file were taken in.
    pub reloaded: bool,
    /// The settings of which the file has another value than the daemon had.
    pub changed: Vec<SettingChange>,
    /// A line for each problem.
    pub problems: Vec<String>,
    /// Whether the keys are a credential, of which a reload sees no change.
    #[serde(default)]
    pub key_is_credential: bool,
}

/// A setting with another value in the file than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingChange {
    /// `SECTION.KEY`, or `keys` for the ids of the group's keys.
    pub key: String,
    /// The value before, as JSON has it. None if there was none.
    pub before: Option<String>,
    /// The value in the file.
    pub after: Option<String>,
    /// Whether the value of the file is in force. If not, it needs a restart.
    pub in_force: bool,
}

/// A part of the ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingPart {
    /// How many members watch each member: half of them, rounded up, are its successors, and the
    /// others its predecessors.
    pub max_simultaneous_failures: u8,
    /// The names of the members in the order of the ring, failed and left members included.
    pub names: Vec<String>,
}

/// The state of one daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Its program version.
    pub version: String,
    /// Whether it is in the group: `member`, `joining`, `leaving`, `out`.
    pub phase: String,
    /// Its own name.
    pub name: String,
    /// Its own `address:port`.
    pub address: String,
    /// Its identity while it is in the group.
    pub id: Option<String>,
    /// Milliseconds since the daemon started.
    pub uptime: u64,
    /// Alive members, itself included.
    pub alive: u64,
    /// Members known to have failed.
    pub failed: u64,
    /// Members known to have left.
    pub left: u64,
    /// How many of the alive are suspected. Older daemons do not say so.
    #[serde(default)]
    pub suspected: u64,
    /// The digest of its list of alive members, in hexadecimal. It is the same on every member
    /// while nothing changes.
    pub digest: String,
    /// The members that it watches, and those that watch it.
    pub neighbours: Vec<NeighbourRecord>,
    /// Named counters, ordered by name.
    pub counters: Vec<(String, u64)>,
    /// A sentence for each problem.
    pub warnings: Vec<String>,
    /// The running greps of its clients.
    pub greps: Vec<RunningGrep>,
    /// The number of searches that run here now, for any member's clients.
    pub searches: u64,
    /// The member's tags.
    #[serde(default)]
    pub tags: Tags,
    /// The public ids of the keys in use. The first key seals. It is empty if nothing is sealed.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The agreed view; none where they are switched off, or if the daemon is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<ViewSummary>,
}

/// A running grep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningGrep {
    /// Its patterns, one a line. There are none on the read-only socket, since a pattern may be
    /// secret.
    pub pattern: Option<String>,
    /// How long it has run, in milliseconds.
    pub running_for: u64,
}

/// A member with which heartbeats are exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourRecord {
    /// Its name.
    pub name: String,
    /// How long ago it sent the newest known heartbeat, in milliseconds; none if there was none
    /// yet.
    pub heartbeat_age: Option<u64>,
    /// How far its wall clock seems ahead of ours, in milliseconds; none while unknown.
    pub clock_offset: Option<i64>,
    /// Whether its last heartbeat carried the same digest as ours.
    pub agrees: bool,
    /// Whether this daemon watches it.
    pub watched: bool,
    /// Whether it watches this daemon.
    pub watches: bool,
    /// The smallest recent delay of its datagrams, in milliseconds; none while unknown.
    pub smallest_delay: Option<u64>,
    /// How many of a thousand of its heartbeats were lost in the last minute or two; none while
    /// unknown.
    pub lost_permille: Option<u16>,
    /// The name of the monitor that suspects it; none if nobody does, or the daemon is older.
    #[serde(default)]
    pub suspected_by: Option<String>,
}
