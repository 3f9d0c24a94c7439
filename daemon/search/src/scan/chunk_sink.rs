//! Searches a file in parts as if it were one: counts go on, and lines have their context across
//! the parts' borders.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use grep_searcher::{Searcher, Sink, SinkContext, SinkMatch};

use super::line_sink::{Ended, LineSink};
use super::positions::Places;
use crate::line::{Line, Role};
use crate::print::Printer;
use crate::query::Query;

/// How many bytes of lines are kept that may be context of one to come. Of more, those farthest
/// from it are left out.
pub(crate) const MAX_HELD_BYTES: usize = 256 * 1024;

/// What is known of a file whose parts are searched one after the other.
#[derive(Debug, Default)]
pub(crate) struct SoFar {
    /// Lines selected.
    pub(crate) selected: u64,
    /// A NUL byte was seen: lines are not printed from there on.
    pub(crate) binary: bool,
    /// Lines were selected that are not printed, as they are no text, and that is to be said.
    pub(crate) binary_matches: bool,
    /// Context was left out, since it was too long to be kept.
    pub(crate) is_cut: bool,
    /// Where the last line that was printed ends in the file, in bytes.
    printed_up_to: Option<u64>,
    /// How many of the lines to come are context of one before.
    after: u32,
    /// `-m` is reached: only this context is wanted.
    is_full: bool,
    before: Held,
}

impl SoFar {
    /// Up to where in the file lines were printed, if any were.
    pub(crate) fn printed_up_to(&self) -> Option<u64> {
        self.printed_up_to
    }

    /// Something else was printed since: whatever comes next is a group of its own.
    pub(crate) fn set_apart(&mut self) {
        self.printed_up_to = None;
    }

    /// The file begins again, with other lines.
    pub(crate) fn start_again(&mut self) {
        *self = SoFar { selected: self.selected, is_full: self.is_full, ..SoFar::default() };
    }
}

/// The last lines that were not printed.
#[derive(Debug, Default)]
struct Held {
    lines: VecDeque<HeldLine>,
    bytes: usize,
    is_cut: bool,
}

#[derive(Debug)]
struct HeldLine {
    bytes: Vec<u8>,
    number: Option<u64>,
    offset: u64,
}

impl Held {
    fn push(&mut self, line: HeldLine, most: usize) {
        self.bytes += line.bytes.len();
        self.lines.push_back(line);
        while self.lines.len() > most || self.bytes > MAX_HELD_BYTES {
            let Some(first) = self.lines.pop_front() else { return };
            self.bytes -= first.bytes.len();
            self.is_cut |= self.lines.len() < most;
        }
        // Those that follow are the nearer ones, and as many as are wanted.
        self.is_cut &= self.lines.len() < most;
    }

    fn take(&mut self) -> Held {
        std::mem::take(self)
    }
}

/// The sink for one part of a file. Ask it for nothing after [`PartSink::finish`].
pub(crate) struct PartSink<'r, 'o, 's> {
    query: &'s Query,
    lines: LineSink<'r, 'o, 's>,
    so_far: &'r mut SoFar,
    done: &'r Cell<bool>,
    /// How much context is wanted.
    wanted: (u32, u32),
    /// Up to where in the part lines were looked at, and the number in it of the line that begins
    /// there.
    seen: usize,
    number: u64,
}

impl<'r, 'o, 's> PartSink<'r, 'o, 's> {
    pub(crate) fn new(
        query: &'s Query,
        printer: &'r RefCell<Printer<'o, 's>>,
        done: &'r Cell<bool>,
        places: &'r Places,
        so_far: &'r mut SoFar,
    ) -> Self {
        let lines = LineSink::new(query, printer, done, places).going_on(
            so_far.selected,
            so_far.binary,
            so_far.printed_up_to,
        );
        let wanted = |lines: Option<u32>| lines.filter(|_| query.prints_lines()).unwrap_or(0);
        let wanted = (wanted(query.before_context), wanted(query.after_context));
        PartSink { query, lines, so_far, done, wanted, seen: 0, number: 1 }
    }

