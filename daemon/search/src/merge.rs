//! The lines of many files in order of time.
//!
//! Each file, with the files rotated away from it before it, is a stream. A stream is searched one
//! chunk at a time, and the earliest line of all streams comes next. So only the lines of one chunk
//! of each stream are in memory.
//!
//! Each line comes with the context that no earlier line has brought along, at the line's own time.
//! A mark (no bytes at all) stands where lines of a file do not follow each other, and where
//! another file's lines come between.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use crate::files::{Compression, ExposedFile, FileError, WindowClaim};
use crate::job::Job;
use crate::kept::{KeptFile, SharedReader, Skip};
use crate::output::{NO_TIME, OUTPUT_BYTES, Output, Stopped};
use crate::scan::{ChunkReader, Claim, Failure, FileScan, LineTimes, Scanner, Source, Text};
use crate::schedule::{Event, Plan, TimedLines};
use crate::search::Totals;
use crate::searched::{Files, SearchedFile};
use crate::time::{Times, Zone};

/// The most files that are merged. All of them are open. Rotated files are not counted.
pub(crate) const MAX_STREAMS: usize = 256;

/// How long found lines wait for more.
const PATIENCE: Duration = Duration::from_millis(10);

/// Searches `files` and sends what is found, in order of time.
pub(crate) fn merge(job: &Job<'_>, plan: &Plan, files: Files<'_>, events: &SyncSender<Event>) {
    let chains = files.streams();
    let mut totals = Totals::default();
    if let Err(text) = room(job, files, chains.len()) {
        totals.errors = 1;
        // If nobody takes the message, nobody takes the totals either.
        let _ = events.send(Event::Message(text));
    } else {
        let zone = Zone::local();
        let found = FoundLines { printing: Cell::new(NO_TIME), lines: RefCell::default(), events };
        let mut output = &found;
        let scanner = Scanner::new(job, &job.search.engine, &mut output);
        scanner.printer().mark_groups();
        let mut merge = Merge {
            job,
            plan,
            zone: &zone,
            found: &found,
            scanner,
            batch: TimedLines::default(),
            handed_on: Instant::now(),
            is_spent: false,
            leases: Rc::default(),
            blocks: SharedReader::default(),
            totals,
        };
        let done = merge.run(&chains);
        totals = merge.totals;
        totals.interrupted = done.is_err();
    }
    // It is no error if nobody takes the totals any more.
    let _ = events.send(Event::End(totals));
}

/// Takes the memory for so many streams of files, if the search does not have it yet.
fn room(job: &Job<'_>, files: Files<'_>, streams: usize) -> Result<(), String> {
    if streams > MAX_STREAMS {
        return Err(format!(
            "{streams} files are too many to be sorted by time, the limit is {MAX_STREAMS}: name \
            fewer"
        ));
    }
    let has_room = match files {
        Files::Exposed(files) => job.search.has_room_to_merge(files),
        // They are never merged.
        Files::Handed(_) => false,
        Files::Kept(files, _) => job.search.has_room_to_merge_kept(files),
    };
    if has_room {
        return Ok(());
    }
    Err(format!(
        "{streams} files cannot be sorted by time, since other searches have the memory for \
        searches: try again later"
    ))
}

/// Keeps the lines that are printed, with their times.
struct FoundLines<'c> {
    /// The time of what is being printed.
    printing: Cell<i64>,
    lines: RefCell<VecDeque<(i64, Vec<u8>)>>,
    events: &'c SyncSender<Event>,
}

impl Output for &FoundLines<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.lines.borrow_mut().push_back((self.printing.get(), bytes));
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.events.send(Event::Message(text)).map_err(|_| Stopped)
    }
}

/// A file and what was rotated away from it, the oldest first.
struct LogStream<'m> {
    files: std::slice::Iter<'m, SearchedFile<'m>>,
    current: Option<OpenFile<'m>>,
    /// The lines that were found and are not sent yet.
    found: VecDeque<(i64, Vec<u8>)>,
    /// The time of the last line that was looked at.
    last: i64,
}

