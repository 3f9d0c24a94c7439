//! What of a text gets a key, and what of a literal may have one. Both are read by these rules, so
//! a literal is looked up as the text was entered.

use std::ops::Range;

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const HIGH: u8 = 4;

/// The class of each byte.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte {
            0x30..=0x39 => DIGIT,
            0x41..=0x5a | 0x61..=0x7a => LETTER,
            0x80.. => HIGH,
            _ => 0,
        };
        byte += 1;
    }
    classes
}

fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// What a word is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// ASCII letters.
    Letters,
    /// Digits.
    Digits,
    /// Letters and digits.
    Mixed,
    /// Bytes beyond ASCII.
    High,
}

/// A word: one of the longest runs of ASCII letters and digits, or of bytes beyond ASCII.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

impl Word {
    pub(super) fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.range.clone()).unwrap_or_default()
    }
}

/// The words of a text in their order.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = Word> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.iter().position(|byte| class(*byte) != 0)?;
        let first = class(*text.get(start)?);
        let others = if first == HIGH { HIGH } else { LETTER | DIGIT };
        let mut seen = 0;
        let mut end = start;
        while let Some(byte) = text.get(end)
            && class(*byte) & others != 0
        {
            seen |= class(*byte);
            end += 1;
        }
        at = end;
        let kind = match seen {
            HIGH => Kind::High,
            LETTER => Kind::Letters,
            DIGIT => Kind::Digits,
            _ => Kind::Mixed,
        };
        Some(Word { range: start..end, kind })
    })
}

/// The runs of letters in a word.
pub(super) fn letter_runs(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    word.split(|byte| class(*byte) != LETTER).filter(|run| !run.is_empty())
}

/// Whether all bytes are hexadecimal digits.
pub(super) fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// How many digits a word has that is all digits, but perhaps for a `Z` after them.
pub(super) fn fraction_digits(word: &[u8]) -> Option<u8> {
    let digits = match word {
        [digits @ .., b'Z' | b'z'] => digits,
        digits => digits,
    };
    let count = u8::try_from(digits.len()).ok()?;
    (digits.iter().all(u8::is_ascii_digit)).then_some(count)
}

/// The digits of a word that is the fraction of a second of a time, as `482913` in
/// `01:38:17.482913`. Each line has another one, and nobody searches for them.
pub(super) fn fraction_at(text: &[u8], word: &Word) -> Option<u8> {
    let before = text.get(word.range.start.checked_sub(4)?..word.range.start)?;
    let [b':', tens, ones, b'.' | b','] = before else { return None };
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return None;
    }
    fraction_digits(word.of(text)).filter(|digits| (1..=9).contains(digits))
}

/// Whether a UUID begins here.
fn is_uuid(text: &[u8], start: usize) -> bool {
    let Some(uuid) = text.get(start..start + 36) else { return false };
    let is_edge = |at: Option<usize>| {
        let byte = at.and_then(|at| text.get(at));
        byte.is_none_or(|byte| class(*byte) & (LETTER | DIGIT) == 0)
    };
    [8, 13, 18, 23].iter().all(|dash| uuid.get(*dash) == Some(&b'-'))
        && uuid.split(|byte| *byte == b'-').all(is_hex)
        && uuid.iter().filter(|byte| **byte == b'-').count() == 4
        && is_edge(start.checked_sub(1))
        && is_edge(Some(start + 36))
}

/// Whether a word is a part of a UUID.
pub(super) fn is_part_of_uuid(text: &[u8], word: &Word) -> bool {
    let starts: &[usize] = match word.range.len() {
        8 => &[0],
        4 => &[9, 14, 19],
        12 => &[24],
        _ => return false,
    };
    let dash = |at: Option<usize>| at.and_then(|at| text.get(at)) == Some(&b'-');
    if !dash(word.range.start.checked_sub(1)) && !dash(Some(word.range.end)) {
        return false;
    }
    let begins = |offset: &usize| word.range.start.checked_sub(*offset);
    starts.iter().filter_map(begins).any(|start| is_uuid(text, start))
}

/// The bytes of three words of four hexadecimal digits between dashes, as in the middle of a UUID.
pub(super) const TRIPLE_BYTES: usize = 16;

/// Whether these bytes are such a triple with its dashes.
pub(super) fn is_triple(bytes: &[u8]) -> bool {
    let is_right = |(at, byte): (usize, &u8)| match at % 5 {
        0 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() == TRIPLE_BYTES && bytes.iter().enumerate().all(is_right)
}

/// The triple whose last word is this one.
pub(super) fn triple_at<'t>(text: &'t [u8], word: &Word) -> Option<&'t [u8]> {
    if word.range.len() != 4 {
        return None;
    }
    let bytes = text.get(word.range.start.checked_sub(11)?..word.range.end + 1)?;
    is_triple(bytes).then_some(bytes)
}

/// The least length of a run of numbers with dots that has keys, in bytes.
pub(super) const DOTTED_BYTES: usize = 8;

/// The longest runs of numbers with at least two dots between them, as in addresses, that are long
/// enough for keys.
pub(super) fn dotted(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let joins = move |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    let mut done = 0;
    memchr::memchr_iter(b'.', text).filter_map(move |dot| {
        if dot < done || !joins(dot) {
            return None;
        }
        // The dots before this one join nothing, or are in a run that is done.
        let mut start = dot;
        while start > done && digit(start.checked_sub(1)) {
            start -= 1;
        }
        let (mut end, mut dots) = (dot, 0);
        while let Some(byte) = text.get(end) {
            let is_dot = *byte == b'.' && joins(end);
            if !is_dot && !byte.is_ascii_digit() {
                break;
            }
            dots += usize::from(is_dot);
            end += 1;
        }
        done = end;
        let run = text.get(start..end)?;
        (dots >= 2 && run.len() >= DOTTED_BYTES).then_some(run)
    })
}
