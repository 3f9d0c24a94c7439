//! Reads kept streams while the store writes, seals and drops segments: any thread, no lock.
//!
//! A search lists the streams of a source, walks the blocks of each, and reads those that may
//! match. What is dropped meanwhile is told by an error, and never by silence.

mod blocks;
mod join;
mod list;
mod reader;
pub use blocks::Blocks;
pub use list::{KeptList, Unlisted, list, list_all, sources};
pub use reader::BlockReader;

use super::needs::Needs;
use super::store::Span;
use super::stream::{StreamHead, StreamId};
use memberd_membership::Name;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a part of a stream cannot be read. `Display` says it in words for standard error.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The bounds of the keeper dropped it after the stream was listed.
    #[error("the copy from byte {offset} on was dropped while it was read")]
    Dropped {
        /// Where it begins in the file.
        offset: u64,
    },
    /// It is not what was written. Its text is never returned.
    #[error("the copy is damaged from byte {offset} on")]
    Damaged {
        /// Where the text begins in the file.
        offset: u64,
    },
    /// The disk fails.
    #[error("the copy from byte {offset} on cannot be read: {error}")]
    Unreadable {
        /// Where it begins in the file.
        offset: u64,
        /// Why.
        error: io::Error,
    },
}

/// A kept stream as it was when it was listed, with the streams of the same file that it continues.
/// What is appended later is not in it, except that a
/// segment that is sealed meanwhile has larger blocks: the last one may end later.
#[derive(Debug, Clone)]
pub struct KeptStream {
    /// Whose log it is.
    pub source: Name,
    /// What the source last said of it. A search leaves it out unless it is `offered`.
    pub head: StreamHead,
    /// Where the kept text begins in the file, in bytes.
    pub begin: u64,
    /// Where it ends.
    pub end: u64,
    /// How many line ends the file has before `begin`. None when the copy began within the file.
    pub lines_before: Option<u64>,
    /// When the source read the last block, in milliseconds since the Unix epoch of its clock.
    pub read_ms: u64,
    /// How many bytes of text at the beginning of the file are not kept: they were dropped, or
    /// never sent.
    pub dropped_bytes: u64,
    /// How many bytes it takes on disk.
    pub disk_bytes: u64,
    /// The streams of which it consists, in order.
    parts: Vec<Part>,
    /// In order.
    segments: Vec<KeptSegment>,
    /// Whether something that is damaged follows `end`.
    is_damaged: bool,
}

/// A stream in another one.
#[derive(Debug, Clone)]
struct Part {
    id: StreamId,
    directory: PathBuf,
    /// Whether its text goes on behind the segment after it, and counts no more from there on.
    is_cut: bool,
}

/// A segment of a kept stream.
#[derive(Debug, Clone, Copy)]
struct KeptSegment {
    /// Where its text begins in the file.
    begin: u64,
    /// The number of its part.
    part: usize,
}

impl KeptStream {
    /// All blocks, in order, each with whether it may have a line that contains `needs`. A segment
    /// is opened when the iterator comes to it; blocks keep theirs open. An error stands for the
    /// text from its offset up to the next block.
    pub fn blocks<'a>(&'a self, needs: &'a Needs) -> Blocks<'a> {
        Blocks::new(self, needs)
    }

    /// Where the text of each segment begins in the file, in order.
    pub fn segment_begins(&self) -> impl Iterator<Item = u64> {
        self.segments.iter().map(|segment| segment.begin)
    }
}

/// A block of a stream. It keeps its segment's file open.
#[derive(Debug, Clone)]
pub struct KeptBlock {
    /// Where its text begins in the file, in bytes.
    pub offset: u64,
    /// How long its text is, in bytes: at most `MAX_BLOCK_BYTES`.
    pub text_bytes: u32,
    /// How long it is on disk, in bytes.
    pub frame_bytes: u32,
    /// How many line ends it has.
    pub lines: u32,
    /// Whether its text ends with a line end. If not, its last line goes on in the next block.
    pub ends_line: bool,
    /// Whether its text contains the byte 0.
    pub has_nul: bool,
    /// The times of its lines. None in open segments, and where the times in the index do not hold
    /// for the stream's head as it is now (its zone, or when the file was last written).
    pub span: Option<Span>,
    /// By which rules they were read, as the reader of times said when it was sealed. The times
    /// are of use only to a reader with the same.
    pub rules: u64,
    /// Whether a line of it may contain what is needed: true whenever that is unknown. Blocks that
    /// share a line are true together.
    pub may_match: bool,
    file: Arc<File>,
    /// Where its zstd frame begins in the segment, the hash of it, and how much text it has.
    place: u64,
    frame_hash: [u8; 16],
    frame_text_bytes: u32,
}

impl KeptBlock {
    /// Where the text after it begins in the file.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.text_bytes))
    }

    /// The text, read by a new [`BlockReader`]: use one for many blocks.
    ///
    /// # Errors
    /// When it is damaged or unreadable. Damaged text is never returned.
    pub fn read(&self) -> Result<Vec<u8>, KeptError> {
        let offset = self.offset;
        let reader = BlockReader::new();
        let mut reader = reader.map_err(|error| KeptError::Unreadable { offset, error })?;
        let mut text = Vec::new();
        reader.read(self, &mut text)?;
        Ok(text)
    }
}
