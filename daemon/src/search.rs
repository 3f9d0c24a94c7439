//! Greps: of this machine's logs for another member (`serve`), and of all members' logs for a client (`fan_out`).

pub mod fan_out;
pub mod reply;
pub mod serve;

use memberd_control::message::{GrepPrint, GrepRequest, GrepSyntax};
use memberd_search::{Narrow, Offer, Print, Query, Syntax};
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
    let pattern = query(request).compile().err().map(|error| error.to_string());
    pattern.or_else(|| Narrow::new(&request.files).err().map(|error| error.to_string()))
}

/// The request as the search engine takes it.
fn query(request: &GrepRequest) -> Query {
    Query {
        patterns: request.patterns.clone(),
        syntax: match request.syntax {
            GrepSyntax::Basic => Syntax::Basic,
            GrepSyntax::Extended => Syntax::Extended,
            GrepSyntax::Fixed => Syntax::Fixed,
        },
        ignore_case: request.ignore_case,
        invert: request.invert,
        words: request.words,
        whole_lines: request.whole_lines,
        print: match request.print {
            GrepPrint::Lines => Print::Lines,
            GrepPrint::Matches => Print::Matches,
            GrepPrint::Count => Print::Count,
            GrepPrint::FilesWithMatch => Print::FilesWithMatch,
            GrepPrint::FilesWithoutMatch => Print::FilesWithoutMatch,
            GrepPrint::Nothing => Print::Nothing,
        },
        line_numbers: request.line_numbers,
        no_names: request.no_names,
        no_messages: request.no_messages,
        max_count: request.max_count,
        before_context: request.before_context,
        after_context: request.after_context,
        color: request.color,
    }
}
