//! The limits of backtracking.

use std::fmt;

/// What PCRE2 may spend on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Calls of its matching function: PCRE2's own limit as it is usually built.
    pub(crate) steps: u32,
    /// Choices that are open at the same time.
    pub(crate) depth: u32,
    /// KiB for these choices.
    pub(crate) memory: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: 10_000_000, depth: 10_000_000, memory: 16 * 1024 }
    }
}

impl fmt::Display for Limits {
    /// As PCRE2 takes them at the beginning of a pattern.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { steps, depth, memory } = self;
        write!(formatter, "(*LIMIT_MATCH={steps})(*LIMIT_DEPTH={depth})(*LIMIT_HEAP={memory})")
    }
}
