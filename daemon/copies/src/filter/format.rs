//! A filter as bytes: a head of fixed length, the marks of each block, the rows of bits, and the
//! compressed words.

use super::dictionary::row_bytes;
use super::marks::Marks;
use super::{FilterError, MAX_BLOCKS};

/// What each filter begins with: its name and its version.
const MAGIC: &[u8; 8] = b"mdfilt\x00\x01";

/// The length of the hash over all that follows it, in bytes.
const HASH_BYTES: usize = 16;

/// The length of the head: the magic, the hash and four numbers.
pub(super) const HEAD_BYTES: usize = HASHED_FROM + 4 * 4;

/// Where in a filter the bytes begin of which it has the hash.
pub(super) const HASHED_FROM: usize = MAGIC.len() + HASH_BYTES;

/// The parts of a filter.
#[derive(Debug)]
pub(super) struct Parts<'b> {
    pub(super) marks: &'b [Marks],
    pub(super) rows: &'b [u8],
    /// Compressed.
    pub(super) words: &'b [u8],
    /// Their length before they were compressed. 0 if they are not there.
    pub(super) words_bytes: usize,
}

/// The parts of a filter that was read.
#[derive(Debug)]
pub(super) struct Read<'b> {
    pub(super) marks: Vec<Marks>,
    pub(super) rows: &'b [u8],
    pub(super) words: &'b [u8],
    pub(super) words_bytes: usize,
}

/// The filter as bytes.
pub(super) fn write(parts: &Parts<'_>) -> Vec<u8> {
    let numbers = [parts.marks.len(), parts.rows.len(), parts.words.len(), parts.words_bytes];
    let mut rest = Vec::new();
    for number in numbers {
        rest.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }
    parts.marks.iter().for_each(|marks| rest.extend_from_slice(&marks.write()));
    rest.extend_from_slice(parts.rows);
    rest.extend_from_slice(parts.words);
    with_head(&rest)
}

/// What follows the hash, with what is before it.
pub(super) fn with_head(rest: &[u8]) -> Vec<u8> {
    [MAGIC, &hash(rest)[..], rest].concat()
}

/// The parts of a filter, after a check of its hash.
pub(super) fn read(bytes: &[u8]) -> Result<Read<'_>, FilterError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(FilterError::Unknown)?;
    let (expected, rest) = rest.split_at_checked(HASH_BYTES).ok_or(FilterError::Short)?;
    if hash(rest) != *expected {
        return Err(FilterError::Damaged);
    }
    let mut rest = rest;
    let mut numbers = [0; 4];
    for number in &mut numbers {
        let (four, after) = rest.split_first_chunk::<4>().ok_or(FilterError::Short)?;
        *number = u32::from_le_bytes(*four) as usize;
        rest = after;
    }
    let [blocks, rows_bytes, words_len, words_bytes] = numbers;
    if blocks > MAX_BLOCKS {
        return Err(FilterError::TooLong("blocks"));
    }
    let (marks, rest) = rest.split_at_checked(blocks * Marks::BYTES).ok_or(FilterError::Short)?;
    let (rows, rest) = rest.split_at_checked(rows_bytes).ok_or(FilterError::Short)?;
    let whole_rows = rows_bytes.checked_rem(row_bytes(blocks)).unwrap_or(rows_bytes) == 0;
    if !whole_rows || rest.len() != words_len {
        return Err(FilterError::Short);
    }
    let marks = marks.as_chunks().0.iter().copied().map(Marks::read).collect();
    Ok(Read { marks, rows, words: rest, words_bytes })
}

fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let mut short = [0; HASH_BYTES];
    for (to, from) in short.iter_mut().zip(blake3::hash(bytes).as_bytes()) {
        *to = *from;
    }
    short
}
