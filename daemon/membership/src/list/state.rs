//! The update about a member, which travels, and the member's state in this machine's list. Both
//! are plain values.

use super::tags::VersionedTags;
use crate::identity::{Identity, Name};

/// The evidence of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureEvidence {
    /// The monitor that declared the failure.
    pub detected_by: Name,
    /// The age of the newest heartbeat known to the monitor at its accusation, in milliseconds.
    pub silent_ms: u64,
}

/// The claim about a member: the part of an entry that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is up.
    Alive,
    /// A monitor declared it failed.
    Failed(FailureEvidence),
    /// It left voluntarily.
    Left,
}

/// One update about one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The member.
    pub identity: Identity,
    /// The claim about it.
    pub claim: Claim,
    /// The tags that it announces.
    pub tags: VersionedTags,
}

impl Update {
    /// An update about a member whose tags are not known.
    pub fn new(identity: Identity, claim: Claim) -> Self {
        Update { identity, claim, tags: VersionedTags::default() }
    }
}

/// The state of a member in this machine's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberState {
    /// Up.
    Alive,
    /// Silent past its deadline. But its monitor, this machine, has heard no other member since, so
    /// the fault may be its own. The member counts as failed here, and is reported to others as
    /// alive.
    Suspected(FailureEvidence),
    /// Declared failed. This is final for the incarnation.
    Failed(FailureEvidence),
    /// Left voluntarily. This is final for the incarnation.
    Left,
}

impl MemberState {
    pub(super) fn rank(&self) -> u8 {
        match self {
            MemberState::Alive | MemberState::Suspected(_) => 0,
            MemberState::Failed(_) => 1,
            MemberState::Left => 2,
        }
    }
}

impl From<Claim> for MemberState {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Alive => MemberState::Alive,
            Claim::Failed(evidence) => MemberState::Failed(evidence),
            Claim::Left => MemberState::Left,
        }
    }
}
