//! Runs a compiled query over files. This is where a search begins; five nouns name its parts.
//!
//! | noun | what it is | where |
//! |---|---|---|
//! | `Job` | what all threads of a search share: query, machine, cancel flag, budget | `job.rs` |
//! | `Task` | what a thread does at once: a whole file, or a chunk of a large one | `schedule/` |
//! | `Chunk` | consecutive whole lines of one file, searched in memory at once | `scan/` |
//! | `Step` | what the search of one chunk (or of a whole file) found | `scan/scanner.rs` |
//! | `Event` | what a searching thread sends to the thread that writes the output | `schedule/` |
//!
//! A plain file: `run` makes tasks, threads do them with a `Scanner`, and a `Collector` prints the
//! results in order. In order of time: `merge` takes a step of each file in turn. Following:
//! `follow` takes a step of each file that has grown. A reader: `stream.rs` takes a step of what it
//! gives. A kept stream: `kept` cuts it into units, which are tasks too, or reads it as a file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use memberd_control::grep::GrepFollow;

use crate::files::{ExposedFile, HandedFile};
use crate::follow::{Selection, follow, follow_kept};
use crate::job::Job;
use crate::kept::{KeptFile, Skip};
use crate::merge::merge;
use crate::output::Output;
use crate::pattern::Budget;
use crate::schedule::{Plan, TaskQueue, run_apart, run_on_thread, run_tasks};
use crate::search::{Search, Totals};
use crate::searched::Files;

/// The size of the chunks into which a large file is cut, so that several threads can search it.
/// Where a third of the lines are printed, a chunk gives one buffer of output. The table "What more
/// threads gain on one log" of `BENCH.md` measures what the cutting gains.
pub(crate) const CHUNK_BYTES: u64 = 384 * 1024;

/// A search of files that another process opens, some at a time. It owns the time that backtracking
/// may take on all of them together.
#[derive(Debug)]
pub struct ApartSearch<'s> {
    search: &'s Search,
    cancel: &'s AtomicBool,
    budget: Budget<'s>,
    /// Set once no more files are searched.
    enough: AtomicBool,
}

impl ApartSearch<'_> {
    /// Searches the next files, as [`Search::run`] would, on one thread for each output. Each
    /// thread sends what it finds to its own, in no order, and tells each time of which file it is.
    /// So a search that wants the lines themselves prints no names. Nothing is merged by time, and
    /// no output file is left out.
    pub fn run<O: Output + Send>(
        &self,
        plan: &Plan,
        files: &[HandedFile],
        outputs: &mut [O],
    ) -> Totals {
        let started = Instant::now();
        let ApartSearch { search, cancel, ref budget, ref enough } = *self;
        let files = Files::Handed(if search.selects_nothing { &[] } else { files });
        let may_be_cut = search.may_be_cut() && plan.window.is_unbounded();
        let chunk_bytes = may_be_cut.then_some(CHUNK_BYTES);
        let tasks = TaskQueue::new(files, chunk_bytes, search.line_ends());
        let totals =
            run_apart(&Job { search, machine: "", cancel, budget }, plan, tasks, outputs, enough);
        Totals { elapsed: started.elapsed(), ..totals }
    }

    /// Whether no more files are searched. Either backtracking has taken all its time, as the
    /// message of a file has said, or a thread has panicked.
    pub fn has_ended(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }
}

