//! Runs a compiled query over files.

mod assembly;
mod block;
mod failure;
mod follow;
mod followed;
mod in_memory;
mod long_lines;
mod merge;
mod part_sink;
mod parts;
mod places;
mod plan;
mod queue;
mod range;
mod reader;
mod sink;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod threads;
mod timed;
mod units;
mod window;
mod worker;

use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use grep_matcher::LineTerminator;
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder};

use crate::files::{Narrow, Offer, OfferedFile};
use crate::output::{Output, Stopped};
use crate::pattern::{Budget, Engine, Extents};
use crate::print::{Chunk, Printer};
use crate::query::{Binary, Print, Query};
use assembly::Assembly;
pub(crate) use long_lines::LONG_LINE_BYTES;
pub use long_lines::LongLines;
pub use plan::{Plan, Window};
use threads::{Broken, Work, apart};
use units::Units;

/// The longest line that is searched, in bytes, its context included. A file with a longer one is given up with a message.
pub const MAX_LINE_BYTES: usize = 128 * 1024 * 1024;

/// How large the parts are in which files are searched side by side. Where a third of the lines are printed, one gives one chunk of output.
const BLOCK_BYTES: u64 = 384 * 1024;

/// A compiled query. It can run any number of times, on several threads at once.
#[derive(Debug)]
pub struct Search {
    query: Query,
    engine: Engine,
    extents: Option<Extents>,
}

/// What one run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files searched.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Lines selected.
    pub lines: u64,
    /// Files that could not be read, or not to their end.
    pub errors: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it was cancelled or its output stopped before it was done.
    pub interrupted: bool,
}

impl Search {
    pub(crate) fn new(query: Query, engine: Engine, extents: Option<Extents>) -> Search {
        Search { query, engine, extents }
    }

    /// Searches `files` as [`Search::run_with`] does, by the default plan.
    pub fn run(&self, machine: &str, files: &[OfferedFile], output: &mut dyn Output, cancel: &AtomicBool) -> Totals {
        self.run_with(&Plan::default(), machine, files, output, cancel)
    }

