//! Searches what a reader gives, such as the output of a command, as if it were a file.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::failure::Failure;
use super::places::Places;
use super::reader::BoundedReader;
use super::sink::{Ended, LineSink};
use super::{Search, Totals};
use crate::output::{Output, Stopped};
use crate::pattern::Budget;
use crate::print::{Chunk, Printer};
use crate::query::Print;

impl Search {
    /// Searches what `reader` gives until it ends, and prints it as of a file of that name. Blocks as long as the reader does; what was
    /// found is handed on before. `cancel` is looked at before every read.
    pub fn run_stream(
        &self,
        machine: &str,
        name: &str,
        reader: &mut dyn Read,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let started = Instant::now();
        let mut totals = Totals::default();
        let budget = Budget::new(cancel);
        let mut printer = Printer::new(&self.query, self.extents.as_ref(), &budget, Chunk::new(output));
        printer.set_file(format!("{machine}:{name}").into_bytes(), u64::MAX);
        let printer = RefCell::new(printer);
        let done = match self.query.selects_nothing() {
            true => Ok(()),
            false => self.stream(name, reader, &printer, &budget, cancel, &mut totals),
        };
        totals.interrupted = done.and_then(|()| printer.borrow_mut().chunk().flush()).is_err();
        totals.elapsed = started.elapsed();
        totals
    }

    fn stream<'s>(
        &'s self,
        name: &str,
        reader: &mut dyn Read,
        printer: &RefCell<Printer<'_, 's>>,
        budget: &'s Budget<'s>,
        cancel: &AtomicBool,
        totals: &mut Totals,
    ) -> Result<(), Stopped> {
        totals.files = 1;
        let done = Cell::new(false);
        let places = Places::default();
        let mut sink = LineSink::new(&self.query, printer, &done, &places);
        let reader = BoundedReader::new(reader, u64::MAX, self.line_end(), printer, cancel, &done, &mut totals.bytes);
        let ended = self.searcher().search_reader(self.engine.matcher(budget), reader, &mut sink);
        let (selected, binary) = (sink.selected(), sink.binary_matches());
        totals.lines = selected;
        let mut printer = printer.borrow_mut();
        if printer.chunk().stopped() || cancel.load(Ordering::Relaxed) {
            return Err(Stopped);
        }
        match ended {
            Ok(()) => {}
            Err(Ended::Stopped) => return Err(Stopped),
            Err(Ended::Match(words)) => {
                totals.errors = 1;
                printer.chunk().message(format!("{name}: {words}"))?;
            }
            Err(Ended::Read(error)) => {
                totals.errors = 1;
                if let Failure::Unread(reason) = Failure::reading(&error) {
                    printer.chunk().message(format!("{name}: {reason}"))?;
                }
            }
        }
        match self.query.print {
            Print::Count => printer.count(selected),
            Print::FilesWithMatch if selected > 0 => printer.file_name(),
            Print::FilesWithoutMatch if selected == 0 => printer.file_name(),
            _ if binary => printer.chunk().message(format!("{name}: binary file matches")),
            _ => Ok(()),
        }
    }
}
