//! Patterns that no automaton can follow: PCRE2's interpreter, within limits of steps, memory and
//! time.
//!
//! It has no just-in-time compiler here: the service may not have memory that is both writable and
//! executable.
//!
//! A thread keeps the memory of its matches, so that this is little. The rare line that needs more
//! takes it of the budget of all searches, and gives it back before the next line.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pcre2::bytes::{Regex, RegexBuilder};

use super::error::PatternError;
use super::limits::Limits;
use super::patterns::Settings;
use super::perl::{self, Expression};
use crate::memory::{MATCH_BYTES, MemoryBudget, NoMemory, PATIENCE, Share};
use memberd_control::grep::GrepCharacters;

/// How long the lines of one search may keep the interpreter busy. Lines that take less than
/// [`SLOW_LINE`] are not counted.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Lines that take longer are counted.
const SLOW_LINE: Duration = Duration::from_millis(1);

/// Why a line could not be matched. The texts are GNU grep's where it has such a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MatchFailure {
    #[error("exceeded PCRE's backtracking limit")]
    Steps,
    #[error("exceeded PCRE's nested backtracking limit")]
    Depth,
    #[error("exceeded PCRE's heap limit")]
    Memory,
    #[error(
        "the pattern kept the search busy for {} s with backtracking: it ends here",
        TIME_LIMIT.as_secs()
    )]
    Time,
    #[error("exceeds the memory of PCRE's small heap, and {0}")]
    NoMemory(NoMemory),
    #[error("cancelled")]
    Cancelled,
    #[error("{0}")]
    Other(String),
}

/// The time that a search may spend on backtracking, which all its threads share. And the memory,
/// which all searches share.
#[derive(Debug)]
pub(crate) struct Budget<'c> {
    cancel: &'c AtomicBool,
    memory: &'c MemoryBudget,
    /// In microseconds.
    spent: AtomicU64,
}

impl<'c> Budget<'c> {
    /// The whole time. `cancel` is checked between two lines.
    pub(crate) fn new(cancel: &'c AtomicBool, memory: &'c MemoryBudget) -> Budget<'c> {
        Budget { cancel, memory, spent: AtomicU64::new(0) }
    }

    /// Whether the time is used up.
    pub(crate) fn is_spent(&self) -> bool {
        u128::from(self.spent.load(Ordering::Relaxed)) >= TIME_LIMIT.as_micros()
    }

    /// Gives the whole time again.
    pub(crate) fn renew(&self) {
        self.spent.store(0, Ordering::Relaxed);
    }

    /// Whether the search may go on.
    pub(crate) fn check(&self) -> Result<(), MatchFailure> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(MatchFailure::Cancelled);
        }
        if self.is_spent() { Err(MatchFailure::Time) } else { Ok(()) }
    }

    /// Counts the time of a line.
    pub(crate) fn spend(&self, time: Duration) {
        if time >= SLOW_LINE {
            let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            self.spent.fetch_add(microseconds, Ordering::Relaxed);
        }
    }
}

/// The memory for the first attempt at each line, in KiB. Most patterns need a few KiB.
pub(crate) const SMALL_HEAP_KIB: u32 = 256;

/// A pattern for PCRE2.
#[derive(Debug, Clone)]
pub(crate) struct Backtracker {
    /// With little memory, which its threads keep.
    small: Regex,
    /// With all memory that a line may have. Compiled when a line needs it.
    large: OnceLock<Regex>,
    expression: Arc<Expression>,
    /// The memory of the first attempt.
    heap_kib: u32,
    settings: Settings,
}

/// The memory of a compiled pattern: PCRE2 refuses more than 64 KiB of code. There may be two, and
/// the names of their groups.
pub(crate) const CODE_BYTES: usize = 256 * 1024;

impl Backtracker {
    /// The memory of each thread, in bytes. PCRE2 copies its heap when that grows to the limit, and
    /// keeps the places of the groups beside it.
    pub(crate) fn thread_bytes(&self) -> usize {
        2 * self.heap_kib as usize * 1024
    }

