//! Tests the search of the journal, with a fake journalctl.

use super::*;
use crate::search::limits::Limits;
use crate::search::reply::PeerReply;
use crate::search::reply_sink::ReplySink;
use crate::search::{LocalSearcher, SearchCounts};
use memberd_control::grep::{GrepPattern, GrepRequest, GrepTotals};
use memberd_search::{ExposedFiles, MemoryBudget, Query, Stopped};
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
    /// A fake journalctl that runs this script of sh(1). In it, `say MESSAGE` prints an entry of
    /// the program `a` one second after the epoch, and `at MICROSECONDS MESSAGE` one of that time.
    fn new(does: &str) -> Fake {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let fake = Fake { directory: tempfile::tempdir().unwrap(), _turn: turn };
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$0.arguments\"\nset > \"$0.environment\"\n\
            at() {{ printf '__REALTIME_TIMESTAMP=%s\\n_COMM=a\\nMESSAGE=%s\\n\\n' \"$@\"; }}\n\
            say() {{ at 1000000 \"$1\"; }}\n{does}\n"
        );
        fs::write(fake.program(), script).unwrap();
        fs::write(fake.directory.path().join("machine-id"), "0123\n").unwrap();
        let file = order::tests::file(1, 1, &[], true);
        fs::write(fake.directory.path().join("system.journal"), file).unwrap();
        fs::set_permissions(fake.program(), fs::Permissions::from_mode(0o755)).unwrap();
        fake
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("journalctl")
    }

    /// The files of a journal that has none.
    fn order(&self) -> JournalOrder {
        JournalOrder::of(self.directory.path())
    }

    fn arguments(&self) -> Vec<String> {
        let text = fs::read_to_string(self.program().with_extension("arguments")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn search(
        &self,
        files: &GrepFiles,
        output: &mut Kept,
        cancel: &AtomicBool,
    ) -> Result<Totals, String> {
        let query = Query::default().with(|query| query.pattern.patterns = vec!["error".into()]);
        self.run(&query, files, output, cancel)
    }

    fn run(
        &self,
        query: &Query,
        files: &GrepFiles,
        output: &mut Kept,
        cancel: &AtomicBool,
    ) -> Result<Totals, String> {
        let selection = files.journal.clone().unwrap_or_default();
        let by_time = query.printing.by_time;
        let asked = Asked { journal: &selection, files, by_time };
        let (program, order) = (self.program(), self.order());
        let journal = Journal { program: &program, order: &order };
        search(journal, "vm1", &query.compile().unwrap(), asked, output, cancel)
    }
}

/// What stands before the message of an entry that `say` prints.
const SAID: &str = "1970-01-01T00:00:01.000000+0000 a: ";

/// Stores all output, and reports each piece and each message.
#[derive(Default)]
struct Kept {
    lines: String,
    times: Vec<(i64, String)>,
    messages: Vec<String>,
    sender: Option<mpsc::Sender<String>>,
    told: Option<mpsc::Sender<String>>,
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
        self.messages.push(text.clone());
        self.told.as_ref().map_or(Ok(()), |told| told.send(text).map_err(|_| Stopped))
    }
}

#[test]
fn the_journal_is_searched_as_a_file_of_that_name() {
    let fake = Fake::new("say 'a error'; say 'b'; say 'c error'");
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!(kept.lines, format!("vm1:journal:{SAID}a error\nvm1:journal:{SAID}c error\n"));
    let bytes = 18 + 3 * u64::try_from(SAID.len()).unwrap();
    assert_eq!((totals.files, totals.lines, totals.errors, totals.bytes), (1, 2, 0, bytes));
    assert!(kept.messages.is_empty());
}

