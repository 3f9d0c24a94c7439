//! The filter of a sealed segment: which of its blocks may have a line that a search needs.
//!
//! A search needs literals. What is looked up are words in them, or parts of words, since a literal
//! may begin and end within a word:
//!
//! - **Letters.** All runs of letters of the segment are in a `dictionary`, each with the set of
//!   its blocks. It is scanned, so that parts of words and any case are found exactly. Bytes beyond
//!   ASCII are runs of their own.
//! - **Words with digits** are often ids, of which each line has another. They set `bits` of their
//!   block by `keys`: of their beginning, and if they are long, of some of their grams, so that any
//!   part of ten bytes has a key. UUIDs and addresses have rules of their own.
//! - What is in most blocks, or is never searched for, has no key: numbers of up to four digits,
//!   fractions of a second, parts of a UUID. `marks` tell which blocks have such things: a literal
//!   that may be one of them does not exclude these.
//!
//! If the dictionary is full, as with random letters, blocks with other words are marked, too. Keys
//! of five letters of one case stand for those words.
//!
//! # Why it is made so
//!
//! The filter may take at most 6 % of the compressed text: 1 to 3.5 KB for a block of 256 KiB. The
//! example `filters` generates logs and measures. A block of its log `shop` has 1,800 lines, a
//! budget of 2.9 KB, 5,424 trigrams, 34,990 grams of four bytes and 8,005 words, of which 30 have
//! no digit.
//!
//! - Trigrams of all text exclude nothing in logs with ids: almost all of them are in every block.
//!   A trigram index (Cox, "Regular expression matching with a trigram index", 2012) is for code.
//! - A binary fuse filter (Graf and Lemire, 2022; the crate `xorf`) has fingerprints of at least 8
//!   bits, and takes 9 bits a key. The words of the block would take 9 KB, and find whole words
//!   only. It cannot be made coarser. Here a key is as weak as the budget wants: a search for an id
//!   has several, and all of them must be there.
//! - A Bloom filter of whole words, as in VictoriaLogs and Loki, takes as much as that. Of 30 words
//!   without digits, a dictionary knows more in less room. CLP has a dictionary, too.
//! - The bits of all blocks lie side by side, so that a key costs a look at one row.
//!
//! For words without digits the blocks left are those that have them. For an id that one block has,
//! 1 to 17 % are left, depending on how many ids each line has.

mod bits;
mod block_set;
mod build;
mod dictionary;
mod format;
mod keys;
mod literal;
mod marks;
mod table;
mod words;

pub use block_set::BlockSet;
pub use build::Builder;

use std::fmt;

use crate::needs::{Literal, Needs};
use bits::Rows;
use dictionary::{Dictionary, Piece};
use literal::{Digits, Letters, Span, Wanted};
use marks::Marks;

/// The most blocks of a segment with a filter.
pub const MAX_BLOCKS: usize = 4096;

/// The shortest run of letters in the dictionary.
const MIN_LETTERS: usize = 3;

/// The shortest run of bytes beyond ASCII in the dictionary: one character.
const MIN_HIGH: usize = 2;

/// Why bytes are no filter. The caller reads all blocks of the segment then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// They do not begin as a filter of this version does.
    #[error("there is no filter, or one of another version")]
    Unknown,
    /// They end too early, or too late.
    #[error("the filter has not the length that it tells")]
    Short,
    /// They are not those that were written.
    #[error("the filter is damaged")]
    Damaged,
    /// Something is more than a filter has.
    #[error("the filter has too many {0}")]
    TooLong(&'static str),
    /// The words cannot be read.
    #[error("the words of the filter cannot be read")]
    Words,
}

/// Whether a filter can exclude any block by these needs. If not, nobody needs to read it.
pub fn is_useful(needs: &Needs) -> bool {
    match needs {
        Needs::Anything => false,
        Needs::Literal(literal) => !literal::wanted(literal).is_empty(),
        Needs::All(all) => all.iter().any(is_useful),
        Needs::Any(any) => any.iter().all(is_useful),
    }
}

/// The filter of a segment.
pub struct Filter<'b> {
    marks: Vec<Marks>,
    rows: Rows<'b>,
    words: Option<Dictionary>,
}

impl fmt::Debug for Filter<'_> {
    /// How much there is of each part, and how many blocks have each mark.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marked = |is_marked: fn(&Marks) -> bool| self.marked(is_marked).count();
        formatter
            .debug_struct("Filter")
            .field("blocks", &self.len())
            .field("words", &self.words.as_ref().map(Dictionary::len))
            .field("rows", &self.rows.len())
            .field("always_read", &marked(|marks| marks.is_always_read))
            .field("lost_letters", &marked(|marks| marks.lost_letters > 0))
            .field("lost_high", &marked(|marks| marks.lost_high))
            .finish_non_exhaustive()
    }
}

