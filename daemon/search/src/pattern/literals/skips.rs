//! The places of a text where a string of a set may begin. It owns the table of skips.
//!
//! A window as long as the shortest string moves over the text. Its last bytes, a block, tell by
//! the table how far it can move without passing a beginning. Where it cannot move, its first eight
//! bytes are checked too.

use super::fold::Folding;
use super::sorted::Sorted;

/// The longest window, in bytes.
const LONGEST: usize = 16;
/// The longest window if characters have several spellings. Each of them is entered.
const LONGEST_SPELLED: usize = 8;

/// How many places are checked after one where the window cannot move.
const AHEAD: usize = 8;

/// The table has two to the power of this many entries, of one byte each: it stays in the
/// processor's cache.
const TABLE_BITS: u32 = 17;

/// The largest check of beginnings has two to the power of this many bits.
const MOST_CHECK_BITS: u32 = 22;

/// The memory of the table and the check for this many strings, in bytes.
pub(super) fn memory(strings: usize) -> usize {
    (1 << TABLE_BITS) + (1 << check_bits(strings)) / 8
}

fn check_bits(strings: usize) -> u32 {
    (strings * 16).next_power_of_two().ilog2().clamp(10, MOST_CHECK_BITS)
}

/// A table of skips.
#[derive(Debug)]
pub(super) struct Skips {
    /// How long the window is.
    window: usize,
    /// How many of its last bytes are a block.
    block: usize,
    /// These bits are set before a look into the table: with `-i`, the one between cases.
    mask: u8,
    /// How far the window can move, by the block.
    table: Box<[u8]>,
    /// Which beginnings there are.
    check: Box<[u64]>,
    check_bits: u32,
}

impl Skips {
    /// The table for strings, none of which is empty.
    pub(super) fn new(sorted: &Sorted, folding: &Folding) -> Skips {
        let longest =
            if matches!(folding, Folding::Unicode(_)) { LONGEST_SPELLED } else { LONGEST };
        let shortest = sorted.iter().map(<[u8]>::len).min();
        let window = shortest.unwrap_or(1).clamp(1, longest);
        let block = window.min(4);
        let furthest = window - block + 1;
        let check_bits = check_bits(sorted.len());
        let mut skips = Skips {
            window,
            block,
            mask: if matches!(folding, Folding::None) { 0 } else { 0x20 },
            table: vec![u8::try_from(furthest).unwrap_or(1); 1 << TABLE_BITS].into(),
            check: vec![0; 1 << (check_bits - 6)].into(),
            check_bits,
        };
        let mut before: &[u8] = &[];
        for form in sorted.iter() {
            // Sorted strings with the same beginning are neighbours. A window may end within a
            // character.
            let beginning = form.get(..window + 3).unwrap_or(form);
            if beginning != before {
                folding.spellings(form, window).iter().for_each(|one| skips.enter(one));
                before = beginning;
            }
        }
        skips
    }

    fn enter(&mut self, beginning: &[u8]) {
        for (at, block) in beginning.windows(self.block).enumerate() {
            let distance = u8::try_from(self.window - self.block - at).unwrap_or(0);
            let value = block.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
            if let Some(entry) = self.table.get_mut(slot(value | self.masks())) {
                *entry = distance.min(*entry);
            }
        }
        let place = self.check_place(beginning, 0);
        if let Some(bits) = place.and_then(|place| self.check.get_mut(place / 64)) {
            *bits |= 1 << (place.unwrap_or(0) % 64);
        }
    }

    fn masks(&self) -> u32 {
        let all = u32::from_ne_bytes([self.mask; 4]);
        if self.block == 4 { all } else { all & ((1 << (8 * self.block)) - 1) }
    }

    /// The next place at `from` or later where a string may begin.
    pub(super) fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        match self.block {
            1 => self.next_by::<1>(text, from),
            2 => self.next_by::<2>(text, from),
            3 => self.next_by::<3>(text, from),
            _ => self.next_by::<4>(text, from),
        }
    }

    fn next_by<const BLOCK: usize>(&self, text: &[u8], from: usize) -> Option<usize> {
        let masks = self.masks();
        let table: &[u8; 1 << TABLE_BITS] = (&*self.table).try_into().ok()?;
        let mut at = from + self.window - BLOCK;
        while let Some(block) = text.get(at..at + BLOCK) {
            let mut value = [0; 4];
            value.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
            let skip = table[slot(u32::from_le_bytes(value) | masks)];
            if skip == 0 {
                let start = at + BLOCK - self.window;
                // Where the text is like the strings, the table skips little. These checks do not
                // wait for each other, as looks into the table do.
                if let Some(ahead) = (0..=AHEAD).find(|ahead| self.may_begin(text, start + ahead)) {
                    return Some(start + ahead);
                }
                at += 1 + AHEAD;
            } else {
                at += usize::from(skip);
            }
        }
        None
    }

    fn may_begin(&self, text: &[u8], start: usize) -> bool {
        if self.window <= 4 {
            return true;
        }
        let Some(place) = self.check_place(text, start) else { return false };
        self.check.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
    }

    /// Where the check has the first bytes of a window: the first four, and the four up to the
    /// eighth.
    fn check_place(&self, text: &[u8], start: usize) -> Option<usize> {
        let four = |at: usize| {
            let bytes = text.get(at..)?.first_chunk::<4>()?;
            Some(u64::from(u32::from_le_bytes(*bytes)))
        };
        if self.window <= 4 {
            return None;
        }
        let masks = u64::from_ne_bytes([self.mask; 8]);
        let value = (four(start)? << 32 | four(start + self.window.min(8) - 4)?) | masks;
        let hash = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(hash >> (64 - self.check_bits)).ok()
    }
}

/// The place of a block in the table.
fn slot(value: u32) -> usize {
    (value.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS)) as usize
}
