//! Searches one unit at a time, on a thread of its own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use grep_searcher::Searcher;

use super::job::Job;
use super::task::{Task, TaskInput};
use crate::files::{Compression, OfferedFile, Opened};
use crate::output::{Output, Stopped};
use crate::pattern::Engine;
use crate::print::{OutputBuffer, Printer};
use crate::scan::{
    BoundedReader, ChunkedFile, Claim, ClaimingReader, Failure, LineSink, MemorySearcher,
    PageBuffer, Positions, ScanError, Source, TextSize,
};
use crate::time::Zone;

/// What was found in a unit.
#[derive(Debug, Default)]
pub(crate) struct TaskResult {
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
    job: &'w Job<'w>,
    engine: &'w Engine,
    zone: &'w Zone,
    printer: RefCell<Printer<'w, 'w>>,
    /// For whole files.
    searcher: Searcher,
    /// For blocks.
    memory: MemorySearcher<'w>,
    buffer: PageBuffer,
}

impl<'w> Worker<'w> {
    pub(crate) fn new(
        job: &'w Job<'w>,
        engine: &'w Engine,
        zone: &'w Zone,
        output: &'w mut dyn Output,
    ) -> Worker<'w> {
        let Job { search, budget, .. } = *job;
        let mut printer =
            Printer::new(&search.query, search.extents.as_ref(), budget, OutputBuffer::new(output));
        // Whether anything was printed before is not known here: who gathers the output takes the
        // first separator away.
        printer.note_selected();
        let printer = RefCell::new(printer);
        let searcher = search.searcher();
        let memory = MemorySearcher::new(search, engine, budget);
        Worker { job, engine, zone, printer, searcher, memory, buffer: PageBuffer::default() }
    }

    /// Searches a unit, `file` being the one that it is of. `turn` tells when all units before are
    /// done.
    pub(crate) fn task(
        &mut self,
        file: &OfferedFile,
        task: Task,
        turn: Receiver<()>,
    ) -> Result<TaskResult, Stopped> {
        let mut claim = Claim::new(&self.job.plan.long_lines, self.job.cancel, turn);
        let mut result = match task.input {
            TaskInput::Missing => {
                TaskResult { failure: Some(Failure::Gone), ..TaskResult::default() }
            }
            TaskInput::Failed(reason) => {
                TaskResult { failure: Some(Failure::Unopened(reason)), ..TaskResult::default() }
            }
            TaskInput::File(opened, compression) => {
                self.whole(file, opened, compression, &mut claim)?
            }
            TaskInput::Chunk(blocks, index) => self.block(file, &blocks, index, &mut claim)?,
        };
        result.lines = self.printer.borrow_mut().out().take();
        Ok(result)
    }

    /// From here on, lines are of this file, which has `size` bytes.
    fn set_file(&mut self, file: &OfferedFile, size: u64) {
        self.printer.borrow_mut().set_file(self.job.search.name(self.job.machine, file), size);
    }

    fn block(
        &mut self,
        file: &OfferedFile,
        blocks: &ChunkedFile,
        index: u64,
        claim: &mut Claim<'_>,
    ) -> Result<TaskResult, Stopped> {
        let Job { search, cancel, .. } = *self.job;
        self.set_file(file, blocks.size());
        let mut buffer = std::mem::take(&mut self.buffer);
        let over = !blocks.is_wanted(index) || cancel.load(Ordering::Relaxed);
        let read = if over { Ok(0) } else { blocks.read(index, &mut buffer, claim) };
        let (bytes, failure) =
            read.map_or_else(|error| (0, Some(Failure::reading(&error))), |bytes| (bytes, None));
        let mut before = TextSize { lines: 0, bytes };
        if search.wants_positions() {
            before.lines = blocks.count_lines(index, search.lines_in(buffer.bytes()));
        }
        let result = self.lines(buffer.bytes_mut(), before);
        // What went wrong among the lines that could be read comes before what could not.
        let result =
            result.map(|result| TaskResult { failure: result.failure.or(failure), ..result });
        buffer.clear();
        self.buffer = buffer;
        if let Ok(result) = &result
            && result.selected > 0
            && search.one_is_enough()
        {
            blocks.end_with(index);
        }
        result
    }

    fn lines(&mut self, lines: &mut [u8], before: TextSize) -> Result<TaskResult, Stopped> {
        let bytes = lines.len() as u64;
        let positions = Positions::starting(before);
        let done = Cell::new(false);
        let mut sink = LineSink::new(&self.job.search.query, &self.printer, &done, &positions);
        let ended = self.memory.search(lines, &mut sink);
        let result = TaskResult { bytes, ..found(&sink) };
        self.with_end(result, ended)
    }

    fn whole(
        &mut self,
        file: &OfferedFile,
        opened: Opened,
        compression: Option<Compression>,
        claim: &mut Claim<'_>,
    ) -> Result<TaskResult, Stopped> {
        let Job { search, plan, cancel, budget, .. } = *self.job;
        let positions = Rc::new(Positions::default());
        let mut source = match Source::open(
            opened,
            compression,
            search,
            plan.window,
            self.zone,
            Rc::clone(&positions),
            cancel,
        ) {
            Ok(source) => source,
            Err(error) => return self.with_end(TaskResult::default(), Err(ScanError::Read(error))),
        };
        self.set_file(file, source.size);
        let done = Cell::new(false);
        let mut bytes = 0;
        let mut sink = LineSink::new(&search.query, &self.printer, &done, &positions);
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
        let result =
            TaskResult { bytes, failure: undated.then_some(Failure::Undated), ..found(&sink) };
        self.with_end(result, ended)
    }

    /// What was found, with how the search ended.
    fn with_end(
        &self,
        result: TaskResult,
        ended: Result<(), ScanError>,
    ) -> Result<TaskResult, Stopped> {
        if self.printer.borrow_mut().out().stopped() || self.job.cancel.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        match ended {
            Ok(()) => Ok(result),
            Err(ScanError::Stopped) => Err(Stopped),
            Err(ScanError::Read(error)) => {
                Ok(TaskResult { failure: Some(Failure::reading(&error)), ..result })
            }
            Err(ScanError::Match(words)) => {
                Ok(TaskResult { failure: Some(Failure::matching(words)), ..result })
            }
        }
    }
}

/// What a sink has of a unit.
fn found(sink: &LineSink<'_, '_, '_>) -> TaskResult {
    TaskResult {
        selected: sink.selected(),
        binary: sink.is_binary(),
        binary_matches: sink.binary_matches(),
        over: sink.is_over(),
        ..TaskResult::default()
    }
}
