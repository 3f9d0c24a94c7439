//! The limits of backtracking.

use std::fmt;

/// The limits of PCRE2 for one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Calls of its matching function. This is PCRE2's usual limit.
    pub(crate) steps: u32,
    /// Choices that are open at the same time.
    pub(crate) depth: u32,
    /// The memory for these choices, in KiB.
    pub(crate) memory: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: 10_000_000, depth: 10_000_000, memory: 16 * 1024 }
    }
}

impl Limits {
    /// The limits of a first attempt with at most this much memory, in KiB.
    pub(crate) fn with_memory(self, memory: u32) -> Limits {
        Limits { memory: self.memory.min(memory), ..self }
    }
}

impl fmt::Display for Limits {
    /// The limits in the syntax that PCRE2 reads at the beginning of a pattern.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { steps, depth, memory } = self;
        write!(formatter, "(*LIMIT_MATCH={steps})(*LIMIT_DEPTH={depth})(*LIMIT_HEAP={memory})")
    }
}
