//! Greps: of this machine's logs for another member (`serve`), and of all members' logs for a client (`fan_out`).

pub mod fan_out;
mod query;
pub mod reply;
pub mod serve;

use memberd_control::grep::GrepRequest;
use memberd_search::{Narrow, Offer};
use query::query;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use tokio::sync::Semaphore;

/// How many searches run on this machine at once, those included whose reader has stopped reading.
const SEARCHES: usize = 32;

/// What searching needs: what this machine offers, and how much it does at once.
#[derive(Debug)]
pub struct Searches {
    /// This machine's name, before every line.
    machine: String,
    offer: RwLock<Arc<Offer>>,
    slots: Arc<Semaphore>,
    finished: AtomicU64,
    bytes: AtomicU64,
}

/// How much was and is searched here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Searches that run now.
    pub running: u64,
    /// Searches that came to their end since the daemon started.
    pub finished: u64,
    /// Bytes that those searched.
    pub bytes: u64,
}

impl Searches {
    /// Searches of what is offered.
    pub fn new(machine: String, offer: Offer) -> Self {
        let slots = Arc::new(Semaphore::new(SEARCHES));
        let offer = RwLock::new(Arc::new(offer));
        Searches { machine, offer, slots, finished: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Offers something else from now on.
    pub fn set_offer(&self, offer: Offer) {
        // A poisoned lock holds a whole offer nevertheless: it is only ever replaced.
        *self.offer.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(offer);
    }

    /// How much was and is searched.
    pub fn work(&self) -> Work {
        let running = SEARCHES.saturating_sub(self.slots.available_permits());
        Work {
            running: u64::try_from(running).unwrap_or(u64::MAX),
            finished: self.finished.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Counts a search that came to its end.
    fn count(&self, bytes: u64) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Why a request cannot be searched for, if it cannot, in grep's words.
pub fn refusal(request: &GrepRequest) -> Option<String> {
    let pattern = query(request).and_then(|query| query.compile().map(drop).map_err(|error| error.to_string())).err();
    pattern.or_else(|| narrow(request).err())
}

/// Which of the offered files the request wants.
fn narrow(request: &GrepRequest) -> Result<Narrow, String> {
    let files = &request.files;
    let narrow = Narrow::new(&files.globs).and_then(|narrow| narrow.include(&files.include)?.exclude(&files.exclude));
    narrow.map_err(|error| error.to_string())
}
