//! Finds out the time of each selected line, for the order of time.

use std::cell::{Cell, RefCell};

use grep_searcher::{Searcher, Sink, SinkContext, SinkMatch};

use super::chunk_sink::ChunkSink;
use super::line_sink::ScanError;
use crate::output::NO_TIME;
use crate::print::Printer;
use crate::time::Times;

/// The times of one file's lines: a line without one has that of the line before it, and none is
/// before an earlier line's.
pub(crate) struct LineTimes<'z> {
    times: Times<'z>,
    line_end: u8,
    /// The time of the lines before `seen`.
    last: i64,
    /// The time of the last line that was selected: its context's, too.
    selected: i64,
    /// Up to where in the part being searched lines were looked at.
    seen: usize,
}

impl<'z> LineTimes<'z> {
    /// For a file whose lines count as `last` up to the first with a time.
    pub(crate) fn new(times: Times<'z>, line_end: u8, last: i64) -> LineTimes<'z> {
        LineTimes { times, line_end, last, selected: NO_TIME, seen: 0 }
    }

    /// The time that the last line has that was looked at.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// The time of the line that begins at `start` of the part being searched. Ask in order.
    fn at(&mut self, part: &[u8], start: usize) -> i64 {
        let mut upto = start;
        loop {
            let line = part.get(upto..).unwrap_or_default();
            let line = line.get(..Times::REACH).unwrap_or(line);
            let line = memchr::memchr(self.line_end, line)
                .map_or(line, |end| line.get(..end).unwrap_or_default());
            if let Some(time) = self.times.of(line) {
                self.last = self.last.max(time);
                break;
            }
            if upto <= self.seen {
                break;
            }
            // Back to where the line before begins.
            let before = part.get(..upto - 1).unwrap_or_default();
            upto = memchr::memrchr(self.line_end, before).map_or(0, |end| end + 1);
        }
        self.seen = start + 1;
        self.last
    }

    /// The part is searched, and the next begins.
    pub(crate) fn go_on(&mut self, part: &[u8]) {
        let without_end = part.get(..part.len().saturating_sub(1)).unwrap_or_default();
        let last_line = memchr::memrchr(self.line_end, without_end).map_or(0, |end| end + 1);
        if last_line >= self.seen {
            self.at(part, last_line);
        }
        self.seen = 0;
    }
}

/// A sink that hands on what was printed whenever the time changes, having told by `now` which time
/// it is that was printed. Context has the time of the line that it is printed with.
pub(crate) struct TimedSink<'t, 'r, 'o, 's, 'z> {
    pub(crate) lines: ChunkSink<'r, 'o, 's>,
    pub(crate) printer: &'r RefCell<Printer<'o, 's>>,
    pub(crate) times: &'t mut LineTimes<'z>,
    pub(crate) now: &'t Cell<i64>,
}

impl Sink for TimedSink<'_, '_, '_, '_, '_> {
    type Error = ScanError;

    fn begin(&mut self, searcher: &Searcher) -> Result<bool, ScanError> {
        self.now.set(self.times.selected);
        self.lines.begin(searcher)
    }

    fn matched(&mut self, searcher: &Searcher, found: &SinkMatch<'_>) -> Result<bool, ScanError> {
        let start = found.bytes_range_in_buffer().start;
        self.lines.pass(found.buffer(), start)?;
        let time = self.times.at(found.buffer(), start);
        if time != self.now.get() {
            self.printer.borrow_mut().out().flush()?;
            self.now.set(time);
            self.times.selected = time;
        }
        self.lines.matched(searcher, found)
    }

    fn context(
        &mut self,
        searcher: &Searcher,
        context: &SinkContext<'_>,
    ) -> Result<bool, ScanError> {
        self.lines.context(searcher, context)
    }

    fn binary_data(&mut self, searcher: &Searcher, at: u64) -> Result<bool, ScanError> {
        self.lines.binary_data(searcher, at)
    }
}
