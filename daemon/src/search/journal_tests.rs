//! Tests the search of the journal, with a fake journalctl.

use super::*;
use crate::search::limits::Limits;
use crate::search::reply::PeerReply;
use crate::search::reply_sink::ReplySink;
use crate::search::{LocalSearcher, SearchCounts};
use memberd_control::grep::{GrepPattern, GrepRequest, GrepTotals};
use memberd_search::{ExposedFiles, Query, Stopped};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// One test at a time writes and runs scripts. A script cannot run while another thread has it open
/// for writing.
static TURN: Mutex<()> = Mutex::new(());

struct Fake {
    directory: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Fake {
    /// A fake journalctl that runs this script of sh(1).
    fn new(does: &str) -> Fake {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let fake = Fake { directory: tempfile::tempdir().unwrap(), _turn: turn };
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$0.arguments\"\nset \
            > \"$0.environment\"\n{does}\n"
        );
        fs::write(fake.program(), script).unwrap();
        fs::set_permissions(fake.program(), fs::Permissions::from_mode(0o755)).unwrap();
        fake
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("journalctl")
    }

    fn arguments(&self) -> Vec<String> {
        let text = fs::read_to_string(self.program().with_extension("arguments")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn search(
        &self,
        files: &GrepFiles,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Result<Totals, String> {
        let query = Query::default().with(|query| query.pattern.patterns = vec!["error".into()]);
        let journal = files.journal.clone().unwrap_or_default();
        let asked = Asked { journal: &journal, files, by_time: false };
        search(&self.program(), "vm1", &query.compile().unwrap(), asked, output, cancel)
    }
}

/// Stores all output, and reports each piece.
#[derive(Default)]
struct Kept {
    lines: String,
    times: Vec<(i64, String)>,
    messages: Vec<String>,
    sender: Option<mpsc::Sender<String>>,
}

impl Output for Kept {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.lines.push_str(&text);
        self.sender.as_ref().map_or(Ok(()), |sender| sender.send(text).map_err(|_| Stopped))
    }

    fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
        self.times.push((milliseconds, String::from_utf8_lossy(bytes).into_owned()));
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text);
        Ok(())
    }
}

#[test]
fn the_journal_is_searched_as_a_file_of_that_name() {
    let fake = Fake::new("echo 'a error'; echo 'b'; echo 'c error'");
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!(kept.lines, "vm1:journal:a error\nvm1:journal:c error\n");
    assert_eq!((totals.files, totals.lines, totals.errors, totals.bytes), (1, 2, 0, 18));
    assert!(kept.messages.is_empty());
}

#[test]
fn journalctl_gets_fixed_arguments_and_no_environment() {
    let fake = Fake::new("");
    let journal = GrepJournal {
        units: vec!["--vacuum-size=1".to_owned(), "ssh".to_owned()],
        priority: Some("err".to_owned()),
    };
    let files = GrepFiles {
        journal: Some(journal),
        since: Some(1_500),
        until: Some(2_000),
        ..GrepFiles::default()
    };
    fake.search(&files, &mut Kept::default(), &AtomicBool::new(false)).unwrap();
    assert_eq!(
        fake.arguments(),
        [
            "--no-pager",
            "--quiet",
            "--utc",
            "--output=short-iso-precise",
            "--unit=--vacuum-size=1",
            "--unit=ssh",
            "--priority=err",
            "--since=@1.500000",
            "--until=@1.999999",
        ]
    );
    let environment = fs::read_to_string(fake.program().with_extension("environment")).unwrap();
    assert!(!environment.contains("HOME=") && !environment.contains("CARGO"), "{environment}");
    let hostile = GrepFiles {
        journal: Some(GrepJournal { units: vec!["a\0b".to_owned()], priority: None }),
        ..files
    };
    assert!(
        fake.search(&hostile, &mut Kept::default(), &AtomicBool::new(false))
            .unwrap_err()
            .ends_with("neither a unit nor a priority")
    );
}

