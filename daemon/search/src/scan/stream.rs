//! Searches what a reader gives, such as the output of a command, as if it were a file.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::bounded_reader::BoundedReader;
use super::chunk_reader::ChunkReader;
use super::chunk_sink::{ChunkSink, FileProgress};
use super::failure::Failure;
use super::line_sink::{LineSink, ScanError};
use super::line_times::{LineTimes, TimedSink};
use super::memory_searcher::MemorySearcher;
use super::positions::{Positions, TextSize};
use crate::output::{NO_TIME, Output, Stopped};
use crate::pattern::Budget;
use crate::print::{OutputBuffer, Printer};
use crate::query::Print;
use crate::search::{Search, Totals};
use crate::time::{Times, Zone};

impl Search {
    /// Searches what `reader` gives until it ends, and prints it as of a file of that name. ChunkedFile
    /// as long as the reader does; what was found is handed on before. `cancel` is looked at before
    /// every read.
    pub fn run_stream(
        &self,
        machine: &str,
        name: &str,
        reader: &mut dyn Read,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.print_stream(
            machine,
            name,
            output,
            cancel,
            Totals::default(),
            |search, printer, budget, totals| {
                search.stream(name, reader, printer, budget, cancel, totals)
            },
        )
    }

    /// As [`Search::run_stream`], each line with its time, to [`Output::timed`]. The lines are in
    /// the order of time already, but for some that are a little late: those count as of the time
    /// of the line before. Only where lines or matches are printed.
    pub fn run_stream_by_time(
        &self,
        machine: &str,
        name: &str,
        reader: &mut dyn Read,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let now = Cell::new(NO_TIME);
        let mut timed = TimedOutput { now: &now, output };
        let totals = Totals { files: 1, ..Totals::default() };
        self.print_stream(
            machine,
            name,
            &mut timed,
            cancel,
            totals,
            |search, printer, budget, totals| {
                printer.borrow_mut().mark_groups();
                search.stream_by_time(name, reader, (printer, &now), budget, cancel, totals)
            },
        )
    }

    /// Has a stream searched, unless nothing is selected of any, with what prints it as of a file
    /// of that name; `totals` are added to.
    pub(crate) fn print_stream(
        &self,
        machine: &str,
        name: &str,
        output: &mut dyn Output,
        cancel: &AtomicBool,
        mut totals: Totals,
        work: impl for<'s> FnOnce(
            &'s Self,
            &RefCell<Printer<'_, 's>>,
            &'s Budget<'s>,
            &mut Totals,
        ) -> Result<(), Stopped>,
    ) -> Totals {
        let started = Instant::now();
        let budget = Budget::new(cancel);
        let mut printer =
            Printer::new(&self.query, self.extents.as_ref(), &budget, OutputBuffer::new(output));
        printer.set_file(self.named(machine, name.as_bytes()), u64::MAX);
        let printer = RefCell::new(printer);
        let done = match self.query.selects_nothing() {
            true => Ok(()),
            false => work(self, &printer, &budget, &mut totals),
        };
        totals.interrupted = done.and_then(|()| printer.borrow_mut().out().flush()).is_err();
        totals.elapsed = started.elapsed();
        totals
    }

    fn stream_by_time<'s>(
        &'s self,
        name: &str,
        mut reader: &mut dyn Read,
        (printer, now): (&RefCell<Printer<'_, 's>>, &Cell<i64>),
        budget: &'s Budget<'s>,
        cancel: &AtomicBool,
        totals: &mut Totals,
    ) -> Result<(), Stopped> {
        let mut memory = MemorySearcher::new(self, &self.engine, budget);
        let mut parts = ChunkReader::new(u64::MAX, self.line_end());
        let (zone, positions, done) = (Zone::local(), Positions::default(), Cell::new(false));
        let mut times = LineTimes::new(Times::new(&zone, i64::MAX), self.line_end(), NO_TIME);
        let mut progress = FileProgress::default();
        let mut ended = Ok(());
        while ended.is_ok() && !done.get() {
            if cancel.load(Ordering::Relaxed) {
                return Err(Stopped);
            }
            let part = match parts.next(&mut reader) {
                Ok(Some(part)) => part,
                Ok(None) => break,
                Err(error) => {
                    ended = Err(ScanError::Read(error));
                    break;
                }
            };
            let size = TextSize { bytes: part.len() as u64, lines: self.lines_in(part) };
            totals.bytes += size.bytes;
            let lines = ChunkSink::new(&self.query, printer, &done, &positions, &mut progress);
            let mut sink = TimedSink { lines, printer, times: &mut times, now };
            ended = memory.search(part, &mut sink);
            ended = sink.lines.finish(ended, part);
            totals.lines = progress.selected;
            let mut printer = printer.borrow_mut();
            printer.out().flush()?;
            printer.out().note_read(size.bytes)?;
            times.go_on(part);
            positions.go_on(size);
        }
        self.end(name, ended, progress.binary_matches, &mut printer.borrow_mut(), cancel, totals)
    }

    fn stream<'s>(
        &'s self,
        name: &str,
        reader: &mut dyn Read,
        printer: &RefCell<Printer<'_, 's>>,
        budget: &'s Budget<'s>,
        cancel: &AtomicBool,
        totals: &mut Totals,
    ) -> Result<(), Stopped> {
        totals.files = 1;
        let done = Cell::new(false);
        let positions = Positions::default();
        let mut sink = LineSink::new(&self.query, printer, &done, &positions);
        let reader = BoundedReader::new(
            reader,
            u64::MAX,
            self.line_end(),
            printer,
            cancel,
            &done,
            &mut totals.bytes,
        );
        let ended = self.searcher().search_reader(self.engine.matcher(budget), reader, &mut sink);
        let (selected, binary) = (sink.selected(), sink.binary_matches());
        totals.lines = selected;
        self.end(name, ended, binary, &mut printer.borrow_mut(), cancel, totals)
    }

    /// Prints what comes at a stream's end, and says what ended it too early.
    pub(crate) fn end(
        &self,
        name: &str,
        ended: Result<(), ScanError>,
        binary: bool,
        printer: &mut Printer<'_, '_>,
        cancel: &AtomicBool,
        totals: &mut Totals,
    ) -> Result<(), Stopped> {
        if printer.out().stopped() || cancel.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        match ended {
            Ok(()) => {}
            Err(ScanError::Stopped) => return Err(Stopped),
            Err(ScanError::Match(words)) => {
                totals.errors = 1;
                printer.out().message(format!("{name}: {words}"))?;
            }
            Err(ScanError::Read(error)) => {
                totals.errors = 1;
                if let Failure::Unread(reason) = Failure::reading(&error) {
                    printer.out().message(format!("{name}: {reason}"))?;
                }
            }
        }
        match self.query.print {
            Print::Count => printer.count(totals.lines),
            Print::FilesWithMatch if totals.lines > 0 => printer.file_name(),
            Print::FilesWithoutMatch if totals.lines == 0 => printer.file_name(),
            _ if binary => printer.out().message(format!("{name}: binary file matches")),
            _ => Ok(()),
        }
    }
}

/// Hands on what is printed with the time that it is printed for.
struct TimedOutput<'t> {
    now: &'t Cell<i64>,
    output: &'t mut dyn Output,
}

impl Output for TimedOutput<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.timed(self.now.get(), &bytes)
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.output.read(bytes)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.output.message(text)
    }
}
