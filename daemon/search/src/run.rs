//! Runs a compiled query over files.

mod plan;
mod reader;
mod sink;
mod stream;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use grep_matcher::LineTerminator;
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder};

use crate::files::{OfferedFile, reason};
use crate::output::{Output, Stopped};
use crate::pattern::{Budget, Engine, Extents};
use crate::print::{Chunk, Printer};
use crate::query::{Binary, Print, Query};
pub use plan::{Plan, Window};
use reader::BoundedReader;
use sink::{Ended, LineSink};

/// The longest line that is searched, in bytes, its context included. A file with a longer one is given up with a message.
pub const MAX_LINE_BYTES: usize = 128 * 1024 * 1024;

/// A compiled query. It can run any number of times, on several threads at once.
#[derive(Debug)]
pub struct Search {
    query: Query,
    engine: Engine,
    extents: Option<Extents>,
}

/// What one run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files searched.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Lines selected.
    pub lines: u64,
    /// Files that could not be read, or not to their end.
    pub errors: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it was cancelled or its output stopped before it was done.
    pub interrupted: bool,
}

/// One run under way.
struct Run<'r, 'o, 's> {
    search: &'s Search,
    searcher: Searcher,
    printer: RefCell<Printer<'o, 's>>,
    cancel: &'r AtomicBool,
    budget: &'r Budget<'r>,
    totals: Totals,
}

impl Search {
    pub(crate) fn new(query: Query, engine: Engine, extents: Option<Extents>) -> Search {
        Search { query, engine, extents }
    }

    /// Searches `files` as [`Search::run_with`] does, by the default plan.
    pub fn run(&self, machine: &str, files: &[OfferedFile], output: &mut dyn Output, cancel: &AtomicBool) -> Totals {
        self.run_with(&Plan::default(), machine, files, output, cancel)
    }

    /// Searches `files` in their order and sends what GNU grep would print, `MACHINE:FILE` in the place of its file names.
    /// Blocks until done. `cancel` is looked at before every read (64 KiB), and a stopped `output` ends the run likewise.
    pub fn run_with(
        &self,
        _plan: &Plan,
        machine: &str,
        files: &[OfferedFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let started = Instant::now();
        let budget = Budget::new(cancel);
        let printer = RefCell::new(Printer::new(&self.query, self.extents.as_ref(), &budget, Chunk::new(output)));
        let mut run =
            Run { search: self, searcher: self.searcher(), printer, cancel, budget: &budget, totals: Totals::default() };
        let files = if self.query.selects_nothing() { &[] } else { files };
        let done = run.files(machine, files);
        let mut totals = run.totals;
        totals.interrupted = done.is_err();
        totals.elapsed = started.elapsed();
        totals
    }

    fn searcher(&self) -> Searcher {
        let context = |lines: Option<u32>| lines.filter(|_| self.query.prints_lines()).unwrap_or(0);
        let (before, after) = (context(self.query.before_context), context(self.query.after_context));
        let takes_nul = self.query.null_data || self.query.binary == Binary::Text;
        SearcherBuilder::new()
            .invert_match(self.query.invert)
            .line_number(self.query.line_numbers && self.query.prints_lines())
            .line_terminator(LineTerminator::byte(self.query.line_end()))
            .before_context(before as usize)
            .after_context(after as usize)
            .binary_detection(if takes_nul { BinaryDetection::none() } else { BinaryDetection::convert(0) })
            .bom_sniffing(false)
            .heap_limit(Some(MAX_LINE_BYTES))
            .memory_map(MmapChoice::never())
            .build()
    }
}

impl Run<'_, '_, '_> {
    fn files(&mut self, machine: &str, files: &[OfferedFile]) -> Result<(), Stopped> {
        for file in files {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Stopped);
            }
            if self.budget.is_spent() {
                break;
            }
            self.file(machine, file)?;
            self.printer.borrow_mut().chunk().flush()?;
            if self.search.query.print == Print::Nothing && self.totals.lines > 0 {
                break;
            }
        }
        Ok(())
    }

    fn file(&mut self, machine: &str, file: &OfferedFile) -> Result<(), Stopped> {
        let (opened, size) = match file.open() {
            Ok(Some(opened)) => opened,
            // What is no regular file any more, or not there any more, is not offered.
            Ok(None) => return Ok(()),
            Err(error) => return self.error(file, &reason(&error)),
        };
        let mut name = Vec::with_capacity(machine.len() + 1 + file.path().as_os_str().len());
        name.extend_from_slice(machine.as_bytes());
        name.push(b':');
        name.extend_from_slice(file.path().as_os_str().as_bytes());
        self.printer.borrow_mut().set_file(name, size);
        self.totals.files += 1;

        let done = Cell::new(false);
        let mut sink = LineSink::new(&self.search.query, &self.printer, &done);
        let reader = BoundedReader::new(opened, size, &self.printer, self.cancel, &done, &mut self.totals.bytes);
        let ended = self.searcher.search_reader(self.search.engine.matcher(self.budget), reader, &mut sink);
        let (selected, binary) = (sink.selected(), sink.binary_matches());
        self.totals.lines += selected;
        if self.printer.borrow_mut().chunk().stopped() || self.cancel.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        match ended {
            Ok(()) => {}
            Err(Ended::Stopped) => return Err(Stopped),
            Err(Ended::Read(error)) => self.error(file, &search_failure(&error))?,
            Err(Ended::Match(words)) => self.error(file, &words)?,
        }
        self.finish(file, selected, binary)
    }

    /// Prints what comes after a file's lines.
    fn finish(&mut self, file: &OfferedFile, selected: u64, binary: bool) -> Result<(), Stopped> {
        let mut printer = self.printer.borrow_mut();
        match self.search.query.print {
            Print::Count => printer.count(selected),
            Print::FilesWithMatch if selected > 0 => printer.file_name(),
            Print::FilesWithoutMatch if selected == 0 => printer.file_name(),
            _ if binary => {
                let text = format!("{}: binary file matches", file.path().display());
                printer.chunk().message(text)
            }
            _ => Ok(()),
        }
    }

    /// Counts a file that could not be read, and says so.
    fn error(&mut self, file: &OfferedFile, reason: &str) -> Result<(), Stopped> {
        self.totals.errors += 1;
        if self.search.query.no_messages {
            return Ok(());
        }
        let text = format!("{}: {reason}", file.path().display());
        self.printer.borrow_mut().chunk().message(text)
    }
}

/// The words for what ended the search of a file: the searcher's own error is that its buffer would have to grow past the limit.
fn search_failure(error: &io::Error) -> String {
    if error.raw_os_error().is_some() {
        reason(error)
    } else {
        format!(
            "a line, with its context, is longer than {} MiB: the rest of the file was not searched",
            MAX_LINE_BYTES / (1024 * 1024)
        )
    }
}