#[test]
fn a_search_of_the_journal_is_counted() {
    let fake = Fake::new("echo 'a error'; echo 'b'");
    let searcher = LocalSearcher::new(
        "vm1".to_owned(),
        ExposedFiles::new::<&str>(&[]).unwrap(),
        Limits::default(),
    );
    searcher.set_journal(Some(fake.program()));
    let files = GrepFiles { journal: Some(GrepJournal::default()), ..GrepFiles::default() };
    let pattern = GrepPattern { patterns: vec!["error".into()], ..GrepPattern::default() };
    let request = GrepRequest { pattern, files, ..GrepRequest::default() };
    let (queue, _pieces) = tokio::sync::mpsc::channel(10);
    let sink = ReplySink::new(queue, u64::MAX, Arc::default());
    let reply = searcher.search(&request, None, sink, &AtomicBool::new(false));
    assert!(matches!(reply, PeerReply::Done(GrepTotals { lines: 1, .. })), "{reply:?}");
    assert_eq!(searcher.counts(), SearchCounts { running: 0, finished: 1, bytes: 10 });
}

#[test]
fn what_journalctl_complains_of_is_an_error_in_its_words() {
    let fake = Fake::new("echo 'x error'; echo 'Failed to open the journal' >&2; exit 1");
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!((totals.lines, totals.errors), (1, 1));
    assert_eq!(kept.messages, ["journal: Failed to open the journal"]);
    let absent = Path::new("/nowhere/journalctl");
    let query = Query::default().compile().unwrap();
    let asked =
        Asked { journal: &GrepJournal::default(), files: &GrepFiles::default(), by_time: false };
    let error =
        search(absent, "vm1", &query, asked, &mut kept, &AtomicBool::new(false)).unwrap_err();
    assert!(
        error.starts_with("the journal cannot be read: /nowhere/journalctl: No such file"),
        "{error}"
    );
}

#[test]
fn a_followed_journal_comes_line_by_line_until_cancelled() {
    // It waits forever after its output.
    let fake = Fake::new("echo 'one error'; echo 'two'; exec /bin/sleep 1000");
    let files = GrepFiles { follow: true, ..GrepFiles::default() };
    let (sender, received) = mpsc::channel();
    let cancel = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        let searching = scope.spawn(|| {
            fake.search(&files, &mut Kept { sender: Some(sender), ..Kept::default() }, &cancel)
        });
        assert_eq!(
            received.recv_timeout(Duration::from_secs(10)).unwrap(),
            "vm1:journal:one error\n"
        );
        cancel.store(true, Ordering::Relaxed);
        assert!(searching.join().unwrap().unwrap().interrupted);
    });
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(fake.arguments().ends_with(&["--follow".to_owned(), "--lines=0".to_owned()]));
}

/// Follows a journal that prints one line, and another after the first was received. Then the
/// journal waits forever.
fn followed(query: &Query, first: &str, second: &str, hears_first: &str) -> (String, Totals) {
    let fake = Fake::new(&format!(
        "printf '{first}'; until [ -e \"$0.heard\" ]; do /bin/sleep 0.01; done; printf '{second}'; \
        exec /bin/sleep 1000"
    ));
    let files = GrepFiles { follow: true, ..GrepFiles::default() };
    let compiled = query.compile().unwrap();
    let (sender, received) = mpsc::channel();
    let cancel = AtomicBool::new(false);
    let mut heard = String::new();
    let totals = thread::scope(|scope| {
        let searching = scope.spawn(|| {
            let asked = Asked { journal: &GrepJournal::default(), files: &files, by_time: false };
            search(
                &fake.program(),
                "vm1",
                &compiled,
                asked,
                &mut Kept { sender: Some(sender), ..Kept::default() },
                &cancel,
            )
        });
        // A search that waits longer than this for its lines is cancelled. The received lines then
        // show the fault.
        let patience = Duration::from_secs(10);
        while let Ok(more) = received.recv_timeout(patience) {
            heard.push_str(&more);
            if heard.ends_with(hears_first) {
                fs::write(fake.program().with_extension("heard"), "").unwrap();
            }
            if heard.contains("last") {
                break;
            }
        }
        cancel.store(true, Ordering::Relaxed);
        searching.join().unwrap().unwrap()
    });
    (heard, totals)
}

#[test]
fn numbers_go_on_in_a_journal_that_is_followed() {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
        query.printing.byte_offsets = true;
    });
    let (heard, _) = followed(&query, "one\\nerror two\\n", "three\\nlast error\\n", "two\n");
    assert_eq!(heard, "vm1:journal:2:4:error two\nvm1:journal:4:20:last error\n");
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
        query.printing.json = true;
    });
    let (heard, _) = followed(&query, "one\\nerror two\\n", "three\\nlast error\\n", "}\n");
    let places: Vec<_> = heard
        .lines()
        .map(|line| (line.contains("\"line\":2,"), line.contains("\"offset\":4,")))
        .collect();
    assert_eq!(places, [(true, true), (false, false)], "{heard}");
    assert!(heard.contains("\"line\":4,") && heard.contains("\"offset\":20,"), "{heard}");
}

