//! `grep`: its requests, its output, and its exit statuses.

use std::io::{BufRead, BufReader, Read as _, Write as _};

use memberd_control::grep::{
    GrepFiles, GrepOrder, GrepOutcome, GrepPattern, GrepPrint, GrepPrinting, GrepRequest,
    GrepTotals,
};
use memberd_control::message::{Reply, Request};

use crate::fake::{Daemon, ended_in_silence, run_without_stdout};

fn output(member: &str, bytes: &str) -> Reply {
    Reply::GrepOutput { member: member.to_owned(), bytes: bytes.as_bytes().to_vec() }
}

fn searched(member: &str, lines: u64, errors: u64) -> Reply {
    let totals = GrepTotals { lines, errors, ..GrepTotals::default() };
    Reply::GrepMember { member: member.to_owned(), outcome: GrepOutcome::Searched(totals) }
}

fn lost(member: &str) -> Reply {
    Reply::GrepMember {
        member: member.to_owned(),
        outcome: GrepOutcome::Lost("no route to host".to_owned()),
    }
}

/// GNU grep 3.8: `grep x file >&-` has status 2 if a line matches, and 1 if none does.
#[test]
fn a_closed_standard_output_is_a_write_error() {
    let run = |options: &[&str], replies: Vec<Reply>| {
        let daemon = Daemon::answering([replies, vec![Reply::Done]].concat());
        run_without_stdout(&daemon.command(&[&["grep"], options].concat()))
    };
    let found = || vec![output("vm1", "vm1:a:x\n"), searched("vm1", 1, 0)];
    run(&["x"], found()).failed(2, "cannot write to standard output: Bad file descriptor");
    assert_eq!(run(&["x"], vec![searched("vm1", 0, 0)]).status, Some(1));
    assert_eq!(run(&["-q", "x"], vec![searched("vm1", 1, 0)]).status, Some(0));
}

#[test]
fn the_exit_status_is_greps() {
    let matched = || searched("vm1", 2, 0);
    let unmatched = || searched("vm2", 0, 0);
    let trouble = || searched("vm3", 1, 1);
    for (options, members, status) in [
        (&["x"][..], vec![matched()], 0),
        (&["x"], vec![unmatched(), matched()], 0),
        (&["x"], vec![unmatched()], 1),
        (&["x"], vec![], 1),
        (&["x"], vec![matched(), trouble()], 2),
        (&["x"], vec![matched(), lost("vm4")], 3),
        (&["x"], vec![unmatched(), lost("vm4")], 3),
        (&["x"], vec![trouble(), lost("vm4")], 2),
        (&["-L", "x"], vec![matched()], 0),
        (&["-L", "x"], vec![unmatched()], 1),
        (&["-c", "x"], vec![unmatched()], 1),
        (&["-q", "x"], vec![trouble()], 0),
        (&["-q", "x"], vec![searched("vm3", 0, 1), matched()], 0),
        (&["-q", "x"], vec![searched("vm3", 0, 1), unmatched()], 2),
        (&["-q", "x"], vec![lost("vm4"), matched()], 0),
        (&["-q", "x"], vec![lost("vm4")], 3),
    ] {
        let mut replies = members.clone();
        replies.push(Reply::Done);
        let line = [&["grep"], options].concat();
        assert_eq!(
            Daemon::answering(replies).run(&line).status,
            Some(status),
            "{line:?} {members:?}"
        );
    }
}

#[test]
fn lines_go_out_as_they_are_and_messages_to_standard_error() {
    let ended = Daemon::answering(vec![
        output("vm1", "vm1:f:a\n"),
        Reply::GrepMessage { member: "vm2".to_owned(), text: "f: Permission denied".to_owned() },
        output("vm2", "vm2:f:b \u{1b}[0m\n"),
        lost("vm4"),
        searched("vm1", 1, 0),
        searched("vm2", 1, 0),
        Reply::Done,
    ])
    .run(&["grep", "x"]);
    assert_eq!(ended.stdout, "vm1:f:a\nvm2:f:b \u{1b}[0m\n");
    assert_eq!(
        ended.stderr,
        "memberctl: vm2:f: Permission denied\nmemberctl: vm4: did not answer: no route to host\n"
    );
    assert_eq!(ended.status, Some(3));
}

#[test]
fn only_a_file_that_no_member_offers_is_an_error() {
    let run = |members: Vec<Reply>| {
        Daemon::answering([members, vec![Reply::Done]].concat()).run(&["grep", "x", "app.log"])
    };
    let without_file = |member: &str| Reply::GrepMember {
        member: member.to_owned(),
        outcome: GrepOutcome::Searched(GrepTotals {
            unmatched: vec!["app.log".to_owned()],
            ..GrepTotals::default()
        }),
    };
    let nowhere = run(vec![without_file("vm1"), without_file("vm2")]);
    assert_eq!(nowhere.status, Some(2));
    assert_eq!(
        nowhere.stderr,
        "memberctl: app.log: no member offers such a file: see [logs] files in the settings\n"
    );
    let somewhere = run(vec![without_file("vm1"), searched("vm2", 0, 0)]);
    assert_eq!((somewhere.status, somewhere.stderr.as_str()), (Some(1), ""));
}

