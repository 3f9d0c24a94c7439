//! Takes the lines that the searcher finds in one file, decides which of them count, and prints
//! them.

use std::cell::{Cell, RefCell};
use std::io;

use grep_searcher::{Searcher, Sink, SinkContext, SinkError, SinkMatch};

use super::claim::TooLong;
use super::positions::Positions;
use crate::line::{Line, Role};
use crate::output::Stopped;
use crate::print::{PrintError, Printer};
use crate::query::Query;
use memberd_control::grep::{GrepBinary, GrepPrint};

/// Why the search of a file ended early.
#[derive(Debug)]
pub(crate) enum ScanError {
    /// The output wants no more.
    Stopped,
    /// Reading failed, or the reader was cancelled.
    Read(io::Error),
    /// A line could not be matched, for this reason.
    Match(String),
}

impl From<Stopped> for ScanError {
    fn from(_: Stopped) -> ScanError {
        ScanError::Stopped
    }
}

impl From<PrintError> for ScanError {
    fn from(error: PrintError) -> ScanError {
        match error {
            PrintError::Stopped => ScanError::Stopped,
            PrintError::Match(failure) => ScanError::Match(failure.to_string()),
            PrintError::TooLongForJson => ScanError::Read(TooLong::AsJson.into()),
        }
    }
}

impl SinkError for ScanError {
    /// The searcher passes on the matcher's error.
    fn error_message<T: std::fmt::Display>(message: T) -> ScanError {
        ScanError::Match(message.to_string())
    }

    fn error_io(error: io::Error) -> ScanError {
        ScanError::Read(error)
    }
}

/// The sink for one file.
pub(crate) struct LineSink<'r, 'o, 's> {
    query: &'s Query,
    printer: &'r RefCell<Printer<'o, 's>>,
    /// Set once nothing more of the file is wanted. With `-v` the searcher goes on all the same, so
    /// its reader checks this flag, too.
    done: &'r Cell<bool>,
    /// Where in the file the found lines lie.
    positions: &'r Positions,
    /// Lines selected so far.
    selected: u64,
    /// Whether lines are printed. If they are not, it does not matter where they are.
    prints: bool,
    /// Whether other lines may be printed as context, with separators between the groups.
    with_context: bool,
    /// Where the last printed line ends in the file, in bytes.
    printed_up_to: Option<u64>,
    /// How many context lines are left to print once `-m` is reached.
    last_context: Option<u32>,
    /// A NUL byte was seen. No line is printed from here on.
    binary: bool,
    /// Selected lines are not printed because they are not text.
    binary_matches: bool,
}

impl<'r, 'o, 's> LineSink<'r, 'o, 's> {
    pub(crate) fn new(
        query: &'s Query,
        printer: &'r RefCell<Printer<'o, 's>>,
        done: &'r Cell<bool>,
        positions: &'r Positions,
    ) -> Self {
        LineSink {
            query,
            printer,
            done,
            positions,
            selected: 0,
            prints: query.prints_lines(),
            with_context: query.has_context(),
            printed_up_to: None,
            last_context: None,
            binary: false,
            binary_matches: false,
        }
    }

    /// Goes on in a file whose earlier chunks were searched: with what was found in them, and where
    /// the last printed line ended.
    pub(crate) fn going_on(self, selected: u64, binary: bool, printed_up_to: Option<u64>) -> Self {
        LineSink { selected, binary, printed_up_to, ..self }
    }

    /// Whether a NUL byte was seen where only text is printed.
    pub(crate) fn is_binary(&self) -> bool {
        self.binary
    }

    /// The number and the offset of a line in its file, from those in the searched text. Ask for
    /// lines in their order.
    pub(crate) fn place(&self, number: Option<u64>, at: u64) -> (Option<u64>, u64) {
        let before = self.positions.before(at);
        (number.map(|number| number + before.lines), at + before.bytes)
    }

    /// The number of selected lines.
    pub(crate) fn selected(&self) -> u64 {
        self.selected
    }

    /// Where the last printed line ends in the file, if any line was printed.
    pub(crate) fn printed_up_to(&self) -> Option<u64> {
        self.printed_up_to
    }

