//! Finds the time of each selected line, for results in order of time.

use std::cell::{Cell, RefCell};

use crate::output::{NO_TIME, Stopped};
use crate::print::Printer;
use crate::time::Times;

/// The times of one file's lines. A line without a time has that of the line before it, and no line
/// has an earlier time than one before it.
#[derive(Debug)]
pub(crate) struct LineTimes<'z> {
    times: Times<'z>,
    line_end: u8,
    /// The time of the last line that was looked at.
    last: i64,
    /// The time of the last selected line, and so of its context.
    selected: i64,
    /// How many bytes of the chunk were looked at.
    seen: usize,
    /// The time of what is being printed. The output reads it.
    printing: &'z Cell<i64>,
}

impl<'z> LineTimes<'z> {
    /// For a file whose lines have the time `last` up to the first line with a time. The time of
    /// what is printed goes to `printing`.
    pub(crate) fn new(
        times: Times<'z>,
        line_end: u8,
        last: i64,
        printing: &'z Cell<i64>,
    ) -> LineTimes<'z> {
        LineTimes { times, line_end, last, selected: NO_TIME, seen: 0, printing }
    }

    /// The time of the last line that was looked at.
    pub(crate) fn last(&self) -> i64 {
        self.last
    }

    /// The beginning of a line with a time in an unknown format.
    pub(crate) fn unread(&self) -> Option<&[u8]> {
        self.times.unread()
    }

    /// A chunk begins: what is printed first is context of the last selected line.
    pub(crate) fn begin(&self) {
        self.printing.set(self.selected);
    }

    /// The line that begins at `start` of the chunk is selected. If its time is a new one, hands on
    /// what was printed before under another time.
    pub(crate) fn select(
        &mut self,
        chunk: &[u8],
        start: usize,
        printer: &RefCell<Printer<'_, '_>>,
    ) -> Result<(), Stopped> {
        let time = self.at(chunk, start);
        if time != self.printing.get() {
            printer.borrow_mut().out().flush()?;
            self.printing.set(time);
            self.selected = time;
        }
        Ok(())
    }

    /// The time of the line that begins at `start` of the chunk. Ask for lines in their order.
    fn at(&mut self, chunk: &[u8], start: usize) -> i64 {
        let mut upto = start;
        loop {
            let line = chunk.get(upto..).unwrap_or_default();
            let line = line.get(..Times::REACH).unwrap_or(line);
            let line = memchr::memchr(self.line_end, line)
                .map_or(line, |end| line.get(..end).unwrap_or_default());
            if let Some(time) = self.times.of(line) {
                self.last = self.last.max(time);
                break;
            }
            if upto <= self.seen {
                break;
            }
            // Back to the beginning of the line before.
            let before = chunk.get(..upto - 1).unwrap_or_default();
            upto = memchr::memrchr(self.line_end, before).map_or(0, |end| end + 1);
        }
        self.seen = start + 1;
        self.last
    }

    /// The chunk was searched, and the next one begins.
    pub(crate) fn go_on(&mut self, chunk: &[u8]) {
        let without_end = chunk.get(..chunk.len().saturating_sub(1)).unwrap_or_default();
        let last_line = memchr::memrchr(self.line_end, without_end).map_or(0, |end| end + 1);
        if last_line >= self.seen {
            self.at(chunk, last_line);
        }
        self.seen = 0;
    }
}
