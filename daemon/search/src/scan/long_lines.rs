//! Limits the memory for long lines. A line is searched as a whole, in memory. All searches that
//! share a limit hold one long line at a time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::line::{LONG_LINE_BYTES, MAX_JSON_LINE, MAX_LINE_BYTES};

/// How long a line waits for one of another search.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a waiting search checks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// How many bytes are a mebibyte.
const MEBIBYTE: usize = 1024 * 1024;

/// Lets one line longer than 4 MiB be in memory at a time. Clones share the limit.
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
    pub(crate) fn take(&self, patience: Duration, cancel: &AtomicBool) -> io::Result<Permit> {
        let since = Instant::now();
        // A thread that panicked while it held the lock did not change what it guards.
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            if cancel.load(Ordering::Relaxed) {
                return Err(io::Error::other("cancelled"));
            }
            if since.elapsed() >= patience {
                return Err(TooLong::Now.into());
            }
            taken = self
                .0
                .given_back
                .wait_timeout(taken, LOOK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *taken = true;
        Ok(Permit(self.clone()))
    }
}

/// The right to hold a long line, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(LongLines);

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.0.given_back.notify_one();
    }
}

/// What a task uses to get a permit when it meets a long line. It keeps the permit until it is
/// dropped.
#[derive(Debug)]
pub(crate) struct Claim<'w> {
    lines: &'w LongLines,
    cancel: &'w AtomicBool,
    /// Tells when all tasks before have handed on their output.
    turn: Receiver<()>,
    room: Option<Permit>,
}

impl<'w> Claim<'w> {
    pub(crate) fn new(
        lines: &'w LongLines,
        cancel: &'w AtomicBool,
        turn: Receiver<()>,
    ) -> Claim<'w> {
        Claim { lines, cancel, turn, room: None }
    }

    /// Whether there was a long line.
    pub(crate) fn is_made(&self) -> bool {
        self.room.is_some()
    }

    /// Call this with the number of bytes that were read of a line. If they are many, it waits for
    /// the task's turn and then for a permit. A task that took the permit before its turn could
    /// block a task before it.
    ///
    /// # Errors
    /// When the wait is too long, or the search is over.
    pub(crate) fn line_of(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > LONG_LINE_BYTES && self.room.is_none() {
            self.turn.recv().map_err(|_| io::Error::other("cancelled"))?;
            self.room = Some(self.lines.take(PATIENCE, self.cancel)?);
        }
        Ok(())
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
        let room = lines.take(PATIENCE, &RUNNING).unwrap();
        let refused = lines.clone().take(Duration::ZERO, &RUNNING).unwrap_err();
        assert_eq!(refused.downcast::<TooLong>().unwrap(), TooLong::Now);
        let next = std::thread::spawn(move || lines.take(PATIENCE, &RUNNING).is_ok());
        drop(room);
        assert!(next.join().unwrap());
    }

    #[test]
    fn a_search_that_waits_for_a_permit_can_be_cancelled() {
        let lines = LongLines::default();
        let _room = lines.take(PATIENCE, &RUNNING).unwrap();
        assert_eq!(
            lines.take(PATIENCE, &AtomicBool::new(true)).unwrap_err().to_string(),
            "cancelled"
        );
    }

    #[test]
    fn a_long_line_waits_for_its_turn_and_others_do_not() {
        let (lines, cancel) = (LongLines::default(), AtomicBool::new(false));
        let (turn, waiting) = sync_channel(1);
        let mut claim = Claim::new(&lines, &cancel, waiting);
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
}
