//! The index of a sealed segment: what is known of its blocks, and the filter over them. It follows
//! the zstd frames of the text as a skippable frame, and a trailer tells where it is.

use super::head::MAX_ZONE_BYTES;
use super::open_block::TextFacts;
use super::{Fields, SKIPPABLE_BYTES, digest_of, is_same, most_frame_bytes};
use crate::block::{BlockHead, MAX_BLOCK_BYTES};
use crate::store::Span;
use crate::stream::StreamId;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const INDEX_MAGIC: [u8; 4] = 0x184D_2A5B_u32.to_le_bytes();
const TRAILER_MAGIC: [u8; 4] = 0x184D_2A5C_u32.to_le_bytes();
const TRAILER_TEXT: &[u8; 16] = b"memberd copy 1\n\0";
const TRAILER_PAYLOAD: u32 = 16 + 8 + 8 + 8;

/// How long the trailer is.
pub(crate) const TRAILER_BYTES: usize = SKIPPABLE_BYTES + TRAILER_PAYLOAD as usize;

/// The largest index that is read: 6 % of the largest segment is far less.
const MAX_INDEX_BYTES: u64 = 32 << 20;

const VERSION: u32 = 1;
const CHECK_BYTES: usize = 16;
const SUMMARY_BYTES: usize = 136;
/// How long the entry of a block is.
const ENTRY_BYTES: usize = 48;

/// Of the summary.
const BEGINS_LINE: u32 = 1 << 8;
const LINES_KNOWN: u32 = 1 << 9;

/// Of an entry.
const ENDS_LINE: u32 = 1;
const HAS_NUL: u32 = 1 << 1;
const FIRST_DATED: u32 = 1 << 2;
const UNREAD: u32 = 1 << 3;
const HAS_TIMES: u32 = 1 << 4;

/// What is known of a sealed segment as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Where the copy of the stream began in the file.
    pub(crate) first: u64,
    /// Where the text of the segment begins in the file, and how long it is.
    pub(crate) begin: u64,
    pub(crate) text_bytes: u64,
    /// How many line ends the file has before it, and how many it has itself.
    pub(crate) lines_before: Option<u64>,
    pub(crate) lines: u64,
    /// Whether a line begins with its first byte.
    pub(crate) begins_line: bool,
    /// The last block as the source sent it.
    pub(crate) last: BlockHead,
    /// The times of the blocks hold while the file's time zone is this one, and it was last written
    /// at `modified_ms` or later, but not after `same_until_ms`.
    pub(crate) zone: String,
    pub(crate) modified_ms: i64,
    pub(crate) same_until_ms: i64,
    /// The rules by which they were read: see [`SpanReader::rules`](crate::store::SpanReader).
    pub(crate) rules: u64,
}

impl Summary {
    /// Where the text after the segment begins in the file.
    pub(crate) fn end(&self) -> u64 {
        self.begin.saturating_add(self.text_bytes)
    }

    /// How many line ends the file has up to the end of the segment.
    pub(crate) fn lines_after(&self) -> Option<u64> {
        self.lines_before?.checked_add(self.lines)
    }
}

/// What is known of a block of a sealed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) frame_bytes: u32,
    pub(crate) text_bytes: u32,
    pub(crate) lines: u32,
    pub(crate) text: TextFacts,
    pub(crate) span: Span,
    /// The hash of the zstd frame.
    pub(crate) frame_hash: [u8; 16],
}

/// The index of a sealed segment. The frames of its blocks follow each other from the beginning of
/// the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) summary: Summary,
    pub(crate) entries: Vec<Entry>,
    /// The filter over the blocks, or nothing.
    pub(crate) filter: Vec<u8>,
}

/// How many bytes a segment has beside its frames and its filter.
pub(crate) fn bytes_without_filter(summary: &Summary, blocks: usize) -> usize {
    let index = SUMMARY_BYTES + summary.zone.len() + blocks * ENTRY_BYTES + CHECK_BYTES;
    SKIPPABLE_BYTES + index + TRAILER_BYTES
}

