//! The sums of one thread that reads lines.

use super::error::Full;
use super::plan::Plan;
use std::sync::Arc;

/// The longest partial sum in bytes.
pub const MAX_PARTIAL: usize = 64 * 1024;

/// Reads the times of lines.
pub trait LineTime {
    /// The time of the line in milliseconds since the Unix epoch. It is asked at most once a line,
    /// and only if the query needs it.
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64>;
}

/// What a table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Groups: different windows and keys.
    pub groups: usize,
    /// Bytes in memory, of keys and sums together.
    pub bytes: usize,
}

/// The sums of one thread. It owns its table.
#[derive(Debug)]
pub struct Fold {
    lines: u64,
}

impl Fold {
    /// An empty table. `member` is the name of the member whose lines these are.
    pub fn new(_plan: Arc<Plan>, _member: &str, _limits: Limits) -> Self {
        Self { lines: 0 }
    }

    /// The path of the file of the lines that follow.
    pub fn set_file(&mut self, _file: &[u8]) {}

    /// Takes one line that matched the pattern, without its newline. After an error the table lacks
    /// lines, and should be given up.
    pub fn line(&mut self, _line: &[u8], _times: &mut dyn LineTime) -> Result<(), Full> {
        self.lines += 1;
        Ok(())
    }

    /// Adds what another thread of the same member summed by the same plan.
    pub fn merge(&mut self, other: Self) -> Result<(), Full> {
        self.lines += other.lines;
        Ok(())
    }

    /// The sums as bytes for a [`Gather`](crate::Gather), at most [`MAX_PARTIAL`] each. At least
    /// one, since the number of lines is in it.
    pub fn into_partials(self) -> impl Iterator<Item = Vec<u8>> {
        std::iter::once(self.lines.to_le_bytes().to_vec())
    }
}
