//! Agreed views under an elected leader: fleets that lose it, parts of them that are a minority,
//! and what a fleet without them has of it: nothing.

use memberd_control::message::{RefusalKind, Request, ViewRequest};
use memberd_tests::agreement::NAMED;
use memberd_tests::control::{ControlError, reply};
use memberd_tests::disk::{self, Disk};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// The lease of the settings, and a bit for clocks that are read one after the other.
const LEASE: Duration = Duration::from_secs(3);

fn agreement_file(daemon: &Daemon) -> PathBuf {
    daemon.settings.state_dir.join("agreement.cbor")
}

#[test]
fn five_daemons_agree_on_one_view_and_one_leader() {
    let fleet = Fleet::agree(5);
    let view = fleet.wait_until_agreed();
    assert_eq!(view.members, ["vm1", "vm2", "vm3", "vm4", "vm5"]);
    let (leader, term) = fleet.led_by();
    assert_eq!(fleet.exclusive(), [leader]);
    for number in fleet.running_numbers() {
        let token = fleet[number].control().check_leader().unwrap();
        assert_eq!(token, (number == leader).then_some(term));
        let confirmed = fleet[number].control().confirmed_view().unwrap().record;
        assert!(confirmed.confirmed_by >= 3 && !confirmed.stale, "{confirmed:?}");
        fleet[number].wait_until_logged(" INFO leader elected ");
    }
    for number in fleet.running_numbers() {
        let page = fleet[number].ctl(&["metrics"]);
        let page = String::from_utf8(page.stdout).unwrap();
        let here = format!("\nmemberd_exclusive {}\n", u8::from(number == leader));
        assert!(page.contains(&here) && page.contains("\nmemberd_view_members 5\n"), "{page}");
        assert!(page.contains("\nmemberd_agreement_write_failures_total 0\n"), "{page}");
    }
    for words in [
        " INFO view installed number=",
        "confirmed_by=",
        " INFO operation pending ",
        " operation finished ",
    ] {
        fleet[leader].wait_until_logged(words);
    }
}

/// Nobody is exclusive before the lease of the killed one is over, and the token has grown.
#[test]
fn a_killed_leader_is_replaced_once_its_lease_is_over() {
    let mut fleet = Fleet::agree(5);
    let before = fleet.wait_until_agreed().record;
    let (leader, term) = fleet.led_by();
    let told = fleet[leader].control().check_leader().unwrap();
    assert_eq!(told, Some(term));
    let killed = fleet[leader].kill();
    let next = wait_until("another one is exclusive", SOON, || {
        let found = fleet.exclusive();
        holds(found.len() <= 1, || format!("{found:?} are exclusive"))?;
        found.first().copied().ok_or("nobody is".to_owned())
    });
    let after = killed.elapsed();
    let view = fleet.wait_until_agreed().record;
    assert!(next != leader && view.term > term && view.number > before.number);
    // The killed one was renewed at the most a quarter of a lease before, and then had 3/4.
    assert!(after > LEASE / 2, "{after:?}");
    fleet[next].wait_until_logged(&format!("operations=delete:vm{leader}"));
    fleet.restart(&[leader]);
    let back = fleet.wait_until_agreed().record;
    assert!(back.number > view.number && back.term == view.term, "its return elects nobody");
}

/// Its machine closes its connections and refuses new ones, which is noticed before the ring misses
/// its heartbeats. The list has it as alive then, and the view has it as a member.
#[test]
fn a_killed_leader_is_replaced_before_the_ring_knows() {
    let mut fleet = Fleet::agree_with(5, &[], |daemon| daemon.settings.level = "debug");
    let mut times = Vec::new();
    for _ in 0..3 {
        let (leader, term) = fleet.led_by();
        let killed = fleet[leader].kill();
        fleet.wait_until_named(term);
        times.push(killed.elapsed());
        fleet.restart(&[leader]);
        fleet.wait_until_agreed();
    }
    println!("the next leader was named after {times:?}");
    assert!(times.iter().all(|time| *time <= NAMED), "{times:?}");
    let noticed = |daemon: &Daemon| daemon.log().text().contains(" noticed=Refused");
    assert!(fleet.daemons().iter().any(noticed), "no link was refused");
}

