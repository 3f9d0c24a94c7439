//! `stats`: its requests, its output, and its exit statuses.

use std::sync::Arc;

use memberd_control::grep::{
    GrepBinary, GrepFiles, GrepMembers, GrepOutcome, GrepPattern, GrepPrinting, GrepRequest,
    GrepSyntax, GrepTotals,
};
use memberd_control::message::{RefusalKind, Reply, Request};
use memberd_control::stats::StatsRequest;
use memberd_streams::{Fold, Limits, LineTime, Plan, Query};

use crate::fake::{Daemon, ended_in_silence, memberctl, run, run_without_stdout};

/// The time of a line is its first word, in milliseconds. Others have none.
struct FirstWord;

impl LineTime for FirstWord {
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64> {
        let word = line.split(|byte| *byte == b' ').next()?;
        std::str::from_utf8(word).ok()?.parse().ok()
    }
}

/// What a member sends that has these lines.
pub(crate) fn sums(member: &str, query: &str, lines: &[&str]) -> Vec<Reply> {
    let plan = Arc::new(Plan::new(&Query::parse(query).unwrap()).unwrap());
    let mut fold = Fold::new(plan, member, Limits { groups: 1_000, bytes: 1 << 20 });
    lines.iter().for_each(|line| fold.line(line.as_bytes(), &mut FirstWord).unwrap());
    let part = |bytes| Reply::StatsPartial { member: member.to_owned(), bytes };
    fold.into_partials().map(part).collect()
}

fn ended(member: &str, outcome: GrepOutcome) -> Reply {
    Reply::GrepMember { member: member.to_owned(), outcome }
}

fn searched(member: &str, lines: u64, errors: u64) -> Reply {
    let totals = GrepTotals { lines, errors, ..GrepTotals::default() };
    ended(member, GrepOutcome::Searched(totals))
}

pub(crate) fn lost(member: &str) -> Reply {
    ended(member, GrepOutcome::Lost("no route to host".to_owned()))
}

/// The answers of two members to a question by member: two lines and one.
fn two_members(query: &str) -> Vec<Reply> {
    let mut replies = sums("vm2", query, &["c"]);
    replies.extend(sums("vm1", query, &["a", "b"]));
    replies.extend([searched("vm1", 2, 0), searched("vm2", 1, 0)]);
    replies
}

pub(crate) const BY_MEMBER: &str = "| count by member";

pub(crate) fn answering(mut replies: Vec<Reply>) -> Daemon {
    replies.push(Reply::Done);
    Daemon::answering(replies)
}

#[test]
fn rows_have_tabs_and_no_names_unless_asked_for() {
    let replies = || two_members(BY_MEMBER);
    answering(replies()).run(&["stats", BY_MEMBER]).printed("vm1\t2\nvm2\t1\n");
    answering(replies())
        .run(&["stats", "--header", BY_MEMBER])
        .printed("member\tcount\nvm1\t2\nvm2\t1\n");
}