impl Search {
    /// Searches `files` in their order, as `plan` says, and sends what GNU grep would print, with
    /// `MACHINE:FILE` as each file's name. Blocks until done. `cancel` is checked before every read
    /// of 64 or 384 KiB. The search also ends when `output` stops. In order of time it needs memory
    /// for its files: see [`Search::has_room_to_merge`].
    pub fn run(
        &self,
        plan: &Plan,
        machine: &str,
        files: &[ExposedFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.run_files(plan, machine, Files::Exposed(files), output, cancel)
    }

    /// Searches kept streams of `machine`, and sends what [`Search::run`] would send there for the
    /// files themselves. What need not be read is left out. Compile the query by
    /// [`Query::compile_for_kept_in`](crate::Query::compile_for_kept_in), which takes the memory.
    pub fn run_kept(
        &self,
        plan: &Plan,
        machine: &str,
        files: &[KeptFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let by_time = plan.by_time && self.query.prints_lines();
        let skip = Skip::new(self, plan.window, by_time);
        self.run_files(plan, machine, Files::Kept(files, &skip), output, cancel)
    }

    /// Searches what kept streams of `machine` have beyond the positions of `from`, where a follow
    /// of their files was when their machine was lost, and tells the positions after it. Compile
    /// the query as for [`Search::run_kept`].
    pub fn follow_kept(
        &self,
        machine: &str,
        files: &[KeptFile],
        from: &GrepFollow,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.timed(machine, cancel, |job| {
            run_on_thread(output, |events| follow_kept(job, files, from, events))
        })
    }

    /// Begins a search of files that another process opens. `cancel` is as in [`Search::run`].
    pub fn apart<'s>(&'s self, cancel: &'s AtomicBool) -> ApartSearch<'s> {
        let budget = Budget::new(cancel, &self.memory);
        ApartSearch { search: self, cancel, budget, enough: AtomicBool::new(false) }
    }

    fn run_files(
        &self,
        plan: &Plan,
        machine: &str,
        files: Files<'_>,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let files = if self.selects_nothing { files.none() } else { files };
        self.timed(machine, cancel, |job| {
            if plan.by_time && self.query.prints_lines() {
                return run_on_thread(output, |events| merge(job, plan, files, events));
            }
            let may_be_cut = self.may_be_cut() && plan.window.is_unbounded();
            // The blocks of kept streams end at newlines.
            let is_whole = matches!(files, Files::Kept(..)) && self.query.pattern.null_data;
            let chunk_bytes = (may_be_cut && !is_whole).then_some(CHUNK_BYTES);
            let tasks = TaskQueue::new(files, chunk_bytes, self.line_ends());
            run_tasks(job, plan, tasks.without(self.left_out(plan.output_file)), output)
        })
    }

    /// Does a job within the limit of its memory, and notes how long it took.
    fn timed(
        &self,
        machine: &str,
        cancel: &AtomicBool,
        work: impl FnOnce(&Job<'_>) -> Totals,
    ) -> Totals {
        let started = Instant::now();
        let budget = Budget::new(cancel, &self.memory);
        let totals = work(&Job { search: self, machine, cancel, budget: &budget });
        Totals { elapsed: started.elapsed(), ..totals }
    }

    /// Searches the lines that are appended from now on to the files of `selection`, also to new
    /// files. Ends when it is cancelled or when `output` stops. A file that is renamed or truncated
    /// by rotation is followed further. One that is written anew is read from its beginning.
    ///
    /// Valid only when lines or matches are printed. Context is taken from the lines appended since
    /// the follow began. A line is searched once it is complete. Line numbers count from the file's
    /// beginning, which is read for it. Looks for new lines every 100 ms, and for new files every
    /// 500 ms.
    pub fn follow(
        &self,
        machine: &str,
        selection: Selection<'_>,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let output_file = self.left_out(selection.output_file);
        let selection = Selection { output_file, ..selection };
        self.timed(machine, cancel, |job| {
            run_on_thread(output, |events| follow(job, selection, events))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Stopped;
    use crate::query::Query;
    use memberd_control::grep::{GrepPattern, GrepPrinting, GrepSyntax};
    use std::fs::File;
    use std::time::Duration;
    use tempfile::TempDir;

    #[derive(Debug, Default)]
    struct Found {
        lines: usize,
        messages: Vec<String>,
    }

    impl Output for Found {
        fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
            self.lines += bytes.split_inclusive(|byte| *byte == b'\n').count();
            Ok(())
        }

        fn message(&mut self, text: String) -> Result<(), Stopped> {
            self.messages.push(text);
            Ok(())
        }
    }

    /// The time for backtracking is one for all files, however they come. Once it is spent, one
    /// file says so, and no other is searched.
    #[test]
    fn files_opened_later_get_no_more_time_to_backtrack() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "xx\nxy\n").unwrap();
        let files = || [HandedFile::new(path.clone(), File::open(&path).unwrap()).unwrap()];
        let patterns = vec![b"(.)\\1".to_vec()];
        let pattern = GrepPattern { patterns, syntax: GrepSyntax::Perl, ..GrepPattern::default() };
        let printing = GrepPrinting { no_names: true, ..GrepPrinting::default() };
        let search = Query { pattern, printing, ..Query::default() }.compile().unwrap();
        let cancel = AtomicBool::new(false);
        let apart = search.apart(&cancel);
        let mut outputs = [Found::default()];
        let mut run = || apart.run(&Plan::default(), &files(), &mut outputs).errors;
        assert_eq!((run(), apart.has_ended()), (0, false));
        apart.budget.spend(Duration::from_secs(60));
        assert_eq!((run(), apart.has_ended()), (1, true));
        assert_eq!(run(), 0);
        let [found] = outputs;
        assert_eq!((found.lines, found.messages.len()), (1, 1), "{found:?}");
    }
}