#[test]
fn journalctl_gets_fixed_arguments_and_no_environment() {
    let fake = Fake::new("");
    let journal = GrepJournal {
        units: vec!["--vacuum-size=1".to_owned(), "ssh".to_owned()],
        priority: Some("err".to_owned()),
        ..GrepJournal::default()
    };
    let files = GrepFiles {
        journal: Some(journal),
        since: Some(61_500),
        until: Some(62_000),
        ..GrepFiles::default()
    };
    fake.search(&files, &mut Kept::default(), &AtomicBool::new(false)).unwrap();
    assert_eq!(
        fake.arguments(),
        [
            "--no-pager",
            "--quiet",
            "--output=export",
            &format!("--output-fields={}", export::FIELDS),
            "--unit=--vacuum-size=1",
            "--unit=ssh",
            "--priority=err",
            // The clock of a sender may be a minute off, and --until is judged here.
            "--since=@1.500000",
        ]
    );
    let environment = fs::read_to_string(fake.program().with_extension("environment")).unwrap();
    assert!(!environment.contains("HOME=") && !environment.contains("CARGO"), "{environment}");
    let hostile = GrepFiles {
        journal: Some(GrepJournal { units: vec!["a\0b".to_owned()], ..GrepJournal::default() }),
        ..files
    };
    assert!(
        fake.search(&hostile, &mut Kept::default(), &AtomicBool::new(false))
            .unwrap_err()
            .ends_with("not a unit")
    );
}

#[test]
fn a_search_of_the_journal_is_counted() {
    let fake = Fake::new("say 'a error'; say 'b'");
    let searcher = LocalSearcher::new(
        "vm1".to_owned(),
        ExposedFiles::new::<&str>(&[]).unwrap(),
        Limits::default(),
    );
    searcher.set_journal(Some(JournalOffer { program: fake.program(), namespaces: Vec::new() }));
    let files = GrepFiles { journal: Some(GrepJournal::default()), ..GrepFiles::default() };
    let pattern = GrepPattern { patterns: vec!["error".into()], ..GrepPattern::default() };
    let request = GrepRequest { pattern, files, ..GrepRequest::default() };
    let (queue, _pieces) = tokio::sync::mpsc::channel(10);
    let sink = ReplySink::new(queue, u64::MAX, Arc::default());
    let memory = Err(MemoryBudget::default());
    let reply = searcher.search(&request, memory, sink, &AtomicBool::new(false));
    assert!(matches!(reply, PeerReply::Done(GrepTotals { lines: 1, .. })), "{reply:?}");
    assert_eq!(
        searcher.counts(),
        SearchCounts { running: 0, set_aside: 0, finished: 1, bytes: 10 + 2 * SAID.len() as u64 }
    );
}

#[test]
fn what_journalctl_complains_of_is_an_error_in_its_words() {
    let fake = Fake::new("say 'x error'; echo 'Failed to open the journal' >&2; exit 1");
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!((totals.lines, totals.errors), (1, 1));
    assert_eq!(kept.messages, ["journal: Failed to open the journal"]);
    let absent = Path::new("/nowhere/journalctl");
    let query = Query::default().compile().unwrap();
    let asked =
        Asked { journal: &GrepJournal::default(), files: &GrepFiles::default(), by_time: false };
    let journal = Journal { program: absent, order: &fake.order() };
    let error =
        search(journal, "vm1", &query, asked, &mut kept, &AtomicBool::new(false)).unwrap_err();
    assert!(
        error.starts_with("the journal cannot be read: /nowhere/journalctl: No such file"),
        "{error}"
    );
}

#[test]
fn a_followed_journal_comes_line_by_line_until_cancelled() {
    // It waits forever after its output.
    let fake = Fake::new("say 'one error'; say 'two'; exec /bin/sleep 1000");
    let files = GrepFiles { follow: true, ..GrepFiles::default() };
    let (sender, received) = mpsc::channel();
    let cancel = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        let searching = scope.spawn(|| {
            fake.search(&files, &mut Kept { sender: Some(sender), ..Kept::default() }, &cancel)
        });
        assert_eq!(
            received.recv_timeout(Duration::from_secs(60)).unwrap(),
            format!("vm1:journal:{SAID}one error\n")
        );
        cancel.store(true, Ordering::Relaxed);
        assert!(searching.join().unwrap().unwrap().interrupted);
    });
    assert!(started.elapsed() < Duration::from_secs(120), "long before the journal's end");
    assert!(fake.arguments().ends_with(&["--follow".to_owned(), "--no-tail".to_owned()]));
}

