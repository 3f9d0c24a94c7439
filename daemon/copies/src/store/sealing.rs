//! Rewrites a full segment: its blocks become large, and an index with a filter follows them.

use super::check::Inflater;
use super::disk::Disk;
use super::streams::Key;
use super::{Span, SpanReader};
use crate::block::{BLOCK_BYTES, MAX_BLOCK_BYTES};
use crate::filter::Builder;
use crate::segment::digest;
use crate::segment::index::{Entry, Index, Summary, bytes_without_filter};
use crate::segment::open_block::{OpenHead, TextFacts, count_lines};
use crate::segment::recover::read_block;
use crate::stream::StreamHead;
use std::fmt;
use std::fs::File;
use std::io;
use zstd::bulk::Compressor;

/// How well sealed blocks are compressed. Higher levels took twice the time for 5 % less.
const LEVEL: i32 = 3;

/// The most that an index with its filter may add to the frames of a segment, in percent.
const INDEX_PERCENT: u64 = 6;

/// A segment that is being sealed. It holds at most 2 MiB of text, 2 MiB of frames, the 1.5 MiB of
/// zstd, and the filter.
pub(super) struct Sealing {
    pub(super) key: Key,
    pub(super) begin: u64,
    head: StreamHead,
    input: Input,
    output: Output,
    filter: Builder,
    first: OpenHead,
    inflater: Inflater,
    /// Text that was read and not yet written.
    text: Vec<u8>,
    lines: u64,
}

/// The open segment.
struct Input {
    file: File,
    bytes: u64,
    /// Where the next block begins in the file.
    place: u64,
    last: OpenHead,
    frame: Vec<u8>,
    block: Vec<u8>,
}

/// The sealed segment.
struct Output {
    file: File,
    frames_bytes: u64,
    entries: Vec<Entry>,
    compressor: Compressor<'static>,
    frame: Vec<u8>,
}

/// Why a segment cannot be sealed.
#[derive(Debug)]
pub(super) enum SealError {
    /// The open segment is not what was written, at this place of its file.
    Damaged(u64),
    /// It cannot be read.
    Read(io::Error),
    /// The sealed one cannot be written.
    Write(io::Error),
}

impl fmt::Debug for Sealing {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Sealing").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What there is to seal.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) begin: u64,
    pub(super) head: StreamHead,
    pub(super) input: File,
    pub(super) output: File,
}

impl Sealing {
    /// Begins.
    pub(super) fn new(job: Job, spans: &mut dyn SpanReader) -> Result<Sealing, SealError> {
        let Job { key, begin, head, input, output } = job;
        let bytes = input.metadata().map_err(SealError::Read)?.len();
        let mut frame = Vec::new();
        let first = read_block(&input, key.id, 0, bytes, &mut frame).map_err(SealError::Read)?;
        let first = first.filter(|first| first.block.offset == begin);
        let first = first.ok_or(SealError::Damaged(0))?;
        spans.begin(&head);
        Ok(Sealing {
            key,
            begin,
            head,
            input: Input { file: input, bytes, place: 0, last: first, frame, block: Vec::new() },
            output: Output {
                file: output,
                frames_bytes: 0,
                entries: Vec::new(),
                compressor: Compressor::new(LEVEL).map_err(SealError::Read)?,
                frame: Vec::new(),
            },
            filter: Builder::new(!first.begins_line),
            first,
            inflater: Inflater::new().map_err(SealError::Read)?,
            text: Vec::new(),
            lines: 0,
        })
    }

    /// Writes one block. Returns whether it was the last one.
    pub(super) fn step(
        &mut self,
        disk: &dyn Disk,
        spans: &mut dyn SpanReader,
    ) -> Result<bool, SealError> {
        let length = loop {
            let is_last = self.input.place == self.input.bytes;
            match block_length(&self.text, is_last) {
                Some(length) => break length,
                None => self.read()?,
            }
        };
        let Some(text) = self.text.get(..length) else { return Ok(true) };
        let span = spans.span(text);
        self.filter.add(text);
        self.lines += u64::from(count_lines(text));
        self.output.write(disk, &mut self.inflater, &mut self.input.block, (text, span))?;
        self.text.drain(..length);
        Ok(self.text.is_empty() && self.input.place == self.input.bytes)
    }

    /// Reads the next block of the open segment.
    fn read(&mut self) -> Result<(), SealError> {
        let Input { file, bytes, place, last, frame, block } = &mut self.input;
        let damaged = SealError::Damaged(*place);
        let expected = if *place == 0 { self.begin } else { last.block.end() };
        let head = read_block(file, self.key.id, *place, *bytes, frame).map_err(SealError::Read)?;
        let Some(head) = head.filter(|head| head.block.offset == expected) else {
            return Err(damaged);
        };
        self.inflater.inflate(frame, head.block.text_bytes, block).map_err(|_| damaged)?;
        self.text.extend_from_slice(block);
        *place = head.next_place(*place);
        *last = head;
        Ok(())
    }

