//! A piece of a stream, as it travels and as it lies in a segment: whole lines, compressed.

use super::stream::StreamId;
use serde::{Deserialize, Serialize};

/// The most bytes of text that a source puts into a block, unless one line is longer.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The longest text of a block in bytes. A longer line is cut, and its rest follows in the next
/// block, so that a reader who joins the blocks has every byte.
pub const MAX_BLOCK_BYTES: usize = 1024 * 1024;

/// What is known of a block beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHead {
    /// The stream.
    pub stream: StreamId,
    /// Where in the file its text begins, in bytes.
    pub offset: u64,
    /// How long its text is, in bytes.
    pub text_bytes: u32,
    /// The blake3 hash of its text.
    #[serde(with = "crate::bytes::array")]
    pub hash: [u8; 32],
    /// When the source read it, in milliseconds since the Unix epoch of the source's clock.
    pub read_ms: u64,
}

impl BlockHead {
    /// Where in the file the text after it begins, in bytes.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.text_bytes))
    }
}

/// A block: its head, and its text as one zstd frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What is known of it.
    pub head: BlockHead,
    /// One zstd frame.
    #[serde(with = "crate::bytes")]
    pub frame: Vec<u8>,
}
