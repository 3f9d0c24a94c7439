//! Collects whole lines for the output. It hands them on when they are many, when a file ends, or
//! when they have waited. The first lines of a search do not wait.

use std::path::Path;
use std::time::{Duration, Instant};

use memberd_control::grep::GrepPosition;

use crate::line::LONG_LINE_BYTES;
use crate::output::{OUTPUT_BYTES, Output, Stopped};

/// How long found lines wait for more while the search goes on.
const PATIENCE: Duration = Duration::from_millis(10);

/// The capacity of the buffer: it holds a full load and the line that goes beyond.
const ROOM: usize = OUTPUT_BYTES + 8 * 1024;

/// A buffer in front of an [`Output`]. Once the output has stopped, the buffer has, too.
pub(crate) struct OutputBuffer<'o> {
    output: &'o mut dyn Output,
    bytes: Vec<u8>,
    /// When output was last handed on, if any was.
    handed_on: Option<Instant>,
    /// Longer lines are handed on in parts, in bytes.
    longest_whole: usize,
    /// Whether the last output was a part of a line. Its end must not wait.
    is_in_line: bool,
    stopped: bool,
}

impl<'o> OutputBuffer<'o> {
    pub(crate) fn new(output: &'o mut dyn Output) -> OutputBuffer<'o> {
        OutputBuffer {
            output,
            bytes: Vec::with_capacity(ROOM),
            handed_on: None,
            longest_whole: LONG_LINE_BYTES,
            is_in_line: false,
            stopped: false,
        }
    }

    /// Where the next line is written to. End it with [`OutputBuffer::end_line`].
    pub(crate) fn line(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// A line was written, with its newline. Hands on the lines if they are many.
    pub(crate) fn end_line(&mut self) -> Result<(), Stopped> {
        if self.bytes.len() >= OUTPUT_BYTES || self.is_in_line { self.flush() } else { Ok(()) }
    }

    /// From here on, lines that do not fit go in parts. Otherwise only those longer than 4 MiB do.
    /// Not every output can put parts together.
    pub(crate) fn split_long_lines(&mut self) {
        self.longest_whole = OUTPUT_BYTES;
    }

    /// Writes text into the line that was begun. Long text goes in parts, so that it is not in
    /// memory twice.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Stopped> {
        if text.len() <= self.longest_whole {
            self.bytes.extend_from_slice(text);
            return Ok(());
        }
        for part in text.chunks(OUTPUT_BYTES) {
            self.bytes.extend_from_slice(part);
            let part = self.take();
            self.line_part(part)?;
        }
        Ok(())
    }

    /// Hands on what was written of the line that begins at `start`, if it is much. Positions and
    /// colors can take many times the text. `start` moves with what is left.
    pub(crate) fn spill(&mut self, start: &mut usize) -> Result<(), Stopped> {
        if self.longest_whole > OUTPUT_BYTES || self.bytes.len() < *start + OUTPUT_BYTES {
            return Ok(());
        }
        let begun = self.bytes.split_off(*start);
        self.flush()?;
        *start = 0;
        self.hand_on(begun, true)
    }

    /// Whether the last output was a part of the line that was begun.
    pub(crate) fn is_in_line(&self) -> bool {
        self.is_in_line
    }

    /// Hands on a part of a line, after what is in the buffer.
    pub(crate) fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.flush()?;
        self.hand_on(bytes, true)
    }

    /// Makes room for a line of about `length` bytes. A load then holds either one long line or
    /// short ones.
    pub(crate) fn make_room(&mut self, length: usize) -> Result<(), Stopped> {
        if length >= OUTPUT_BYTES { self.flush() } else { Ok(()) }
    }

    /// Takes whole lines from another buffer. If they are many, they are handed on without a copy.
    pub(crate) fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        if bytes.len() >= OUTPUT_BYTES / 2 {
            self.flush()?;
            return self.hand_on(bytes, false);
        }
        self.bytes.extend_from_slice(&bytes);
        self.end_line()
    }

    /// Hands on everything in the buffer.
    pub(crate) fn flush(&mut self) -> Result<(), Stopped> {
        if self.bytes.is_empty() {
            return self.check();
        }
        let bytes = self.take();
        self.hand_on(bytes, false)
    }

    fn hand_on(&mut self, bytes: Vec<u8>, is_in_line: bool) -> Result<(), Stopped> {
        (self.handed_on, self.is_in_line) = (Some(Instant::now()), is_in_line);
        self.check()?;
        let result =
            if is_in_line { self.output.line_part(bytes) } else { self.output.lines(bytes) };
        self.note(result)
    }

    /// Hands on everything, and then no bytes at all, which is a mark.
    pub(crate) fn mark(&mut self) -> Result<(), Stopped> {
        self.flush()?;
        let result = self.output.lines(Vec::new());
        self.note(result)
    }

    /// Takes the lines, for another thread to hand on. A few lines are copied, so that they do not
    /// keep the memory of many.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        if self.bytes.len() >= ROOM / 4 {
            return std::mem::replace(&mut self.bytes, Vec::with_capacity(ROOM));
        }
        let few = self.bytes.clone();
        self.bytes.clear();
        few
    }

    /// This many more bytes were read.
    pub(crate) fn note_read(&mut self, bytes: u64) -> Result<(), Stopped> {
        let result = self.check().and_then(|()| self.output.read(bytes));
        self.note(result)
    }

    /// Hands on everything if it has waited long enough, or if it is the first.
    pub(crate) fn flush_if_late(&mut self) -> Result<(), Stopped> {
        if self.bytes.is_empty() || self.handed_on.is_some_and(|at| at.elapsed() < PATIENCE) {
            return self.check();
        }
        self.flush()
    }

    /// Sends a message, after the lines that came before it.
    pub(crate) fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.flush()?;
        let result = self.output.message(text);
        self.note(result)
    }

    /// Tells up to where files were followed, after the lines that came before it.
    pub(crate) fn positions(
        &mut self,
        positions: Vec<GrepPosition>,
        has_lines: bool,
    ) -> Result<(), Stopped> {
        self.flush()?;
        let result = self.output.positions(positions, has_lines);
        self.note(result)
    }

    /// Tells of which file the next lines are, after the lines that came before it.
    pub(crate) fn begin_file(&mut self, path: &Path, modified: i64) -> Result<(), Stopped> {
        self.flush()?;
        self.output.begin_file(path, modified);
        Ok(())
    }

    /// Tells that all followed files were looked at, after the lines that came before it.
    pub(crate) fn looked(&mut self) -> Result<(), Stopped> {
        self.flush()?;
        let result = self.output.looked();
        self.note(result)
    }

    /// Whether the output has stopped.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    fn check(&self) -> Result<(), Stopped> {
        if self.stopped { Err(Stopped) } else { Ok(()) }
    }

    fn note(&mut self, result: Result<(), Stopped>) -> Result<(), Stopped> {
        self.stopped |= result.is_err();
        result
    }
}
