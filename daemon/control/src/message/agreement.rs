//! What a client asks of the agreed views and their leader, and the records in the answers.

use crate::bounded::at_most;
use serde::{Deserialize, Serialize};

/// The most names of one request to recover. No council is larger.
pub const MAX_LOST_NAMES: usize = 64;

/// The longest key of a claim, in bytes.
pub const MAX_CLAIM_KEY: usize = 128;

/// The most members in one [`Reply::ViewMembers`](super::Reply::ViewMembers).
pub const VIEW_MEMBERS_PER_REPLY: usize = 500;

/// Which view a client wants to see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewRequest {
    /// Whether the daemon tells what it has installed, and asks no majority.
    pub local: bool,
    /// Wait until the view of this number, or a newer one, is installed here.
    pub wait: Option<u64>,
    /// Whether to tell of the views before it as well, as far as they are kept.
    pub history: bool,
}

/// A recovery without a majority of the council.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverRequest {
    /// The names of the council members that are lost for good: exactly those not reached.
    #[serde(deserialize_with = "at_most::<_, _, MAX_LOST_NAMES>")]
    pub lost: Vec<String>,
    /// Whether only the plan is wanted.
    pub plan_only: bool,
}

/// What a client asks of the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaderRequest {
    /// Who leads, as far as this daemon knows.
    Show,
    /// Whether this machine is exclusive from now on for this long, in milliseconds. The daemon
    /// asks a majority.
    Check {
        /// How long.
        for_ms: u64,
    },
    /// As [`LeaderRequest::Show`], as soon as a leader is exclusive.
    Wait,
    /// Wait until this machine is exclusive, then follow its lease until it is lost.
    Hold,
    /// The work under this hold has ended, so a hand-over need not wait for the told lease.
    Release {
        /// The hold, from its [`LeaseRecord`]. Only its client knows it.
        hold: u64,
    },
    /// Give up the leadership, to this member or to the next in the council's order.
    HandOver {
        /// The name of the next leader.
        to: Option<String>,
    },
}

/// A claim on a key: of all that ask, one gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// The key: 1 to [`MAX_CLAIM_KEY`] bytes.
    pub key: String,
    /// Whether a claim counts no more whose holder is in the view no more.
    pub retry: bool,
}

/// An agreed view, without its members, and how sure it is. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewRecord {
    /// Its number; 0 before the first one.
    pub number: u64,
    /// Its term.
    pub term: u64,
    /// The name of its leader; none before the first election and after a recovery.
    pub leader: Option<String>,
    /// The names of the council, in its order.
    pub council: Vec<String>,
    /// The changes that no majority has confirmed yet.
    pub pending: Vec<PendingRecord>,
    /// How long ago a majority confirmed that it is the newest; none if that never happened here.
    pub confirmed_ms_ago: Option<u64>,
    /// How many of the council said so, this machine included.
    pub confirmed_by: u64,
    /// Whether no majority can be reached, so that there may be a newer view, and none is made.
    pub stale: bool,
    /// For how long it has been so.
    pub stale_ms: Option<u64>,
    /// The names of the council members that were not reached.
    pub missing: Vec<String>,
}

/// A member of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewMember {
    /// Its name.
    pub name: String,
    /// `name@address:port/incarnation`.
    pub id: String,
}

/// A change that is not in a view yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRecord {
    /// What it is.
    pub operation: ViewOperation,
    /// The member it is about; the key, for a claim; empty for seats.
    pub name: String,
}

/// The kinds of change between two views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewOperation {
    /// A member comes.
    Add,
    /// A member goes.
    Delete,
    /// The council gets other members.
    Seat,
    /// A member claims a key.
    Claim,
    /// There is a new leader.
    Leader,
    /// A share of replicated files comes.
    #[serde(rename = "add-share")]
    AddShare,
    /// A share of replicated files goes.
    #[serde(rename = "remove-share")]
    RemoveShare,
    /// A new keeper of a share has its catalog.
    #[serde(rename = "fill-share")]
    FillShare,
    /// A keeper of a share has lost its catalog.
    #[serde(rename = "lose-share")]
    LoseShare,
}

/// A view of the past, and what it changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastViewRecord {
    /// Its number.
    pub number: u64,
    /// Its term.
    pub term: u64,
    /// The name of its leader, if it had one.
    pub leader: Option<String>,
    /// When it was installed here, in milliseconds since the Unix epoch.
    pub time: u64,
    /// The names of the members that came with it.
    pub added: Vec<String>,
    /// The names of the members that went with it.
    pub removed: Vec<String>,
    /// How many members it has.
    pub members: u64,
    /// The names of its council.
    pub council: Vec<String>,
}

