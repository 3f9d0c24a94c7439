//! Greps: of this machine's logs for another member (`serve`), and of all members' logs for a client (`fan_out`).

pub mod fan_out;
mod query;
pub mod reply;
pub mod serve;

use memberd_control::grep::GrepRequest;
use memberd_search::{Narrow, Offer};
use query::query;
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
}

impl Searches {
    /// Searches of what is offered.
    pub fn new(machine: String, offer: Offer) -> Self {
        Searches { machine, offer: RwLock::new(Arc::new(offer)), slots: Arc::new(Semaphore::new(SEARCHES)) }
    }

    /// Offers something else from now on.
    pub fn set_offer(&self, offer: Offer) {
        // A poisoned lock holds a whole offer nevertheless: it is only ever replaced.
        *self.offer.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(offer);
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