impl Index {
    /// The bytes that follow the frames, which take `frames_bytes`: the index and the trailer. None
    /// if the index is too large.
    pub(crate) fn encode(&self, frames_bytes: u64) -> Option<Vec<u8>> {
        let id = self.summary.last.stream;
        let mut payload = self.summary.encode(self.entries.len(), self.filter.len())?;
        self.entries.iter().for_each(|entry| entry.encode(&mut payload));
        payload.extend(&self.filter);
        let check = digest_of::<CHECK_BYTES>(id, &payload);
        payload.extend(check);
        let mut bytes = Vec::with_capacity(payload.len() + SKIPPABLE_BYTES + TRAILER_BYTES);
        bytes.extend(INDEX_MAGIC);
        bytes.extend(u32::try_from(payload.len()).ok()?.to_le_bytes());
        bytes.append(&mut payload);
        let index_bytes = bytes.len() as u64;
        bytes.extend(Trailer { index_place: frames_bytes, index_bytes }.encode(id));
        (index_bytes <= MAX_INDEX_BYTES).then_some(bytes)
    }

    /// Reads the skippable frame of the index of stream `id`, behind `frames_bytes` of frames. None
    /// if it is damaged.
    pub(crate) fn decode(id: StreamId, bytes: &[u8], frames_bytes: u64) -> Option<Index> {
        let (checked, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        let mut fields = Fields(checked);
        let magic = fields.bytes::<4>()?;
        let length = usize::try_from(fields.u32()?).ok()?;
        let payload = fields.0;
        let is_index = magic == INDEX_MAGIC && length == payload.len() + CHECK_BYTES;
        if !is_index || !is_same(&digest_of::<CHECK_BYTES>(id, payload), check) {
            return None;
        }
        let (mut summary, blocks, zone_bytes, filter_bytes) = Summary::decode(id, &mut fields)?;
        summary.zone = String::from_utf8(fields.slice(zone_bytes)?.to_vec()).ok()?;
        let mut entries = Fields(fields.slice(blocks.checked_mul(ENTRY_BYTES)?)?);
        let entries: Vec<Entry> =
            (0..blocks).map(|_| Entry::decode(&mut entries)).collect::<Option<_>>()?;
        let filter = fields.slice(filter_bytes)?.to_vec();
        let index = Index { summary, entries, filter };
        (fields.0.is_empty() && index.adds_up(frames_bytes)).then_some(index)
    }

    /// Whether the blocks are the whole text and all frames.
    fn adds_up(&self, frames_bytes: u64) -> bool {
        let Summary { begin, text_bytes, first, last, .. } = &self.summary;
        let sum =
            |of: fn(&Entry) -> u32| self.entries.iter().map(|entry| u64::from(of(entry))).sum();
        let (frames, text, lines): (u64, u64, u64) = (
            sum(|entry| entry.frame_bytes),
            sum(|entry| entry.text_bytes),
            sum(|entry| entry.lines),
        );
        !self.entries.is_empty()
            && (frames, text, lines) == (frames_bytes, *text_bytes, self.summary.lines)
            && first <= begin
            && begin.checked_add(*text_bytes).is_some_and(|end| end == last.end())
    }
}

impl Summary {
    fn encode(&self, blocks: usize, filter_bytes: usize) -> Option<Vec<u8>> {
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        let flags = VERSION
            | flag(self.begins_line, BEGINS_LINE)
            | flag(self.lines_before.is_some(), LINES_KNOWN);
        let mut bytes = Vec::with_capacity(SUMMARY_BYTES);
        bytes.extend(flags.to_le_bytes());
        for length in [blocks, self.zone.len(), filter_bytes] {
            bytes.extend(u32::try_from(length).ok()?.to_le_bytes());
        }
        for number in
            [self.first, self.begin, self.text_bytes, self.lines_before.unwrap_or(0), self.lines]
        {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.modified_ms.to_le_bytes());
        bytes.extend(self.same_until_ms.to_le_bytes());
        bytes.extend(self.last.offset.to_le_bytes());
        bytes.extend(u64::from(self.last.text_bytes).to_le_bytes());
        bytes.extend(self.last.read_ms.to_le_bytes());
        bytes.extend(self.last.hash);
        bytes.extend(self.rules.to_le_bytes());
        bytes.extend(self.zone.as_bytes());
        Some(bytes)
    }

