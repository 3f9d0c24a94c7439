//! Searches the text of files on one thread: a chunk at a time, or a whole file from a reader.
//!
//! [`Scanner::step`] is the one place where a chunk is searched. It owns the thread's printer and
//! the memory of its engine.

use std::cell::{Cell, RefCell, RefMut};
use std::io::Read;
use std::rc::Rc;

use grep_searcher::Searcher;

use super::bounded_reader::{BoundedReader, ClaimingReader, GROWTH_LIMIT};
use super::chunk_sink::{ChunkSink, FileProgress};
use super::claim::Claim;
use super::failure::Failure;
use super::line_sink::{LineSink, ScanError};
use super::line_times::LineTimes;
use super::memory_searcher::MemorySearcher;
use super::positions::{Positions, TextSize};
use crate::job::Job;
use crate::output::{Output, Stopped};
use crate::pattern::Engine;
use crate::print::Printer;
use crate::search::Totals;

/// What the search of one chunk found, or that of a whole file.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// The bytes that were searched.
    pub(crate) bytes: u64,
    /// How many of the file's lines were selected before the step.
    pub(crate) selected_before: u64,
    /// How many are selected after it. These can be fewer: a NUL byte may take lines back.
    pub(crate) selected: u64,
    /// The file has a NUL byte where only text is printed. No line is printed from there on.
    pub(crate) is_binary: bool,
    /// The file has selected lines that are not printed because they are not text.
    pub(crate) binary_matches: bool,
    /// This step was the first to find such lines.
    pub(crate) first_binary_match: bool,
    /// This step was the first to leave out context that was too long to be kept.
    pub(crate) first_cut: bool,
    /// Lines were printed in this step.
    pub(crate) has_printed: bool,
    /// Nothing more of the file is wanted.
    pub(crate) is_last: bool,
    /// Why the search did not come to the end.
    pub(crate) failure: Option<Failure>,
}

impl Step {
    /// A step that failed before anything was searched.
    pub(crate) fn failed(failure: Failure) -> Step {
        Step { failure: Some(failure), ..Step::default() }
    }

    /// Adds the bytes and lines to the totals of the search.
    pub(crate) fn add_to(&self, totals: &mut Totals) {
        totals.bytes += self.bytes;
        totals.lines = totals.lines - self.selected_before + self.selected;
    }

    /// Whether the file's next chunk is to be searched.
    pub(crate) fn goes_on(&self) -> bool {
        !self.is_last && self.failure.is_none()
    }
}

/// A file of which chunks are searched in order: what is known of it between two steps.
#[derive(Debug, Default)]
pub(crate) struct FileScan<'t> {
    pub(super) positions: Rc<Positions>,
    /// Finds the lines' times, if the results are wanted in order of time.
    pub(super) times: Option<LineTimes<'t>>,
    pub(super) progress: FileProgress,
    /// The chunk is the only one that is searched here.
    is_single: bool,
}

impl<'t> FileScan<'t> {
    /// A file whose chunks lie at `positions`.
    pub(crate) fn new(positions: Rc<Positions>) -> FileScan<'t> {
        FileScan { positions, ..FileScan::default() }
    }

    /// A file whose lines are printed with their times.
    pub(crate) fn with_times(positions: Rc<Positions>, times: LineTimes<'t>) -> FileScan<'t> {
        FileScan { positions, times: Some(times), ..FileScan::default() }
    }

    /// A file of which one chunk is searched here, and the others elsewhere. Before the chunk lies
    /// `before`.
    pub(crate) fn single(before: TextSize) -> FileScan<'t> {
        let positions = Rc::new(Positions::starting(before));
        FileScan { positions, is_single: true, ..FileScan::default() }
    }

    /// Whether a NUL byte was found where only text is printed.
    pub(crate) fn is_binary(&self) -> bool {
        self.progress.is_binary
    }

    /// The time of the last line that was looked at, if times are wanted.
    pub(crate) fn last_time(&self) -> Option<i64> {
        self.times.as_ref().map(LineTimes::last)
    }

    /// The beginning of a line with a time in an unknown format, if times are wanted.
    pub(crate) fn unread_time(&self) -> Option<&[u8]> {
        self.times.as_ref().and_then(LineTimes::unread)
    }

    /// Lines of another file were printed: the next line of this one begins a group.
    pub(crate) fn start_group(&mut self) {
        self.progress.start_group();
    }

    /// The file was truncated and begins again, with other lines.
    pub(crate) fn restart(&mut self) {
        self.positions = Rc::default();
        self.progress.restart();
    }
}

/// One thread's searcher and printer.
pub(crate) struct Scanner<'o, 's> {
    job: &'s Job<'s>,
    engine: &'s Engine,
    printer: RefCell<Printer<'o, 's>>,
    memory: MemorySearcher<'s>,
    /// Made for the first reader that is searched.
    searcher: Option<Searcher>,
}