#[test]
fn a_minority_says_stale_and_makes_no_view() {
    let mut fleet = Fleet::agree(5);
    let (leader, _) = fleet.led_by();
    let others: Vec<usize> =
        fleet.running_numbers().into_iter().filter(|number| *number != leader).collect();
    let (gone, left) = (&others[..3], [leader, others[3]]);
    fleet.crash(gone);
    for number in left {
        wait_until("it says that its view is stale", SOON, || {
            let view = fleet[number].control().confirmed_view().map_err(|e| e.to_string())?;
            holds(view.record.stale && fleet.exclusive().is_empty(), || format!("{view:?}"))
        });
    }
    let frozen = fleet[leader].control().view().unwrap().record;
    let checked = fleet[leader].control().check_leader();
    let Err(ControlError::Refused(refusal)) = checked else { panic!("{checked:?}") };
    assert_eq!(refusal.kind, RefusalKind::TimedOut, "{refusal:?}");
    assert!(refusal.message.starts_with("no majority of the council answered: "), "{refusal:?}");
    let status = fleet[leader].ctl(&["leader", "--check"]).status;
    assert_eq!(status.code(), Some(124));
    let warnings = fleet[leader].control().status().unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("is stale for ")), "{warnings:?}");
    // The list knows that they failed, and the view does not.
    wait_until("the list has two", SOON, || {
        let alive = fleet[leader].control().alive().map_err(|error| error.to_string())?;
        holds(alive.len() == 2, || format!("{alive:?}"))
    });
    for number in left {
        let view = fleet[number].control().view().unwrap();
        assert_eq!((view.record.number, view.members.len()), (frozen.number, 5));
    }
    fleet.restart(gone);
    let back = fleet.wait_until_agreed().record;
    assert!(back.number > frozen.number);
}

/// Has the leader hand over to the next machine, and returns how long that took. None if another
/// one was elected first, which a busy machine may do.
fn hand_over(fleet: &Fleet) -> Option<Duration> {
    let (leader, term) = fleet.led_by();
    let next = leader % 3 + 1;
    let refused = fleet[next].control().hand_over(None);
    let Err(ControlError::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.message, format!("vm{leader} leads: run it there"));
    let to = format!("vm{next}");
    let begun = Instant::now();
    let after = fleet[leader].control().hand_over(Some(&to)).unwrap();
    let took = begun.elapsed();
    assert!(after.term > term);
    if after.leader.as_deref() != Some(to.as_str()) {
        fleet.wait_until_agreed();
        return None;
    }
    wait_until("it is exclusive", SOON, || {
        holds(fleet.exclusive() == [next], || format!("{:?}", fleet.exclusive()))
    });
    fleet.wait_until_agreed();
    Some(took)
}

/// Nobody waits for a lease. A busy machine may take as long, but not each time.
#[test]
fn a_leader_hands_over_to_whom_it_is_told() {
    let fleet = Fleet::agree(3);
    let mut times: Vec<Option<Duration>> = Vec::new();
    while !times.iter().flatten().any(|took| *took < LEASE / 2) {
        assert!(times.len() < 5, "none took less than half a lease: {times:?}");
        times.push(hand_over(&fleet));
    }
}

/// A stop by plan leaves no lease to wait for, and a view without the machine. Two are left, and
/// then one. On a busy machine it may take longer than a stop waits, but not each time.
#[test]
fn a_leader_that_stops_is_out_of_the_view_before_it_is_gone() {
    let both_are_in_time = || {
        let mut fleet = Fleet::agree(3);
        stops_in_time(&mut fleet) && stops_in_time(&mut fleet)
    };
    assert!((0..5).any(|_| both_are_in_time()), "no view without the leader came in time");
}

