//! Answers a question about ranges of files: each range has sums of its own. It owns these sums.
//!
//! A range counts the same however often it is read, so nothing here depends on what was read
//! before it.

use crate::descriptors;
use crate::output::FoldOutput;
use crate::protocol::{Answer, Counts, Question, Range, RangeBatch, RangeEnd};
use crate::question::{Checked, Resources, Unanswered, check, plan, too_large};
use crate::range_reader::RangeReader;
use crate::teller::Teller;
use memberd_control::frame::read_frame;
use memberd_search::{Output, Stopped, Window, Zone};
use memberd_streams::{Fold, Limits};
use std::cell::Cell;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bytes of the table. A range ends when half of it is full, so that its sums are small enough
/// for memberd, which keeps them and sends them on.
const TABLE_BYTES: usize = 2 << 20;

/// Counts the ranges that memberd hands over, until there are no more or it has gone.
pub(crate) fn fold(
    question: Question,
    stream: &UnixStream,
    teller: &Teller,
    resources: &Resources,
) -> Result<Counts, Unanswered> {
    let plan = plan(&question.query).map_err(Unanswered::Refused)?;
    let bytes = TABLE_BYTES + plan.shared_bytes() + plan.thread_bytes();
    let lease = resources.tables.take_exactly(bytes);
    let _lease = lease.map_err(|none| Unanswered::Refused(none.to_string()))?;
    let window = Window { since: question.since, until: question.until };
    let checked = check(question, plan, 1, TABLE_BYTES, &resources.memory);
    let checked = checked.map_err(Unanswered::Refused)?;
    // Whoever merges the sums has a limit of groups.
    let limits = Limits { groups: usize::MAX, bytes: TABLE_BYTES };
    let fold = Fold::new(Arc::clone(&checked.plan), &checked.member, limits);
    let zone = Zone::local();
    let output = FoldOutput::new(fold, checked.line_end, &zone, teller);
    let output = output.sending_early().within(window);
    let mut folding = Folding { checked: &checked, zone: &zone, teller, output };
    loop {
        teller.tell(&Answer::More)?;
        let ranges = receive(stream)?;
        if ranges.is_empty() {
            return Ok(Counts::default());
        }
        for (path, file, range) in &ranges {
            folding.range(path, file, range)?;
        }
    }
}

/// Takes the next ranges, and none at the end.
fn receive(stream: &UnixStream) -> Result<Vec<(PathBuf, File, Range)>, Unanswered> {
    let batch: RangeBatch = read_frame(&mut &*stream).map_err(|_| Unanswered::Gone)?;
    let paths = batch.files.paths();
    if paths.is_empty() || paths.len() != batch.ranges.len() {
        return Ok(Vec::new());
    }
    let descriptors = descriptors::receive(stream, paths.len()).map_err(|_| Unanswered::Gone)?;
    let files = descriptors.into_iter().map(File::from);
    let ranges = paths.into_iter().zip(files).zip(batch.ranges);
    Ok(ranges.map(|((path, file), range)| (path, file, range)).collect())
}

struct Folding<'f> {
    checked: &'f Checked,
    zone: &'f Zone,
    teller: &'f Teller,
    output: FoldOutput<'f>,
}

impl Folding<'_> {
    /// Counts a range, and tells its sums.
    fn range(&mut self, path: &Path, file: &File, range: &Range) -> Result<(), Unanswered> {
        let answer = match self.read(path, file, range)? {
            Ok(end) => Answer::Range(end),
            Err(words) => {
                self.output.forget();
                Answer::Unread(words)
            }
        };
        Ok(self.teller.tell(&answer)?)
    }

    /// Reads a range, and tells all of its sums. Or says why it cannot be read.
    fn read(
        &mut self,
        path: &Path,
        file: &File,
        range: &Range,
    ) -> Result<Result<RangeEnd, String>, Unanswered> {
        let (enough, name) = (Cell::new(false), path.display().to_string());
        let (bounds, ending) = ((range.from, range.to), (self.checked.line_end, &enough));
        let reader = RangeReader::new(file, bounds, ending, (self.zone, range.modified_ms));
        let mut reader = match reader {
            Ok(reader) => reader,
            Err(error) => return Ok(Err(format!("{name}: {error}"))),
        };
        self.output.begin_file(path, range.modified_ms);
        let mut output = RangeOutput { output: &mut self.output, enough: &enough, failure: None };
        let search = &self.checked.search;
        let totals = search.run_stream("", &name, &mut reader, &mut output, self.teller.over());
        let failure = output.failure;
        if let Some(full) = self.output.full() {
            return Err(too_large(full, true));
        }
        if totals.interrupted {
            return Err(Unanswered::Gone);
        }
        if totals.errors > 0 {
            let of_reader = reader.failure().map(|reason| format!("{name}: {reason}"));
            return Ok(Err(of_reader.or(failure).unwrap_or(name)));
        }
        self.output.send_sums()?;
        let (newest_ms, uncounted) = self.output.end_file();
        Ok(Ok(RangeEnd {
            to: reader.to(),
            newest_ms: newest_ms.max(reader.newest_ms()),
            uncounted: uncounted + reader.too_long(),
        }))
    }
}

/// Takes the lines of a range.
struct RangeOutput<'r, 'z> {
    output: &'r mut FoldOutput<'z>,
    /// Set once no further line is to be read.
    enough: &'r Cell<bool>,
    /// Why the range was not read to its end.
    failure: Option<String>,
}

impl RangeOutput<'_, '_> {
    fn note_sent(&mut self) {
        if self.output.has_sent() {
            self.enough.set(true);
        }
    }
}

impl Output for RangeOutput<'_, '_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.lines(bytes)?;
        self.note_sent();
        Ok(())
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.line_part(bytes)
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.output.read(bytes)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.failure = Some(text);
        Ok(())
    }
}