/// A file that is being searched.
struct OpenFile<'m> {
    file: SearchedFile<'m>,
    source: Source<'m>,
    chunks: ChunkReader,
    /// Its memory, which it has as long as the reader and the chunks.
    claim: Rc<Claim<'m>>,
    scan: FileScan<'m>,
    /// It has selected lines that are not printed because they are not text.
    binary_matches: bool,
}

/// What a file that was opened is: its text, its times and its memory.
type Begun<'m> = (Source<'m>, Times<'m>, Rc<Claim<'m>>);

struct Merge<'m> {
    job: &'m Job<'m>,
    plan: &'m Plan,
    zone: &'m Zone,
    found: &'m FoundLines<'m>,
    scanner: Scanner<'m, 'm>,
    batch: TimedLines,
    handed_on: Instant,
    /// Backtracking has used all its time. Nothing more is searched.
    is_spent: bool,
    /// How many leases of memory the files have.
    leases: Rc<Cell<usize>>,
    /// Reads the blocks of kept streams.
    blocks: SharedReader,
    totals: Totals,
}

impl<'m> Merge<'m> {
    fn run(&mut self, chains: &'m [Vec<SearchedFile<'m>>]) -> Result<(), Stopped> {
        let mut streams: Vec<LogStream<'m>> = chains
            .iter()
            .map(|files| LogStream {
                files: files.iter(),
                current: None,
                found: VecDeque::new(),
                last: NO_TIME,
            })
            .collect();
        // The earliest line comes first, and of several that of the first file.
        let (mut next, mut last) = (BinaryHeap::new(), None);
        for (at, stream) in streams.iter_mut().enumerate() {
            next.extend(self.first(stream)?.map(|time| Reverse((time, at))));
        }
        while let Some(Reverse((time, at))) = next.pop() {
            let Some(stream) = streams.get_mut(at) else { continue };
            if let Some((_, lines)) = stream.found.pop_front() {
                if self.job.search.has_context() && last.replace(at) != Some(at) {
                    // The lines of another file begin a group.
                    self.send(time, b"")?;
                }
                self.send(time, &lines)?;
            }
            next.extend(self.first(stream)?.map(|time| Reverse((time, at))));
        }
        self.hand_on()
    }

    /// The time of a stream's first line that is not sent, or none at its end. Searches no further
    /// than it must.
    fn first(&mut self, stream: &mut LogStream<'m>) -> Result<Option<i64>, Stopped> {
        loop {
            if let Some((time, _)) = stream.found.front() {
                return Ok(Some(*time));
            }
            self.job.check()?;
            if self.is_spent {
                return Ok(None);
            }
            if self.handed_on.elapsed() >= PATIENCE {
                self.hand_on()?;
            }
            match &mut stream.current {
                Some(current) => {
                    let more = self.search_chunk(current)?;
                    stream.last = current.scan.last_time().unwrap_or(stream.last);
                    stream.found.append(&mut self.found.lines.borrow_mut());
                    if !more
                        && let Some(OpenFile { file, binary_matches: true, .. }) =
                            stream.current.take()
                    {
                        self.message(format!("{}: binary file matches", file.path().display()))?;
                    }
                }
                None => match stream.files.next() {
                    Some(file) => stream.current = self.open(*file, stream.last)?,
                    None => return Ok(None),
                },
            }
        }
    }

    fn open(&mut self, file: SearchedFile<'m>, last: i64) -> Result<Option<OpenFile<'m>>, Stopped> {
        let line_end = self.job.search.line_end();
        let opened = match file {
            SearchedFile::Exposed(exposed) => self.open_exposed(exposed),
            // They are never merged.
            SearchedFile::Handed(_) => Ok(None),
            SearchedFile::Kept(kept, skip) => {
                self.tell_numbers(kept)?;
                Ok(Some(self.open_kept(kept, skip)))
            }
        };
        match opened {
            Ok(None) => Ok(None),
            Ok(Some((source, times, claim))) => {
                self.totals.files += 1;
                let times = LineTimes::new(times, line_end, last, &self.found.printing);
                let scan = FileScan::with_times(Rc::clone(&source.positions), times);
                let chunks = ChunkReader::new(source.size, line_end);
                Ok(Some(OpenFile { file, source, chunks, claim, scan, binary_matches: false }))
            }
            Err(error) => self.report(file, &Failure::reading(&error)).map(|()| None),
        }
    }

    fn open_exposed(&self, file: &ExposedFile) -> io::Result<Option<Begun<'m>>> {
        let Some(opened) = file.open()? else { return Ok(None) };
        if self.job.search.left_out(self.plan.output_file) == Some(opened.identity) {
            return Err(FileError::IsOutput.into());
        }
        let times = Times::new(self.zone, opened.modified);
        let compression = Compression::of(&opened.file, file.path())?;
        let (claim, window) = self.claim();
        let text = Text { opened, compression, claim: window };
        let source = Source::open(self.job, self.plan, text, self.zone)?;
        Ok(Some((source, times, claim)))
    }

    fn open_kept(&self, file: &'m KeptFile, skip: &Skip) -> Begun<'m> {
        let times = Times::new(file.zone(), file.modified());
        let (claim, window) = self.claim();
        let source = Source::of_kept(self.job, file, skip, &self.blocks, window);
        (source, times, claim)
    }

    /// The memory of a file.
    fn claim(&self) -> (Rc<Claim<'m>>, WindowClaim<'m>) {
        let claim = Claim::of_merge(self.job.memory(), self.job.cancel, &self.leases);
        let claim = Rc::new(claim);
        let window = Rc::clone(&claim);
        (claim, Box::new(move |bytes| window.take_window(bytes)))
    }

    fn tell_numbers(&mut self, file: &KeptFile) -> Result<(), Stopped> {
        let search = self.job.search;
        match file.numbers_notice() {
            Some(notice) if search.wants_positions() && !search.query.printing.no_messages => {
                self.message(notice)
            }
            _ => Ok(()),
        }
    }

    /// Searches the next chunk of a file. False when it was the last, or no more is wanted.
    fn search_chunk(&mut self, current: &mut OpenFile<'m>) -> Result<bool, Stopped> {
        let chunk = match current.chunks.next(&mut current.source.reader, &current.claim) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => {
                let failure = current.source.failure().or_else(|| {
                    let unread = current.scan.unread_time()?;
                    Some(Failure::Misdated(unread.into()))
                });
                if let Some(failure) = failure {
                    self.report(current.file, &failure)?;
                }
                return Ok(false);
            }
            Err(error) => {
                self.job.check()?;
                self.report(current.file, &Failure::reading(&error))?;
                return Ok(false);
            }
        };
        self.found.events.send(Event::Read(chunk.len() as u64)).map_err(|_| Stopped)?;
        let name = self.job.search.name(self.job.machine, current.file);
        self.scanner.printer().set_file(name, current.source.size);
        if let SearchedFile::Kept(kept, _) = current.file {
            self.scanner.printer().set_zone(kept.zone());
        }
        let step = self.scanner.step(&mut current.scan, chunk)?;
        self.scanner.flush()?;
        step.add_to(&mut self.totals);
        current.binary_matches = step.binary_matches;
        if step.first_cut {
            self.report(current.file, &Failure::Cut)?;
        }
        if let Some(failure) = &step.failure {
            self.is_spent |= *failure == Failure::Spent;
            self.report(current.file, failure)?;
        }
        Ok(step.goes_on())
    }

    /// Reports what is wrong with a file.
    fn report(&mut self, file: SearchedFile<'m>, failure: &Failure) -> Result<(), Stopped> {
        self.totals.errors += u64::from(failure.is_error());
        match failure.message(file.path().display()) {
            Some(message) if !self.job.search.query.printing.no_messages => self.message(message),
            _ => Ok(()),
        }
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.hand_on()?;
        self.found.events.send(Event::Message(text)).map_err(|_| Stopped)
    }

    /// Sends lines once they are many.
    fn send(&mut self, time: i64, lines: &[u8]) -> Result<(), Stopped> {
        self.batch.push(time, lines);
        if self.batch.len() >= OUTPUT_BYTES { self.hand_on() } else { Ok(()) }
    }

    fn hand_on(&mut self) -> Result<(), Stopped> {
        self.handed_on = Instant::now();
        if self.batch.len() == 0 {
            return Ok(());
        }
        self.found
            .events
            .send(Event::TimedLines(std::mem::take(&mut self.batch)))
            .map_err(|_| Stopped)
    }
}
