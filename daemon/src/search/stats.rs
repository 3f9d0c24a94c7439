//! Counts lines of this machine's logs: it opens what a question may search, and passes it to the
//! worker. It owns no state.
//!
//! The worker is another process (`memberd-worker`), so that a question takes neither memory nor
//! the processor from heartbeats. It has no right to read a log: it gets open files, a few at once.

use super::compile::{compile, narrow};
use super::local::{LocalSearcher, tell_problems};
use super::reply_sink::ReplySink;
use memberd_control::grep::{GrepPattern, GrepRequest};
use memberd_control::stats::StatsQuestion;
use memberd_search::{ExposedFile, Output as _, Stopped, Totals};
use memberd_worker::{AskError, Counts, MAX_BATCH, OpenFile, Question, Reads, Told, ask};
use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What is said where questions are switched off.
pub(super) const OFF: &str = "streams are off there: set streams.enabled";

impl LocalSearcher {
    /// Compiles a pattern to see whether that is possible. It blocks.
    ///
    /// # Errors
    /// When it is not: one line.
    pub(crate) fn check_pattern(&self, pattern: GrepPattern) -> Result<(), String> {
        let request = GrepRequest { pattern, ..GrepRequest::default() };
        compile(&request, &self.memory, &self.limits).map(drop)
    }

