//! What is said of a member: the update that travels, and the state of the member in this machine's
//! list.

use super::tags::VersionedTags;
use crate::identity::{Identity, Name};

/// Who declared a member failed, and on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureEvidence {
    /// The monitor that declared it.
    pub detected_by: Name,
    /// How long before the accusation the newest heartbeat known to the monitor had been sent, in
    /// milliseconds.
    pub silent_ms: u64,
}

/// What is said of a member: the part of an entry that travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is up.
    Alive,
    /// A monitor declared it failed.
    Failed(FailureEvidence),
    /// It left by its own word.
    Left,
}

/// One update about one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The member.
    pub identity: Identity,
    /// What is said of it.
    pub claim: Claim,
    /// What it says of itself.
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
    /// Silent past its deadline, but its monitor (this machine) has heard no other member since
    /// either, so the fault may be its own: it counts as failed here, and as alive in what is
    /// reported to others.
    Suspected(FailureEvidence),
    /// Declared failed; final for this incarnation.
    Failed(FailureEvidence),
    /// Left by its own word; final for this incarnation.
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
