//! A set of fixed strings, however many: where any of them is in a text. It owns the strings, and
//! the table by which the search skips text.
//!
//! An automaton of thousands of strings needs many times their bytes, and a lazily built one is
//! built again and again if it does not fit. This set needs about the bytes of the strings, and up
//! to 28 more for each. It finds the places where one may begin with the algorithm of Wu and Manber
//! ("A fast algorithm for multi-pattern searching", 1994): a table tells by the last bytes of a
//! window how far none can begin. In text with few such places that is also faster than an
//! automaton, which reads each byte. At each place it looks the text up among the sorted strings.
//! A single string is found with memchr's search, whose time is in proportion to the text.

mod fold;
mod skips;
mod sorted;

use std::ops::Range;
use std::time::Instant;

use memchr::memmem;
use regex_automata::util::look::{Look, LookMatcher};

use super::backtrack::{Budget, MatchFailure};
use super::error::PatternError;
use super::patterns::Settings;
use fold::Folding;
use memberd_control::grep::GrepCharacters;
use skips::Skips;
use sorted::Sorted;

/// Fewer and shorter strings than these are left to the automaton. It finds a few short strings
/// with vector instructions, faster than a table of skips does.
const FEW: usize = 40;
/// The most bytes of a few strings for an automaton.
const SHORT: usize = 1024;

/// As many automata as this are made of other patterns. The set takes the place of all of them, so
/// it may have the memory of all. A list of 4 MiB fits whatever its strings are.
const AUTOMATA: usize = 2;

/// How many bytes are compared at one place for nothing. Beyond that the time counts.
const FREE_BYTES: usize = 256;

/// After how many counted bytes the time is looked at.
const LOOK_EVERY: usize = 1024 * 1024;

/// Compiled strings.
#[derive(Debug)]
pub(crate) struct Literals {
    sorted: Sorted,
    folding: Folding,
    finder: Finder,
    edges: Edges,
}

/// What finds the next place where a string may begin.
#[derive(Debug)]
enum Finder {
    /// Every place may be one: one of the strings is empty.
    Everywhere,
    One(Box<memmem::Finder<'static>>),
    Many(Skips),
}

/// Where a match may begin and end.
#[derive(Debug, Clone, Copy)]
enum Edges {
    Anywhere,
    /// `-w`: at the edges of words, by Unicode or by ASCII.
    Words(Look, Look),
    /// `-x`: at the edges of lines.
    Lines(Look, Look),
}

impl Literals {
    /// Whether these strings, one a line, are for a set rather than for an automaton.
    pub(crate) fn are_wanted(texts: &[u8], settings: Settings) -> bool {
        let many = texts.len() > SHORT || texts.split(|byte| *byte == b'\n').count() > FEW;
        // With bytes that are no characters, letters of any case are left to the automaton.
        let folds_bytes = settings.ignore_case
            && settings.characters == GrepCharacters::Utf8
            && std::str::from_utf8(texts).is_err();
        many && !folds_bytes
    }

    /// Compiles the strings, one a line. Fails with [`PatternError::TooBig`].
    pub(crate) fn new(texts: &[u8], settings: Settings) -> Result<Literals, PatternError> {
        let folding = Folding::new(texts, settings);
        let sorted = Sorted::new(texts, &folding);
        if sorted.memory() + skips::memory(sorted.len()) > AUTOMATA * settings.compiled_bytes {
            return Err(PatternError::TooBig);
        }
        let finder = match sorted.only() {
            _ if sorted.has_empty() => Finder::Everywhere,
            Some(only) if matches!(folding, Folding::None) => {
                Finder::One(Box::new(memmem::Finder::new(only).into_owned()))
            }
            _ => Finder::Many(Skips::new(&sorted, &folding)),
        };
        Ok(Literals { sorted, folding, finder, edges: Edges::of(settings) })
    }

    /// The memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.sorted.memory() + skips::memory(self.sorted.len())
    }

    /// The longest of the leftmost matches in `text` that start at `from` or later. It is empty
    /// only if a string is.
    ///
    /// # Errors
    /// When the search was cancelled, or when comparing long strings took all the time of the
    /// budget.
    pub(crate) fn find(
        &self,
        text: &[u8],
        from: usize,
        budget: &Budget<'_>,
    ) -> Result<Option<Range<usize>>, MatchFailure> {
        let mut effort = Effort::default();
        let mut at = from;
        while let Some(start) = self.candidate(text, at) {
            if self.edges.begin(text, start) {
                let (end, compared) = self
                    .sorted
                    .longest_at(&self.folding, text, start, |end| self.edges.end(text, end));
                if let Some(end) = end {
                    return Ok(Some(start..end));
                }
                effort.count(compared, budget)?;
            }
            at = start + 1;
        }
        Ok(None)
    }

    fn candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        match &self.finder {
            Finder::Everywhere => (from <= text.len()).then_some(from),
            Finder::One(finder) => finder.find(text.get(from..)?).map(|found| from + found),
            Finder::Many(skips) => skips.next(text, from),
        }
    }
}

impl Edges {
    fn of(settings: Settings) -> Edges {
        match settings {
            Settings { whole_lines: true, null_data: true, .. } => {
                Edges::Lines(Look::Start, Look::End)
            }
            Settings { whole_lines: true, .. } => Edges::Lines(Look::StartLF, Look::EndLF),
            Settings { words: true, characters: GrepCharacters::Utf8, .. } => {
                Edges::Words(Look::WordStartHalfUnicode, Look::WordEndHalfUnicode)
            }
            Settings { words: true, .. } => {
                Edges::Words(Look::WordStartHalfAscii, Look::WordEndHalfAscii)
            }
            _ => Edges::Anywhere,
        }
    }

    fn begin(self, text: &[u8], at: usize) -> bool {
        match self {
            Edges::Anywhere => true,
            Edges::Words(start, _) => match at.checked_sub(1).and_then(|at| text.get(at)) {
                Some(before) if before.is_ascii() => !is_word(*before),
                _ => LookMatcher::new().matches(start, text, at),
            },
            Edges::Lines(start, _) => LookMatcher::new().matches(start, text, at),
        }
    }

    fn end(self, text: &[u8], at: usize) -> bool {
        match self {
            Edges::Anywhere => true,
            Edges::Words(_, end) => match text.get(at) {
                Some(after) if after.is_ascii() => !is_word(*after),
                _ => LookMatcher::new().matches(end, text, at),
            },
            Edges::Lines(_, end) => LookMatcher::new().matches(end, text, at),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The work that comparing long strings takes in one call. Text and strings that repeat themselves
/// would take their product.
#[derive(Debug, Default)]
struct Effort {
    since: Option<Instant>,
    bytes: usize,
}

impl Effort {
    fn count(&mut self, compared: usize, budget: &Budget<'_>) -> Result<(), MatchFailure> {
        if compared < FREE_BYTES {
            return Ok(());
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        self.bytes += compared;
        if self.bytes >= LOOK_EVERY {
            budget.check()?;
            budget.spend(since.elapsed());
            *self = Effort::default();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "literals_tests.rs"]
mod tests;
