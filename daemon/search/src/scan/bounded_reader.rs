//! Reads a file for the searcher: up to a limit, and only while the results are wanted.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use super::long_lines::Claim;
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

/// A reader that claims the memory for a long line when it meets one.
pub(crate) struct ClaimingReader<'c, 'w, R> {
    reader: R,
    line_end: u8,
    claim: Option<&'c Claim<'w>>,
    /// How many bytes of the present line were read.
    line: usize,
}

impl<'c, 'w, R> ClaimingReader<'c, 'w, R> {
    pub(crate) fn new(reader: R, line_end: u8, claim: Option<&'c Claim<'w>>) -> Self {
        ClaimingReader { reader, line_end, claim, line: 0 }
    }
}

impl<R: Read> Read for ClaimingReader<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(claim) = self.claim {
            claim.line_of(self.line)?;
        }
        let read = self.reader.read(buffer)?;
        let end = buffer.get(..read).and_then(|bytes| memchr::memrchr(self.line_end, bytes));
        self.line = end.map_or(self.line + read, |end| read - end - 1);
        Ok(read)
    }
}
