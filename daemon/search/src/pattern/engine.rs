//! The engine: ripgrep's matcher over what the patterns were translated to, set up so that its fast path is taken.

use grep_matcher::LineTerminator;
use grep_regex::{ErrorKind, RegexMatcher, RegexMatcherBuilder};
use regex_syntax::hir::Hir;

use super::error::PatternError;

/// The largest compiled pattern in bytes; what is larger is refused.
pub(crate) const COMPILED_LIMIT: usize = 10 * 1024 * 1024;

/// The largest cache of a lazily built automaton in bytes; what needs more is searched without it, slower.
pub(crate) const CACHE_LIMIT: usize = 16 * 1024 * 1024;

/// How deep the translation may nest: a few levels for each of the parser's.
const NEST_LIMIT: u32 = 600;

/// Compiled patterns.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    matcher: RegexMatcher,
    expression: String,
    ignore_case: bool,
}

impl Engine {
    /// Compiles an expression in the syntax of the `regex` crates.
    pub(crate) fn new(expression: String, ignore_case: bool) -> Result<Engine, PatternError> {
        let matcher = RegexMatcherBuilder::new()
            .multi_line(true)
            .unicode(true)
            .case_insensitive(ignore_case)
            .line_terminator(Some(b'\n'))
            .size_limit(COMPILED_LIMIT)
            .dfa_size_limit(CACHE_LIMIT)
            .nest_limit(NEST_LIMIT)
            .build(&expression)
            .map_err(|error| match error.kind() {
                ErrorKind::Regex(words) if words.contains("size limit") => PatternError::TooBig,
                _ => PatternError::Engine(error.to_string()),
            })?;
        debug_assert_eq!(grep_matcher::Matcher::line_terminator(&matcher), Some(LineTerminator::byte(b'\n')));
        Ok(Engine { matcher, expression, ignore_case })
    }

    /// What the searcher drives.
    pub(crate) fn matcher(&self) -> &RegexMatcher {
        &self.matcher
    }

    /// The same expression for other automata.
    pub(crate) fn hir(&self) -> Result<Hir, PatternError> {
        regex_syntax::ParserBuilder::new()
            .multi_line(true)
            .utf8(false)
            .case_insensitive(self.ignore_case)
            .nest_limit(NEST_LIMIT)
            .build()
            .parse(&self.expression)
            .map_err(|error| PatternError::Engine(error.to_string()))
    }
}
