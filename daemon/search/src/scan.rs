//! Searches the text of one file: opens it, reads it within bounds, and finds the lines in it.

mod block_times;
mod bounded_reader;
mod chunk_reader;
mod chunk_sink;
mod chunked_file;
mod claim;
mod failure;
mod known_times;
mod line_sink;
mod line_times;
mod memory_searcher;
mod positions;
mod scanner;
mod source;
mod wanted;
mod window_reader;

pub(crate) use block_times::Part as TimedPart;
pub(crate) use chunk_reader::ChunkReader;
pub(crate) use chunked_file::{ChunkedFile, PageBuffer};
pub(crate) use claim::{Claim, TooLong};
pub(crate) use failure::Failure;
pub use known_times::KnownTimes;
pub(crate) use line_times::LineTimes;
pub(crate) use positions::{Positions, TextSize};
pub(crate) use scanner::{FileScan, Scanner, Step};
pub(crate) use source::{Source, Text, count_lines};
pub(crate) use wanted::Wanted;
