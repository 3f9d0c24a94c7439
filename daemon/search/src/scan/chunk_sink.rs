//! Takes the lines found in one chunk of a file. Counts go on from chunk to chunk, and context
//! crosses their borders.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use grep_searcher::{Searcher, Sink, SinkContext, SinkMatch};

use super::line_sink::{LineSink, ScanError};
use super::line_times::LineTimes;
use super::scanner::FileScan;
use crate::line::{Line, Role};
use crate::print::Printer;
use crate::query::Query;

/// How many bytes of lines are kept as possible context of a later line. Beyond that, the lines
/// farthest from it are left out.
pub(crate) const MAX_HELD_BYTES: usize = 256 * 1024;

/// What is known of a file whose chunks are searched one after the other.
#[derive(Debug, Default)]
pub(crate) struct FileProgress {
    pub(super) tally: Tally,
    /// A NUL byte was seen. No line is printed from there on.
    pub(super) is_binary: bool,
    /// How many of the next lines are context of the last selected one.
    after: u32,
    /// `-m` is reached. Only the context of the last selected line is still wanted.
    is_full: bool,
    before: HeldLines,
}

/// What was found in a file so far. A step reports what it changes in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// How many lines were selected.
    pub(super) selected: u64,
    /// Selected lines are not printed because they are not text, and a message must say so.
    pub(super) binary_matches: bool,
    /// Context was left out because it was too long to be kept.
    pub(super) is_cut: bool,
    /// Where the last printed line ends in the file, in bytes.
    pub(super) printed_up_to: Option<u64>,
}

impl FileProgress {
    /// Lets a sink go on where the chunks before ended.
    pub(super) fn continue_with<'r, 'o, 's>(
        &self,
        sink: LineSink<'r, 'o, 's>,
    ) -> LineSink<'r, 'o, 's> {
        sink.going_on(self.tally.selected, self.is_binary, self.tally.printed_up_to)
    }

    /// Records what a sink found in the next chunk.
    pub(super) fn record(&mut self, sink: &LineSink<'_, '_, '_>) {
        self.tally.selected = sink.selected();
        self.tally.binary_matches |= sink.binary_matches();
        self.tally.printed_up_to = sink.printed_up_to();
        self.is_binary = sink.is_binary();
    }

    /// Another file's lines were printed since. The next line begins a new group.
    pub(crate) fn start_group(&mut self) {
        self.tally.printed_up_to = None;
    }

    /// The file begins again, with other lines.
    pub(crate) fn restart(&mut self) {
        let tally = Tally { selected: self.tally.selected, ..Tally::default() };
        *self = FileProgress { tally, is_full: self.is_full, ..FileProgress::default() };
    }
}

/// The last lines that were not printed. They may be context of a line to come.
#[derive(Debug, Default)]
struct HeldLines {
    lines: VecDeque<HeldLine>,
    bytes: usize,
    is_cut: bool,
}

#[derive(Debug)]
struct HeldLine {
    bytes: Vec<u8>,
    number: Option<u64>,
    offset: u64,
}

impl HeldLines {
    fn push(&mut self, line: HeldLine, most: usize) {
        self.bytes += line.bytes.len();
        self.lines.push_back(line);
        while self.lines.len() > most || self.bytes > MAX_HELD_BYTES {
            let Some(first) = self.lines.pop_front() else { return };
            self.bytes -= first.bytes.len();
            self.is_cut |= self.lines.len() < most;
        }
        // The lines that remain are the nearest, and there are as many as are wanted.
        self.is_cut &= self.lines.len() < most;
    }

    fn take(&mut self) -> HeldLines {
        std::mem::take(self)
    }
}

/// The sink for one chunk of a file. Do not use it after [`ChunkSink::finish`].
pub(crate) struct ChunkSink<'r, 't, 'o, 's> {
    query: &'s Query,
    printer: &'r RefCell<Printer<'o, 's>>,
    lines: LineSink<'r, 'o, 's>,
    progress: &'r mut FileProgress,
    /// Finds the time of each selected line, if the results are wanted in order of time.
    times: Option<&'r mut LineTimes<'t>>,
    is_last: &'r Cell<bool>,
    /// How many lines of context are wanted before and after a selected line.
    wanted: (u32, u32),
    /// How many bytes of the chunk were looked at.
    seen: usize,
    /// The number in the chunk of the line that begins there.
    number: u64,
}

impl<'r, 't, 'o, 's> ChunkSink<'r, 't, 'o, 's> {
    /// A sink for the next chunk of `file`. It sets `is_last` once no more of the file is wanted.
    pub(crate) fn new(
        query: &'s Query,
        printer: &'r RefCell<Printer<'o, 's>>,
        is_last: &'r Cell<bool>,
        file: &'r mut FileScan<'t>,
    ) -> Self {
        let FileScan { positions, times, progress, .. } = file;
        let lines = progress.continue_with(LineSink::new(query, printer, is_last, positions));
        let wanted = |lines: Option<u32>| lines.filter(|_| query.prints_lines()).unwrap_or(0);
        let wanted = (wanted(query.printing.before_context), wanted(query.printing.after_context));
        let times = times.as_mut();
        ChunkSink { query, printer, lines, progress, times, is_last, wanted, seen: 0, number: 1 }
    }

