//! `events`.

use std::io::{BufRead, BufReader, Read};

use memberd_control::message::{EventRecord, MemberStatus, Reply};
use serde_json::Value;

use crate::fake::{Daemon, member};

fn event(number: u8, status: MemberStatus) -> Reply {
    Reply::Event(EventRecord { time: 1_763_688_033_123, status, member: member(number, status) })
}

#[test]
fn each_change_is_a_line_and_a_daemon_that_goes_away_is_status_4() {
    let ended =
        Daemon::answering(vec![event(4, MemberStatus::Alive), event(4, MemberStatus::Failed), event(5, MemberStatus::Left)])
            .run(&["events"]);
    ended.failed(4, "memberd went away");
    assert_eq!(
        ended.stdout,
        "2025-11-21T01:20:33.123Z  vm4 joined  (vm4@127.0.0.4:8946/1763688033123)\n\
         2025-11-21T01:20:33.123Z  vm4 failed, noticed by vm2, last heard 1.76 s before  (vm4@127.0.0.4:8946/1763688033123)\n\
         2025-11-21T01:20:33.123Z  vm5 left  (vm5@127.0.0.5:8946/1763688033123)\n"
    );
}

#[test]
fn json_is_an_object_a_line_with_a_schema() {
    let ended = Daemon::answering(vec![event(4, MemberStatus::Alive), event(4, MemberStatus::Failed)]).run(&["events", "--json"]);
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["schema"], 1);
    assert_eq!(lines[0]["status"], "alive");
    assert_eq!(lines[1]["time"], 1_763_688_033_123_u64);
    assert_eq!(lines[1]["member"]["name"], "vm4");
    assert_eq!(lines[1]["member"]["evidence"]["accuser"], "vm2");
}

#[test]
fn a_line_comes_at_once_and_a_reader_that_has_had_enough_ends_it_well() {
    let daemon = Daemon::new(|client| {
        let request = client.greet();
        client.say(&event(4, MemberStatus::Alive));
        // No further change: the end has to be noticed without one.
        client.until_gone();
        Some(request)
    });
    let mut child = daemon.start(&["events"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("vm4 joined"), "{line}");
    drop(stdout);

    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
    daemon.request();
}
