//! Greps: of this machine's logs for another member (`serve`), and of all members' logs for a
//! client (`distributed`).

mod compile;
pub mod distributed;
mod follow;
pub mod greps;
/// What the daemon does for a control client: one file a verb, of the same name as memberctl's.
pub mod handlers {
    pub mod grep;
}
pub mod journal;
pub mod limits;
pub mod line_relay;
mod local;
mod merge;
pub mod reply;
mod reply_sink;
mod reply_source;
pub mod scope;
pub mod serve;
mod service;
mod timed;

pub use service::SearchService;

use crate::admission::Admission;
use crate::lock::{read, write};
use compile::Compiler;
use limits::Limits;
use memberd_control::grep::{GrepFiles, GrepRequest};
use memberd_search::{LongLines, Narrow, Offer};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// What searching needs: what this machine offers, and how much it does at once.
#[derive(Debug)]
pub struct LocalSearcher {
    /// This machine's name, before every line.
    machine: String,
    offer: RwLock<Arc<Offer>>,
    /// What reads the journal, if that is offered.
    journal: RwLock<Option<PathBuf>>,
    limits: Limits,
    compiled: Compiler,
    /// One for each search at once, those included whose reader has stopped reading.
    slots: Admission,
    /// One for each search at once that follows.
    follows: Admission,
    /// One long line at a time is in memory.
    long_lines: LongLines,
    finished: AtomicU64,
    bytes: AtomicU64,
}

/// How much was and is searched here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchCounts {
    /// Searches that run now.
    pub running: u64,
    /// Searches that came to their end since the daemon started.
    pub finished: u64,
    /// Bytes that those searched.
    pub bytes: u64,
}

impl LocalSearcher {
    /// Searches of what is offered.
    pub fn new(machine: String, offer: Offer, limits: Limits) -> Self {
        LocalSearcher {
            machine,
            offer: RwLock::new(Arc::new(offer)),
            journal: RwLock::default(),
            limits,
            compiled: Compiler::new(),
            slots: Admission::new("searches", limits.searches, |limit| {
                format!("{limit} searches run there already, its limits.searches: try again later")
            }),
            follows: Admission::new("searches that follow", limits.searches, |limit| {
                format!(
                    "{limit} searches follow there already, its limits.searches: try again later"
                )
            }),
            long_lines: LongLines::default(),
            finished: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Offers something else from now on.
    pub fn set_offer(&self, offer: Offer) {
        *write(&self.offer) = Arc::new(offer);
    }

    /// How much was and is searched.
    pub fn work(&self) -> SearchCounts {
        SearchCounts {
            running: u64::try_from(self.slots.taken()).unwrap_or(u64::MAX),
            finished: self.finished.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Counts a search that came to its end.
    fn count(&self, bytes: u64) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Offers the journal too from now on, as this program prints it; or not any more.
    pub fn set_journal(&self, journalctl: Option<PathBuf>) {
        *write(&self.journal) = journalctl;
    }

    fn journal(&self) -> Option<PathBuf> {
        read(&self.journal).clone()
    }

    fn offer(&self) -> Arc<Offer> {
        Arc::clone(&read(&self.offer))
    }
}

impl LocalSearcher {
    /// Why a request cannot be searched for, if it cannot, in grep's words. Blocks, for as long as
    /// compiling patterns takes.
    pub fn refusal(&self, request: &GrepRequest) -> Option<String> {
        self.compiled.compile(request).err().or_else(|| narrow(request).err())
    }
}

/// Which of the offered files are wanted.
fn narrow(request: &GrepRequest) -> Result<Narrow, String> {
    let GrepFiles { globs, include, exclude, rotated, .. } = &request.files;
    let narrow = Narrow::new(globs).and_then(|narrow| narrow.include(include)?.exclude(exclude));
    Ok(narrow.map_err(|error| error.to_string())?.rotated(*rotated))
}
