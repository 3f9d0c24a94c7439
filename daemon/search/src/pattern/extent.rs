//! Finds where matches begin and end in a line, by POSIX's rule: the leftmost, and of those the
//! longest.
//!
//! The matcher finds the leftmost start, but its end is that of the first alternative that fits. So
//! another search finds the end. It is anchored at the start, on an automaton that follows every
//! alternative to its last match.

use std::ops::Range;
use std::sync::Arc;

use grep_matcher::Matcher;
use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, MatchKind};

use super::automaton::Automaton;
use super::backtrack::{Backtracker, Budget, MatchFailure};
use super::engine::Engine;
use super::error::PatternError;
use super::literals::Literals;

/// Finds extents. It is made once for a query, from its [`Engine`].
#[derive(Debug)]
pub(crate) struct Extents {
    /// A set of strings, which knows the extents by itself. There is nothing else then.
    literals: Option<Arc<Literals>>,
    automaton: Option<AutomatonExtents>,
    /// Patterns with back-references, and Perl's. PCRE2 finds their extents, which are not always
    /// the longest.
    others: Vec<Backtracker>,
}

#[derive(Debug)]
struct AutomatonExtents {
    automaton: Automaton,
    /// None where every match has the same length. The matcher's end is then the only one.
    longest: Option<Longest>,
}

#[derive(Debug)]
struct Longest {
    /// Gives up at a word boundary beside a byte that is not ASCII.
    fast: dfa::DFA,
    /// Never gives up.
    sure: PikeVM,
}

/// The memory that the searches write to. Each search has its own.
#[derive(Debug)]
pub(crate) struct ExtentsCache(Option<(dfa::Cache, pikevm::Cache)>);

impl Extents {
    /// Compiles the automata. Fails with [`PatternError::TooBig`].
    pub(crate) fn new(engine: &Engine) -> Result<Extents, PatternError> {
        let (automaton, others) = engine.parts();
        Ok(Extents {
            literals: engine.literals().cloned(),
            automaton: automaton.map(AutomatonExtents::new).transpose()?,
            others: others.to_vec(),
        })
    }

    /// The memory that all threads share, in bytes. That of the engine is not counted again.
    pub(crate) fn bytes(&self) -> usize {
        self.automata().map_or(0, Automaton::compiled_bytes)
    }

    /// The memory that each thread has for itself, in bytes.
    pub(crate) fn thread_bytes(&self) -> usize {
        let others = self.others.iter().map(Backtracker::thread_bytes).sum::<usize>();
        let own = |automaton: &Automaton| automaton.cache_bytes() + automaton.compiled_bytes();
        others + self.automata().map_or(0, own)
    }

    /// The automaton, if there is one for the ends of matches.
    fn automata(&self) -> Option<&Automaton> {
        let extents = self.automaton.as_ref()?;
        extents.longest.as_ref().map(|_| &extents.automaton)
    }

    /// Makes the memory for [`Extents::next`].
    pub(crate) fn cache(&self) -> ExtentsCache {
        let longest = self.automaton.as_ref().and_then(|automaton| automaton.longest.as_ref());
        ExtentsCache(
            longest.map(|longest| (longest.fast.create_cache(), longest.sure.create_cache())),
        )
    }

    /// The longest of the leftmost matches in `line` that start at `from` or later. It may be
    /// empty.
    pub(crate) fn next(
        &self,
        cache: &mut ExtentsCache,
        budget: &Budget<'_>,
        line: &[u8],
        from: usize,
    ) -> Result<Option<Range<usize>>, MatchFailure> {
        if let Some(literals) = &self.literals {
            return literals.find(line, from, budget);
        }
        let mut best =
            self.automaton.as_ref().and_then(|automaton| automaton.next(cache, line, from));
        for other in &self.others {
            let found = other.find_at(line, from, budget)?;
            let better = |found: &Range<usize>, best: &Range<usize>| {
                (found.start, best.end) < (best.start, found.end)
            };
            if let Some(found) = found
                && best.as_ref().is_none_or(|best| better(&found, best))
            {
                best = Some(found);
            }
        }
        Ok(best)
    }
}

impl AutomatonExtents {
    fn new(automaton: &Automaton) -> Result<AutomatonExtents, PatternError> {
        let hir = automaton.hir()?;
        let lengths = hir.properties();
        let longest =
            if lengths.minimum_len().is_some() && lengths.minimum_len() == lengths.maximum_len() {
                None
            } else {
                Some(Longest::new(&hir, automaton)?)
            };
        Ok(AutomatonExtents { automaton: automaton.clone(), longest })
    }

    fn next(&self, cache: &mut ExtentsCache, line: &[u8], from: usize) -> Option<Range<usize>> {
        // Finding cannot fail: the error type has no value.
        let found = self.automaton.matcher().find_at(line, from).ok().flatten()?;
        let end = match (&self.longest, &mut cache.0) {
            (Some(longest), Some(cache)) => longest.end(cache, line, found.start()),
            _ => None,
        };
        Some(found.start()..end.unwrap_or(found.end()))
    }
}

impl Longest {
    fn new(hir: &regex_syntax::hir::Hir, automaton: &Automaton) -> Result<Longest, PatternError> {
        let nfa = thompson::Compiler::new()
            .configure(
                NFA::config()
                    .utf8(false)
                    .nfa_size_limit(Some(automaton.compiled_bytes()))
                    .which_captures(WhichCaptures::Implicit),
            )
            .build_from_hir(hir)
            .map_err(|error| match error.size_limit() {
                Some(_) => PatternError::TooBig,
                None => PatternError::Engine(error.to_string()),
            })?;
        let fast = dfa::Builder::new()
            .configure(
                dfa::Config::new()
                    .match_kind(MatchKind::All)
                    .unicode_word_boundary(true)
                    .cache_capacity(automaton.cache_bytes())
                    .skip_cache_capacity_check(true)
                    .minimum_cache_clear_count(Some(10)),
            )
            .build_from_nfa(nfa.clone())
            .map_err(|error| PatternError::Engine(error.to_string()))?;
        let sure = PikeVM::builder()
            .configure(PikeVM::config().match_kind(MatchKind::All))
            .build_from_nfa(nfa)
            .map_err(|error| PatternError::Engine(error.to_string()))?;
        Ok(Longest { fast, sure })
    }

    /// Where the longest match that starts at `start` ends.
    fn end(
        &self,
        (fast, sure): &mut (dfa::Cache, pikevm::Cache),
        line: &[u8],
        start: usize,
    ) -> Option<usize> {
        let input = Input::new(line).range(start..).anchored(Anchored::Yes);
        match self.fast.try_search_fwd(fast, &input) {
            Ok(found) => found.map(|found| found.offset()),
            Err(_) => self.last_end(sure, &input),
        }
    }

    fn last_end(&self, cache: &mut pikevm::Cache, input: &Input<'_>) -> Option<usize> {
        let mut slots = [None; 2];
        self.sure.search_slots(cache, input, &mut slots)?;
        slots[1].map(NonMaxUsize::get)
    }
}

#[cfg(test)]
#[path = "extent_tests.rs"]
mod tests;
