//! The words of a segment as its filter has them: all of them, each with the set of its blocks.
//!
//! Compressed, they are: the words in their order, a line end before the first and after each; then
//! the set of each word, a bit for a block. Most sets are alike, so that they compress well.

use std::cell::OnceCell;

use super::FilterError;
use super::block_set::BlockSet;
use super::table::Table;
use memchr::memmem;

/// The level at which zstd compresses the words. They are few.
const LEVEL: i32 = 9;

/// The longest words and sets of a filter together, in bytes, before they are compressed.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The bytes of a set in a segment with so many blocks.
pub(super) fn row_bytes(blocks: usize) -> usize {
    blocks.div_ceil(8)
}

/// The compressed words, and their length before.
pub(super) fn write(table: &Table) -> Option<(Vec<u8>, usize)> {
    let words = table.sorted();
    let stride = row_bytes(table.blocks().len());
    let most = words.iter().map(|(_, number)| usize::from(*number) + 1).max().unwrap_or(0);
    let mut places = vec![None; most];
    let mut bytes = vec![b'\n'];
    for (place, (word, number)) in words.iter().enumerate() {
        bytes.extend_from_slice(word);
        bytes.push(b'\n');
        if let Some(to) = places.get_mut(usize::from(*number)) {
            *to = Some(place);
        }
    }
    let text_bytes = bytes.len();
    bytes.resize(text_bytes + words.len() * stride, 0);
    for (block, numbers) in table.blocks().iter().enumerate() {
        let places = numbers.iter().filter_map(|number| *places.get(usize::from(*number))?);
        for place in places {
            if let Some(byte) = bytes.get_mut(text_bytes + place * stride + block / 8) {
                *byte |= 1 << (block % 8);
            }
        }
    }
    let compressed = zstd::bulk::compress(&bytes, LEVEL).ok()?;
    (bytes.len() <= MAX_BYTES).then_some((compressed, bytes.len()))
}

/// The words of a segment.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// The words, then the sets.
    bytes: Vec<u8>,
    /// The words in lower case, once they are asked for.
    lower: OnceCell<Vec<u8>>,
    /// Where each word's line end is.
    ends: Vec<usize>,
    text_bytes: usize,
    blocks: usize,
}

impl Dictionary {
    /// Reads compressed words with their sets of blocks, `len` bytes in all.
    pub(super) fn read(
        compressed: &[u8],
        len: usize,
        blocks: usize,
    ) -> Result<Dictionary, FilterError> {
        if len > MAX_BYTES {
            return Err(FilterError::TooLong("words"));
        }
        let bytes = zstd::bulk::decompress(compressed, len)
            .ok()
            .filter(|bytes| bytes.len() == len)
            .ok_or(FilterError::Words)?;
        let stride = row_bytes(blocks);
        // The sets may have bytes like line ends. There are as many sets as words.
        let mut ends = Vec::new();
        for (count, end) in memchr::memchr_iter(b'\n', &bytes).enumerate() {
            if count > 0 {
                ends.push(end);
            }
            if end + 1 + count * stride == len {
                return Ok(Dictionary {
                    bytes,
                    lower: OnceCell::new(),
                    ends,
                    text_bytes: end + 1,
                    blocks,
                });
            }
        }
        Err(FilterError::Words)
    }

    /// The blocks that have a word with this piece.
    pub(super) fn blocks(&self, piece: &Piece<'_>) -> BlockSet {
        let text = self.bytes.get(..self.text_bytes).unwrap_or_default();
        let text = if piece.ignores_case {
            self.lower.get_or_init(|| text.to_ascii_lowercase())
        } else {
            text
        };
        let edge = |is_edge: bool| if is_edge { &b"\n"[..] } else { &[] };
        let wanted = [edge(piece.begins), piece.bytes, edge(piece.ends)].concat();
        let stride = row_bytes(self.blocks);
        let mut found = BlockSet::none(self.blocks);
        for at in memmem::find_iter(text, &wanted) {
            // The first byte of the piece is in the word.
            let first = at + usize::from(piece.begins);
            let word = self.ends.partition_point(|end| *end < first);
            let start = self.text_bytes + word * stride;
            let row = self.bytes.get(start..start + stride).unwrap_or_default();
            found.unite_row(row);
        }
        found.intersect(&BlockSet::all(self.blocks));
        found
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// A piece of a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'l> {
    /// Its bytes, in lower case if case is ignored.
    pub(super) bytes: &'l [u8],
    pub(super) ignores_case: bool,
    /// Whether the word begins with it.
    pub(super) begins: bool,
    /// Whether the word ends with it.
    pub(super) ends: bool,
}
