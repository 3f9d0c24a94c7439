//! The exit statuses. Each of them but 0 comes with one line on standard error.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use memberd_control::frame::{REPLY_CAP, encode, read_frame, write_frame};
use memberd_control::message::{
    Hello, MemberStatus, PROTOCOL_VERSION, RefusalKind, Reply, Request, RequestRefusal,
};
use memberd_control::socket::read_only;
use tempfile::TempDir;

use crate::fake::{Daemon, answer, memberctl, refusal, run, run_without_stdout, socket};
use crate::records::member;

#[test]
fn without_a_socket_memberd_is_not_running() {
    let directory = TempDir::new().unwrap();
    let path = socket(directory.path());
    let ended = run(memberctl().arg("--socket").arg(&path).arg("list"));
    ended.failed(
        4,
        &format!(
            "memberd is not running here (no socket at {}): systemctl start memberd",
            path.display()
        ),
    );
}

#[test]
fn the_socket_may_come_from_the_environment() {
    let ended = run(memberctl().env("MEMBERCTL_SOCKET", "/nowhere/else.sock").arg("status"));
    ended.failed(4, "no socket at /nowhere/else.sock");
}

#[test]
fn an_unused_socket_has_another_error_than_no_socket() {
    let directory = TempDir::new().unwrap();
    let path = socket(directory.path());
    drop(UnixListener::bind(&path).unwrap());
    run(memberctl().arg("--socket").arg(&path).arg("leave"))
        .failed(4, "not running any more (nobody listens at");
}

#[test]
fn a_file_has_another_error_than_a_daemon_that_has_ended() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [directory.path(), &file] {
        let words = format!(
            "memberctl: {} is not a socket: give that of memberd with --socket\n",
            path.display()
        );
        run(memberctl().arg("--socket").arg(path).arg("list")).failed(4, &words);
    }
}

#[test]
fn a_socket_that_may_not_be_opened_says_which_group_to_join() {
    let directory = TempDir::new().unwrap();
    let path = socket(directory.path());
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();

    let ended = run(as_somebody_else(&directory).arg("--socket").arg(&path).arg("list"));
    ended.failed(5, "join group memberd (sudo usermod -aG memberd $USER) and log in again");
}

#[test]
fn without_permission_the_read_only_socket_is_used() {
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let path = socket(directory.path());
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    let beside = UnixListener::bind(read_only(&path)).unwrap();
    fs::set_permissions(read_only(&path), Permissions::from_mode(0o666)).unwrap();
    let daemon = std::thread::spawn(move || {
        let (mut stream, _) = beside.accept().unwrap();
        let _: Hello = read_frame(&mut stream).unwrap();
        write_frame(
            &mut stream,
            &Hello { protocol: PROTOCOL_VERSION, program: "memberd 0.1.0".to_owned() },
        )
        .unwrap();
        let request: Request = read_frame(&mut stream).unwrap();
        write_frame(&mut stream, &Reply::Members(vec![member(1, MemberStatus::Alive)])).unwrap();
        write_frame(&mut stream, &Reply::Done).unwrap();
        request
    });

    let leave = run(as_somebody_else(&directory).arg("--socket").arg(&path).arg("leave"));
    leave.failed(5, "join group memberd");
    let list = run(as_somebody_else(&directory)
        .arg("--socket")
        .arg(&path)
        .args(["list", "--format", "names"]));
    list.printed("vm1\n");
    assert_eq!(daemon.join().unwrap(), Request::List { all: false });
}

/// memberctl as an unprivileged user, since the superuser may open any socket.
fn as_somebody_else(directory: &TempDir) -> Command {
    let program = directory.path().join("memberctl");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_memberctl"), &program).unwrap();
    }
    let mut command = Command::new(&program);
    if fs::metadata(directory.path()).unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    command
}

