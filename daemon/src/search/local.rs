//! Searches this machine's logs. It owns the exposed files and the places for searches.

use super::compile::{self, Compiled};
use super::journal::{self, Journal, JournalOffer, JournalOrder};
use super::kept::KeptCopies;
use super::limits::Limits;
use super::reply::PeerReply;
use super::reply_sink::ReplySink;
use crate::lock::{read, write};
use crate::log::AuditTrail;
use memberd_control::grep::{GrepRequest, GrepTotals, OutputFile};
use memberd_search::{
    ExposedFiles, FileIdentity, FileList, KnownTimes, MAX_FILES, MemoryBudget, ONLY_LINKS, Output,
    Plan, Selection, Totals, Window,
};
use memberd_transport::{Admission, Full, Permit, Source};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// The most bytes of patterns that any number of searches may have.
const SMALL_LIST: usize = 64 * 1024;

/// The most concurrent searches for other members with longer lists of patterns. Such a list may
/// have 4 MiB, and takes twice as much when it is compiled. One member has at most two.
const LONG_LISTS: usize = 3;

/// The most looks at once at what is kept of whose logs. Each takes a few milliseconds.
const KEPT_LOOKS: usize = 4;

/// Searches this machine's logs, for other members and for its own clients.
#[derive(Debug)]
pub struct LocalSearcher {
    /// This machine's name, which begins every line.
    machine: String,
    /// The files that members may search.
    offer: RwLock<Arc<ExposedFiles>>,
    /// What members may search of the journal, if they may.
    journal: RwLock<Option<JournalOffer>>,
    /// What is known of the journal's files.
    journal_order: JournalOrder,
    pub(super) limits: Limits,
    /// The memory that all searches share.
    pub(super) memory: MemoryBudget,
    /// One place for each concurrent search whose output is read.
    pub(super) slots: Admission,
    /// One place for each search that has none of the above, since its output is not read.
    pub(super) set_aside: Admission,
    /// One place for each concurrent following search.
    pub(super) follows: Admission,
    /// One place for each search of another member with a long list of patterns.
    long_lists: Admission,
    /// The copies of other members' logs, if this machine keeps any.
    kept: RwLock<Option<Arc<KeptCopies>>>,
    /// One place for each look at what is kept of whose logs.
    pub(super) kept_looks: Admission,
    /// What earlier searches have learned about the times in large files.
    known_times: KnownTimes,
    /// The socket of the worker that counts, unless questions are switched off.
    worker: RwLock<Option<PathBuf>>,
    finished: AtomicU64,
    bytes: AtomicU64,
    pub(super) audit: AuditTrail,
}

/// Counts of the searches of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchCounts {
    /// Searches that run now and have a place.
    pub running: u64,
    /// Searches that wait for a slow reader, without a place.
    pub set_aside: u64,
    /// Searches that have ended since the daemon started.
    pub finished: u64,
    /// The bytes that the ended searches have read.
    pub bytes: u64,
}

impl LocalSearcher {
    /// Creates a searcher of these files, without the journal.
    pub fn new(machine: String, offer: ExposedFiles, limits: Limits) -> Self {
        LocalSearcher {
            machine,
            offer: RwLock::new(Arc::new(offer)),
            journal: RwLock::default(),
            journal_order: JournalOrder::default(),
            limits,
            memory: MemoryBudget::new(limits.search_memory),
            slots: Admission::new("searches", limits.searches, |limit| {
                format!("{limit} searches run there already, its limits.searches: try again later")
            })
            .shared(|taken| {
                format!(
                    "{taken} searches for this machine run there already, its share of that \
                    machine's limits.searches: try again later"
                )
            }),
            set_aside: Admission::unanswered("searches set aside", limits.searches)
                .shared(|taken| format!("{taken} searches of this source are set aside already")),
            follows: Admission::new("searches that follow", limits.searches, |limit| {
                format!(
                    "{limit} searches follow there already, its limits.searches: try again later"
                )
            })
            .shared(|taken| {
                format!(
                    "{taken} searches for this machine follow there already, its share of that \
                    machine's limits.searches: try again later"
                )
            }),
            long_lists: Admission::new("long lists", LONG_LISTS, long_lists_run)
                .shared(long_lists_run),
            kept: RwLock::default(),
            kept_looks: Admission::unanswered("looks at copies", KEPT_LOOKS)
                .shared(|taken| format!("{taken} looks of this source run already")),
            known_times: KnownTimes::default(),
            worker: RwLock::default(),
            finished: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            audit: AuditTrail::default(),
        }
    }

