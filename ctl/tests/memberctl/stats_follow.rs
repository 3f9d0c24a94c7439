//! `stats --follow`: rounds that count or do not, what is printed between, and how it ends.

use memberd_control::grep::GrepOutcome;
use memberd_control::message::{Reply, Request};
use memberd_control::stats::StatsRequest;

use crate::fake::{Daemon, ended_in_silence, memberctl, run};
use crate::stats::{BY_MEMBER, TIMEOUTS, answering, asked, lost, part, plain, sums};

/// The first changes are shown at once, and all others at the end.
const AT_THE_END: &str = "--every=1h";

fn ended(member: &str, is_whole: bool) -> Reply {
    Reply::StatsRound { member: member.to_owned(), is_whole }
}

/// A round of a member that has these lines.
fn round(member: &str, query: &str, lines: &[&str]) -> Vec<Reply> {
    let mut replies = sums(member, query, lines);
    replies.push(ended(member, true));
    replies
}

/// The rounds of two members. vm2 is asked anew in the middle of one.
fn rounds(query: &str) -> Vec<Reply> {
    let broken = sums("vm2", query, &["thrown", "away"]);
    [
        vec![ended("vm1", false), ended("vm2", false)],
        round("vm1", query, &["a"]),
        round("vm2", query, &["b"]),
        broken,
        sums("vm1", query, &["c", "d"]),
        vec![ended("vm2", false), ended("vm1", true)],
        round("vm2", query, &["thrown", "away"]),
        round("vm2", query, &[]),
    ]
    .concat()
}

fn follow(replies: Vec<Reply>, arguments: &[&str]) -> crate::fake::Ended {
    answering(replies).run(&[&["stats", "--follow", AT_THE_END], arguments].concat())
}

#[test]
fn changed_rows_are_printed_and_the_last_ones_are_exact() {
    follow(rounds(BY_MEMBER), &[BY_MEMBER]).printed("vm1\t1\nvm1\t3\nvm2\t3\n");
    // What a member did not end does not count.
    let cut = [rounds(BY_MEMBER), sums("vm1", BY_MEMBER, &["x"])].concat();
    follow(cut, &["--header", BY_MEMBER]).printed("member\tcount\nvm1\t1\nvm1\t3\nvm2\t3\n");
    // Nor does the row 0 come before somebody has said so.
    let nothing = follow(vec![ended("vm1", false)], &["--header", "| count"]);
    assert_eq!((nothing.status, nothing.stdout.as_str()), (Some(1), "count\n"), "{nothing:?}");
}