    /// Compiles a POSIX pattern that was written for PCRE2. `heap_kib` is the memory for the first
    /// attempt at each line.
    pub(crate) fn posix(
        expression: String,
        heap_kib: u32,
        settings: Settings,
    ) -> Result<Backtracker, PatternError> {
        /// PCRE2_ERROR_PATTERN_TOO_LARGE and PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP of pcre2.h.
        const TOO_BIG: [i32; 2] = [120, 119];
        let (items, limits) = (String::new(), Limits::default());
        let expression = Expression { items, limits, body: expression };
        Backtracker::new(expression, heap_kib, settings).map_err(|error| match error.code() {
            code if TOO_BIG.contains(&code) => PatternError::TooBig,
            _ => PatternError::Engine(words(&error)),
        })
    }

    /// Compiles a Perl pattern.
    pub(crate) fn perl(pattern: &[u8], settings: Settings) -> Result<Backtracker, PatternError> {
        Backtracker::new(perl::write(pattern, settings)?, SMALL_HEAP_KIB, settings)
            .map_err(|error| PatternError::Perl(words(&error)))
    }

    fn new(
        expression: Expression,
        heap_kib: u32,
        settings: Settings,
    ) -> Result<Backtracker, pcre2::Error> {
        let small = compile(&expression.within(expression.limits.with_memory(heap_kib)), settings)?;
        Ok(Backtracker {
            small,
            large: OnceLock::new(),
            expression: Arc::new(expression),
            heap_kib,
            settings,
        })
    }

    /// The first match in `line` that starts at `from` or later, by Perl's rule: the first
    /// alternative that fits, not the longest.
    pub(crate) fn find_at(
        &self,
        line: &[u8],
        from: usize,
        budget: &Budget<'_>,
    ) -> Result<Option<Range<usize>>, MatchFailure> {
        budget.check()?;
        let started = Instant::now();
        let found = find(&self.small, line, from);
        budget.spend(started.elapsed());
        match found {
            Err(MatchFailure::Memory) => self.find_with_memory(line, from, budget),
            found => found,
        }
    }

    /// Tries a line again with all memory that it may have. The thread holds it for this line
    /// alone, and waits for nothing meanwhile.
    #[cold]
    fn find_with_memory(
        &self,
        line: &[u8],
        from: usize,
        budget: &Budget<'_>,
    ) -> Result<Option<Range<usize>>, MatchFailure> {
        let lease = budget.memory.take(Share::Match, MATCH_BYTES, PATIENCE, budget.cancel);
        let _lease = lease.map_err(|reason| match reason {
            NoMemory::Cancelled => MatchFailure::Cancelled,
            reason => MatchFailure::NoMemory(reason),
        })?;
        budget.check()?;
        let started = Instant::now();
        let large = match self.large.get() {
            Some(large) => large,
            None => {
                let whole = self.expression.within(self.expression.limits);
                let large = compile(&whole, self.settings).map_err(|error| failure(&error))?;
                self.large.get_or_init(|| large)
            }
        };
        // A copy has a memory of its own, which ends with it.
        let found = find(&large.clone(), line, from);
        budget.spend(started.elapsed());
        found
    }
}

fn find(regex: &Regex, line: &[u8], from: usize) -> Result<Option<Range<usize>>, MatchFailure> {
    match regex.find_at(line, from) {
        // With `\K` in odd places, a match may begin after its end.
        Ok(found) => Ok(found.map(|found| found.start().min(found.end())..found.end())),
        Err(error) => Err(failure(&error)),
    }
}

fn compile(expression: &str, settings: Settings) -> Result<Regex, pcre2::Error> {
    // UCP brings UTF-8, and allows matches in text that is not all valid.
    let utf8 = settings.characters == GrepCharacters::Utf8;
    RegexBuilder::new().caseless(settings.ignore_case).ucp(utf8).build(expression)
}

/// PCRE2's own text, without the crate's prefix.
fn words(error: &pcre2::Error) -> String {
    let words = error.to_string();
    match words.strip_prefix("PCRE2: ").and_then(|words| words.split_once(": ")) {
        Some((_, words)) => words.to_owned(),
        None => words,
    }
}

fn failure(error: &pcre2::Error) -> MatchFailure {
    // The numbers of pcre2.h.
    match error.code() {
        -47 => MatchFailure::Steps,
        -53 => MatchFailure::Depth,
        -63 | -48 => MatchFailure::Memory,
        _ => MatchFailure::Other(words(error)),
    }
}

#[cfg(test)]
#[path = "backtrack_tests.rs"]
mod tests;
