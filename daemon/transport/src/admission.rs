//! Limits how much work of one kind the daemon does at once. It owns the places for that work. The
//! table of all kinds is in ARCHITECTURE.md.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::debug;

/// A limited number of places for work of one kind. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    name: &'static str,
    limit: usize,
    answer: fn(usize) -> String,
    places: Arc<Semaphore>,
}

/// Some places that are taken until this value is dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Admission,
    places: OwnedSemaphorePermit,
}

/// Too few places are free. Its text is the answer to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Full(String);

impl Admission {
    /// Creates `limit` places. `answer` makes the client's text, from the limit, when all are
    /// taken.
    pub fn new(name: &'static str, limit: usize, answer: fn(usize) -> String) -> Self {
        Admission { name, limit, answer, places: Arc::new(Semaphore::new(limit)) }
    }

    /// Creates `limit` places for work that waits or goes without, so that no client is answered.
    pub fn unanswered(name: &'static str, limit: usize) -> Self {
        Admission::new(name, limit, |limit| format!("all {limit} places are taken"))
    }

    /// Takes a place, and waits for one as long as none is free.
    pub async fn enter(&self) -> Permit {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(places) => Permit { admission: self.clone(), places },
            // Only a closed semaphore fails, and nobody closes it.
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

    /// Takes several places at once.
    ///
    /// # Errors
    /// When fewer are free.
    pub fn try_enter_many(&self, places: usize) -> Result<Permit, Full> {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.places).try_acquire_many_owned(places);
        self.permit(taken.ok())
    }

    /// Takes a place, and waits for one if none is free.
    ///
    /// # Errors
    /// When none becomes free within `limit`.
    pub async fn enter_within(&self, limit: Duration) -> Result<Permit, Full> {
        let taken = timeout(limit, Arc::clone(&self.places).acquire_owned()).await;
        self.permit(taken.ok().and_then(Result::ok))
    }

    /// The number of all places.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The number of taken places.
    pub fn taken(&self) -> usize {
        self.limit.saturating_sub(self.places.available_permits())
    }

    fn permit(&self, places: Option<OwnedSemaphorePermit>) -> Result<Permit, Full> {
        match places {
            Some(places) => Ok(Permit { admission: self.clone(), places }),
            None => {
                debug!(kind = self.name, limit = self.limit, "no place is free");
                Err(Full((self.answer)(self.limit)))
            }
        }
    }
}

impl Permit {
    /// The admission that the places belong to.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The number of these places.
    pub fn places(&self) -> usize {
        self.places.num_permits()
    }

    /// Splits off this many places, if there are that many.
    pub fn split(&mut self, places: usize) -> Option<Permit> {
        let places = self.places.split(places)?;
        Some(Permit { admission: self.admission.clone(), places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(limit: usize) -> Admission {
        Admission::new("tests", limit, |limit| format!("{limit} tests run already"))
    }

    #[test]
    fn places_are_taken_until_their_permit_is_dropped() {
        let admission = admission(2);
        let first = admission.try_enter().unwrap();
        let second = admission.try_enter().unwrap();
        assert_eq!(admission.taken(), 2);
        let full = admission.try_enter().unwrap_err();
        assert_eq!(full.to_string(), "2 tests run already");
        drop(first);
        assert_eq!(admission.taken(), 1);
        assert!(admission.try_enter_many(2).is_err());
        drop(second);
        assert_eq!(admission.try_enter_many(2).unwrap().places(), 2);
        assert_eq!(admission.taken(), 0);
    }

    #[test]
    fn a_part_of_a_permit_gives_back_its_own_places() {
        let admission = admission(3);
        let mut all = admission.try_enter_many(3).unwrap();
        let part = all.split(2).unwrap();
        assert!(all.split(2).is_none());
        assert_eq!(all.places(), 1);
        drop(part);
        assert_eq!(admission.taken(), 1);
        assert_eq!(all.admission().taken(), 1);
    }

    #[tokio::test]
    async fn a_place_that_becomes_free_in_time_is_taken() {
        let admission = admission(1);
        let only = admission.try_enter().unwrap();
        let waiting = admission.clone();
        let waiter =
            tokio::spawn(async move { waiting.enter_within(Duration::from_secs(60)).await });
        tokio::task::yield_now().await;
        drop(only);
        let taken = waiter.await.unwrap();
        assert!(taken.is_ok());
        assert!(admission.enter_within(Duration::from_millis(1)).await.is_err());
        let waiting = admission.clone();
        let waiter = tokio::spawn(async move { waiting.enter().await.places() });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(taken);
        assert_eq!(waiter.await.unwrap(), 1);
    }
}
