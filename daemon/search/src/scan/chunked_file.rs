//! ChunkedFile: a large file cut at line ends into parts that can be searched side by side.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use super::long_lines::{Claim, TooLong};
use crate::line::MAX_LINE_BYTES;

/// Where pages begin in memory. A read into memory that does not lie to pages as the file does can
/// take several times as long.
const PAGE: usize = 4096;

/// How much is read with a block, for the end of the line that goes beyond it. The next block's
/// reader reads it again, so it is little.
const AHEAD: u64 = PAGE as u64;

/// How much more is read at once when that line does not end there.
const STEP: usize = 64 * 1024;

/// A file as blocks of about the same size. A line belongs to the block in which it begins.
#[derive(Debug)]
pub(crate) struct ChunkedFile {
    file: File,
    size: u64,
    chunk_bytes: u64,
    /// The bytes that end a line, or will be made to.
    line_ends: [u8; 2],
    /// The block after which nothing of the file is wanted.
    last: AtomicU64,
    counted: Mutex<Counted>,
    counted_more: Condvar,
}

/// The first blocks of a file, and the lines in them.
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
            last: AtomicU64::new(u64::MAX),
            counted,
            counted_more,
        }
    }

    /// Nothing of the file is wanted after a block. Those before it still are: they may be why the
    /// file does not match.
    pub(crate) fn end_with(&self, index: u64) {
        self.last.fetch_min(index, Ordering::Relaxed);
    }

    /// Whether a block is wanted still.
    pub(crate) fn is_wanted(&self, index: u64) -> bool {
        index <= self.last.load(Ordering::Relaxed)
    }

    /// The file's size in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// How many blocks there are.
    pub(crate) fn count(&self) -> u64 {
        self.size.div_ceil(self.chunk_bytes)
    }

    /// Reads a block's lines into `buffer`, and tells where the first begins in the file. The last
    /// line may have no end.
    ///
    /// # Errors
    /// When reading fails, or a line is longer than [`MAX_LINE_BYTES`], or long while there is no
    /// room for it. Then the lines before are in `buffer`.
    pub(crate) fn read(
        &self,
        index: u64,
        buffer: &mut PageBuffer,
        claim: &mut Claim<'_>,
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
        claim: &mut Claim<'_>,
    ) -> io::Result<u64> {
        buffer.clear();
        let from = index * self.chunk_bytes;
        let upto = (from + self.chunk_bytes).min(self.size);
        buffer.read(&self.file, from..upto + AHEAD)?;
        let mut end = from + buffer.len() as u64;
        // It is less where the file was truncated.
        let block = usize::try_from(upto.min(end) - from).unwrap_or(usize::MAX);
        // A line that ends with the block's last byte is the last one, and none begins there.
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
        while buffer.bytes().last().is_none_or(|last| !self.line_ends.contains(last)) {
            if buffer.len() > MAX_LINE_BYTES {
                return Err(TooLong::Anyway.into());
            }
            claim.line_of(buffer.len())?;
            let before = buffer.len();
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
                // It was truncated.
                io::ErrorKind::UnexpectedEof => Ok(false),
                _ => Err(error),
            },
        )
    }

    /// Tells how many lines a block has, and returns how many there are before it: waits until the
    /// blocks before are counted, which are being read by then. Call it for every block that is
    /// begun, as others wait for it.
    pub(crate) fn count_lines(&self, index: u64, lines: u64) -> u64 {
        // Nothing that can panic is done while it is held.
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self.counted_more.wait_while(counted, |counted| counted.blocks < index);
        let mut counted = earlier.unwrap_or_else(PoisonError::into_inner);
        let before = counted.lines;
        *counted = Counted { blocks: index + 1, lines: before + lines };
        self.counted_more.notify_all();
        before
    }
}

/// Bytes read from a file, in memory that lies to pages as the file does if reading begins at a
/// page.
#[derive(Debug, Default)]
pub(crate) struct PageBuffer {
    memory: Vec<u8>,
    /// Which part of `memory` is in use.
    used: Range<usize>,
}

impl PageBuffer {
    /// Empties it, and gives back memory that only a long line needed.
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

    /// Appends a part of a file, as far as it is there.
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
