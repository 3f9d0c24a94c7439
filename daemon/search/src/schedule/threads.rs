//! Searches files, and the parts of large ones, side by side, and gives what is found in order.
//!
//! Threads take one unit after the other. Each unit has a short queue of its own for what is found
//! in it; the queues stand in line, and the caller's thread empties the first. So the output is
//! that of one thread, the first unit's lines are on their way while the others are searched, and
//! what is held in memory is bounded: a thread whose queue is full waits for its turn, and none
//! takes a new unit while too many stand in line.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

use super::collector::{Collector, Next};
use super::event::{Event, EventSink};
use super::job::Job;
use super::task::{Task, TaskQueue};
use super::worker::Worker;
use crate::files::reason;
use crate::output::{Output, Stopped};
use crate::scan::ChunkedFile;
use crate::search::Totals;
use crate::time::Zone;

/// How many pieces of output a unit may be ahead of its turn. With output of a third of what is
/// searched, that is all of a block's; more would only be memory where output is more than its
/// reader takes.
const QUEUED_EVENTS: usize = 2;

/// How long the thread with the output sleeps while nothing comes, before it sees whether something
/// has waited.
const PATIENCE: Duration = Duration::from_millis(10);

/// A unit that is being searched: its place in the line.
struct PendingTask {
    file: usize,
    is_last: bool,
    /// The blocks of its file, if it is one of them.
    blocks: Option<Arc<ChunkedFile>>,
    events: Receiver<Event>,
    /// Told when it is first in the line.
    turn: SyncSender<()>,
}

/// The units that are left, and the line that they get into.
struct Backlog<'w> {
    tasks: TaskQueue<'w>,
    line: Option<SyncSender<PendingTask>>,
    /// How many more threads may be started.
    threads: usize,
}

/// A unit that a thread has taken.
struct TakenTask {
    task: Task,
    events: SyncSender<Event>,
    /// Tells when it is first in the line.
    turn: Receiver<()>,
    /// Whether another thread would have something to do.
    more: bool,
}

/// Why a run ended before its end.
#[derive(Debug)]
pub(crate) enum RunError {
    /// Cancelled, or nobody takes the output any more.
    Stopped,
    /// No thread could be started, and the system's words.
    NoThread(String),
}

impl From<Stopped> for RunError {
    fn from(_: Stopped) -> RunError {
        RunError::Stopped
    }
}

impl Job<'_> {
    /// Searches all units, and gives what is found to `assembly`.
    pub(crate) fn run(
        &self,
        tasks: TaskQueue<'_>,
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), RunError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(RunError::Stopped);
        }
        let threads = self.plan.threads.get();
        let (line, in_line) = sync_channel(threads);
        let shared = Shared {
            job: self,
            rest: Mutex::new(Backlog { tasks, line: Some(line), threads: threads - 1 }),
            zone: Zone::local(),
            enough: AtomicBool::new(false),
        };
        std::thread::scope(|scope| {
            start(scope, || shared.run_tasks(scope)).map_err(RunError::NoThread)?;
            let result = self.gather(&in_line, collector);
            // The threads see it when they take the next unit, or when nobody takes their pieces.
            shared.enough.store(true, Ordering::Relaxed);
            drop(in_line);
            result
        })
    }

    /// Empties the queues in order.
    fn gather(
        &self,
        line: &Receiver<PendingTask>,
        collector: &mut Collector<'_, '_>,
    ) -> Result<(), RunError> {
        while let Some(PendingTask { file, is_last, blocks, events, turn }) = next(line, collector)?
        {
            let Some(file) = self.files.get(file) else { break };
            // It may be done, and not care.
            let _ = turn.send(());
            loop {
                match next(&events, collector)? {
                    Some(Event::Lines(bytes)) => collector.lines(bytes)?,
                    Some(Event::LinePart(bytes)) => collector.line_part(bytes)?,
                    Some(Event::Message(text)) => collector.message(text)?,
                    Some(Event::Read(bytes)) => collector.note_read(bytes)?,
                    Some(Event::Done(result)) => {
                        match collector.task_done(file, is_last, result)? {
                            Next::End => return Ok(()),
                            Next::More => break,
                            Next::OtherFile => {
                                if let Some(blocks) = blocks {
                                    // Those before were searched.
                                    blocks.end_with(0);
                                }
                                break;
                            }
                        }
                    }
                    // The thread was cancelled.
                    None | Some(Event::TimedLines(_) | Event::End(_)) => {
                        return Err(RunError::Stopped);
                    }
                }
            }
            if self.cancel.load(Ordering::Relaxed) {
                return Err(RunError::Stopped);
            }
        }
        if self.cancel.load(Ordering::Relaxed) { Err(RunError::Stopped) } else { Ok(()) }
    }
}

