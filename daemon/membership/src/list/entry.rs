//! One member in the list. An entry owns the member's identity, state and tags.

use super::state::{Claim, FailureEvidence, MemberState, Update};
use super::tags::{TagValue, VersionedTags, ZONE};
use crate::identity::{Identity, Name, Position};
use crate::time::{Instant, WallTime};
use std::net::SocketAddr;
use std::sync::Arc;

/// A member in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The member.
    pub identity: Identity,
    /// Its place on the ring.
    pub position: Position,
    /// Its state.
    pub state: MemberState,
    /// The tags that it announces.
    pub tags: VersionedTags,
    /// When it entered that state, by this machine's clock.
    pub since: Instant,
    /// When it failed or left, if that is known; on the wall clock of whoever said so. It is the
    /// same on every machine.
    pub ended: Option<WallTime>,
    fingerprint: u32,
}

impl Entry {
    pub(super) fn new(update: Update, since: Instant) -> Self {
        let ended = update.believed_end();
        let Update { identity, claim, tags, .. } = update;
        let (position, fingerprint) = (Position::of(identity.address), identity.fingerprint(&tags));
        Entry { identity, position, state: claim.into(), tags, since, ended, fingerprint }
    }

    /// The same member in another state.
    pub(super) fn with_state(&self, state: MemberState, since: Instant) -> Self {
        Entry { state, since, ..self.clone() }
    }

    /// The same member in the same state, with other tags.
    pub(super) fn tagged(&self, tags: VersionedTags) -> Self {
        let fingerprint = self.identity.fingerprint(&tags);
        Entry { tags, fingerprint, ..self.clone() }
    }

    /// The same end of the same member, with the evidence of another update.
    pub(super) fn with_evidence_of(&self, other: Entry) -> Self {
        Entry { state: other.state, ended: other.ended, ..self.clone() }
    }

    /// Whether it is up, in this machine's view.
    pub fn is_up(&self) -> bool {
        self.state == MemberState::Alive
    }

    /// Whether it is up in what this machine reports to others: the alive and the doubted are.
    pub fn is_alive_to_others(&self) -> bool {
        self.state.rank() == 0
    }

    /// The entry as an update.
    pub fn to_update(&self) -> Update {
        let claim = match &self.state {
            MemberState::Alive | MemberState::Doubted(_) => Claim::Alive,
            MemberState::Failed(evidence) => Claim::Failed(evidence.clone()),
            MemberState::Left => Claim::Left,
        };
        Update { ended: self.ended, ..self.with_claim(claim) }
    }

    /// Whether an update says that this member is alive, and nothing else that is new. A list that
    /// is exchanged is mostly such updates.
    pub(crate) fn is_said_by(&self, update: &Update) -> bool {
        self.identity == update.identity && update.claim == Claim::Alive && self.tags == update.tags
    }

    /// An update about this member.
    pub fn with_claim(&self, claim: Claim) -> Update {
        Update { identity: self.identity.clone(), claim, tags: self.tags.clone(), ended: None }
    }

    /// The zone that it names. Members of one zone may fail together.
    pub fn zone(&self) -> Option<&TagValue> {
        self.tags.get(ZONE)
    }

    /// Its hash, see [`Identity::fingerprint`].
    pub fn fingerprint(&self) -> u32 {
        self.fingerprint
    }

    pub(super) fn ring_key(&self) -> (Position, &Name) {
        (self.position, &self.identity.name)
    }

    /// The order of the merge law. Of two entries of one machine, the larger stays. The address
    /// only breaks the tie of two machines that took one name in the same millisecond. If all three
    /// are equal, the greater tags and the lesser evidence stay: see [`crate::List::merge`].
    pub(super) fn weight(&self) -> (u64, u8, SocketAddr) {
        (self.identity.incarnation.0, self.state.rank(), self.identity.address)
    }

    /// The order of the evidence of one end. The lesser stays: the earliest known time, and then
    /// the monitor whose name comes first. An unknown time is greater than all.
    pub(super) fn evidence_key(&self) -> (bool, Option<WallTime>, Option<&FailureEvidence>) {
        (self.ended.is_none(), self.ended, self.state.evidence())
    }
}

/// An entry that changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// The entry before the change.
    pub before: Option<Arc<Entry>>,
    /// The entry after the change.
    pub after: Arc<Entry>,
}

impl Change {
    /// Whether the member was gone already in this incarnation, and only its end is known better.
    pub fn is_evidence_only(&self) -> bool {
        self.before.as_ref().is_some_and(|before| {
            !before.is_alive_to_others() && before.weight() == self.after.weight()
        })
    }
}
