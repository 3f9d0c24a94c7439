//! The memory that all searches of a process share: a budget of bytes. It owns what is taken of it,
//! and who waits for more. `takers.rs` knows whom it is taken for.
//!
//! A search takes bytes before it uses them, and waits while others have them. Who has waited for
//! too long is refused in words. What was taken is a [`Lease`], which gives it back when it is
//! dropped.
//!
//! Nobody waits for a search that waits for it. Each [`Share`] is a part of the budget that the
//! others never use, but for very long lines. A search waits for shares in their order here, and
//! for one lease of each at most:
//!
//! 1. What it needs from its start on ([`Share::Start`]). It holds nothing yet. A merge that finds
//!    no more there for its files is dropped, and compiled again once there is enough for both.
//! 2. A window to decompress a file ([`Share::Window`]). A task takes it once all tasks before it
//!    have handed on their output. A task whose turn has not come takes it from [`Share::Early`],
//!    or waits for its turn without a lease.
//! 3. A long line ([`Share::Line`]), in the task's turn as well.
//! 4. The backtracking in one line ([`Share::Match`]). Meanwhile it waits for nothing else, not
//!    even for the reader of its output, so that it ends by itself.
//!
//! So by going from the last share to the first, each wait ends: whoever holds a share waits for
//! later ones alone, or for the reader of its output. That one may be slow, and so every wait has a
//! limit. Windows of more than 50 MiB, such as those of xz -8 and -9, and lines of more than 4 MiB
//! need more than their share. They may have what is free of all shares, one window and one line at
//! a time. So the budget is what bounds a window, which leaves enough for the start of a search.
//!
//! No source has the whole of the first share. Beside its first search, it gets more only while
//! enough stays free for others. All searches that follow leave a quarter of it to those that end.
//! A search whose output nobody reads ends when others wait for what it has, one search at a time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::takers::{Sources, Taker, Unread};

/// How many bytes are a mebibyte.
pub(crate) const MEBIBYTE: usize = 1024 * 1024;

/// How often who waits checks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// How long a search waits for memory while it runs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The windows of compressed files: two of xz -7, or one of any other format. That of xz has 16
/// MiB, and half of it is there twice when it grows.
const WINDOW_BYTES: usize = 50 * MEBIBYTE;

/// What tasks whose turn has not come may have for windows. xz -6 needs that much.
pub(crate) const MAX_EARLY_BYTES: usize = 13 * MEBIBYTE;

/// The backtracking in one line: twice the limit of its heap, since PCRE2 copies it to let it grow.
pub(crate) const MATCH_BYTES: usize = 33 * MEBIBYTE;

/// The lease of a long line, until it is longer than 4 MiB.
pub(crate) const LINE_BYTES: usize = 8 * MEBIBYTE;

/// How many long lines there may be at once.
const LINES: usize = 2;

/// What searches need at their start, at least: one with the largest automata.
const LEAST_START: usize = 48 * MEBIBYTE;

/// The parts that have the same size in every budget.
const FIXED: usize = WINDOW_BYTES + MAX_EARLY_BYTES + MATCH_BYTES + LINES * LINE_BYTES;

/// What a lease is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Compiled patterns, and the buffers of a search.
    Start,
    /// Windows to decompress files, of tasks whose turn has not come.
    Early,
    /// Windows to decompress files.
    Window,
    /// Lines of more than 128 KiB.
    Line,
    /// Backtracking that needs much memory.
    Match,
}

/// How many shares there are.
pub(crate) const SHARES: usize = 5;

/// All of them.
const ALL_SHARES: [Share; SHARES] =
    [Share::Start, Share::Early, Share::Window, Share::Line, Share::Match];

/// A budget of bytes. Clones share it. What is taken with one is counted for one search.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    shared: Arc<Shared>,
    taker: Arc<Taker>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    state: Mutex<State>,
    given_back: Condvar,
    refused: AtomicU64,
}

/// What is taken, and who waits for more.
#[derive(Debug, Default)]
struct State {
    used: [usize; SHARES],
    /// The most that was taken at once.
    most: usize,
    /// What each source has.
    sources: Sources,
    unread: Unread,
    /// Those who wait for each share, the first first.
    waiting: [VecDeque<Waiter>; SHARES],
    next_ticket: u64,
    /// How many leases of each share wait to grow beyond it.
    growing: [usize; SHARES],
    /// What the leases that are larger than each share have beyond it.
    outgrown: [usize; SHARES],
}

