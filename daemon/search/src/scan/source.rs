//! The text of a file as it is searched: decompressed, and only the lines that lie in the window.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use memberd_copies::kept::KeptError;

use super::block_times::Part;
use super::bounded_reader::GROWTH_LIMIT;
use super::failure::Failure;
use super::positions::Positions;
use super::window_reader::WindowReader;
use crate::files::{Compression, Opened, WindowClaim};
use crate::job::Job;
use crate::kept::{KeptFile, KeptText, SharedReader, Skip};
use crate::schedule::{Plan, Window};
use crate::time::{Times, Zone};

/// A file is not read if it was last written this long before the window begins, in milliseconds.
/// Its lines may carry the time of another zone, so that the margin is a day.
const MARGIN_MS: i64 = 24 * 60 * 60 * 1000;

/// How much is read at once to count lines.
const COUNT_BYTES: usize = 64 * 1024;

/// A file that is ready to be read from its beginning to its end.
pub(crate) struct Source<'r> {
    pub(crate) reader: SourceReader<'r>,
    /// How many bytes to expect, or `u64::MAX` where that is not known.
    pub(crate) size: u64,
    /// Where in the file the text lies that is read.
    pub(crate) positions: Rc<Positions>,
    /// The first part of a kept stream that cannot be read.
    missing: Rc<RefCell<Option<KeptError>>>,
}

/// What a file's text is made of.
pub(crate) struct Text<'r> {
    pub(crate) opened: Opened,
    pub(crate) compression: Option<Compression>,
    /// Asks for a large window to decompress it.
    pub(crate) claim: WindowClaim<'r>,
}

/// Reads the text of a file.
pub(crate) enum SourceReader<'r> {
    /// All of it.
    Whole(Box<dyn Read + 'r>),
    /// The lines that lie in a window.
    Window(Box<WindowReader<'r, Box<dyn Read + 'r>>>),
}

impl SourceReader<'_> {
    /// Why lines of a window may be missing, now that all was read: no line has a time, or not all
    /// times are understood.
    fn failure(&self) -> Option<Failure> {
        match self {
            SourceReader::Window(reader) if reader.is_undated() => Some(Failure::Undated),
            SourceReader::Window(reader) => reader.misdated().map(Box::from).map(Failure::Misdated),
            SourceReader::Whole(_) => None,
        }
    }
}

impl Read for SourceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            SourceReader::Whole(reader) => reader.read(buffer),
            SourceReader::Window(reader) => reader.read(buffer),
        }
    }
}

