//! Remembers the last time that stood in a bracket. It owns the bytes that it was read from.

use super::mark::Mark;
use super::stamp::{Clock, Stamp};

/// A time in a bracket, such as `[21/Nov/2026:01:20:33 +0000]`, and its value.
///
/// Whoever reads a time looks at bytes from left to right, and at none behind the byte that ends
/// it. If that byte closes the bracket, no others have a say in it: equal bytes are the same time.
#[derive(Debug, Default)]
pub(super) struct LastBracket {
    /// What stood behind the opening bracket, with the closing one. Empty before the first time.
    bytes: Vec<u8>,
    /// In milliseconds since the Unix epoch.
    time: i64,
}

impl LastBracket {
    /// The time at the beginning of what stands behind a bracket, if it is the last one.
    #[inline]
    pub(super) fn time_of(&self, behind: &[u8]) -> Option<i64> {
        (!self.bytes.is_empty() && behind.starts_with(&self.bytes)).then_some(self.time)
    }

    /// Remembers what a stamp was read as, behind the bracket that opens at `open`. Only a stamp
    /// that has all of its date, and a zone that no other line can change.
    pub(super) fn note(&mut self, line: &[u8], open: usize, stamp: &Stamp<'_>, time: i64) {
        let Clock::Civil(_, Mark::None | Mark::Offset(_) | Mark::Abbreviation(_)) = stamp.clock
        else {
            return;
        };
        if line.get(stamp.end) != Some(&b']') {
            return;
        }
        let Some(bytes) = line.get(open + 1..=stamp.end) else { return };
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.time = time;
    }
}