/// Follows a journal that says some messages, and others after the first were received. Then the
/// journal waits forever. What stands before the messages is left out of the received lines.
fn followed(query: &Query, first: &[&str], second: &[&str], hears_first: &str) -> (String, Totals) {
    let say = |messages: &[&str]| {
        messages.iter().map(|message| format!("say '{message}'; ")).collect::<String>()
    };
    let fake = Fake::new(&format!(
        "{}until [ -e \"$0.heard\" ]; do /bin/sleep 0.01; done; {}exec /bin/sleep 1000",
        say(first),
        say(second)
    ));
    let files = GrepFiles { follow: true, ..GrepFiles::default() };
    let (sender, received) = mpsc::channel();
    let cancel = AtomicBool::new(false);
    let mut heard = String::new();
    let totals = thread::scope(|scope| {
        let searching = scope.spawn(|| {
            let mut kept = Kept { sender: Some(sender), ..Kept::default() };
            fake.run(query, &files, &mut kept, &cancel)
        });
        // A search that waits longer than this for its lines is cancelled. The received lines then
        // show the fault.
        let patience = Duration::from_secs(60);
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
    (heard.replace(SAID, ""), totals)
}

#[test]
fn numbers_go_on_in_a_journal_that_is_followed() {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
        query.printing.byte_offsets = true;
    });
    let (first, second) = (["one", "error two"], ["three", "last error"]);
    let (heard, _) = followed(&query, &first, &second, "two\n");
    // The lengths of the lines before, with their newlines.
    let (begin, third) = (SAID.len() + 4, 3 * SAID.len() + 20);
    assert_eq!(
        heard,
        format!("vm1:journal:2:{begin}:error two\nvm1:journal:4:{third}:last error\n")
    );
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
        query.printing.json = true;
    });
    let (heard, _) = followed(&query, &first, &second, "}\n");
    let places: Vec<_> = heard
        .lines()
        .map(|line| (line.contains("\"line\":2,"), line.contains(&format!("\"offset\":{begin},"))))
        .collect();
    assert_eq!(places, [(true, true), (false, false)], "{heard}");
    assert!(heard.contains("\"line\":4,"), "{heard}");
    assert!(heard.contains(&format!("\"offset\":{third},")), "{heard}");
}

#[test]
fn context_spans_the_pieces_of_a_followed_journal() {
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
        query.printing.before_context = Some(1);
        query.printing.after_context = Some(1);
    });
    let second = ["two", "three", "four", "last error"];
    let (heard, _) = followed(&query, &["one error"], &second, "one error\n");
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
    let second = ["two error", "three error"];
    let (heard, totals) = followed(&query, &["one error"], &second, "one error\n");
    assert_eq!(heard, "vm1:journal:one error\nvm1:journal:two error\n");
    assert_eq!((totals.lines, totals.errors, totals.interrupted), (2, 0, false));
}

#[test]
fn a_search_that_has_enough_ends_journalctl() {
    let fake = Fake::new("while :; do say error; done");
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.what = memberd_search::GrepPrint::Nothing;
    });
    let cancel = AtomicBool::new(false);
    let search = fake.run(&query, &GrepFiles::default(), &mut Kept::default(), &cancel);
    assert_eq!(search.unwrap().errors, 0);
}

#[test]
fn a_journal_that_is_merged_has_the_time_of_each_line() {
    let fake = Fake::new(
        r"at 1000500 error
         printf '__REALTIME_TIMESTAMP=2123456\nMESSAGE\n'
         printf '\034\0\0\0\0\0\0\0fine\nerror, in a second line\n\n'
         at 2000000 'error, a little late'
         at 3000000 'the last error'",
    );
    let query = Query::default().with(|query| {
        query.pattern.patterns = vec!["error".into()];
        query.printing.line_numbers = true;
        query.printing.by_time = true;
    });
    let mut kept = Kept::default();
    let cancel = AtomicBool::new(false);
    let totals = fake.run(&query, &GrepFiles::default(), &mut kept, &cancel).unwrap();
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
        "i=0; while [ $i -lt 5000 ]; do at $((1000000 + i)) \"error $i\"; i=$((i + 1)); done",
    );
    for (most, expected) in [(None, 5_000), (Some(2_000), 2_000)] {
        let query = Query::default().with(|query| {
            query.pattern.patterns = vec!["error".into()];
            query.printing.max_count = most;
            query.printing.by_time = true;
        });
        let mut kept = Kept::default();
        let cancel = AtomicBool::new(false);
        let totals = fake.run(&query, &GrepFiles::default(), &mut kept, &cancel).unwrap();
        assert_eq!((totals.lines, totals.errors), (expected, 0));
        assert!(kept.times.is_sorted_by_key(|(time, _)| *time));
        let lines: usize = kept.times.iter().map(|(_, lines)| lines.lines().count()).sum();
        assert_eq!(lines as u64, expected);
    }
}

