//! Reads a file on behalf of the searcher: within its bounds, and no longer than anybody wants the
//! results.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use super::long_lines::Claim;
use crate::print::Printer;

/// How many bytes past its size at opening a file is read, while it grows.
pub(crate) const GROWTH_LIMIT: u64 = 16 * 1024 * 1024;

/// A file's bytes, up to a limit. Between reads, results that have waited are handed on and the
/// cancel flag is looked at.
pub(crate) struct BoundedReader<'r, 'o, 's, R> {
    file: R,
    printer: &'r RefCell<Printer<'o, 's>>,
    cancel: &'r AtomicBool,
    /// Set once nothing more of the file is wanted.
    done: &'r Cell<bool>,
    left: u64,
    line_end: u8,
    /// Counts the bytes that were read.
    bytes: &'r mut u64,
}

impl<'r, 'o, 's, R: Read> BoundedReader<'r, 'o, 's, R> {
    /// Reads at most [`GROWTH_LIMIT`] more than `size` bytes; if it comes so far, up to a line's
    /// end.
    pub(crate) fn new(
        file: R,
        size: u64,
        line_end: u8,
        printer: &'r RefCell<Printer<'o, 's>>,
        cancel: &'r AtomicBool,
        done: &'r Cell<bool>,
        bytes: &'r mut u64,
    ) -> Self {
        BoundedReader {
            file,
            printer,
            cancel,
            done,
            left: size.saturating_add(GROWTH_LIMIT),
            line_end,
            bytes,
        }
    }
}

impl<R: Read> Read for BoundedReader<'_, '_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other("cancelled"));
        }
        if self.done.get() {
            return Ok(0);
        }
        // The printer is not in use here: the searcher reads between its calls to the sink, never
        // within one.
        self.printer.borrow_mut().out().flush_if_late().map_err(io::Error::other)?;
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(part) = buffer.get_mut(..wanted).filter(|part| !part.is_empty()) else {
            return Ok(0);
        };
        let mut read = self.file.read(part)?;
        self.left -= read as u64;
        if self.left == 0 && read > 0 {
            // The file outran the limit: end at a line's end.
            let cut = part.get(..read).and_then(|part| memchr::memrchr(self.line_end, part));
            read = cut.map_or(read, |at| at + 1);
        }
        *self.bytes += read as u64;
        self.printer.borrow_mut().out().note_read(read as u64).map_err(io::Error::other)?;
        Ok(read)
    }
}

/// A reader that claims the room for a line when it comes upon a long one.
pub(crate) struct ClaimingReader<'c, 'w, R> {
    reader: R,
    line_end: u8,
    claim: &'c mut Claim<'w>,
    /// How much was read of the present line.
    line: usize,
}

impl<'c, 'w, R> ClaimingReader<'c, 'w, R> {
    pub(crate) fn new(reader: R, line_end: u8, claim: &'c mut Claim<'w>) -> Self {
        ClaimingReader { reader, line_end, claim, line: 0 }
    }
}

impl<R: Read> Read for ClaimingReader<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.claim.line_of(self.line)?;
        let read = self.reader.read(buffer)?;
        let end = buffer.get(..read).and_then(|bytes| memchr::memrchr(self.line_end, bytes));
        self.line = end.map_or(self.line + read, |end| read - end - 1);
        Ok(read)
    }
}
