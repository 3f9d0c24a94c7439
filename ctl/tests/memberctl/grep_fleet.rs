//! `grep`: how the replies of a fleet are shown.

use memberd_control::grep::{GrepOutcome, GrepTotals};
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
    member(name, GrepOutcome::NotAsked { failed: u64::try_from(now).unwrap() - 185_000 })
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