    /// Reads all but the zone, and the lengths of what follows: blocks, zone and filter.
    fn decode(id: StreamId, fields: &mut Fields) -> Option<(Summary, usize, usize, usize)> {
        let flags = fields.u32()?;
        let mut length = || usize::try_from(fields.u32()?).ok();
        let (blocks, zone_bytes, filter_bytes) = (length()?, length()?, length()?);
        let (first, begin, text_bytes) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (lines_before, lines) = (fields.u64()?, fields.u64()?);
        let (modified_ms, same_until_ms) = (fields.i64()?, fields.i64()?);
        let offset = fields.u64()?;
        let last = BlockHead {
            stream: id,
            offset,
            text_bytes: u32::try_from(fields.u64()?).ok()?,
            read_ms: fields.u64()?,
            hash: fields.bytes()?,
        };
        let rules = fields.u64()?;
        let summary = Summary {
            first,
            begin,
            text_bytes,
            lines_before: (flags & LINES_KNOWN != 0).then_some(lines_before),
            lines,
            begins_line: flags & BEGINS_LINE != 0,
            last,
            zone: String::new(),
            modified_ms,
            same_until_ms,
            rules,
        };
        let is_known = flags & 0xff == VERSION && zone_bytes <= MAX_ZONE_BYTES;
        is_known.then_some((summary, blocks, zone_bytes, filter_bytes))
    }
}

impl Entry {
    fn encode(&self, bytes: &mut Vec<u8>) {
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        let flags = flag(self.text.ends_line, ENDS_LINE)
            | flag(self.text.has_nul, HAS_NUL)
            | flag(self.span.first_dated, FIRST_DATED)
            | flag(self.span.unread, UNREAD)
            | flag(self.span.times.is_some(), HAS_TIMES);
        for number in [self.frame_bytes, self.text_bytes, self.lines, flags] {
            bytes.extend(number.to_le_bytes());
        }
        let (earliest, latest) = self.span.times.unwrap_or((0, 0));
        bytes.extend(earliest.to_le_bytes());
        bytes.extend(latest.to_le_bytes());
        bytes.extend(self.frame_hash);
    }

    fn decode(fields: &mut Fields) -> Option<Entry> {
        let (frame_bytes, text_bytes) = (fields.u32()?, fields.u32()?);
        let (lines, flags) = (fields.u32()?, fields.u32()?);
        let times = (fields.i64()?, fields.i64()?);
        let frame_hash = fields.bytes()?;
        let is_possible = (1..=MAX_BLOCK_BYTES).contains(&usize::try_from(text_bytes).ok()?)
            && (1..=most_frame_bytes(text_bytes)).contains(&usize::try_from(frame_bytes).ok()?);
        let has = |flag: u32| flags & flag != 0;
        let span = Span {
            times: has(HAS_TIMES).then_some(times),
            first_dated: has(FIRST_DATED),
            unread: has(UNREAD),
        };
        let text = TextFacts { ends_line: has(ENDS_LINE), has_nul: has(HAS_NUL) };
        is_possible.then_some(Entry { frame_bytes, text_bytes, lines, text, span, frame_hash })
    }
}

/// Where the index is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trailer {
    index_place: u64,
    index_bytes: u64,
}

impl Trailer {
    fn encode(self, id: StreamId) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TRAILER_BYTES);
        bytes.extend(TRAILER_MAGIC);
        bytes.extend(TRAILER_PAYLOAD.to_le_bytes());
        bytes.extend(TRAILER_TEXT);
        bytes.extend(self.index_place.to_le_bytes());
        bytes.extend(self.index_bytes.to_le_bytes());
        let check = digest_of::<8>(id, &bytes);
        bytes.extend(check);
        bytes
    }

    fn decode(id: StreamId, bytes: &[u8; TRAILER_BYTES]) -> Option<Trailer> {
        let mut fields = Fields(bytes);
        let magic = fields.bytes::<4>()?;
        let is_trailer = fields.u32()? == TRAILER_PAYLOAD
            && magic == TRAILER_MAGIC
            && fields.bytes::<16>()? == *TRAILER_TEXT;
        let trailer = Trailer { index_place: fields.u64()?, index_bytes: fields.u64()? };
        let is_whole = is_same(bytes, &trailer.encode(id));
        (is_trailer && is_whole).then_some(trailer)
    }
}

/// Reads the index of a sealed segment of stream `id`. None if it is damaged.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read(file: &File, id: StreamId) -> io::Result<Option<Index>> {
    let length = file.metadata()?.len();
    let Some(trailer_place) = length.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
    let mut bytes = [0; TRAILER_BYTES];
    file.read_exact_at(&mut bytes, trailer_place)?;
    let Some(trailer) = Trailer::decode(id, &bytes) else { return Ok(None) };
    let Trailer { index_place, index_bytes } = trailer;
    let is_there = index_place.checked_add(index_bytes) == Some(trailer_place);
    let Some(index_bytes) = usize::try_from(index_bytes)
        .ok()
        .filter(|bytes| is_there && *bytes as u64 <= MAX_INDEX_BYTES)
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; index_bytes];
    file.read_exact_at(&mut bytes, index_place)?;
    Ok(Index::decode(id, &bytes, index_place))
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
