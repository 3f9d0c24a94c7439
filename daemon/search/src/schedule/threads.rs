//! Does the tasks of a search on several threads, and gives what they find in order.
//!
//! Each thread takes one task after the other. Each task has a short queue of its own for what is
//! found in it. The queues stand in line, and the caller's thread empties the first one. So the
//! output is that of one thread, and the first task's lines are sent while the others are searched.
//! Memory is bounded. A thread whose queue is full waits for its turn. No thread takes a new task
//! while too many stand in line.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

use super::collector::{AfterTask, Collector};
use super::event::{Event, EventSink};
use super::plan::Plan;
use super::task::{Task, TaskQueue};
use super::worker::Worker;
use crate::files::reason;
use crate::job::Job;
use crate::output::{Output, Stopped};
use crate::scan::Wanted;
use crate::search::Totals;
use crate::searched::Files;
use crate::time::Zone;

/// How many events a task may be ahead of its turn. That is the output of a whole chunk where a
/// third of the lines are printed. More would only take memory when the reader is slow.
const QUEUED_EVENTS: usize = 2;

/// How long the thread with the output waits for an event. Then it hands on what has waited.
const PATIENCE: Duration = Duration::from_millis(10);

/// A task that is being done: its place in the line.
struct PendingTask {
    file: usize,
    is_last: bool,
    /// Up to where its file is wanted, if the task is a part of it.
    wanted: Option<Arc<Wanted>>,
    events: Receiver<Event>,
    /// Tells the task that it is the first in the line.
    turn: SyncSender<()>,
}

/// The tasks that are left, and the line that they join.
struct Backlog<'w> {
    tasks: TaskQueue<'w>,
    line: Option<SyncSender<PendingTask>>,
    /// How many more threads may be started.
    threads: usize,
}

/// A task that a thread has taken.
struct TakenTask {
    task: Task,
    events: SyncSender<Event>,
    /// Tells when the task is the first in the line.
    turn: Receiver<()>,
    /// Whether another thread would have something to do.
    more: bool,
}

/// Why a search ended early.
#[derive(Debug)]
enum RunError {
    /// It was cancelled, or nobody takes the output any more.
    Stopped,
    /// No thread could be started, for the system's reason.
    NoThread(String),
}

impl From<Stopped> for RunError {
    fn from(_: Stopped) -> RunError {
        RunError::Stopped
    }
}

/// Does all tasks of `files`, and prints what is found to `output`.
pub(crate) fn run_tasks(
    job: &Job<'_>,
    plan: &Plan,
    tasks: TaskQueue<'_>,
    output: &mut dyn Output,
) -> Totals {
    let mut collector = Collector::new(job, output);
    let interrupted = match run_threads(job, plan, tasks, &mut collector) {
        Ok(()) => false,
        Err(RunError::Stopped) => true,
        Err(RunError::NoThread(reason)) => collector.fail(no_thread(&reason)).is_err(),
    };
    Totals { interrupted, ..collector.totals() }
}

fn run_threads(
    job: &Job<'_>,
    plan: &Plan,
    tasks: TaskQueue<'_>,
    collector: &mut Collector<'_, '_>,
) -> Result<(), RunError> {
    job.check()?;
    let threads = plan.threads.get();
    let (line, pending) = sync_channel(threads);
    let shared = Shared {
        job,
        plan,
        files: tasks.files(),
        backlog: Mutex::new(Backlog { tasks, line: Some(line), threads: threads - 1 }),
        zone: Zone::local(),
        enough: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        start(scope, || shared.work(scope)).map_err(RunError::NoThread)?;
        let result = shared.collect(&pending, collector);
        // The threads see it when they take the next task, or when nobody takes their events.
        shared.enough.store(true, Ordering::Relaxed);
        drop(pending);
        result
    })
}

/// Does `work` on a thread of its own and hands on what it finds, until [`Event::End`] comes.
pub(crate) fn run_on_thread(
    output: &mut dyn Output,
    work: impl FnOnce(&SyncSender<Event>) + Send,
) -> Totals {
    let stopped = Totals { interrupted: true, ..Totals::default() };
    let (sender, events) = sync_channel(QUEUED_EVENTS);
    std::thread::scope(|scope| {
        if let Err(reason) = start(scope, move || work(&sender)) {
            let sent = output.message(no_thread(&reason));
            return Totals { errors: 1, interrupted: sent.is_err(), ..Totals::default() };
        }
        for event in events {
            let taken = match event {
                Event::Lines(bytes) => output.lines(bytes),
                Event::LinePart(bytes) => output.line_part(bytes),
                Event::TimedLines(timed) => timed.hand_on(output),
                Event::Message(text) => output.message(text),
                Event::Positions(positions, has_lines) => output.positions(positions, has_lines),
                Event::File(path, modified) => {
                    output.begin_file(&path, modified);
                    Ok(())
                }
                Event::Looked => output.looked(),
                Event::Read(bytes) => output.read(bytes),
                Event::End(totals) => return totals,
                Event::Done(..) => Ok(()),
            };
            if taken.is_err() {
                break;
            }
        }
        stopped
    })
}

