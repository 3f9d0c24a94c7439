//! Greps: of this machine's logs for another member (`serve`), and of all members' logs for a client (`fan_out`).

mod ask;
pub mod fan_out;
mod follow;
pub mod journal;
pub mod limits;
pub mod members;
mod merge;
mod one;
mod pieces;
pub mod reply;
pub mod serve;
mod timed;

use limits::Limits;
use memberd_control::grep::{GrepFiles, GrepPrint, GrepRequest, GrepSyntax};
use memberd_search::{Narrow, Offer, Print, Query, Syntax};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use tokio::sync::Semaphore;

/// What searching needs: what this machine offers, and how much it does at once.
#[derive(Debug)]
pub struct Searches {
    /// This machine's name, before every line.
    machine: String,
    offer: RwLock<Arc<Offer>>,
    /// What reads the journal, if that is offered.
    journal: RwLock<Option<PathBuf>>,
    limits: Limits,
    /// One for each search at once, those included whose reader has stopped reading.
    slots: Arc<Semaphore>,
    /// One for each search at once that follows.
    follows: Arc<Semaphore>,
}

impl Searches {
    /// Searches of what is offered.
    pub fn new(machine: String, offer: Offer, limits: Limits) -> Self {
        let slots = || Arc::new(Semaphore::new(limits.searches));
        Searches {
            machine,
            offer: RwLock::new(Arc::new(offer)),
            journal: RwLock::default(),
            limits,
            slots: slots(),
            follows: slots(),
        }
    }

    /// Offers something else from now on.
    pub fn set_offer(&self, offer: Offer) {
        // A poisoned lock holds a whole offer nevertheless: it is only ever replaced.
        *self.offer.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(offer);
    }

    /// Offers the journal too from now on, as this program prints it; or not any more.
    pub fn set_journal(&self, journalctl: Option<PathBuf>) {
        *self.journal.write().unwrap_or_else(std::sync::PoisonError::into_inner) = journalctl;
    }

    fn journal(&self) -> Option<PathBuf> {
        self.journal.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
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

/// Which of the offered files are wanted.
fn narrow(request: &GrepRequest) -> Result<Narrow, String> {
    let GrepFiles { globs, include, exclude, rotated, .. } = &request.files;
    let narrow = Narrow::new(globs).and_then(|narrow| narrow.include(include)?.exclude(exclude));
    Ok(narrow.map_err(|error| error.to_string())?.rotated(*rotated))
}

/// The request as the search engine takes it.
fn query(request: &GrepRequest) -> Result<Query, String> {
    let GrepRequest { pattern, printing, .. } = request;
    let patterns = pattern.patterns.iter().cloned().map(String::from_utf8).collect::<Result<_, _>>();
    Ok(Query {
        patterns: patterns.map_err(|_| "a pattern is not valid UTF-8".to_owned())?,
        syntax: match pattern.syntax {
            GrepSyntax::Basic => Syntax::Basic,
            GrepSyntax::Extended => Syntax::Extended,
            GrepSyntax::Fixed => Syntax::Fixed,
            GrepSyntax::Perl => return Err("-P is not supported by this member".to_owned()),
        },
        ignore_case: pattern.ignore_case,
        invert: pattern.invert,
        words: pattern.words,
        whole_lines: pattern.whole_lines,
        print: match printing.what {
            GrepPrint::Lines => Print::Lines,
            GrepPrint::Matches => Print::Matches,
            GrepPrint::Count => Print::Count,
            GrepPrint::FilesWithMatch => Print::FilesWithMatch,
            GrepPrint::FilesWithoutMatch => Print::FilesWithoutMatch,
            GrepPrint::Nothing => Print::Nothing,
        },
        line_numbers: printing.line_numbers || printing.json,
        json: printing.json,
        no_names: printing.no_names,
        no_messages: printing.no_messages,
        max_count: printing.max_count,
        before_context: printing.before_context.unwrap_or(0),
        after_context: printing.after_context.unwrap_or(0),
        color: printing.colors.is_some(),
    })
}
