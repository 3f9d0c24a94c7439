//! Counts lines as they are written to this machine's logs. It owns the round that has not ended.
//!
//! The files are followed as for grep, and the worker counts what is found. A round is what is
//! counted between two times at which the sums are sent. Behind them go the positions up to which
//! the files are counted, so that a follow that is lost goes on there: each line counts once.
//!
//! Nothing waits here but the search itself: who reads the sums slowly has fewer and larger rounds.

use super::compile::Compiled;
use super::local::LocalSearcher;
use super::reply::PeerReply;
use super::reply_sink::ReplySink;
use super::stats::{OFF, check};
use memberd_control::grep::{GrepBinary, GrepPosition, GrepPrinting, GrepRequest, MAX_POSITIONS};
use memberd_control::stats::StatsQuestion;
use memberd_search::{MemoryBudget, Output, Selection, Stopped, Totals};
use memberd_worker::{AskError, Feed, Question, Reads, Told};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A round of so many files ends at once. Those of one follow at any moment are at most as many, so
/// all positions of a round go in one frame.
const ENOUGH_POSITIONS: usize = MAX_POSITIONS / 2;

impl LocalSearcher {
    /// Counts the lines that are written from now on to the files which the request selects, until
    /// it is cancelled. Or returns the last reply.
    pub(super) fn count_followed(
        &self,
        question: &StatsQuestion,
        request: &GrepRequest,
        memory: &MemoryBudget,
        output: &mut ReplySink,
        cancel: &AtomicBool,
    ) -> Result<(Totals, Vec<String>), PeerReply> {
        check(request).map_err(PeerReply::Refused)?;
        let every = question.every_ms.map(Duration::from_millis);
        let every = every.ok_or("what follows files sends sums at an interval");
        let every = every.map_err(refused)?;
        let worker = self.worker().ok_or(OFF).map_err(refused)?;
        let Compiled { search, narrow } =
            self.compile_in(&as_text(request), memory).map_err(PeerReply::Refused)?;
        let from = request.follow_from.clone().unwrap_or_default();
        let mut question = Question { reads: Reads::Written, ..self.question(question, request) };
        // Lines were selected here. The worker only splits them.
        question.pattern.patterns = Vec::new();
        let feed = Feed::begin(&worker, &question, cancel);
        let feed = feed.map_err(|error| ended(&error, from.again))?;
        let mut rounds = Rounds {
            searcher: self,
            feed,
            output,
            every,
            file: (PathBuf::new(), 0),
            has_lines: false,
            positions: Vec::new(),
            is_due: true,
            ended_at: Instant::now(),
            last: None,
        };
        let (exposed, filter) = (&self.offer(), &narrow);
        let (output_file, tells_looks) = (None, true);
        let selection = Selection { exposed, filter, output_file, from: Some(&from), tells_looks };
        let totals = search.follow(self.machine(), selection, &mut rounds, cancel);
        rounds.last.map_or(Ok((totals, Vec::new())), Err)
    }
}

/// The request for lines as they are, whatever they are.
fn as_text(request: &GrepRequest) -> GrepRequest {
    let printing = GrepPrinting {
        no_names: true,
        no_messages: request.printing.no_messages,
        binary: GrepBinary::Text,
        ..GrepPrinting::default()
    };
    GrepRequest { printing, ..request.clone() }
}

fn refused(words: &str) -> PeerReply {
    PeerReply::Refused(words.to_owned())
}

/// The last reply after an error of the worker. What follows already goes on with the next worker.
fn ended(error: &AskError, follows_already: bool) -> PeerReply {
    match error {
        AskError::Refused(_) => PeerReply::Refused(error.to_string()),
        _ if follows_already => PeerReply::Broken(error.to_string()),
        _ => PeerReply::Refused(error.to_string()),
    }
}

/// Has lines counted, and sends their sums in rounds.
struct Rounds<'r> {
    searcher: &'r LocalSearcher,
    feed: Feed<'r>,
    output: &'r mut ReplySink,
    /// How often a round ends.
    every: Duration,
    /// The file of the next lines, and when it was written.
    file: (PathBuf, i64),
    /// Whether the round has lines.
    has_lines: bool,
    /// Up to where files are counted in this round, one position for each.
    positions: Vec<GrepPosition>,
    /// Whether the round ends with the next positions: the first one tells that files are followed.
    /// And a worker that has sent sums before the end of a round has much to send.
    is_due: bool,
    /// When the last round with lines ended.
    ended_at: Instant,
    /// The last reply, if the worker is lost or switched off.
    last: Option<PeerReply>,
}

impl Rounds<'_> {
    /// Ends the round if it is time. Lines that came have had their positions by now.
    fn end_if_due(&mut self) -> Result<(), Stopped> {
        let is_late = !self.positions.is_empty() && self.ended_at.elapsed() >= self.every;
        if !self.is_due && !is_late {
            return Ok(());
        }
        if std::mem::take(&mut self.has_lines) {
            self.tell_worker(|feed, take| feed.end_round(take))?;
            self.ended_at = Instant::now();
        }
        self.is_due = false;
        self.output.positions(std::mem::take(&mut self.positions), false)
    }

    /// Speaks to the worker, and passes on what it says.
    fn tell_worker(
        &mut self,
        say: impl FnOnce(
            &mut Feed<'_>,
            &mut dyn FnMut(Told) -> Result<(), Stopped>,
        ) -> Result<(), AskError>,
    ) -> Result<(), Stopped> {
        let (output, is_due) = (&mut *self.output, &mut self.is_due);
        let mut take = |told| match told {
            Told::Partial(bytes) => {
                *is_due = true;
                output.partial(bytes)
            }
            Told::Message(text) => output.message(text),
            Told::Read(_) => Ok(()),
        };
        let said = say(&mut self.feed, &mut take);
        self.note(said)
    }

    fn note(&mut self, said: Result<(), AskError>) -> Result<(), Stopped> {
        match said {
            Ok(()) => return Ok(()),
            Err(AskError::Stopped) => {}
            Err(error) => self.last = Some(ended(&error, true)),
        }
        Err(Stopped)
    }
}

impl Output for Rounds<'_> {
    fn begin_file(&mut self, path: &Path, modified: i64) {
        if self.file.0 != path {
            path.clone_into(&mut self.file.0);
        }
        self.file.1 = modified;
    }

    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.has_lines = true;
        let (path, modified) = std::mem::take(&mut self.file);
        let told = self.tell_worker(|feed, take| feed.lines(&path, modified, &bytes, take));
        self.file = (path, modified);
        told
    }

    fn positions(&mut self, positions: Vec<GrepPosition>, _: bool) -> Result<(), Stopped> {
        for position in positions {
            self.positions.retain(|known| !known.is_of_same_file(&position));
            self.positions.push(position);
        }
        self.is_due |= self.positions.len() >= ENOUGH_POSITIONS;
        self.end_if_due()
    }

    fn looked(&mut self) -> Result<(), Stopped> {
        if self.searcher.worker().is_none() {
            self.last = Some(refused(OFF));
            return Err(Stopped);
        }
        let checked = self.feed.check();
        self.note(checked)?;
        self.end_if_due()
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.output.message(text)
    }
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
pub(super) mod tests;
