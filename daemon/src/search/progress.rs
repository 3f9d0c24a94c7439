//! Counts the progress of a grep of all members. It owns the counters that `memberctl grep` shows.

use memberd_control::message::Reply;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one grep. They only grow.
#[derive(Debug, Default)]
pub(super) struct Progress {
    asked: AtomicU64,
    answered: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// Counts members that are asked, or will be.
    pub(super) fn note_asked(&self, members: usize) {
        self.asked.fetch_add(u64::try_from(members).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts a member that has ended or is lost.
    pub(super) fn note_answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes that a member has searched. A member may say any number.
    pub(super) fn note_bytes(&self, bytes: u64) {
        let add = |sum: u64| Some(sum.saturating_add(bytes));
        // The update is never refused.
        let _ = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// The counters as the client reads them.
    pub(super) fn reply(&self) -> Reply {
        let [asked, answered, bytes] =
            [&self.asked, &self.answered, &self.bytes].map(|count| count.load(Ordering::Relaxed));
        Reply::GrepProgress { asked, answered, bytes }
    }
}
