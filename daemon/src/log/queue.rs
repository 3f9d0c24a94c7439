//! Lines on their way to one target: bounded, and whoever hands one over never waits for the
//! target.

use crate::lock::lock;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many bytes of lines wait at most; further lines are lost, and counted.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// Between those who log and the thread that writes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    /// Lines handed over and lines dealt with, since the start.
    handed: u64,
    done: u64,
    /// Lines lost since the start.
    lost: u64,
    /// Why lines cannot be written now, if they cannot.
    trouble: Option<String>,
    closed: bool,
}

/// What the writing thread has to do next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Whole lines.
    pub(super) text: String,
    /// How many lines that is.
    pub(super) lines: u64,
    /// How many more there would be, had there been room.
    pub(super) lost: u64,
    /// Whether the target is to be opened anew first.
    pub(super) reopen: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Hands over one line, its newline included.
    pub(super) fn push(&self, line: &str) {
        let mut waiting = self.lock();
        if waiting.batch.text.len() + line.len() > MOST_BYTES {
            waiting.batch.lost += 1;
            waiting.lost += 1;
            return;
        }
        waiting.batch.text.push_str(line);
        waiting.batch.lines += 1;
        waiting.handed += 1;
        self.changed.notify_all();
    }

    /// Asks for the target to be opened anew.
    pub(super) fn reopen(&self) {
        let mut waiting = self.lock();
        // Counts as a line, so that who waits for the lines waits for this as well.
        waiting.handed += u64::from(!waiting.batch.reopen);
        waiting.batch.reopen = true;
        self.changed.notify_all();
    }

    /// Takes no more; what waits is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for something to do. None at the end.
    pub(super) fn take(&self) -> Option<Batch> {
        let idle = |waiting: &mut Waiting| waiting.batch == Batch::default() && !waiting.closed;
        let mut waiting =
            self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut waiting.batch);
        (batch != Batch::default()).then_some(batch)
    }

    /// Says that a batch is dealt with, how many of its lines were lost over that, and why lines
    /// cannot be written, if they cannot.
    pub(super) fn done(&self, batch: &Batch, lost: u64, trouble: Option<&String>) {
        let mut waiting = self.lock();
        waiting.trouble = trouble.cloned();
        waiting.done += batch.lines + u64::from(batch.reopen);
        waiting.lost += lost;
        self.changed.notify_all();
    }

    /// Waits until all that was handed over before is dealt with. Whether it was within the limit.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let waiting = self.lock();
        let until = waiting.handed;
        let behind = |waiting: &mut Waiting| waiting.done < until;
        let waited = self
            .changed
            .wait_timeout_while(waiting, limit, behind)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    /// Why lines cannot be written now, if they cannot.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// How many lines were lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_counts_what_it_loses_and_tells_it_with_the_next_batch() {
        let queue = Queue::default();
        let line = "x".repeat(MOST_BYTES / 4 - 1) + "\n";
        (0..7).for_each(|_| queue.push(&line));
        assert_eq!(queue.lost(), 3);
        let batch = queue.take().unwrap();
        assert_eq!((batch.lines, batch.lost, batch.text.len()), (4, 3, MOST_BYTES));
        queue.push(&line);
        assert_eq!(queue.take().unwrap().lost, 0, "told once");
        assert_eq!(queue.lost(), 3);
    }

    #[test]
    fn nobody_waits_for_a_writer_that_hangs() {
        let queue = Queue::default();
        queue.push("never written\n");
        queue.reopen();
        assert!(!queue.flush(Duration::from_millis(1)));
    }

    #[test]
    fn a_closed_queue_is_still_emptied() {
        let queue = Queue::default();
        queue.push("last\n");
        queue.close();
        assert_eq!(queue.take().unwrap().text, "last\n");
        assert_eq!(queue.take(), None);
    }
}