impl<'b> Filter<'b> {
    /// Reads the bytes that [`Builder::finish`] gave. It takes as much memory as the words of the
    /// segment, at most 16 MiB.
    ///
    /// # Errors
    /// If they are not such bytes, or are damaged.
    pub fn parse(bytes: &'b [u8]) -> Result<Filter<'b>, FilterError> {
        let read = format::read(bytes)?;
        let blocks = read.marks.len();
        let words = match read.words_bytes {
            0 => None,
            len => Some(Dictionary::read(read.words, len, blocks)?),
        };
        Ok(Filter { marks: read.marks, rows: Rows { bytes: read.rows, blocks }, words })
    }

    /// How many blocks the segment has.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether the segment has no block.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The blocks that may have a line with these needs.
    ///
    /// Blocks that share a line with another one are always among them, and so are blocks with a
    /// NUL byte, which make a file binary.
    pub fn blocks(&self, needs: &Needs) -> BlockSet {
        let mut blocks = self.may_have(needs);
        blocks.unite(&self.marked(|marks| marks.is_always_read));
        blocks
    }

    fn may_have(&self, needs: &Needs) -> BlockSet {
        match needs {
            Needs::Anything => BlockSet::all(self.len()),
            Needs::Literal(literal) => self.may_have_literal(literal),
            Needs::All(all) => {
                let mut blocks = BlockSet::all(self.len());
                for needs in all {
                    // No block can come back.
                    if !blocks.is_empty() {
                        blocks.intersect(&self.may_have(needs));
                    }
                }
                blocks
            }
            Needs::Any(any) => {
                let mut blocks = BlockSet::none(self.len());
                any.iter().for_each(|needs| blocks.unite(&self.may_have(needs)));
                blocks
            }
        }
    }

    fn may_have_literal(&self, literal: &Literal) -> BlockSet {
        let mut blocks = BlockSet::all(self.len());
        for wanted in literal::wanted(literal) {
            blocks.intersect(&match wanted {
                Wanted::Letters(letters) => self.may_have_letters(literal, &letters),
                Wanted::High(span) => self.may_have_high(&span),
                Wanted::Digits(digits) => self.may_have_digits(&digits),
                Wanted::Triple(key) => self.rows.with([key]),
                Wanted::Dotted(run) => self.rows.with(keys::dotted_grams(run)),
            });
        }
        // Under this mark a `k` may be the Kelvin sign, and an `s` the long s.
        if literal.ignores_case && literal.bytes.iter().any(|byte| matches!(byte, b'k' | b's')) {
            blocks.unite(&self.marked(|marks| marks.folds));
        }
        blocks
    }

    fn may_have_letters(&self, literal: &Literal, letters: &Letters<'_>) -> BlockSet {
        let Letters { span, may_have_digits } = letters;
        let Some(mut blocks) = self.in_dictionary(span, literal.ignores_case) else {
            return BlockSet::all(self.len());
        };
        let len = span.bytes.len();
        let mut lost = self.marked(|marks| marks.may_have_letters(len));
        if !lost.is_empty() {
            // Letters that are not in the dictionary have keys instead.
            lost.intersect(&self.rows.with(keys::grams(span.bytes)));
            if !literal.ignores_case {
                lost.intersect(&self.rows.with(keys::cased(span.bytes)));
            }
        }
        blocks.unite(&lost);
        if *may_have_digits && words::is_hex(span.bytes) {
            blocks.unite(&self.marked(|marks| marks.may_have_hex(len)));
        }
        blocks
    }

    fn may_have_high(&self, span: &Span<'_>) -> BlockSet {
        let Some(mut blocks) = self.in_dictionary(span, false) else {
            return BlockSet::all(self.len());
        };
        blocks.unite(&self.marked(|marks| marks.lost_high));
        blocks
    }

    fn in_dictionary(&self, span: &Span<'_>, ignores_case: bool) -> Option<BlockSet> {
        let Span { bytes, begins, ends } = *span;
        let words = self.words.as_ref()?;
        Some(words.blocks(&Piece { bytes, ignores_case, begins, ends }))
    }

    fn may_have_digits(&self, digits: &Digits<'_>) -> BlockSet {
        let bytes = digits.span.bytes;
        let mut blocks = if bytes.len() >= keys::LONG {
            let beginning = digits.beginning().filter(|_| digits.begins_with_digits());
            self.rows.with(keys::grams(bytes).chain(beginning))
        } else if bytes.len() >= keys::BEGINNING {
            let mut blocks = self.rows.with(digits.beginning());
            if !digits.is_whole() && !digits.begins_with_digits() {
                blocks.unite(&self.marked(|marks| marks.has_long));
            }
            blocks
        } else {
            self.rows.with([keys::whole(bytes)])
        };
        if let Some(count) = digits.fraction {
            blocks.unite(&self.marked(|marks| marks.fraction >= count));
        }
        if digits.may_be_in_uuid {
            let mut uuid = self.marked(|marks| marks.has_uuid);
            if digits.begins_with_digits() {
                uuid.intersect(&self.rows.with(digits.beginning()));
            }
            blocks.unite(&uuid);
        }
        blocks
    }

    fn marked(&self, is_marked: impl Fn(&Marks) -> bool) -> BlockSet {
        BlockSet::filled(self.len(), |block| self.marks.get(block).is_none_or(&is_marked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn need(text: &str) -> Needs {
        Needs::Literal(Literal {
            bytes: text.as_bytes().to_vec(),
            ignores_case: text.len().is_multiple_of(2),
            begins_word: false,
            ends_word: false,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Whoever can write to the disk can also write a hash. What follows it is not trusted.
        #[test]
        fn bytes_with_the_right_hash_are_read_within_bounds(
            changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..6),
            early in prop::collection::vec((0usize..16, any::<u8>()), 0..3),
            cut in 0usize..40,
        ) {
            let mut builder = Builder::new(false);
            for block in 0..10 {
                let line = format!("user={block}4711 gr\u{fc}n task {block}2.3.4.567\n");
                builder.add(line.as_bytes());
            }
            let mut bytes = builder.finish(1 << 16).split_off(format::HASHED_FROM);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            early.into_iter().for_each(|(at, byte)| bytes[at] = byte);
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            let bytes = format::with_head(&bytes);
            if let Ok(filter) = Filter::parse(&bytes) {
                for text in ["user=44711", "tas", "Task", "\u{fc}", "12.3.4.567", "0123456789ab"] {
                    let blocks = filter.blocks(&need(text));
                    prop_assert!(blocks.count() <= filter.len() && blocks.len() == filter.len());
                }
            }
        }
    }
}
