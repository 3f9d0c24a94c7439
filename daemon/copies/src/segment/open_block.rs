//! A block in an open segment: a skippable frame with what is known of it, and the zstd frame with
//! its text.

use super::{Fields, SKIPPABLE_BYTES, digest, digest_of, is_same, most_frame_bytes};
use crate::block::{BlockHead, MAX_BLOCK_BYTES};
use crate::stream::StreamId;

/// The magic number of the skippable frame.
pub(crate) const MAGIC: [u8; 4] = 0x184D_2A5A_u32.to_le_bytes();

/// How long the skippable frame is.
pub(crate) const HEAD_BYTES: usize = SKIPPABLE_BYTES + PAYLOAD_BYTES as usize;

const PAYLOAD_BYTES: u32 = 112;
const CHECK_BYTES: usize = 8;
const VERSION: u32 = 1;
const BEGINS_LINE: u32 = 1 << 8;
const ENDS_LINE: u32 = 1 << 9;
const HAS_NUL: u32 = 1 << 10;
const LINES_KNOWN: u32 = 1 << 11;

/// What is known of a block in an open segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenHead {
    /// As the source sent it.
    pub(crate) block: BlockHead,
    /// How long its zstd frame is.
    pub(crate) frame_bytes: u32,
    /// The hash of the zstd frame.
    pub(crate) frame_hash: [u8; 16],
    /// How many line ends it has.
    pub(crate) lines: u32,
    /// How many the file has before it, if that is known.
    pub(crate) lines_before: Option<u64>,
    /// Where the copy of the stream began in the file.
    pub(crate) first: u64,
    /// Up to where the stream was durable when it was written. What a crash damages behind that
    /// was never acknowledged.
    pub(crate) durable: u64,
    /// Whether a line begins with its first byte.
    pub(crate) begins_line: bool,
    pub(crate) text: TextFacts,
}

/// What a search wants to know of a text without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextFacts {
    /// Whether it ends with a line end.
    pub(crate) ends_line: bool,
    /// Whether it contains the byte 0.
    pub(crate) has_nul: bool,
}

impl TextFacts {
    pub(crate) fn of(text: &[u8]) -> TextFacts {
        let has_nul = memchr::memchr(0, text).is_some();
        TextFacts { ends_line: text.ends_with(b"\n"), has_nul }
    }
}

/// How many line ends a text has.
pub(crate) fn count_lines(text: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u32::MAX)
}

impl OpenHead {
    /// Where the next block begins, if this one begins at `place`.
    pub(crate) fn next_place(&self, place: u64) -> u64 {
        place.saturating_add(HEAD_BYTES as u64).saturating_add(u64::from(self.frame_bytes))
    }

    /// How many line ends the file has up to the end of the block.
    pub(crate) fn lines_after(&self) -> Option<u64> {
        self.lines_before?.checked_add(u64::from(self.lines))
    }

    pub(crate) fn encode(&self) -> [u8; HEAD_BYTES] {
        let OpenHead { block, .. } = self;
        let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        let flags = VERSION
            | flag(self.begins_line, BEGINS_LINE)
            | flag(self.text.ends_line, ENDS_LINE)
            | flag(self.text.has_nul, HAS_NUL)
            | flag(self.lines_before.is_some(), LINES_KNOWN);
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(PAYLOAD_BYTES.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(block.offset.to_le_bytes());
        bytes.extend(block.text_bytes.to_le_bytes());
        bytes.extend(self.frame_bytes.to_le_bytes());
        bytes.extend(self.lines.to_le_bytes());
        bytes.extend(self.lines_before.unwrap_or(0).to_le_bytes());
        bytes.extend(block.read_ms.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.durable.to_le_bytes());
        bytes.extend(block.hash);
        bytes.extend(self.frame_hash);
        bytes.extend(digest_of::<CHECK_BYTES>(block.stream, &bytes));
        // Its length is that of the array: every field has a fixed length.
        let mut head = [0; HEAD_BYTES];
        for (to, from) in head.iter_mut().zip(bytes) {
            *to = from;
        }
        head
    }

    /// Reads the head of a block of stream `id`. None if it is none, or is damaged.
    pub(crate) fn decode(id: StreamId, bytes: &[u8; HEAD_BYTES]) -> Option<OpenHead> {
        let (checked, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        let mut fields = Fields(checked);
        let is_block = fields.bytes::<4>()? == MAGIC && fields.u32()? == PAYLOAD_BYTES;
        if !is_block || !is_same(&digest_of::<CHECK_BYTES>(id, checked), check) {
            return None;
        }
        let flags = fields.u32()?;
        let (offset, text_bytes, frame_bytes) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let (lines, lines_before) = (fields.u32()?, fields.u64()?);
        let (read_ms, first, durable) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let hash = fields.bytes()?;
        let block = BlockHead { stream: id, offset, text_bytes, hash, read_ms };
        let head = OpenHead {
            block,
            frame_bytes,
            frame_hash: fields.bytes()?,
            lines,
            lines_before: (flags & LINES_KNOWN != 0).then_some(lines_before),
            first,
            durable,
            begins_line: flags & BEGINS_LINE != 0,
            text: TextFacts { ends_line: flags & ENDS_LINE != 0, has_nul: flags & HAS_NUL != 0 },
        };
        (flags & 0xff == VERSION && head.is_possible()).then_some(head)
    }

    fn is_possible(&self) -> bool {
        self.first <= self.block.offset && may_be_block(&self.block, self.frame_bytes as usize)
    }

    /// Whether `frame` is what was written.
    pub(crate) fn is_frame(&self, frame: &[u8]) -> bool {
        is_same(&digest::<16>(frame), &self.frame_hash)
    }
}

/// Whether a block may have this head and a frame of this length.
pub(crate) fn may_be_block(head: &BlockHead, frame_bytes: usize) -> bool {
    let text_bytes = head.text_bytes as usize;
    (1..=MAX_BLOCK_BYTES).contains(&text_bytes)
        && head.offset.checked_add(u64::from(head.text_bytes)).is_some()
        && (1..=most_frame_bytes(head.text_bytes)).contains(&frame_bytes)
}

#[cfg(test)]
mod tests {
    use super::{HEAD_BYTES, OpenHead, TextFacts};
    use crate::block::BlockHead;
    use crate::stream::StreamId;

    /// A head is read as it was written. Any changed bit, or another stream, and it is none.
    #[test]
    fn a_head_is_read_only_as_it_was_written() {
        let id = StreamId { device: 1, inode: 2, begun_ms: 3 };
        let hash = *blake3::hash(b"text").as_bytes();
        let head = OpenHead {
            block: BlockHead { stream: id, offset: 77, text_bytes: 400, hash, read_ms: 5 },
            frame_bytes: 99,
            frame_hash: [7; 16],
            lines: 3,
            lines_before: Some(8),
            first: 7,
            durable: 70,
            begins_line: true,
            text: TextFacts { ends_line: false, has_nul: true },
        };
        let bytes = head.encode();
        assert_eq!(OpenHead::decode(id, &bytes), Some(head));
        assert_eq!(OpenHead::decode(StreamId { inode: 3, ..id }, &bytes), None);
        for bit in 0..HEAD_BYTES * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(OpenHead::decode(id, &bytes), None, "bit {bit}");
        }
    }
}
