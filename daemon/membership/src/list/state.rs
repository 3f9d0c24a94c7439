//! The update about a member, which travels, and the member's state in this machine's list. Both
//! are plain values.

use super::tags::VersionedTags;
use crate::identity::{Identity, Name};
use crate::time::{WallTime, millis};
use std::time::Duration;

/// An end that is said to lie further before the begin of its incarnation is not believed. It is as
/// far as clocks may be apart: see `plausibility.rs`.
const MAX_BEFORE_BEGIN: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The evidence of a failure. Of two about one incarnation, the lesser stays: see
/// [`crate::List::merge`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
    /// When it failed or left, if that is known: by the wall clock of the monitor that declared the
    /// failure, or of the member that left. Members of version 1 do not say it.
    pub ended: Option<WallTime>,
}

impl Update {
    /// An update about a member whose tags are not known.
    pub fn new(identity: Identity, claim: Claim) -> Self {
        Update { identity, claim, tags: VersionedTags::default(), ended: None }
    }

    /// The same update, about an end at this time.
    #[must_use]
    pub fn ended_at(mut self, time: WallTime) -> Self {
        self.ended = Some(time);
        self
    }

    /// When the member ended, if it did and the time can be believed. This depends on the update
    /// alone, so all members believe the same.
    pub(super) fn believed_end(&self) -> Option<WallTime> {
        let begin = self.identity.incarnation.0;
        let latest_doubt = begin.saturating_sub(millis(MAX_BEFORE_BEGIN));
        self.ended.filter(|ended| self.claim != Claim::Alive && ended.0 >= latest_doubt)
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
    Doubted(FailureEvidence),
    /// Declared failed. This is final for the incarnation.
    Failed(FailureEvidence),
    /// Left voluntarily. This is final for the incarnation.
    Left,
}

impl MemberState {
    /// The evidence of a failure.
    pub(super) fn evidence(&self) -> Option<&FailureEvidence> {
        match self {
            MemberState::Doubted(evidence) | MemberState::Failed(evidence) => Some(evidence),
            MemberState::Alive | MemberState::Left => None,
        }
    }

    pub(super) fn rank(&self) -> u8 {
        match self {
            MemberState::Alive | MemberState::Doubted(_) => 0,
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