/// Stops the leader. False if it said that no view without it came in time.
fn stops_in_time(fleet: &mut Fleet) -> bool {
    let (leader, term) = fleet.led_by();
    fleet[leader].signal(Signal::SIGTERM);
    assert!(fleet[leader].wait_for_end(SOON).success());
    let lines = fleet[leader].log().text();
    if lines.contains("no view without this machine came in time") {
        return false;
    }
    assert!(lines.contains(&format!("removed=vm{leader}")), "{lines}");
    assert!(fleet.wait_until_agreed().record.term > term);
    true
}

#[test]
fn views_survive_the_restart_of_everybody() {
    let mut fleet = Fleet::agree(3);
    fleet.wait_until_remembered();
    let before = fleet.wait_until_agreed().record;
    let all = fleet.running_numbers();
    fleet.crash(&all);
    fleet.restart(&all);
    let after = fleet.wait_until_agreed().record;
    assert!(after.number > before.number && after.term > before.term, "{before:?} {after:?}");
}

/// A voter whose file is damaged is a newcomer, and is seated by a view.
#[test]
fn a_damaged_file_makes_a_new_voter() {
    let mut fleet = Fleet::agree(3);
    let (leader, _) = fleet.led_by();
    let victim = leader % 3 + 1;
    fleet[victim].kill();
    let path = agreement_file(&fleet[victim]);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    fleet.restart(&[victim]);
    fleet.wait_until_agreed();
    fleet[victim].wait_until_logged("this machine is a new voter");
    assert!(path.with_extension("cbor.corrupt").exists());
}

