//! What a voter must not forget: [`Durable`], one record that is written whole, a plain value.

use crate::operation::Proposal;
use crate::view::{Lineage, Term, View, ViewNumber, Voter, VoterId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Whom a voter has promised to follow. It accepts nothing of a smaller term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// The term.
    pub term: Term,
    /// Its only candidate.
    pub candidate: Voter,
}

/// A proposal that a voter accepted, and in whose ballot. That may be a later one than the
/// proposal's own term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The ballot.
    pub ballot: Ballot,
    /// The proposal.
    pub proposal: Arc<Proposal>,
}

/// The recovery that a voter takes part in. It takes part in nothing else of its lineage until that
/// has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The later attempt wins.
    pub attempt: u64,
    /// Who asked for it.
    pub coordinator: Voter,
    /// Whether it has come to nothing. It is remembered, since no attempt is made twice.
    #[serde(default)]
    pub ended: bool,
}

/// The agreement file. It is written whole and synced, its folder as well, before the answer that
/// depends on it is sent; it never falls back to an earlier generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// The lineage.
    pub lineage: Lineage,
    /// The voter id of this file. Whoever draws it makes a file of it before anything is sent.
    pub voter: VoterId,
    /// The longest lease that this voter may have promised. A restarted voter assumes that it did.
    pub lease: Duration,
    /// The newest promise.
    pub promised: Option<Ballot>,
    /// What was accepted as the next view, if anything.
    pub accepted: Option<Accepted>,
    /// The recovery that it takes part in, or did last, if any.
    pub recovery: Option<Recovery>,
    /// The newest view.
    pub view: Arc<View>,
}

impl Durable {
    /// The number of the newest view.
    pub fn number(&self) -> ViewNumber {
        self.view.number
    }
}

/// Why bytes are not an agreement file. Its voter id is then burnt: the owner sets the file aside
/// and draws a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurableError {
    /// They are not what was written.
    #[error("damaged: its checksum does not fit")]
    Damaged,
    /// A newer memberd wrote them.
    #[error("version {0} of the file is not known: it needs a newer memberd")]
    Version(u8),
    /// The checksum fits, but the content does not.
    #[error("malformed")]
    Malformed,
}

/// What a council begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The agreement file of this machine.
    File(Box<Durable>),
    /// There is none, or it is damaged: a voter id that was never used. The owner drew it, and it
    /// is not [`VoterId::UNKNOWN`].
    Fresh(VoterId),
}