impl<'r> Source<'r> {
    /// Prepares to read the lines of a file that lie in the window of `plan`.
    ///
    /// # Errors
    /// When the file cannot be read or decompressed.
    pub(crate) fn open(
        job: &Job<'r>,
        plan: &Plan,
        text: Text<'r>,
        zone: &'r Zone,
    ) -> io::Result<Source<'r>> {
        let (window, line_end) = (plan.window, job.search.line_end());
        let positions = Rc::new(Positions::default());
        let Text { opened, compression, .. } = &text;
        let size = if compression.is_some() { u64::MAX } else { opened.size };
        let reader = if window.is_unbounded() {
            SourceReader::Whole(content(text, job.cancel)?)
        } else if is_older(opened.modified, window) {
            SourceReader::Whole(Box::new(io::empty()))
        } else {
            let times = Times::new(zone, opened.modified);
            let learner = match compression {
                None => plan.known_times.of(opened, line_end, zone),
                Some(_) => None,
            };
            let end = size.saturating_add(GROWTH_LIMIT);
            let parts = learner.as_ref().map(|learner| learner.blocks().parts(window, end));
            let part: Box<dyn Read> = match &parts {
                None => content(text, job.cancel)?,
                Some(parts) => Box::new(PartReader::new(text.opened.file, parts)),
            };
            let places = Rc::clone(&positions);
            let reader = WindowReader::new(part, window, times, line_end, places, job.cancel);
            SourceReader::Window(Box::new(match learner.zip(parts) {
                None => reader,
                Some((learner, parts)) => reader.learning(learner, parts),
            }))
        };
        Ok(Source { reader, size, positions, missing: Rc::default() })
    }

    /// Prepares to read the lines of a kept stream, but for those that `skip` tells to leave out.
    /// `claim` asks for the memory of long blocks.
    pub(crate) fn of_kept(
        job: &Job<'r>,
        file: &'r KeptFile,
        skip: &Skip,
        blocks: &SharedReader,
        claim: WindowClaim<'r>,
    ) -> Source<'r> {
        let (window, line_end) = (skip.window, job.search.line_end());
        let positions: Rc<Positions> = Rc::default();
        let size = file.stream().end;
        if is_older(file.modified(), skip.window) {
            let reader = SourceReader::Whole(Box::new(io::empty()));
            return Source { reader, size, positions, missing: Rc::default() };
        }
        let (text, has_times) = KeptText::new(file, skip, blocks, claim);
        let missing = text.missing();
        let reader = if window.is_unbounded() {
            SourceReader::Whole(Box::new(text.with_positions(Rc::clone(&positions))))
        } else {
            let times = Times::new(file.zone(), file.modified());
            let parts = text.timed_parts();
            let text: Box<dyn Read + 'r> = Box::new(text);
            let places = Rc::clone(&positions);
            let reader = WindowReader::new(text, window, times, line_end, places, job.cancel);
            SourceReader::Window(Box::new(reader.in_parts(parts, has_times)))
        };
        Source { reader, size, positions, missing }
    }

    /// Why lines may be missing, now that all was read.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let missing = || {
            let missing = self.missing.borrow();
            missing.as_ref().map(|error| Failure::Missing(error.to_string()))
        };
        self.reader.failure().or_else(missing)
    }
}

/// Whether a file that was last written at `modified` has no line in the window, so that it need
/// not be read.
fn is_older(modified: i64, window: Window) -> bool {
    window.since.is_some_and(|since| modified < since.saturating_sub(MARGIN_MS))
}

fn content<'r>(text: Text<'r>, cancel: &'r AtomicBool) -> io::Result<Box<dyn Read + 'r>> {
    let Text { opened: Opened { file, size, .. }, compression, claim } = text;
    Ok(match compression {
        None => Box::new(file),
        Some(compression) => Box::new(compression.decompress(file, size, claim, cancel)?),
    })
}

/// The parts of a file, one after the other.
struct PartReader {
    file: File,
    part: Range<u64>,
    /// The parts after it.
    next: std::vec::IntoIter<Range<u64>>,
}

impl PartReader {
    fn new(file: File, parts: &[Part]) -> PartReader {
        let ranges: Vec<Range<u64>> = parts.iter().map(|part| part.range.clone()).collect();
        PartReader { file, part: 0..0, next: ranges.into_iter() }
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            let Some(next) = self.next.next() else { return Ok(0) };
            self.part = next;
        }
        let left = usize::try_from(self.part.end - self.part.start).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let read =
            self.file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), self.part.start)?;
        self.part.start += read as u64;
        Ok(read)
    }
}

/// A part of a file.
struct Section {
    file: File,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(buffer.get_mut(..left).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// How many lines end in a file before `upto`.
pub(crate) fn count_lines(
    file: &File,
    upto: u64,
    line_end: u8,
    cancel: &AtomicBool,
) -> io::Result<u64> {
    let mut part = Section { file: file.try_clone()?, at: 0, end: upto };
    let mut buffer = vec![0; COUNT_BYTES];
    let mut lines = 0;
    while !cancel.load(Ordering::Relaxed) {
        let read = part.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        lines +=
            memchr::memchr_iter(line_end, buffer.get(..read).unwrap_or_default()).count() as u64;
    }
    Ok(lines)
}
