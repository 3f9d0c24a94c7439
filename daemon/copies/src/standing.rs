//! How far a stream is kept: what a keeper says, and a source resumes from.

use super::block::BlockHead;
use super::stream::StreamHead;
use serde::{Deserialize, Serialize};

/// How far a stream is kept, durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What the source last said of it.
    pub head: StreamHead,
    /// Where the kept text begins in the file, in bytes.
    pub begin: u64,
    /// Where it ends: the next block must begin here. Without any text it is `begin`, and the next
    /// block may begin anywhere.
    pub end: u64,
    /// The newest block, as the source sent it. Without any text there is none.
    pub last: Option<BlockHead>,
    /// How many bytes of text at its beginning the keeper has dropped.
    pub dropped_bytes: u64,
}
