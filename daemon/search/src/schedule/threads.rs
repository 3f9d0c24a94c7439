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

use super::collector::{Assembly, Next};
use super::event::{Piece, Queue};
use super::job::Work;
use super::task::{Unit, Units};
use super::worker::Worker;
use crate::files::reason;
use crate::output::{Output, Stopped};
use crate::scan::Blocks;
use crate::search::Totals;
use crate::time::Zone;

/// How many pieces of output a unit may be ahead of its turn. With output of a third of what is
/// searched, that is all of a block's; more would only be memory where output is more than its
/// reader takes.
const PIECES: usize = 2;

/// How long the thread with the output sleeps while nothing comes, before it sees whether something
/// has waited.
const PATIENCE: Duration = Duration::from_millis(10);

/// A unit that is being searched: its place in the line.
struct InLine {
    file: usize,
    is_last: bool,
    /// The blocks of its file, if it is one of them.
    blocks: Option<Arc<Blocks>>,
    pieces: Receiver<Piece>,
    /// Told when it is first in the line.
    turn: SyncSender<()>,
}

/// The units that are left, and the line that they get into.
struct Rest<'w> {
    units: Units<'w>,
    line: Option<SyncSender<InLine>>,
    /// How many more threads may be started.
    threads: usize,
}

/// A unit that a thread has taken.
struct Taken {
    unit: Unit,
    pieces: SyncSender<Piece>,
    /// Tells when it is first in the line.
    turn: Receiver<()>,
    /// Whether another thread would have something to do.
    more: bool,
}

/// Why a run ended before its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Cancelled, or nobody takes the output any more.
    Stopped,
    /// No thread could be started, and the system's words.
    NoThread(String),
}

impl From<Stopped> for Broken {
    fn from(_: Stopped) -> Broken {
        Broken::Stopped
    }
}

impl Work<'_> {
    /// Searches all units, and gives what is found to `assembly`.
    pub(crate) fn run(
        &self,
        units: Units<'_>,
        assembly: &mut Assembly<'_, '_>,
    ) -> Result<(), Broken> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Broken::Stopped);
        }
        let threads = self.plan.threads.get();
        let (line, in_line) = sync_channel(threads);
        let shared = Shared {
            work: self,
            rest: Mutex::new(Rest { units, line: Some(line), threads: threads - 1 }),
            zone: Zone::local(),
            enough: AtomicBool::new(false),
        };
        std::thread::scope(|scope| {
            start(scope, || shared.search_units(scope)).map_err(Broken::NoThread)?;
            let result = self.gather(&in_line, assembly);
            // The threads see it when they take the next unit, or when nobody takes their pieces.
            shared.enough.store(true, Ordering::Relaxed);
            drop(in_line);
            result
        })
    }

    /// Empties the queues in order.
    fn gather(
        &self,
        line: &Receiver<InLine>,
        assembly: &mut Assembly<'_, '_>,
    ) -> Result<(), Broken> {
        while let Some(InLine { file, is_last, blocks, pieces, turn }) = next(line, assembly)? {
            let Some(file) = self.files.get(file) else { break };
            // It may be done, and not care.
            let _ = turn.send(());
            loop {
                match next(&pieces, assembly)? {
                    Some(Piece::Lines(bytes)) => assembly.lines(bytes)?,
                    Some(Piece::Part(bytes)) => assembly.part_of_line(bytes)?,
                    Some(Piece::Message(text)) => assembly.message(text)?,
                    Some(Piece::Read(bytes)) => assembly.note_read(bytes)?,
                    Some(Piece::Done(outcome)) => match assembly.part(file, is_last, outcome)? {
                        Next::End => return Ok(()),
                        Next::More => break,
                        Next::OtherFile => {
                            if let Some(blocks) = blocks {
                                // Those before were searched.
                                blocks.end_with(0);
                            }
                            break;
                        }
                    },
                    // The thread was cancelled.
                    None | Some(Piece::Timed(_) | Piece::End(_)) => return Err(Broken::Stopped),
                }
            }
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Broken::Stopped);
            }
        }
        if self.cancel.load(Ordering::Relaxed) { Err(Broken::Stopped) } else { Ok(()) }
    }
}

/// Does `work` on a thread of its own, and hands on what it finds; it ends with [`Piece::End`].
pub(crate) fn apart(
    output: &mut dyn Output,
    work: impl FnOnce(&SyncSender<Piece>) + Send,
) -> Totals {
    let stopped = Totals { interrupted: true, ..Totals::default() };
    let (sender, pieces) = sync_channel(PIECES);
    std::thread::scope(|scope| {
        if let Err(reason) = start(scope, move || work(&sender)) {
            let told = output.message(no_thread(&reason));
            return Totals { errors: 1, interrupted: told.is_err(), ..Totals::default() };
        }
        for piece in pieces {
            let taken = match piece {
                Piece::Lines(bytes) => output.lines(bytes),
                Piece::Part(bytes) => output.part(bytes),
                Piece::Timed(timed) => timed.hand_on(output),
                Piece::Message(text) => output.message(text),
                Piece::Read(bytes) => output.read(bytes),
                Piece::End(totals) => return totals,
                Piece::Done(_) => Ok(()),
            };
            if taken.is_err() {
                break;
            }
        }
        stopped
    })
}

/// What is said when the system gives no thread.
pub(crate) fn no_thread(reason: &str) -> String {
    format!("no thread can be started to search: {reason}")
}

/// What the threads of one run share.
struct Shared<'w> {
    work: &'w Work<'w>,
    rest: Mutex<Rest<'w>>,
    zone: Zone,
    /// Set once no more units are wanted.
    enough: AtomicBool,
}

impl<'w> Shared<'w> {
    /// What each thread does. The next is started when there is something for it to do.
    fn search_units<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>)
    where
        'w: 'scope,
    {
        let queue = RefCell::new(None);
        let mut output = Queue(&queue);
        // An engine's memory is its own: threads that share one wait for each other.
        let engine = self.work.search.engine.clone();
        let mut worker = Worker::new(self.work, &engine, &self.zone, &mut output);
        while !self.enough.load(Ordering::Relaxed)
            && let Some(Taken { unit, pieces, turn, more }) = self.take()
        {
            if more {
                // Without it, this one goes on alone.
                let _ = start(scope, || self.search_units(scope));
            }
            queue.replace(Some(pieces));
            let Some(file) = self.work.files.get(unit.file) else { return };
            let Ok(outcome) = worker.unit(file, unit, turn) else { return };
            // Nobody may be waiting any more.
            let _ = queue.take().map(|pieces| pieces.send(Piece::Done(outcome)));
        }
    }

    /// Takes the next unit, which gets in line.
    fn take(&self) -> Option<Taken> {
        // A thread that panicked while it held the lock has left it as it was.
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((unit, is_last)) = rest.units.next() else {
            // With the sender the line ends.
            rest.line = None;
            return None;
        };
        let (sender, pieces) = sync_channel(PIECES);
        let (told, turn) = sync_channel(1);
        let place = InLine { file: unit.file, is_last, blocks: unit.blocks(), pieces, turn: told };
        rest.line.as_ref()?.send(place).ok()?;
        let more = rest.threads > 0 && rest.units.has_more();
        rest.threads -= usize::from(more);
        Some(Taken { unit, pieces: sender, turn, more })
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
fn next<T>(queue: &Receiver<T>, assembly: &mut Assembly<'_, '_>) -> Result<Option<T>, Stopped> {
    loop {
        match queue.recv_timeout(PATIENCE) {
            Ok(item) => return Ok(Some(item)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => assembly.flush_if_late()?,
        }
    }
}
