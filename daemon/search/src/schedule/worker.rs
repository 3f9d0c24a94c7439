//! Searches one unit at a time, on a thread of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use grep_searcher::Searcher;

use super::job::Work;
use super::task::{Part, Unit};
use crate::files::{Compression, OfferedFile, Opened};
use crate::output::{Output, Stopped};
use crate::pattern::Engine;
use crate::print::{Chunk, Printer};
use crate::scan::{
    Before, Blocks, BoundedReader, Buffer, Claim, ClaimingReader, Ended, Failure, InMemory,
    LineSink, Places, Source,
};
use crate::time::Zone;

/// What was found in a unit.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The lines that were printed last, and not handed on yet.
    pub(crate) lines: Vec<u8>,
    /// Lines selected.
    pub(crate) selected: u64,
    /// Bytes searched.
    pub(crate) bytes: u64,
    /// It has a NUL byte where only text is printed; nothing was printed from there on.
    pub(crate) binary: bool,
    /// Lines were selected that are not printed, as they are no text, and that is to be said.
    pub(crate) binary_matches: bool,
    /// Nothing of the file matters from there on.
    pub(crate) over: bool,
    /// Why it was not searched to its end.
    pub(crate) failure: Option<Failure>,
}

/// What one thread needs to search.
pub(crate) struct Worker<'w> {
    work: &'w Work<'w>,
    engine: &'w Engine,
    zone: &'w Zone,
    printer: RefCell<Printer<'w, 'w>>,
    /// For whole files.
    searcher: Searcher,
    /// For blocks.
    in_memory: InMemory<'w>,
    buffer: Buffer,
}

