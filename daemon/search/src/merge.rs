//! The lines of many files in the order of time.
//!
//! Each file, with what was rotated away from it before it, is a stream that is searched a part at
//! a time; of all streams the line with the earliest time comes next. So only one part's lines of
//! each stream are held in memory.
//!
//! With context, each line comes with that of its own which no line before it has brought along,
//! and has taken its time over to it. Where lines of a file do not follow on each other, or another
//! file's are between, there is a mark: no bytes at all.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use crate::files::{Compression, OfferedFile};
use crate::output::{NO_TIME, OUTPUT_BYTES, Output, Stopped};
use crate::print::{OutputBuffer, Printer};
use crate::scan::{
    ChunkReader, ChunkSink, Failure, FileProgress, LineTimes, MemorySearcher, Positions, ScanError,
    Source, TextSize, TimedSink,
};
use crate::schedule::{Event, Job, TimedLines};
use crate::search::Totals;
use crate::time::{Times, Zone};

/// The most files, those rotated away not counted, that are merged: so many are open at once.
pub(crate) const MAX_STREAMS: usize = 256;

/// How long found lines wait for more.
const PATIENCE: Duration = Duration::from_millis(10);

/// Searches all files of `work` and sends what is found in the order of time.
pub(crate) fn merge(job: &Job<'_>, found: &SyncSender<Event>) {
    let chains: Vec<&[OfferedFile]> =
        job.files.chunk_by(|one, other| one.origin() == other.origin()).collect();
    let mut totals = Totals::default();
    if chains.len() > MAX_STREAMS {
        totals.errors = 1;
        let text = format!(
            "{} files cannot be merged in the order of time, only {MAX_STREAMS}: name fewer",
            chains.len()
        );
        // If nobody takes it, nobody takes the totals either.
        let _ = found.send(Event::Message(text));
    } else {
        let zone = Zone::local();
        let captured = CapturedOutput { now: Cell::new(NO_TIME), lines: RefCell::default(), found };
        let mut output = &captured;
        let mut printer = Printer::new(
            &job.search.query,
            job.search.extents.as_ref(),
            job.budget,
            OutputBuffer::new(&mut output),
        );
        printer.mark_groups();
        let mut merge = Merge {
            job,
            zone: &zone,
            captured: &captured,
            printer: RefCell::new(printer),
            memory: MemorySearcher::new(job.search, &job.search.engine, job.budget),
            batch: TimedLines::default(),
            handed_on: Instant::now(),
            spent: false,
            totals,
        };
        let done = merge.run(&chains);
        totals = merge.totals;
        totals.interrupted = done.is_err();
    }
    // Nobody may be waiting any more.
    let _ = found.send(Event::End(totals));
}

/// Takes what is printed, with the time that it is printed for.
struct CapturedOutput<'c> {
    now: Cell<i64>,
    lines: RefCell<VecDeque<(i64, Vec<u8>)>>,
    found: &'c SyncSender<Event>,
}

impl Output for &CapturedOutput<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.lines.borrow_mut().push_back((self.now.get(), bytes));
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.found.send(Event::Message(text)).map_err(|_| Stopped)
    }
}

/// A file and what was rotated away from it, the oldest first.
struct LogStream<'m> {
    files: std::slice::Iter<'m, OfferedFile>,
    current: Option<OpenFile<'m>>,
    /// What was found and is not sent yet.
    found: VecDeque<(i64, Vec<u8>)>,
    /// The time of the last line looked at.
    last: i64,
}

/// A file that is being searched.
struct OpenFile<'m> {
    file: &'m OfferedFile,
    source: Source<'m>,
    parts: ChunkReader,
    positions: Rc<Positions>,
    times: LineTimes<'m>,
    progress: FileProgress,
}

struct Merge<'m> {
    job: &'m Job<'m>,
    zone: &'m Zone,
    captured: &'m CapturedOutput<'m>,
    printer: RefCell<Printer<'m, 'm>>,
    memory: MemorySearcher<'m>,
    batch: TimedLines,
    handed_on: Instant,
    /// Backtracking has taken all its time: nothing more is searched.
    spent: bool,
    totals: Totals,
}

