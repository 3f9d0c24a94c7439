//! What is said over the control socket: requests, replies, and the records in them.

mod request;

pub use self::request::{ChangeKinds, EventsFrom, Follow, Request};

use crate::grep::GrepOutcome;
use crate::tags::Tags;
use serde::{Deserialize, Serialize};

/// The version of this protocol. A client and a daemon of different versions part at the hello.
pub const PROTOCOL_VERSION: u32 = 1;

/// The first frame of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The sender's [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The sender's program and version, for people: `memberctl 0.1.0`.
    pub program: String,
}

/// One frame from the daemon. Every request is answered by zero or more of the streamed kinds and
/// then exactly one final kind; [`Request::Events`] and a [`Request::Follow`] without an end have no
/// final reply but [`Reply::Refused`].
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
    },
    /// Final: the daemon is not in the group any more.
    Left {
        /// Whether it was in the group before the request.
        was_member: bool,
    },
    /// Streamed: a part of the list, at most [`MEMBERS_PER_REPLY`] members, ordered by name.
    Members(Vec<MemberRecord>),
    /// Final: how the daemon is doing.
    Status(Box<StatusReport>),
    /// Streamed: a membership change.
    Event(EventRecord),
    /// Streamed: grep output from one member, ready to print: whole lines, or a piece of one that
    /// is longer than a frame, whose other pieces follow before anything else does.
    GrepOutput {
        /// The member that they are from.
        member: String,
        /// The lines, newlines included.
        #[serde(with = "crate::bytes")]
        bytes: Vec<u8>,
    },
    /// Streamed: a message of one member's search for standard error (`FILE: Permission denied`),
    /// without newline.
    GrepMessage {
        /// The member that it is from.
        member: String,
        /// The words.
        text: String,
    },
    /// Streamed: how far a grep that takes its time has come; every quarter of a second or so,
    /// after the first half.
    GrepProgress {
        /// Members asked, or to be asked.
        asked: u64,
        /// Those that have answered to the end, or are lost.
        answered: u64,
        /// Bytes searched, on all of them.
        bytes: u64,
    },
    /// Streamed: a sentence about the group for standard error, such as that a member has joined
    /// what `--follow` follows.
    GrepNotice(String),
    /// Streamed: one member's search is over.
    GrepMember {
        /// The member.
        member: String,
        /// How it went.
        outcome: GrepOutcome,
    },
    /// Final: all that could be delivered has been.
    Done,
    /// Final: not done, and why.
    Refused(Refusal),
    /// Final: what the daemon logs now.
    Log {
        /// As in [`Request::Log`].
        filter: String,
    },
    /// Streamed: changes that belong here are missing.
    EventsMissed(MissedRecord),
    /// Final: what the daemon measures, in Prometheus' text format.
    Metrics(String),
    /// Streamed: a part of the ring, at most [`MEMBERS_PER_REPLY`] members, in its order.
    Ring(RingPart),
}

/// The most members in one [`Reply::Members`].
pub const MEMBERS_PER_REPLY: usize = 100;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind, for the exit status.
    pub kind: RefusalKind,
    /// One line for the user: what failed, on what, and what to do.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// The daemon is not in a group.
    NotInGroup,
    /// It could not be done.
    Failed,
    /// The caller may not do that.
    NotPermitted,
    /// The request makes no sense (a bad pattern, a bad address).
    Usage,
    /// The time limit passed.
    TimedOut,
    /// The client's protocol version is not the daemon's.
    Version,
}

/// A member's standing in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// Up.
    Alive,
    /// Declared failed: it crashed, or could not be heard.
    Failed,
    /// It left by its own word.
    Left,
}

impl MemberStatus {
    /// All there are.
    pub const ALL: [MemberStatus; 3] =
        [MemberStatus::Alive, MemberStatus::Failed, MemberStatus::Left];

    /// In a word: `alive`, `failed` or `left`.
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
    /// Its standing.
    pub status: MemberStatus,
    /// Milliseconds since the Unix epoch, of its join.
    pub incarnation: u64,
    /// Whether this is the daemon that answers.
    pub this_machine: bool,
    /// When its standing last changed, as this daemon saw it: milliseconds since the Unix epoch.
    pub since: u64,
    /// For a failed member: who noticed, and on what evidence.
    pub evidence: Option<EvidenceRecord>,
    /// What it says of itself.
    #[serde(default)]
    pub tags: Tags,
}

/// What an accusation rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// The name of the monitor that declared the member failed.
    pub accuser: String,
    /// Milliseconds between the newest heartbeat's sending and the accusation.
    pub silent_for: u64,
}

/// A membership change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// When this daemon saw it: milliseconds since the Unix epoch.
    pub time: u64,
    /// What has changed.
    #[serde(default)]
    pub change: Change,
    /// How the member stands since then. If it is that which has changed, `alive` is a join.
    pub status: MemberStatus,
    /// The member, as it is since then.
    pub member: MemberRecord,
}

/// What of a member has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Its standing.
    #[default]
    Standing,
    /// Its tags. Only a client that asks for [`ChangeKinds::All`] receives this.
    Tags,
}

/// A gap in the membership changes that a follower is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedRecord {
    /// All changes from this moment on are told: milliseconds since the Unix epoch.
    pub until: u64,
    /// How many are missing; none when the daemon does not know, since they were before it started.
    pub count: Option<u64>,
}

/// A part of the ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingPart {
    /// How many members watch each: the half rounded up are its successors, the others its
    /// predecessors.
    pub max_simultaneous_failures: u8,
    /// The names of the members, as they stand on the ring, the gone where they stood.
    pub names: Vec<String>,
}

/// How one daemon is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The digest of its list of the alive, in hexadecimal; equal on every member at rest.
    pub digest: String,
    /// Each member whose heartbeats it watches, or that watches it.
    pub neighbours: Vec<NeighbourRecord>,
    /// Named counters, ordered by name.
    pub counters: Vec<(String, u64)>,
    /// Plain words on what is wrong, if anything.
    pub warnings: Vec<String>,
    /// The greps that its clients have started and that run now.
    pub greps: Vec<RunningGrep>,
    /// How many searches it runs now, for any member's clients.
    pub searches: u64,
    /// What it says of itself.
    #[serde(default)]
    pub tags: Tags,
    /// The public ids of the keys in force, the one that seals first; none where nothing is sealed.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// A grep under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningGrep {
    /// Its patterns, one a line; none over the socket for looking only, since a pattern may hold
    /// what not everybody is to see.
    pub pattern: Option<String>,
    /// For how long it has run, in milliseconds.
    pub running_for: u64,
}

/// A member on the other end of heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourRecord {
    /// Its name.
    pub name: String,
    /// Milliseconds since it sent the newest heartbeat that is known here; none when none was heard
    /// yet.
    pub heartbeat_age: Option<u64>,
    /// Milliseconds by which its wall clock seems ahead of ours; none while unknown.
    pub clock_offset: Option<i64>,
    /// Whether its list had the same digest at its last heartbeat.
    pub agrees: bool,
    /// Whether this daemon watches it.
    pub watched: bool,
    /// Whether it watches this daemon.
    pub watches: bool,
    /// The smallest delay of its datagrams lately, in milliseconds; none while unknown.
    pub smallest_delay: Option<u64>,
    /// How many of a thousand of its heartbeats were lost in the last minute or two; none while
    /// unknown.
    pub lost_permille: Option<u16>,
}
