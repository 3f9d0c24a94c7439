//! `grep`: how the replies of a fleet are shown.

use memberd_control::grep::{GrepCopy, GrepOutcome, GrepTotals};
use memberd_control::message::{Reply, Request};

use crate::fake::{Daemon, Ended};

fn output(member: &str, bytes: &str) -> Reply {
    Reply::GrepOutput { member: member.to_owned(), bytes: bytes.as_bytes().to_vec() }
}

fn member(name: &str, outcome: GrepOutcome) -> Reply {
    Reply::GrepMember { member: name.to_owned(), outcome }
}

fn searched(name: &str, lines: u64) -> Reply {
    let totals =
        GrepTotals { files: 2, bytes: 1_500_000, lines, milliseconds: 12, ..GrepTotals::default() };
    member(name, GrepOutcome::Searched(totals))
}

fn failed(name: &str) -> Reply {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let failed = u64::try_from(now).unwrap() - 185_000;
    member(name, GrepOutcome::NotAsked { failed, left: false })
}

/// The copy of a member's logs that ends so long before it was last heard.
fn copy(name: &str, behind_ms: u64) -> Reply {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let copy = GrepCopy {
        keeper: "vm6".to_owned(),
        since: u64::try_from(now).unwrap() - 185_000,
        left: false,
        behind_ms: Some(behind_ms),
        dropped_bytes: 0,
        lost_bytes: 0,
    };
    Reply::GrepCopy { member: name.to_owned(), copy }
}

fn run(options: &[&str], mut replies: Vec<Reply>) -> Ended {
    replies.push(Reply::Done);
    Daemon::answering(replies).run(&[&["grep"], options, &["x"]].concat())
}

#[test]
fn failed_members_change_the_status_only_when_all_failed() {
    let words = "memberctl: vm4 failed 3 min ago: its logs are not searched\n";
    for (others, status) in
        [(vec![searched("vm1", 1)], 0), (vec![searched("vm1", 0)], 1), (vec![], 3)]
    {
        let ended = run(&[], [vec![failed("vm4")], others].concat());
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(status), words));
    }
}

/// A copy that lacks the last lines is no complete answer.
#[test]
fn copies_are_told_first_and_count_as_answers() {
    for (behind_ms, lines, status) in [(800, 1, 0), (2_000, 0, 1), (3_000, 1, 2), (3_000, 0, 2)] {
        let replies = vec![
            copy("vm4", behind_ms),
            output("vm4", "vm4:/f:a\n"),
            searched("vm1", lines),
            searched("vm4", lines),
        ];
        let ended = run(&[], replies);
        let seconds = behind_ms / 1_000;
        let words = format!(
            "memberctl: vm4 failed 3 min ago: its logs as vm6 keeps them, until {seconds}.{} s \
             before it was last heard\n",
            behind_ms % 1_000 / 100
        );
        assert_eq!((ended.status, ended.stderr), (Some(status), words), "{behind_ms} {lines}");
        assert_eq!(ended.stdout, "vm4:/f:a\n");
    }
}

/// Programs find the keeper beside the totals.
#[test]
fn json_has_the_keeper_of_a_copy() {
    let ended = run(&["--json"], vec![copy("vm4", 100), searched("vm4", 0)]);
    let words = "\"keeper\":\"vm6\",\"behind_ms\":100,\"dropped_bytes\":0";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    let stats = run(&["--stats"], vec![copy("vm4", 100), searched("vm4", 0)]).stderr;
    assert!(stats.contains("vm4 (kept by vm6): 0 lines in 2 files"), "{stats}");
}

/// A fleet of thousands says each thing once.
#[test]
fn what_went_wrong_is_told_by_reason_and_not_by_member() {
    let lost = |name: &str| member(name, GrepOutcome::Lost("no answer in time".to_owned()));
    let denied = |member: &str| Reply::GrepMessage {
        member: member.to_owned(),
        text: "/x: Permission denied".to_owned(),
    };
    let ended = run(
        &[],
        vec![
            failed("vm4"),
            failed("vm6"),
            failed("vm5"),
            denied("vm1"),
            lost("db2"),
            denied("vm2"),
            denied("vm3"),
            lost("db1"),
            searched("vm1", 1),
        ],
    );
    assert_eq!(
        ended.stderr,
        "memberctl: 3 members failed and are not searched: vm[4-6] (3 min ago)\n\
        memberctl: vm1:/x: Permission denied\n\
        memberctl: vm[2-3]:/x: Permission denied\n\
        memberctl: 2 members did not answer: no answer in time: db[1-2]\n"
    );
    assert_eq!(ended.status, Some(3));
}

/// The client hangs up, which ends the searches of all members.
#[test]
fn a_limit_counts_the_lines_of_all_members_and_ends_the_search() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&output("vm1", "vm1:/f:a\n"));
        client.say(&output("vm2", "vm2:/f:b\nvm2:/f:c\nvm2:/f:d\n"));
        // There is no Done, so the client has to end by itself.
        client.until_gone();
        Some(request)
    });
    let ended = daemon.run(&["grep", "--limit", "3", "x"]);
    assert_eq!(ended.stdout, "vm1:/f:a\nvm2:/f:b\nvm2:/f:c\n");
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    // Separators are lines, too, and fewer lines end as ever.
    let replies = || vec![output("vm1", "a\n"), output("vm2", "b\n"), searched("vm1", 2)];
    assert_eq!(run(&["-A1", "--limit=2"], replies()).stdout, "a\n--\n");
    let ended = run(&["--limit=9"], replies());
    assert_eq!((ended.stdout.as_str(), ended.status), ("a\nb\n", Some(0)));
    assert_eq!(run(&["--limit=9"], vec![searched("vm1", 0)]).status, Some(1));
}

