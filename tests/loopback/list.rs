//! The list as it is watched.

use memberd_tests::Fleet;
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, stretched};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;

#[test]
fn a_watched_list_comes_again_when_it_has_changed_and_ends_with_its_daemon() {
    let mut fleet = Fleet::start(3);
    let mut command = fleet[1].memberctl(&["list", "--watch", "--format", "names"]);
    let mut memberctl = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let stdout = BufReader::new(memberctl.child().stdout.take().unwrap());
    let (sender, lines) = channel();
    thread::spawn(move || stdout.lines().try_for_each(|line| sender.send(line.unwrap())));
    let next =
        |count: usize| -> Vec<String> { (0..count).map(|_| lines.recv_timeout(stretched(SOON)).expect("a line")).collect() };
    assert_eq!(next(3), ["vm1", "vm2", "vm3"]);
    fleet[3].control().leave().unwrap();
    assert_eq!(next(2), ["vm1", "vm2"]);
    fleet[1].kill();
    assert_eq!(memberctl.wait(SOON).code(), Some(4));
}

#[test]
fn a_reader_that_goes_away_ends_a_watch_of_a_list_that_does_not_change() {
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