#[test]
fn json_has_changed_rows_and_then_what_was_counted() {
    let whole = follow(rounds(BY_MEMBER), &["--json", BY_MEMBER]);
    assert_eq!((whole.status, whole.stderr.as_str()), (Some(0), ""), "{whole:?}");
    // A round without lines is no news, but the first one says that lines are followed.
    let empty = [vec![ended("vm1", true); 3], rounds(BY_MEMBER), vec![ended("vm2", true)]];
    let more = follow(empty.concat(), &["--json", BY_MEMBER]);
    let row = |member: &str, count: u64| {
        format!(r#"{{"schema":1,"type":"row","row":{{"member":"{member}","count":{count}}}}}"#)
    };
    let counts = |lines: u64| {
        format!(r#"{{"schema":1,"type":"counts","lines":{lines},"unparsed":0,"without_time":0,"#)
            + r#""not_numbers":0,"late":0}"#
    };
    let lines: Vec<&str> = whole.stdout.lines().collect();
    assert_eq!(lines, [row("vm1", 1), counts(1), row("vm1", 3), row("vm2", 3), counts(6)]);
    let lines: Vec<&str> = more.stdout.lines().collect();
    assert_eq!(lines, [counts(0), row("vm1", 3), row("vm2", 3), counts(6)]);
}

#[test]
fn windows_leave_and_late_lines_are_told() {
    let query = "| count every 1s";
    let mut replies = round("vm1", query, &["500 a", "9500 b"]);
    replies.extend(round("vm1", query, &["501 late", "502 late", "9000 c", "no time"]));
    // A line of the future closes no window.
    replies.extend(round("vm1", query, &["9000000000000000 d", "5000 e", "no time"]));
    let arguments = ["stats", "--follow", AT_THE_END, "--keep=5s", "--json", query];
    let daemon = answering(replies);
    let ended = daemon.run(&arguments);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let rows: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<(i64, u64)> = rows
        .iter()
        .filter(|object| object["type"] == "row")
        .map(|object| &object["row"])
        .map(|row| (row["window"].as_i64().unwrap(), row["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        shown,
        [(0, 1), (9_000, 1), (5_000, 1), (9_000, 2), (9_000_000_000_000_000, 1)],
        "{ended:?}"
    );
    let counts = rows.last().unwrap();
    assert_eq!((&counts["late"], &counts["without_time"]), (&2.into(), &2.into()), "{counts}");
    assert_eq!(
        ended.stderr,
        "memberctl: 2 of 9 lines have no time that is understood, and are in no window\n\
         memberctl: 2 of 9 lines were too late for a window that --keep has left, and are in no \
         row\n"
    );
}

#[test]
fn limits_end_it_by_name_and_show_no_part_of_a_round() {
    let query = "| count by line";
    let mut replies = round("vm1", query, &["a", "b"]);
    replies.extend(round("vm2", query, &["a", "c", "d", "e"]));
    let ended = follow(replies.clone(), &["--groups=3", query]);
    ended.failed(2, "the answer has more than 3 groups: name fewer keys behind by, or give more");
    assert_eq!(ended.stdout, "a\t1\nb\t1\n");
    follow(replies, &["--groups=5", query]).printed("a\t1\nb\t1\na\t2\nc\t1\nd\t1\ne\t1\n");
}

/// Nor does it count again later: its lines of before would be missing.
#[test]
fn a_member_with_wrong_sums_is_told_once_and_lost() {
    let mut replies = round("vm3", BY_MEMBER, &["a"]);
    replies.extend([part("vm3", vec![255; 3]), ended("vm3", true)]);
    replies.extend(round("vm3", BY_MEMBER, &["b"]));
    replies.extend(vec![part("vm4", vec![0; 60_000]); 20]);
    replies.extend([ended("vm4", true), part("vm4", vec![0; 60_000]), ended("vm4", true)]);
    replies.extend(round("vm1", BY_MEMBER, &["a"]));
    let ended = follow(replies, &["--memory=1M", BY_MEMBER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), "vm3\t1\nvm1\t1\n"), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
    let words = "did not answer: its sums do not count: the sums have version 255";
    assert!(first.starts_with(&format!("memberctl: vm3: {words}")), "{first}");
    assert!(second.starts_with("memberctl: vm4: did not answer: its sums take more"), "{second}");
}

#[test]
fn lost_and_absent_members_are_told_at_once() {
    let gone = GrepOutcome::NotAsked { failed: 0, left: false };
    let mut replies = vec![Reply::GrepMember { member: "vm4".to_owned(), outcome: gone }];
    replies.extend(sums("vm2", BY_MEMBER, &["a"]));
    replies
        .extend([lost("vm2"), Reply::GrepNotice("vm5 joined: its logs are followed".to_owned())]);
    replies.extend(round("vm1", BY_MEMBER, &["a"]));
    let ended = follow(replies, &[BY_MEMBER]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), "vm1\t1\n"), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let [failed, lost, joined] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(failed.starts_with("memberctl: vm4 failed "), "{failed}");
    assert_eq!(*lost, "memberctl: vm2: did not answer: no route to host");
    assert_eq!(*joined, "memberctl: vm5 joined: its logs are followed");
}

#[test]
fn the_daemon_is_asked_to_follow() {
    let follows = |every_ms, options: &[&str]| {
        let plain = plain();
        let mut grep = plain.grep.clone();
        grep.files.follow = true;
        let expected = StatsRequest { grep, every_ms: Some(every_ms), ..plain };
        assert_eq!(asked(&[&["--follow"], options, &[TIMEOUTS]].concat()), expected);
    };
    follows(1_000, &[]);
    follows(100, &["--every=100ms", "--keep=10m"]);
    follows(3_600_000, &["--every=1h"]);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    for (options, words) in [
        (&["--every=1s"][..], "--follow"),
        (&["--keep=1h"], "--follow"),
        (&["--follow", "--every=99ms"], "from 100ms to 1h"),
        (&["--follow", "--every=2h"], "from 100ms to 1h"),
        (&["--follow", "--every=soon"], "write seconds"),
        (&["--follow", "--since=1h"], "cannot be used with"),
        (&["--follow", "--until=1h"], "cannot be used with"),
        (&["--follow", "--rotated"], "cannot be used with"),
    ] {
        let line = [&["--socket", "/nowhere", "stats"], options, &[BY_MEMBER]].concat();
        let ended = run(memberctl().args(line));
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(words), "{options:?}: {ended:?}");
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_it() {
    for replies in [Vec::new(), round("vm1", BY_MEMBER, &["a"])] {
        let daemon = Daemon::new(move |client| {
            let request = client.greet();
            replies.iter().for_each(|reply| client.say(reply));
            client.until_gone();
            Some(request)
        });
        let mut child = daemon.start(&["stats", "--follow", BY_MEMBER]);
        drop(child.stdout.take().unwrap());
        ended_in_silence(child);
        assert!(matches!(daemon.request(), Request::Stats(_)));
    }
}

/// What was counted is shown.
#[test]
fn a_daemon_that_goes_away_is_a_failure() {
    let replies = rounds(BY_MEMBER);
    let ended = Daemon::answering(replies).run(&["stats", "--follow", AT_THE_END, BY_MEMBER]);
    ended.failed(2, "went away");
    assert_eq!(ended.stdout, "vm1\t1\nvm1\t3\nvm2\t3\n");
}
