//! Does the tasks of a search on several threads, each of which has an output of its own.
//!
//! Sums do not depend on the order of lines. So nothing is put in order here, and no line goes from
//! one thread to another.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use super::plan::Plan;
use super::task::{Task, TaskQueue};
use super::threads::start;
use super::worker::Worker;
use crate::job::Job;
use crate::lock::lock;
use crate::output::{Output, Stopped};
use crate::scan::{Failure, Step};
use crate::search::Totals;
use crate::searched::SearchedFile;
use crate::time::Zone;

/// What the threads share.
struct Shared<'w> {
    job: &'w Job<'w>,
    plan: &'w Plan,
    tasks: Mutex<TaskQueue<'w>>,
    zone: Zone,
    totals: Mutex<Totals>,
    enough: &'w AtomicBool,
}

/// Does all tasks, one thread for each output. The first is the caller's own. `enough` is set once
/// no more tasks are wanted: the time for backtracking is spent, or a thread has panicked.
pub(crate) fn run_apart<O: Output + Send>(
    job: &Job<'_>,
    plan: &Plan,
    tasks: TaskQueue<'_>,
    outputs: &mut [O],
    enough: &AtomicBool,
) -> Totals {
    let (tasks, zone, totals) = (Mutex::new(tasks), Zone::local(), Mutex::default());
    let shared = Shared { job, plan, tasks, zone, totals, enough };
    let Some((first, others)) = outputs.split_first_mut() else { return Totals::default() };
    std::thread::scope(|scope| {
        for output in others {
            // Without another thread, this one does all of it.
            let _ = start(scope, || shared.work(output));
        }
        shared.work(first);
    });
    std::mem::take(&mut *lock(&shared.totals))
}

impl Shared<'_> {
    /// What each thread does.
    fn work(&self, output: &mut dyn Output) {
        let _end = EndOfPanic(self.enough);
        let engine = self.job.search.engine.clone();
        let own = OwnOutput { output: RefCell::new(output), reported: Cell::new(0) };
        let mut sink = &own;
        let mut worker = Worker::new(self.job, self.plan, &engine, &self.zone, &mut sink);
        while let Some((file, task, is_last)) = self.take() {
            if self.search(&mut worker, &own, file, task, is_last).is_err() {
                lock(&self.totals).interrupted = true;
                return;
            }
        }
    }

    /// The next task, its file, and whether it is the last of that file.
    fn take(&self) -> Option<(SearchedFile<'_>, Task, bool)> {
        if self.enough.load(Ordering::Relaxed) {
            return None;
        }
        let mut tasks = lock(&self.tasks);
        let (task, is_last) = tasks.next()?;
        Some((tasks.files().get(task.file)?, task, is_last))
    }

    fn search(
        &self,
        worker: &mut Worker<'_>,
        own: &OwnOutput<'_>,
        file: SearchedFile<'_>,
        task: Task,
        is_last: bool,
    ) -> Result<(), Stopped> {
        self.job.check()?;
        let wanted = task.wanted();
        own.begin(file);
        // No task waits for another one, so each has its turn.
        let (turn, has_turn) = sync_channel(1);
        let _ = turn.send(());
        let (lines, step) = worker.run(file, task, has_turn)?;
        own.end(lines, step.bytes)?;
        if let Some(wanted) =
            wanted.filter(|_| step.failure.as_ref().is_some_and(Failure::ends_file))
        {
            wanted.end_with(0);
        }
        self.note(own, file, &step, is_last)
    }

    fn note(
        &self,
        own: &OwnOutput<'_>,
        file: SearchedFile<'_>,
        step: &Step,
        is_last: bool,
    ) -> Result<(), Stopped> {
        let is_unopened = matches!(step.failure, Some(Failure::Gone | Failure::Unopened(_)));
        {
            let mut totals = lock(&self.totals);
            totals.files += u64::from(is_last && !is_unopened);
            step.add_to(&mut totals);
        }
        let Some(failure) = &step.failure else { return Ok(()) };
        lock(&self.totals).errors += u64::from(failure.is_error());
        match failure.message(file.path().display()) {
            Some(words) if !self.job.search.query.printing.no_messages => own.message(words)?,
            _ => {}
        }
        if *failure == Failure::Spent {
            self.enough.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Ends the other threads' work if this one panics: nobody gets the sums then.
struct EndOfPanic<'e>(&'e AtomicBool);

impl Drop for EndOfPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// The output of one thread. Its scanner writes to it, and this file beside the scanner.
struct OwnOutput<'o> {
    output: RefCell<&'o mut dyn Output>,
    /// The bytes of the present task that were told as read.
    reported: Cell<u64>,
}

impl OwnOutput<'_> {
    fn begin(&self, file: SearchedFile<'_>) {
        self.reported.set(0);
        if let SearchedFile::Handed(file) = file {
            self.output.borrow_mut().begin_file(file.path(), file.modified());
        }
    }

    /// A task is done, with these lines at its end. It has read so many bytes.
    fn end(&self, lines: Vec<u8>, bytes: u64) -> Result<(), Stopped> {
        let mut output = self.output.borrow_mut();
        if !lines.is_empty() {
            output.lines(lines)?;
        }
        output.read(bytes.saturating_sub(self.reported.get()))
    }

    fn message(&self, text: String) -> Result<(), Stopped> {
        self.output.borrow_mut().message(text)
    }
}

impl Output for &OwnOutput<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.borrow_mut().lines(bytes)
    }

    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.output.borrow_mut().line_part(bytes)
    }

    fn begin_file(&mut self, path: &Path, modified: i64) {
        self.output.borrow_mut().begin_file(path, modified);
    }

    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        self.reported.set(self.reported.get() + bytes);
        self.output.borrow_mut().read(bytes)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.output.borrow_mut().message(text)
    }
}
