//! `grep` with members whose answers are dropped, and with control characters in answers.

use memberd_control::grep::{GrepOutcome, GrepTotals};
use memberd_control::message::Reply;

use crate::fake::Daemon;

const FAULT: &str = "answered with a line that has no end";

fn replies(line: &str) -> Vec<Reply> {
    let member = |name: &str, outcome| Reply::GrepMember { member: name.to_owned(), outcome };
    let totals = GrepTotals { lines: 1, ..GrepTotals::default() };
    vec![
        Reply::GrepOutput { member: "vm1".to_owned(), bytes: line.as_bytes().to_vec() },
        member("vm1", GrepOutcome::Searched(totals)),
        member("vm2", GrepOutcome::Dropped(format!("{FAULT}\u{9b}"))),
        Reply::Done,
    ]
}

#[test]
fn a_dropped_answer_is_reported_and_has_status_3() {
    let ended = Daemon::answering(replies("vm1:f:x\n")).run(&["grep", "x"]);
    assert_eq!(ended.status, Some(3));
    assert_eq!(ended.stdout, "vm1:f:x\n");
    let words = format!("memberctl: vm2 {FAULT}?: the rest of its answer is dropped\n");
    assert_eq!(ended.stderr, words);
    let ended = Daemon::answering(replies("{}\n")).run(&["grep", "--json", "x"]);
    assert_eq!(ended.status, Some(3));
    assert!(ended.stdout.contains(&format!("\"lost\":\"{FAULT}\u{9b}\"")), "{}", ended.stdout);
}

#[test]
fn control_characters_are_escaped_where_that_is_asked_for() {
    let run = |options: &[&str], line: &str| {
        Daemon::answering(replies(line)).run(&[&["grep"], options, &["x"]].concat()).stdout
    };
    let line = "vm1:f:x\u{1b}[2J\r\n";
    assert_eq!(run(&[], line), line);
    assert_eq!(run(&["--control-chars=raw"], line), line);
    assert_eq!(run(&["--control-chars", "escape"], line), "vm1:f:x\\x1b[2J\r\n");
    let object = "{\"text\":\"\u{9b}\"}\n";
    let json = run(&["--json", "--control-chars=escape"], object);
    assert!(json.starts_with("{\"text\":\"\\u009b\"}\n"), "{json}");
    // Also in the totals.
    assert!(json.contains(&format!("{FAULT}\\u009b")) && !json.contains('\u{9b}'), "{json}");
    // The totals stand behind any number of lines.
    let json = run(&["--json", "--limit=1"], "{\"text\":\"x\"}\n");
    assert!(json.lines().count() == 2 && json.contains("\"totals\""), "{json}");
    Daemon::answering(replies(line))
        .run(&["grep", "--control-chars=no", "x"])
        .failed(2, "invalid argument 'no' for '--control-chars': auto, raw or escape");
}
