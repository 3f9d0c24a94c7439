//! From a POSIX or Perl pattern to an engine that finds lines, and the extents of the matches in
//! them.
//!
//! `symbol`, `token` and `parse` read a POSIX pattern into a `tree`. `translate` writes the tree in
//! the syntax of the `regex` crates for an `automaton`, which is fast. No automaton can follow
//! back-references. So `reference` also writes such trees for PCRE2. `backtrack` runs PCRE2 within
//! limits, also for Perl's patterns (`perl`). `engine` holds the one that a query needs. `needs`
//! tells what every line must contain that it finds.

mod automaton;
mod backtrack;
mod bracket;
mod class;
mod engine;
mod error;
mod extent;
mod interval;
mod limits;
mod literals;
mod needs;
mod parse;
mod patterns;
mod perl;
mod reference;
mod symbol;
mod token;
mod translate;
mod tree;

pub(crate) use automaton::CACHE_LIMIT;
pub(crate) use backtrack::{Budget, MatchFailure};
pub(crate) use engine::Engine;
pub use error::PatternError;
pub(crate) use extent::{Extents, ExtentsCache};
pub(crate) use needs::of as needs;
pub(crate) use patterns::Patterns;

pub use memberd_control::grep::MAX_PATTERN_BYTES;

/// The longest regular expressions of one query together, in bytes. Their trees take many times
/// that memory.
pub(crate) const MAX_EXPRESSION_BYTES: usize = 64 * 1024;

/// The largest automaton that they may compile to, in bytes.
pub const MAX_COMPILED_BYTES: usize = 10 * 1024 * 1024;