    /// Whether only the context of the last selected line is still wanted.
    pub(crate) fn has_last_context(&self) -> bool {
        self.last_context.is_some()
    }

    /// Whether a message must say that a binary file matches.
    pub(crate) fn binary_matches(&self) -> bool {
        self.binary_matches && self.query.printing.binary == GrepBinary::Report
    }

    /// Prints a line as context. Its number and offset are those in the searched text.
    pub(crate) fn print_context(
        &mut self,
        bytes: &[u8],
        number: Option<u64>,
        at: u64,
    ) -> Result<(), ScanError> {
        let (number, offset) = self.place(number, at);
        self.print_context_at(&Line { bytes, number, offset, role: Role::Context })
    }

    /// Prints a line as context. Its number and offset are those in its file.
    pub(crate) fn print_context_at(&mut self, line: &Line<'_>) -> Result<(), ScanError> {
        if self.binary { Ok(()) } else { self.print(line) }
    }

    fn print(&mut self, line: &Line<'_>) -> Result<(), ScanError> {
        let mut printer = self.printer.borrow_mut();
        if self.with_context && self.printed_up_to != Some(line.offset) {
            printer.group_separator()?;
        }
        if printer.line(line)? {
            self.printed_up_to = Some(line.offset + line.bytes.len() as u64);
        } else {
            self.binary_matches = true;
        }
        Ok(())
    }

    /// Prints one of the context lines after the last selected line. Returns whether more are to
    /// come.
    fn print_last_context(&mut self, left: u32, line: &Line<'_>) -> Result<bool, ScanError> {
        self.last_context = Some(left - 1);
        self.print(line)?;
        Ok(left > 1)
    }

    /// A line was selected. Returns whether to go on.
    fn select(&mut self, line: &Line<'_>) -> Result<bool, ScanError> {
        self.selected += 1;
        if self.binary {
            self.binary_matches = true;
            self.printer.borrow_mut().note_selected();
            return Ok(false);
        }
        self.print(line)?;
        self.printer.borrow_mut().note_selected();
        if self.is_full() {
            match self.query.printing.after_context {
                Some(lines @ 1..) if self.with_context => self.last_context = Some(lines),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A line was selected and is not printed. Returns whether to go on.
    fn count(&mut self) -> bool {
        self.selected += 1;
        self.query.printing.what == GrepPrint::Count && !self.is_full()
    }

    /// Whether `-m` is reached.
    fn is_full(&self) -> bool {
        self.query.printing.max_count.is_some_and(|max| self.selected >= max)
    }
}

impl Sink for LineSink<'_, '_, '_> {
    type Error = ScanError;

    fn begin(&mut self, _: &Searcher) -> Result<bool, ScanError> {
        Ok(self.query.printing.max_count != Some(0))
    }

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, ScanError> {
        if self.done.get() {
            return Ok(false);
        }
        if !self.prints {
            let more = self.count();
            self.done.set(!more);
            return Ok(more);
        }
        let (number, offset) = self.place(found.line_number(), found.absolute_byte_offset());
        let line = |role| Line { bytes: found.bytes(), number, offset, role };
        let more = match self.last_context {
            Some(left) => self.print_last_context(left, &line(Role::Context))?,
            None => self.select(&line(Role::Selected))?,
        };
        self.done.set(!more);
        Ok(more)
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, ScanError> {
        if self.done.get() {
            return Ok(false);
        }
        let (number, offset) = self.place(context.line_number(), context.absolute_byte_offset());
        let line = Line { bytes: context.bytes(), number, offset, role: Role::Context };
        let more = match self.last_context {
            _ if self.binary => true,
            Some(left) => self.print_last_context(left, &line)?,
            None => {
                self.print(&line)?;
                true
            }
        };
        self.done.set(!more);
        Ok(more)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, ScanError> {
        self.binary = true;
        if self.query.printing.binary == GrepBinary::Skip {
            // The lines selected before do not count either.
            self.selected = 0;
            self.done.set(true);
            return Ok(false);
        }
        Ok(self.last_context.is_none())
    }
}