    /// Writes the index, and makes the file durable. Returns how long it is.
    pub(super) fn finish(
        self,
        disk: &dyn Disk,
        spans: &dyn SpanReader,
        written_ms: u64,
    ) -> Result<u64, SealError> {
        let Sealing { output, input, first, head, .. } = self;
        let summary = Summary {
            first: first.first,
            begin: self.begin,
            text_bytes: input.last.block.end().saturating_sub(self.begin),
            lines_before: first.lines_before,
            lines: self.lines,
            begins_line: first.begins_line,
            last: input.last.block,
            zone: head.zone,
            modified_ms: head.modified_ms,
            same_until_ms: spans.same_until(),
            rules: spans.rules(),
        };
        let fixed = bytes_without_filter(&summary, output.entries.len()) as u64;
        let budget = (output.frames_bytes * INDEX_PERCENT / 100).saturating_sub(fixed);
        let filter = self.filter.finish(usize::try_from(budget).unwrap_or(usize::MAX));
        let index = Index { summary, entries: output.entries, filter };
        let bytes = index.encode(output.frames_bytes);
        let bytes = bytes.ok_or(SealError::Damaged(input.place))?;
        disk.write_at(&output.file, &bytes, output.frames_bytes).map_err(SealError::Write)?;
        let written = std::time::UNIX_EPOCH + std::time::Duration::from_millis(written_ms);
        output.file.set_modified(written).map_err(SealError::Write)?;
        // Lack of space that only the fsync notices is no longer a clean refusal.
        disk.sync(&output.file).map_err(|error| SealError::Write(io::Error::other(error)))?;
        Ok(output.frames_bytes + bytes.len() as u64)
    }
}

impl Output {
    /// Compresses and writes a block. The open segment goes when the sealed one is written, so each
    /// block is decompressed again first, into `again`.
    fn write(
        &mut self,
        disk: &dyn Disk,
        inflater: &mut Inflater,
        again: &mut Vec<u8>,
        (text, span): (&[u8], Span),
    ) -> Result<(), SealError> {
        self.frame.clear();
        self.frame.reserve(zstd::zstd_safe::compress_bound(text.len()));
        let compressed = self.compressor.compress_to_buffer(text, &mut self.frame);
        compressed.map_err(SealError::Read)?;
        let text_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        inflater.inflate(&self.frame, text_bytes, again).map_err(SealError::Read)?;
        if again != text {
            let error = io::Error::other("a compressed block is another one when decompressed");
            return Err(SealError::Read(error));
        }
        disk.write_at(&self.file, &self.frame, self.frames_bytes).map_err(SealError::Write)?;
        self.frames_bytes += self.frame.len() as u64;
        self.entries.push(Entry {
            frame_bytes: u32::try_from(self.frame.len()).unwrap_or(u32::MAX),
            text_bytes,
            lines: count_lines(text),
            text: TextFacts::of(text),
            span,
            frame_hash: digest(&self.frame),
        });
        Ok(())
    }
}

/// How much of `text` becomes the next block: whole lines if possible. None if more text must be
/// read first.
fn block_length(text: &[u8], is_last: bool) -> Option<usize> {
    let Some((block, rest)) = text.split_at_checked(BLOCK_BYTES) else {
        return is_last.then_some(text.len());
    };
    if let Some(line_end) = memchr::memrchr(b'\n', block) {
        return Some(line_end + 1);
    }
    let limit = MAX_BLOCK_BYTES - BLOCK_BYTES;
    match memchr::memchr(b'\n', rest).filter(|line_end| *line_end < limit) {
        Some(line_end) => Some(BLOCK_BYTES + line_end + 1),
        None if rest.len() >= limit => Some(MAX_BLOCK_BYTES),
        None => is_last.then_some(text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_BYTES, MAX_BLOCK_BYTES, block_length};

    /// A block ends at the last line end that fits, or else at the next one, or at the limit.
    #[test]
    fn blocks_end_with_a_line_if_they_can() {
        let mut text = vec![b'x'; 2 * MAX_BLOCK_BYTES];
        assert_eq!(block_length(&text, false), Some(MAX_BLOCK_BYTES));
        assert_eq!(block_length(&text[..MAX_BLOCK_BYTES - 1], false), None);
        assert_eq!(block_length(&text[..MAX_BLOCK_BYTES - 1], true), Some(MAX_BLOCK_BYTES - 1));
        text[MAX_BLOCK_BYTES - 1] = b'\n';
        assert_eq!(block_length(&text, false), Some(MAX_BLOCK_BYTES));
        text[BLOCK_BYTES] = b'\n';
        assert_eq!(block_length(&text, false), Some(BLOCK_BYTES + 1));
        text[9] = b'\n';
        assert_eq!(block_length(&text, false), Some(10));
        assert_eq!(block_length(&text[..10], false), None);
        assert_eq!(block_length(&text[..10], true), Some(10));
    }
}
