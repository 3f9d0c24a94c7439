//! Patterns: from POSIX's or Perl's text to something that finds lines, and the extents of matches
//! within them.
//!
//! `symbol`, `token` and `parse` read a POSIX pattern into a `tree`. `translate` writes the tree in
//! the syntax of the `regex` crates for an `automaton`, which is fast. Trees with back-references,
//! which no automaton can follow, are also written for PCRE2 by `reference`; `backtrack` runs that,
//! and Perl's patterns (`perl`), within limits. `engine` is whichever of them a query needs.

mod automaton;
mod backtrack;
mod bracket;
mod class;
mod engine;
mod error;
mod extent;
mod interval;
mod limits;
mod parse;
mod patterns;
mod perl;
mod reference;
mod symbol;
mod token;
mod translate;
mod tree;

pub(crate) use backtrack::{Budget, MatchFailure};
pub(crate) use engine::Engine;
pub use error::PatternError;
pub(crate) use extent::{Extents, ExtentsCache};
pub(crate) use patterns::Patterns;

/// The most bytes that the patterns of one query may have together.
pub const MAX_PATTERN_BYTES: usize = 64 * 1024;

/// The most bytes that one automaton may have which they are compiled to.
pub const MAX_COMPILED_BYTES: usize = 10 * 1024 * 1024;
