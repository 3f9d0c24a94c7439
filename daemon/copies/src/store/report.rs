//! What a store says of itself.

use crate::stream::StreamId;
use memberd_membership::Name;

/// A stream that became durable up to `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    /// Whose log it is.
    pub source: Name,
    /// The stream.
    pub stream: StreamId,
    /// Where the text that is not yet durable begins, in bytes of the file.
    pub end: u64,
}

/// Whether a store takes blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreState {
    /// It does.
    Open,
    /// A write or an fsync failed, for this reason: nothing is written or acknowledged any more.
    Failed(String),
}

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// How many segments.
    pub segments: u64,
    /// How many bytes on disk.
    pub bytes: u64,
}

/// Figures of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// How many sources have copies here.
    pub sources: u64,
    /// How many streams.
    pub streams: u64,
    /// How many of these are damaged.
    pub damaged_streams: u64,
    /// How many segments.
    pub segments: u64,
    /// How many of these are sealed.
    pub sealed_segments: u64,
    /// How many bytes they take on disk.
    pub bytes: u64,
    /// How many bytes of text they are.
    pub text_bytes: u64,
    /// How many bytes of text were appended since the store was opened.
    pub appended_text_bytes: u64,
    /// How many bytes on disk were dropped by the bounds since the store was opened.
    pub pruned_bytes: u64,
    /// How many damaged blocks the scrub found since the store was opened.
    pub damaged_blocks: u64,
    /// How many bytes the scrub verified since the store was opened.
    pub scrubbed_bytes: u64,
    /// How many times all of it was scrubbed since the store was opened.
    pub scrubs: u64,
}