/// Who waits for bytes of a share.
#[derive(Debug)]
struct Waiter {
    ticket: u64,
    taker: Arc<Taker>,
    bytes: usize,
}

impl State {
    fn add(&mut self, taker: &Taker, share: Share, bytes: usize) {
        self.used[share as usize] += bytes;
        self.most = self.most.max(self.used.iter().sum());
        self.sources.add(taker, share, bytes);
    }

    fn remove(&mut self, taker: &Taker, share: Share, bytes: usize) {
        self.used[share as usize] -= bytes;
        self.sources.remove(taker, share, bytes);
    }
}

/// Why there is no memory for a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMemory {
    /// The search was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Other searches have had the memory for too long.
    #[error(
        "other searches have used the memory for searches, limits.search_memory, for {seconds} s: \
        try again later"
    )]
    Taken {
        /// How long it was waited for.
        seconds: u64,
    },
    /// Searches of the same source have had its share of the memory for too long.
    #[error(
        "searches of the same user or machine have used their share of the memory for searches, \
        limits.search_memory, for {seconds} s: try again later"
    )]
    Shared {
        /// How long it was waited for.
        seconds: u64,
    },
    /// Searches that follow have had their part of the memory for too long.
    #[error(
        "searches that follow have used their part of the memory for searches, \
        limits.search_memory, for {seconds} s: end one, or try again later"
    )]
    Lasting {
        /// How long it was waited for.
        seconds: u64,
    },
    /// More is needed than there will ever be.
    #[error(
        "it needs {mebibytes} MiB of memory, for which limits.search_memory must be {setting}MiB \
        or more"
    )]
    Never {
        /// How much is needed, in MiB.
        mebibytes: usize,
        /// The least budget that has room for it, in MiB.
        setting: usize,
    },
}

impl Default for MemoryBudget {
    /// A budget of [`MemoryBudget::DEFAULT_BYTES`].
    fn default() -> Self {
        MemoryBudget::new(MemoryBudget::DEFAULT_BYTES)
    }
}

impl MemoryBudget {
    /// The default: together with all else it stays below the 256 MiB of the packaged service.
    pub const DEFAULT_BYTES: usize = 216 * MEBIBYTE;

    /// The smallest budget. It has room for each kind of search, but for very long lines.
    pub const LEAST_BYTES: usize = FIXED + LEAST_START;

    /// A budget of this many bytes, at least [`MemoryBudget::LEAST_BYTES`].
    pub fn new(bytes: usize) -> Self {
        let shared = Shared {
            limit: bytes.max(Self::LEAST_BYTES),
            state: Mutex::default(),
            given_back: Condvar::new(),
            refused: AtomicU64::new(0),
        };
        MemoryBudget { shared: Arc::new(shared), taker: Arc::default() }
    }

    /// The same budget for another search, which is counted for this source. Sources are only
    /// compared. A search that `lasts` has no time limit, and leaves more to other sources.
    #[must_use]
    pub fn for_search(&self, source: Option<String>, lasts: bool) -> Self {
        let shared = Arc::clone(&self.shared);
        MemoryBudget { shared, taker: Arc::new(Taker::new(source, lasts)) }
    }

    /// The whole budget, in bytes.
    pub fn limit_bytes(&self) -> usize {
        self.shared.limit
    }

    /// The bytes that searches have taken.
    pub fn used_bytes(&self) -> usize {
        self.state().used.iter().sum()
    }

    /// The most bytes that searches have had at once.
    pub fn most_bytes(&self) -> usize {
        self.state().most
    }

    /// How often a search was refused memory.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Notes that nobody reads this search's output; call it twice a second while that is so. True
    /// if it must end, since others wait for what it has. Then it has most of all such searches,
    /// and no other one is about to end.
    pub fn note_unread(&self) -> bool {
        let mut state = self.state();
        let mut unread = std::mem::take(&mut state.unread);
        let must_end = unread.note(&self.taker, |taker| self.is_in_the_way(&state, taker));
        state.unread = unread;
        must_end
    }

    /// Whether others wait for what a search has.
    fn is_in_the_way(&self, state: &State, taker: &Taker) -> bool {
        ALL_SHARES.into_iter().filter(|share| taker.has(*share) > 0).any(|share| {
            let waiting = state.waiting[share as usize].iter();
            let mut others = waiting.filter(|waiter| !std::ptr::eq(&*waiter.taker, taker));
            state.growing[share as usize] > 0
                || others.any(|waiter| {
                    if self.may_have(state, &waiter.taker, share, waiter.bytes) {
                        !self.has_room(state, share, waiter.bytes)
                    } else {
                        waiter.taker.has_source_of(taker)
                            || (taker.lasts()
                                && self.too_much_lasts(state, &waiter.taker, share, waiter.bytes))
                    }
                })
        })
    }

