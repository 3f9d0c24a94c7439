//! Questions over logs, as the daemons and their workers answer them. The control socket is asked
//! without memberctl.

use memberd_control::grep::{GrepOutcome, GrepPattern, GrepRequest, GrepTotals};
use memberd_control::message::{RefusalKind, Reply, Request};
use memberd_control::stats::{MAX_QUERY_BYTES, StatsRequest};
use memberd_streams::{Gather, Limits, Plan, Query, Value};
use memberd_tests::control::{ControlError, reply};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::{Signal, kill};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

const QUERY: &str = "needle | count";

/// The groups and bytes of a question.
const LIMITS: Limits = Limits { groups: 1_000, bytes: 1 << 20 };

fn request() -> StatsRequest {
    let patterns = vec![b"needle".to_vec()];
    let pattern = GrepPattern { patterns, ..GrepPattern::default() };
    let mut grep = GrepRequest { pattern, ..GrepRequest::default() };
    grep.files.globs = vec!["app.log".to_owned()];
    let (query, groups) = (QUERY.to_owned(), LIMITS.groups as u64);
    StatsRequest { grep, query, groups, bytes: LIMITS.bytes as u64, every_ms: None }
}

fn ask(daemon: &Daemon, request: &StatsRequest) -> UnixStream {
    let request = Request::Stats(Box::new(request.clone()));
    daemon.control().ask(&request, Some(SOON)).unwrap()
}

/// What a question brought.
#[derive(Debug, Default)]
struct Answers {
    outcomes: BTreeMap<String, GrepOutcome>,
    partials: Vec<(String, Vec<u8>)>,
    messages: Vec<String>,
}

impl Answers {
    fn of(mut stream: UnixStream) -> Result<Answers, ControlError> {
        let mut answers = Answers::default();
        loop {
            match reply(&mut stream)? {
                Reply::StatsPartial { member, bytes } => answers.partials.push((member, bytes)),
                Reply::GrepMember { member, outcome } => {
                    answers.outcomes.insert(member, outcome);
                }
                Reply::GrepMessage { member, text } => {
                    answers.messages.push(format!("{member}: {text}"));
                }
                Reply::GrepProgress { .. } => {}
                Reply::Done => return Ok(answers),
                other => panic!("{other:?}"),
            }
        }
    }

    fn totals(&self, member: &str) -> &GrepTotals {
        match self.outcomes.get(member) {
            Some(GrepOutcome::Searched(totals)) => totals,
            other => panic!("{member}: {other:?}"),
        }
    }

    fn lost(&self, member: &str) -> &str {
        match self.outcomes.get(member) {
            Some(GrepOutcome::Lost(words)) => words,
            other => panic!("{member}: {other:?}"),
        }
    }

