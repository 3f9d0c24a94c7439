//! Members that stand still for a while (SIGSTOP, as a suspended machine does) and go on.

use memberd_control::message::MemberStatus;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// A stall, and the longest that a busy machine may make of it. Beyond that members may be failed.
const STALL: Duration = Duration::from_secs(1);
const LONGEST_STALL: Duration = Duration::from_millis(1_100);

/// Longer than the failure timeout, so that every consequence would be seen.
const WATCHED: Duration = Duration::from_secs(4);

/// Stops members for this long, and returns for how long they stood still at most.
fn stop_for(fleet: &Fleet, numbers: &[usize], span: Duration) -> Duration {
    let stopped = Instant::now();
    for number in numbers {
        fleet[*number].signal(Signal::SIGSTOP);
    }
    std::thread::sleep(span);
    for number in numbers {
        fleet[*number].signal(Signal::SIGCONT);
    }
    stopped.elapsed()
}

/// Stops these for a second. Nobody is failed, and nobody fails another. A busy machine that lets
/// them stand still for longer is given further chances.
fn assert_a_stall_fails_nobody(fleet: &Fleet, numbers: &[usize]) {
    let mut may_fail: Vec<String> = Vec::new();
    for _ in 0..10 {
        let before = fleet.wait_until_whole();
        let own: Vec<String> = numbers.iter().map(|number| fleet.id(*number)).collect();
        let mut followers = fleet.follow();
        let stood = stop_for(fleet, numbers, STALL);
        if stood > LONGEST_STALL {
            may_fail.extend(own);
            let ids: Vec<&str> = may_fail.iter().map(String::as_str).collect();
            fleet.assert_quiet_for(&mut followers, WATCHED, &ids);
            continue;
        }
        fleet.assert_quiet_for(&mut followers, WATCHED, &[]);
        assert_eq!(fleet.wait_until_whole(), before, "nobody has a new incarnation");
        let ids: Vec<&str> = may_fail.iter().map(String::as_str).collect();
        return fleet.assert_logs_accuse_none_but(&ids);
    }
    panic!("this machine stops nobody for {STALL:?} only");
}

/// A member that stands still for a second is not failed, and it fails no other.
#[test]
fn a_stall_of_1_s_fails_nobody() {
    assert_a_stall_fails_nobody(&Fleet::start(6), &[3]);
}

/// Longer than until SWIM suspects a member, and shorter than until it declares it failed.
const LONG_STALL: Duration = Duration::from_secs(5);

/// The members that a daemon lists as suspected, each of which is alive.
fn suspected(fleet: &Fleet, number: usize) -> Vec<String> {
    let list = fleet[number].control().list(true).unwrap();
    let suspected = list.into_iter().filter(|member| member.suspected_by.is_some());
    suspected
        .map(|member| {
            assert_eq!(member.status, MemberStatus::Alive, "{member:?}");
            member.name
        })
        .collect()
}

/// Every list says who is suspected while it is so, and nobody loses the member.
#[test]
fn swim_suspects_a_member_that_stalls_for_5_s_and_clears_it() {
    let fleet = Fleet::start_with(6, |daemon| {
        daemon.settings.group = vec!["detector = \"swim\""];
    });
    let before = fleet.wait_until_whole();
    let mut followers = fleet.follow();
    fleet[3].signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    let others = [1, 2, 4, 5, 6];
    wait_until("vm3 is suspected in every other list", SOON, || {
        let lists = others.map(|number| suspected(&fleet, number));
        holds(lists.iter().all(|names| names == &["vm3"]), || format!("{lists:?}"))
    });
    let status = fleet[1].control().status().unwrap();
    assert_eq!((status.alive, status.suspected), (6, 1));
    fleet.assert_quiet_for(&mut followers, LONG_STALL.saturating_sub(stopped.elapsed()), &[]);
    fleet[3].signal(Signal::SIGCONT);
    wait_until("nobody is suspected in any list", SOON, || {
        let lists = (1..=6).map(|number| suspected(&fleet, number)).collect::<Vec<_>>();
        holds(lists.iter().all(Vec::is_empty), || format!("{lists:?}"))
    });
    fleet.assert_quiet_for(&mut followers, WATCHED, &[]);
    assert_eq!(fleet.wait_until_whole(), before, "nobody has a new incarnation");
    fleet.assert_logs_accuse_none_but(&[]);
}

/// It comes back by itself and accuses nobody.
#[test]
fn a_member_that_stalls_for_10_s_fails_and_comes_back() {
    let fleet = Fleet::start(6);
    let old = fleet.id(3);
    let mut followers = fleet.follow();
    stop_for(&fleet, &[3], Duration::from_secs(10));
    followers.assert_none_failed_but(&[&old]);
    for daemon in fleet.daemons().iter().filter(|daemon| daemon.name() != "vm3") {
        assert!(daemon.log().failed().contains(&old), "{} did not notice", daemon.name());
    }
    let new = wait_until("vm3 is back in every list under a new incarnation", SOON, || {
        let ids =
            fleet.running().map(|daemon| daemon.control().alive()).collect::<Result<Vec<_>, _>>();
        let ids = ids.map_err(|error| error.to_string())?;
        holds(
            ids.iter().all(|list| list.len() == 6 && *list == ids[0] && !list.contains(&old)),
            || format!("{ids:?}"),
        )?;
        ids[0].iter().find(|id| id.starts_with("vm3@")).cloned().ok_or("no vm3".to_owned())
    });
    assert!(new > old, "{new} is younger than {old}");
    fleet.assert_quiet_for(&mut followers, WATCHED, &[&old]);
    fleet.assert_logs_accuse_none_but(&[&old]);
    for daemon in fleet.daemons() {
        let blamed = daemon
            .log()
            .changes()
            .into_iter()
            .filter(|line| line.noticed_by.as_deref() == Some("vm3"))
            .count();
        assert_eq!(blamed, 0, "{} says that vm3 noticed failures", daemon.name());
    }
}

#[test]
fn four_neighbours_that_stall_for_1_s_are_not_failed() {
    let fleet = Fleet::start(8);
    assert_a_stall_fails_nobody(&fleet, &fleet.ring()[2..6]);
}

#[test]
fn a_crash_is_noticed_while_another_member_stands_still() {
    let mut fleet = Fleet::start(6);
    let stopped = fleet.id(5);
    let mut followers = fleet.follow();
    fleet[5].signal(Signal::SIGSTOP);
    let crash = fleet.crash(&[2]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm2", "vm5"]);
    fleet[5].signal(Signal::SIGCONT);
    wait_until("vm5 has heard of the crash, and is in every list", SOON, || {
        let status = fleet[5].control().status_of("vm2").map_err(|error| error.to_string())?;
        holds(status.is_some_and(|(status, _)| status == MemberStatus::Failed), || {
            format!("{status:?}")
        })
    });
    fleet.wait_until_whole();
    followers.assert_none_failed_but(&[&crash.id, &stopped]);
}
