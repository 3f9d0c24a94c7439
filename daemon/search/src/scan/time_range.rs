//! Finds where in a large, ordered file a window of time lies. It reads only a few places.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use crate::schedule::Window;
use crate::time::Times;

/// Smaller files are read from end to end.
pub(crate) const MIN_BYTES: u64 = 256 * 1024;

/// How far the lines of an ordered file may be out of order, in milliseconds. Lines that several
/// threads write often are a little.
pub(crate) const SLACK: i64 = 60_000;

/// At how many places a file is read to decide whether it is ordered.
const SAMPLES: u64 = 64;

/// How exactly a bound is found, in bytes. What lies between is read.
const CLOSE: u64 = 64 * 1024;

/// How many bytes are searched for a line with a time.
const PATIENCE: usize = 1024 * 1024;

/// Where the lines of a window are in a file. All four offsets are at the beginning of a line, or
/// at the end of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeRange {
    /// Outside of this range no line is in the window.
    pub(crate) possible: Range<u64>,
    /// Inside this range every line is in the window.
    pub(crate) sure: Range<u64>,
}

/// Finds the range of a file, of `size` bytes, that holds a window. None when the file is small, is
/// not ordered, or has long stretches without times. It must then be read as a whole.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn find(
    file: &File,
    size: u64,
    line_end: u8,
    window: Window,
    times: &mut Times<'_>,
) -> io::Result<Option<TimeRange>> {
    if size < MIN_BYTES {
        return Ok(None);
    }
    let mut probe = Probe { file, size, line_end, times, buffer: Vec::new() };
    if !probe.is_ordered()? {
        return Ok(None);
    }
    let since = |offset: i64| window.since.map(|since| since.saturating_add(offset));
    let until = |offset: i64| window.until.map(|until| until.saturating_add(offset));
    let first = probe.bound(since(-SLACK), 0)?.start;
    let sure_first = probe.bound(since(SLACK), 0)?.end;
    let sure_last = probe.bound(until(-SLACK), size)?.start;
    let last = probe.bound(until(SLACK), size)?.end;
    Ok(Some(TimeRange {
        possible: first..last.max(first),
        sure: sure_first..sure_last.max(sure_first),
    }))
}

/// Reads single places of a file.
struct Probe<'p, 'z> {
    file: &'p File,
    size: u64,
    line_end: u8,
    times: &'p mut Times<'z>,
    buffer: Vec<u8>,
}

/// A line with a time.
#[derive(Debug, Clone, Copy)]
struct Dated {
    start: u64,
    time: i64,
}

impl Probe<'_, '_> {
    /// Whether the times never go back, at some places that include the first and the last line.
    fn is_ordered(&mut self) -> io::Result<bool> {
        let mut last = i64::MIN;
        for sample in 0..=SAMPLES {
            // No line begins at the very end. The file is longer than CLOSE, as it has MIN_BYTES.
            let before = if sample == SAMPLES { CLOSE } else { 0 };
            match self.line_at(self.size * sample / SAMPLES - before)? {
                Some(line) if line.time >= last.saturating_sub(SLACK) => last = last.max(line.time),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The range in which the lines of `time` and later begin. Lines at or before its start are
    /// earlier, and lines at its end are later. Without a time, the range is at `open`.
    fn bound(&mut self, time: Option<i64>, open: u64) -> io::Result<Range<u64>> {
        let Some(time) = time else { return Ok(open..open) };
        let (mut low, mut high) = (0, self.size);
        // The range that is still to be searched.
        let (mut from, mut upto) = (0, self.size);
        while upto - from > CLOSE {
            let middle = from + (upto - from) / 2;
            match self.line_at(middle)? {
                Some(line) if line.start < upto && line.time < time => {
                    low = line.start;
                    from = line.start.max(middle + 1);
                }
                Some(line) if line.start < upto => {
                    high = line.start;
                    upto = middle;
                }
                _ => upto = middle,
            }
        }
        Ok(low..high)
    }

    /// The first line with a time that begins at `at` or later. None when there is none nearby.
    fn line_at(&mut self, at: u64) -> io::Result<Option<Dated>> {
        let mut wanted = CLOSE_LOOK;
        loop {
            let base = at.saturating_sub(1);
            self.buffer.resize(wanted, 0);
            let read = read_at_most(self.file, base, &mut self.buffer)?;
            let text = self.buffer.get(..read).unwrap_or_default();
            let is_end = read < wanted;
            let mut start = match at {
                0 => Some(0),
                _ => memchr::memchr(self.line_end, text).map(|end| end + 1),
            };
            while let Some(from) = start.filter(|start| *start < text.len()) {
                let line = text.get(from..).unwrap_or_default();
                let end = memchr::memchr(self.line_end, line);
                if end.is_none() && !is_end && line.len() < Times::REACH {
                    break;
                }
                if let Some(time) =
                    self.times.of(line.get(..end.unwrap_or(line.len())).unwrap_or_default())
                {
                    return Ok(Some(Dated { start: base + from as u64, time }));
                }
                start = end.map(|end| from + end + 1);
            }
            if is_end || wanted >= PATIENCE {
                return Ok(None);
            }
            wanted *= 8;
        }
    }
}

/// How many bytes of a place are read at first.
const CLOSE_LOOK: usize = 4096;

fn read_at_most(file: &File, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
