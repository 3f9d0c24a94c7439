//! What of a literal is looked up: pieces of words in the dictionary, and keys. A literal has only
//! a part of each line, so its first and its last word may go on.

use super::keys::{self, Key};
use super::words::{self, Kind, Word};
use super::{MIN_HIGH, MIN_LETTERS};
use crate::needs::Literal;

/// One thing that a block must have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'l> {
    /// A run of letters, or a part of it.
    Letters(Letters<'l>),
    /// Bytes beyond ASCII, or a part of them.
    High(Span<'l>),
    /// A word with digits, or a part of it.
    Digits(Digits<'l>),
    /// A triple of a UUID.
    Triple(Key),
    /// Numbers with dots, or a part of them.
    Dotted(&'l [u8]),
}

/// Bytes, and whether what they are a part of begins and ends with them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'l> {
    pub(super) bytes: &'l [u8],
    pub(super) begins: bool,
    pub(super) ends: bool,
}

/// A run of letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letters<'l> {
    pub(super) span: Span<'l>,
    /// Whether its word may have digits.
    pub(super) may_have_digits: bool,
}

/// A word with digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits<'l> {
    pub(super) span: Span<'l>,
    /// With so many digits it may be the fraction of a second.
    pub(super) fraction: Option<u8>,
    /// Whether it may be in a UUID.
    pub(super) may_be_in_uuid: bool,
}

impl Digits<'_> {
    /// The key of its beginning, if it is known where it begins.
    pub(super) fn beginning(&self) -> Option<Key> {
        keys::beginning(self.span.bytes).filter(|_| self.span.begins)
    }

    /// Whether its beginning has a key also in a long word and in a UUID.
    pub(super) fn begins_with_digits(&self) -> bool {
        self.span.begins && keys::begins_with_digits(self.span.bytes)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.span.begins && self.span.ends
    }

    /// Whether there is a key of it in some block.
    fn has_keys(&self) -> bool {
        let len = self.span.bytes.len();
        let is_short = self.is_whole() && len < keys::BEGINNING;
        (is_short && !keys::is_common(self.span.bytes))
            || self.beginning().is_some()
            || len >= keys::LONG
    }
}

/// What a block must have that has a literal.
pub(super) fn wanted(literal: &Literal) -> Vec<Wanted<'_>> {
    let text = &*literal.bytes;
    let mut wanted = Vec::new();
    for word in words::words(text) {
        match word.kind {
            Kind::High => {
                // The edges of words in UTF-8 are also between such bytes.
                let span = span(text, &word, false, false);
                if span.bytes.len() >= MIN_HIGH {
                    wanted.push(Wanted::High(span));
                }
            }
            Kind::Letters => add_letters(literal, &word, &mut wanted),
            Kind::Digits => add_digits(literal, &word, &mut wanted),
            Kind::Mixed => {
                add_letters(literal, &word, &mut wanted);
                add_digits(literal, &word, &mut wanted);
            }
        }
    }
    let triples = text.windows(words::TRIPLE_BYTES).filter(|bytes| words::is_triple(bytes));
    wanted.extend(triples.map(|bytes| Wanted::Triple(keys::triple(bytes))));
    wanted.extend(words::dotted(text).map(Wanted::Dotted));
    wanted
}

/// A word of the literal. It begins and ends there if the literal has a byte before and after it,
/// or says so.
fn span<'l>(text: &'l [u8], word: &Word, begins_word: bool, ends_word: bool) -> Span<'l> {
    Span {
        bytes: word.of(text),
        begins: word.range.start > 0 || begins_word,
        ends: word.range.end < text.len() || ends_word,
    }
}

fn ascii_span<'l>(literal: &'l Literal, word: &Word) -> Span<'l> {
    span(&literal.bytes, word, literal.begins_word, literal.ends_word)
}

fn add_letters<'l>(literal: &'l Literal, word: &Word, wanted: &mut Vec<Wanted<'l>>) {
    let whole = ascii_span(literal, word);
    let may_have_digits = word.kind == Kind::Mixed || !whole.begins || !whole.ends;
    let mut at = 0;
    for run in words::letter_runs(whole.bytes) {
        let rest = whole.bytes.get(at..).unwrap_or_default();
        let start = at + rest.iter().position(u8::is_ascii_alphabetic).unwrap_or(0);
        at = start + run.len();
        let span = Span {
            bytes: run,
            begins: whole.begins || start > 0,
            ends: whole.ends || at < whole.bytes.len(),
        };
        if run.len() >= MIN_LETTERS {
            wanted.push(Wanted::Letters(Letters { span, may_have_digits }));
        }
    }
}

fn add_digits<'l>(literal: &'l Literal, word: &Word, wanted: &mut Vec<Wanted<'l>>) {
    let text = &*literal.bytes;
    let span = ascii_span(literal, word);
    let before = word.range.start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(word.range.end);
    let is = |byte: Option<&u8>, bytes: &[u8]| byte.is_none_or(|byte| bytes.contains(byte));
    let digits = Digits {
        span,
        fraction: words::fraction_digits(span.bytes).filter(|_| is(before, b".,")),
        may_be_in_uuid: words::is_hex(span.bytes)
            && span.bytes.len() <= 12
            && (is(before, b"-") || is(after, b"-")),
    };
    if digits.has_keys() {
        wanted.push(Wanted::Digits(digits));
    }
}
