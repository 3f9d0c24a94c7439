//! Disks that are full or write-protected. Membership goes on, losses are reported and counted, and
//! no half-written file is read back.

use memberd_control::message::MemberStatus;
use memberd_tests::control::incarnation;
use memberd_tests::disk::{self, Disk};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, Followers, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Longer than two failure timeouts, so that every consequence of a fault is seen.
const WATCHED: Duration = Duration::from_secs(4);

/// The size of a disk for the state or for the log.
const KIB: u32 = 512;

/// The warning about the state in the status.
fn state_warnings(daemon: &Daemon) -> Vec<String> {
    let warnings = daemon.control().status().unwrap().warnings;
    warnings.into_iter().filter(|warning| warning.contains("state")).collect()
}

/// A member crashes and comes back, and all notice. `daemon` then has a change to write.
fn change(fleet: &mut Fleet, followers: &mut Followers, number: usize, accused: &mut Vec<String>) {
    let crash = fleet.crash(&[number]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &[&crash.name]);
    accused.push(crash.id);
    fleet.restart(&[number]);
}

fn assert_none_failed_but(followers: &mut Followers, accused: &[String]) {
    followers.assert_none_failed_but(&accused.iter().map(String::as_str).collect::<Vec<_>>());
}

/// vm2 goes through a time with a state directory that cannot be written. `harm` begins it, and
/// `mend` drops what `harm` returned. Meanwhile vm2 is killed and started again.
fn state_cannot_be_written<T>(
    reason: &str,
    harm: impl FnOnce(&Disk) -> T,
    mend: impl FnOnce(&Disk, T),
) {
    let mut fleet = Fleet::new(4);
    let disk = Disk::mount(&fleet[2].settings.state_dir, KIB);
    // A store of copies that fails stays so until memberd is started again.
    fleet[2].settings.logs.push("copies = 0".to_owned());
    fleet.form();
    fleet.wait_until_remembered();
    let (mut followers, mut accused) = (fleet.follow(), Vec::new());
    let before = fleet.id(2);
    let harm = harm(&disk);
    change(&mut fleet, &mut followers, 4, &mut accused);
    wait_until("the fault is reported", SOON, || {
        let warnings = state_warnings(&fleet[2]);
        holds(warnings.len() == 1 && warnings[0].contains(reason), || format!("{warnings:?}"))
    });
    change(&mut fleet, &mut followers, 4, &mut accused);
    fleet.assert_quiet_for(
        &mut followers,
        WATCHED,
        &accused.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    assert_eq!(fleet.id(2), before, "it has kept its place");
    let log = fleet[2].log().text();
    let reported: Vec<&str> =
        log.lines().filter(|line| line.contains("the state cannot be written")).collect();
    assert!(
        reported.len() == 1 && reported[0].contains(reason),
        "{reported:#?} is not one line about {reason:?}"
    );

    // It is killed and comes back by itself, from the last state that was written, in spite of the
    // same fault.
    let crash = fleet.crash(&[2]).remove(0);
    accused.push(crash.id.clone());
    fleet[2].start();
    wait_until("vm2 is back", SOON, || {
        let id = fleet[2]
            .control()
            .status()
            .map_err(|error| error.to_string())?
            .id
            .ok_or("it is in no group")?;
        holds(incarnation(&id) > incarnation(&crash.id), || {
            format!("{id} is not larger than {}", crash.id)
        })
    });
    assert!(!fleet[2].log().text().contains("damaged"), "{}", fleet[2].log().text());
    fleet.wait_until_whole();
    assert_none_failed_but(&mut followers, &accused);
    let again = fleet.id(2);

    mend(&disk, harm);
    let mut followers = fleet.follow();
    change(&mut fleet, &mut followers, 4, &mut accused);
    fleet[2].wait_until_logged("the state is written again");
    wait_until("the warning is gone", SOON, || {
        let warnings = state_warnings(&fleet[2]);
        holds(warnings.is_empty(), || format!("{warnings:?}"))
    });
    fleet.wait_until_remembered();
    fleet.crash(&[2]);
    fleet[2].start();
    fleet.wait_until_whole();
    assert!(incarnation(&fleet.id(2)) > incarnation(&again), "{again}");
    assert!(!fleet[2].log().text().contains("damaged"), "{}", fleet[2].log().text());
    accused.push(again);
    assert_none_failed_but(&mut followers, &accused);
}

/// A restart finds the last state that was written, and it is whole.
#[test]
fn a_full_disk_for_the_state_costs_no_member_its_place() {
    disk::with_own_mounts(|| {
        state_cannot_be_written("No space left on device", Disk::fill, |disk, ()| disk.free());
    });
}

/// The directory becomes read-only while the daemon runs. A restart finds the last state that was
/// written, and it is whole.
#[test]
fn a_read_only_state_directory_costs_no_member_its_place() {
    disk::with_own_mounts(|| {
        state_cannot_be_written("Read-only file system", Disk::protect, |_, protected| {
            drop(protected);
        });
    });
}

/// The daemon reports it and uses the generation before.
#[test]
fn a_damaged_state_that_cannot_be_moved_aside_is_reported() {
    disk::with_own_mounts(|| {
        let mut fleet = Fleet::new(2);
        let disk = Disk::mount(&fleet[2].settings.state_dir, KIB);
        fleet.form();
        fleet.wait_until_remembered();
        let crash = fleet.crash(&[2]).remove(0);
        let file = fleet[2].settings.state_dir.join("members.cbor");
        // The copy is a file of its own, because the generation before may be the same file.
        fs::remove_file(&file).unwrap();
        fs::write(&file, "rot").unwrap();
        let protected = disk.protect();
        fleet[2].start();
        fleet.wait_until_whole();
        assert!(incarnation(&fleet.id(2)) > incarnation(&crash.id));
        let log = fleet[2].log().text();
        assert!(
            log.contains(&format!(
                "{}: damaged; cannot be moved aside: Read-only file system",
                file.display()
            )),
            "{log}"
        );
        drop(protected);
    });
}

/// How many warnings of `memberctl status` are about lines that cannot be written.
fn log_warnings(daemon: &Daemon) -> usize {
    let warnings = daemon.control().status().unwrap().warnings;
    warnings
        .iter()
        .filter(|warning| warning.contains("log lines are lost until it works again"))
        .count()
}

/// Only one of the two targets has `log lines lost here: 12` and the lines on the console. Both
/// have all other lines.
fn is_of_both(line: &&str) -> bool {
    let own = [
        "log lines lost here: ",
        "log lines are lost until it works again",
        "is written again, log lines lost: ",
    ];
    !own.iter().any(|words| line.contains(words))
}

/// How many lines the log itself says that it lost.
fn said_lost(log: &str) -> u64 {
    log.lines()
        .filter_map(|line| line.split_once("log lines lost here: ")?.1.parse::<u64>().ok())
        .sum()
}

/// The log is rotated while its disk is full. Only lines that the daemon counts as lost are
/// missing.
#[test]
fn rotation_on_a_full_disk_loses_only_counted_lines() {
    disk::with_own_mounts(|| {
        let mut fleet = Fleet::new(4);
        fleet[2].settings.level = "debug";
        let disk = Disk::mount(&fleet[2].settings.log_dir, KIB);
        fleet.form();
        let mut followers = fleet.follow();
        let (log, lost) = (fleet[2].log(), |fleet: &Fleet| fleet[2].counter("log_lines_lost"));
        let rotated = |number: usize| log.path().with_extension(format!("log.{number}"));
        let mut accused = Vec::new();
        for round in 0..3 {
            let before = lost(&fleet);
            disk.fill();
            change(&mut fleet, &mut followers, 4, &mut accused);
            wait_until("lines are lost", SOON, || {
                holds(lost(&fleet) > before, || before.to_string())
            });
            // Once while it is full, and once more afterwards.
            fs::rename(log.path(), rotated(2 * round)).unwrap();
            fleet[2].signal(Signal::SIGHUP);
            wait_until("the log is opened anew", SOON, || {
                holds(log.path().exists(), || format!("{rotated:?}", rotated = log.path()))
            });
            change(&mut fleet, &mut followers, 4, &mut accused);
            disk.free();
            fs::rename(log.path(), rotated(2 * round + 1)).unwrap();
            fleet[2].reload();
        }
        assert_none_failed_but(&mut followers, &accused);
        let counted = lost(&fleet);
        let metrics = String::from_utf8(fleet[2].ctl(&["metrics"]).stdout).unwrap();
        assert!(
            metrics.contains(&format!("\nmemberd_log_lines_lost_total {counted}\n")),
            "{metrics}"
        );
        fleet[2].signal(Signal::SIGTERM);
        fleet[2].wait_for_end(SOON);

        let files: Vec<PathBuf> = (0..6).map(rotated).chain([log.path().to_owned()]).collect();
        let written: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let all = fleet[2].stderr();
        let mut missing: Vec<&str> = all.lines().filter(is_of_both).collect();
        let mut torn = Vec::new();
        for line in written.lines().filter(is_of_both) {
            match missing.iter().position(|other| *other == line) {
                Some(place) => drop(missing.swap_remove(place)),
                None => torn.push(line),
            }
        }
        assert!(
            torn.iter().all(|part| missing.iter().any(|line| line.starts_with(part))),
            "nobody said {torn:#?}"
        );
        assert!(torn.len() <= 6, "{torn:#?}");
        let missing = u64::try_from(missing.len()).unwrap();
        assert_eq!(
            (missing, missing),
            (said_lost(&written), counted),
            "lines that are missing, said and counted to be lost"
        );
        let reported = all.matches("log lines are lost until it works again").count();
        assert!(
            (3..=6).contains(&reported),
            "reported {reported} times, once for each time that it was full"
        );
    });
}

/// The report goes to standard error. The log is written as soon as the directory can be written
/// to.
#[test]
fn a_read_only_log_directory_is_reported_once() {
    disk::with_own_mounts(|| {
        let mut fleet = Fleet::new(3);
        let disk = Disk::mount(&fleet[2].settings.log_dir, KIB);
        let protected = disk.protect();
        fleet.form();
        let mut followers = fleet.follow();
        let mut accused = Vec::new();
        change(&mut fleet, &mut followers, 3, &mut accused);
        let all = fleet[2].stderr();
        assert_eq!(all.matches("log lines are lost until it works again").count(), 1, "{all}");
        assert!(
            all.contains(&format!(
                "cannot write to {}: Read-only file system",
                fleet[2].log().path().display()
            )),
            "{all}"
        );
        assert!(fleet[2].counter("log_lines_lost") > 0);
        assert_eq!(log_warnings(&fleet[2]), 1);
        drop(protected);
        change(&mut fleet, &mut followers, 3, &mut accused);
        fleet[2].wait_until_logged("log lines lost here: ");
        wait_until("the warning is gone", SOON, || {
            let count = log_warnings(&fleet[2]);
            holds(count == 0, || format!("{count} warnings"))
        });
        assert_eq!(said_lost(&fleet[2].log().text()), fleet[2].counter("log_lines_lost"));
        let status = fleet[1].control().status_of("vm2").unwrap();
        assert_eq!(status.map(|(status, _)| status), Some(MemberStatus::Alive));
        assert_none_failed_but(&mut followers, &accused);
    });
}
