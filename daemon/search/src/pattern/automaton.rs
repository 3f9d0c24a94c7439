//! Compiles the translated patterns with ripgrep's matcher, so that its fast path is used.

use grep_regex::{ErrorKind, RegexMatcher, RegexMatcherBuilder};
use regex_syntax::hir::Hir;

use super::error::PatternError;
use super::patterns::Settings;
use memberd_control::grep::GrepCharacters;

/// The largest cache of a lazily built automaton, in bytes. Beyond it, a slower search without a
/// cache is used. Each thread of each search may have several caches, and all of them must fit into
/// the service's memory.
pub(crate) const CACHE_LIMIT: usize = 1024 * 1024;

/// How deep the translation may nest: a few levels for each level of the parser.
const NEST_LIMIT: u32 = 600;

/// Compiled patterns.
#[derive(Debug, Clone)]
pub(crate) struct Automaton {
    matcher: RegexMatcher,
    expression: String,
    settings: Settings,
}

impl Automaton {
    /// Compiles an expression in the syntax of the `regex` crates.
    pub(crate) fn new(expression: String, settings: Settings) -> Result<Automaton, PatternError> {
        let matcher = RegexMatcherBuilder::new()
            .multi_line(true)
            .unicode(settings.characters == GrepCharacters::Utf8)
            .dot_matches_new_line(settings.null_data)
            .case_insensitive(settings.ignore_case)
            .line_terminator(if settings.null_data { None } else { Some(b'\n') })
            .size_limit(settings.compiled_bytes)
            .dfa_size_limit(settings.cache_bytes)
            .nest_limit(NEST_LIMIT)
            .build(&expression)
            .map_err(|error| match error.kind() {
                ErrorKind::Regex(words) if words.contains("size limit") => PatternError::TooBig,
                _ => PatternError::Engine(error.to_string()),
            })?;
        Ok(Automaton { matcher, expression, settings })
    }

    /// The matcher that finds lines.
    pub(crate) fn matcher(&self) -> &RegexMatcher {
        &self.matcher
    }

    /// Whether it finds every line, since it is the translation of the empty pattern.
    pub(crate) fn finds_all(&self) -> bool {
        self.expression == "(?:(?:))"
    }

    /// The memory that all threads share, in bytes: of the automata of a direction each, and of
    /// those for parts of it.
    pub(crate) fn bytes(&self) -> usize {
        2 * self.settings.compiled_bytes
    }

    /// The memory that each thread has for itself, in bytes: a cache for each direction, and the
    /// states of the search without a cache.
    pub(crate) fn thread_bytes(&self) -> usize {
        2 * self.settings.cache_bytes + self.settings.compiled_bytes
    }

    /// The length of the expression, in bytes.
    pub(crate) fn expression_bytes(&self) -> usize {
        self.expression.len()
    }

    /// How large an automaton may be, in bytes.
    pub(crate) fn compiled_bytes(&self) -> usize {
        self.settings.compiled_bytes
    }

    /// The largest cache of a lazily built automaton, in bytes.
    pub(crate) fn cache_bytes(&self) -> usize {
        self.settings.cache_bytes
    }

    /// Whether lines end with a NUL byte. They are then searched one by one.
    pub(crate) fn null_data(&self) -> bool {
        self.settings.null_data
    }

    /// The same expression for other automata.
    pub(crate) fn hir(&self) -> Result<Hir, PatternError> {
        regex_syntax::ParserBuilder::new()
            .multi_line(true)
            .utf8(false)
            .unicode(self.settings.characters == GrepCharacters::Utf8)
            .dot_matches_new_line(self.settings.null_data)
            .case_insensitive(self.settings.ignore_case)
            .nest_limit(NEST_LIMIT)
            .build()
            .parse(&self.expression)
            .map_err(|error| PatternError::Engine(error.to_string()))
    }
}