#[test]
fn context_spans_the_pieces_of_a_followed_journal() {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
        query.printing.before_context = Some(1);
        query.printing.after_context = Some(1);
    });
    let (heard, _) =
        followed(&query, "one error\\n", "two\\nthree\\nfour\\nlast error\\n", "one error\n");
    let expected = "vm1:journal:1:one \
    error\nvm1:journal-2-two\n--\nvm1:journal-4-four\nvm1:journal:5:last error\n";
    assert_eq!(heard, expected);
}

#[test]
fn a_followed_journal_ends_when_enough_lines_were_found() {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.max_count = Some(2);
    });
    let (heard, totals) =
        followed(&query, "one error\\n", "two error\\nthree error\\n", "one error\n");
    assert_eq!(heard, "vm1:journal:one error\nvm1:journal:two error\n");
    assert_eq!((totals.lines, totals.errors, totals.interrupted), (2, 0, false));
}

#[test]
fn a_search_that_has_enough_ends_journalctl() {
    let fake = Fake::new("while :; do echo error; done");
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.what = memberd_search::GrepPrint::Nothing;
    });
    let asked =
        Asked { journal: &GrepJournal::default(), files: &GrepFiles::default(), by_time: false };
    let search = search(
        &fake.program(),
        "vm1",
        &query.compile().unwrap(),
        asked,
        &mut Kept::default(),
        &AtomicBool::new(false),
    );
    assert_eq!(search.unwrap().errors, 0);
}

#[test]
fn a_journal_that_is_merged_has_the_time_of_each_line() {
    let fake = Fake::new(
        "echo '1970-01-01T00:00:01.000500+00:00 vm1 a[1]: error'
         echo '1970-01-01T00:00:02.123456+00:00 vm1 a[1]: fine'
         echo '                                   error, in a second line'
         echo '1970-01-01T00:00:02.000000+00:00 vm1 b[2]: error, a little late'
         echo '1970-01-01T00:00:03.000000+00:00 vm1 b[2]: the last error'",
    );
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
    });
    let asked =
        Asked { journal: &GrepJournal::default(), files: &GrepFiles::default(), by_time: true };
    let mut kept = Kept::default();
    let totals = search(
        &fake.program(),
        "vm1",
        &query.compile().unwrap(),
        asked,
        &mut kept,
        &AtomicBool::new(false),
    )
    .unwrap();
    assert_eq!((totals.files, totals.lines, totals.errors), (1, 4, 0));
    let (times, lines): (Vec<i64>, Vec<String>) = kept.times.into_iter().unzip();
    assert_eq!(times, [1_000, 2_123, 3_000]);
    assert!(lines[0].starts_with("vm1:journal:1:1970-01-01T00:00:01.000500"), "{lines:?}");
    assert!(
        lines[1].starts_with("vm1:journal:3: ")
            && lines[1].contains("\nvm1:journal:4:")
            && lines[1].ends_with("late\n"),
        "{lines:?}"
    );
    assert!(lines[2].ends_with("the last error\n"), "{lines:?}");
}

#[test]
fn a_journal_of_many_parts_is_merged_as_far_as_wanted() {
    let fake = Fake::new(
        "i=0; while [ $i -lt 5000 ]; do echo \"1970-01-01T00:00:00.$(printf %06d $i)+00:00 vm1 \
        a[1]: error $i\"; i=$((i + 1)); done",
    );
    for (most, expected) in [(None, 5_000), (Some(2_000), 2_000)] {
        let query = Query::default().with(|query| {
            query.pattern.patterns = vec!["error".into()];
            query.printing.max_count = most;
        });
        let asked =
            Asked { journal: &GrepJournal::default(), files: &GrepFiles::default(), by_time: true };
        let mut kept = Kept::default();
        let totals = search(
            &fake.program(),
            "vm1",
            &query.compile().unwrap(),
            asked,
            &mut kept,
            &AtomicBool::new(false),
        )
        .unwrap();
        assert_eq!((totals.lines, totals.errors), (expected, 0));
        assert!(kept.times.is_sorted_by_key(|(time, _)| *time));
        let lines: usize = kept.times.iter().map(|(_, lines)| lines.lines().count()).sum();
        assert_eq!(lines as u64, expected);
    }
}