impl<'m> Merge<'m> {
    fn run(&mut self, chains: &[&'m [OfferedFile]]) -> Result<(), Stopped> {
        let mut streams: Vec<LogStream<'m>> = chains
            .iter()
            .map(|files| LogStream {
                files: files.iter(),
                current: None,
                found: VecDeque::new(),
                last: NO_TIME,
            })
            .collect();
        // The earliest line first; of several, that of the first file.
        let (mut next, mut last) = (BinaryHeap::new(), None);
        for (at, stream) in streams.iter_mut().enumerate() {
            next.extend(self.first(stream)?.map(|time| Reverse((time, at))));
        }
        while let Some(Reverse((time, at))) = next.pop() {
            let Some(stream) = streams.get_mut(at) else { continue };
            if let Some((_, lines)) = stream.found.pop_front() {
                if self.job.search.has_context() && last.replace(at) != Some(at) {
                    // The lines of another file are another group.
                    self.send(time, b"")?;
                }
                self.send(time, &lines)?;
            }
            next.extend(self.first(stream)?.map(|time| Reverse((time, at))));
        }
        self.hand_on()
    }

    /// The time of a stream's first line that is not sent; none at its end. Searches as far as it
    /// must.
    fn first(&mut self, stream: &mut LogStream<'m>) -> Result<Option<i64>, Stopped> {
        loop {
            if let Some((time, _)) = stream.found.front() {
                return Ok(Some(*time));
            }
            if self.job.cancel.load(Ordering::Relaxed) {
                return Err(Stopped);
            }
            if self.spent {
                return Ok(None);
            }
            if self.handed_on.elapsed() >= PATIENCE {
                self.hand_on()?;
            }
            match &mut stream.current {
                Some(current) => {
                    let more = self.search_part(current)?;
                    stream.last = current.times.last();
                    stream.found.append(&mut self.captured.lines.borrow_mut());
                    if !more {
                        let ended =
                            stream.current.take().filter(|ended| ended.progress.binary_matches);
                        ended.map_or(Ok(()), |ended| {
                            self.message(format!(
                                "{}: binary file matches",
                                ended.file.path().display()
                            ))
                        })?;
                    }
                }
                None => match stream.files.next() {
                    Some(file) => stream.current = self.open(file, stream.last)?,
                    None => return Ok(None),
                },
            }
        }
    }

    fn open(&mut self, file: &'m OfferedFile, last: i64) -> Result<Option<OpenFile<'m>>, Stopped> {
        let Job { search, plan, cancel, .. } = *self.job;
        let positions = Rc::new(Positions::default());
        let opened = file.open().and_then(|opened| {
            let Some(opened) = opened else { return Ok(None) };
            let times = Times::new(self.zone, opened.modified);
            let compression = Compression::of(&opened.file)?;
            let source = Source::open(
                opened,
                compression,
                search,
                plan.window,
                self.zone,
                Rc::clone(&positions),
                cancel,
            )?;
            Ok(Some((source, times)))
        });
        match opened {
            Ok(None) => Ok(None),
            Ok(Some((source, times))) => {
                self.totals.files += 1;
                let times = LineTimes::new(times, search.line_end(), last);
                let parts = ChunkReader::new(source.size, search.line_end());
                Ok(Some(OpenFile {
                    file,
                    source,
                    parts,
                    positions,
                    times,
                    progress: FileProgress::default(),
                }))
            }
            Err(error) => self.fail(file, &Failure::reading(&error)).map(|()| None),
        }
    }

    /// Searches the next part of a file; false when it was the last, or no more is wanted.
    fn search_part(&mut self, current: &mut OpenFile<'m>) -> Result<bool, Stopped> {
        let search = self.job.search;
        let part = match current.parts.next(&mut current.source.reader) {
            Ok(Some(part)) => part,
            Ok(None) => {
                if current.source.reader.is_undated() {
                    self.fail(current.file, &Failure::Undated)?;
                }
                return Ok(false);
            }
            Err(error) => {
                if self.job.cancel.load(Ordering::Relaxed) {
                    return Err(Stopped);
                }
                self.fail(current.file, &Failure::reading(&error))?;
                return Ok(false);
            }
        };
        let size = TextSize { bytes: part.len() as u64, lines: search.lines_in(part) };
        self.totals.bytes += size.bytes;
        self.captured.found.send(Event::Read(size.bytes)).map_err(|_| Stopped)?;
        self.printer
            .borrow_mut()
            .set_file(search.name(self.job.machine, current.file), current.source.size);
        let (done, before, cut) =
            (Cell::new(false), current.progress.selected, current.progress.is_cut);
        let lines = ChunkSink::new(
            &search.query,
            &self.printer,
            &done,
            &current.positions,
            &mut current.progress,
        );
        let mut sink = TimedSink {
            lines,
            printer: &self.printer,
            times: &mut current.times,
            now: &self.captured.now,
        };
        let ended = self.memory.search(part, &mut sink);
        let ended = sink.lines.finish(ended, part);
        self.printer.borrow_mut().out().flush()?;
        // A NUL byte may have taken back what was selected.
        self.totals.lines = self.totals.lines - before + current.progress.selected;
        current.times.go_on(part);
        current.positions.go_on(size);
        if current.progress.is_cut && !cut {
            self.fail(current.file, &Failure::Cut)?;
        }
        match ended {
            Ok(()) => {}
            Err(ScanError::Stopped) => return Err(Stopped),
            Err(ScanError::Read(error)) => {
                self.fail(current.file, &Failure::reading(&error))?;
                return Ok(false);
            }
            Err(ScanError::Match(_)) if self.job.cancel.load(Ordering::Relaxed) => {
                return Err(Stopped);
            }
            Err(ScanError::Match(words)) => {
                let failure = Failure::matching(words);
                self.spent |= failure == Failure::Spent;
                self.fail(current.file, &failure)?;
                return Ok(false);
            }
        }
        Ok(!done.get())
    }

    /// Says what is the matter with a file.
    fn fail(&mut self, file: &OfferedFile, failure: &Failure) -> Result<(), Stopped> {
        self.totals.errors += u64::from(failure.is_error());
        match failure.words(file.path().display()) {
            Some(words) if !self.job.search.query.no_messages => self.message(words),
            _ => Ok(()),
        }
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.hand_on()?;
        self.captured.found.send(Event::Message(text)).map_err(|_| Stopped)
    }

    /// Sends lines once they are many, or have waited.
    fn send(&mut self, time: i64, lines: &[u8]) -> Result<(), Stopped> {
        self.batch.push(time, lines);
        if self.batch.len() >= OUTPUT_BYTES { self.hand_on() } else { Ok(()) }
    }

    fn hand_on(&mut self) -> Result<(), Stopped> {
        self.handed_on = Instant::now();
        if self.batch.len() == 0 {
            return Ok(());
        }
        self.captured
            .found
            .send(Event::TimedLines(std::mem::take(&mut self.batch)))
            .map_err(|_| Stopped)
    }
}