#[test]
fn the_last_lines_come_at_the_end() {
    let replies = vec![
        output("", "vm1:/f:a\nvm2:/f:b\n"),
        output("", "vm1:/f:c\nvm2"),
        output("", ":/f:d\n"),
        searched("vm1", 2),
    ];
    let ended = run(&["--last=2"], replies);
    assert_eq!((ended.stdout.as_str(), ended.status), ("vm1:/f:c\nvm2:/f:d\n", Some(0)));
}

#[test]
fn equal_output_is_folded_under_the_names_of_all() {
    let replies = vec![
        output("vm1", "vm1:/f:a\n"),
        output("vm2", "vm2:/f:a\n"),
        output("vm3", "vm3:/f:b\n"),
        searched("vm1", 1),
    ];
    let rule = "-".repeat(16);
    assert_eq!(
        run(&["--fold"], replies.clone()).stdout,
        format!("{rule}\nvm[1-2] (2)\n{rule}\n/f:a\n{rule}\nvm3\n{rule}\n/f:b\n")
    );
    let counts = vec![output("vm1", "0\n"), output("vm2", "0\n"), searched("vm1", 0)];
    assert_eq!(run(&["--fold", "-ch"], counts).stdout, format!("{rule}\nvm[1-2] (2)\n{rule}\n0\n"));
}

#[test]
fn notices_go_to_standard_error_progress_to_terminals_only() {
    let progress = Reply::GrepProgress { asked: 3, answered: 1, bytes: 5 };
    let ended = run(
        &[],
        vec![
            progress,
            Reply::GrepNotice("vm5 joined: its logs are followed too".to_owned()),
            searched("vm1", 1),
        ],
    );
    assert_eq!(ended.stderr, "memberctl: vm5 joined: its logs are followed too\n");
    assert_eq!(ended.stdout, "");
}

#[test]
fn counts_are_added_up_here() {
    let replies = || {
        let counts =
            vec![output("vm2", "vm2:/a\x002\n"), output("vm1", "vm1:/b\x005\nvm1:/a\x001\n")];
        [counts, vec![searched("vm2", 2), searched("vm1", 6)]].concat()
    };
    run(&["--count-by", "member"], replies()).printed("vm1:6\nvm2:2\n");
    run(&["--count-by", "file"], replies()).printed("/a:3\n/b:5\n");
    run(&["--count-by=file", "--total"], replies()).printed("/a:3\n/b:5\ntotal:8\n");
    run(&["-c", "--total"], vec![output("vm1", "vm1:/a:6\n"), searched("vm1", 6)])
        .printed("vm1:/a:6\ntotal:6\n");
    run(&["-ch", "--total"], vec![output("vm1", "6\n"), searched("vm1", 6)]).printed("6\n6\n");
    let none = run(&["--count-by", "member"], vec![searched("vm1", 0)]);
    assert_eq!((none.status, none.stdout.as_str()), (Some(1), "vm1:0\n"));
    run(&["--count-by", "file"], vec![output("vm1", "what is this\n")])
        .failed(2, "vm1 sent counts in an unknown form");
}

#[test]
fn stats_are_printed_at_the_end_on_standard_error() {
    let ended =
        run(&["--stats"], vec![output("vm2", "b\n"), searched("vm2", 3), searched("vm1", 1)]);
    assert_eq!(ended.stdout, "b\n");
    let words = [
        "memberctl: vm1: 1 line in 2 files, 1.5 MB searched in 12 ms",
        "memberctl: vm2: 3 lines in 2 files, 1.5 MB searched in 12 ms",
        "memberctl: 2 of 2 members: 4 lines in 4 files, 3.0 MB searched in 12 ms",
    ];
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), words);
}

#[test]
fn the_last_object_of_json_has_the_totals_of_each_member() {
    let lost = member("vm3", GrepOutcome::Lost("no route".to_owned()));
    let ended = run(&["--json"], vec![output("vm1", "{}\n"), lost, searched("vm1", 3)]);
    assert_eq!(
        ended.stdout,
        concat!(
            "{}\n",
            r#"{"schema":1,"type":"totals","asked":2,"answered":1,"failed":1,"files":2,"#,
            r#""bytes":1500000,"lines":3,"errors":0,"milliseconds":12,"members":["#,
            r#"{"member":"vm1","asked":true,"answered":true,"files":2,"bytes":1500000,"#,
            r#""lines":3,"errors":0,"milliseconds":12},"#,
            r#"{"member":"vm3","asked":true,"answered":false,"files":0,"bytes":0,"lines":0,"#,
            r#""errors":0,"milliseconds":0,"lost":"no route"}]}"#,
            "\n"
        )
    );
    assert_eq!(ended.status, Some(3));
}

#[test]
fn the_daemon_is_asked_for_members_files_and_times() {
    let daemon = Daemon::answering(vec![Reply::Done]);
    daemon.run(&[
        "grep",
        "--on",
        "web*",
        "--not-on=web3",
        "--rotated",
        "--since=@5",
        "--merge",
        "x",
        "a.log",
    ]);
    let Request::Grep(request) = daemon.request() else { panic!("no grep") };
    assert_eq!(
        (request.members.on, request.members.not_on),
        (vec!["web*".to_owned()], vec!["web3".to_owned()])
    );
    assert_eq!(
        (request.files.rotated, request.files.since, request.printing.by_time),
        (true, Some(5_000), true)
    );
    assert_eq!(request.files.globs, ["a.log"]);
}
