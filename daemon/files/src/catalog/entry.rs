//! What the log of a catalog consists of: [`Entry`], each at its [`Position`].

use crate::catalog::mutation::Mutation;
use crate::forms;
use crate::ids::{Epoch, OperationId};
use serde::{Deserialize, Serialize};

/// One reign of one primary: the epoch in which it claims, and which of its claims in it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Ballot {
    /// The view's number.
    pub epoch: Epoch,
    /// It grows when the same primary claims again in the same epoch, so after each restart.
    pub session: u64,
}

impl Ballot {
    /// Before any reign.
    pub const NONE: Ballot = Ballot { epoch: Epoch::NONE, session: 0 };
}

/// A place in the log. The same position names the same entry in every log, and the same entries
/// before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Position {
    /// Under which ballot its entry was made.
    pub ballot: Ballot,
    /// Its number. The first entry has 1.
    pub index: u64,
}

impl Position {
    /// Before the first entry.
    pub const START: Position = Position { ballot: Ballot::NONE, index: 0 };
}

/// One entry of the log: a mutation, and all from outside that its application needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// The catalog's own time in milliseconds: it counts how long primaries were open. No wall
    /// clock sets it, so none can make operations forgotten early.
    pub time_ms: u64,
    /// The primary's wall clock, in milliseconds since 1970. It is only shown.
    pub wall_ms: u64,
    /// Whose operation it is.
    pub operation: OperationId,
    /// What is to change.
    pub mutation: Mutation,
}

impl Entry {
    /// The most bytes of an encoded entry.
    pub const MAX_BYTES: usize = 1 << 20;

    /// The bytes of the entry.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        forms::encode(self)
    }

    /// Reads an entry; nothing if the bytes are none, or exceed a bound.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Entry> {
        let short = bytes.len() <= Self::MAX_BYTES;
        short.then(|| forms::decode::<Entry>(bytes)).flatten().filter(|one| one.mutation.fits())
    }
}
