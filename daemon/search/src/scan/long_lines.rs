//! Limits the memory for long lines, and for large windows of compressed files. A line is searched
//! as a whole, in memory. All searches that share a limit hold one long line or large window at a
//! time.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::files::DecompressError;
use crate::line::{LONG_LINE_BYTES, MAX_JSON_LINE, MAX_LINE_BYTES};

/// How long a line waits for one of another search.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a waiting search checks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// How many bytes are a mebibyte.
const MEBIBYTE: usize = 1024 * 1024;

/// The longest line of a file with a large window, in bytes. Its buffer and the window have
/// together what the longest line has alone.
const MAX_LINE_WITH_WINDOW: usize = MAX_LINE_BYTES / 4;

/// Lets one line longer than 4 MiB be in memory at a time, or the window of one compressed file
/// that needs more than 16 MiB. Clones share the limit.
#[derive(Debug, Clone, Default)]
pub struct LongLines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    taken: Mutex<bool>,
    given_back: Condvar,
}

/// Why the rest of a file is not searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLong {
    #[error("a line, with its context, is longer than {} MiB: the rest of the file was not \
    searched", MAX_LINE_BYTES / MEBIBYTE)]
    Anyway,
    #[error("a line is longer than {} MiB, too long to be sorted by time: the rest of the file was \
    not searched", LONG_LINE_BYTES / MEBIBYTE)]
    ByTime,
    #[error("a line is longer than {} MiB, too long in a file that needs so much memory to be \
    decompressed: the rest of the file was not searched", MAX_LINE_WITH_WINDOW / MEBIBYTE)]
    WithWindow,
    #[error("a line is longer than {} MiB, too long for JSON: the rest of the file was not \
    searched", MAX_JSON_LINE / MEBIBYTE)]
    AsJson,
    #[error(
        "a line is longer than {} MiB, and another search has used the memory for such lines for \
        {} s: the rest of the file was not searched",
        LONG_LINE_BYTES / MEBIBYTE,
        PATIENCE.as_secs()
    )]
    Now,
}

impl From<TooLong> for io::Error {
    fn from(reason: TooLong) -> io::Error {
        io::Error::other(reason)
    }
}

impl LongLines {
    /// Waits for a permit. None when another search has kept it for so long.
    ///
    /// # Errors
    /// When the search was cancelled.
    pub(crate) fn take(
        &self,
        patience: Duration,
        cancel: &AtomicBool,
    ) -> io::Result<Option<Permit>> {
        let since = Instant::now();
        // A thread that panicked while it held the lock did not change what it guards.
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            if cancel.load(Ordering::Relaxed) {
                return Err(io::Error::other("cancelled"));
            }
            if since.elapsed() >= patience {
                return Ok(None);
            }
            taken = self
                .0
                .given_back
                .wait_timeout(taken, LOOK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *taken = true;
        Ok(Some(Permit(self.clone())))
    }
}

/// The right to hold a long line or a large window, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(LongLines);

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.0.given_back.notify_one();
    }
}

/// What a task uses to get a permit when it meets a long line, or a file with a large window. It
/// keeps the permit until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim<'w> {
    lines: &'w LongLines,
    cancel: &'w AtomicBool,
    order: Order,
    permit: RefCell<Option<Permit>>,
    /// The permit is for a window.
    has_window: Cell<bool>,
    /// How many bytes of the present line were read.
    line: Cell<usize>,
}

/// When a claim may wait for the permit.
#[derive(Debug)]
enum Order {
    /// When all tasks before have handed on their output. The channel tells that.
    Task(Receiver<()>),
    /// Unless another file of the same merge has it. All of them are open until the merge ends.
    Merge(Rc<Cell<bool>>),
}