/// The agreed view in short, as one daemon has it, without asking the council.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewSummary {
    /// Its number; 0 before the first one.
    pub number: u64,
    /// Its term, which is the token.
    pub term: u64,
    /// The name of the leader, as far as it is known to lead still: none while the view is stale.
    pub leader: Option<String>,
    /// Whether the leader is exclusive, as far as this daemon knows.
    pub exclusive: bool,
    /// How many members it has.
    pub members: u64,
    /// How many changes no majority has confirmed yet.
    pub pending: u64,
    /// For how long no majority was reached, in milliseconds; none if one is.
    pub stale_ms: Option<u64>,
    /// The names of the council members that were not reached, while it is stale.
    pub missing: Vec<String>,
}

/// The most names or operations in one [`ViewEventRecord`].
pub const MAX_EVENT_NAMES: usize = 100;

/// Something that happened to the agreed views. What is not of this kind of event is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewEventRecord {
    /// When this daemon learned of it, in milliseconds since the Unix epoch.
    pub time: u64,
    /// What happened.
    pub change: ViewChange,
    /// The number of the view: for an operation, of the view that has it, or is to have it.
    pub number: u64,
    /// The term. Operations do not tell it.
    pub term: Option<u64>,
    /// The leader of the view, or the one that was elected.
    pub leader: Option<String>,
    /// The names of members that came, at most [`MAX_EVENT_NAMES`].
    pub added: Vec<String>,
    /// The names of members that went, at most as many.
    pub removed: Vec<String>,
    /// How many members the view has; zero if it is not about a view.
    pub members: u64,
    /// The operations, at most as many.
    pub operations: Vec<PendingRecord>,
    /// The name of the leader that proposed them.
    pub by: Option<String>,
    /// Why the leadership was lost.
    pub reason: Option<String>,
    /// The names of the council members that are not reached, at most as many.
    pub missing: Vec<String>,
    /// How long the view was stale, in milliseconds.
    pub after_ms: Option<u64>,
}

/// What happened to the agreed views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewChange {
    /// A view was installed here.
    #[default]
    Installed,
    /// It has a new leader.
    Elected,
    /// This machine leads no more.
    Lost,
    /// Operations wait for a majority.
    Pending,
    /// Operations are in a view.
    Finished,
    /// No majority of the council is reached.
    Stale,
    /// One is reached again.
    Fresh,
}

/// What a recovery would do, or is about to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPlan {
    /// The number of the newest view among the reached, decided or accepted.
    pub number: u64,
    /// The term after the recovery. It is far above all terms before.
    pub term: u64,
    /// The names of the council members that were reached, of which the new council is made.
    pub reached: Vec<String>,
    /// The council members that are given up.
    pub lost: Vec<LostRecord>,
    /// How long it waits before it acts, in milliseconds: two leases, in which no old leader that
    /// still runs stays exclusive.
    pub wait_ms: u64,
}

/// A council member that is given up in a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRecord {
    /// Its name.
    pub name: String,
    /// How long ago it was last heard, in milliseconds; none if never since the daemon started.
    pub heard_ms_ago: Option<u64>,
}

/// The leader, as far as this daemon knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderRecord {
    /// Its name; none while there is none, or this machine does not know it.
    pub leader: Option<String>,
    /// The newest term, which is the token.
    pub term: u64,
    /// Whether the leader is exclusive, as far as this daemon knows.
    pub exclusive: bool,
    /// Whether it is this machine.
    pub here: bool,
    /// How long it has led, in milliseconds; none while there is none.
    pub for_ms: Option<u64>,
}

/// The answer to [`LeaderRequest::Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checked {
    /// This machine is exclusive.
    Exclusive {
        /// The token.
        term: u64,
        /// Until when at least, on this machine's `CLOCK_BOOTTIME`, in nanoseconds.
        until_boot_ns: u64,
    },
    /// It is not, and why.
    Not {
        /// One line without the program's name.
        reason: String,
    },
}

/// A lease of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The token.
    pub term: u64,
    /// Until when this machine is exclusive, on its own `CLOCK_BOOTTIME`, in nanoseconds. What was
    /// told is a promise: it is not taken back, and a hand-over waits for it.
    pub until_boot_ns: u64,
    /// A random number that names this hold in [`LeaderRequest::Release`].
    pub hold: u64,
}

/// Why a lease is not renewed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseLost {
    /// The token of the lease.
    pub term: u64,
    /// One line: `no majority of the council answers`, `handed over to vm3`.
    pub reason: String,
}

/// Who has a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedRecord {
    /// Whether this very request got it. A second request on the same machine does not.
    pub by_us: bool,
    /// The name of the member that has it.
    pub by: String,
    /// The term of the view in which the claim was decided: the token.
    pub term: u64,
}
