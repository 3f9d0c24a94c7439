//! Counts the places of an admission, and decides whose turn it is. It owns the counts and the
//! queue.

use crate::source::Source;
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::oneshot;

/// The places, and who waits for one.
#[derive(Debug)]
pub(super) struct Places {
    free: usize,
    /// Whether a source gets no more than its share.
    is_shared: bool,
    /// The sources that have places.
    taken: BTreeMap<Source, usize>,
    /// Nobody waits who could have a place.
    waiting: VecDeque<Waiting>,
    /// The number of the next to wait.
    next: u64,
}

/// Somebody who waits for a place.
#[derive(Debug)]
struct Waiting {
    number: u64,
    source: Source,
    /// Says that the place is taken for it.
    turn: oneshot::Sender<()>,
}

impl Places {
    /// So many free places.
    pub(super) fn new(limit: usize) -> Self {
        Places {
            free: limit,
            is_shared: false,
            taken: BTreeMap::new(),
            waiting: VecDeque::new(),
            next: 0,
        }
    }

    /// From now on no source gets more than its share.
    pub(super) fn share_out(&mut self) {
        self.is_shared = true;
    }

    /// The number of free places.
    pub(super) fn free(&self) -> usize {
        self.free
    }

    /// How many places a source has.
    pub(super) fn taken_by(&self, source: Source) -> usize {
        self.taken.get(&source).copied().unwrap_or(0)
    }

    /// Whether anybody waits.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes places, if the source may have that many more.
    pub(super) fn try_enter(&mut self, source: Source, places: usize) -> bool {
        let may = self.may_enter(source, places);
        if may {
            self.take(source, places);
        }
        may
    }

    /// Takes a place, or queues and returns the number of the waiting.
    pub(super) fn enter_or_wait(
        &mut self,
        source: Source,
        turn: oneshot::Sender<()>,
    ) -> Option<u64> {
        if self.try_enter(source, 1) {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.waiting.push_back(Waiting { number, source, turn });
        Some(number)
    }

    /// Leaves the queue, or gives back the place that it was called to.
    pub(super) fn give_up(&mut self, source: Source, number: u64) {
        match self.waiting.iter().position(|waiting| waiting.number == number) {
            Some(at) => drop(self.waiting.remove(at)),
            None => self.leave(source, 1),
        }
    }

    /// Gives places back, and calls whoever may have them now.
    pub(super) fn leave(&mut self, source: Source, places: usize) {
        self.free += places;
        if let Some(taken) = self.taken.get_mut(&source) {
            *taken = taken.saturating_sub(places);
            if *taken == 0 {
                self.taken.remove(&source);
            }
        }
        while let Some(called) = self.next_in_turn().and_then(|at| self.waiting.remove(at)) {
            self.take(called.source, 1);
            // Whoever waits leaves the queue before its receiver goes.
            let _ = called.turn.send(());
        }
    }

    /// Whoever waits, may enter, and has the fewest places; the first of these.
    fn next_in_turn(&self) -> Option<usize> {
        let may = self.waiting.iter().enumerate();
        may.filter(|(_, waiting)| self.may_enter(waiting.source, 1))
            .min_by_key(|(_, waiting)| self.taken_by(waiting.source))
            .map(|(at, _)| at)
    }

    /// Of shared places, the last one that a source takes may be taken only while more are free
    /// than it has then.
    fn may_enter(&self, source: Source, places: usize) -> bool {
        match self.free.checked_sub(places) {
            None => false,
            Some(left) => {
                places == 0 || !self.is_shared || self.taken_by(source) + places <= left + 1
            }
        }
    }

    fn take(&mut self, source: Source, places: usize) {
        self.free -= places;
        if places > 0 {
            *self.taken.entry(source).or_default() += places;
        }
    }
}
