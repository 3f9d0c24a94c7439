//! Limits how much work of one kind the daemon does at once. It owns the places for that work, and
//! the queue of those who wait for one. The table of all kinds is in ARCHITECTURE.md.
//!
//! A place is counted for a [`Source`]. A free place goes to the waiting source that has the fewest
//! places, and among those to whoever came first. Where places are [shared](Admission::shared), a
//! source gets a further place only while more are free than it has. So one source gets at most
//! half of all places, a second one half of the rest, and a newcomer still finds one. That is the
//! dynamic threshold of Choudhury and Hahne (IEEE/ACM Transactions on Networking 6(2), 1998).

mod places;

use crate::source::Source;
use places::Places;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::debug;

/// A limited number of places for work of one kind. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    name: &'static str,
    limit: usize,
    answer: fn(usize) -> String,
    /// The answer to a source that has its share, where places are shared.
    share_answer: Option<fn(usize) -> String>,
    places: Arc<Mutex<Places>>,
}

/// Some places that are taken until this value is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Admission,
    source: Source,
    places: usize,
}

/// Too few places are free. Its text is the answer to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Full(String);

impl Admission {
    /// Creates `limit` places. `answer` makes the client's text, from the limit, when all are
    /// taken.
    pub fn new(name: &'static str, limit: usize, answer: fn(usize) -> String) -> Self {
        let places = Arc::new(Mutex::new(Places::new(limit)));
        Admission { name, limit, answer, share_answer: None, places }
    }

    /// Creates `limit` places for work that waits or goes without, so that no client is answered.
    pub fn unanswered(name: &'static str, limit: usize) -> Self {
        Admission::new(name, limit, |limit| format!("all {limit} places are taken"))
    }

    /// Shares the places out, so that no source ever has all of them. `answer` makes the client's
    /// text, from the number of places that its source has, when that is its share.
    #[must_use]
    pub fn shared(mut self, answer: fn(usize) -> String) -> Self {
        self.lock().share_out();
        self.share_answer = Some(answer);
        self
    }

    /// Takes a place, and waits for one as long as none is free.
    pub async fn enter(&self) -> Permit {
        self.enter_as(Source::Anyone).await
    }

    /// Takes a place for this source, and waits in turn as long as there is none for it. Whoever
    /// drops the future gives up the turn.
    pub async fn enter_as(&self, source: Source) -> Permit {
        let (turn, called) = oneshot::channel();
        let queued = self.lock().enter_or_wait(source, turn);
        let Some(number) = queued else { return self.permit(source, 1) };
        let mut waiter = Waiter { admission: self, source, number, is_served: false };
        match called.await {
            Ok(()) => {
                waiter.is_served = true;
                self.permit(source, 1)
            }
            // The queue keeps the sender until the waiter is called.
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// When none is free.
    pub fn try_enter(&self) -> Result<Permit, Full> {
        self.try_enter_many(1)
    }

    /// Takes a place for this source.
    ///
    /// # Errors
    /// When there is none for it.
    pub fn try_enter_as(&self, source: Source) -> Result<Permit, Full> {
        self.try_enter_many_as(source, 1)
    }

    /// Takes several places at once.
    ///
    /// # Errors
    /// When fewer are free.
    pub fn try_enter_many(&self, places: usize) -> Result<Permit, Full> {
        self.try_enter_many_as(Source::Anyone, places)
    }

    /// Takes several places at once for this source.
    ///
    /// # Errors
    /// When there are fewer for it.
    pub fn try_enter_many_as(&self, source: Source, places: usize) -> Result<Permit, Full> {
        let is_taken = self.lock().try_enter(source, places);
        if is_taken { Ok(self.permit(source, places)) } else { Err(self.full(source)) }
    }

    /// Takes a place, and waits for one if none is free.
    ///
    /// # Errors
    /// When none becomes free within `limit`.
    pub async fn enter_within(&self, limit: Duration) -> Result<Permit, Full> {
        self.enter_within_as(Source::Anyone, limit).await
    }

    /// Takes a place for this source, and waits in turn if there is none for it.
    ///
    /// # Errors
    /// When its turn does not come within `limit`.
    pub async fn enter_within_as(&self, source: Source, limit: Duration) -> Result<Permit, Full> {
        timeout(limit, self.enter_as(source)).await.map_err(|_| self.full(source))
    }

    /// The number of all places.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The number of taken places.
    pub fn taken(&self) -> usize {
        self.limit.saturating_sub(self.lock().free())
    }

    /// Whether anybody waits for a place.
    pub fn is_waited_for(&self) -> bool {
        self.lock().is_waited_for()
    }

    fn permit(&self, source: Source, places: usize) -> Permit {
        Permit { admission: self.clone(), source, places }
    }

    fn full(&self, source: Source) -> Full {
        debug!(kind = self.name, limit = self.limit, %source, "no place is free");
        let (free, taken) = {
            let places = self.lock();
            (places.free(), places.taken_by(source))
        };
        match self.share_answer {
            Some(answer) if free > 0 && taken > 0 => Full(answer(taken)),
            _ => Full((self.answer)(self.limit)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // Every change is complete before anything could panic.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody in the queue. Dropped, it leaves the queue or gives back the place that it was called
/// to.
struct Waiter<'a> {
    admission: &'a Admission,
    source: Source,
    number: u64,
    is_served: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if !self.is_served {
            self.admission.lock().give_up(self.source, self.number);
        }
    }
}

impl Permit {
    /// The number of these places.
    pub fn places(&self) -> usize {
        self.places
    }

    /// Splits off this many places, if there are that many.
    pub fn split(&mut self, places: usize) -> Option<Permit> {
        self.places = self.places.checked_sub(places)?;
        Some(self.admission.permit(self.source, places))
    }

    /// Takes another place for the same source.
    ///
    /// # Errors
    /// When there is none for it.
    pub fn try_another(&self) -> Result<Permit, Full> {
        self.admission.try_enter_as(self.source)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.lock().leave(self.source, self.places);
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
