//! memberd's side of a question about ranges of files that grow. It owns the ranges.

use crate::client::{AskError, Connection, begin, foreign};
use crate::descriptors;
use crate::protocol::{Answer, Batch, Question, Range, RangeBatch, RangeEnd, Reads};
use memberd_control::frame::{FrameError, write_frame};
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// No further ranges are handed over once the sums have so many bytes. memberd keeps them.
const ENOUGH_BYTES: usize = 4 << 20;

/// No further ranges are handed over after this time: what is there can be sent meanwhile, and
/// others have their turn.
const ENOUGH_TIME: Duration = Duration::from_secs(2);

/// A range of an open file.
#[derive(Debug)]
pub struct OpenRange {
    /// The file. Its position does not matter.
    pub file: File,
    /// What the field `file` of its lines is. It has no NUL byte.
    pub path: PathBuf,
    /// When the file was last written, in milliseconds since the Unix epoch.
    pub modified_ms: i64,
    /// The first byte, where a line begins.
    pub from: u64,
    /// At most up to here.
    pub to: u64,
}

/// What a range counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSums {
    /// The byte behind the last line that was read.
    pub to: u64,
    /// The newest time in milliseconds since the Unix epoch: of the lines whose time the question
    /// asks for, and of the last ones of each block that was read. So it may be a little less than
    /// that of all lines, and never more.
    pub newest_ms: Option<i64>,
    /// Lines in no group: they cannot be read, have no time, or are too long.
    pub uncounted: u64,
    /// The sums, as `memberd_streams::Fold::into_partials` gives them.
    pub partials: Vec<Vec<u8>>,
}

/// Why a range cannot be read: one line, which names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unread(String);

/// Has the lines of ranges counted by the worker at `worker`, and blocks meanwhile. Set `cancel` to
/// end it. The answer has the first ranges in their order, and at least one: others are left out if
/// the sums become large, or it takes long.
///
/// Of a range only whole lines are read. It ends at the last line end at or before its `to`, or
/// behind its first line if that alone is longer, or sooner if its sums become large. A line may
/// also end where the file does: who asks for that knows that nothing is written to it any more.
///
/// # Errors
/// When the worker cannot be asked, ends, or refuses the question.
pub fn fold_ranges(
    worker: &Path,
    question: &Question,
    ranges: &[OpenRange],
    cancel: &AtomicBool,
) -> Result<Vec<Result<RangeSums, Unread>>, AskError> {
    fold_within(ENOUGH_TIME, (worker, question), ranges, cancel)
}

/// As [`fold_ranges`], but no further range is handed over after `enough`.
fn fold_within(
    enough: Duration,
    (worker, question): (&Path, &Question),
    ranges: &[OpenRange],
    cancel: &AtomicBool,
) -> Result<Vec<Result<RangeSums, Unread>>, AskError> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let question = Question { reads: Reads::Ranges, ..question.clone() };
    let began = Instant::now();
    let (mut connection, first) = begin(worker, &question, cancel)?;
    let mut folding = Folding { cancel, sums: RangeSums::default(), folded: Vec::new(), bytes: 0 };
    folding.hear(&mut connection, first)?;
    // One by one: on a busy machine, a range alone may take seconds.
    for batch in ranges.chunks(1) {
        let before = folding.folded.len();
        connection.write(|stream| hand_over(stream, batch))?;
        let answer = connection.next(cancel)?;
        folding.hear(&mut connection, answer)?;
        if folding.folded.len() != before + batch.len() {
            return Err(foreign("not one answer for each range"));
        }
        if folding.bytes >= ENOUGH_BYTES || began.elapsed() >= enough {
            break;
        }
    }
    end(&mut connection, cancel)?;
    Ok(folding.folded)
}

/// Ends the question. After it, the worker has a place for the next one.
fn end(connection: &mut Connection, cancel: &AtomicBool) -> Result<(), AskError> {
    connection.write(|stream| write_frame(stream, &RangeBatch::default()))?;
    loop {
        match connection.next(cancel)? {
            Answer::Done(_) => return Ok(()),
            Answer::Working(_) => {}
            _ => return Err(foreign("not the end")),
        }
    }
}

/// Sends the paths and ranges, and then the files.
fn hand_over(stream: &mut UnixStream, ranges: &[OpenRange]) -> Result<(), FrameError> {
    let range = |range: &OpenRange| {
        let OpenRange { modified_ms, from, to, .. } = *range;
        Range { modified_ms, from, to }
    };
    let batch = RangeBatch {
        files: Batch::new(ranges.iter().map(|range| range.path.as_path())),
        ranges: ranges.iter().map(range).collect(),
    };
    write_frame(stream, &batch)?;
    let descriptors: Vec<_> = ranges.iter().map(|range| range.file.as_fd()).collect();
    descriptors::send(stream, &descriptors).map_err(FrameError::Io)
}

/// What the worker has said until now.
struct Folding<'c> {
    cancel: &'c AtomicBool,
    /// Of the range that is read.
    sums: RangeSums,
    folded: Vec<Result<RangeSums, Unread>>,
    /// Of all sums.
    bytes: usize,
}

impl Folding<'_> {
    /// Hears what the worker says until it waits for more.
    fn hear(&mut self, connection: &mut Connection, first: Answer) -> Result<(), AskError> {
        let mut answer = first;
        loop {
            match answer {
                Answer::More => return Ok(()),
                Answer::Partial(bytes) => {
                    self.bytes += bytes.len();
                    self.sums.partials.push(bytes);
                }
                Answer::Range(RangeEnd { to, newest_ms, uncounted }) => {
                    let RangeSums { partials, .. } = std::mem::take(&mut self.sums);
                    self.folded.push(Ok(RangeSums { to, newest_ms, uncounted, partials }));
                }
                Answer::Unread(reason) => {
                    self.sums = RangeSums::default();
                    self.folded.push(Err(Unread(reason)));
                }
                Answer::Message(_) | Answer::Working(_) => {}
                Answer::Refused(reason) => return Err(AskError::Refused(reason)),
                Answer::Done(_) => return Err(foreign("Done")),
            }
            answer = connection.next(self.cancel)?;
        }
    }
}

#[cfg(test)]
#[path = "ranges_tests.rs"]
mod tests;
