//! A daemon that has used up its file descriptors. Heartbeats need none, and the rest recovers by
//! itself.

use memberd_tests::proc::open_files;
use memberd_tests::process::Running;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::collections::VecDeque;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than two failure timeouts, so that every consequence is seen.
const WATCHED: Duration = Duration::from_secs(4);

/// The daemon keeps its open descriptors, and gets no further one of this number or above
/// (`prlimit` of util-linux).
fn limit_descriptors(daemon: &Daemon, number: &str) {
    let set = Command::new("prlimit")
        .args(["--pid", &daemon.pid().to_string(), &format!("--nofile={number}:")])
        .status()
        .unwrap();
    assert!(set.success());
}

fn soft_limit(daemon: &Daemon) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// A daemon that has no file descriptors left stays a member, notices a crash, and recovers by
/// itself.
#[test]
fn a_member_without_descriptors_recovers_by_itself() {
    let mut fleet = Fleet::start_with(5, |daemon| daemon.set_keys("a"));
    let usual = soft_limit(&fleet[2]);
    let mut followers = fleet.follow();
    let since = Instant::now();
    limit_descriptors(&fleet[2], "3");
    // It can let nobody in, and cannot even read its settings.
    let _waiting = UnixStream::connect(&fleet[2].settings.socket).unwrap();
    fleet[2].signal(Signal::SIGHUP);
    fleet[2].wait_until_logged("the settings were not reloaded; the old ones stay in force");
    fleet[2].wait_until_logged("cannot accept connections of control clients");
    fleet.assert_quiet_for(&mut followers, WATCHED, &[]);
    let crash = fleet.crash(&[4]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm4"]);
    fleet.assert_quiet_for(&mut followers, WATCHED, &[&crash.id]);
    let mut waiting = fleet[2].memberctl(&["list"]);
    let mut waiting = Running::start(waiting.stdout(Stdio::null()));
    limit_descriptors(&fleet[2], &usual);

    assert!(waiting.wait(SOON).success(), "who waited was served");
    fleet[4].start();
    fleet.wait_until_whole();
    wait_until("a grep is answered by all", SOON, || {
        let output = fleet[1].ctl(&["grep", "-c", "memberd starting"]);
        let answers = String::from_utf8_lossy(&output.stdout).lines().count();
        holds(output.status.success() && answers == 5, || format!("{output:?}"))
    });
    fleet[2].reload();
    fleet[2].wait_until_logged_rarely(&["cannot accept connections of control clients"], since);
    fleet.wait_until_remembered();
    followers.assert_none_failed_but(&[&crash.id]);
}

/// A stranger takes the last file descriptors again and again. The log has one line about it.
#[test]
fn a_stranger_that_takes_all_descriptors_makes_one_line() {
    let fleet = Fleet::start_with(2, |daemon| daemon.set_keys("a"));
    let open = open_files(fleet[1].pid()).len();
    limit_descriptors(&fleet[1], &(open + 4).to_string());
    let (mut taken, since) = (VecDeque::new(), Instant::now());
    while since.elapsed() < WATCHED {
        // Each connection that is closed makes room for the next, which is accepted, and so on.
        taken.extend(TcpStream::connect(fleet[1].settings.address));
        if taken.len() > 30 {
            taken.pop_front();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    fleet[1].wait_until_logged("cannot accept connections of members");
    fleet[1].wait_until_logged_rarely(&["cannot accept connections"], since);
}
