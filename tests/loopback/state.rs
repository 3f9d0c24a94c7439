//! What is on disk: whole after a crash at any moment, and damage is noticed and survived.

use memberd_control::message::MemberStatus;
use memberd_tests::chance::Chance;
use memberd_tests::control::incarnation;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Fleet, size, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// What becomes of a file's bytes.
type Damage = fn(&[u8]) -> Vec<u8>;

#[test]
fn the_state_is_whole_and_incarnations_grow_when_a_daemon_is_killed_at_any_moment() {
    let mut fleet = Fleet::idle(2);
    fleet[1].control().join().unwrap();
    let mut followers = fleet.follow();
    let mut chance = Chance::new(size::seed());
    let mut used = BTreeSet::new();
    for crash in 0..size::kills(60) {
        let (control, leaves) = (fleet[2].control(), crash % 2 == 1);
        // Whatever becomes of these: the daemon is killed under them.
        let asking = thread::spawn(move || {
            let _ = control.join();
            if leaves {
                let _ = control.leave();
            }
        });
        let (start, moment) = (Instant::now(), Duration::from_micros(u64::try_from(chance.below(40_000)).unwrap()));
        wait_until("the moment has come", stretched(SOON), || holds(start.elapsed() >= moment, || format!("{moment:?}")));
        fleet[2].kill();
        asking.join().unwrap();
        fleet[2].start();
        if let Some(id) = fleet[2].control().status().unwrap().id {
            used.insert(incarnation(&id));
        }
        let log = fleet[2].log().text();
        assert!(!log.contains("damaged") && !log.contains(" ERROR "), "after kill {crash}: {log}");
    }
    fleet[2].control().join().unwrap();
    let last = incarnation(&fleet.id(2));
    assert!(used.iter().all(|earlier| *earlier <= last), "{last} is not the largest of {used:?}");

    // vm1 saw each life begin once, in growing order.
    fleet.wait_until_whole();
    let seen: Vec<u64> = followers
        .seen()
        .iter()
        .filter(|seen| seen.observer == "vm1" && seen.status == MemberStatus::Alive && seen.id.starts_with("vm2@"))
        .map(|seen| incarnation(&seen.id))
        .collect();
    assert!(seen.len() > 1 && seen.is_sorted_by(|earlier, later| earlier < later), "{seen:?}");
}

#[test]
fn a_damaged_state_is_told_moved_aside_and_made_good_by_the_one_before() {
    let garbage: [Damage; 4] = [
        |_| Vec::new(),
        |good| good[..good.len() / 2].to_vec(),
        |good| good.iter().map(|byte| byte ^ 0x55).collect(),
        |_| vec![0xff; 5 << 20],
    ];
    let mut fleet = Fleet::start(2);
    fleet.wait_until_remembered();
    for damage in garbage {
        let crash = fleet.crash(&[2]).remove(0);
        let file = fleet[2].settings.state_dir.join("members.cbor");
        let good = fs::read(&file).unwrap();
        // A file of its own: if the crash came in the midst of a write, the one before is the very same file still.
        fs::remove_file(&file).unwrap();
        fs::write(&file, damage(&good)).unwrap();
        let warned = |text: &str| text.lines().filter(|line| line.contains(" WARN ") && line.contains("damaged")).count();
        let before = warned(&fleet[2].log().text());
        fleet[2].start();
        fleet.wait_until_whole();
        assert!(incarnation(&fleet.id(2)) > incarnation(&crash.id));
        let log = fleet[2].log().text();
        assert!(warned(&log) == before + 1 && log.contains(&file.display().to_string()), "{log}");
        fleet.wait_until_remembered();
    }
}

#[test]
fn a_machine_that_lost_all_its_state_starts_as_a_new_one_and_is_let_in_with_a_larger_incarnation() {
    let mut fleet = Fleet::start(2);
    fleet.wait_until_remembered();
    let crash = fleet.crash(&[2]).remove(0);
    for file in ["members.cbor", "members.cbor.previous"] {
        fs::write(fleet[2].settings.state_dir.join(file), "no state").unwrap();
    }
    fleet[2].start();
    assert_eq!(fleet[2].control().status().unwrap().phase, "out");
    let log = fleet[2].log().text();
    assert_eq!(log.lines().filter(|line| line.contains(" WARN ") && line.contains("damaged")).count(), 2, "{log}");
    let output = fleet[2].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    assert!(incarnation(&fleet.id(2)) > incarnation(&crash.id));
    fleet.wait_until_whole();
}