    /// The bytes of a share.
    pub(crate) fn bytes_of(&self, share: Share) -> usize {
        match share {
            Share::Start => self.shared.limit - FIXED,
            Share::Early => MAX_EARLY_BYTES,
            Share::Window => WINDOW_BYTES,
            Share::Line => LINES * LINE_BYTES,
            Share::Match => MATCH_BYTES,
        }
    }

    /// Whether a lease of a share can ever have as much.
    pub(crate) fn can_have(&self, share: Share, bytes: usize) -> bool {
        self.needed_for(share, bytes) <= self.shared.limit
    }

    /// The least budget in which a lease of a share can have as much. Searches can start beside a
    /// window. A long line may have all but what its own search needs from its start on.
    fn needed_for(&self, share: Share, bytes: usize) -> usize {
        bytes.saturating_add(match share {
            Share::Start => FIXED,
            Share::Window | Share::Early => LEAST_START,
            Share::Line | Share::Match => self.taker.has(Share::Start),
        })
    }

    /// Takes bytes if they are there and nobody waits for them.
    pub(crate) fn try_take(&self, share: Share, bytes: usize) -> Option<Lease> {
        let mut state = self.state();
        self.has_turn(&state, share, bytes, None).then(|| {
            state.add(&self.taker, share, bytes);
            self.lease(share, bytes)
        })
    }

    /// As [`MemoryBudget::try_take`], if then at most this part of the share is taken.
    pub(crate) fn try_take_within(&self, share: Share, bytes: usize, most: usize) -> Option<Lease> {
        let is_within = self.state().used[share as usize].saturating_add(bytes) <= most;
        if is_within { self.try_take(share, bytes) } else { None }
    }

    /// Takes bytes. Waits until they are there, and until all are served who have waited for this
    /// share before.
    ///
    /// # Errors
    /// When there will never be as many, when others have them for too long, or when the search was
    /// cancelled.
    pub(crate) fn take(
        &self,
        share: Share,
        bytes: usize,
        patience: Duration,
        cancel: &AtomicBool,
    ) -> Result<Lease, NoMemory> {
        if let Some(lease) = self.try_take(share, bytes) {
            return Ok(lease);
        }
        if bytes > self.bytes_of(share) {
            let mut lease = self.lease(share, 0);
            return lease.outgrow(bytes, patience, cancel).map(|()| lease);
        }
        let mut state = self.state();
        let (ticket, at) = (state.next_ticket, share as usize);
        state.next_ticket += 1;
        state.waiting[at].push_back(Waiter { ticket, taker: Arc::clone(&self.taker), bytes });
        let (mut state, waited) = self.wait(state, patience, cancel, |state| {
            self.has_turn(state, share, bytes, Some(ticket))
        });
        state.waiting[at].retain(|waiter| waiter.ticket != ticket);
        // The next in the line may have room now, also if this one gave up.
        self.shared.given_back.notify_all();
        waited.map_err(|reason| match reason {
            NoMemory::Taken { seconds }
                if self.too_much_lasts(&state, &self.taker, share, bytes) =>
            {
                self.refuse(NoMemory::Lasting { seconds })
            }
            NoMemory::Taken { seconds } if !self.may_have(&state, &self.taker, share, bytes) => {
                self.refuse(NoMemory::Shared { seconds })
            }
            reason => self.refuse(reason),
        })?;
        state.add(&self.taker, share, bytes);
        Ok(self.lease(share, bytes))
    }

    fn lease(&self, share: Share, bytes: usize) -> Lease {
        Lease { budget: self.clone(), share, bytes, outgrown: 0 }
    }

    /// Whether a search may take as much now. Those who have waited for longer come first, but for
    /// those that must not have more yet.
    fn has_turn(&self, state: &State, share: Share, bytes: usize, ticket: Option<u64>) -> bool {
        let mut earlier = state.waiting[share as usize]
            .iter()
            .take_while(|waiter| ticket.is_none_or(|ticket| waiter.ticket != ticket));
        self.may_have(state, &self.taker, share, bytes)
            && self.has_room(state, share, bytes)
            && !earlier.any(|other| self.may_have(state, &other.taker, share, other.bytes))
    }