    /// The number in the answer's only row, by the members that answered.
    fn count(&self) -> String {
        let plan = Plan::new(&Query::parse(QUERY).unwrap()).unwrap();
        let mut gather = Gather::new(Arc::new(plan), LIMITS);
        for (member, bytes) in &self.partials {
            self.totals(member);
            gather.partial(member, bytes).unwrap();
        }
        let rows = gather.finish().unwrap().rows;
        match rows.first().and_then(|row| row.values.last()) {
            Some(Value::Number(number)) => number.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

/// Each member has as many needles in a log as its number says, and ten times as many in one that
/// was rotated away and compressed.
fn offer_needles(daemon: &mut Daemon) {
    let number: usize = daemon.name().trim_start_matches("vm").parse().unwrap();
    writeln!(daemon.offer("other.txt"), "needle").unwrap();
    let mut log = daemon.offer("app.log");
    (0..number).for_each(|n| writeln!(log, "a needle {n}\nhay {n}").unwrap());
    let old = daemon.directory().join("app.log.1");
    std::fs::write(&old, "needle\nhay\n".repeat(10 * number)).unwrap();
    assert!(Command::new("gzip").arg(old).stdin(Stdio::null()).status().unwrap().success());
    let glob = daemon.directory().join("app.log.*").display().to_string();
    daemon.settings.files.push(glob);
}

#[test]
fn a_question_is_answered_by_the_workers_of_all_members() {
    let fleet = Fleet::start_with_workers(2, offer_needles);
    let answers = Answers::of(ask(&fleet[1], &request())).unwrap();
    assert_eq!((answers.count().as_str(), answers.messages.len()), ("3", 0), "{answers:?}");
    assert_eq!((answers.totals("vm1").lines, answers.totals("vm2").lines), (1, 2));
    assert_eq!((answers.totals("vm2").files, answers.totals("vm2").errors), (1, 0));
    let mut rotated = request();
    rotated.grep.files.rotated = true;
    let answers = Answers::of(ask(&fleet[2], &rotated)).unwrap();
    assert_eq!(answers.count(), "33");
    let mut on_one = request();
    on_one.grep.members.on = vec!["vm2".to_owned()];
    on_one.grep.files.globs = vec!["app.log".to_owned(), "*.none".to_owned()];
    let answers = Answers::of(ask(&fleet[1], &on_one)).unwrap();
    assert_eq!((answers.count().as_str(), answers.outcomes.len()), ("2", 1));
    assert_eq!(answers.totals("vm2").unmatched, ["*.none"]);
    // It is in the trail of both, with what was asked.
    for (number, words) in [(1, "grep asked"), (2, "logs searched")] {
        wait_until("the question is logged", SOON, || {
            let text = std::fs::read_to_string(fleet[number].searches_path()).unwrap_or_default();
            let is_there = text
                .lines()
                .any(|line| line.contains(words) && line.contains("question=\"needle | count\""));
            holds(is_there, || text)
        });
    }
}

/// What one member cannot read is told by it, and is an error of it.
#[test]
fn a_file_that_cannot_be_read_is_told() {
    let fleet = Fleet::start_with_workers(2, |daemon| {
        writeln!(daemon.offer("app.log"), "needle").unwrap();
        if daemon.name() == "vm2" {
            daemon.offer("bad.log.gz").write_all(b"\x1f\x8b\x08nonsense").unwrap();
        }
    });
    let mut question = request();
    question.grep.files.globs.clear();
    let answers = Answers::of(ask(&fleet[1], &question)).unwrap();
    assert_eq!((answers.totals("vm1").errors, answers.totals("vm2").errors), (0, 1));
    let [message] = answers.messages.as_slice() else { panic!("{answers:?}") };
    assert!(message.starts_with("vm2: ") && message.contains("bad.log.gz: "), "{message}");
}

/// The worker is stopped with the question, as one that counts for long, and then killed. One that
/// is only silent would be told in other words, and much later.
#[test]
fn a_worker_that_is_killed_is_told_at_once() {
    let mut fleet = Fleet::start_with_workers(2, offer_needles);
    kill(fleet[2].worker_pid(), Signal::SIGSTOP).unwrap();
    let stream = ask(&fleet[1], &request());
    wait_until("vm2 asks its worker", SOON, || {
        let connections = fleet[2].worker_connections();
        holds(connections == 1, || format!("{connections} connections"))
    });
    fleet[2].kill_worker();
    let answers = Answers::of(stream).unwrap();
    assert_eq!(answers.lost("vm2"), "the worker ended (out of memory?)");
    // The others count all the same.
    assert_eq!(answers.totals("vm1").lines, 1);
    assert_eq!(answers.count(), "1");
    // The next question finds nobody there.
    let answers = Answers::of(ask(&fleet[1], &request())).unwrap();
    let words = "its worker does not start: see systemctl status memberd-worker.socket there";
    assert_eq!(answers.lost("vm2"), words);
    fleet[2].start_worker();
    assert_eq!(Answers::of(ask(&fleet[1], &request())).unwrap().count(), "3");
}

#[test]
fn a_member_without_a_worker_says_so() {
    let fleet = Fleet::start_with(2, |daemon| {
        offer_needles(daemon);
        match daemon.name() {
            "vm1" => daemon.start_worker(),
            _ => daemon.settings.worker = Some(daemon.directory().join("worker.sock")),
        }
    });
    let answers = Answers::of(ask(&fleet[1], &request())).unwrap();
    assert_eq!(answers.lost("vm2"), "streams are off there (no memberd-worker.socket)");
    assert_eq!(answers.count(), "1");
}

/// A client that goes away ends the question everywhere.
#[test]
fn a_question_ends_with_its_client() {
    let fleet = Fleet::start_with_workers(2, offer_needles);
    for number in [1, 2] {
        kill(fleet[number].worker_pid(), Signal::SIGSTOP).unwrap();
    }
    let running = |count: u64| {
        for number in [1, 2] {
            wait_until(&format!("vm{number} has {count} searches"), SOON, || {
                let status = fleet[number].control().status();
                let searches = status.map_err(|error| error.to_string())?.searches;
                holds(searches == count, || format!("{searches} run"))
            });
        }
    };
    let stream = ask(&fleet[1], &request());
    running(1);
    drop(stream);
    running(0);
    // Its worker is as before.
    for number in [1, 2] {
        kill(fleet[number].worker_pid(), Signal::SIGCONT).unwrap();
    }
    assert_eq!(Answers::of(ask(&fleet[1], &request())).unwrap().count(), "3");
}

#[test]
fn a_question_that_cannot_be_asked_is_refused() {
    let fleet = Fleet::start_with_workers(1, offer_needles);
    let refused = |change: fn(&mut StatsRequest)| {
        let mut request = request();
        change(&mut request);
        match Answers::of(ask(&fleet[1], &request)) {
            Err(ControlError::Refused(refusal)) => {
                assert_eq!(refusal.kind, RefusalKind::Usage);
                refusal.message
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(|it| it.grep.files.follow = true).contains("follows"));
    assert!(refused(|it| it.groups = 0).contains("room for a group"));
    assert!(refused(|it| it.query = "x".repeat(MAX_QUERY_BYTES + 1)).contains("16 KiB"));
    let unmatched = refused(|it| it.grep.pattern.patterns = vec![b"\\(".to_vec()]);
    assert!(unmatched.contains("Unmatched"), "{unmatched}");
    // A question that only the worker reads is refused by it.
    let mut unknown = request();
    unknown.query = "needle | nothing-like-that".to_owned();
    let answers = Answers::of(ask(&fleet[1], &unknown)).unwrap();
    assert!(!answers.lost("vm1").is_empty());
}

/// A question leaves no descriptor behind. What the daemon opens once, as its file of searches, it
/// may open after an answer.
#[test]
fn nothing_is_left_of_a_question() {
    const QUESTIONS: usize = 20;
    let fleet = Fleet::start_with_workers(1, offer_needles);
    let open = || memberd_tests::proc::open_files(fleet[1].pid());
    let ask_once = || {
        Answers::of(ask(&fleet[1], &request())).unwrap();
    };
    ask_once();
    let before = open();
    (0..QUESTIONS).for_each(|_| ask_once());
    wait_until("no descriptor is left", SOON, || {
        let now = open();
        holds(now.len() < before.len() + QUESTIONS / 2, || format!("{now:?}, before {before:?}"))
    });
}
