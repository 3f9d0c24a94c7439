//! Leaves by memberctl and by SIGTERM, which nobody takes for crashes.

use memberd_control::message::MemberStatus;
use memberd_tests::hosts::Held;
use memberd_tests::log::Change;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, wait_until};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

/// The time within which `systemctl stop` must end.
const STOPPED: Duration = Duration::from_secs(5);

/// How long a leave is watched, so that it is not taken for a crash. It is longer than the failure
/// timeout.
const AFTERMATH: Duration = Duration::from_secs(4);

fn assert_left_and_never_failed(fleet: &Fleet, id: &str) {
    let name = id.split('@').next().unwrap();
    for daemon in fleet.running().filter(|daemon| daemon.name() != name) {
        wait_until("the leave is in the log", SOON, || {
            let changes = daemon.log().changes();
            holds(changes.iter().any(|line| line.change == Change::Left && line.id == id), || {
                format!("{changes:?}")
            })
        });
        let members = daemon.control().list(true).unwrap();
        assert!(
            members.iter().any(|member| member.id == id && member.status == MemberStatus::Left),
            "{members:?}"
        );
    }
    fleet.assert_logs_accuse_none_but(&[]);
}

#[test]
fn a_member_that_leaves_is_left_in_all_lists_failed_in_none() {
    let fleet = Fleet::start(10);
    let (id, mut followers) = (fleet.id(7), fleet.follow());
    let start = Instant::now();
    let output = fleet[7].ctl(&["leave"]);
    assert!(output.status.success(), "{output:?}");
    // Its own log has it too.
    fleet[7].wait_until_logged_times(&format!(" INFO leaves the group id={id}\n"), 1);
    followers.assert_in_every_list(&id, MemberStatus::Left, start, &["vm7"]);
    fleet.assert_quiet_for(&mut followers, AFTERMATH, &[]);
    assert_left_and_never_failed(&fleet, &id);
}

#[test]
fn a_daemon_that_is_terminated_leaves_and_ends_within_5_s() {
    let mut fleet = Fleet::start(10);
    let (id, mut followers) = (fleet.id(4), fleet.follow());
    let start = fleet[4].signal(Signal::SIGTERM);
    let status = fleet[4].wait_for_end(STOPPED);
    assert!(start.elapsed() <= STOPPED, "it ended after {:?}", start.elapsed());
    assert!(status.success(), "{status}");
    followers.assert_in_every_list(&id, MemberStatus::Left, start, &["vm4"]);
    fleet.assert_quiet_for(&mut followers, AFTERMATH, &[]);
    assert_left_and_never_failed(&fleet, &id);
}

/// Its state and its log hang, and no member hears it. It ends in time all the same.
#[test]
fn a_daemon_with_hanging_disks_ends_within_5_s() {
    let mut logs = Vec::new();
    let mut fleet = Fleet::start_with(2, |daemon| {
        let log = daemon.log().path().to_owned();
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        mkfifo(&log, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        logs.push(
            OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(OFlag::O_NONBLOCK.bits())
                .open(log)
                .unwrap(),
        );
    });
    fleet.wait_until_remembered();
    // The pipe has no room for another line.
    while logs[0].write(b"x").is_ok() {}
    // The thread that writes the state waits, as for a disk.
    let disk = Held::thread(fleet[1].pid(), "membership-io");
    fleet[2].kill();
    let start = fleet[1].signal(Signal::SIGTERM);
    disk.wait_until_ended(2 * STOPPED);
    let status = fleet[1].wait_for_end(2 * STOPPED);
    assert!(start.elapsed() <= STOPPED, "it ended after {:?}", start.elapsed());
    assert!(status.success(), "{status}");
    let said = fleet[1].stderr();
    // It waits for the state at the end, or for what must be durable before that.
    let told = ["the state was not written in time", "the disk takes too long for the state"];
    assert!(told.iter().any(|words| said.contains(words)), "{said}");
}

/// No member accuses another.
#[test]
fn a_fleet_that_is_terminated_at_once_ends_within_5_s() {
    let mut fleet = Fleet::start(6);
    let start = Instant::now();
    for daemon in fleet.daemons() {
        daemon.signal(Signal::SIGTERM);
    }
    for daemon in fleet.daemons_mut() {
        let status = daemon.wait_for_end(STOPPED);
        assert!(status.success(), "{}: {status}", daemon.name());
    }
    assert!(start.elapsed() <= STOPPED, "the last ended after {:?}", start.elapsed());
    fleet.assert_logs_accuse_none_but(&[]);
}

/// It joins under a new incarnation.
#[test]
fn a_member_that_left_stays_out_until_it_joins_again() {
    let mut fleet = Fleet::start(3);
    let before = fleet.id(3);
    fleet[3].ctl(&["leave"]);
    assert_eq!(
        fleet[3].ctl(&["list"]).status.code(),
        Some(1),
        "there is no list outside of a group"
    );
    fleet[3].signal(Signal::SIGTERM);
    fleet[3].wait_for_end(STOPPED);
    fleet[3].start();
    assert_eq!(fleet[3].control().status().unwrap().phase, "out");
    let output = fleet[3].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    let incarnation = |id: &str| id.rsplit('/').next().unwrap().parse::<u64>().unwrap();
    assert!(incarnation(&fleet.id(3)) > incarnation(&before));
    fleet.wait_until_whole();
}

#[test]
fn leaving_a_group_that_one_is_not_in_is_done_already() {
    let fleet = Fleet::idle(1);
    let output = fleet[1].ctl(&["leave"]);
    assert!(output.status.success(), "{output:?}");
}
