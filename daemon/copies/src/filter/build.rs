//! Builds the filter of a segment, block after block.

use super::bits::BitsBuilder;
use super::dictionary;
use super::format::{self, Parts};
use super::keys::{self, Key};
use super::marks::Marks;
use super::table::{Origin, Table};
use super::words::{self, Kind, Word};
use super::{MAX_BLOCKS, MIN_HIGH, MIN_LETTERS};
use memchr::memmem;

/// Builds a filter. It keeps 8 KiB for each block, and at most about 2 MiB for the words.
#[derive(Debug)]
pub struct Builder {
    table: Table,
    bits: BitsBuilder,
    marks: Vec<Marks>,
    /// The marks of the block that is being added.
    current: Marks,
    /// Whether the next block begins within a line.
    within_line: bool,
    /// Blocks beyond the most that a filter has.
    too_many: bool,
}

impl Builder {
    /// Begins the filter of a segment. Tell whether its first block begins within a line.
    pub fn new(begins_within_line: bool) -> Builder {
        Builder {
            table: Table::default(),
            bits: BitsBuilder::default(),
            marks: Vec::new(),
            current: Marks::default(),
            within_line: begins_within_line,
            too_many: false,
        }
    }

    /// Adds the text of the next block.
    pub fn add(&mut self, text: &[u8]) {
        if self.marks.len() == MAX_BLOCKS {
            self.too_many = true;
            return;
        }
        let ends_within_line = text.last().is_some_and(|last| *last != b'\n');
        self.current = Marks {
            // A line that lies in several blocks may have one literal in one of them, and the next
            // in another.
            is_always_read: self.within_line || ends_within_line || text.contains(&0),
            folds: [KELVIN, LONG_S].iter().any(|letter| memmem::find(text, letter).is_some()),
            ..Marks::default()
        };
        self.within_line = ends_within_line || (self.within_line && text.is_empty());
        self.table.begin_block();
        self.bits.begin_block();
        for word in words::words(text) {
            self.add_word(text, &word);
        }
        for run in words::dotted(text) {
            keys::dotted_grams(run).for_each(|key| self.bits.add(key));
        }
        self.marks.push(self.current);
    }

    /// The filter, in at most `budget` bytes, as [`Filter::parse`](super::Filter::parse) reads it.
    pub fn finish(mut self, budget: usize) -> Vec<u8> {
        let blocks = self.marks.len();
        let fixed = format::HEAD_BYTES + blocks * Marks::BYTES;
        if fixed > budget || self.too_many {
            return Vec::new();
        }
        let left = budget - fixed;
        // Words are more useful than bits, but where bits are wanted they get most of the budget.
        let room = left.saturating_sub(self.bits.wanted_bytes()).max(left / 4);
        let mut written = dictionary::write(&self.table);
        if written.as_ref().is_none_or(|(words, _)| words.len() > room) {
            self.lose_rare_words();
            written = dictionary::write(&self.table);
        }
        let written = written.filter(|(words, _)| words.len() <= room.max(left / 2));
        let (words, words_bytes) = written.unwrap_or_default();
        let rows = self.bits.rows(left - words.len());
        format::write(&Parts { marks: &self.marks, rows: &rows, words: &words, words_bytes })
    }

    /// Takes words that a single block has out of the dictionary, where they are too many.
    fn lose_rare_words(&mut self) {
        for (word, block) in self.table.take_rare() {
            let Some(marks) = self.marks.get_mut(block) else { continue };
            if word.is_ascii() {
                marks.lose_letters(word.len());
                lost_keys(&word).for_each(|key| self.bits.add_to(block, key));
            } else {
                marks.lost_high = true;
            }
        }
    }

    /// A run of letters has no room in the dictionary.
    fn lose_letters(&mut self, run: &[u8]) {
        self.current.lose_letters(run.len());
        lost_keys(run).for_each(|key| self.bits.add(key));
    }

    fn key(&mut self, key: Option<Key>) {
        if let Some(key) = key {
            self.bits.add(key);
        }
    }

    fn add_word(&mut self, text: &[u8], word: &Word) {
        let bytes = word.of(text);
        if let Some(triple) = words::triple_at(text, word) {
            self.key(Some(keys::triple(triple)));
        }
        match word.kind {
            Kind::High if bytes.len() >= MIN_HIGH => {
                let is_lost = !self.table.add(bytes, Origin::High);
                self.current.lost_high |= is_lost;
            }
            Kind::Letters if bytes.len() >= MIN_LETTERS => {
                if !self.table.add(bytes, Origin::Plain) {
                    self.lose_letters(bytes);
                }
            }
            Kind::High | Kind::Letters => {}
            Kind::Digits => self.add_digits(text, word),
            Kind::Mixed => {
                self.add_digits(text, word);
                self.add_parts(bytes);
            }
        }
    }

    /// Adds the keys of a word with digits.
    fn add_digits(&mut self, text: &[u8], word: &Word) {
        let bytes = word.of(text);
        if let Some(digits) = words::fraction_at(text, word) {
            let marks = &mut self.current;
            marks.fraction = marks.fraction.max(digits);
        } else if words::is_part_of_uuid(text, word) {
            self.current.has_uuid = true;
            self.key(keys::beginning(bytes).filter(|_| keys::begins_with_digits(bytes)));
        } else if bytes.len() < keys::BEGINNING {
            self.key((!keys::is_common(bytes)).then(|| keys::whole(bytes)));
        } else if bytes.len() < keys::LONG {
            self.key(keys::beginning(bytes));
        } else {
            self.current.has_long = true;
            self.key(keys::beginning(bytes).filter(|_| keys::begins_with_digits(bytes)));
            keys::grams(bytes).for_each(|key| self.bits.add(key));
        }
    }

    /// Adds the runs of letters in a word that has digits, too.
    fn add_parts(&mut self, word: &[u8]) {
        for run in words::letter_runs(word).filter(|run| run.len() >= MIN_LETTERS) {
            if words::is_hex(run) {
                self.current.lose_hex(run.len());
            } else if !self.table.add(run, Origin::Part) {
                self.lose_letters(run);
            }
        }
    }
}

/// The keys of letters that are not in the dictionary.
fn lost_keys(letters: &[u8]) -> impl Iterator<Item = Key> {
    keys::cased(letters).chain(keys::grams(letters))
}

/// The letters beyond ASCII that are a `k` and an `s` where case is ignored.
const KELVIN: &[u8] = "\u{212a}".as_bytes();
const LONG_S: &[u8] = "\u{17f}".as_bytes();