impl<'w> Claim<'w> {
    /// The claim of a task. `turn` tells when all tasks before have handed on their output.
    pub(crate) fn new(
        lines: &'w LongLines,
        cancel: &'w AtomicBool,
        turn: Receiver<()>,
    ) -> Claim<'w> {
        Claim::ordered(lines, cancel, Order::Task(turn))
    }

    /// The claim of a file of a merge, whose files share `taken`: whether one of them has the
    /// permit.
    pub(crate) fn of_merge(
        lines: &'w LongLines,
        cancel: &'w AtomicBool,
        taken: &Rc<Cell<bool>>,
    ) -> Claim<'w> {
        Claim::ordered(lines, cancel, Order::Merge(Rc::clone(taken)))
    }

    fn ordered(lines: &'w LongLines, cancel: &'w AtomicBool, order: Order) -> Claim<'w> {
        let (permit, has_window, line) = (RefCell::default(), Cell::default(), Cell::default());
        Claim { lines, cancel, order, permit, has_window, line }
    }

    /// Whether the permit was needed.
    pub(crate) fn is_made(&self) -> bool {
        self.permit.borrow().is_some()
    }

    /// Call this with the number of bytes that were read of a line. If they are many, it waits for
    /// the task's turn and then for a permit.
    ///
    /// # Errors
    /// When the wait is too long, or the search is over.
    pub(crate) fn line_of(&self, bytes: usize) -> io::Result<()> {
        self.line.set(bytes);
        if bytes > MAX_LINE_WITH_WINDOW && self.has_window.get() {
            return Err(TooLong::WithWindow.into());
        }
        if bytes > LONG_LINE_BYTES && !self.take()? {
            return Err(TooLong::Now.into());
        }
        Ok(())
    }

    /// Call this before a window of more than 16 MiB is in memory. It waits as for a long line.
    ///
    /// # Errors
    /// When the wait is too long, the present line is too long beside a window, or the search is
    /// over.
    pub(crate) fn window(&self) -> io::Result<()> {
        if self.line.get() > MAX_LINE_WITH_WINDOW {
            return Err(TooLong::WithWindow.into());
        }
        if !self.take()? {
            return Err(match self.order {
                Order::Task(_) => DecompressError::Taken { seconds: PATIENCE.as_secs() }.into(),
                Order::Merge(_) => DecompressError::TakenByMerge.into(),
            });
        }
        self.has_window.set(true);
        Ok(())
    }

    /// Gets the permit, unless it is there already. A task that took it before its turn could block
    /// a task before it. False when another has it for too long.
    fn take(&self) -> io::Result<bool> {
        if self.is_made() {
            return Ok(true);
        }
        match &self.order {
            Order::Task(turn) => turn.recv().map_err(|_| io::Error::other("cancelled"))?,
            Order::Merge(taken) if taken.get() => return Ok(false),
            Order::Merge(_) => {}
        }
        let permit = self.lines.take(PATIENCE, self.cancel)?;
        let is_taken = permit.is_some();
        if let Order::Merge(taken) = &self.order {
            taken.set(is_taken);
        }
        *self.permit.borrow_mut() = permit;
        Ok(is_taken)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Order::Merge(taken) = &self.order
            && self.is_made()
        {
            taken.set(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    static RUNNING: AtomicBool = AtomicBool::new(false);

    #[test]
    fn one_permit_at_a_time_and_the_next_after_it_is_dropped() {
        let lines = LongLines::default();
        let permit = lines.take(PATIENCE, &RUNNING).unwrap();
        assert!(lines.clone().take(Duration::ZERO, &RUNNING).unwrap().is_none());
        let next = std::thread::spawn(move || lines.take(PATIENCE, &RUNNING).unwrap().is_some());
        drop(permit);
        assert!(next.join().unwrap());
    }

    #[test]
    fn a_search_that_waits_for_a_permit_can_be_cancelled() {
        let lines = LongLines::default();
        let _permit = lines.take(PATIENCE, &RUNNING).unwrap();
        assert_eq!(
            lines.take(PATIENCE, &AtomicBool::new(true)).unwrap_err().to_string(),
            "cancelled"
        );
    }

    #[test]
    fn a_long_line_waits_for_its_turn_and_others_do_not() {
        let (lines, cancel) = (LongLines::default(), AtomicBool::new(false));
        let (turn, waiting) = sync_channel(1);
        let claim = Claim::new(&lines, &cancel, waiting);
        claim.line_of(LONG_LINE_BYTES).unwrap();
        assert!(!claim.is_made());
        turn.send(()).unwrap();
        claim.line_of(LONG_LINE_BYTES + 1).unwrap();
        assert!(claim.is_made());
        let (turn, waiting) = sync_channel(1);
        drop(turn);
        assert!(
            Claim::new(&lines, &cancel, waiting).line_of(LONG_LINE_BYTES + 1).is_err(),
            "nobody takes the output"
        );
    }

    #[test]
    fn a_large_window_and_a_very_long_line_are_not_together() {
        let (lines, cancel) = (LongLines::default(), AtomicBool::new(false));
        let claim = || {
            let (turn, waiting) = sync_channel(1);
            turn.send(()).unwrap();
            Claim::new(&lines, &cancel, waiting)
        };
        let one = claim();
        one.window().unwrap();
        one.window().unwrap();
        one.line_of(MAX_LINE_WITH_WINDOW).unwrap();
        let error = one.line_of(MAX_LINE_WITH_WINDOW + 1).unwrap_err();
        assert_eq!(error.downcast::<TooLong>().unwrap(), TooLong::WithWindow);
        drop(one);
        let other = claim();
        other.line_of(MAX_LINE_WITH_WINDOW + 1).unwrap();
        let error = other.window().unwrap_err();
        assert_eq!(error.downcast::<TooLong>().unwrap(), TooLong::WithWindow);
    }

    #[test]
    fn a_file_of_a_merge_does_not_wait_for_another_of_it() {
        let (lines, cancel) = (LongLines::default(), AtomicBool::new(false));
        let taken = Rc::default();
        let claim = || Claim::of_merge(&lines, &cancel, &taken);
        let (one, other) = (claim(), claim());
        one.window().unwrap();
        assert!(other.window().unwrap_err().to_string().contains("one such file at a time"));
        drop(other);
        assert!(claim().window().is_err(), "the first still has it");
        drop(one);
        claim().window().unwrap();
    }
}