#[test]
fn who_has_other_settings_is_refused_with_both_values() {
    let founders = ["vm1", "vm2"];
    let mut fleet = Fleet::new(4);
    fleet[1].settings.set_agreement(&founders, &[]);
    fleet[2].settings.set_agreement(&founders, &["lease = '2s'"]);
    fleet[3].settings.set_agreement(&["vm1", "vm3"], &[]);
    for number in 1..=4 {
        fleet[number].start();
    }
    fleet[1].control().join().unwrap();
    for (number, words) in [
        (2, "agreement.lease is 2s here and 3s in the group: they must agree"),
        (3, "agreement.initial_council is vm1, vm3 here and vm1, vm2 in the group"),
        (4, "agreement.enabled is false here and true in the group: they must agree"),
    ] {
        let refused = fleet[number].control().join().unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn the_founders_cannot_be_changed_later() {
    let mut fleet = Fleet::agree(1);
    fleet[1].kill();
    fleet[1].settings.set_agreement(&["vm1", "vm2"], &[]);
    fleet[1].launch();
    assert!(!fleet[1].wait_for_end(SOON).success());
    let words = fleet[1].stderr();
    assert!(words.contains("agreement.initial_council is not the one with which"), "{words}");
}

/// Nothing of it is there: no file, no thread, no request.
#[test]
fn a_fleet_without_agreed_views_has_nothing_of_them() {
    let fleet = Fleet::start(3);
    for daemon in fleet.daemons() {
        assert!(!agreement_file(daemon).exists());
        let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
        let names: BTreeSet<String> = tasks
            .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
            .collect();
        assert!(names.iter().all(|name| !name.starts_with("agreement")), "{names:?}");
        let request = Request::View(ViewRequest::default());
        let answer = reply(&mut daemon.control().ask(&request, Some(SOON)).unwrap());
        let Err(ControlError::Refused(refusal)) = answer else { panic!("{answer:?}") };
        assert!(refusal.message.starts_with("there are no agreed views here"), "{refusal:?}");
        assert!(!daemon.log().text().contains("agreed"));
    }
}

/// They say so, and their heartbeats go on. The others decide without them.
#[test]
fn members_with_full_disks_do_not_vote() {
    disk::with_own_mounts(|| {
        let mut fleet = Fleet::new(5);
        for daemon in fleet.daemons_mut() {
            daemon.settings.set_agreement(&["vm1", "vm2", "vm3"], &[]);
        }
        let disks = [2, 3].map(|number| Disk::mount(&fleet[number].settings.state_dir, 512));
        fleet.form();
        let before = fleet.wait_until_agreed().record;
        disks.iter().for_each(Disk::fill);
        let left = fleet[5].ctl(&["leave"]);
        assert!(left.status.success(), "{left:?}");
        for number in 1..=4 {
            wait_until("it has the view without the one that left", SOON, || {
                let view = fleet[number].control().view().map_err(|error| error.to_string())?;
                let done = view.record.number > before.number && view.members.len() == 4;
                holds(done, || format!("vm{number}: {view:?}"))
            });
        }
        for number in [2, 3] {
            wait_until("it warns", SOON, || {
                let warnings = fleet[number].control().status().unwrap().warnings;
                let warns =
                    warnings.iter().any(|one| one.contains("so this machine does not vote"));
                holds(warns, || format!("{warnings:?}"))
            });
        }
        fleet.assert_logs_accuse_none_but(&[]);
        disks.iter().for_each(Disk::free);
        fleet[5].kill();
        let after = fleet.wait_until_agreed().record;
        assert!(after.number > before.number);
        fleet[2].wait_until_logged("the agreement file is written again");
    });
}

/// Of all machines that ask, one runs it.
#[test]
fn a_key_is_claimed_by_one_machine() {
    let fleet = Fleet::agree(3);
    let script = "echo ran >> \"$0\"";
    let path = fleet[1].directory().join("ran");
    let path = path.to_str().unwrap();
    thread::scope(|scope| {
        for daemon in fleet.daemons() {
            scope.spawn(move || {
                daemon.ctl(&["run", "--once", "nightly", "--", "sh", "-c", script, path])
            });
        }
    });
    assert_eq!(fs::read_to_string(path).unwrap(), "ran\n");
}

/// Test case 4 of the requirement: the leader crashes at each step of the deletion of a member. Its
/// successor finishes it, whether it heard of it or not.
fn crash_at_step(step: u64) {
    let mut fleet = Fleet::agree_with(5, &[], |daemon| {
        if daemon.name() == "vm1" {
            daemon.environment = vec![("MEMBERD_TEST_ABORT_AT_STEP", step.to_string())];
        }
    });
    let (first, _) = fleet.led_by();
    if first != 1 {
        fleet[first].control().hand_over(Some("vm1")).unwrap();
        fleet.wait_until_agreed();
    }
    let (leader, term) = fleet.led_by();
    let victim = 5;
    fleet[victim].kill();
    wait_until(&format!("the leader has crashed at step {step}"), SOON, || {
        holds(fleet[leader].ended().is_some(), || "it runs".to_owned())
    });
    fleet[leader].wait_for_end(SOON);
    let rest: Vec<usize> = fleet.running_numbers();
    assert_eq!(rest.len(), 3);
    let view = fleet.wait_until_agreed();
    assert!(view.record.term > term);
    assert!(!view.members.contains(&format!("vm{victim}")), "step {step}: {view:?}");
    // Both come back to what was decided without them.
    fleet[leader].environment.clear();
    fleet.restart(&[leader, victim]);
    let back = fleet.wait_until_agreed();
    assert!(back.record.number > view.record.number, "step {step}: {back:?}");
}

/// It has asked nobody, or some of the council.
#[test]
fn what_a_leader_asked_some_for_is_finished() {
    (1..=3).for_each(crash_at_step);
}

/// It has asked all, and has written it itself, or not.
#[test]
fn what_a_leader_asked_all_for_is_finished() {
    (4..=6).for_each(crash_at_step);
}

/// It knows that it is decided, and has told nobody or some.
#[test]
fn what_a_leader_told_some_is_known_to_all() {
    (7..=9).for_each(crash_at_step);
}

/// It has told all, and has installed it, or not.
#[test]
fn what_a_leader_told_all_is_kept() {
    (10..=11).for_each(crash_at_step);
}
