//! Cuts a large file at line ends into chunks, so that several threads can search it. It owns the
//! open file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::claim::{Claim, TooLong};
use super::wanted::Wanted;
use crate::line::MAX_LINE_BYTES;

/// The alignment of pages. A read takes several times as long if the memory is not aligned as the
/// file is.
const PAGE: usize = 4096;

/// How many bytes are read beyond a chunk, for the end of its last line. The next chunk's reader
/// reads them again, so they are few.
const AHEAD: u64 = PAGE as u64;

/// How many more bytes are read at once when that line does not end there.
const STEP: usize = 64 * 1024;

/// A file as chunks of about the same size. A line belongs to the chunk in which it begins.
#[derive(Debug)]
pub(crate) struct ChunkedFile {
    file: File,
    size: u64,
    chunk_bytes: u64,
    /// The bytes that end a line, or that the search changes into line ends.
    line_ends: [u8; 2],
    wanted: Arc<Wanted>,
    counted: Mutex<Counted>,
    counted_more: Condvar,
}

/// How many chunks were counted from the file's beginning, and the lines in them.
#[derive(Debug, Default)]
struct Counted {
    blocks: u64,
    lines: u64,
}

impl ChunkedFile {
    pub(crate) fn new(file: File, size: u64, chunk_bytes: u64, line_ends: [u8; 2]) -> ChunkedFile {
        let (counted, counted_more) = (Mutex::default(), Condvar::new());
        ChunkedFile {
            file,
            size,
            chunk_bytes,
            line_ends,
            wanted: Arc::default(),
            counted,
            counted_more,
        }
    }

    /// Up to which chunk more is wanted.
    pub(crate) fn wanted(&self) -> &Arc<Wanted> {
        &self.wanted
    }

    /// The file's size in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The number of chunks.
    pub(crate) fn count(&self) -> u64 {
        self.size.div_ceil(self.chunk_bytes)
    }

    /// Reads a chunk's lines into `buffer`, and returns where in the file the first line begins.
    /// The last line may have no end.
    ///
    /// # Errors
    /// When reading fails, when a line is longer than [`MAX_LINE_BYTES`], or when there is no
    /// memory for a long line. The lines before are then in `buffer`.
    pub(crate) fn read(
        &self,
        index: u64,
        buffer: &mut PageBuffer,
        claim: &Claim<'_>,
    ) -> io::Result<u64> {
        let result = self.read_lines(index, buffer, claim);
        if result.is_err() {
            let [one, other] = self.line_ends;
            buffer.truncate(memchr::memrchr2(one, other, buffer.bytes()).map_or(0, |end| end + 1));
        }
        result
    }

    fn read_lines(
        &self,
        index: u64,
        buffer: &mut PageBuffer,
        claim: &Claim<'_>,
    ) -> io::Result<u64> {
        buffer.clear();
        let from = index * self.chunk_bytes;
        let upto = (from + self.chunk_bytes).min(self.size);
        buffer.read(&self.file, from..upto + AHEAD)?;
        let mut end = from + buffer.len() as u64;
        // It is shorter if the file was truncated.
        let block = usize::try_from(upto.min(end) - from).unwrap_or(usize::MAX);
        // A line that ends with the chunk's last byte is the last one. No line begins after it.
        let (before, after) =
            buffer.bytes().split_at_checked(block.saturating_sub(1)).unwrap_or_default();
        let last = self.line_end(after);
        let first =
            if self.begins_line(from)? { Some(0) } else { self.line_end(before).map(|at| at + 1) };
        let Some(first) = first.filter(|first| *first < block) else {
            buffer.clear();
            return Ok(from);
        };
        if let Some(at) = last {
            buffer.truncate(block + at);
        }
        buffer.skip(first);
        let mut step = STEP;
        let [one, other] = self.line_ends;
        let begun = memchr::memrchr2(one, other, buffer.bytes()).map_or(0, |end| end + 1);
        while buffer.bytes().last().is_none_or(|last| !self.line_ends.contains(last)) {
            if buffer.len() > MAX_LINE_BYTES {
                return Err(TooLong::Anyway.into());
            }
            let before = buffer.len();
            // A larger buffer takes the place of this one.
            claim.grow_buffer(before - begun, before - begun + step)?;
            buffer.read(&self.file, end..end + step as u64)?;
            let added = buffer.bytes().get(before..).unwrap_or_default();
            if added.is_empty() {
                break;
            }
            end += added.len() as u64;
            if let Some(at) = self.line_end(added) {
                buffer.truncate(before + at + 1);
            }
            step *= 2;
        }
        Ok(from + first as u64)
    }

