//! Passes on only the lines of a file that lie in a window of time.

use std::io::{self, Read};
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::block_times::{FINGERPRINT_BYTES, Part};
use super::known_times::Learner;
use super::positions::{Positions, TextSize};
use crate::schedule::Window;
use crate::time::Times;

/// How many bytes are examined at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// A file's lines within a window, each by its own time. A line without a time belongs to the line
/// before it. Lines before the first time are left out.
#[derive(Debug)]
pub(crate) struct WindowReader<'r, R> {
    text: R,
    window: Window,
    times: Times<'r>,
    line_end: u8,
    positions: Rc<Positions>,
    cancel: &'r AtomicBool,
    /// The part of the file that is being read, and those after it. What lies between is known to
    /// have no line in the window.
    part: Part,
    next: std::vec::IntoIter<Part>,
    /// Takes the times of the last part's lines.
    learner: Option<Learner>,
    buffer: Vec<u8>,
    /// The part of the buffer that is still to be examined.
    unseen: Range<usize>,
    /// The part of the buffer that is still to be handed on.
    passing: Range<usize>,
    /// The offset of `unseen` in the file.
    at: u64,
    /// The time of the last line that was examined.
    time: Option<i64>,
    /// Whether the next byte continues that line.
    within_line: bool,
    /// Whether it is in the window.
    inside: bool,
    /// How many bytes were handed on, and then what was left out.
    passed: u64,
    left_out: TextSize,
    /// Whether any line had a time.
    dated: bool,
}

/// Whether a line is in the window, and its length with its end as far as that was looked for.
struct Judged {
    inside: bool,
    length: Option<usize>,
}

impl<'r, R: Read> WindowReader<'r, R> {
    pub(crate) fn new(
        text: R,
        window: Window,
        times: Times<'r>,
        line_end: u8,
        positions: Rc<Positions>,
        cancel: &'r AtomicBool,
    ) -> Self {
        WindowReader {
            text,
            window,
            times,
            line_end,
            positions,
            cancel,
            part: Part::whole(),
            next: Vec::new().into_iter(),
            learner: None,
            buffer: vec![0; BUFFER_BYTES],
            unseen: 0..0,
            passing: 0..0,
            at: 0,
            time: None,
            within_line: false,
            inside: false,
            passed: 0,
            left_out: TextSize::default(),
            dated: false,
        }
    }

    /// The text has only these parts of a file, of which there is at least one. The times of the
    /// last part's lines go to `learner`.
    pub(crate) fn learning(mut self, learner: Learner, parts: Vec<Part>) -> Self {
        self.dated = learner.blocks().has_times();
        self.learner = Some(learner);
        self.next = parts.into_iter();
        self.enter_next_part();
        self
    }

    /// The text has only these parts of a file. `has_times` if any line of the file has a time.
    pub(crate) fn in_parts(mut self, parts: Vec<Part>, has_times: bool) -> Self {
        self.dated = has_times;
        self.next = parts.into_iter();
        self.enter_next_part();
        self
    }

    /// Whether something was read, and no line had a time.
    pub(crate) fn is_undated(&self) -> bool {
        !self.dated && self.at > 0
    }

    /// The beginning of a line with a time in an unknown format, if lines of the file have a time.
    pub(crate) fn misdated(&self) -> Option<&[u8]> {
        let known = || self.learner.as_ref().and_then(Learner::unread);
        self.times.unread().or_else(known).filter(|_| self.dated)
    }

    /// Goes on at the beginning of the next part. Part ends are line ends.
    fn enter_next_part(&mut self) {
        let Some(part) = self.next.next() else { return };
        let skipped = part.range.start - self.at.min(part.range.start);
        if skipped > 0 {
            self.left_out.bytes += skipped;
            self.left_out.lines += part.skipped_lines;
            self.positions.gap(self.passed, self.left_out);
        }
        self.at = part.range.start;
        self.time = part.last;
        self.within_line = false;
        self.part = part;
    }

