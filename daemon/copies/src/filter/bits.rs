//! The bits of keys: a Bloom filter for each block, all of the same length, and stored side by
//! side. So one row of bits tells of a place which blocks have it.
//!
//! While a filter is built, each block has [`PLACES`] bits. At the end they are folded to as many
//! as the budget allows: several places become one, which is set if one of them was.

use super::block_set::BlockSet;
use super::dictionary::row_bytes;
use super::keys::{Key, PLACES};

/// The most bits for each place that is set. More would exclude little more.
const MOST_BITS: usize = 8;

/// Fewer bits are useless.
const FEWEST_ROWS: usize = 64;

/// The bits of all blocks while the filter is built.
#[derive(Debug, Default)]
pub(super) struct BitsBuilder {
    blocks: Vec<Box<[u64]>>,
}

impl BitsBuilder {
    /// The keys of the next block follow.
    pub(super) fn begin_block(&mut self) {
        self.blocks.push(vec![0; PLACES / 64].into());
    }

    /// Adds a key of the block that was begun last.
    pub(super) fn add(&mut self, key: Key) {
        if let Some(last) = self.blocks.len().checked_sub(1) {
            self.add_to(last, key);
        }
    }

    /// Adds a key of a block.
    pub(super) fn add_to(&mut self, block: usize, key: Key) {
        let Some(block) = self.blocks.get_mut(block) else { return };
        for place in key.places() {
            if let Some(word) = block.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
    }

    /// How many places a block has set, on average.
    fn mean(&self) -> usize {
        let words = self.blocks.iter().flatten();
        let set: usize = words.map(|word| word.count_ones() as usize).sum();
        set.checked_div(self.blocks.len()).unwrap_or(0)
    }

    /// The bytes with which the bits exclude much: with 3 for each place, a quarter is set.
    pub(super) fn wanted_bytes(&self) -> usize {
        3 * self.mean() * row_bytes(self.blocks.len())
    }

    /// The rows, of which there are as many as `budget` bytes allow, or none.
    pub(super) fn rows(&self, budget: usize) -> Vec<u8> {
        let stride = row_bytes(self.blocks.len());
        let wanted = (self.mean() * MOST_BITS).clamp(FEWEST_ROWS, PLACES);
        let rows = budget.checked_div(stride).unwrap_or(0).min(wanted);
        if rows < FEWEST_ROWS {
            return Vec::new();
        }
        let mut out = vec![0; rows * stride];
        for (block, words) in self.blocks.iter().enumerate() {
            for place in set_places(words) {
                let at = row_of(place, rows) * stride + block / 8;
                if let Some(byte) = out.get_mut(at) {
                    *byte |= 1 << (block % 8);
                }
            }
        }
        out
    }
}

/// The row of a place when there are so many.
fn row_of(place: usize, rows: usize) -> usize {
    place * rows / PLACES
}

fn set_places(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(at, word)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.checked_sub(1)?;
            Some(at * 64 + bit)
        })
    })
}

/// The rows of a filter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) blocks: usize,
}

impl Rows<'_> {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len().checked_div(row_bytes(self.blocks)).unwrap_or(0)
    }

    /// The blocks that may have all of these keys.
    pub(super) fn with(&self, keys: impl IntoIterator<Item = Key>) -> BlockSet {
        let mut found = BlockSet::all(self.blocks);
        let (rows, stride) = (self.len(), row_bytes(self.blocks));
        if rows == 0 {
            return found;
        }
        for place in keys.into_iter().flat_map(Key::places) {
            let start = row_of(place, rows) * stride;
            let row = self.bytes.get(start..start + stride).unwrap_or_default();
            found.intersect_row(row);
        }
        found
    }
}
