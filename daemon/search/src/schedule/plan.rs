//! How a search is run: over which time, in which order, and on how many threads.

use crate::files::FileIdentity;
use crate::scan::KnownTimes;
use std::num::NonZero;
use std::thread::available_parallelism;

/// How a search goes through its files.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Only lines of this time are searched.
    pub window: Window,
    /// The lines of all files come in order of time, to [`Output::timed`](crate::Output::timed).
    /// Valid only when lines or matches are printed. Each line comes with the context that no line
    /// before it has brought along.
    pub by_time: bool,
    /// The number of threads that search files, and the chunks of large ones. They have the
    /// caller's priority. The output is the same for any number.
    pub threads: NonZero<usize>,
    /// What earlier searches have learned about the times in large files. All searches of a process
    /// share it.
    pub known_times: KnownTimes,
    /// The file to which the results are written. A search that prints lines leaves it out, as GNU
    /// grep does.
    pub output_file: Option<FileIdentity>,
}

impl Default for Plan {
    /// All lines, file after file, on as many threads as the machine has cores.
    fn default() -> Self {
        let threads = available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Plan {
            window: Window::default(),
            by_time: false,
            threads,
            known_times: KnownTimes::default(),
            output_file: None,
        }
    }
}

/// A range of times, in milliseconds since the Unix epoch. A line without a time belongs to the
/// line before it. Lines before the first time of a file belong only to the unbounded window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The first millisecond in the window.
    pub since: Option<i64>,
    /// The first millisecond after the window.
    pub until: Option<i64>,
}

impl Window {
    /// Whether every line is in the window, even one without a time.
    pub fn is_unbounded(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Whether a line of this time is in the window.
    pub fn contains(&self, milliseconds: i64) -> bool {
        self.since.is_none_or(|since| milliseconds >= since)
            && self.until.is_none_or(|until| milliseconds < until)
    }
}
