//! The list as people see and watch it.

use memberd_control::message::MemberStatus;
use memberd_tests::Fleet;
use memberd_tests::binaries::memberctl;
use memberd_tests::process::Running;
use memberd_tests::terminal::Terminal;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::wait_until;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;

/// The watch ends with its daemon.
#[test]
fn a_watched_list_is_printed_again_when_it_changes() {
    let mut fleet = Fleet::start(3);
    let mut command = fleet[1].memberctl(&["list", "--watch", "--format", "names"]);
    let mut memberctl =
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let stdout = BufReader::new(memberctl.child().stdout.take().unwrap());
    let (sender, lines) = channel();
    thread::spawn(move || stdout.lines().try_for_each(|line| sender.send(line.unwrap())));
    let next = |count: usize| -> Vec<String> {
        (0..count).map(|_| lines.recv_timeout(stretched(SOON)).expect("a line")).collect()
    };
    assert_eq!(next(3), ["vm1", "vm2", "vm3"]);
    fleet[3].control().leave().unwrap();
    assert_eq!(next(2), ["vm1", "vm2"]);
    fleet[1].kill();
    assert_eq!(memberctl.wait(SOON).code(), Some(4));
}

#[test]
fn a_reader_that_goes_away_ends_a_watch_without_changes() {
    let fleet = Fleet::start(1);
    let mut command = fleet[1].memberctl(&["list", "--watch", "--format", "names"]);
    let mut memberctl = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let mut stdout = BufReader::new(memberctl.child().stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "vm1\n");
    drop(stdout);
    assert_eq!(memberctl.wait(SOON).code(), Some(0));
}

#[test]
fn on_a_terminal_it_says_how_many_are_not_shown() {
    let mut fleet = Fleet::start(4);
    fleet.crash(&[4]);
    fleet.wait_until_whole();
    fleet[3].control().leave().unwrap();
    wait_until("the leave is in the list", SOON, || {
        let list = fleet[1].control().list(true).map_err(|error| error.to_string())?;
        holds(list.iter().any(|member| member.status == MemberStatus::Left), || format!("{list:?}"))
    });
    let socket = fleet[1].settings.socket.display().to_string();
    let shown = |options: &str, words: &str| {
        let mut terminal = Terminal::run(
            &format!("{} --socket {socket} list {options}; echo e''nd", memberctl().display()),
            &[],
        );
        terminal.wait_until_shown("end");
        assert!(terminal.wait().success());
        assert_eq!(
            terminal.seen().contains("not shown:"),
            !words.is_empty(),
            "{options}: {}",
            terminal.seen()
        );
        assert!(terminal.seen().contains(words), "{options}: {}", terminal.seen());
    };
    shown("", "not shown: 1 failed, 1 left (memberctl list --all)");
    shown("--name 'vm[123]'", "not shown: 1 left (memberctl list --all)");
    for options in ["--all", "--status alive", "--name vm1", "--format csv"] {
        shown(options, "");
    }
    let piped = String::from_utf8(fleet[1].ctl(&["list"]).stdout).unwrap();
    assert!(!piped.contains("not shown"), "{piped}");
}