    /// Logs its searches in this trail.
    pub(super) fn with_audit(self, audit: AuditTrail) -> Self {
        LocalSearcher { audit, ..self }
    }

    /// This machine's name.
    pub(super) fn machine(&self) -> &str {
        &self.machine
    }

    /// Replaces the files that members may search.
    pub fn set_offer(&self, offer: ExposedFiles) {
        *write(&self.offer) = Arc::new(offer);
    }

    /// Allows searches of the journal, or forbids them.
    pub fn set_journal(&self, offer: Option<JournalOffer>) {
        *write(&self.journal) = offer;
    }

    /// Sets the copies of other members' logs that this machine keeps, if it keeps any.
    pub fn set_kept_copies(&self, copies: Option<KeptCopies>) {
        *write(&self.kept) = copies.map(Arc::new);
    }

    /// Sets the socket of the worker that counts. Without one, questions are refused.
    pub fn set_worker(&self, socket: Option<PathBuf>) {
        *write(&self.worker) = socket;
    }

    pub(crate) fn worker(&self) -> Option<PathBuf> {
        read(&self.worker).clone()
    }

    pub(super) fn kept_copies(&self) -> Option<Arc<KeptCopies>> {
        read(&self.kept).clone()
    }

    /// The counts of searches.
    pub fn counts(&self) -> SearchCounts {
        let count = |places: &Admission| u64::try_from(places.taken()).unwrap_or(u64::MAX);
        SearchCounts {
            running: count(&self.slots),
            set_aside: count(&self.set_aside),
            finished: self.finished.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Takes a place for a request of another member, if it is large or its patterns are long. Hold
    /// it as long as the request.
    ///
    /// # Errors
    /// When no place is free.
    pub(super) fn admit(
        &self,
        request: &GrepRequest,
        is_large: bool,
        source: Source,
    ) -> Result<Option<Permit>, Full> {
        let is_long =
            is_large || request.pattern.patterns.iter().map(Vec::len).sum::<usize>() > SMALL_LIST;
        is_long.then(|| self.long_lists.try_enter_as(source)).transpose()
    }

    /// Compiles a request, and blocks meanwhile.
    ///
    /// # Errors
    /// When the request is invalid, or there is no memory for its search. The error is one line,
    /// with grep's message.
    pub fn compile(&self, request: &GrepRequest, source: Source) -> Result<Compiled, String> {
        self.compile_in(request, &self.memory_for(request, source))
    }

    /// As [`LocalSearcher::compile`], with the memory of one search.
    pub(super) fn compile_in(
        &self,
        request: &GrepRequest,
        memory: &MemoryBudget,
    ) -> Result<Compiled, String> {
        compile::compile(request, memory, &self.limits)
    }

    /// The memory that all searches share, as one search takes it.
    pub(super) fn memory_for(&self, request: &GrepRequest, source: Source) -> MemoryBudget {
        let source = (source != Source::Anyone).then(|| source.to_string());
        self.memory.for_search(source, request.files.follow)
    }

    /// Searches, blocks meanwhile, and returns the last reply. `compiled` is the request, or the
    /// memory in which it is compiled.
    pub(super) fn search(
        &self,
        request: &GrepRequest,
        compiled: Result<Compiled, MemoryBudget>,
        mut output: ReplySink,
        cancel: &AtomicBool,
    ) -> PeerReply {
        let searched = match &request.stats {
            Some(question) if request.files.follow => {
                let memory = compiled.map_or_else(|memory| memory, |it| it.search.memory().clone());
                self.count_followed(question, request, &memory, &mut output, cancel)
            }
            Some(question) => {
                self.count_lines(question, request, &mut output, cancel).map_err(PeerReply::Refused)
            }
            None => compiled
                .or_else(|memory| self.compile_in(request, &memory))
                .and_then(|compiled| self.run(request, compiled, &mut output, cancel))
                .map_err(PeerReply::Refused),
        };
        if let Ok((totals, _)) = &searched {
            self.finished.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(totals.bytes, Ordering::Relaxed);
        }
        match searched {
            _ if output.is_over() => {
                let limit = self.limits.search_output;
                PeerReply::Refused(format!(
                    "it found more than {limit} bytes, its limits.search_output"
                ))
            }
            Ok((totals, _)) if totals.interrupted => canceled(),
            Ok((totals, unmatched)) => {
                let totals = GrepTotals {
                    files: totals.files,
                    bytes: totals.bytes,
                    lines: totals.lines,
                    errors: totals.errors,
                    milliseconds: memberd_membership::millis(totals.elapsed),
                    unmatched,
                };
                // If nobody receives the last lines, nobody receives the totals either.
                output
                    .flush()
                    .map_or(PeerReply::Done(GrepTotals::default()), |()| PeerReply::Done(totals))
            }
            Err(last) => last,
        }
    }

    /// Searches what is kept of another member, the journal, new lines, or existing files. It also
    /// returns the globs that match no file.
    fn run(
        &self,
        request: &GrepRequest,
        compiled: Compiled,
        output: &mut ReplySink,
        cancel: &AtomicBool,
    ) -> Result<(Totals, Vec<String>), String> {
        if let Some(member) = &request.kept_of {
            return self.search_kept(member, request, compiled, output, cancel);
        }
        let Compiled { search, narrow } = &compiled;
        if let Some(journal) = &request.files.journal {
            let offer = read(&self.journal).clone();
            let offer =
                offer.ok_or("its settings do not offer its journal: set logs.journal there")?;
            offer.check(journal)?;
            let by_time = request.printing.by_time;
            let asked = journal::Asked { journal, files: &request.files, by_time };
            let journal = Journal { program: &offer.program, order: &self.journal_order };
            let totals = journal::search(journal, &self.machine, search, asked, output, cancel)?;
            return Ok((totals, Vec::new()));
        }
        if request.files.follow {
            let exposed = &self.offer();
            let (output_file, from) = (output_file(request), request.follow_from.as_ref());
            let (filter, tells_looks) = (narrow, false);
            let selection = Selection { exposed, filter, output_file, from, tells_looks };
            let totals = search.follow(&self.machine, selection, output, cancel);
            return Ok((totals, Vec::new()));
        }
        self.search_files(request, compiled, output, cancel)
    }

    fn search_files(
        &self,
        request: &GrepRequest,
        mut compiled: Compiled,
        output: &mut ReplySink,
        cancel: &AtomicBool,
    ) -> Result<(Totals, Vec<String>), String> {
        let found = self.offer().files_unless(cancel, &compiled.narrow);
        if cancel.load(Ordering::Relaxed) {
            return Ok((Totals { interrupted: true, ..Totals::default() }, Vec::new()));
        }
        if request.printing.by_time {
            compiled = compile::make_room_to_merge(request, compiled, &found.files)?;
        }
        let problems = tell_problems(&found, request, output);
        let plan = self.plan(request);
        let totals = compiled.search.run(&plan, &self.machine, &found.files, output, cancel);
        Ok((Totals { errors: totals.errors + problems, ..totals }, found.unmatched))
    }

    /// How a search goes through its files.
    pub(super) fn plan(&self, request: &GrepRequest) -> Plan {
        Plan {
            window: Window { since: request.files.since, until: request.files.until },
            by_time: request.printing.by_time,
            threads: self.limits.search_threads,
            known_times: self.known_times.clone(),
            output_file: output_file(request),
        }
    }

    /// The times of the journal's first and last entries, in microseconds since the Unix epoch, if
    /// the journal may be searched. None inside where they are not known.
    pub(super) fn journal_span(&self) -> Option<Option<(u64, u64)>> {
        read(&self.journal).is_some().then(|| self.journal_order.span_us())
    }

    pub(crate) fn offer(&self) -> Arc<ExposedFiles> {
        Arc::clone(&read(&self.offer))
    }
}

/// Tells what is wrong with the files that were found, and returns how many problems there are.
pub(super) fn tell_problems(
    found: &FileList,
    request: &GrepRequest,
    output: &mut ReplySink,
) -> u64 {
    let mut problems = 0;
    for problem in &found.problems {
        problems += 1;
        if !request.printing.no_messages && output.message(problem.to_string()).is_err() {
            break;
        }
    }
    for glob in &found.only_links {
        // That is no error: GNU grep -r passes over links, too.
        if !request.printing.no_messages && output.message(format!("{glob}: {ONLY_LINKS}")).is_err()
        {
            break;
        }
    }
    if found.cut {
        problems += 1;
        // If nobody receives it, the search ends at once.
        let _ = output.message(format!(
            "more than {MAX_FILES} files match: the first of them are searched; name fewer"
        ));
    }
    problems
}

/// Refuses a long list, since so many run already.
fn long_lists_run(count: usize) -> String {
    format!("{count} searches with long lists of patterns run there already: try again later")
}

/// The file to which the client of this machine writes the output.
fn output_file(request: &GrepRequest) -> Option<FileIdentity> {
    request.output_file.map(|OutputFile { device, inode }| FileIdentity { device, inode })
}

/// The last reply of a search that was cancelled. Nobody waits for it any more.
pub(super) fn canceled() -> PeerReply {
    PeerReply::Refused("the search was broken off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::grep::{GrepPattern, GrepSyntax};
    use memberd_search::Query;
    use std::num::NonZero;
    use std::time::Duration;

    fn request(pattern: &str) -> GrepRequest {
        let patterns = vec![pattern.into()];
        let syntax = GrepSyntax::Extended;
        let pattern = GrepPattern { patterns, syntax, ..GrepPattern::default() };
        GrepRequest { pattern, ..GrepRequest::default() }
    }

    /// A few large requests of other members have places, whatever makes them large.
    #[test]
    fn large_requests_have_places() {
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
        let (small, long) = (request("x"), request(&"x".repeat(SMALL_LIST + 1)));
        let admit = |request, is_large, uid| searcher.admit(request, is_large, Source::User(uid));
        let first = admit(&long, false, 1).unwrap();
        let second = admit(&small, true, 1).unwrap();
        assert!(first.is_some() && second.is_some());
        admit(&small, true, 1).unwrap_err();
        assert!(admit(&small, false, 1).unwrap().is_none());
        let other = admit(&small, true, 2).unwrap();
        assert!(other.is_some(), "another member finds a place");
        admit(&small, true, 3).unwrap_err();
        drop((second, other));
        assert!(admit(&long, true, 1).unwrap().is_some());
    }

    /// Follows last, so one user's costly ones leave memory to others, and to what ends by itself.
    #[test]
    fn follows_of_one_user_leave_memory_to_plain_greps() {
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
        let follow = |pattern| {
            let mut request = request(pattern);
            request.files.follow = true;
            searcher.compile(&request, Source::User(1))
        };
        let mut follows = vec![follow(r"\w{100}[qz]$").unwrap()];
        let words = loop {
            match follow("error") {
                Ok(another) => follows.push(another),
                Err(words) => break words,
            }
        };
        assert!(words.contains("of the same user") && words.contains("limits.search_memory"));
        for source in [Source::User(1), Source::User(2)] {
            searcher.compile(&request("error"), source).unwrap();
        }
    }

    /// A merge that waits for the memory of its files has none, not even for its automata.
    #[test]
    fn a_merge_holds_nothing_while_it_waits_for_memory() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..200 {
            let text = format!("2026-11-21T01:20:33Z x{number}\n");
            std::fs::write(directory.path().join(format!("{number}.log")), text).unwrap();
        }
        let offer = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()]).unwrap();
        let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
        let large = Query { pattern: request(r"\w{100}[qz]$").pattern, ..Query::default() };
        let one = NonZero::<usize>::MIN;
        let other = || large.clone().compile_in(&searcher.memory, one, Duration::ZERO).ok();
        let others: Vec<_> = std::iter::from_fn(other).collect();
        let used = searcher.memory.used_bytes();
        let mut request = request("x");
        request.printing.by_time = true;
        let compiled = searcher.compile(&request, Source::Anyone).unwrap();
        assert!(searcher.memory.used_bytes() > used);
        let (queue, mut replies) = tokio::sync::mpsc::channel(1);
        let output = ReplySink::new(queue, u64::MAX, Arc::default());
        std::thread::scope(|scope| {
            let search = scope
                .spawn(|| searcher.search(&request, Ok(compiled), output, &AtomicBool::new(false)));
            scope.spawn(|| while replies.blocking_recv().is_some() {});
            while searcher.memory.used_bytes() > used && !search.is_finished() {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(!search.is_finished());
            drop(others);
            let PeerReply::Done(totals) = search.join().unwrap() else { panic!("refused") };
            assert_eq!((totals.lines, totals.errors), (200, 0));
        });
    }

    /// The search uses the pattern that was compiled during the check of the request.
    #[tokio::test]
    async fn a_request_that_was_compiled_is_not_compiled_again() {
        let offer = ExposedFiles::new::<&str>(&[]).unwrap();
        let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
        let (queue, _replies) = tokio::sync::mpsc::channel(1);
        let search = |compiled| {
            let sink = ReplySink::new(queue.clone(), u64::MAX, Arc::default());
            searcher.search(&request("("), compiled, sink, &AtomicBool::new(false))
        };
        let memory = MemoryBudget::default();
        assert!(matches!(search(Err(memory)), PeerReply::Refused(_)));
        let compiled = searcher.compile(&request("error"), Source::Anyone).unwrap();
        assert!(matches!(search(Ok(compiled)), PeerReply::Done(_)));
        assert_eq!(searcher.counts().finished, 1);
    }
}
