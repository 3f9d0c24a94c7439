//! Does one task at a time, on a thread of its own.

use std::sync::mpsc::Receiver;

use super::plan::Plan;
use super::task::{Task, TaskInput};
use crate::files::{Compression, Opened};
use crate::job::Job;
use crate::kept::{KeptFile, SharedReader, Skip, Unit};
use crate::output::{Output, Stopped};
use crate::pattern::Engine;
use crate::scan::{
    ChunkedFile, Claim, Failure, FileScan, PageBuffer, Scanner, Source, Step, Text, TextSize,
};
use crate::searched::SearchedFile;
use crate::time::Zone;

/// A larger buffer of kept text was for a long line, and is not kept. In bytes.
const MAX_KEPT_TEXT: usize = 1024 * 1024;

/// What one thread needs to search.
pub(crate) struct Worker<'w> {
    job: &'w Job<'w>,
    plan: &'w Plan,
    zone: &'w Zone,
    scanner: Scanner<'w, 'w>,
    buffer: PageBuffer,
    /// The text of kept blocks, and what reads them.
    text: Vec<u8>,
    blocks: SharedReader,
}

impl<'w> Worker<'w> {
    pub(crate) fn new(
        job: &'w Job<'w>,
        plan: &'w Plan,
        engine: &'w Engine,
        zone: &'w Zone,
        output: &'w mut dyn Output,
    ) -> Worker<'w> {
        let scanner = Scanner::new(job, engine, output);
        // A worker does not know whether anything was printed before its task. So it always prints
        // the first separator, and the collector removes it where it is not wanted.
        scanner.printer().note_selected();
        scanner.printer().out().split_long_lines();
        let (buffer, blocks) = (PageBuffer::default(), SharedReader::default());
        Worker { job, plan, zone, scanner, buffer, text: Vec::new(), blocks }
    }

    /// Does a task, which is part of `file`. `turn` tells when all tasks before are done. Also
    /// returns the lines that were printed last and not handed on.
    ///
    /// # Errors
    /// When the search was cancelled, or nobody takes the output any more.
    pub(crate) fn run(
        &mut self,
        file: SearchedFile<'_>,
        task: Task,
        turn: Receiver<()>,
    ) -> Result<(Vec<u8>, Step), Stopped> {
        let claim = Claim::new(self.job.memory(), self.job.cancel, turn);
        let step = match task.input {
            TaskInput::Missing => Step::failed(Failure::Gone),
            TaskInput::Failed(reason) => Step::failed(Failure::Unopened(reason)),
            TaskInput::File(opened, compression) => {
                self.search_file(file, opened, compression, &claim)?
            }
            TaskInput::Chunk(chunks, index) => self.search_chunk(file, &chunks, index, &claim)?,
            TaskInput::Kept | TaskInput::Unit(_) => self.search_kept(file, task.input, &claim)?,
        };
        let lines = self.scanner.printer().out().take();
        Ok((lines, step))
    }

    /// From here on, lines are of this file, which has `size` bytes.
    fn set_file(&mut self, file: SearchedFile<'_>, size: u64) {
        self.scanner.printer().set_file(self.job.search.name(self.job.machine, file), size);
    }

    fn search_chunk(
        &mut self,
        file: SearchedFile<'_>,
        chunks: &ChunkedFile,
        index: u64,
        claim: &Claim<'_>,
    ) -> Result<Step, Stopped> {
        let search = self.job.search;
        self.set_file(file, chunks.size());
        let is_over = !chunks.wanted().is_wanted(index) || self.job.is_cancelled();
        let read = if is_over { Ok(0) } else { chunks.read(index, &mut self.buffer, claim) };
        let (bytes, unread) =
            read.map_or_else(|error| (0, Some(Failure::reading(&error))), |bytes| (bytes, None));
        let mut before = TextSize { lines: 0, bytes };
        if search.wants_positions() {
            before.lines = chunks.count_lines(index, search.lines_in(self.buffer.bytes()));
        }
        let mut step = self.scanner.step(&mut FileScan::single(before), self.buffer.bytes_mut())?;
        // A failure in the lines that were read comes before the failure to read more.
        step.failure = step.failure.or(unread);
        self.buffer.clear();
        if step.selected > 0 && search.one_is_enough() {
            chunks.wanted().end_with(index);
        }
        Ok(step)
    }

    fn search_file(
        &mut self,
        file: SearchedFile<'_>,
        opened: Opened,
        compression: Option<Compression>,
        claim: &Claim<'_>,
    ) -> Result<Step, Stopped> {
        let text = Text { opened, compression, claim: Box::new(|bytes| claim.take_window(bytes)) };
        let mut source = match Source::open(self.job, self.plan, text, self.zone) {
            Ok(source) => source,
            Err(error) => {
                self.job.check()?;
                return Ok(Step::failed(Failure::reading(&error)));
            }
        };
        self.set_file(file, source.size);
        self.search_source(&mut source, claim)
    }

    fn search_source(
        &mut self,
        source: &mut Source<'_>,
        claim: &Claim<'_>,
    ) -> Result<Step, Stopped> {
        let Source { reader, size, positions, .. } = source;
        let step = self.scanner.read(&mut *reader, *size, positions, Some(claim))?;
        let failure = step.failure.or_else(|| source.failure());
        Ok(Step { failure, ..step })
    }

    /// Searches a kept stream, or a part of it.
    fn search_kept(
        &mut self,
        file: SearchedFile<'_>,
        input: TaskInput,
        claim: &Claim<'_>,
    ) -> Result<Step, Stopped> {
        let SearchedFile::Kept(kept, skip) = file else { return Ok(Step::default()) };
        self.set_file(file, kept.stream().end);
        self.scanner.printer().set_zone(kept.zone());
        let TaskInput::Unit(unit) = input else {
            self.tell_numbers(kept)?;
            return self.search_stream(kept, skip, claim);
        };
        if unit.index == 0 {
            self.tell_numbers(kept)?;
        }
        self.search_unit(unit, claim)
    }

    fn tell_numbers(&self, file: &KeptFile) -> Result<(), Stopped> {
        let query = &self.job.search.query;
        match file.numbers_notice() {
            Some(notice) if self.job.search.wants_positions() && !query.printing.no_messages => {
                self.scanner.message(notice)
            }
            _ => Ok(()),
        }
    }

    fn search_stream(
        &mut self,
        file: &KeptFile,
        skip: &Skip,
        claim: &Claim<'_>,
    ) -> Result<Step, Stopped> {
        let window = Box::new(|bytes| claim.take_window(bytes));
        let mut source = Source::of_kept(self.job, file, skip, &self.blocks, window);
        self.search_source(&mut source, claim)
    }

    fn search_unit(&mut self, mut unit: Unit, claim: &Claim<'_>) -> Result<Step, Stopped> {
        self.text.clear();
        let is_over = !unit.wanted.is_wanted(unit.index) || self.job.is_cancelled();
        let unread = if is_over { None } else { unit.read(&mut self.text, &self.blocks, claim) };
        let mut step = self.scanner.step(&mut FileScan::single(unit.before), &mut self.text)?;
        step.failure = step.failure.or(unread);
        if step.selected > 0 && self.job.search.one_is_enough() {
            unit.wanted.end_with(unit.index);
        }
        if self.text.capacity() > MAX_KEPT_TEXT {
            self.text = Vec::new();
        }
        Ok(step)
    }
}