    /// Reads more, after what is still to be examined. False at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other("cancelled"));
        }
        self.buffer.copy_within(self.unseen.clone(), 0);
        self.unseen = 0..self.unseen.len();
        let Some(room) = self.buffer.get_mut(self.unseen.end..) else { return Ok(false) };
        let read = self.text.read(room)?;
        self.unseen.end += read;
        Ok(read > 0)
    }

    /// Examines lines as long as all are inside or all are outside the window, and hands them on or
    /// leaves them out. A line of which too little was read waits for more, unless `is_all`.
    /// Returns whether it examined any.
    fn look(&mut self, is_all: bool) -> bool {
        while self.at >= self.part.range.end && self.next.len() > 0 {
            self.enter_next_part();
        }
        let start = self.unseen.start;
        let (mut verdict, mut lines) = (None, 0);
        while !self.unseen.is_empty() && self.at < self.part.range.end {
            let mut length = None;
            if !self.within_line {
                let Some(judged) = self.judge(is_all) else { break };
                if verdict.is_some_and(|verdict| verdict != judged.inside) {
                    break;
                }
                (self.inside, length) = (judged.inside, judged.length);
                self.learn_line(length);
            }
            verdict = Some(self.inside);
            self.step(length);
            lines += u64::from(!self.within_line);
        }
        let seen = start..self.unseen.start;
        if verdict == Some(true) {
            self.passed += seen.len() as u64;
            self.passing = seen;
        } else if verdict == Some(false) {
            self.left_out.bytes += seen.len() as u64;
            self.left_out.lines += lines;
            self.positions.gap(self.passed, self.left_out);
        }
        verdict.is_some()
    }

    /// Whether the next line is in the window. None when more of it must be read to decide.
    fn judge(&mut self, is_all: bool) -> Option<Judged> {
        if self.part.is_inside {
            return Some(Judged { inside: true, length: None });
        }
        let unseen = self.buffer.get(self.unseen.clone()).unwrap_or_default();
        let head = unseen.get(..Times::REACH).unwrap_or(unseen);
        let end = memchr::memchr(self.line_end, head);
        if end.is_none() && head.len() < Times::REACH && !is_all {
            return None;
        }
        let time = self.times.of(end.and_then(|end| head.get(..end)).unwrap_or(head));
        self.dated |= time.is_some();
        self.time = time.or(self.time);
        let inside = self.time.is_some_and(|time| self.window.contains(time));
        Some(Judged { inside, length: end.map(|end| end + 1) })
    }

    /// Whether the lines of this part are new to the learner.
    fn is_learning(&self) -> bool {
        self.next.len() == 0
    }

    /// A line of this length begins. Its length is not known if it is long.
    fn learn_line(&mut self, length: Option<usize>) {
        if self.is_learning()
            && let Some(learner) = &mut self.learner
        {
            let unseen = self.buffer.get(self.unseen.clone()).unwrap_or_default();
            let head = length.map_or(FINGERPRINT_BYTES, |length| length - 1).min(unseen.len());
            learner.begin(unseen.get(..head).unwrap_or_default(), self.time);
        }
    }

    /// Goes to the end of the line, of a part that is inside, or of the buffer.
    fn step(&mut self, length: Option<usize>) {
        let unseen = self.buffer.get(self.unseen.clone()).unwrap_or_default();
        let length = if self.part.is_inside {
            let left = self.part.range.end - self.at;
            usize::try_from(left).map_or(unseen.len(), |left| left.min(unseen.len()))
        } else {
            let find = || memchr::memchr(self.line_end, unseen).map(|end| end + 1);
            length.or_else(find).unwrap_or(unseen.len())
        };
        self.within_line = unseen.get(length - 1) != Some(&self.line_end);
        self.unseen.start += length;
        self.at += length as u64;
        if self.is_learning()
            && let Some(learner) = &mut self.learner
        {
            learner.pass(length, !self.within_line);
        }
    }
}

impl<R> Drop for WindowReader<'_, R> {
    fn drop(&mut self) {
        if let Some(learner) = self.learner.take() {
            learner.finish(&self.times);
        }
    }
}

impl<R: Read> Read for WindowReader<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut is_all = false;
        while self.passing.is_empty() {
            if !self.look(is_all) {
                if is_all {
                    return Ok(0);
                }
                is_all = !self.fill()?;
            }
        }
        let length = self.passing.len().min(out.len());
        let passing = self.buffer.get(self.passing.start..self.passing.start + length);
        if let (Some(out), Some(passing)) = (out.get_mut(..length), passing) {
            out.copy_from_slice(passing);
        }
        self.passing.start += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Zone;

    /// Lines keep the order in which they were written, also where the clock was set back.
    #[test]
    fn lines_are_judged_one_by_one() {
        let text: &[u8] = b"no time yet\n\
            2026-11-21T01:39:00+00:00 host a\n\
            2026-11-21T00:40:00+00:00 host b\n  of b\n\
            2026-11-21T02:10:00+01:00 host c\n\
            2026-11-21T01:00:00+00:00 host d";
        let (zone, cancel) = (Zone::utc(), AtomicBool::new(false));
        // 2026-11-21 01:00:00 and 01:20:00 UTC.
        for (since, until, expected) in [
            (None, Some(1_795_222_800_000), &[3, 4][..]),
            (Some(1_795_222_800_000), Some(1_795_224_000_000), &[5, 6]),
            (Some(1_795_222_800_000), None, &[2, 5, 6]),
        ] {
            let window = Window { since, until };
            let mut passed = Vec::new();
            let times = Times::new(&zone, i64::MAX);
            WindowReader::new(text, window, times, b'\n', Rc::default(), &cancel)
                .read_to_end(&mut passed)
                .unwrap();
            let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            let expected: Vec<u8> = expected.iter().flat_map(|at| lines[at - 1]).copied().collect();
            assert_eq!(passed, expected, "{window:?}");
        }
    }
}