    /// Counts the lines of the files that the request selects. It also returns the globs that
    /// match none of them.
    pub(super) fn count_lines(
        &self,
        question: &StatsQuestion,
        request: &GrepRequest,
        output: &mut ReplySink,
        cancel: &AtomicBool,
    ) -> Result<(Totals, Vec<String>), String> {
        let began = Instant::now();
        let interrupted = || (Totals { interrupted: true, ..Totals::default() }, Vec::new());
        check(request)?;
        if question.every_ms.is_some() {
            return Err("sums are sent at an interval only if files are followed".to_owned());
        }
        let worker = self.worker().ok_or(OFF)?;
        let found = self.offer().files_unless(cancel, &narrow(request)?);
        if cancel.load(Ordering::Relaxed) {
            return Ok(interrupted());
        }
        let problems = tell_problems(&found, request, output);
        let mut counting = Counting {
            files: found.files.iter(),
            unopened: 0,
            no_messages: request.printing.no_messages,
        };
        let question = self.question(question, request);
        match counting.ask(&worker, &question, output, cancel) {
            Ok(Counts { files, bytes, lines, errors }) => {
                let errors = errors + problems + counting.unopened;
                let (elapsed, interrupted) = (began.elapsed(), false);
                let totals = Totals { files, bytes, lines, errors, elapsed, interrupted };
                Ok((totals, found.unmatched))
            }
            Err(AskError::Stopped) => Ok(interrupted()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn question(&self, question: &StatsQuestion, request: &GrepRequest) -> Question {
        let StatsQuestion { query, groups, bytes, .. } = question.clone();
        Question {
            member: self.machine().to_owned(),
            query,
            pattern: request.pattern.clone(),
            since: request.files.since,
            until: request.files.until,
            groups,
            bytes,
            threads: u16::try_from(self.limits.search_threads.get()).unwrap_or(u16::MAX),
            no_messages: request.printing.no_messages,
            reads: Reads::Files,
        }
    }
}

/// Refuses what is never counted.
pub(super) fn check(request: &GrepRequest) -> Result<(), String> {
    match request.files.journal.is_some() || request.kept_of.is_some() {
        true => Err("only files are counted, and no copies of them".to_owned()),
        false => Ok(()),
    }
}

/// The files of one question that were not opened yet.
struct Counting<'f> {
    files: std::slice::Iter<'f, ExposedFile>,
    /// How many could not be opened.
    unopened: u64,
    no_messages: bool,
}

impl Counting<'_> {
    fn ask(
        &mut self,
        worker: &Path,
        question: &Question,
        output: &mut ReplySink,
        cancel: &AtomicBool,
    ) -> Result<Counts, AskError> {
        let (output, mut read) = (RefCell::new(output), 0);
        let take = |told| match told {
            Told::Partial(bytes) => output.borrow_mut().partial(bytes),
            Told::Message(text) => output.borrow_mut().message(text),
            Told::Read(bytes) => {
                let before = std::mem::replace(&mut read, bytes);
                output.borrow_mut().read(bytes.saturating_sub(before))
            }
        };
        ask(worker, question, || self.open(&output, cancel), take, cancel)
    }

    /// Opens the next files. What cannot be opened is told.
    fn open(&mut self, output: &RefCell<&mut ReplySink>, cancel: &AtomicBool) -> Vec<OpenFile> {
        let mut files = Vec::new();
        while files.len() < MAX_BATCH
            && !cancel.load(Ordering::Relaxed)
            && let Some(exposed) = self.files.next()
        {
            match exposed.open_to_hand() {
                Ok(Some(file)) => files.push(OpenFile { path: exposed.path().to_owned(), file }),
                // It is gone, which is no error of a search either.
                Ok(None) => {}
                Err(words) => {
                    self.unopened += 1;
                    if !self.no_messages {
                        // If nobody receives it, the question ends soon.
                        let _: Result<(), Stopped> = output.borrow_mut().message(words);
                    }
                }
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use crate::search::reply::PeerReply;
    use memberd_search::ExposedFiles;
    use memberd_worker::{Settings, bind, serve};
    use std::sync::Arc;
    use tempfile::TempDir;

    fn searcher(directory: &TempDir) -> LocalSearcher {
        let glob = directory.path().join("*.log");
        let offer = ExposedFiles::new(&[glob.to_str().unwrap()]).unwrap();
        LocalSearcher::new("vm1".to_owned(), offer, Limits::default())
    }

    /// The replies to a question for this pattern, the last one at the end.
    fn replies(searcher: &LocalSearcher, pattern: &str) -> Vec<PeerReply> {
        let query = format!("{pattern} | count");
        let question = StatsQuestion { query, groups: 1, ..StatsQuestion::default() };
        let mut request = GrepRequest { stats: Some(question), ..GrepRequest::default() };
        request.pattern.patterns = vec![pattern.into()];
        let (queue, mut replies) = tokio::sync::mpsc::channel(100);
        let output = ReplySink::new(queue, u64::MAX, Arc::default());
        let memory = Err(searcher.memory.clone());
        let last = searcher.search(&request, memory, output, &AtomicBool::new(false));
        std::iter::from_fn(|| replies.try_recv().ok()).chain([last]).collect()
    }

    fn refused(searcher: &LocalSearcher) -> String {
        match replies(searcher, "x").pop() {
            Some(PeerReply::Refused(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_worker_a_question_is_refused() {
        let directory = TempDir::new().unwrap();
        let searcher = searcher(&directory);
        assert_eq!(refused(&searcher), OFF);
        searcher.set_worker(Some(directory.path().join("none")));
        assert_eq!(refused(&searcher), "streams are off there (no memberd-worker.socket)");
    }

    /// More files than go in one message, one of which is a link.
    #[test]
    fn the_worker_counts_what_this_machine_offers() {
        let directory = TempDir::new().unwrap();
        for number in 0..=MAX_BATCH {
            let path = directory.path().join(format!("{number}.log"));
            std::fs::write(path, "an x\nnone\n").unwrap();
        }
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "x\n").unwrap();
        std::os::unix::fs::symlink(secret, directory.path().join("link.log")).unwrap();
        let socket = directory.path().join("socket");
        let listener = bind(&socket).unwrap();
        let users = vec![nix::unistd::getuid().as_raw()];
        // It waits for questions until the tests end, so that this one need not be quick.
        let settings = Settings { users, idle: None };
        std::thread::spawn(move || serve(&listener, &settings));
        let searcher = searcher(&directory);
        searcher.set_worker(Some(socket));
        let mut replies = replies(&searcher, "x");
        let Some(PeerReply::Done(totals)) = replies.pop() else { panic!("{replies:?}") };
        let files = MAX_BATCH as u64 + 1;
        assert_eq!((totals.files, totals.lines, totals.errors), (files, files, 0));
        assert_eq!(totals.bytes, 10 * files);
        assert!(replies.iter().any(|reply| matches!(reply, PeerReply::Partial(_))), "{replies:?}");
        assert_eq!(searcher.counts().finished, 1);
    }
}