/// journalctl ends with 0 and leaves out a file, or finds none at all. What it said is not lost.
#[test]
fn each_complaint_of_a_journalctl_that_ends_well_is_an_error() {
    let fake = Fake::new(
        "say error; echo '-- No entries --'; echo 'Journal file /x is truncated, ignoring file.' \
        >&2; printf 'Journal file /y corrupted, ignoring file.' >&2",
    );
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!((totals.lines, totals.errors), (1, 2));
    let expected = [
        "journal: Journal file /x is truncated, ignoring file.",
        "journal: Journal file /y corrupted, ignoring file.",
    ];
    assert_eq!(kept.messages, expected);
}

/// Such as one that the kernel ends because memory is short.
#[test]
fn a_journalctl_that_a_signal_ends_has_failed() {
    let fake = Fake::new("say error; kill -9 $$");
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!((totals.lines, totals.errors), (1, 1));
    assert_eq!(kept.messages, ["journal: journalctl failed"]);
}

/// journalctl is silent about it, and ends well.
#[test]
fn a_namespace_without_files_is_told() {
    let fake = Fake::new("");
    let path = |name: &str| fake.directory.path().join(name);
    fs::create_dir(path("0123")).unwrap();
    fs::create_dir(path("0123.web")).unwrap();
    fs::rename(path("system.journal"), path("0123/system.journal")).unwrap();
    let told = |namespace: Option<&str>| {
        let namespace = namespace.map(str::to_owned);
        let journal = Some(GrepJournal { namespace, ..GrepJournal::default() });
        let files = GrepFiles { journal, ..GrepFiles::default() };
        let mut kept = Kept::default();
        let totals = fake.search(&files, &mut kept, &AtomicBool::new(false)).unwrap();
        assert_eq!(totals.errors, kept.messages.len() as u64);
        kept.messages
    };
    let none = ["journal: No journal files were found."];
    assert!(told(None).is_empty() && told(Some("+web")).is_empty() && told(Some("*")).is_empty());
    assert_eq!(told(Some("web")), none);
    fs::rename(path("0123/system.journal"), path("0123.web/system.journal")).unwrap();
    assert!(told(Some("web")).is_empty());
    assert_eq!(told(None), none);
}

/// A search that follows may go on for days, so that it tells at once what it does not see.
#[test]
fn complaints_about_a_followed_journal_come_at_once() {
    let fake = Fake::new("exec /bin/sleep 1000");
    // journalctl says nothing of it with --output=export.
    fs::remove_file(fake.directory.path().join("system.journal")).unwrap();
    let files = GrepFiles { follow: true, ..GrepFiles::default() };
    let (sender, received) = mpsc::channel();
    let cancel = AtomicBool::new(false);
    thread::scope(|scope| {
        let searching = scope.spawn(|| {
            fake.search(&files, &mut Kept { told: Some(sender), ..Kept::default() }, &cancel)
        });
        let told = received.recv_timeout(Duration::from_secs(60));
        cancel.store(true, Ordering::Relaxed);
        assert_eq!(told.unwrap(), "journal: No journal files were found.");
        assert!(searching.join().unwrap().unwrap().interrupted);
    });
}

/// The clock was set back by an hour after the second entry.
#[test]
fn a_window_has_the_entries_of_its_time_in_any_order() {
    let fake = Fake::new(
        "at 7200000000 'error 2:00'; at 7260000000 'error 2:01'; at 3660000000 'error 1:01'
         at 5400000000 'error 1:30'; at 7205000000 'error 2:00:05'",
    );
    let messages = |since: Option<i64>, until: Option<i64>| {
        let files = GrepFiles { since, until, ..GrepFiles::default() };
        let mut kept = Kept::default();
        fake.search(&files, &mut kept, &AtomicBool::new(false)).unwrap();
        let words = |line: &str| line.split_once(" error ").unwrap().1.to_owned();
        kept.lines.lines().map(words).collect::<Vec<_>>()
    };
    assert_eq!(messages(Some(7_200_000), None), ["2:00", "2:01", "2:00:05"]);
    assert_eq!(messages(None, Some(7_200_000)), ["1:01", "1:30"]);
    assert_eq!(messages(Some(5_400_000), Some(7_200_001)), ["2:00", "1:30"]);
}

