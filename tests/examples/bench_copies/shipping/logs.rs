//! Writes the logs that are shipped, at a steady pace. It owns no state but the text to write.

use super::lag::Watch;
use crate::options::Row;
use crate::text::{Size, Text};
use memberd_tests::Fleet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

/// How often each log grows. The time of a line is that of the write that has it.
const TICK: Duration = Duration::from_millis(20);

/// The name of the logs of a row.
pub(crate) fn name(row: Row) -> &'static str {
    if row == Row::One { "one.log" } else { "all.log" }
}

/// A log of each source.
pub(crate) struct Logs {
    row: Row,
    sources: Vec<usize>,
    texts: Vec<Vec<u8>>,
}

impl Logs {
    /// The text of them, of this many bytes each.
    pub(crate) fn new(row: Row, sources: &[usize], log_bytes: u64) -> Logs {
        let size = Size { files: 10, file_bytes: log_bytes };
        let text = |source: &usize| {
            let mut text = Vec::new();
            let all = usize::try_from(log_bytes).expect("it fits") + 4096;
            Text::of(*source as u64 - 1, size).fill(&mut text, all);
            text
        };
        Logs { row, sources: sources.to_vec(), texts: sources.iter().map(text).collect() }
    }

    /// All of them, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.texts.iter().map(|text| text.len() as u64).sum()
    }

    /// Writes them to the same members of these fleets, so many megabytes a second each. Returns
    /// how long that took.
    pub(crate) fn write(&self, fleets: [&Fleet; 2], pace: f64, watch: &Watch) -> Duration {
        let start = Instant::now();
        thread::scope(|scope| {
            for (source, text) in self.sources.iter().zip(&self.texts) {
                let files = fleets.map(|fleet| {
                    let path = fleet[*source].directory().join(name(self.row));
                    OpenOptions::new().append(true).open(path).expect("the log")
                });
                scope.spawn(move || write(text, files, pace, |end| watch.wrote(*source, end)));
            }
        });
        start.elapsed()
    }
}

/// Writes a log to both files, and says after each write how long it is.
fn write(text: &[u8], mut files: [File; 2], pace: f64, wrote: impl Fn(u64)) {
    let (start, mut done) = (Instant::now(), 0);
    while done < text.len() {
        let due = (start.elapsed() + TICK).as_secs_f64() * pace * 1e6;
        // The number of bytes is positive and small.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let due = (due as usize).clamp(done + 1, text.len());
        // Whole lines, and at least one.
        let end = text[due - 1..].iter().position(|byte| *byte == b'\n');
        let end = end.map_or(text.len(), |more| due + more);
        for file in &mut files {
            file.write_all(&text[done..end]).expect("room for the log");
        }
        done = end;
        wrote(done as u64);
        thread::sleep(TICK);
    }
}
