//! Takes the lines that the searcher finds in one file, decides which count, and has them printed.

use std::cell::{Cell, RefCell};
use std::io;

use grep_searcher::{Searcher, Sink, SinkContext, SinkError, SinkMatch};

use super::places::Places;
use crate::output::Stopped;
use crate::print::{Line, Printer, Role};
use crate::query::{Print, Query};

/// Why the search of a file ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The output wants no more.
    Stopped,
    /// Reading failed, or the reader was cancelled.
    Read(io::Error),
}

impl From<Stopped> for Ended {
    fn from(_: Stopped) -> Ended {
        Ended::Stopped
    }
}

impl SinkError for Ended {
    fn error_message<T: std::fmt::Display>(message: T) -> Ended {
        Ended::Read(io::Error::other(message.to_string()))
    }

    fn error_io(error: io::Error) -> Ended {
        Ended::Read(error)
    }
}

/// The sink for one file.
pub(crate) struct LineSink<'r, 'o, 's> {
    query: &'s Query,
    printer: &'r RefCell<Printer<'o, 's>>,
    /// Set once nothing more of the file is wanted: with -v the searcher goes on although it was told, so its reader looks too.
    done: &'r Cell<bool>,
    /// Where in the file the lines are that are found.
    places: &'r Places,
    /// Lines selected so far.
    selected: u64,
    /// Whether anything of this file was printed or selected yet.
    begun: bool,
    /// The context lines left to print once `-m` is reached.
    last_context: Option<u32>,
    /// A NUL byte was seen: lines are not printed from here on.
    binary: bool,
    /// Lines were selected since.
    binary_matches: bool,
}

impl<'r, 'o, 's> LineSink<'r, 'o, 's> {
    pub(crate) fn new(query: &'s Query, printer: &'r RefCell<Printer<'o, 's>>, done: &'r Cell<bool>, places: &'r Places) -> Self {
        LineSink {
            query,
            printer,
            done,
            places,
            selected: 0,
            begun: false,
            last_context: None,
            binary: false,
            binary_matches: false,
        }
    }

    /// Goes on in a file of which a part was searched before, with what was found there.
    pub(crate) fn going_on(self, selected: u64, binary: bool) -> Self {
        LineSink { selected, begun: true, binary, ..self }
    }

    /// Whether a byte was seen that no text has.
    pub(crate) fn is_binary(&self) -> bool {
        self.binary
    }

    /// The number and the place of a line in its file, from those in what is searched.
    fn place(&self, number: Option<u64>, at: u64) -> (Option<u64>, u64) {
        let before = self.places.before(at);
        (number.map(|number| number + before.lines), at + before.bytes)
    }

    /// How many lines were selected.
    pub(crate) fn selected(&self) -> u64 {
        self.selected
    }

    /// Whether there is to be said that a binary file matches.
    pub(crate) fn binary_matches(&self) -> bool {
        self.binary_matches
    }

    fn print(&mut self, line: &Line<'_>) -> Result<(), Stopped> {
        let mut printer = self.printer.borrow_mut();
        if !self.begun {
            self.begun = true;
            if self.query.before_context > 0 || self.query.after_context > 0 {
                printer.group_separator()?;
            }
        }
        printer.line(line)
    }

    /// Prints one of the context lines that follow the last selected line, and tells whether there are more to come.
    fn print_last_context(&mut self, left: u32, line: &Line<'_>) -> Result<bool, Stopped> {
        self.last_context = Some(left - 1);
        self.print(line)?;
        Ok(left > 1)
    }

    /// A line was selected; tells whether to go on.
    fn select(&mut self, line: &Line<'_>) -> Result<bool, Stopped> {
        self.selected += 1;
        let prints = self.query.prints_lines();
        if prints && self.binary {
            self.binary_matches = true;
            self.printer.borrow_mut().note_selected();
            return Ok(false);
        }
        if prints {
            self.print(line)?;
            self.printer.borrow_mut().note_selected();
        } else if self.query.print != Print::Count {
            return Ok(false);
        }
        if self.query.max_count.is_some_and(|max| self.selected >= max) {
            if !prints || self.query.after_context == 0 {
                return Ok(false);
            }
            self.last_context = Some(self.query.after_context);
        }
        Ok(true)
    }
}

impl Sink for LineSink<'_, '_, '_> {
    type Error = Ended;

    fn begin(&mut self, _: &Searcher) -> Result<bool, Ended> {
        Ok(self.query.max_count != Some(0))
    }

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Ended> {
        if self.done.get() {
            return Ok(false);
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

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, Ended> {
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

    fn context_break(&mut self, _: &Searcher) -> Result<bool, Ended> {
        if self.done.get() {
            return Ok(false);
        }
        if !self.binary && self.last_context.is_none() {
            self.printer.borrow_mut().group_separator()?;
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, Ended> {
        self.binary = true;
        Ok(self.last_context.is_none())
    }
}
