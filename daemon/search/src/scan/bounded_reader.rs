//! Reads a file for the searcher: up to a limit, and only while the results are wanted.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use super::claim::Claim;
use crate::line::MAX_LINE_BYTES;
use crate::print::Printer;

/// How many bytes beyond its size at opening a growing file is read.
pub(crate) const GROWTH_LIMIT: u64 = 16 * 1024 * 1024;

/// A file's bytes, up to a limit. Between two reads it hands on the results that have waited and
/// checks the cancel flag.
pub(crate) struct BoundedReader<'r, 'o, 's, R> {
    pub(super) reader: R,
    pub(super) printer: &'r RefCell<Printer<'o, 's>>,
    pub(super) cancel: &'r AtomicBool,
    /// Set once nothing more of the file is wanted.
    pub(super) done: &'r Cell<bool>,
    /// How many more bytes may be read. If they are all read, the text ends at a line's end.
    pub(super) left: u64,
    pub(super) line_end: u8,
    /// Counts the bytes that were read.
    pub(super) bytes: &'r mut u64,
}

impl<R: Read> Read for BoundedReader<'_, '_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other("cancelled"));
        }
        if self.done.get() {
            return Ok(0);
        }
        // The printer is free here: the searcher never reads while it calls the sink.
        self.printer.borrow_mut().out().flush_if_late().map_err(io::Error::other)?;
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(part) = buffer.get_mut(..wanted).filter(|part| !part.is_empty()) else {
            return Ok(0);
        };
        let mut read = self.reader.read(part)?;
        self.left -= read as u64;
        if self.left == 0 && read > 0 {
            // The file grew beyond the limit. The text ends at a line's end.
            let cut = part.get(..read).and_then(|part| memchr::memrchr(self.line_end, part));
            read = cut.map_or(read, |at| at + 1);
        }
        *self.bytes += read as u64;
        self.printer.borrow_mut().out().note_read(read as u64).map_err(io::Error::other)?;
        Ok(read)
    }
}

/// A reader that claims memory before the searcher's buffer grows. The buffer grows when it is full
/// and all of it is needed: a long line, or lines that may be context. So the reader leaves the
/// last byte of a large buffer free. If the searcher asks for that byte alone, it needs a larger
/// buffer.
pub(crate) struct ClaimingReader<'c, 'w, R> {
    reader: R,
    claim: Option<&'c Claim<'w>>,
    /// The size of the searcher's buffer.
    buffer: usize,
}

/// The searcher's buffer grows to this many times its size.
const GROWTH: usize = 3;

/// Up to this size, the buffer grows without a claim. In bytes.
const SMALL_BUFFER: usize = 64 * 1024;

impl<'c, 'w, R> ClaimingReader<'c, 'w, R> {
    pub(crate) fn new(reader: R, claim: Option<&'c Claim<'w>>) -> Self {
        ClaimingReader { reader, claim, buffer: 0 }
    }

    /// How many bytes may be read now.
    fn room(&mut self, free: usize) -> io::Result<usize> {
        let Some(claim) = self.claim else { return Ok(free) };
        claim.give_way();
        if self.buffer == 0 {
            self.buffer = free;
        }
        while free > self.buffer {
            self.buffer *= GROWTH;
        }
        if self.buffer <= SMALL_BUFFER || free > 1 {
            return Ok(if self.buffer <= SMALL_BUFFER { free } else { free - 1 });
        }
        let grown = (self.buffer * GROWTH).min(MAX_LINE_BYTES + SMALL_BUFFER);
        claim.grow_buffer(self.buffer, grown)?;
        Ok(free)
    }
}

impl<R: Read> Read for ClaimingReader<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.room(buffer.len())?;
        self.reader.read(buffer.get_mut(..room).unwrap_or_default())
    }
}
