//! Crashes of one member and of four ring neighbours at once, within the promised bounds.

use memberd_tests::log::Change;
use memberd_tests::process::Running;
use memberd_tests::wait::{IN_EVERY_LIST, SOON, holds, stretched};
use memberd_tests::{Fleet, wait_until};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;

/// Crashes these, and asserts everything that is promised of crashes.
fn assert_promises_hold(fleet: &mut Fleet, numbers: &[usize]) {
    let mut followers = fleet.follow();
    let crashes = fleet.crash(numbers);
    let dead: Vec<&str> = crashes.iter().map(|crash| crash.name.as_str()).collect();
    let ids: Vec<&str> = crashes.iter().map(|crash| crash.id.as_str()).collect();
    for crash in &crashes {
        followers.assert_crash_noticed(&crash.id, crash.at, &dead);
    }
    fleet.wait_until_whole();
    for crash in &crashes {
        for daemon in fleet.running() {
            wait_until("the crash is in the log", SOON, || {
                let changes = daemon.log().changes();
                let found = changes.iter().any(|line| {
                    line.change == Change::Failed && line.name == crash.name && line.id == crash.id
                });
                holds(found, || format!("{} of {}: {changes:?}", crash.id, daemon.name()))
            });
        }
    }
    followers.assert_none_failed_but(&ids);
    fleet.assert_logs_accuse_none_but(&ids);
}

#[test]
fn a_crash_is_in_some_list_in_2_s_and_in_every_list_in_6() {
    let mut fleet = Fleet::start(10);
    assert_promises_hold(&mut fleet, &[6]);
}

/// Each crash is in some list within 2 s and in every list within 6 s.
#[test]
fn four_ring_neighbours_that_crash_at_once_are_all_noticed() {
    let mut fleet = Fleet::start(10);
    let ring = fleet.ring();
    assert_promises_hold(&mut fleet, &ring[3..7]);
}

/// This is a group of three, so one member is left to notice both crashes.
#[test]
fn a_monitor_and_the_member_it_watches_crash_at_once() {
    let mut fleet = Fleet::start(3);
    assert_promises_hold(&mut fleet, &[2, 3]);
}

/// Members crash one after another until one is left, and each crash is noticed in time.
#[test]
fn crashes_down_to_a_group_of_one_are_all_noticed() {
    let mut fleet = Fleet::start(4);
    for number in [4, 2, 3] {
        let mut followers = fleet.follow();
        let crashes = fleet.crash(&[number]);
        followers.assert_crash_noticed(&crashes[0].id, crashes[0].at, &[&crashes[0].name]);
    }
    assert_eq!(fleet.wait_until_whole().len(), 1);
}

#[test]
fn the_list_of_all_tells_who_noticed_a_crash() {
    let mut fleet = Fleet::start(3);
    let crash = fleet.crash(&[3]).remove(0);
    let noticed_by = wait_until("the crash is in the list with its evidence", SOON, || {
        let members = fleet[1].control().list(true).map_err(|error| error.to_string())?;
        let evidence = members
            .into_iter()
            .find(|member| member.id == crash.id)
            .and_then(|member| member.evidence);
        evidence.map(|evidence| evidence.accuser).ok_or("no evidence".to_owned())
    });
    assert!(["vm1", "vm2"].iter().any(|name| noticed_by.starts_with(name)), "{noticed_by}");
    let output = fleet[1].ctl(&["list", "--all"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.lines().any(|line| line.contains("vm3")
            && line.contains("failed")
            && line.contains(&noticed_by)),
        "{text}"
    );
}

#[test]
fn memberctl_events_tells_a_crash_as_it_happens() {
    let mut fleet = Fleet::start(3);
    let mut memberctl = Running::start(
        fleet[1]
            .memberctl(&["events", "--json", "--since", "1h"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped()),
    );
    let stdout = BufReader::new(memberctl.child().stdout.take().unwrap());
    let (sender, events) = channel();
    thread::spawn(move || stdout.lines().try_for_each(|line| sender.send(line.unwrap())));
    let next = || {
        let line = events.recv_timeout(stretched(SOON)).expect("an event");
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(event["schema"], 1, "{line}");
        event
    };
    // Whoever has told the past follows from then on: a gap, and three joins.
    assert!(next()["missed"].is_object());
    (0..3).for_each(|_| assert_eq!(next()["event"], "joined"));
    fleet.add().start();
    assert!(fleet[4].ctl(&["join"]).status.success());
    let joined = next();
    assert_eq!(
        (&joined["status"], &joined["member"]["name"]),
        (&"alive".into(), &"vm4".into()),
        "{joined}"
    );
    let crash = fleet.crash(&[2]).remove(0);
    let failed = next();
    let delay = crash.at.elapsed();
    assert_eq!(
        (&failed["status"], &failed["member"]["id"]),
        (&"failed".into(), &crash.id.into()),
        "{failed}"
    );
    assert!(delay <= IN_EVERY_LIST, "it came after {delay:?}");
}