#[test]
fn json_has_an_object_a_row_and_one_with_totals() {
    let ended = answering(two_members(BY_MEMBER)).run(&["stats", "--json", BY_MEMBER]);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let [first, second, last] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(*first, r#"{"schema":1,"type":"row","row":{"member":"vm1","count":2}}"#);
    assert_eq!(*second, r#"{"schema":1,"type":"row","row":{"member":"vm2","count":1}}"#);
    let totals: serde_json::Value = serde_json::from_str(last).unwrap();
    for (field, value) in [
        ("type", serde_json::json!("totals")),
        ("rows", 2.into()),
        ("lines", 3.into()),
        ("unparsed", 0.into()),
        ("without_time", 0.into()),
        ("not_numbers", 0.into()),
        ("asked", 2.into()),
        ("answered", 2.into()),
        ("errors", 0.into()),
    ] {
        assert_eq!(totals[field], value, "{field}: {last}");
    }
    assert_eq!(totals["members"][1]["member"], "vm2");
}

#[test]
fn a_member_counts_wholly_or_not_at_all() {
    let mut replies = sums("vm3", BY_MEMBER, &["lost", "lines"]);
    replies.extend([lost("vm3")]);
    replies.extend(two_members(BY_MEMBER));
    let ended = answering(replies).run(&["stats", BY_MEMBER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), "vm1\t2\nvm2\t1\n"));
    assert_eq!(ended.stderr, "memberctl: vm3: did not answer: no route to host\n");
}

#[test]
fn the_status_tells_rows_none_and_trouble() {
    let none = || vec![searched("vm1", 0, 0)];
    let gone = |left| ended("vm4", GrepOutcome::NotAsked { failed: 0, left });
    for (more, status) in [
        (vec![], 1),
        (two_members(BY_MEMBER), 0),
        (vec![lost("vm4")], 2),
        (vec![gone(false)], 2),
        (vec![gone(true)], 2),
        (vec![searched("vm4", 0, 1)], 2),
    ] {
        let ended = answering([none(), more].concat()).run(&["stats", BY_MEMBER]);
        assert_eq!(ended.status, Some(status), "{ended:?}");
    }
    Daemon::refusing(RefusalKind::NotInGroup, "any").run(&["stats", BY_MEMBER]).failed(2, "join");
    Daemon::refusing(RefusalKind::Usage, "unknown").run(&["stats", BY_MEMBER]).failed(2, "unknown");
}

/// No daemon is asked, so none has to be there.
#[test]
fn a_wrong_query_is_shown_with_the_place() {
    let line = ["--socket", "/nowhere", "stats", "| nginx | cuont by status"];
    let ended = run(memberctl().args(line));
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [first, shown, place] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(first.starts_with("memberctl: the query is not understood: "), "{first}");
    assert_eq!(*shown, "  | nginx | cuont by status");
    assert_eq!(place.trim_end(), "            ^^^^^");
}

/// What the daemon is asked for.
pub(crate) fn asked(line: &[&str]) -> StatsRequest {
    let daemon = answering(Vec::new());
    daemon.run(&[&["stats"], line].concat());
    let request = match daemon.request() {
        Request::Stats(request) => Some(*request),
        _ => None,
    };
    request.unwrap()
}

pub(crate) const TIMEOUTS: &str = "timeout | count by member";

/// What is asked without an option.
pub(crate) fn plain() -> StatsRequest {
    let patterns = vec![b"timeout".to_vec()];
    StatsRequest {
        grep: GrepRequest {
            pattern: GrepPattern { patterns, ..GrepPattern::default() },
            printing: GrepPrinting { binary: GrepBinary::Text, ..GrepPrinting::default() },
            copies: true,
            ..GrepRequest::default()
        },
        query: TIMEOUTS.to_owned(),
        groups: 1_000_000,
        bytes: 256 << 20,
        every_ms: None,
    }
}

#[test]
fn the_daemon_is_asked_for_all_lines_or_those_of_a_pattern() {
    assert_eq!(asked(&[TIMEOUTS]), plain());
    assert_eq!(asked(&["-F", TIMEOUTS]).grep.pattern.syntax, GrepSyntax::Fixed);
    assert_eq!(asked(&["-P", TIMEOUTS]).grep.pattern.syntax, GrepSyntax::Perl);
    // Without a pattern, all lines are read.
    assert_eq!(asked(&[BY_MEMBER]).grep.pattern.patterns, [b""]);
    // A file as grep prints it is one of that member.
    let GrepRequest { members, files, .. } = asked(&[TIMEOUTS, "vm7:/var/log/x"]).grep;
    assert_eq!((members.on, files.globs), (vec!["vm7".into()], vec!["/var/log/x".into()]));
}

#[test]
fn the_daemon_is_asked_for_what_the_options_say() {
    let options = "-Eiw -v -x -s --rotated --on vm1,vm2 --not-on=vm9 --tag=role=web --no-copies \
                   --include=*.log --exclude=x* --since=@1763688033 --until @1763688034 \
                   --groups=5 --memory=1M";
    let mut line: Vec<&str> = options.split_whitespace().collect();
    line.extend([TIMEOUTS, "*.log", "b.log"]);
    let plain = plain();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let grep = GrepRequest {
        members: GrepMembers {
            on: texts(&["vm1", "vm2"]),
            not_on: texts(&["vm9"]),
            tags: vec!["role=web".parse().unwrap()],
        },
        pattern: GrepPattern {
            syntax: GrepSyntax::Extended,
            ignore_case: true,
            words: true,
            invert: true,
            whole_lines: true,
            ..plain.grep.pattern.clone()
        },
        files: GrepFiles {
            globs: texts(&["*.log", "b.log"]),
            include: texts(&["*.log"]),
            exclude: texts(&["x*"]),
            rotated: true,
            since: Some(1_763_688_033_000),
            until: Some(1_763_688_034_000),
            ..GrepFiles::default()
        },
        printing: GrepPrinting { no_messages: true, ..plain.grep.printing.clone() },
        copies: false,
        ..GrepRequest::default()
    };
    assert_eq!(asked(&line), StatsRequest { grep, groups: 5, bytes: 1 << 20, ..plain });
}

#[test]
fn options_with_wrong_values_are_refused() {
    for (options, words) in [
        (&["--since=soon"][..], "invalid time 'soon'"),
        (&["--since=@20000000", "--until=@10000000"], "'--since' is not before '--until'"),
        (&["--on=,"], "option '--on' has an empty name"),
        (&["--groups=0"], "a whole number from 1 to"),
        (&["--memory=64"], "write a number and a unit"),
        (&["-E", "-F"], "cannot be used with"),
        (&["--json", "--header"], "cannot be used with"),
    ] {
        let line = [&["--socket", "/nowhere", "stats"], options, &[BY_MEMBER]].concat();
        run(memberctl().args(line)).failed(2, words);
    }
}

#[test]
fn limits_are_named_when_they_are_reached() {
    let query = "| count by line";
    let mut replies = sums("vm1", query, &["a", "b", "c"]);
    replies.push(searched("vm1", 3, 0));
    let ended = answering(replies.clone()).run(&["stats", "--groups=2", query]);
    ended.failed(2, "the answer has more than 2 groups: name fewer keys behind by, or give more");
    assert_eq!(ended.stdout, "");
    answering(replies).run(&["stats", "--groups=3", query]).printed("a\t1\nb\t1\nc\t1\n");
}

/// A part of sums that no member with this program sends.
pub(crate) fn part(member: &str, bytes: Vec<u8>) -> Reply {
    Reply::StatsPartial { member: member.to_owned(), bytes }
}

/// Such a member is broken, has another version, or wants to spoil the answer.
#[test]
fn a_member_with_wrong_sums_is_missing_and_nobody_else() {
    let mut replies = two_members(BY_MEMBER);
    // Its first part is right, and does not count either.
    replies.extend(sums("vm3", BY_MEMBER, &["a"]));
    replies.extend([part("vm3", vec![255; 3]), searched("vm3", 1, 0)]);
    let other_query = sums("vm4", "| count by file", &["a"]);
    replies.extend(other_query.into_iter().chain([searched("vm4", 1, 0)]));
    let ended = answering(replies).run(&["stats", BY_MEMBER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), "vm1\t2\nvm2\t1\n"), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
    let words = "did not answer: its sums do not count: the sums ";
    assert!(first.starts_with(&format!("memberctl: vm3: {words}")), "{first}");
    assert_eq!(*second, format!("memberctl: vm4: {words}belong to another query"));
}

#[test]
fn a_member_cannot_answer_in_the_name_of_another() {
    let mut replies = two_members(BY_MEMBER);
    for reply in sums("vm1", BY_MEMBER, &["made up"; 9]) {
        let Reply::StatsPartial { bytes, .. } = reply else { panic!("{reply:?}") };
        replies.push(part("vm3", bytes));
    }
    replies.push(searched("vm3", 9, 0));
    let ended = answering(replies).run(&["stats", BY_MEMBER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), "vm1\t2\nvm2\t1\n"), "{ended:?}");
    let words = "did not answer: its sums do not count: the sums are of another member";
    assert_eq!(ended.stderr, format!("memberctl: vm3: {words}\n"));
}