impl<'w> Worker<'w> {
    pub(crate) fn new(
        work: &'w Work<'w>,
        engine: &'w Engine,
        zone: &'w Zone,
        output: &'w mut dyn Output,
    ) -> Worker<'w> {
        let Work { search, budget, .. } = *work;
        let mut printer =
            Printer::new(&search.query, search.extents.as_ref(), budget, Chunk::new(output));
        // Whether anything was printed before is not known here: who gathers the output takes the
        // first separator away.
        printer.note_selected();
        let printer = RefCell::new(printer);
        let searcher = search.searcher();
        let in_memory = InMemory::new(search, engine, budget);
        Worker { work, engine, zone, printer, searcher, in_memory, buffer: Buffer::default() }
    }

    /// Searches a unit, `file` being the one that it is of. `turn` tells when all units before are
    /// done.
    pub(crate) fn unit(
        &mut self,
        file: &OfferedFile,
        unit: Unit,
        turn: Receiver<()>,
    ) -> Result<Outcome, Stopped> {
        let mut claim = Claim::new(&self.work.plan.long_lines, self.work.cancel, turn);
        let mut outcome = match unit.part {
            Part::Gone => Outcome { failure: Some(Failure::Gone), ..Outcome::default() },
            Part::Failed(reason) => {
                Outcome { failure: Some(Failure::Unopened(reason)), ..Outcome::default() }
            }
            Part::Whole(opened, compression) => {
                self.whole(file, opened, compression, &mut claim)?
            }
            Part::Block(blocks, index) => self.block(file, &blocks, index, &mut claim)?,
        };
        outcome.lines = self.printer.borrow_mut().chunk().take();
        Ok(outcome)
    }

    /// From here on, lines are of this file, which has `size` bytes.
    fn set_file(&mut self, file: &OfferedFile, size: u64) {
        self.printer.borrow_mut().set_file(self.work.search.name(self.work.machine, file), size);
    }

    fn block(
        &mut self,
        file: &OfferedFile,
        blocks: &Blocks,
        index: u64,
        claim: &mut Claim<'_>,
    ) -> Result<Outcome, Stopped> {
        let Work { search, cancel, .. } = *self.work;
        self.set_file(file, blocks.size());
        let mut buffer = std::mem::take(&mut self.buffer);
        let over = !blocks.is_wanted(index) || cancel.load(Ordering::Relaxed);
        let read = if over { Ok(0) } else { blocks.read(index, &mut buffer, claim) };
        let (bytes, failure) =
            read.map_or_else(|error| (0, Some(Failure::reading(&error))), |bytes| (bytes, None));
        let mut before = Before { lines: 0, bytes };
        if search.wants_places() {
            before.lines = blocks.count_lines(index, search.lines_in(buffer.bytes()));
        }
        let result = self.lines(buffer.bytes_mut(), before);
        // What went wrong among the lines that could be read comes before what could not.
        let result =
            result.map(|outcome| Outcome { failure: outcome.failure.or(failure), ..outcome });
        buffer.clear();
        self.buffer = buffer;
        if let Ok(outcome) = &result
            && outcome.selected > 0
            && search.one_is_enough()
        {
            blocks.end_with(index);
        }
        result
    }

    fn lines(&mut self, lines: &mut [u8], before: Before) -> Result<Outcome, Stopped> {
        let bytes = lines.len() as u64;
        let places = Places::starting(before);
        let done = Cell::new(false);
        let mut sink = LineSink::new(&self.work.search.query, &self.printer, &done, &places);
        let ended = self.in_memory.search(lines, &mut sink);
        let outcome = Outcome { bytes, ..found(&sink) };
        self.with_end(outcome, ended)
    }

    fn whole(
        &mut self,
        file: &OfferedFile,
        opened: Opened,
        compression: Option<Compression>,
        claim: &mut Claim<'_>,
    ) -> Result<Outcome, Stopped> {
        let Work { search, plan, cancel, budget, .. } = *self.work;
        let places = Rc::new(Places::default());
        let mut source = match Source::open(
            opened,
            compression,
            search,
            plan.window,
            self.zone,
            Rc::clone(&places),
            cancel,
        ) {
            Ok(source) => source,
            Err(error) => return self.with_end(Outcome::default(), Err(Ended::Read(error))),
        };
        self.set_file(file, source.size);
        let done = Cell::new(false);
        let mut bytes = 0;
        let mut sink = LineSink::new(&search.query, &self.printer, &done, &places);
        let line_end = search.line_end();
        let reader = BoundedReader::new(
            &mut source.reader,
            source.size,
            line_end,
            &self.printer,
            cancel,
            &done,
            &mut bytes,
        );
        let reader = ClaimingReader::new(reader, line_end, claim);
        let ended = self.searcher.search_reader(self.engine.matcher(budget), reader, &mut sink);
        if claim.is_made() {
            // A searcher keeps its memory.
            self.searcher = search.searcher();
        }
        let undated = ended.is_ok() && source.reader.is_undated();
        let outcome =
            Outcome { bytes, failure: undated.then_some(Failure::Undated), ..found(&sink) };
        self.with_end(outcome, ended)
    }

    /// What was found, with how the search ended.
    fn with_end(&self, outcome: Outcome, ended: Result<(), Ended>) -> Result<Outcome, Stopped> {
        if self.printer.borrow_mut().chunk().stopped() || self.work.cancel.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        match ended {
            Ok(()) => Ok(outcome),
            Err(Ended::Stopped) => Err(Stopped),
            Err(Ended::Read(error)) => {
                Ok(Outcome { failure: Some(Failure::reading(&error)), ..outcome })
            }
            Err(Ended::Match(words)) => {
                Ok(Outcome { failure: Some(Failure::matching(words)), ..outcome })
            }
        }
    }
}

/// What a sink has of a unit.
fn found(sink: &LineSink<'_, '_, '_>) -> Outcome {
    Outcome {
        selected: sink.selected(),
        binary: sink.is_binary(),
        binary_matches: sink.binary_matches(),
        over: sink.is_over(),
        ..Outcome::default()
    }
}
