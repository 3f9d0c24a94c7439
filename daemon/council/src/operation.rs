//! What a view may change, and a proposal of the next view. They are plain values.

use crate::share::ShareChange;
use crate::view::{Claim, Term, ViewHash, ViewNumber, Voter};
use crate::wire::forms;
use memberd_membership::Identity;
use serde::{Deserialize, Serialize};

/// One change of the view before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// This is a member from now on, in the place of another incarnation of the same name.
    Add(#[serde(with = "forms::identity")] Identity),
    /// This is no member any more.
    Delete(#[serde(with = "forms::identity")] Identity),
    /// This is the council from now on, in this order.
    Seat(Vec<Voter>),
    /// This claim is granted, if nobody has the key. With `retry` it is also if its holder is no
    /// member any more.
    Claim {
        /// The claim. Its `since` is the number of the view.
        claim: Claim,
        /// Whether it replaces that of one that is no member any more.
        retry: bool,
    },
    /// A share of replicated files comes or goes.
    Share(ShareChange),
    /// This is the leader of this term.
    Leader {
        /// The term.
        term: Term,
        /// The leader.
        voter: Voter,
    },
}

/// A proposal of the next view: who made it, and the operations on the view before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The number of the view that it makes.
    pub number: ViewNumber,
    /// The hash of the view that it changes.
    pub parent: ViewHash,
    /// The term of that view.
    pub term: Term,
    /// Its leader, who proposed it first. Others may propose it again, and change nothing.
    pub leader: Voter,
    /// What it changes, in this order.
    #[serde(deserialize_with = "forms::bounded::<_, _, { Proposal::MAX_OPERATIONS }>")]
    pub operations: Vec<Operation>,
    /// The hash of the view that it makes.
    pub hash: ViewHash,
}

impl Proposal {
    /// The most operations.
    pub const MAX_OPERATIONS: usize = 65_536;
}

/// Why a proposal does not make a view of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It has another number than the next.
    #[error("view {proposed} does not follow view {installed}")]
    Number {
        /// Its number.
        proposed: ViewNumber,
        /// The number of the view here.
        installed: ViewNumber,
    },
    /// It changes another view.
    #[error("its parent is another view")]
    Parent,
    /// Its term is smaller than that of the view, or is not what its operations make of it.
    #[error("its term or leader does not fit")]
    Term,
    /// It makes something else than it says.
    #[error("its hash is that of another view")]
    Hash,
    /// What it makes exceeds a bound, or has no council.
    #[error("what it makes is out of bounds")]
    Bounds,
}