#[test]
fn every_kind_of_refusal_has_its_status() {
    for (kind, status) in [
        (RefusalKind::Failed, 1),
        (RefusalKind::Usage, 2),
        (RefusalKind::NotPermitted, 5),
        (RefusalKind::Version, 6),
        (RefusalKind::TimedOut, 124),
    ] {
        for verb in ["join", "leave", "list", "status", "metrics"] {
            Daemon::refusing(kind, "no, because")
                .run(&[verb])
                .failed(status, "memberctl: no, because\n");
        }
        // After a refusal as Usage, events asks again in the forms for older daemons.
        let refused = || answer(vec![refusal(kind, "no, because")]);
        Daemon::in_turn(vec![refused(), refused(), refused(), refused()])
            .run(&["events"])
            .failed(status, "memberctl: no, because\n");
        Daemon::refusing(kind, "no, because")
            .run(&["grep", "x"])
            .failed(2, "memberctl: no, because\n");
    }
}

#[test]
fn a_command_that_needs_a_group_says_how_to_join_one() {
    let words = "memberctl: not in a group: memberctl join, or join_on_start = true in the \
                 settings\n";
    Daemon::refusing(RefusalKind::NotInGroup, "any text").run(&["list"]).failed(1, words);
    Daemon::refusing(RefusalKind::NotInGroup, "any text").run(&["grep", "x"]).failed(2, words);
}

#[test]
fn a_refusal_cannot_send_escape_sequences_or_a_second_line() {
    let ended = Daemon::refusing(RefusalKind::Failed, "a\u{1b}[2Jb\nc").run(&["leave"]);
    ended.failed(1, "memberctl: a?[2Jb?c\n");
}

#[test]
fn another_protocol_version_names_both() {
    let daemon = || {
        Daemon::new(|client| {
            let hello =
                Hello { protocol: PROTOCOL_VERSION + 1, program: "memberd 9.0.0".to_owned() };
            client.raw(&encode(&hello).unwrap());
            client.say(&Reply::Refused(RequestRefusal {
                kind: RefusalKind::Version,
                message: "no".to_owned(),
            }));
            None
        })
    };
    daemon().run(&["list"]).failed(
        6,
        "the daemon (memberd 9.0.0) speaks control protocol 2, this memberctl 0.1.0 speaks 1",
    );
    daemon().run(&["grep", "x"]).failed(2, "speaks control protocol 2");
}

#[test]
fn a_daemon_that_goes_away_is_noticed_at_any_point() {
    let words = "memberd went away before it answered";
    Daemon::new(|_| None).run(&["join"]).failed(4, words);
    Daemon::answering(vec![]).run(&["join"]).failed(4, words);
    Daemon::answering(vec![]).run(&["status"]).failed(4, words);
    Daemon::answering(vec![]).run(&["events"]).failed(4, words);
    Daemon::answering(vec![]).run(&["grep", "x"]).failed(2, words);
    let half_a_list = Daemon::answering(vec![Reply::Members(vec![member(1, MemberStatus::Alive)])])
        .run(&["list"]);
    half_a_list.failed(4, words);
    assert_eq!(half_a_list.stdout, "");
    Daemon::new(|client| {
        client.greet();
        let frame = encode(&Reply::Left { was_member: true }).unwrap();
        client.raw(&frame[..frame.len() - 1]);
        None
    })
    .run(&["leave"])
    .failed(4, words);
}

#[test]
fn a_malformed_reply_is_an_error_and_no_crash() {
    let raw = |bytes: Vec<u8>| {
        Daemon::new(move |client| {
            client.greet();
            client.raw(&bytes);
            client.until_gone();
            None
        })
    };
    let words = "cannot read memberd's reply";
    raw(vec![0, 0, 0, 3, 0xff, 0xff, 0xff]).run(&["list"]).failed(1, words);
    raw(vec![0, 0, 0, 0]).run(&["list"]).failed(1, words);
    raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())
        .run(&["status"])
        .failed(1, "at most 1048576 are allowed");
    let too_long = u32::try_from(REPLY_CAP + 1).unwrap().to_be_bytes().to_vec();
    raw(too_long).run(&["grep", "x"]).failed(2, "a message of 1048577 bytes");
    let mut trailing = encode(&Reply::Done).unwrap();
    trailing[3] += 1;
    trailing.push(0);
    raw(trailing).run(&["list"]).failed(1, "1 bytes too many");
}