#[test]
fn a_member_with_endless_sums_is_missing_and_nobody_else() {
    let mut replies = vec![part("vm3", vec![0; 60_000]); 20];
    replies.extend(two_members(BY_MEMBER));
    replies.extend(vec![part("vm3", vec![0; 60_000]); 20]);
    replies.push(searched("vm3", 9, 0));
    let ended = answering(replies).run(&["stats", "--memory=1M", BY_MEMBER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), "vm1\t2\nvm2\t1\n"), "{ended:?}");
    let words = "its sums take more than 1M: name fewer keys behind by, or give more with --memory";
    assert_eq!(ended.stderr, format!("memberctl: vm3: did not answer: {words}\n"));
}

/// The row 0 would say that nobody has such a line.
#[test]
fn a_sum_of_nobody_is_no_row() {
    for (replies, status, rows) in [
        (vec![lost("vm1"), lost("vm2")], 2, ""),
        (vec![], 1, ""),
        (vec![searched("vm1", 0, 0), lost("vm2")], 2, "0\n"),
        (vec![searched("vm1", 0, 0)], 0, "0\n"),
    ] {
        let ended = answering(replies).run(&["stats", "| count"]);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(status), rows), "{ended:?}");
    }
}

#[test]
fn a_reader_that_has_had_enough_cancels_the_question() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.until_gone();
        Some(request)
    });
    let mut child = daemon.start(&["stats", BY_MEMBER]);
    drop(child.stdout.take().unwrap());
    ended_in_silence(child);
    daemon.request();
}

#[test]
fn a_closed_standard_output_is_a_write_error() {
    let daemon = answering(two_members(BY_MEMBER));
    run_without_stdout(&daemon.command(&["stats", BY_MEMBER])).failed(2, "cannot write");
}
