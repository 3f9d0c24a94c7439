//! What a [`crate::Node`] tells its owner: membership changes and what became of requests.

use crate::identity::{Identity, Incarnation};
use crate::join::JoinError;
use crate::list::FailureEvidence;
use std::net::SocketAddr;
use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The list changed.
    Member(MemberEvent),
    /// A member that is up has changed its tags.
    Tagged(Identity),
    /// From now on this member speaks under this incarnation. It must be on disk before anything
    /// more is sent, so that the next incarnation is larger.
    Incarnation(Incarnation),
    /// The join is done: heartbeats are exchanged with a monitor, so a crash from now on is
    /// noticed.
    JoinDone,
    /// The join failed; the node is out of the group again.
    JoinFailed(JoinError),
    /// The leave is done; the node is out of the group.
    LeaveDone {
        /// Whether a member acknowledged it. If none did, the others will report this one failed.
        acknowledged: bool,
    },
    /// The others had declared this member failed; it is back under a new incarnation.
    Rejoined {
        /// The incarnation that was declared failed.
        old: Incarnation,
        /// The new one.
        new: Incarnation,
    },
    /// Another machine took this one's name and is the newer of the two: the node has left the
    /// group.
    Superseded {
        /// The other.
        by: Identity,
    },
    /// The daemon itself did not run for this long; it accuses nobody for that.
    Stalled(Duration),
    /// A neighbour's wall clock is this many milliseconds ahead of ours (behind, if negative);
    /// heartbeats are judged without it.
    ClockDisagrees {
        /// The neighbour.
        member: Identity,
        /// In milliseconds.
        ahead: i64,
    },
    /// A neighbour's wall clock agrees with ours again.
    ClockAgrees {
        /// The neighbour.
        member: Identity,
    },
    /// A group with other settings answers at this address; the two do not merge.
    OtherSettings {
        /// Where.
        address: SocketAddr,
    },
}

/// A change of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberEvent {
    /// The member.
    pub member: Identity,
    /// What happened to it.
    pub kind: MemberEventKind,
}

/// The kinds of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberEventKind {
    /// It is up.
    Joined,
    /// A monitor declared it failed.
    Failed(FailureEvidence),
    /// It is back under a new incarnation before anybody had declared the old one failed.
    Restarted,
    /// It left.
    Left,
}
