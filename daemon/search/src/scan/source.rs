//! The text of a file, as it is searched: decompressed, and only what lies in the window.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::positions::{Positions, TextSize};
use super::time_range;
use super::window_reader::WindowReader;
use crate::files::{Compression, Opened};
use crate::schedule::Window;
use crate::search::Search;
use crate::time::{Times, Zone};

/// How long before a window's beginning a file must have been written last to be left unread, in
/// milliseconds: its lines may carry another zone's time.
const LONG_AGO: i64 = 24 * 60 * 60 * 1000;

/// How much is read at once to count lines.
const COUNT_BYTES: usize = 64 * 1024;

/// A file to be read from its beginning to its end.
pub(crate) struct Source<'r> {
    pub(crate) reader: SourceReader<'r>,
    /// How many bytes there are to be expected; more than that, if it is not known.
    pub(crate) size: u64,
}

/// What is read.
pub(crate) enum SourceReader<'r> {
    /// All of it.
    Whole(Box<dyn Read + 'r>),
    /// What lies in a window.
    Window(Box<WindowReader<'r, Box<dyn Read + 'r>>>),
}

impl SourceReader<'_> {
    /// Whether only lines of a window were wanted, and none has a time.
    pub(crate) fn is_undated(&self) -> bool {
        matches!(self, SourceReader::Window(reader) if reader.is_undated())
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
    /// Prepares to read what of a file lies in `window`, and tells `places` what it leaves out.
    ///
    /// # Errors
    /// When the file cannot be read, or decompressed.
    pub(crate) fn open(
        opened: Opened,
        compression: Option<Compression>,
        search: &Search,
        window: Window,
        zone: &'r Zone,
        positions: Rc<Positions>,
        cancel: &'r AtomicBool,
    ) -> io::Result<Source<'r>> {
        let Opened { file, size, modified, .. } = opened;
        let size_to_expect = if compression.is_some() { u64::MAX } else { size };
        let whole = |reader| Source { reader: SourceReader::Whole(reader), size: size_to_expect };
        if window.is_unbounded() {
            return Ok(whole(content(file, size, compression)?));
        }
        if window.since.is_some_and(|since| modified < since.saturating_sub(LONG_AGO)) {
            return Ok(whole(Box::new(io::empty())));
        }
        let line_end = search.line_end();
        let mut times = Times::new(zone, modified);
        let part = match compression {
            None => time_range::find(&file, size, line_end, window, &mut times)?,
            Some(_) => None,
        };
        let reader = match part {
            None => WindowReader::new(
                content(file, size, compression)?,
                window,
                times,
                line_end,
                positions,
                cancel,
            ),
            Some(part) => {
                let start = part.possible.start;
                let lines = if search.wants_positions() {
                    count_lines(&file, start, line_end, cancel)?
                } else {
                    0
                };
                let reader: Box<dyn Read> =
                    Box::new(Section { file, at: start, end: part.possible.end });
                WindowReader::new(reader, window, times, line_end, positions, cancel)
                    .beginning(TextSize { lines, bytes: start }, part.sure)
            }
        };
        Ok(Source { reader: SourceReader::Window(Box::new(reader)), size: size_to_expect })
    }
}

fn content<'r>(
    file: File,
    size: u64,
    compression: Option<Compression>,
) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match compression {
        None => Box::new(file),
        Some(compression) => Box::new(compression.decompress(file, size)?),
    })
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