#[test]
fn separators_stand_between_members_only_with_context() {
    let replies = || {
        vec![
            output("vm1", "a\n"),
            output("vm1", "b\n"),
            output("vm2", "c\n"),
            searched("vm1", 3, 0),
            Reply::Done,
        ]
    };
    for (options, stdout) in [
        (&["x"][..], "a\nb\nc\n"),
        (&["-A1", "x"], "a\nb\n--\nc\n"),
        (&["-o", "-1", "x"], "a\nb\n--\nc\n"),
        (&["-c", "-A1", "x"], "a\nb\nc\n"),
        (&["-A1", "--color=always", "x"], "a\nb\n\u{1b}[36m\u{1b}[K--\u{1b}[m\u{1b}[K\nc\n"),
    ] {
        Daemon::answering(replies()).run(&[&["grep"], options].concat()).printed(stdout);
    }
    // One match is enough.
    let replies = vec![
        output("vm1", "a\n"),
        output("vm2", "c\n"),
        output("vm1", "--\nb\n"),
        searched("vm1", 3, 0),
        Reply::Done,
    ];
    Daemon::answering(replies).run(&["grep", "-A1", "x"]).printed("a\n--\nc\n--\nb\n");
}

#[test]
fn the_daemon_is_asked_for_what_the_command_line_says() {
    let asked = |line: &[&str]| {
        let daemon = Daemon::answering(vec![Reply::Done]);
        daemon.run(&[&["grep"], line].concat());
        daemon.request()
    };
    let request = GrepRequest {
        pattern: GrepPattern {
            patterns: vec![b"ERROR".to_vec()],
            ignore_case: true,
            ..GrepPattern::default()
        },
        printing: GrepPrinting {
            line_numbers: true,
            after_context: Some(3),
            ..GrepPrinting::default()
        },
        files: GrepFiles { globs: vec!["*.log".to_owned()], ..GrepFiles::default() },
        order: GrepOrder::Auto,
        copies: true,
        ..GrepRequest::default()
    };
    assert_eq!(asked(&["-inA3", "ERROR", "*.log"]), Request::Grep(Box::new(request)));

    // A leading -- belongs to grep, wherever it stands.
    for line in [&["--", "-v", "--", "f"][..], &["-n", "--", "-v", "--", "f"]] {
        let Request::Grep(request) = asked(line) else { panic!("no grep") };
        assert_eq!(request.pattern.patterns, [b"-v"]);
        assert_eq!(request.files.globs, ["--", "f"]);
    }
    // -h is grep's option, and not the help.
    let Request::Grep(request) = asked(&["-h", "x"]) else { panic!("no grep") };
    assert!(request.printing.no_names);
}

#[test]
fn a_quiet_search_ends_at_the_first_match() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&searched("vm1", 1, 0));
        // There is no Done, so the client has to end by itself.
        client.until_gone();
        Some(request)
    });
    daemon.run(&["grep", "-q", "x"]).printed("");
    let Request::Grep(request) = daemon.request() else { panic!("no grep") };
    assert_eq!(request.printing.what, GrepPrint::Nothing);
}

#[test]
fn a_reader_that_has_had_enough_cancels_the_search() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&output("vm1", "a\nb\n"));
        client.until_gone();
        Some(request)
    });
    let mut child = daemon.start(&["grep", "x"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "a\n");
    drop(stdout);

    ended_in_silence(child);
    daemon.request();
}

#[test]
fn a_pipe_that_breaks_under_output_is_success() {
    let daemon = Daemon::new(|client| {
        client.greet();
        let part = output("vm1", &"x\n".repeat(100_000));
        // This is more than any pipe can hold.
        (0..100).for_each(|_| client.say(&part));
        client.until_gone();
        None
    });
    let mut child = daemon.start(&["grep", "x"]);
    child.stdout.take().unwrap().read_exact(&mut [0; 1000]).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_request_that_fits_no_frame_is_wrong_usage() {
    let daemon = Daemon::new(|client| {
        client.greet();
        None
    });
    let mut list = tempfile::NamedTempFile::new().unwrap();
    list.write_all(&[b'x'; 5_000_000]).unwrap();
    let list = list.path().to_str().unwrap();
    daemon.run(&["grep", "-F", "-f", list]).failed(2, "the request is too long");
}

#[test]
fn help_lists_the_options_and_goes_to_standard_output() {
    let help = crate::fake::run(crate::fake::memberctl().args(["grep", "--help"]));
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    for words in [
        "Usage: memberctl grep [OPTION]... PATTERN [FILE]...",
        "-i, -y, --ignore-case",
        "Exit status: 0 a line matched",
    ] {
        assert!(help.stdout.contains(words), "{words}: {}", help.stdout);
    }
    crate::fake::run(crate::fake::memberctl().args(["grep", "-V"])).printed("memberctl 0.1.0\n");
}
