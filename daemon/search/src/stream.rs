//! Searches what a reader gives, such as the output of a command, as if it were a file.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::job::Job;
use crate::output::{NO_TIME, Output, Stopped};
use crate::pattern::Budget;
use crate::scan::{ChunkReader, Claim, Failure, FileScan, LineTimes, Positions, Scanner, Step};
use crate::search::{Search, Totals};
use crate::time::{Times, Zone};
use memberd_control::grep::GrepPrint;

impl Search {
    /// Searches what `reader` gives until it ends, and prints it as a file of the name `name`.
    /// Blocks as long as the reader does. Lines that were found are handed on before the reader
    /// blocks. `cancel` is checked before every read.
    pub fn run_stream(
        &self,
        machine: &str,
        name: &str,
        reader: &mut dyn Read,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.search_stream(machine, name, output, cancel, |stream| stream.run(reader))
    }

    /// As [`Search::run_stream`], but each line goes with its time to [`Output::timed`]. The lines
    /// must come in order of time. A line that is a little late gets the time of the line before
    /// it. Valid only when lines or matches are printed.
    pub fn run_stream_by_time(
        &self,
        machine: &str,
        name: &str,
        reader: &mut dyn Read,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let printing = Cell::new(NO_TIME);
        let mut timed = TimedOutput { printing: &printing, output };
        self.search_stream(machine, name, &mut timed, cancel, |stream| {
            stream.run_by_time(reader, &printing)
        })
    }

    /// Has `search` search a stream, unless no line of any can be selected.
    pub(crate) fn search_stream(
        &self,
        machine: &str,
        name: &str,
        output: &mut dyn Output,
        cancel: &AtomicBool,
        search: impl FnOnce(&mut StreamSearch<'_, '_>) -> Result<(), Stopped>,
    ) -> Totals {
        let started = Instant::now();
        let budget = Budget::new(cancel, &self.memory);
        let job = Job { search: self, machine, cancel, budget: &budget };
        let scanner = Scanner::new(&job, &self.engine, output);
        scanner.printer().set_file(self.named(machine, name.as_bytes()), u64::MAX);
        let totals = Totals { files: 1, ..Totals::default() };
        let mut stream = StreamSearch { job: &job, name, scanner, totals };
        let done = match self.selects_nothing {
            true => Ok(()),
            false => search(&mut stream),
        };
        let interrupted = done.and_then(|()| stream.scanner.flush()).is_err();
        Totals { interrupted, elapsed: started.elapsed(), ..stream.totals }
    }
}

/// The search of one stream.
pub(crate) struct StreamSearch<'o, 's> {
    pub(crate) job: &'s Job<'s>,
    /// What messages call the stream.
    pub(crate) name: &'s str,
    pub(crate) scanner: Scanner<'o, 's>,
    pub(crate) totals: Totals,
}

impl StreamSearch<'_, '_> {
    fn run(&mut self, reader: &mut dyn Read) -> Result<(), Stopped> {
        let claim = Claim::alone(self.job.memory(), self.job.cancel);
        let step = self.scanner.read(reader, u64::MAX, &Positions::default(), Some(&claim))?;
        step.add_to(&mut self.totals);
        self.end(&step)
    }

    fn run_by_time(
        &mut self,
        mut reader: &mut dyn Read,
        printing: &Cell<i64>,
    ) -> Result<(), Stopped> {
        let (zone, line_end) = (Zone::local(), self.job.search.line_end());
        // The journal's lines have a year, so that it does not matter when they were written.
        let times = LineTimes::new(Times::new(&zone, i64::MAX), line_end, NO_TIME, printing);
        let mut file = FileScan::with_times(Rc::default(), times);
        let mut chunks = ChunkReader::new(u64::MAX, line_end);
        let claim = Claim::alone(self.job.memory(), self.job.cancel);
        self.scanner.printer().mark_groups();
        let mut step = Step::default();
        while step.goes_on() {
            self.job.check()?;
            match chunks.next(&mut reader, &claim) {
                Ok(Some(chunk)) => step = self.scanner.step(&mut file, chunk)?,
                Ok(None) => break,
                Err(error) => {
                    step.failure = Some(Failure::reading(&error));
                    break;
                }
            }
            self.hand_on(&step)?;
        }
        self.end(&step)
    }

    /// Hands on what a step found, and counts it.
    pub(crate) fn hand_on(&mut self, step: &Step) -> Result<(), Stopped> {
        step.add_to(&mut self.totals);
        self.scanner.flush()?;
        self.scanner.printer().out().note_read(step.bytes)
    }

    /// Prints what comes at the end of a stream, and says why it ended early, if it did.
    pub(crate) fn end(&mut self, last: &Step) -> Result<(), Stopped> {
        self.job.check()?;
        let mut printer = self.scanner.printer();
        if let Some(failure) = &last.failure {
            self.totals.errors = 1;
            if let Some(message) = failure.message(self.name) {
                printer.out().message(message)?;
            }
        }
        match self.job.search.query.printing.what {
            GrepPrint::Count => printer.count(self.totals.lines),
            GrepPrint::FilesWithMatch if self.totals.lines > 0 => printer.file_name(),
            GrepPrint::FilesWithoutMatch if self.totals.lines == 0 => printer.file_name(),
            _ if last.binary_matches => {
                printer.out().message(format!("{}: binary file matches", self.name))
            }
            _ => Ok(()),
        }
    }
}

/// Hands on what is printed, with its time.
struct TimedOutput<'t> {
    printing: &'t Cell<i64>,
    output: &'t mut dyn Output,
}

impl Output for TimedOutput<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.timed(self.printing.get(), &bytes)
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.output.read(bytes)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.output.message(text)
    }
}
