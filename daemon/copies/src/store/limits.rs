//! The bounds of a store.

use std::time::Duration;

/// The bounds of a store. All bytes are bytes on disk, compressed, unless they are said to be text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one source.
    pub source_bytes: u64,
    /// The most bytes of all sources.
    pub total_bytes: u64,
    /// How long a segment is kept after it was last written, by this machine's clock.
    pub age: Duration,
    /// How many bytes of the file system copies leave free.
    pub free_bytes: u64,
    /// How much text a segment has until the next one begins.
    pub segment_text_bytes: u64,
    /// How many blocks a segment has until the next one begins. A log that is written line by line
    /// has a block a second: more blocks are slow to search, and fewer make too many segments.
    pub segment_blocks: u32,
    /// The most sources. Beyond that, new ones are refused.
    pub sources: usize,
    /// The most streams of a source. Beyond that, the one that was written least recently goes.
    pub streams_of_source: usize,
    /// The most streams of all sources, in the same way.
    pub streams: usize,
    /// The most segments of all sources. Beyond that, the oldest goes.
    pub segments: usize,
    /// The most files that are kept open for appending.
    pub open_files: usize,
}

impl Default for Limits {
    /// 256 MiB a source, 2 GiB in all, 14 days. With all the streams and segments that it may have,
    /// the store takes 9 MiB of memory, and up to 6 MiB more while it seals. With a hundred streams
    /// it takes 3 MiB and these.
    fn default() -> Limits {
        Limits {
            source_bytes: 256 << 20,
            total_bytes: 2 << 30,
            age: Duration::from_secs(14 * 24 * 3600),
            free_bytes: 1 << 30,
            segment_text_bytes: 32 << 20,
            segment_blocks: 4 * 1024,
            sources: 1024,
            streams_of_source: 1024,
            streams: 8 * 1024,
            segments: 64 * 1024,
            open_files: 64,
        }
    }
}
