//! The keys of words with digits: numbers by which the bits of a block are found.

use super::words::{DOTTED_BYTES, is_hex};

/// How long a gram is, in bytes.
const GRAM: usize = 6;

/// How many grams that follow each other have at least one key among them. So each part of a word
/// of [`LONG`] bytes has one.
const WINDOW: usize = 5;

/// A word of as many bytes is long: it has keys of its grams.
pub(super) const LONG: usize = GRAM + WINDOW - 1;

/// The same of runs with dots. Their numbers repeat more than those of words.
const DOTTED_WINDOW: usize = DOTTED_BYTES - GRAM + 1;

/// How many letters of one case have a key, where they are not in the dictionary.
const CASED: usize = 5;

/// A shorter word has the key of all its bytes, and a longer one that of as many.
pub(super) const BEGINNING: usize = 5;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    hash: u64,
    /// How many bits it sets. A search for a long word needs several keys, so that each may be
    /// weak.
    bits: usize,
}

/// How many places for bits a block has before they are folded to what its budget allows.
pub(super) const PLACES: usize = 1 << 16;

impl Key {
    fn new(tag: u8, bytes: &[u8], bits: usize) -> Key {
        // Letters in lower case. Digits, dots and lower case have this bit.
        let value = bytes
            .iter()
            .take(GRAM)
            .fold(u64::from(tag), |value, byte| value << 8 | u64::from(byte | 0x20));
        Key { hash: mix(value), bits }
    }

    /// Where its bits are: numbers below [`PLACES`].
    pub(super) fn places(self) -> impl Iterator<Item = usize> {
        (0..self.bits).map(move |bit| {
            let [low, high, ..] = (self.hash >> (16 * bit)).to_le_bytes();
            usize::from(u16::from_le_bytes([low, high]))
        })
    }
}

/// The finalizer of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The key of a whole word that is shorter than [`BEGINNING`].
pub(super) fn whole(word: &[u8]) -> Key {
    Key::new(1, word, 2)
}

/// The key of the first [`BEGINNING`] bytes of a word.
pub(super) fn beginning(word: &[u8]) -> Option<Key> {
    Some(Key::new(2, word.get(..BEGINNING)?, 3))
}

/// The key of a triple of a UUID, without its dashes.
pub(super) fn triple(triple: &[u8]) -> Key {
    debug_assert!(triple.split(|byte| *byte == b'-').all(is_hex));
    let digits = triple.iter().filter_map(|byte| char::from(*byte).to_digit(16));
    let value = digits.fold(3, |value, digit| value << 4 | u64::from(digit));
    Key { hash: mix(value), bits: 4 }
}

/// The keys of a long word's grams, or of any part of it.
pub(super) fn grams(word: &[u8]) -> impl Iterator<Item = Key> {
    minimizers(word, 4, 1, WINDOW)
}

/// The keys of numbers with dots.
pub(super) fn dotted_grams(run: &[u8]) -> impl Iterator<Item = Key> {
    minimizers(run, 5, 2, DOTTED_WINDOW)
}

/// The keys of letters that are not in the dictionary: all parts of [`CASED`] letters that are of
/// one case. Random letters are mostly of both, so that these are few.
pub(super) fn cased(letters: &[u8]) -> impl Iterator<Item = Key> {
    let is_cased = |part: &&[u8]| {
        part.iter().all(u8::is_ascii_lowercase) || part.iter().all(u8::is_ascii_uppercase)
    };
    letters.windows(CASED).filter(is_cased).map(|part| {
        let value = part.iter().fold(6, |value, byte| value << 8 | u64::from(*byte));
        Key { hash: mix(value), bits: 2 }
    })
}

/// Of each window of grams, the one with the least hash (Roberts et al., "Reducing storage
/// requirements for biological sequence comparison", 2004). A part of a word chooses as the word
/// does, by the windows that lie in the part.
fn minimizers(word: &[u8], tag: u8, bits: usize, window: usize) -> impl Iterator<Item = Key> {
    let mut hashes = [u64::MAX; WINDOW];
    let (mut value, mut last) = (0, None);
    word.iter().enumerate().filter_map(move |(at, byte)| {
        value = (value << 8 | u64::from(byte | 0x20)) & ((1 << (8 * GRAM)) - 1);
        let gram = (at + 1).checked_sub(GRAM)?;
        *hashes.get_mut(gram % window)? = mix(u64::from(tag) << (8 * GRAM) | value);
        let least = hashes.iter().take(window).min().copied();
        if gram + 1 < window || last == least {
            return None;
        }
        last = least;
        Some(Key { hash: least?, bits })
    })
}

/// Whether a word is one of the numbers that are in most blocks, and has no key.
pub(super) fn is_common(word: &[u8]) -> bool {
    word.len() < BEGINNING && word.iter().all(u8::is_ascii_digit)
}

/// Whether the beginning of a word is all digits. Long words have the key of their beginning only
/// then, because that of random ones mostly has letters.
pub(super) fn begins_with_digits(word: &[u8]) -> bool {
    word.get(..BEGINNING).is_some_and(|beginning| beginning.iter().all(u8::is_ascii_digit))
}