    /// Takes the lines up to `upto` of the part: prints those that are context of one before, and
    /// keeps those that may be of one to come.
    pub(crate) fn pass(&mut self, part: &[u8], upto: usize) -> Result<(), Ended> {
        let line_end = self.query.line_end();
        while self.so_far.after > 0
            && let Some(rest) = part.get(self.seen..upto).filter(|rest| !rest.is_empty())
        {
            let end = memchr::memchr(line_end, rest).map_or(rest.len(), |end| end + 1);
            self.so_far.after -= 1;
            self.lines.print_context(
                rest.get(..end).unwrap_or_default(),
                self.numbered(),
                self.seen as u64,
            )?;
            self.seen += end;
            self.number += 1;
        }
        if self.so_far.is_full && self.so_far.after == 0 {
            self.done.set(true);
        }
        self.keep(part, upto);
        Ok(())
    }

    /// Keeps the last lines before `upto`, as far as they are wanted.
    fn keep(&mut self, part: &[u8], upto: usize) {
        let (line_end, wanted) = (self.query.line_end(), self.wanted.0 as usize);
        let rest = part.get(self.seen..upto).unwrap_or_default();
        if wanted > 0 && !rest.is_empty() {
            let without_end = rest.strip_suffix(&[line_end]).unwrap_or(rest);
            let start = memchr::memrchr_iter(line_end, without_end)
                .nth(wanted - 1)
                .map_or(0, |end| end + 1);
            let (skipped, kept) = rest.split_at(start);
            self.skip(skipped);
            for line in kept.split_inclusive(|byte| *byte == line_end) {
                let (number, offset) = self.lines.place(self.numbered(), self.seen as u64);
                self.so_far.before.push(HeldLine { bytes: line.to_vec(), number, offset }, wanted);
                self.seen += line.len();
                self.number += 1;
            }
        } else {
            self.skip(rest);
        }
    }

    /// Goes on to behind these lines.
    fn skip(&mut self, lines: &[u8]) {
        self.seen += lines.len();
        if self.query.line_numbers && self.wanted != (0, 0) {
            self.number += memchr::memchr_iter(self.query.line_end(), lines).count() as u64;
        }
    }

    fn numbered(&self) -> Option<u64> {
        self.query.line_numbers.then_some(self.number)
    }

    /// The part was searched, with this result: prints the context in its rest, and notes what was
    /// found.
    pub(crate) fn finish(mut self, searched: Result<(), Ended>, part: &[u8]) -> Result<(), Ended> {
        let finished = searched
            .and_then(|()| if self.done.get() { Ok(()) } else { self.pass(part, part.len()) });
        self.so_far.selected = self.lines.selected();
        self.so_far.binary = self.lines.is_binary();
        self.so_far.binary_matches |= self.lines.binary_matches();
        self.so_far.printed_up_to = self.lines.printed_up_to();
        finished
    }
}

impl Sink for PartSink<'_, '_, '_> {
    type Error = Ended;

    fn begin(&mut self, searcher: &Searcher) -> Result<bool, Ended> {
        self.lines.begin(searcher)
    }

    fn matched(&mut self, searcher: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Ended> {
        let line = found.bytes_range_in_buffer();
        self.pass(found.buffer(), line.start)?;
        if self.so_far.is_full || self.done.get() {
            // What else matches is context like the lines around it.
            return Ok(false);
        }
        let before = self.so_far.before.take();
        self.so_far.is_cut |= before.is_cut;
        for line in &before.lines {
            self.lines.print_context_at(&Line {
                bytes: &line.bytes,
                number: line.number,
                offset: line.offset,
                role: Role::Context,
            })?;
        }
        let more = self.lines.matched(searcher, found)?;
        (self.seen, self.so_far.after) = (line.end, self.wanted.1);
        self.number += 1;
        self.so_far.is_full = self.lines.has_last_context();
        Ok(more && !self.so_far.is_full)
    }

    fn context(&mut self, _: &Searcher, _: &SinkContext<'_>) -> Result<bool, Ended> {
        // Searchers of parts are asked for none.
        Ok(true)
    }

    fn binary_data(&mut self, searcher: &Searcher, at: u64) -> Result<bool, Ended> {
        self.lines.binary_data(searcher, at)
    }
}
