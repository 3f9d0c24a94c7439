//! What a writer says and hears. Plain values.

use crate::catalog::Refusal;
use crate::content::Content;
use crate::ids::{Epoch, Generation, OperationId};
use crate::transfer::Transfer;
use memberd_membership::Name;

/// Content that the owner makes a mutation of: a file, a new content or an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Under the same id it happens once, however often it is asked.
    pub operation: OperationId,
    /// The view by which the holders were chosen. A catalog of a newer one refuses.
    pub epoch: Epoch,
    /// The content, which lies on all its holders.
    pub content: Content,
    /// How long ago, in seconds, its first extent was begun.
    pub age_s: u32,
}

/// What the primary says to a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishAnswer {
    /// It happened, now or before.
    Done(Generation),
    /// Its view is this one. It did not happen.
    OldEpoch(Epoch),
    /// It did not happen: the bytes do not fit in the catalog.
    NeedsExtent,
    /// It did not happen, and will not.
    Refused(Refusal),
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its generation.
    pub generation: Generation,
    /// The bytes that were written.
    pub length: u64,
}

/// Why a file was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriterError {
    /// The catalog does not want it.
    #[error("{0}")]
    Refused(Refusal),
    /// There are too few members with room. Nothing was written.
    #[error("fewer than {0} members can take it now: try again, or make room")]
    TooFew(usize),
    /// Nothing was written.
    #[error("the members were too slow: try again")]
    TooSlow,
    /// The catalog did not answer. The file may have been written.
    #[error("the catalog did not answer: the file may have been written, so look at it")]
    Ambiguous,
}

/// What the owner is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterOutput {
    /// Send this.
    Send {
        /// To whom; may be this member itself.
        to: Name,
        /// What.
        message: Transfer,
    },
    /// Ask the primary of the share, and hand in its answer.
    Publish(Publish),
    /// The end.
    Done(Result<Written, WriterError>),
}