impl<'o, 's> Scanner<'o, 's> {
    /// A scanner that prints to `output`.
    pub(crate) fn new(
        job: &'s Job<'s>,
        engine: &'s Engine,
        output: &'o mut dyn Output,
    ) -> Scanner<'o, 's> {
        Scanner {
            job,
            engine,
            printer: RefCell::new(job.printer(output)),
            memory: MemorySearcher::new(job.search, engine, job.budget),
            searcher: None,
        }
    }

    /// The printer. It is free between two calls to the scanner.
    pub(crate) fn printer(&self) -> RefMut<'_, Printer<'o, 's>> {
        self.printer.borrow_mut()
    }

    /// Hands on the lines that wait in the printer.
    pub(crate) fn flush(&self) -> Result<(), Stopped> {
        self.printer().out().flush()
    }

    /// Sends a message, after the lines before it.
    pub(crate) fn message(&self, text: String) -> Result<(), Stopped> {
        self.printer().out().message(text)
    }

    /// Searches the next chunk of a file: whole lines, of which only the file's last may have no
    /// end. The lines that are found stay in the printer until they are flushed.
    ///
    /// # Errors
    /// When the search was cancelled, or nobody takes the output any more.
    pub(crate) fn step(
        &mut self,
        file: &mut FileScan<'_>,
        chunk: &mut [u8],
    ) -> Result<Step, Stopped> {
        let bytes = chunk.len() as u64;
        // Counting takes time, and no chunk follows on a single one.
        let lines = if file.is_single { 0 } else { self.job.search.lines_in(chunk) };
        let before = file.progress.tally;
        let is_last = Cell::new(false);
        let query = &self.job.search.query;
        let ended = if file.times.is_none() && !self.job.search.has_context() {
            // Each line stands for itself, and the sink of whole files is enough. It takes less
            // time for each line.
            let sink = LineSink::new(query, &self.printer, &is_last, &file.positions);
            let mut sink = file.progress.continue_with(sink);
            let ended = self.memory.search(chunk, &mut sink);
            file.progress.record(&sink);
            ended
        } else {
            let mut sink = ChunkSink::new(query, &self.printer, &is_last, file);
            let ended = self.memory.search(chunk, &mut sink);
            sink.finish(ended, chunk)
        };
        let failure = self.failure(ended)?;
        file.positions.go_on(TextSize { bytes, lines });
        if let Some(times) = &mut file.times {
            times.go_on(chunk);
        }
        let after = file.progress.tally;
        Ok(Step {
            bytes,
            selected_before: before.selected,
            selected: after.selected,
            is_binary: file.progress.is_binary,
            binary_matches: after.binary_matches,
            first_binary_match: after.binary_matches && !before.binary_matches,
            first_cut: after.is_cut && !before.is_cut,
            has_printed: after.printed_up_to != before.printed_up_to,
            is_last: is_last.get(),
            failure,
        })
    }

    /// Searches a whole file of about `size` bytes, which `reader` gives. With a `claim`, a long
    /// line waits for the memory that searches share.
    ///
    /// # Errors
    /// When the search was cancelled, or nobody takes the output any more.
    pub(crate) fn read(
        &mut self,
        reader: impl Read,
        size: u64,
        positions: &Positions,
        claim: Option<&Claim<'_>>,
    ) -> Result<Step, Stopped> {
        let Job { search, cancel, budget, .. } = *self.job;
        let (mut bytes, is_last) = (0, Cell::new(false));
        let mut sink = LineSink::new(&search.query, &self.printer, &is_last, positions);
        let line_end = search.line_end();
        let reader = BoundedReader {
            reader,
            printer: &self.printer,
            cancel,
            done: &is_last,
            left: size.saturating_add(GROWTH_LIMIT),
            line_end,
            bytes: &mut bytes,
        };
        let reader = ClaimingReader::new(reader, claim);
        let searcher = self.searcher.get_or_insert_with(|| search.searcher());
        let ended = searcher.search_reader(self.engine.matcher(budget), reader, &mut sink);
        let step = Step {
            selected: sink.selected(),
            is_binary: sink.is_binary(),
            binary_matches: sink.binary_matches(),
            is_last: is_last.get(),
            ..Step::default()
        };
        if claim.is_some_and(Claim::has_long_line) {
            // A searcher keeps the memory that a long line needed.
            self.searcher = None;
        }
        Ok(Step { bytes, failure: self.failure(ended)?, ..step })
    }

    /// What is reported of a search that ended like this.
    fn failure(&self, ended: Result<(), ScanError>) -> Result<Option<Failure>, Stopped> {
        if self.printer().out().stopped() {
            return Err(Stopped);
        }
        self.job.check()?;
        match ended {
            Ok(()) => Ok(None),
            Err(ScanError::Stopped) => Err(Stopped),
            Err(ScanError::Read(error)) => Ok(Some(Failure::reading(&error))),
            Err(ScanError::Match(reason)) => Ok(Some(Failure::matching(reason))),
        }
    }
}

#[cfg(test)]
#[path = "scanner_tests.rs"]
mod tests;
