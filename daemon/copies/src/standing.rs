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
    /// block may begin anywhere. Of a damaged one it is where the damage begins.
    pub end: u64,
    /// The newest block, as the source sent it. Without any text there is none.
    pub last: Option<BlockHead>,
    /// Blocks before that, the newest first: at most [`MOST_MARKS`]. A file that has lost its end
    /// has one of them still, if it did not lose too much.
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// How many bytes of text at its beginning the keeper has dropped.
    pub dropped_bytes: u64,
    /// Whether it is damaged, so that no block is taken any more.
    #[serde(default)]
    pub is_damaged: bool,
}

/// The most blocks before the newest that a standing names.
pub const MOST_MARKS: usize = 4;

/// A block by which a source recognises a place in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where in the file its text begins, in bytes.
    pub offset: u64,
    /// How long its text is, in bytes.
    pub text_bytes: u32,
    /// The blake3 hash of its text.
    #[serde(with = "crate::bytes::array")]
    pub hash: [u8; 32],
}

impl Mark {
    /// Where in the file the text after it begins, in bytes.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.text_bytes))
    }
}

impl From<BlockHead> for Mark {
    fn from(block: BlockHead) -> Mark {
        let BlockHead { offset, text_bytes, hash, .. } = block;
        Mark { offset, text_bytes, hash }
    }
}