/// The message when the system gives no thread.
fn no_thread(reason: &str) -> String {
    format!("cannot start a thread to search: {reason}")
}

/// What the threads of one search share.
struct Shared<'w> {
    job: &'w Job<'w>,
    plan: &'w Plan,
    files: Files<'w>,
    backlog: Mutex<Backlog<'w>>,
    zone: Zone,
    /// Set once no more tasks are wanted.
    enough: AtomicBool,
}

impl<'w> Shared<'w> {
    /// What each thread does. It starts the next thread when there is something for that to do.
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>)
    where
        'w: 'scope,
    {
        let queue = RefCell::new(None);
        let mut output = EventSink(&queue);
        // An engine has its own memory. Threads that share one wait for each other.
        let engine = self.job.search.engine.clone();
        let mut worker = Worker::new(self.job, self.plan, &engine, &self.zone, &mut output);
        while !self.enough.load(Ordering::Relaxed)
            && let Some(TakenTask { task, events, turn, more }) = self.take()
        {
            if more {
                // Without another thread, this one goes on alone.
                let _ = start(scope, || self.work(scope));
            }
            queue.replace(Some(events));
            let Some(file) = self.files.get(task.file) else { return };
            let Ok((lines, step)) = worker.run(file, task, turn) else { return };
            // It is no error if nobody waits for the result any more.
            let _ = queue.take().map(|events| events.send(Event::Done(lines, step)));
        }
    }

    /// Takes the next task, which joins the line.
    fn take(&self) -> Option<TakenTask> {
        // A thread that panicked while it held the lock did not change what it guards.
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((task, is_last)) = backlog.tasks.next() else {
            // The line ends with its sender.
            backlog.line = None;
            return None;
        };
        let (sender, events) = sync_channel(QUEUED_EVENTS);
        let (turn_sender, turn) = sync_channel(1);
        let (file, wanted) = (task.file, task.wanted());
        let pending = PendingTask { file, is_last, wanted, events, turn: turn_sender };
        backlog.line.as_ref()?.send(pending).ok()?;
        let more = backlog.threads > 0 && backlog.tasks.has_more();
        backlog.threads -= usize::from(more);
        Some(TakenTask { task, events: sender, turn, more })
    }

    /// Empties the queues in order.
    fn collect(
        &self,
        line: &Receiver<PendingTask>,
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), RunError> {
        while let Some(task) = next(line, collector)? {
            let Some(file) = self.files.get(task.file) else { break };
            // The task may be done and not wait for its turn.
            let _ = task.turn.send(());
            loop {
                match next(&task.events, collector)? {
                    Some(Event::Lines(bytes)) => collector.lines(bytes)?,
                    Some(Event::LinePart(bytes)) => collector.line_part(bytes)?,
                    Some(Event::Message(text)) => collector.message(text)?,
                    Some(Event::Read(bytes)) => collector.note_read(bytes)?,
                    Some(Event::Done(lines, step)) => {
                        match collector.task_done(file, task.is_last, lines, &step)? {
                            AfterTask::End => return Ok(()),
                            AfterTask::SameFile => break,
                            AfterTask::NextFile => {
                                if let Some(wanted) = task.wanted {
                                    // The chunks before are searched already.
                                    wanted.end_with(0);
                                }
                                break;
                            }
                        }
                    }
                    // The thread was cancelled.
                    None
                    | Some(
                        Event::TimedLines(_)
                        | Event::Positions(..)
                        | Event::File(..)
                        | Event::Looked
                        | Event::End(_),
                    ) => return Err(RunError::Stopped),
                }
            }
            self.job.check()?;
        }
        self.job.check().map_err(RunError::from)
    }
}

/// Starts a thread of a search.
///
/// # Errors
/// The system's reason when it starts no more threads.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> Result<(), String> {
    Builder::new()
        .name("search".to_owned())
        .spawn_scoped(scope, work)
        .map(drop)
        .map_err(|error| reason(&error))
}

/// The next item of a queue, or none at its end. While it waits, it hands on what was found before.
fn next<T>(queue: &Receiver<T>, collector: &mut Collector<'_, '_>) -> Result<Option<T>, Stopped> {
    loop {
        match queue.recv_timeout(PATIENCE) {
            Ok(item) => return Ok(Some(item)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => collector.flush_if_late()?,
        }
    }
}