#[test]
fn a_reply_to_another_request_is_an_error() {
    for verb in [&["join"][..], &["leave"], &["list"], &["status"], &["events"]] {
        let reply = Reply::GrepMessage { member: "vm1".to_owned(), text: "x".to_owned() };
        Daemon::answering(vec![reply]).run(verb).failed(1, "unexpected reply from memberd");
    }
    Daemon::answering(vec![Reply::Left { was_member: true }])
        .run(&["grep", "x"])
        .failed(2, "unexpected reply from memberd");
}

#[test]
fn a_daemon_that_does_not_answer_is_given_up() {
    let silent = || {
        Daemon::new(|client| {
            client.greet();
            client.until_gone();
            None
        })
    };
    silent().run(&["--timeout", "1", "join"]).failed(124, "did not answer in time");
    let mute = Daemon::new(|client| {
        client.until_gone();
        None
    });
    mute.run(&["--timeout", "1000ms", "status"])
        .failed(124, "did not answer in time: try again with a longer --timeout, or see systemctl");
}

/// The socket and the timeout may stand on either side of the command.
#[test]
fn the_options_of_all_commands_stand_anywhere() {
    let directory = TempDir::new().unwrap();
    let path = socket(directory.path());
    let path = path.to_str().unwrap();
    for line in [
        &["list", "--socket", path, "--timeout", "5"][..],
        &["--timeout=5", "list", "--all", "--socket", path],
        &["key", "list", "--socket", path, "/no/such"],
        &["events", "--since", "-5m", "--socket", path],
        &["top", "--socket", path],
        &["wait", "--members", "1", "--timeout", "0", "--socket", path],
    ] {
        let ended = run(memberctl().env("MEMBERCTL_SOCKET", "/nowhere").args(line));
        let key = line[0] == "key";
        assert_eq!(ended.stderr.contains(path), !key, "{ended:?}");
        let status = if key {
            1
        } else if line[0] == "wait" {
            124
        } else {
            4
        };
        assert_eq!(ended.status, Some(status), "{ended:?}");
    }
    run(memberctl().args(["grep", "--socket", path, "-i", "x"])).failed(2, path);
    run(memberctl().args(["list", "--timeout", "soon"])).failed(2, "try memberctl list --help");
    let help = run(memberctl().args(["list", "--help"]));
    assert!(help.stdout.contains("--timeout <TIME>"), "{help:?}");
}

#[test]
fn wrong_usage_is_one_line_and_status_2() {
    for (line, words) in [
        (&["flee"][..], "unrecognized subcommand 'flee'"),
        (
            &["lst"],
            "unrecognized subcommand 'lst'; a similar subcommand exists: 'list': try memberctl \
            --help",
        ),
        (&["list", "--tagz"], "a similar argument exists: '--tag"),
        (&["list", "--al"], "unexpected argument '--al'"),
        (&["list", "vm[1"], "unclosed character class"),
        (&["list", "--name", "vm["], "unclosed character class"),
        (&["wait", "--name", "vm 1*"], "no member can have such a name"),
        (&["wait", "--members", "1", "--at-least", "1"], "cannot be used with"),
        (&["wait", "--status", "up", "--name", "vm1"], "possible values: alive, failed, left"),
        (&["status", "--timeout", "0"], "the timeout must be greater than 0: try memberctl status"),
        (&["join", "vm1"], "the port is missing"),
        (&["join", "2001:db8::1:8946"], "needs brackets"),
        (&["--timeout", "0", "list"], "the timeout must be greater than 0"),
        (
            &["--timeout", "soon", "list"],
            "write seconds, or a number and a unit: 60s, 500ms, 2m or 1h",
        ),
        (&["--socket"], "a value is required for '--socket <PATH>'"),
        (&["flee"], "try memberctl --help"),
        (&["list", "--al"], "try memberctl list --help"),
        (&["--timeout", "5", "wait"], "try memberctl wait --help"),
        (&["key", "list", "--all"], "try memberctl key list --help"),
        (&["key", "lose"], "try memberctl key --help"),
        (&["wait", "--members", "x"], "a whole number from 0 to 1000000"),
        (&["demo", "--members", "1"], "a whole number from 2 to 50"),
        (&["events", "--exec", "x", "--exec-timeout", "0"], "from 1s to 1h"),
        (&["events", "--since", "soon"], "invalid time 'soon': write 10m, 2h,"),
        (&["events", "--since", "14:00 XYZT"], "invalid time '14:00 XYZT': the zone 'XYZT' is not"),
        (
            &["events", "--since", "10m", "--until", "1h"],
            "'--since' is not before '--until': try memberctl events --help",
        ),
        (
            &["grep", "--nonsense", "x"],
            "unrecognized option '--nonsense': try memberctl grep --help",
        ),
    ] {
        run(memberctl().args(line)).failed(2, words);
    }
}

