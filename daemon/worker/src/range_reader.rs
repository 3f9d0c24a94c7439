//! Reads the whole lines of one range of a file. It owns the place up to which they were read.

use crate::output::MAX_LINE_BYTES;
use memberd_search::{Times, Zone};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

/// How many bytes are looked through at once for the end of a line.
const BLOCK_BYTES: usize = 64 * 1024;

/// How many lines at the end of what was read are looked at for a time.
const LAST_LINES: usize = 16;

/// A range of a file that ends with a line.
pub(crate) struct RangeReader<'r> {
    file: &'r File,
    line_end: u8,
    at: u64,
    end: u64,
    /// Bytes before this are of a line whose end is known, or were read.
    line_until: u64,
    /// Once it is set, no further line is read.
    enough: &'r Cell<bool>,
    times: Times<'r>,
    newest_ms: Option<i64>,
    too_long: u64,
    /// Why it cannot be read further.
    failure: Option<String>,
}

impl<'r> RangeReader<'r> {
    /// Reads from `from`, where a line begins, up to the last line end at or before `to`, or to the
    /// end of the first line if that is longer. `modified_ms` is when the file was last written.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before `to`.
    pub(crate) fn new(
        file: &'r File,
        (from, to): (u64, u64),
        (line_end, enough): (u8, &'r Cell<bool>),
        (zone, modified_ms): (&'r Zone, i64),
    ) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
        }
        let size = metadata.len();
        if size < to {
            return Err(shrunk());
        }
        let end = whole_end(file, (from, to), size, line_end)?;
        let times = Times::new(zone, modified_ms);
        Ok(RangeReader {
            file,
            line_end,
            at: from,
            end,
            line_until: from,
            enough,
            times,
            newest_ms: None,
            too_long: 0,
            failure: None,
        })
    }

    /// The byte behind the last line that was read.
    pub(crate) fn to(&self) -> u64 {
        // A search that selects nothing reads nothing.
        if self.enough.get() { self.at } else { self.end }
    }

    /// The newest time of the lines that were looked at, in milliseconds since the Unix epoch.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        self.newest_ms
    }

    /// The lines that were passed over, since they are too long.
    pub(crate) fn too_long(&self) -> u64 {
        self.too_long
    }

    /// Why it could not be read to its end, if so.
    pub(crate) fn failure(self) -> Option<String> {
        self.failure
    }

    /// Looks at the last of these lines for one with a time.
    fn note_times(&mut self, lines: &[u8]) {
        let text = lines.strip_suffix(&[self.line_end]).unwrap_or(lines);
        for line in text.rsplit(|byte| *byte == self.line_end).take(LAST_LINES) {
            if let Some(time) = self.times.of(line) {
                self.newest_ms = self.newest_ms.max(Some(time));
                return;
            }
        }
    }

    /// Reads bytes of a range, which has so many at least.
    fn read_some(&self, part: &mut [u8], until: u64) -> io::Result<usize> {
        let left = usize::try_from(until - self.at).unwrap_or(usize::MAX).min(part.len());
        let part = part.get_mut(..left).unwrap_or_default();
        let read = retried(|| self.file.read_at(part, self.at))?;
        if read == 0 { Err(shrunk()) } else { Ok(read) }
    }

    /// Reads whole lines, or the beginning of one that is long. Nothing, if it was passed over.
    fn read_lines(&mut self, part: &mut [u8]) -> io::Result<usize> {
        let mut read = self.read_some(part, self.end)?;
        let bytes = part.get(..read).unwrap_or_default();
        let begun = self.at + read as u64;
        match memchr::memrchr(self.line_end, bytes) {
            Some(last) => read = last + 1,
            None if begun == self.end => {}
            None => {
                let behind = next_end(self.file, begun, self.line_end)?.unwrap_or(self.end);
                if behind - self.at > MAX_LINE_BYTES as u64 {
                    self.at = behind;
                    self.too_long += 1;
                    return Ok(0);
                }
                self.line_until = behind;
            }
        }
        self.note_times(part.get(..read).unwrap_or_default());
        self.at += read as u64;
        Ok(read)
    }

    fn read_next(&mut self, part: &mut [u8]) -> io::Result<usize> {
        while self.at < self.end && !part.is_empty() {
            if self.at < self.line_until {
                let read = self.read_some(part, self.line_until)?;
                self.at += read as u64;
                return Ok(read);
            }
            if self.enough.get() {
                break;
            }
            let read = self.read_lines(part)?;
            if read > 0 {
                return Ok(read);
            }
        }
        Ok(0)
    }
}

impl Read for RangeReader<'_> {
    fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
        // What the search says of an error is made for whole files.
        self.read_next(part).inspect_err(|error| self.failure = Some(error.to_string()))
    }
}

/// Where the range ends: behind its last whole line, or behind its first if that is longer.
fn whole_end(file: &File, (from, to): (u64, u64), size: u64, line_end: u8) -> io::Result<u64> {
    // The file ends there, and its last line with it.
    if to <= from || to == size {
        return Ok(to.max(from));
    }
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut upto = to;
    while upto > from {
        let begin = upto.saturating_sub(BLOCK_BYTES as u64).max(from);
        let length = usize::try_from(upto - begin).unwrap_or(BLOCK_BYTES);
        let block = buffer.get_mut(..length).unwrap_or_default();
        file.read_exact_at(block, begin).map_err(shorter)?;
        if let Some(last) = memchr::memrchr(line_end, block) {
            return Ok(begin + last as u64 + 1);
        }
        upto = begin;
    }
    Ok(next_end(file, to, line_end)?.unwrap_or(size))
}

/// The byte behind the next line end from `at` on. None if the file has none.
fn next_end(file: &File, mut at: u64, line_end: u8) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; BLOCK_BYTES];
    loop {
        let read = retried(|| file.read_at(&mut buffer, at))?;
        let block = buffer.get(..read).unwrap_or_default();
        if let Some(end) = memchr::memchr(line_end, block) {
            return Ok(Some(at + end as u64 + 1));
        }
        if read == 0 {
            return Ok(None);
        }
        at += read as u64;
    }
}

/// Reads again if a signal came.
fn retried(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The end of a file within a range says that the file has shrunk.
fn shorter(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { shrunk() } else { error }
}

fn shrunk() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "is shorter than it was")
}