    /// Takes the chunk's lines up to `upto`. Prints those that are context of an earlier line, and
    /// keeps those that may be context of a later one.
    pub(crate) fn pass(&mut self, part: &[u8], upto: usize) -> Result<(), ScanError> {
        let line_end = self.query.line_end();
        while self.progress.after > 0
            && let Some(rest) = part.get(self.seen..upto).filter(|rest| !rest.is_empty())
        {
            let end = memchr::memchr(line_end, rest).map_or(rest.len(), |end| end + 1);
            self.progress.after -= 1;
            self.lines.print_context(
                rest.get(..end).unwrap_or_default(),
                self.numbered(),
                self.seen as u64,
            )?;
            self.seen += end;
            self.number += 1;
        }
        if self.progress.is_full && self.progress.after == 0 {
            self.is_last.set(true);
        }
        self.keep(part, upto);
        Ok(())
    }

    /// Keeps the last lines before `upto`, if context is wanted.
    fn keep(&mut self, part: &[u8], upto: usize) {
        let (line_end, wanted) = (self.query.line_end(), self.wanted.0 as usize);
        let rest = part.get(self.seen..upto).unwrap_or_default();
        if wanted > 0 && !rest.is_empty() {
            let without_end = rest.strip_suffix(&[line_end]).unwrap_or(rest);
            let start = memchr::memrchr_iter(line_end, without_end)
                .nth(wanted - 1)
                .map_or(0, |end| end + 1);
            let (skipped, kept) = rest.split_at(start);
            self.skip(skipped);
            for line in kept.split_inclusive(|byte| *byte == line_end) {
                let (number, offset) = self.lines.place(self.numbered(), self.seen as u64);
                self.progress
                    .before
                    .push(HeldLine { bytes: line.to_vec(), number, offset }, wanted);
                self.seen += line.len();
                self.number += 1;
            }
        } else {
            self.skip(rest);
        }
    }

    /// Passes over these lines.
    fn skip(&mut self, lines: &[u8]) {
        self.seen += lines.len();
        if self.query.numbers_lines() && self.wanted != (0, 0) {
            self.number += memchr::memchr_iter(self.query.line_end(), lines).count() as u64;
        }
    }

    fn numbered(&self) -> Option<u64> {
        self.query.numbers_lines().then_some(self.number)
    }

    /// The chunk was searched, with this result. Prints the context in its rest, and records what
    /// was found.
    pub(crate) fn finish(
        mut self,
        searched: Result<(), ScanError>,
        part: &[u8],
    ) -> Result<(), ScanError> {
        let finished = searched
            .and_then(|()| if self.is_last.get() { Ok(()) } else { self.pass(part, part.len()) });
        self.progress.record(&self.lines);
        finished
    }
}

impl Sink for ChunkSink<'_, '_, '_, '_> {
    type Error = ScanError;

    fn begin(&mut self, searcher: &Searcher) -> Result<bool, ScanError> {
        if let Some(times) = &self.times {
            times.begin();
        }
        self.lines.begin(searcher)
    }

    fn matched(&mut self, searcher: &Searcher, found: &SinkMatch<'_>) -> Result<bool, ScanError> {
        let line = found.bytes_range_in_buffer();
        self.pass(found.buffer(), line.start)?;
        if let Some(times) = &mut self.times {
            times.select(found.buffer(), line.start, self.printer)?;
        }
        if self.progress.is_full || self.is_last.get() {
            // Further matches are context, like the lines around them.
            return Ok(false);
        }
        let before = self.progress.before.take();
        self.progress.tally.is_cut |= before.is_cut;
        for line in &before.lines {
            self.lines.print_context_at(&Line {
                bytes: &line.bytes,
                number: line.number,
                offset: line.offset,
                role: Role::Context,
            })?;
        }
        let more = self.lines.matched(searcher, found)?;
        (self.seen, self.progress.after) = (line.end, self.wanted.1);
        self.number += 1;
        self.progress.is_full = self.lines.has_last_context();
        Ok(more && !self.progress.is_full)
    }

    fn context(&mut self, _: &Searcher, _: &SinkContext<'_>) -> Result<bool, ScanError> {
        // The searchers of chunks are not asked for context.
        Ok(true)
    }

    fn binary_data(&mut self, searcher: &Searcher, at: u64) -> Result<bool, ScanError> {
        self.lines.binary_data(searcher, at)
    }
}