#[test]
fn an_unreadable_file_does_not_refer_to_the_help() {
    let words = "memberctl: /no/such: No such file or directory\n";
    for line in [&["grep", "-f", "/no/such"][..], &["grep", "--exclude-from=/no/such", "x"]] {
        run(memberctl().args(line)).failed(2, words);
    }
}

/// Every help, with the arguments that print it.
fn helps(command: &clap::Command, asked: &[String]) -> Vec<(Vec<String>, String)> {
    let own = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let below = command
        .get_subcommands()
        .flat_map(|command| helps(command, &[asked, &[command.get_name().to_owned()]].concat()));
    std::iter::once((asked.to_vec(), own)).chain(below).collect()
}

#[test]
fn paragraphs_of_a_help_are_lines_that_the_terminal_breaks() {
    for (asked, text) in helps(&::memberctl::command_line(), &[]) {
        let prose = |line: &str| line.starts_with(|first: char| first.is_alphabetic());
        let broken =
            text.lines().zip(text.lines().skip(1)).find(|(line, next)| prose(line) && prose(next));
        // A help with a fixed layout, such as grep's, is for terminals of 80 columns.
        assert!(
            broken.is_none() || text.lines().all(|line| line.len() <= 80),
            "{asked:?}: {broken:?}"
        );
    }
}

/// What is only the command's own comes first.
#[test]
fn the_options_of_all_commands_end_the_help() {
    for command in ["forget", "list", "wait"] {
        let help = run(memberctl().args([command, "--help"])).stdout;
        let options = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        let names: Vec<&str> = options.filter_map(|line| Some(line.split_once(" <")?.0)).collect();
        assert_eq!(names.last_chunk(), Some(&["socket", "timeout"]), "{command}: {names:?}");
    }
}

#[test]
fn help_and_version_go_to_stdout_and_no_command_is_usage() {
    run(memberctl().arg("-V")).printed("memberctl 0.1.0\n");
    let help = run(memberctl().arg("--help"));
    assert_eq!(help.status, Some(0));
    for verb in ["join", "leave", "list", "status", "events", "metrics", "top", "grep", "demo"] {
        assert!(help.stdout.contains(&format!("\n  {verb} ")), "{verb}: {}", help.stdout);
    }
    let nothing = run(&mut memberctl());
    assert_eq!((nothing.status, nothing.stdout.as_str()), (Some(2), ""));
    assert!(nothing.stderr.contains("Usage: memberctl"));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let daemon = Daemon::answering(vec![Reply::Left { was_member: true }]);
    run_into(daemon.command(&["leave"]), full)
        .failed(1, "cannot write to standard output: No space left on device");
    for line in [&["--help"][..], &["list", "--help"], &["-V"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = memberctl();
        command.args(line);
        run_into(command, full)
            .failed(1, "cannot write to standard output: No space left on device");
    }
}

/// Rust's runtime opens /dev/null in place of a closed standard stream, where every write succeeds.
#[test]
fn a_closed_standard_output_is_an_error() {
    let words = "cannot write to standard output: Bad file descriptor";
    let daemon = Daemon::answering(vec![Reply::Left { was_member: true }]);
    run_without_stdout(&daemon.command(&["leave"])).failed(1, words);
    for (line, status) in [(&["--help"][..], 1), (&["-V"], 1), (&["grep", "--help"], 2)] {
        run_without_stdout(memberctl().args(line)).failed(status, words);
    }
    // It needs no standard output.
    run_without_stdout(memberctl().arg("leaf")).failed(2, "unrecognized subcommand");
}

fn run_into(mut command: Command, stdout: fs::File) -> crate::fake::Ended {
    let child = command.stdout(stdout).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    crate::fake::Ended {
        status: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
