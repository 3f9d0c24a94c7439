//! The words of a segment while its filter is built: which blocks have each. It owns the words.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The most words.
const MAX_WORDS: usize = 16 * 1024;

/// The longest word, in bytes.
pub(super) const MAX_WORD_BYTES: usize = 48;

/// Where a word was found. Those that are often random may not take the room of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A word of letters.
    Plain,
    /// The letters of a word with digits.
    Part,
    /// Bytes beyond ASCII.
    High,
}

impl Origin {
    /// The most words of this origin.
    fn most(self) -> usize {
        match self {
            Origin::Plain => MAX_WORDS,
            Origin::Part => MAX_WORDS / 4,
            Origin::High => MAX_WORDS / 4,
        }
    }
}

/// Which blocks have a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    Nowhere,
    In(usize),
    Several,
}

/// The words, and the blocks that have them.
#[derive(Debug, Default)]
pub(super) struct Table {
    numbers: HashMap<Box<[u8]>, u16, BuildHasherDefault<WordHasher>>,
    /// For each word, the last block that has it.
    last_blocks: Vec<u32>,
    /// The words of each block, by their numbers.
    blocks: Vec<Vec<u16>>,
    parts: usize,
    high: usize,
}

impl Table {
    /// The words of the next block follow.
    pub(super) fn begin_block(&mut self) {
        self.blocks.push(Vec::new());
    }

    /// Adds a word of the block. False if there is no room for it.
    pub(super) fn add(&mut self, word: &[u8], origin: Origin) -> bool {
        let block = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        let number = match self.numbers.get(word) {
            Some(number) => *number,
            None => match self.enter(word, origin) {
                Some(number) => number,
                None => return false,
            },
        };
        if let (Some(last), Some(words)) =
            (self.last_blocks.get_mut(usize::from(number)), self.blocks.last_mut())
            && *last != block
        {
            *last = block;
            words.push(number);
        }
        true
    }

    fn enter(&mut self, word: &[u8], origin: Origin) -> Option<u16> {
        let of_origin = match origin {
            Origin::Plain => 0,
            Origin::Part => self.parts,
            Origin::High => self.high,
        };
        let is_full = self.numbers.len() >= MAX_WORDS || of_origin >= origin.most();
        if is_full || word.len() > MAX_WORD_BYTES {
            return None;
        }
        self.parts += usize::from(origin == Origin::Part);
        self.high += usize::from(origin == Origin::High);
        let number = u16::try_from(self.numbers.len()).ok()?;
        self.numbers.insert(word.into(), number);
        self.last_blocks.push(0);
        Some(number)
    }

    /// Takes out the words that a single block has: each with that block.
    pub(super) fn take_rare(&mut self) -> Vec<(Box<[u8]>, usize)> {
        let mut homes = vec![Home::Nowhere; self.last_blocks.len()];
        for (block, words) in self.blocks.iter().enumerate() {
            for word in words {
                if let Some(home) = homes.get_mut(usize::from(*word)) {
                    *home = if *home == Home::Nowhere { Home::In(block) } else { Home::Several };
                }
            }
        }
        let mut rare = Vec::new();
        self.numbers.retain(|word, number| match homes.get(usize::from(*number)) {
            Some(Home::In(block)) => {
                rare.push((word.clone(), *block));
                false
            }
            _ => true,
        });
        rare
    }

    /// The words in their order, with the number of each.
    pub(super) fn sorted(&self) -> Vec<(&[u8], u16)> {
        let mut words: Vec<(&[u8], u16)> =
            self.numbers.iter().map(|(word, number)| (&**word, *number)).collect();
        words.sort_unstable();
        words
    }

    /// The words of each block, by their numbers.
    pub(super) fn blocks(&self) -> &[Vec<u16>] {
        &self.blocks
    }
}

/// A fast hash of short words. Whoever writes a log may make words that collide, and so building
/// slow. The number of words is bounded, and with it the harm.
#[derive(Debug, Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let value = chunk.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
            self.write_u64(value);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        // Tables take the lowest and the highest bits.
        self.0 ^ (self.0 >> 32)
    }
}