/// Does `work` on a thread of its own, and hands on what it finds; it ends with [`Event::End`].
pub(crate) fn run_on_thread(
    output: &mut dyn Output,
    work: impl FnOnce(&SyncSender<Event>) + Send,
) -> Totals {
    let stopped = Totals { interrupted: true, ..Totals::default() };
    let (sender, events) = sync_channel(QUEUED_EVENTS);
    std::thread::scope(|scope| {
        if let Err(reason) = start(scope, move || work(&sender)) {
            let told = output.message(no_thread_message(&reason));
            return Totals { errors: 1, interrupted: told.is_err(), ..Totals::default() };
        }
        for piece in events {
            let taken = match piece {
                Event::Lines(bytes) => output.lines(bytes),
                Event::LinePart(bytes) => output.line_part(bytes),
                Event::TimedLines(timed) => timed.hand_on(output),
                Event::Message(text) => output.message(text),
                Event::Read(bytes) => output.read(bytes),
                Event::End(totals) => return totals,
                Event::Done(_) => Ok(()),
            };
            if taken.is_err() {
                break;
            }
        }
        stopped
    })
}

/// What is said when the system gives no thread.
pub(crate) fn no_thread_message(reason: &str) -> String {
    format!("no thread can be started to search: {reason}")
}

/// What the threads of one run share.
struct Shared<'w> {
    job: &'w Job<'w>,
    rest: Mutex<Backlog<'w>>,
    zone: Zone,
    /// Set once no more units are wanted.
    enough: AtomicBool,
}

impl<'w> Shared<'w> {
    /// What each thread does. The next is started when there is something for it to do.
    fn run_tasks<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>)
    where
        'w: 'scope,
    {
        let queue = RefCell::new(None);
        let mut output = EventSink(&queue);
        // An engine's memory is its own: threads that share one wait for each other.
        let engine = self.job.search.engine.clone();
        let mut worker = Worker::new(self.job, &engine, &self.zone, &mut output);
        while !self.enough.load(Ordering::Relaxed)
            && let Some(TakenTask { task, events, turn, more }) = self.take()
        {
            if more {
                // Without it, this one goes on alone.
                let _ = start(scope, || self.run_tasks(scope));
            }
            queue.replace(Some(events));
            let Some(file) = self.job.files.get(task.file) else { return };
            let Ok(result) = worker.task(file, task, turn) else { return };
            // Nobody may be waiting any more.
            let _ = queue.take().map(|events| events.send(Event::Done(result)));
        }
    }

    /// Takes the next unit, which gets in line.
    fn take(&self) -> Option<TakenTask> {
        // A thread that panicked while it held the lock has left it as it was.
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((task, is_last)) = rest.tasks.next() else {
            // With the sender the line ends.
            rest.line = None;
            return None;
        };
        let (sender, events) = sync_channel(QUEUED_EVENTS);
        let (told, turn) = sync_channel(1);
        let place =
            PendingTask { file: task.file, is_last, blocks: task.blocks(), events, turn: told };
        rest.line.as_ref()?.send(place).ok()?;
        let more = rest.threads > 0 && rest.tasks.has_more();
        rest.threads -= usize::from(more);
        Some(TakenTask { task, events: sender, turn, more })
    }
}

/// Starts a thread of a search.
///
/// # Errors
/// The system's words when there can be no more threads.
pub(crate) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> Result<(), String> {
    Builder::new()
        .name("search".to_owned())
        .spawn_scoped(scope, work)
        .map(drop)
        .map_err(|error| reason(&error))
}

/// The next item of a queue, none at its end. While it waits, what was found before is handed on.
fn next<T>(queue: &Receiver<T>, collector: &mut Collector<'_, '_>) -> Result<Option<T>, Stopped> {
    loop {
        match queue.recv_timeout(PATIENCE) {
            Ok(item) => return Ok(Some(item)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => collector.flush_if_late()?,
        }
    }
}
