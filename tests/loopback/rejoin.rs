//! Daemons that went down without leaving come back into the group by themselves.

use memberd_tests::control::incarnation;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};

/// It has a larger incarnation.
#[test]
fn a_killed_daemon_that_is_started_again_rejoins_by_itself() {
    let mut fleet = Fleet::start(5);
    fleet.wait_until_remembered();
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[3]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm3"]);
    let log = fleet[3].log().text();
    fleet[3].start();
    fleet.wait_until_whole();
    let id = fleet.id(3);
    assert!(
        !log.is_empty() && fleet[3].log().text().starts_with(&log),
        "machine.3.log goes on where it was"
    );
    assert!(incarnation(&id) > incarnation(&crash.id), "{id} came after {}", crash.id);
    followers.assert_none_failed_but(&[&crash.id]);
}

/// It has a new incarnation although no member noticed the crash.
#[test]
fn a_daemon_back_before_its_crash_was_noticed_is_new() {
    let mut fleet = Fleet::start(5);
    fleet.wait_until_remembered();
    let mut followers = fleet.follow();
    let crash = fleet.crash(&[3]).remove(0);
    fleet[3].start();
    wait_until("every list holds the new incarnation", SOON, || {
        for daemon in fleet.running() {
            let list = daemon.control().alive().map_err(|error| error.to_string())?;
            holds(list.len() == 5 && !list.contains(&crash.id), || {
                format!("{}: {list:?}", daemon.name())
            })?;
        }
        Ok(())
    });
    assert!(incarnation(&fleet.id(3)) > incarnation(&crash.id));
    followers.assert_none_failed_but(&[&crash.id]);
}

#[test]
fn a_whole_fleet_that_lost_its_power_finds_itself_again() {
    let mut fleet = Fleet::start(6);
    fleet.wait_until_remembered();
    let before = fleet.wait_until_whole();
    fleet.crash(&[1, 2, 3, 4, 5, 6]);
    // The introducer comes last.
    fleet.daemons_mut().iter_mut().rev().for_each(Daemon::launch);
    fleet.daemons_mut().iter_mut().for_each(Daemon::wait_until_it_answers);
    let after = fleet.wait_until_whole();
    for (old, new) in before.iter().zip(&after) {
        assert!(incarnation(new) > incarnation(old), "{new} came after {old}");
    }
}

/// It is killed as soon as the join is confirmed.
#[test]
fn a_daemon_killed_right_after_its_join_rejoins_by_itself() {
    let mut fleet = Fleet::idle(2);
    fleet[1].control().join().unwrap();
    let id = fleet[2].control().join().unwrap();
    fleet[2].kill();
    fleet[2].start();
    let new = wait_until("vm2 is in the group again", SOON, || {
        let status = fleet[2].control().status().map_err(|error| error.to_string())?;
        status.id.ok_or(format!("it is {}", status.phase))
    });
    assert!(incarnation(&new) > incarnation(&id));
}

/// It is killed as soon as the leave is confirmed.
#[test]
fn a_daemon_killed_right_after_its_leave_stays_out() {
    let mut fleet = Fleet::start(2);
    assert!(fleet[2].control().leave().unwrap(), "it was a member");
    fleet[2].kill();
    fleet[2].start();
    assert_eq!(fleet[2].control().status().unwrap().phase, "out");
}

#[test]
fn a_daemon_that_was_stopped_without_a_group_stays_out_of_it() {
    let mut fleet = Fleet::idle(2);
    fleet[1].control().join().unwrap();
    fleet[2].kill();
    fleet[2].start();
    assert_eq!(fleet[2].control().status().unwrap().phase, "out");
    assert_eq!(fleet[1].control().alive().unwrap().len(), 1);
}