    /// Searches `files` in their order and sends what GNU grep would print, `MACHINE:FILE` in the place of its file names.
    /// Blocks until done. `cancel` is looked at before every read (64 or 512 KiB), and a stopped `output` ends the run likewise.
    pub fn run_with(
        &self,
        plan: &Plan,
        machine: &str,
        files: &[OfferedFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.run_in_blocks(Some(BLOCK_BYTES), plan, machine, files, output, cancel)
    }

    /// Searches what is written from now on to the files that `offer` and `narrow` give, new ones included, until cancelled, or
    /// until nobody takes the output: through rotation, by renaming or by truncation. Only where lines or matches are printed;
    /// with context among the lines that were written since. A line is searched once it has its end. Numbers of lines count from the
    /// file's beginning, which is read for it. Looks for what is new every 100 ms, for new files every 500 ms.
    pub fn follow(
        &self,
        plan: &Plan,
        machine: &str,
        offer: &Offer,
        narrow: &Narrow,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let started = Instant::now();
        let budget = Budget::new(cancel);
        let work = Work { search: self, plan, machine, files: &[], cancel, budget: &budget };
        let totals = apart(output, |found| follow::follow(&work, offer, narrow, found));
        Totals { elapsed: started.elapsed(), ..totals }
    }

    /// Searches with files cut into blocks of about that size, where they may be; without a size, all as a whole.
    fn run_in_blocks(
        &self,
        block_bytes: Option<u64>,
        plan: &Plan,
        machine: &str,
        files: &[OfferedFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let started = Instant::now();
        let budget = Budget::new(cancel);
        let files = if self.query.selects_nothing() { &[] } else { files };
        let work = Work { search: self, plan, machine, files, cancel, budget: &budget };
        if plan.by_time && self.query.prints_lines() {
            let totals = apart(output, |found| merge::merge(&work, found));
            return Totals { elapsed: started.elapsed(), ..totals };
        }
        let block_bytes = block_bytes.filter(|_| self.may_be_cut() && plan.window.is_unbounded());
        let units = Units::new(files, block_bytes, self.line_ends());
        let mut assembly = Assembly::new(self, machine, &budget, output);
        let done = work.run(units, &mut assembly);
        let interrupted = match done {
            Ok(()) => false,
            Err(Broken::Stopped) => true,
            Err(Broken::NoThread(reason)) => assembly.broken(&threads::no_thread(&reason)).is_err(),
        };
        Totals { interrupted, elapsed: started.elapsed(), ..assembly.totals() }
    }

    fn searcher(&self) -> Searcher {
        let context = |lines: Option<u32>| lines.filter(|_| self.query.prints_lines()).unwrap_or(0);
        self.searcher_with_context(context(self.query.before_context), context(self.query.after_context))
    }

    fn searcher_with_context(&self, before: u32, after: u32) -> Searcher {
        let takes_nul = self.query.null_data || self.query.binary == Binary::Text;
        SearcherBuilder::new()
            .invert_match(self.query.invert)
            .line_number(self.wants_places())
            .line_terminator(LineTerminator::byte(self.line_end()))
            .before_context(before as usize)
            .after_context(after as usize)
            .binary_detection(if takes_nul { BinaryDetection::none() } else { BinaryDetection::convert(0) })
            .bom_sniffing(false)
            .heap_limit(Some(MAX_LINE_BYTES))
            .memory_map(MmapChoice::never())
            .build()
    }

    /// The byte that ends a line.
    fn line_end(&self) -> u8 {
        self.query.line_end()
    }

    /// The bytes at which a file may be cut: what ends a line, and what becomes a line's end in files that are no text.
    fn line_ends(&self) -> [u8; 2] {
        let line_end = self.line_end();
        [line_end, self.searcher().binary_detection().convert_byte().unwrap_or(line_end)]
    }

    /// Whether it matters where in its file a line is.
    fn wants_places(&self) -> bool {
        self.query.line_numbers && self.query.prints_lines()
    }

    /// How many lines end in `bytes`, if that matters.
    fn lines_in(&self, bytes: &[u8]) -> u64 {
        if self.wants_places() { memchr::memchr_iter(self.line_end(), bytes).count() as u64 } else { 0 }
    }

    /// Whether lines may have others printed with them.
    fn has_context(&self) -> bool {
        self.query.prints_lines() && self.query.has_context()
    }

    /// Whether a file can be searched in parts, of which none needs to know what is in the others.
    fn may_be_cut(&self) -> bool {
        !self.has_context() && self.query.max_count.is_none()
    }

    /// Whether nothing matters of a file after its first selected line.
    fn one_is_enough(&self) -> bool {
        matches!(self.query.print, Print::FilesWithMatch | Print::FilesWithoutMatch | Print::Nothing)
    }

    /// What is printed as the name of a file: `MACHINE:FILE`.
    fn name(&self, machine: &str, file: &OfferedFile) -> Vec<u8> {
        self.named(machine, file.path().as_os_str().as_bytes())
    }

    /// `MACHINE:FILE`, with spaces between where names are aligned.
    fn named(&self, machine: &str, file: &[u8]) -> Vec<u8> {
        let missing = usize::from(self.query.name_width).saturating_sub(machine.chars().count());
        [machine.as_bytes(), b":", " ".repeat(missing).as_bytes(), file].concat()
    }

    /// What is printed between groups of lines with context; nothing if there are none.
    fn separator(&self, budget: &Budget<'_>) -> Vec<u8> {
        struct Kept(Vec<u8>);
        impl Output for Kept {
            fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
                self.0.extend_from_slice(&bytes);
                Ok(())
            }
            fn message(&mut self, _: String) -> Result<(), Stopped> {
                Ok(())
            }
        }
        let mut kept = Kept(Vec::new());
        if self.has_context() {
            let mut printer = Printer::new(&self.query, self.extents.as_ref(), budget, Chunk::new(&mut kept));
            printer.note_selected();
            // An output that keeps everything never stops.
            let _ = printer.group_separator().and_then(|()| printer.chunk().flush());
        }
        kept.0
    }
}
