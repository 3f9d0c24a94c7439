//! Searches one unit at a time, on a thread of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use grep_searcher::Searcher;

use super::Search;
use super::block::{Blocks, Buffer};
use super::failure::Failure;
use super::in_memory::InMemory;
use super::places::{Before, Places};
use super::plan::Plan;
use super::reader::BoundedReader;
use super::sink::{Ended, LineSink};
use super::source::Source;
use super::units::{Part, Unit};
use crate::files::{Compression, OfferedFile, Opened};
use crate::output::{Output, Stopped};
use crate::print::{Chunk, Printer};
use crate::time::Zone;

/// What was found in a unit.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Lines selected.
    pub(crate) selected: u64,
    /// Bytes searched.
    pub(crate) bytes: u64,
    /// It has bytes that no text has; its lines were not printed from there on.
    pub(crate) binary: bool,
    /// Lines were selected from there on.
    pub(crate) binary_matches: bool,
    /// Why it was not searched to its end.
    pub(crate) failure: Option<Failure>,
}

/// What one thread needs to search.
pub(crate) struct Worker<'w> {
    search: &'w Search,
    plan: &'w Plan,
    machine: &'w str,
    cancel: &'w AtomicBool,
    zone: &'w Zone,
    printer: RefCell<Printer<'w, 'w>>,
    /// For whole files.
    searcher: Searcher,
    /// For blocks.
    in_memory: InMemory,
    buffer: Buffer,
}

impl<'w> Worker<'w> {
    pub(crate) fn new(
        search: &'w Search,
        plan: &'w Plan,
        machine: &'w str,
        zone: &'w Zone,
        output: &'w mut dyn Output,
        cancel: &'w AtomicBool,
    ) -> Worker<'w> {
        let mut printer = Printer::new(&search.query, search.extents.as_ref(), Chunk::new(output));
        // Whether anything was printed before is not known here: who gathers the output takes the first separator away.
        printer.note_selected();
        let printer = RefCell::new(printer);
        let searcher = search.searcher();
        let in_memory = InMemory::new(search);
        Worker { search, plan, machine, cancel, zone, printer, searcher, in_memory, buffer: Buffer::default() }
    }

    /// Searches a unit, `file` being the one that it is of.
    pub(crate) fn unit(&mut self, file: &OfferedFile, unit: Unit) -> Result<Outcome, Stopped> {
        self.set_file(file);
        let outcome = match unit.part {
            Part::Gone => Outcome { failure: Some(Failure::Gone), ..Outcome::default() },
            Part::Failed(reason) => Outcome { failure: Some(Failure::Unopened(reason)), ..Outcome::default() },
            Part::Whole(opened, compression) => self.whole(opened, compression)?,
            Part::Block(blocks, index) => self.block(&blocks, index)?,
        };
        self.printer.borrow_mut().chunk().flush()?;
        Ok(outcome)
    }

    /// From here on, lines are of this file.
    fn set_file(&mut self, file: &OfferedFile) {
        self.printer.borrow_mut().set_name(self.search.name(self.machine, file));
    }

    fn block(&mut self, blocks: &Blocks, index: u64) -> Result<Outcome, Stopped> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let over = blocks.over.load(Ordering::Relaxed) || self.cancel.load(Ordering::Relaxed);
        let read = if over { Ok(0) } else { blocks.read(index, &mut buffer) };
        let (bytes, failure) = read.map_or_else(|error| (0, Some(Failure::reading(&error))), |bytes| (bytes, None));
        let mut before = Before { lines: 0, bytes };
        if self.search.wants_places() {
            let lines = memchr::memchr_iter(self.search.line_end(), buffer.bytes()).count();
            before.lines = blocks.count_lines(index, lines as u64);
        }
        let result = self.lines(buffer.bytes_mut(), before).map(|outcome| Outcome { failure, ..outcome });
        buffer.clear();
        self.buffer = buffer;
        if let Ok(outcome) = &result
            && outcome.selected > 0
            && self.search.one_is_enough()
        {
            blocks.over.store(true, Ordering::Relaxed);
        }
        result
    }

    fn lines(&mut self, lines: &mut [u8], before: Before) -> Result<Outcome, Stopped> {
        let bytes = lines.len() as u64;
        let places = Places::starting(before);
        let done = Cell::new(false);
        let mut sink = LineSink::new(&self.search.query, &self.printer, &done, &places);
        let ended = self.in_memory.search(self.search, lines, &mut sink);
        let outcome = Outcome {
            selected: sink.selected(),
            bytes,
            binary: sink.is_binary(),
            binary_matches: sink.binary_matches(),
            failure: None,
        };
        with_end(outcome, ended)
    }

    fn whole(&mut self, opened: Opened, compression: Option<Compression>) -> Result<Outcome, Stopped> {
        let places = Rc::new(Places::default());
        let mut source =
            match Source::open(opened, compression, self.search, self.plan.window, self.zone, Rc::clone(&places), self.cancel) {
                Ok(source) => source,
                Err(error) => return with_end(Outcome::default(), Err(Ended::Read(error))),
            };
        let done = Cell::new(false);
        let mut bytes = 0;
        let mut sink = LineSink::new(&self.search.query, &self.printer, &done, &places);
        let reader = BoundedReader::new(&mut source.reader, source.size, &self.printer, self.cancel, &done, &mut bytes);
        let ended = self.searcher.search_reader(self.search.engine.matcher(), reader, &mut sink);
        let undated = ended.is_ok() && source.reader.is_undated();
        let outcome = Outcome {
            selected: sink.selected(),
            bytes,
            binary: sink.is_binary(),
            binary_matches: sink.binary_matches(),
            failure: undated.then_some(Failure::Undated),
        };
        if self.printer.borrow_mut().chunk().stopped() || self.cancel.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        with_end(outcome, ended)
    }
}

/// What was found, with how the search ended.
fn with_end(outcome: Outcome, ended: Result<(), Ended>) -> Result<Outcome, Stopped> {
    match ended {
        Ok(()) => Ok(outcome),
        Err(Ended::Stopped) => Err(Stopped),
        Err(Ended::Read(error)) => Ok(Outcome { failure: Some(Failure::reading(&error)), ..outcome }),
    }
}
