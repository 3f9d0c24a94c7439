//! Runs a compiled query over files.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::files::{Narrow, Offer, OfferedFile};
use crate::follow::follow;
use crate::merge::merge;
use crate::output::Output;
use crate::pattern::Budget;
use crate::schedule::{
    Collector, Job, Plan, RunError, TaskQueue, no_thread_message, run_on_thread,
};
use crate::search::{Search, Totals};

/// How large the parts are in which files are searched side by side. Where a third of the lines are
/// printed, one gives one chunk of output.
pub(crate) const CHUNK_BYTES: u64 = 384 * 1024;

impl Search {
    /// Searches `files` as [`Search::run_with`] does, by the default plan.
    pub fn run(
        &self,
        machine: &str,
        files: &[OfferedFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.run_with(&Plan::default(), machine, files, output, cancel)
    }

    /// Searches `files` in their order and sends what GNU grep would print, `MACHINE:FILE` in the
    /// place of its file names. ChunkedFile until done. `cancel` is looked at before every read (64 or
    /// 512 KiB), and a stopped `output` ends the run likewise.
    pub fn run_with(
        &self,
        plan: &Plan,
        machine: &str,
        files: &[OfferedFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.run_in_blocks(Some(CHUNK_BYTES), plan, machine, files, output, cancel)
    }

    /// Searches what is written from now on to the files that `offer` and `narrow` give, new ones
    /// included, until cancelled, or until nobody takes the output: through rotation, by renaming
    /// or by truncation. Only where lines or matches are printed; with context among the lines that
    /// were written since. A line is searched once it has its end. Numbers of lines count from the
    /// file's beginning, which is read for it. Looks for what is new every 100 ms, for new files
    /// every 500 ms.
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
        let job = Job { search: self, plan, machine, files: &[], cancel, budget: &budget };
        let totals = run_on_thread(output, |found| follow(&job, offer, narrow, found));
        Totals { elapsed: started.elapsed(), ..totals }
    }

    /// Searches with files cut into blocks of about that size, where they may be; without a size,
    /// all as a whole.
    pub(crate) fn run_in_blocks(
        &self,
        chunk_bytes: Option<u64>,
        plan: &Plan,
        machine: &str,
        files: &[OfferedFile],
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let started = Instant::now();
        let budget = Budget::new(cancel);
        let files = if self.query.selects_nothing() { &[] } else { files };
        let job = Job { search: self, plan, machine, files, cancel, budget: &budget };
        if plan.by_time && self.query.prints_lines() {
            let totals = run_on_thread(output, |found| merge(&job, found));
            return Totals { elapsed: started.elapsed(), ..totals };
        }
        let chunk_bytes = chunk_bytes.filter(|_| self.may_be_cut() && plan.window.is_unbounded());
        let tasks = TaskQueue::new(files, chunk_bytes, self.line_ends());
        let mut collector = Collector::new(self, machine, &budget, output);
        let done = job.run(tasks, &mut collector);
        let interrupted = match done {
            Ok(()) => false,
            Err(RunError::Stopped) => true,
            Err(RunError::NoThread(reason)) => {
                collector.broken(&no_thread_message(&reason)).is_err()
            }
        };
        Totals { interrupted, elapsed: started.elapsed(), ..collector.totals() }
    }
}
