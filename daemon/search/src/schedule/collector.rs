//! Puts together what the tasks found, in order: counts, names, messages and separators.

use crate::job::Job;
use crate::output::{Output, Stopped};
use crate::print::Printer;
use crate::scan::{Failure, Step};
use crate::search::Totals;
use crate::searched::SearchedFile;
use memberd_control::grep::{GrepBinary, GrepPrint};

/// What comes after a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterTask {
    /// The next task of the same file.
    SameFile,
    /// The next file. The rest of this one is not wanted.
    NextFile,
    /// The end of the search.
    End,
}

/// Collects the results of one search. It writes to the output.
pub(crate) struct Collector<'o, 's> {
    job: &'s Job<'s>,
    printer: Printer<'o, 's>,
    totals: Totals,
    file: FileResult,
    /// The separator between groups of lines with context. A file's first lines begin with it.
    separator: Vec<u8>,
    /// Whether any file before had selected lines.
    has_selected: bool,
}

/// What was found in the current file so far.
#[derive(Debug, Default)]
struct FileResult {
    has_begun: bool,
    /// The bytes of the current task that were reported as read before it was done.
    bytes_reported: u64,
    has_printed: bool,
    selected: u64,
    is_binary: bool,
    binary_matches: bool,
    /// Nothing more of the file is wanted.
    is_over: bool,
}

impl<'o, 's> Collector<'o, 's> {
    pub(crate) fn new(job: &'s Job<'s>, output: &'o mut dyn Output) -> Collector<'o, 's> {
        Collector {
            job,
            printer: job.printer(output),
            totals: Totals::default(),
            file: FileResult::default(),
            separator: job.search.separator(job.budget),
            has_selected: false,
        }
    }

    pub(crate) fn totals(self) -> Totals {
        self.totals
    }

    /// Takes lines of the current file.
    pub(crate) fn lines(&mut self, mut bytes: Vec<u8>) -> Result<(), Stopped> {
        if self.file.is_over || self.file.is_binary {
            return Ok(());
        }
        let first = !std::mem::replace(&mut self.file.has_printed, true);
        if first && !self.has_selected && bytes.starts_with(&self.separator) {
            bytes.drain(..self.separator.len());
        }
        self.printer.out().lines(bytes)
    }

    /// Takes a part of a long line of the current file.
    pub(crate) fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        if self.file.is_over || self.file.is_binary {
            return Ok(());
        }
        self.file.has_printed = true;
        self.printer.out().line_part(bytes)
    }

    /// This many more bytes of the current file were read.
    pub(crate) fn note_read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.file.bytes_reported += bytes;
        self.printer.out().note_read(bytes)
    }

    pub(crate) fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.printer.out().message(text)
    }

    /// The search cannot be done, or not to its end, and why.
    pub(crate) fn fail(&mut self, message: String) -> Result<(), Stopped> {
        self.totals.errors += 1;
        self.message(message)
    }

    /// Hands on what has waited long enough.
    pub(crate) fn flush_if_late(&mut self) -> Result<(), Stopped> {
        self.printer.out().flush_if_late()
    }

    /// A task of `file` is done. `lines` were printed last, and `step` tells what was found.
    pub(crate) fn task_done(
        &mut self,
        file: SearchedFile<'_>,
        is_last: bool,
        lines: Vec<u8>,
        step: &Step,
    ) -> Result<AfterTask, Stopped> {
        if !lines.is_empty() {
            self.lines(lines)?;
        }
        if !self.file.is_over {
            self.add(file, step)?;
        }
        let is_spent = step.failure == Some(Failure::Spent);
        if !is_last && !is_spent {
            self.printer.out().flush_if_late()?;
            return Ok(if self.file.is_over { AfterTask::NextFile } else { AfterTask::SameFile });
        }
        let found = std::mem::take(&mut self.file);
        if found.has_begun {
            self.finish(file, &found)?;
        }
        self.printer.out().flush()?;
        let enough =
            self.job.search.query.printing.what == GrepPrint::Nothing && self.totals.lines > 0;
        Ok(if enough || is_spent { AfterTask::End } else { AfterTask::NextFile })
    }

    fn add(&mut self, file: SearchedFile<'_>, step: &Step) -> Result<(), Stopped> {
        let prints = self.job.search.query.prints_lines();
        if let Some(failure @ (Failure::Gone | Failure::Unopened(_))) = &step.failure {
            return self.report(file, failure);
        }
        if !std::mem::replace(&mut self.file.has_begun, true) {
            self.totals.files += 1;
        }
        self.totals.bytes += step.bytes;
        // The bytes that were reported while the file was read are not reported again.
        let reported = std::mem::take(&mut self.file.bytes_reported);
        self.printer.out().note_read(step.bytes.saturating_sub(reported))?;
        if step.is_binary && self.job.search.query.printing.binary == GrepBinary::Skip {
            // The lines selected before do not count either.
            self.totals.lines -= std::mem::take(&mut self.file.selected);
        }
        // From the first NUL byte on, at most one line is selected.
        let after_binary = prints && self.file.is_binary;
        let selected = if after_binary { step.selected.min(1) } else { step.selected };
        self.file.selected += selected;
        self.totals.lines += selected;
        self.file.is_binary |= prints && step.is_binary;
        self.file.binary_matches |= step.binary_matches || (after_binary && selected > 0);
        self.file.is_over |= step.is_last || (after_binary && selected > 0);
        match &step.failure {
            Some(failure) => {
                self.file.is_over |= failure.ends_file();
                self.report(file, failure)
            }
            None => Ok(()),
        }
    }

    /// Prints what comes after a file's lines.
    fn finish(&mut self, file: SearchedFile<'_>, found: &FileResult) -> Result<(), Stopped> {
        self.printer.set_file(self.job.search.name(self.job.machine, file), 0);
        self.has_selected |=
            found.has_printed || (self.job.search.query.prints_lines() && found.selected > 0);
        match self.job.search.query.printing.what {
            GrepPrint::Count => self.printer.count(found.selected),
            GrepPrint::FilesWithMatch if found.selected > 0 => self.printer.file_name(),
            GrepPrint::FilesWithoutMatch if found.selected == 0 => self.printer.file_name(),
            _ if found.binary_matches => {
                self.message(format!("{}: binary file matches", file.path().display()))
            }
            _ => Ok(()),
        }
    }

    /// Reports what is wrong with a file.
    fn report(&mut self, file: SearchedFile<'_>, failure: &Failure) -> Result<(), Stopped> {
        self.totals.errors += u64::from(failure.is_error());
        match failure.message(file.path().display()) {
            Some(message) if !self.job.search.query.printing.no_messages => self.message(message),
            _ => Ok(()),
        }
    }
}
