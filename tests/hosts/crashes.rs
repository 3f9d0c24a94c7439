//! Daemons and machines that die, hang or sleep.

use crate::group::{follow, id, wait_until_listed, wait_until_whole};
use crate::{ALL, all_but};
use memberd_control::message::MemberStatus;
use memberd_tests::control::incarnation;
use memberd_tests::hosts::{Host, Hosts};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;
use std::time::{Duration, Instant};

/// The service's watchdog, and how long systemd may take beyond.
const WATCHDOG: Duration = Duration::from_secs(25);

/// Waits until the host's daemon is in the group under a larger incarnation, and in every list.
pub(crate) fn wait_until_back(hosts: &Hosts, number: usize, old: &str, limit: Duration) {
    let host = hosts.host(number);
    wait_until(&format!("{} is back", host.name()), limit, || {
        let new =
            host.control().status().map_err(|error| error.to_string())?.id.ok_or("in no group")?;
        holds(incarnation(&new) > incarnation(old), || new)
    });
    wait_until_whole(hosts, &ALL);
}

pub(crate) fn killed(hosts: &Hosts) {
    let host = hosts.host(3);
    let (old, pid) = (id(host), host.main_pid().to_string());
    let mut followers = follow(hosts, &all_but(&[3]));
    let at = Instant::now();
    host.shell(&format!("kill -KILL {pid}"));
    followers.assert_in_every_list(&old, MemberStatus::Failed, at, &[]);
    wait_until_back(hosts, 3, &old, SOON);
    assert_eq!(host.show("NRestarts"), "1");
    followers.assert_none_failed_but(&[&old]);
}

/// systemd has it up again after each of more kills than a unit may be started in 10 s by default.
pub(crate) fn killed_again_and_again(hosts: &Hosts) {
    let host = hosts.host(7);
    let old = id(host);
    for _ in 0..7 {
        let pid = host.main_pid();
        host.shell(&format!("kill -KILL {pid}"));
        wait_until("it is started again", SOON, || {
            let now = host.main_pid();
            holds(now != 0 && now != pid && host.show("ActiveState") == "active", || {
                host.show("Result")
            })
        });
    }
    wait_until_back(hosts, 7, &old, SOON);
}

/// Asserts that systemd has done so once, by its journal. The NRestarts= of systemd 257 is 0 again
/// by then.
fn assert_ended_by_watchdog(host: &Host) {
    let said = host.run(&["journalctl", "-q", "-u", "memberd", "-o", "cat"]);
    for words in ["Watchdog timeout", "Scheduled restart job"] {
        assert_eq!(said.matches(words).count(), 1, "{words} in {said}");
    }
}

/// All of the daemon hangs.
pub(crate) fn hung(hosts: &Hosts) {
    let host = hosts.host(6);
    let (old, pid) = (id(host), host.main_pid().to_string());
    let mut followers = follow(hosts, &all_but(&[6]));
    let at = Instant::now();
    host.shell(&format!("kill -STOP {pid}"));
    followers.assert_crash_noticed(&old, at, &[]);
    wait_until_back(hosts, 6, &old, WATCHDOG);
    assert_ended_by_watchdog(host);
    followers.assert_none_failed_but(&[&old]);
}

/// Only the protocol's loop hangs. Other parts of the daemon work, and do not feed the watchdog.
pub(crate) fn loop_hung(hosts: &Hosts) {
    let host = hosts.host(8);
    let old = id(host);
    let mut followers = follow(hosts, &all_but(&[8]));
    let at = Instant::now();
    let held = host.hold("membership");
    assert_eq!(host.run(&["memberctl", "log"]).trim(), "info", "the rest of the daemon answers");
    followers.assert_crash_noticed(&old, at, &[]);
    held.wait_until_killed(WATCHDOG);
    eprintln!("{}: killed {:.1} s after its loop hung", host.name(), at.elapsed().as_secs_f32());
    wait_until_back(hosts, 8, &old, WATCHDOG);
    assert_ended_by_watchdog(host);
    followers.assert_none_failed_but(&[&old]);
}

/// Pulls the plugs of these at once. The others notice in time, and something is done meanwhile.
/// Switched on again, the hosts come back by themselves.
pub(crate) fn plugs_pulled(hosts: &mut Hosts, numbers: &[usize], meanwhile: impl FnOnce(&Hosts)) {
    let old: Vec<String> = numbers.iter().map(|number| id(hosts.host(*number))).collect();
    let mut followers = follow(hosts, &all_but(numbers));
    let at = hosts.pull_plugs(numbers);
    for id in &old {
        followers.assert_crash_noticed(id, at, &[]);
    }
    let dead: Vec<&str> = old.iter().map(String::as_str).collect();
    meanwhile(hosts);
    followers.assert_none_failed_but(&dead);
    for number in numbers {
        hosts.start(*number);
    }
    for (number, old) in numbers.iter().zip(&old) {
        wait_until_back(hosts, *number, old, SOON);
    }
}

pub(crate) fn stopped(hosts: &Hosts) {
    let host = hosts.host(4);
    let old = id(host);
    let mut followers = follow(hosts, &all_but(&[4]));
    let at = Instant::now();
    host.run(&["systemctl", "stop", "memberd"]);
    followers.assert_in_every_list(&old, MemberStatus::Left, at, &[]);
    // No memberctl starts a stopped service again.
    assert_eq!(host.try_run(&["memberctl", "list"]).status.code(), Some(4));
    assert_eq!(host.show("ActiveState"), "inactive");
    host.run(&["systemctl", "start", "memberd"]);
    wait_until_back(hosts, 4, &old, SOON);
    followers.assert_none_failed_but(&[]);
}

pub(crate) fn rebooted(hosts: &mut Hosts) {
    let old = id(hosts.host(8));
    let mut followers = follow(hosts, &all_but(&[8]));
    hosts.reboot(8);
    wait_until_back(hosts, 8, &old, SOON);
    wait_until_listed(hosts.host(1), "vm8", MemberStatus::Alive);
    followers.assert_none_failed_but(&[]);
}

pub(crate) fn frozen(hosts: &Hosts) {
    let old = id(hosts.host(7));
    let mut followers = follow(hosts, &all_but(&[7]));
    let at = Instant::now();
    hosts.freeze(7);
    followers.assert_crash_noticed(&old, at, &[]);
    hosts.thaw(7);
    wait_until_back(hosts, 7, &old, SOON);
    followers.assert_none_failed_but(&[&old]);
}

pub(crate) fn split_and_healed(hosts: &Hosts) {
    let (one, other) = ([1, 2, 3], [4, 5, 6, 7, 8]);
    let larger: Vec<String> = other.map(|number| id(hosts.host(number))).to_vec();
    hosts.split(&one, &other);
    wait_until_whole(hosts, &one);
    wait_until_whole(hosts, &other);
    hosts.heal();
    wait_until_whole(hosts, &ALL);
    let after: Vec<String> = other.map(|number| id(hosts.host(number))).to_vec();
    assert_eq!(larger, after, "the smaller side is the one that renews");
}