#[test]
fn every_option_of_the_journal_is_one_argument() {
    let fake = Fake::new("");
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let journal = GrepJournal {
        identifiers: words(&["--flush", "a b"]),
        boot: Some("-1".to_owned()),
        dmesg: true,
        user_units: words(&["a", "b.timer"]),
        facilities: words(&["auth,4"]),
        namespace: Some("+web".to_owned()),
        matches: words(&["_PID=1", "A=--x"]),
        ..GrepJournal::default()
    };
    let files = |journal| GrepFiles { journal: Some(journal), ..GrepFiles::default() };
    let search = |files| fake.search(&files, &mut Kept::default(), &AtomicBool::new(false));
    search(files(journal.clone())).unwrap();
    let expected = "--identifier=--flush|--identifier=a b|--facility=auth,4|--namespace=+web|\
        --dmesg|--boot=-1|\
        _SYSTEMD_USER_UNIT=a.service|_SYSTEMD_USER_UNIT=b.timer|_PID=1|A=--x|+|\
        USER_UNIT=a.service|USER_UNIT=b.timer|_PID=1|A=--x|+|\
        COREDUMP_USER_UNIT=a.service|COREDUMP_USER_UNIT=b.timer|_PID=1|A=--x|+|\
        OBJECT_SYSTEMD_USER_UNIT=a.service|OBJECT_SYSTEMD_USER_UNIT=b.timer|_PID=1|A=--x";
    assert_eq!(fake.arguments()[4..].join("|"), expected);
    let plain = GrepJournal { user_units: Vec::new(), ..journal };
    search(files(plain.clone())).unwrap();
    assert!(fake.arguments().ends_with(&words(&["--boot=-1", "_PID=1", "A=--x"])));
    for (hostile, refusal) in [
        (
            GrepJournal { matches: words(&["--vacuum-size=1"]), ..plain.clone() },
            "\"--vacuum-size=1\": not a match of a field: write FIELD=VALUE",
        ),
        (
            GrepJournal { matches: words(&["A=b"; 257]), ..plain.clone() },
            "FIELD=VALUE: more than 256 values: give fewer",
        ),
        (
            GrepJournal { boot: Some("--file=/x".to_owned()), ..plain.clone() },
            "\"--file=/x\": not a boot",
        ),
        (GrepJournal { facilities: words(&["help"]), ..plain.clone() }, "\"help\": not a facility"),
        (
            GrepJournal { identifiers: vec!["i".repeat(257)], ..plain.clone() },
            &format!("{:?}: not a syslog identifier", "i".repeat(257)),
        ),
        (
            GrepJournal { user_units: words(&["a\n"]), ..plain.clone() },
            "\"a\\n\": not a unit of a user",
        ),
        (GrepJournal { user_units: words(&["a*"]), ..plain }, "\"a*\": --user-unit takes no glob"),
    ] {
        assert_eq!(search(files(hostile)).unwrap_err(), refusal);
    }
}

/// A namespace is offered by its name, and the default journal with every offer.
#[test]
fn a_namespace_that_is_not_offered_is_refused() {
    let offer = |names: &[&str]| JournalOffer {
        program: PathBuf::from(JOURNALCTL),
        namespaces: names.iter().map(|&name| name.to_owned()).collect(),
    };
    let asked = |namespace: Option<&str>| GrepJournal {
        namespace: namespace.map(str::to_owned),
        ..GrepJournal::default()
    };
    for (offered, namespace, allowed) in [
        (&[][..], None, true),
        (&[], Some("web"), false),
        (&["web"], Some("web"), true),
        (&["web"], Some("+web"), true),
        (&["web"], Some("we"), false),
        (&["web"], Some("*"), false),
        (&["*"], Some("*"), true),
        (&["*"], Some("+db"), true),
    ] {
        let checked = offer(offered).check(&asked(namespace));
        assert_eq!(checked.is_ok(), allowed, "{offered:?} {namespace:?}");
    }
    let words = offer(&[]).check(&asked(Some("web"))).unwrap_err();
    assert!(words.contains("namespace web: set logs.journal_namespaces there"), "{words}");
}
