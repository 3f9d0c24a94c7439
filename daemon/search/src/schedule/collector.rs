//! Puts together what the parts of files gave, in order: counts, names, messages and separators.

use super::worker::TaskResult;
use crate::files::OfferedFile;
use crate::output::{Output, Stopped};
use crate::pattern::Budget;
use crate::print::{OutputBuffer, Printer};
use crate::query::{Binary, Print};
use crate::scan::Failure;
use crate::search::{Search, Totals};

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// More of the same file may matter.
    More,
    /// No more of this file does.
    OtherFile,
    /// Nothing does.
    End,
}

/// What is gathered of one run.
pub(crate) struct Collector<'o, 's> {
    search: &'s Search,
    machine: &'s str,
    printer: Printer<'o, 's>,
    totals: Totals,
    file: FileResult,
    /// What goes between groups of lines with context; the first part of a file begins with it.
    separator: Vec<u8>,
    /// Whether any file before had selected lines.
    used: bool,
}

/// What is known of the file whose parts are coming.
#[derive(Debug, Default)]
struct FileResult {
    begun: bool,
    /// The bytes that were told of as read, of a unit that is not done.
    told: u64,
    printed: bool,
    selected: u64,
    binary: bool,
    binary_matches: bool,
    over: bool,
}

impl<'o, 's> Collector<'o, 's> {
    pub(crate) fn new(
        search: &'s Search,
        machine: &'s str,
        budget: &'s Budget<'s>,
        output: &'o mut dyn Output,
    ) -> Collector<'o, 's> {
        let printer =
            Printer::new(&search.query, search.extents.as_ref(), budget, OutputBuffer::new(output));
        let separator = search.separator(budget);
        Collector {
            search,
            machine,
            printer,
            totals: Totals::default(),
            file: FileResult::default(),
            separator,
            used: false,
        }
    }

    pub(crate) fn totals(self) -> Totals {
        self.totals
    }

    /// Lines of the current file.
    pub(crate) fn lines(&mut self, mut bytes: Vec<u8>) -> Result<(), Stopped> {
        if self.file.over || self.file.binary {
            return Ok(());
        }
        let first = !std::mem::replace(&mut self.file.printed, true);
        if first && !self.used && bytes.starts_with(&self.separator) {
            bytes.drain(..self.separator.len());
        }
        self.printer.out().lines(bytes)
    }

    /// A part of a long line of the current file.
    pub(crate) fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        if self.file.over || self.file.binary {
            return Ok(());
        }
        self.file.printed = true;
        self.printer.out().line_part(bytes)
    }

    /// So many more bytes of the current file were read.
    pub(crate) fn note_read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.file.told += bytes;
        self.printer.out().note_read(bytes)
    }

    pub(crate) fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.printer.out().message(text)
    }

    /// The search cannot be done, or not to its end.
    pub(crate) fn broken(&mut self, reason: &str) -> Result<(), Stopped> {
        self.totals.errors += 1;
        self.message(reason.to_owned())
    }

    /// Hands on what has waited long enough.
    pub(crate) fn flush_if_late(&mut self) -> Result<(), Stopped> {
        self.printer.out().flush_if_late()
    }

    /// A part of `file` is searched.
    pub(crate) fn task_done(
        &mut self,
        file: &OfferedFile,
        is_last: bool,
        mut result: TaskResult,
    ) -> Result<Next, Stopped> {
        let lines = std::mem::take(&mut result.lines);
        if !lines.is_empty() {
            self.lines(lines)?;
        }
        if !self.file.over {
            self.add(file, &result)?;
        }
        let ends = result.failure == Some(Failure::Spent);
        if !is_last && !ends {
            self.printer.out().flush_if_late()?;
            return Ok(if self.file.over { Next::OtherFile } else { Next::More });
        }
        let gathered = std::mem::take(&mut self.file);
        if gathered.begun {
            self.finish(file, &gathered)?;
        }
        self.printer.out().flush()?;
        let enough = self.search.query.print == Print::Nothing && self.totals.lines > 0;
        Ok(if enough || ends { Next::End } else { Next::OtherFile })
    }

    fn add(&mut self, file: &OfferedFile, result: &TaskResult) -> Result<(), Stopped> {
        let prints = self.search.query.prints_lines();
        if let Some(failure @ (Failure::Gone | Failure::Unopened(_))) = &result.failure {
            return self.fail(file, failure);
        }
        if !std::mem::replace(&mut self.file.begun, true) {
            self.totals.files += 1;
        }
        self.totals.bytes += result.bytes;
        // What was told while it was searched as a whole is not told again.
        let told = std::mem::take(&mut self.file.told);
        self.printer.out().note_read(result.bytes.saturating_sub(told))?;
        if result.binary && self.search.query.binary == Binary::Skip {
            // What was selected before does not count either.
            self.totals.lines -= std::mem::take(&mut self.file.selected);
        }
        // From the first NUL byte on, one line is selected at the most.
        let after_binary = prints && self.file.binary;
        let selected = if after_binary { result.selected.min(1) } else { result.selected };
        self.file.selected += selected;
        self.totals.lines += selected;
        self.file.binary |= prints && result.binary;
        self.file.binary_matches |= result.binary_matches || (after_binary && selected > 0);
        self.file.over |= result.over || (after_binary && selected > 0);
        match &result.failure {
            Some(failure) => {
                self.file.over |= failure.is_error();
                self.fail(file, failure)
            }
            None => Ok(()),
        }
    }

    /// Prints what comes after a file's lines.
    fn finish(&mut self, file: &OfferedFile, gathered: &FileResult) -> Result<(), Stopped> {
        self.printer.set_file(self.search.name(self.machine, file), 0);
        self.used |=
            gathered.printed || (self.search.query.prints_lines() && gathered.selected > 0);
        match self.search.query.print {
            Print::Count => self.printer.count(gathered.selected),
            Print::FilesWithMatch if gathered.selected > 0 => self.printer.file_name(),
            Print::FilesWithoutMatch if gathered.selected == 0 => self.printer.file_name(),
            _ if gathered.binary_matches => {
                self.message(format!("{}: binary file matches", file.path().display()))
            }
            _ => Ok(()),
        }
    }

    /// Says what is the matter with a file.
    fn fail(&mut self, file: &OfferedFile, failure: &Failure) -> Result<(), Stopped> {
        self.totals.errors += u64::from(failure.is_error());
        match failure.words(file.path().display()) {
            Some(words) if !self.search.query.no_messages => self.message(words),
            _ => Ok(()),
        }
    }
}
