//! Owns the records on their way to one target. The queue is bounded, and no thread that logs waits
//! for the target.

use super::record::Record;
use crate::lock::lock;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most bytes of waiting records. Further records are lost and counted.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The queue between the threads that log and the thread that writes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    /// The number of records that were pushed, and of those that were handled, since the start.
    handed: u64,
    done: u64,
    /// The number of records lost since the start.
    lost: u64,
    /// Why records cannot be written now, if they cannot.
    trouble: Option<String>,
    closed: bool,
}

/// The next work of the writing thread.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// The records, the oldest first.
    pub(super) records: Vec<Arc<Record>>,
    /// The bytes of all records together.
    bytes: usize,
    /// The number of records that found no room.
    pub(super) lost: u64,
    /// Whether to reopen the target first.
    pub(super) reopen: bool,
}

impl Batch {
    /// The number of records.
    fn count(&self) -> u64 {
        u64::try_from(self.records.len()).unwrap_or(u64::MAX)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Adds one record.
    pub(super) fn push(&self, record: Arc<Record>) {
        let mut waiting = self.lock();
        let bytes = waiting.batch.bytes + record.size();
        if bytes > MOST_BYTES {
            waiting.batch.lost += 1;
            waiting.lost += 1;
            return;
        }
        waiting.batch.records.push(record);
        waiting.batch.bytes = bytes;
        waiting.handed += 1;
        self.changed.notify_all();
    }

    /// Requests that the target be reopened.
    pub(super) fn reopen(&self) {
        let mut waiting = self.lock();
        // The request counts as a record, so that a flush waits for it too.
        waiting.handed += u64::from(!waiting.batch.reopen);
        waiting.batch.reopen = true;
        self.changed.notify_all();
    }

    /// Closes the queue. The waiting records are still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the next work; `None` after the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Batch> {
        let idle = |waiting: &mut Waiting| waiting.batch == Batch::default() && !waiting.closed;
        let mut waiting =
            self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(&mut waiting.batch);
        (batch != Batch::default()).then_some(batch)
    }

    /// Notes that a batch was handled, how many of its records were lost, and the problem that
    /// prevents writing, if any.
    pub(super) fn done(&self, batch: &Batch, lost: u64, trouble: Option<&String>) {
        let mut waiting = self.lock();
        waiting.trouble = trouble.cloned();
        waiting.done += batch.count() + u64::from(batch.reopen);
        waiting.lost += lost;
        self.changed.notify_all();
    }

    /// Waits until all earlier records are handled. Returns whether that happened within the limit.
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

    /// Why records cannot be written now, if they cannot.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// How many records were lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn record(message: &str) -> Arc<Record> {
        Arc::new(Record::notice(Level::INFO, message))
    }

    #[test]
    fn a_full_queue_counts_lost_records_and_reports_them_once() {
        let queue = Queue::default();
        let empty = record("").size();
        let quarter = record(&"x".repeat(MOST_BYTES / 4 - empty));
        (0..7).for_each(|_| queue.push(Arc::clone(&quarter)));
        assert_eq!(queue.lost(), 3);
        let batch = queue.take().unwrap();
        assert_eq!(batch.count(), 4);
        assert_eq!(batch.bytes, MOST_BYTES);
        assert_eq!(batch.lost, 3);
        queue.push(quarter);
        assert_eq!(queue.take().unwrap().lost, 0, "the loss is reported once");
        assert_eq!(queue.lost(), 3);
    }

    #[test]
    fn nobody_waits_for_a_writer_that_hangs() {
        let queue = Queue::default();
        queue.push(record("never written"));
        queue.reopen();
        assert!(!queue.flush(Duration::from_millis(1)));
    }

    #[test]
    fn a_closed_queue_is_still_emptied() {
        let queue = Queue::default();
        let last = record("last");
        queue.push(Arc::clone(&last));
        queue.close();
        assert_eq!(queue.take().unwrap().records, [last]);
        assert_eq!(queue.take(), None);
    }
}
