//! Reads a file as chunks of whole lines, one after the other.

use std::io::{self, Read};

use super::bounded_reader::GROWTH_LIMIT;
use super::claim::{Claim, TooLong};
use crate::line::LONG_LINE_BYTES;

/// How many bytes are read at once.
const PART_BYTES: usize = 64 * 1024;

/// Reads the chunks of one file. It owns the buffer that they lie in.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    buffer: Vec<u8>,
    /// How many bytes of the buffer were handed out as a chunk.
    used: usize,
    /// How many bytes may still be read.
    left: u64,
    line_end: u8,
}

impl ChunkReader {
    /// For a file of about `size` bytes. It may grow meanwhile, up to a limit.
    pub(crate) fn new(size: u64, line_end: u8) -> ChunkReader {
        ChunkReader {
            buffer: Vec::new(),
            used: 0,
            left: size.saturating_add(GROWTH_LIMIT),
            line_end,
        }
    }

    /// The next chunk, or none at the end. Only the file's last line may have no end. A line that
    /// is not short waits for memory by `claim`.
    ///
    /// # Errors
    /// When reading fails, or when a line is long: there may be as many long lines as there are
    /// files.
    pub(crate) fn next(
        &mut self,
        file: &mut impl Read,
        claim: &Claim<'_>,
    ) -> io::Result<Option<&mut [u8]>> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.shrink_to(2 * PART_BYTES);
        if self.buffer.len() <= PART_BYTES {
            claim.shrink_buffer();
        }
        while self.used == 0 {
            if self.buffer.len() > LONG_LINE_BYTES {
                return Err(TooLong::ByTime.into());
            }
            let before = self.buffer.len();
            let room = LONG_LINE_BYTES + 1 - before;
            claim.grow_buffer(before, before + room.min(2 * before))?;
            let wanted = (PART_BYTES.max(before).min(room) as u64).min(self.left);
            let read = file.take(wanted).read_to_end(&mut self.buffer)?;
            self.left -= read as u64;
            let new = self.buffer.get(before..).unwrap_or_default();
            self.used = match memchr::memrchr(self.line_end, new) {
                Some(end) => before + end + 1,
                // A file that grew beyond the limit ends at a line's end.
                None if self.left == 0 => return Ok(None),
                None if read == 0 => self.buffer.len(),
                None => 0,
            };
            if read == 0 && self.used == 0 {
                return Ok(None);
            }
        }
        Ok(self.buffer.get_mut(..self.used))
    }
}
