//! The times in a block's lines, which the search reads while a segment is sealed.

use crate::stream::StreamHead;

/// The times in a block's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest and the latest time of its lines, in milliseconds since the Unix epoch. Only
    /// lines with a time of their own count. None when there is none.
    pub times: Option<(i64, i64)>,
    /// Whether its first line has a time of its own. If not, it has the time of a line before it.
    pub first_dated: bool,
    /// Whether a line has a time in an unknown format.
    pub unread: bool,
}

/// Reads the times in lines. The search implements it; sealing asks it.
pub trait SpanReader {
    /// A segment of the stream begins.
    fn begin(&mut self, head: &StreamHead);

    /// The times of the segment's next block.
    fn span(&mut self, text: &[u8]) -> Span;

    /// After the last block: the times would be the same if the file had last been written at any
    /// time up to this, in milliseconds since the Unix epoch.
    fn same_until(&self) -> i64;

    /// After the last block: a number for the rules by which times were read, such as those of time
    /// zones. The times hold where it is the same. With 0 they hold nowhere.
    fn rules(&self) -> u64 {
        0
    }
}
