//! How a search is run: over which time, in which order, and with how much effort.

use crate::scan::LongLines;
use std::num::NonZero;
use std::thread::available_parallelism;

/// How a run goes about its files.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Only lines of this time.
    pub window: Window,
    /// The lines of all files in the order of time, to [`Output::timed`](crate::Output::timed).
    /// Only where lines or matches are printed; each with the context that no line before it has
    /// brought along.
    pub by_time: bool,
    /// On how many threads files, and the parts of large ones, are searched side by side, at the
    /// priority of the caller's. The output is the same for any number.
    pub threads: NonZero<usize>,
    /// The room for lines longer than 4 MiB, to be shared by all searches of a process.
    pub long_lines: LongLines,
}

impl Default for Plan {
    /// All lines, file after file, on as many threads as the machine has cores.
    fn default() -> Self {
        let threads = available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Plan {
            window: Window::default(),
            by_time: false,
            threads,
            long_lines: LongLines::default(),
        }
    }
}

/// A time from which and a time up to which lines are searched, in milliseconds since the Unix
/// epoch. A line without a time of its own belongs to the line before it; lines before the first
/// time of a file belong to no window but the unbounded one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The first millisecond that is in it.
    pub since: Option<i64>,
    /// The first millisecond that is after it.
    pub until: Option<i64>,
}

impl Window {
    /// Whether every line is in it, those without any time too.
    pub fn is_unbounded(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Whether a line of this time is in it.
    pub fn contains(&self, milliseconds: i64) -> bool {
        self.since.is_none_or(|since| milliseconds >= since)
            && self.until.is_none_or(|until| milliseconds < until)
    }
}
