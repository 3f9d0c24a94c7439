//! The rule on which exactness rests: what begins at the cursor counts, and nothing else does.
//! Plain values.

use crate::state::WindowTimes;
use serde::{Deserialize, Serialize};

/// How far a partition has counted a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The first byte that counts.
    pub start: u64,
    /// The first byte that is not counted yet.
    pub at: u64,
    /// Lines behind the cursor have no stamp before this, in milliseconds since 1970, unless they
    /// are late.
    pub watermark: i64,
    /// Nothing follows any more, so the file holds no window back.
    pub is_finished: bool,
    /// When the last window begins in which lines of it were counted, in milliseconds since 1970.
    /// An older memberd did not write it: then it is the largest of all, and the cursor stays.
    #[serde(default = "unknown_window")]
    pub last_window: i64,
    /// Its member has no such file any more.
    #[serde(default)]
    pub is_gone: bool,
}

fn unknown_window() -> i64 {
    i64::MAX
}

impl Cursor {
    /// Of a file of which nothing is counted yet.
    #[must_use]
    pub fn new(start: u64) -> Cursor {
        let (watermark, last_window) = (i64::MIN, i64::MIN);
        Cursor { start, at: start, watermark, is_finished: false, last_window, is_gone: false }
    }

    /// Whether no window that can still change has lines of the file. If they were counted once
    /// more, they would be late, and in no row.
    #[must_use]
    pub fn is_over(&self, times: WindowTimes, watermark: i64) -> bool {
        self.is_finished && times.is_given_up(self.last_window, watermark)
    }
}

/// What an owner does with a range `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It begins at the cursor: it counts.
    Apply,
    /// All of it was counted: it is acknowledged again.
    Duplicate,
    /// A part of it was counted: the source is told the cursor, and cuts anew.
    Cut,
    /// Something before it was not counted: the source rewinds to the cursor.
    Beyond,
}

/// Judges a range by a cursor, both of the same file. Empty ranges at the cursor apply: they move
/// watermarks.
#[must_use]
pub fn judge(cursor: u64, from: u64, to: u64) -> Verdict {
    if from == cursor {
        Verdict::Apply
    } else if to <= cursor {
        Verdict::Duplicate
    } else if from < cursor {
        Verdict::Cut
    } else {
        Verdict::Beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_at_the_cursor_counts() {
        assert_eq!(judge(100, 100, 150), Verdict::Apply);
        assert_eq!(judge(100, 100, 100), Verdict::Apply);
        assert_eq!(judge(100, 40, 100), Verdict::Duplicate);
        assert_eq!(judge(100, 40, 90), Verdict::Duplicate);
        assert_eq!(judge(100, 40, 101), Verdict::Cut);
        assert_eq!(judge(100, 101, 150), Verdict::Beyond);
        assert_eq!(judge(100, 101, 101), Verdict::Beyond);
    }
}