    /// Where the first line ends.
    fn line_end(&self, bytes: &[u8]) -> Option<usize> {
        let [one, other] = self.line_ends;
        memchr::memchr2(one, other, bytes)
    }

    fn begins_line(&self, at: u64) -> io::Result<bool> {
        let Some(before) = at.checked_sub(1) else { return Ok(true) };
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, before).map(|()| self.line_end(&byte).is_some()).or_else(
            |error| match error.kind() {
                // The file was truncated.
                io::ErrorKind::UnexpectedEof => Ok(false),
                _ => Err(error),
            },
        )
    }

    /// Takes the number of lines in a chunk, and returns how many lines are before it. It waits
    /// until the chunks before are counted; other threads are reading them. Call it for every chunk
    /// that is begun, because later chunks wait for it.
    pub(crate) fn count_lines(&self, index: u64, lines: u64) -> u64 {
        // Nothing panics while the lock is held.
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self.counted_more.wait_while(counted, |counted| counted.blocks < index);
        let mut counted = earlier.unwrap_or_else(PoisonError::into_inner);
        let before = counted.lines;
        *counted = Counted { blocks: index + 1, lines: before + lines };
        self.counted_more.notify_all();
        before
    }
}

/// Bytes read from a file. If the read begins at a page of the file, the memory begins at a page,
/// too.
#[derive(Debug, Default)]
pub(crate) struct PageBuffer {
    memory: Vec<u8>,
    /// The part of `memory` that is in use.
    used: Range<usize>,
}

impl PageBuffer {
    /// Empties the buffer, and frees memory that only a long line needed.
    pub(crate) fn clear(&mut self) {
        if self.memory.len() > 16 * STEP {
            self.memory = Vec::new();
        }
        let aligned = self.memory.as_ptr().align_offset(PAGE);
        self.used = aligned..aligned;
    }

    pub(crate) fn len(&self) -> usize {
        self.used.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.get(self.used.clone()).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.used.clone()).unwrap_or_default()
    }

    /// Drops the first bytes.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.used.start = (self.used.start + bytes).min(self.used.end);
    }

    /// Keeps only the first bytes.
    pub(crate) fn truncate(&mut self, bytes: usize) {
        self.used.end = self.used.end.min(self.used.start + bytes);
    }

    /// Appends a part of a file, as far as the file reaches.
    pub(crate) fn read(&mut self, file: &File, part: Range<u64>) -> io::Result<()> {
        let mut at = part.start;
        self.make_room(usize::try_from(part.end.saturating_sub(part.start)).unwrap_or(usize::MAX));
        while at < part.end {
            let wanted = usize::try_from(part.end - at).unwrap_or(usize::MAX);
            let end = self.used.end.saturating_add(wanted);
            let Some(room) = self.memory.get_mut(self.used.end..end) else { break };
            match file.read_at(room, at) {
                Ok(0) => break,
                Ok(read) => {
                    at += read as u64;
                    self.used.end += read;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn make_room(&mut self, more: usize) {
        let needed = self.used.end.saturating_add(more);
        if needed <= self.memory.len() && !self.memory.is_empty() {
            return;
        }
        let length = self.len();
        let mut memory = vec![0; (length + more).next_multiple_of(PAGE) + PAGE];
        let aligned = memory.as_ptr().align_offset(PAGE);
        if let Some(place) = memory.get_mut(aligned..aligned + length) {
            place.copy_from_slice(self.bytes());
        }
        self.memory = memory;
        self.used = aligned..aligned + length;
    }
}