    /// Whether a search's source may have as much more of a share.
    fn may_have(&self, state: &State, taker: &Taker, share: Share, bytes: usize) -> bool {
        let (used, all) = (state.used[share as usize], self.bytes_of(share));
        share != Share::Start || state.sources.may_have(taker, bytes, used, all)
    }

    /// Whether a search may not have as much more since searches that follow have their part.
    fn too_much_lasts(&self, state: &State, taker: &Taker, share: Share, bytes: usize) -> bool {
        let all = self.bytes_of(share);
        share == Share::Start && state.sources.too_much_lasts(taker, bytes, all)
    }

    /// Whether as much is free of a share, and of the whole: some leases take from all.
    fn has_room(&self, state: &State, share: Share, bytes: usize) -> bool {
        let at = share as usize;
        let own = (state.used[at] - state.outgrown[at]).saturating_add(bytes);
        own <= self.bytes_of(share) && self.has_free(state, bytes)
    }

    /// Whether as much is free of the whole.
    fn has_free(&self, state: &State, bytes: usize) -> bool {
        state.used.iter().sum::<usize>().saturating_add(bytes) <= self.shared.limit
    }

    /// Waits until something holds. It looks again whenever bytes are given back.
    fn wait<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        patience: Duration,
        cancel: &AtomicBool,
        holds: impl Fn(&State) -> bool,
    ) -> (MutexGuard<'s, State>, Result<(), NoMemory>) {
        let since = Instant::now();
        while !holds(&state) {
            if cancel.load(Ordering::Relaxed) {
                return (state, Err(NoMemory::Cancelled));
            }
            if since.elapsed() >= patience {
                return (state, Err(NoMemory::Taken { seconds: patience.as_secs() }));
            }
            let waited = self.shared.given_back.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        (state, Ok(()))
    }

    /// Counts a refusal.
    fn refuse(&self, reason: NoMemory) -> NoMemory {
        if reason != NoMemory::Cancelled {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
        }
        reason
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock has left the numbers as they were.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that were taken. They are given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: MemoryBudget,
    share: Share,
    bytes: usize,
    /// How much of it is beyond its share.
    outgrown: usize,
}

impl Lease {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn share(&self) -> Share {
        self.share
    }

    /// Gives back all but this many bytes.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let mut state = self.budget.state();
        let less = self.bytes.saturating_sub(bytes);
        state.remove(&self.budget.taker, self.share, less);
        self.bytes = self.bytes.min(bytes);
        self.budget.shared.given_back.notify_all();
    }

    /// Takes this many bytes more of its share, if they are there and nobody waits for them.
    pub(crate) fn try_grow(&mut self, more: usize) -> bool {
        let mut state = self.budget.state();
        let has_turn = self.budget.has_turn(&state, self.share, more, None);
        if has_turn {
            state.add(&self.budget.taker, self.share, more);
            self.bytes += more;
        }
        has_turn
    }

    /// Lets the lease grow to this many bytes, beyond its share. One lease of a share does so at a
    /// time. The bytes may be those of any share that are not taken.
    ///
    /// # Errors
    /// As [`MemoryBudget::take`].
    pub(crate) fn outgrow(
        &mut self,
        bytes: usize,
        patience: Duration,
        cancel: &AtomicBool,
    ) -> Result<(), NoMemory> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let budget = self.budget.clone();
        let at = self.share as usize;
        if self.share == Share::Start || !budget.can_have(self.share, bytes) {
            let setting = budget.needed_for(self.share, bytes).div_ceil(MEBIBYTE);
            let mebibytes = bytes.div_ceil(MEBIBYTE);
            return Err(budget.refuse(NoMemory::Never { mebibytes, setting }));
        }
        let own = self.outgrown;
        let mut state = budget.state();
        state.growing[at] += 1;
        let (mut state, waited) = budget.wait(state, patience, cancel, |state| {
            state.outgrown[at] == own && budget.has_free(state, more)
        });
        state.growing[at] -= 1;
        waited.map_err(|reason| budget.refuse(reason))?;
        state.add(&budget.taker, self.share, more);
        state.outgrown[at] += more;
        self.outgrown += more;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        let at = self.share as usize;
        state.remove(&self.budget.taker, self.share, self.bytes);
        state.outgrown[at] -= self.outgrown;
        self.budget.shared.given_back.notify_all();
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
