//! Searches what kept streams have beyond the positions at which a follow of their files was when
//! their machine was lost. It owns the text that is being searched.

use std::ops::Range;
use std::rc::Rc;
use std::sync::mpsc::SyncSender;

use memberd_control::grep::{GrepFollow, GrepPosition};
use memberd_copies::kept::KeptError;
use memberd_copies::needs::Needs;

use super::files::{EventOutput, STEP_BYTES};
use crate::job::Job;
use crate::kept::{KeptFile, SharedReader, Skip};
use crate::output::Stopped;
use crate::scan::{FileScan, Positions, Scanner, TextSize};
use crate::schedule::{Event, Window};
use crate::search::Totals;
use crate::searched::SearchedFile;

static ANYTHING: Needs = Needs::Anything;

const HEAD_BYTES: u64 = GrepPosition::HEAD_BYTES as u64;

/// Searches the rest of each stream, and ends.
pub(crate) fn follow_kept(
    job: &Job<'_>,
    files: &[KeptFile],
    from: &GrepFollow,
    events: &SyncSender<Event>,
) {
    let mut output = EventOutput(events);
    let skip = Skip::new(job.search, Window::default(), false);
    let mut rest = Rest {
        job,
        skip: &skip,
        scanner: Scanner::new(job, &job.search.engine, &mut output),
        reader: SharedReader::default(),
        totals: Totals::default(),
    };
    let interrupted = files.iter().try_for_each(|file| rest.search(file, from)).is_err();
    let totals = Totals { interrupted, ..rest.totals };
    // It is no error if nobody takes the totals any more.
    let _ = events.send(Event::End(totals));
}

struct Rest<'r> {
    job: &'r Job<'r>,
    skip: &'r Skip,
    scanner: Scanner<'r, 'r>,
    reader: SharedReader,
    totals: Totals,
}

/// From where a stream is searched.
struct Begin {
    offset: u64,
    /// The sum of the file's beginning, if that is before.
    head: Option<u64>,
    /// The bytes before are not kept.
    is_late: bool,
}

impl Rest<'_> {
    fn search(&mut self, file: &KeptFile, from: &GrepFollow) -> Result<(), Stopped> {
        match self.begin(file, from) {
            Ok(None) => Ok(()),
            Ok(Some(begin)) => {
                if begin.is_late {
                    let words = "lines are missing: what was written before is not kept";
                    self.trouble(file, words)?;
                }
                self.search_from(file, &begin)
            }
            Err(error) => self.trouble(file, &error.to_string()),
        }
    }

    fn trouble(&mut self, file: &KeptFile, words: &str) -> Result<(), Stopped> {
        self.totals.errors += 1;
        match self.job.search.query.printing.no_messages {
            true => Ok(()),
            false => self.scanner.message(format!("{}: {words}", file.path().display())),
        }
    }

    /// From where the stream is new. None if nothing of it is.
    fn begin(&self, file: &KeptFile, from: &GrepFollow) -> Result<Option<Begin>, KeptError> {
        let stream = file.stream();
        let id = stream.head.id;
        let known = from
            .positions
            .iter()
            .find(|position| (position.device, position.inode) == (id.device, id.inode));
        // A file that the follow did not come to know is new, unless it was there before, or was
        // rotated away.
        let is_new = stream.begin == 0 && stream.head.listed && id.begun_ms >= from.since_ms;
        let as_new = is_new.then_some(Begin { offset: 0, head: None, is_late: false });
        let Some(position) = known else { return Ok(as_new) };
        if position.offset > stream.end {
            // The follow has more of it than the copy. If it is another file, that is new.
            let head = position.offset.min(HEAD_BYTES);
            let is_unknown = stream.begin > 0 || stream.end < head || position.head.is_none();
            let is_same = is_unknown || position.head == Some(self.sum(file, 0..head)?);
            return Ok(as_new.filter(|_| !is_same));
        }
        let head = position.head.filter(|_| position.offset >= HEAD_BYTES);
        if position.offset < stream.begin {
            return Ok(Some(Begin { offset: stream.begin, head, is_late: true }));
        }
        let before = position.offset.min(GrepPosition::BEFORE_BYTES as u64);
        let before = position.offset - before..position.offset;
        if before.start >= stream.begin
            && let Some(known) = position.before
            && self.sum(file, before)? != known
        {
            return Ok(as_new);
        }
        Ok(Some(Begin { offset: position.offset, head, is_late: false }))
    }

    fn sum(&self, file: &KeptFile, range: Range<u64>) -> Result<u64, KeptError> {
        self.bytes(file, range).map(|bytes| GrepPosition::sum(&bytes))
    }

    /// A part of the text.
    fn bytes(&self, file: &KeptFile, range: Range<u64>) -> Result<Vec<u8>, KeptError> {
        let (mut found, mut text) = (Vec::new(), Vec::new());
        for block in file.stream().blocks(&ANYTHING) {
            let block = block?;
            if block.end() > range.start && block.offset < range.end {
                self.reader.read(&block, &mut text)?;
                let at = |place: u64| length(place.saturating_sub(block.offset)).min(text.len());
                let part = at(range.start)..at(range.end);
                found.extend_from_slice(text.get(part).unwrap_or_default());
            }
        }
        Ok(found)
    }

    /// A reader of what follows `begin`.
    fn reading(&self, file: &KeptFile, begin: &Begin) -> Result<Reading, KeptError> {
        let first = match begin.offset {
            0..HEAD_BYTES if file.stream().begin == 0 => self.bytes(file, 0..begin.offset)?,
            _ => Vec::new(),
        };
        let before = begin.offset.saturating_sub(GrepPosition::BEFORE_BYTES as u64);
        let before = self.bytes(file, before..begin.offset)?;
        Ok(Reading {
            text: Vec::new(),
            scan: None,
            offset: begin.offset,
            head: begin.head,
            first,
            before,
            is_over: false,
        })
    }

    fn search_from(&mut self, file: &KeptFile, begin: &Begin) -> Result<(), Stopped> {
        let stream = file.stream();
        let line_end = self.job.search.line_end();
        let mut lines = stream.lines_before.unwrap_or(0);
        let mut text = Vec::new();
        let mut reading = match self.reading(file, begin) {
            Ok(reading) => reading,
            Err(error) => return self.trouble(file, &error.to_string()),
        };
        for block in stream.blocks(&ANYTHING) {
            let read = block.and_then(|block| {
                if block.end() <= begin.offset {
                    lines += u64::from(block.lines);
                    return Ok(None);
                }
                self.reader.read(&block, &mut text).map(|()| Some(block))
            });
            let block = match read {
                Ok(Some(block)) => block,
                Ok(None) => continue,
                // The text behind it would look as if it followed.
                Err(error) => return self.trouble(file, &error.to_string()),
            };
            let known = length(begin.offset.saturating_sub(block.offset)).min(text.len());
            let (before, new) = text.split_at(known);
            if reading.scan.is_none() {
                lines += memchr::memchr_iter(line_end, before).count() as u64;
                let place = TextSize { lines, bytes: begin.offset };
                reading.scan = Some(FileScan::new(Rc::new(Positions::starting(place))));
                self.totals.files += 1;
            }
            reading.text.extend_from_slice(new);
            self.job.check()?;
            while let Some(length) = reading.step_length(line_end) {
                self.step(file, &mut reading, length)?;
            }
        }
        match stream.head.listed {
            true => Ok(()),
            // Nothing more is written to it, so its last line needs no end.
            false => self.step(file, &mut reading, usize::MAX),
        }
    }

    /// Searches the next lines, and tells the position after them.
    fn step(
        &mut self,
        file: &KeptFile,
        reading: &mut Reading,
        length: usize,
    ) -> Result<(), Stopped> {
        let mut lines: Vec<u8> = reading.text.drain(..length.min(reading.text.len())).collect();
        if lines.is_empty() || reading.is_over {
            return Ok(());
        }
        // The search may change them.
        reading.pass(&lines);
        let Some(scan) = reading.scan.as_mut() else { return Ok(()) };
        let name = self.job.search.name(self.job.machine, SearchedFile::Kept(file, self.skip));
        self.scanner.printer().set_file(name, u64::MAX);
        self.job.budget.renew();
        let step = self.scanner.step(scan, &mut lines)?;
        step.add_to(&mut self.totals);
        self.scanner.flush()?;
        let position = reading.position(file);
        self.scanner.printer().out().positions(vec![position], step.has_printed)?;
        reading.is_over = !step.goes_on();
        if step.first_binary_match {
            self.scanner.message(format!("{}: binary file matches", file.path().display()))?;
        }
        let words = step.failure.and_then(|failure| failure.message(file.path().display()));
        match words {
            None => Ok(()),
            Some(words) => {
                self.totals.errors += 1;
                self.scanner.message(words)
            }
        }
    }
}

