//! The state on disk is whole after a crash at any moment. The daemon notices damage and survives
//! it.

use memberd_control::message::MemberStatus;
use memberd_tests::chance::Chance;
use memberd_tests::control::incarnation;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, size, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// A change to a file's bytes.
type Damage = fn(&[u8]) -> Vec<u8>;

/// A little less than the time for which a daemon gathers changes. It writes them 485 to 500 ms
/// after it has written the join.
const NEARLY_GATHERED: Duration = Duration::from_millis(470);

/// It also has everything that was acknowledged.
#[test]
fn the_state_is_whole_when_a_daemon_is_killed_at_any_moment() {
    let mut fleet = Fleet::idle(2);
    fleet[1].control().join().unwrap();
    let mut followers = fleet.follow();
    let mut chance = Chance::new(size::seed());
    let mut used = BTreeSet::new();
    for crash in 0..size::kills(60) {
        let (leaves, is_acknowledged, gathered) =
            (crash % 2 == 1, crash % 4 > 1, matches!(crash % 20, 16 | 17));
        if gathered {
            wait_until_gathered(&fleet[2]);
        }
        // These may succeed or not. The daemon is killed while they run, or as soon as it has
        // confirmed them.
        let control = fleet[2].control();
        let asking = thread::spawn(move || {
            (control.join().ok(), if leaves { control.leave().ok() } else { None })
        });
        let (start, moment) =
            (Instant::now(), Duration::from_micros(u64::try_from(chance.below(40_000)).unwrap()));
        wait_until("the moment has come", stretched(SOON), || {
            let come =
                if is_acknowledged { asking.is_finished() } else { start.elapsed() >= moment };
            holds(come, || format!("{moment:?}"))
        });
        fleet[2].kill();
        let (joined, left) = asking.join().unwrap();
        assert!(
            !is_acknowledged || (joined.is_some() && left.is_some() == leaves),
            "{joined:?} {left:?}"
        );
        fleet[2].start();
        if left.is_some() {
            let status = fleet[2].control().status().unwrap();
            // A warning would say that it tries to come back.
            assert_eq!(
                (status.phase.as_str(), status.warnings),
                ("out", vec![]),
                "after kill {crash}, having left"
            );
        } else if let Some(before) = joined.filter(|_| !leaves) {
            let again = wait_until_member(&fleet[2]);
            assert!(
                incarnation(&again) > incarnation(&before),
                "after kill {crash} {before} came back as {again}"
            );
        }
        if let Some(id) = fleet[2].control().status().unwrap().id {
            used.insert(incarnation(&id));
        }
        let log = fleet[2].log().text();
        assert!(!log.contains("damaged") && !log.contains(" ERROR "), "after kill {crash}: {log}");
    }
    fleet[2].control().join().unwrap();
    let last = incarnation(&fleet.id(2));
    assert!(used.iter().all(|earlier| *earlier <= last), "{last} is not the largest of {used:?}");

    // vm1 saw each incarnation join once, in growing order.
    fleet.wait_until_whole();
    let seen: Vec<u64> = followers
        .seen()
        .iter()
        .filter(|seen| {
            seen.observer == "vm1"
                && seen.status == MemberStatus::Alive
                && seen.id.starts_with("vm2@")
        })
        .map(|seen| incarnation(&seen.id))
        .collect();
    assert!(seen.len() > 1 && seen.is_sorted_by(|earlier, later| earlier < later), "{seen:?}");
}

/// Waits until a daemon of the group is about to write what has changed since it joined. It has
/// written the join itself at once.
fn wait_until_gathered(daemon: &Daemon) {
    daemon.control().join().unwrap();
    let written =
        fs::metadata(daemon.settings.state_dir.join("members.cbor")).unwrap().modified().unwrap();
    wait_until("changes have been gathered", SOON, || {
        let since = written.elapsed().unwrap();
        holds(since >= NEARLY_GATHERED, || format!("{since:?}"))
    });
}

/// Waits until a daemon is in the group, and returns its id there.
fn wait_until_member(daemon: &Daemon) -> String {
    wait_until("it is in the group", SOON, || {
        let status = daemon.control().status().map_err(|error| error.to_string())?;
        status.id.filter(|_| status.phase == "member").ok_or(status.phase)
    })
}

/// The daemon moves it aside and uses the generation before.
#[test]
fn a_damaged_state_is_reported_and_replaced() {
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
        // The copy is a file of its own. If the crash came during a write, the generation before is
        // still the same file.
        fs::remove_file(&file).unwrap();
        fs::write(&file, damage(&good)).unwrap();
        let warned = |text: &str| {
            text.lines().filter(|line| line.contains(" WARN ") && line.contains("damaged")).count()
        };
        let before = warned(&fleet[2].log().text());
        fleet[2].start();
        fleet.wait_until_whole();
        assert!(incarnation(&fleet.id(2)) > incarnation(&crash.id));
        let log = fleet[2].log().text();
        assert!(warned(&log) == before + 1 && log.contains(&file.display().to_string()), "{log}");
        fleet.wait_until_remembered();
    }
}

/// It gets a larger incarnation.
#[test]
fn a_machine_that_lost_its_state_joins_as_a_new_one() {
    let mut fleet = Fleet::start(2);
    fleet.wait_until_remembered();
    let crash = fleet.crash(&[2]).remove(0);
    for file in ["members.cbor", "members.cbor.previous"] {
        fs::write(fleet[2].settings.state_dir.join(file), "no state").unwrap();
    }
    fleet[2].start();
    assert_eq!(fleet[2].control().status().unwrap().phase, "out");
    let log = fleet[2].log().text();
    assert_eq!(
        log.lines().filter(|line| line.contains(" WARN ") && line.contains("damaged")).count(),
        2,
        "{log}"
    );
    let output = fleet[2].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    assert!(incarnation(&fleet.id(2)) > incarnation(&crash.id));
    fleet.wait_until_whole();
}