/// A stream that is being read.
struct Reading {
    /// What was not searched yet.
    text: Vec<u8>,
    /// None until there is something to search.
    scan: Option<FileScan<'static>>,
    /// Up to where it was searched, and the sums of that.
    offset: u64,
    head: Option<u64>,
    first: Vec<u8>,
    before: Vec<u8>,
    is_over: bool,
}

impl Reading {
    /// How many bytes of whole lines are searched next. None if there is no whole line.
    fn step_length(&self, line_end: u8) -> Option<usize> {
        let most = usize::try_from(STEP_BYTES).unwrap_or(usize::MAX).min(self.text.len());
        let (first, rest) = self.text.split_at_checked(most)?;
        match memchr::memrchr(line_end, first) {
            Some(end) => Some(end + 1),
            None => memchr::memchr(line_end, rest).map(|end| most + end + 1),
        }
    }

    /// These lines are searched next.
    fn pass(&mut self, lines: &[u8]) {
        if self.offset == self.first.len() as u64 {
            let missing = GrepPosition::HEAD_BYTES - self.first.len();
            self.first.extend_from_slice(lines.get(..missing).unwrap_or(lines));
        }
        self.offset += lines.len() as u64;
        let last = lines.len().saturating_sub(GrepPosition::BEFORE_BYTES);
        self.before.extend_from_slice(lines.get(last..).unwrap_or_default());
        let more = self.before.len().saturating_sub(GrepPosition::BEFORE_BYTES);
        self.before.drain(..more);
    }

    fn position(&self, file: &KeptFile) -> GrepPosition {
        let id = file.stream().head.id;
        let is_whole = self.first.len() as u64 == self.offset.min(HEAD_BYTES);
        let has_before =
            self.before.len() as u64 == self.offset.min(GrepPosition::BEFORE_BYTES as u64);
        GrepPosition {
            device: id.device,
            inode: id.inode,
            offset: self.offset,
            head: is_whole.then(|| GrepPosition::sum(&self.first)).or(self.head),
            before: has_before.then(|| GrepPosition::sum(&self.before)),
        }
    }
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
