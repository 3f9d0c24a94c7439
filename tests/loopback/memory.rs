//! What a daemon at rest takes. And no memory is left: the kernel kills the daemon.

use memberd_tests::control::incarnation;
use memberd_tests::memory::Scarce;
use memberd_tests::proc;
use memberd_tests::wait::SOON;
use memberd_tests::{Daemon, Fleet, wait_until};
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// Longer than two failure timeouts, so that every consequence of a fault is seen.
const WATCHED: Duration = Duration::from_secs(4);

/// The bytes of memory for the daemon and for what runs beside it.
const MEMORY: u64 = 48 << 20;

/// Something beside the daemon takes all memory. Returns a moment just before the daemon was
/// killed.
fn run_out_of_memory(daemon: &mut Daemon, scarce: &Scarce) -> Instant {
    scarce.take_first(daemon.pid());
    let mut glutton = scarce.start_glutton();
    let mut alive = Instant::now();
    wait_until("the kernel kills the daemon", SOON, || {
        let look = Instant::now();
        if daemon.ended().is_some() {
            return Ok(());
        }
        alive = look;
        Err("it runs on".to_owned())
    });
    let ended = daemon.wait_for_end(SOON);
    assert_eq!(ended.signal(), Some(Signal::SIGKILL as i32), "{ended}");
    assert_eq!(
        glutton.wait(SOON).signal(),
        Some(Signal::SIGKILL as i32),
        "there was no more memory for that either"
    );
    assert_eq!(scarce.killed(), 2, "by the kernel, for want of memory");
    alive
}

/// The others list it as failed in time. It comes back with the state that it had on disk.
#[test]
fn a_daemon_killed_for_want_of_memory_fails_and_returns() {
    let Some(scarce) = Scarce::if_possible(MEMORY) else { return };
    let mut fleet = Fleet::start_with(5, |daemon| daemon.set_keys("a"));
    fleet.wait_until_remembered();
    let mut followers = fleet.follow();
    let before = fleet.wait_until_whole();
    let lost = fleet.id(3);
    let at = run_out_of_memory(&mut fleet[3], &scarce);
    followers.assert_crash_noticed(&lost, at, &["vm3"]);
    fleet.assert_quiet_for(&mut followers, WATCHED, &[&lost]);

    // It rejoins without a command.
    fleet.restart(&[3]);
    let after = fleet.wait_until_whole();
    let (old, new): (Vec<&String>, Vec<&String>) = after.iter().partition(|id| before.contains(id));
    assert_eq!(old.len(), 4, "all others kept their incarnations: {before:?}, {after:?}");
    assert!(incarnation(new[0]) > incarnation(&lost), "{} after {lost}", new[0]);
    let log = fleet[3].log().text();
    assert!(!log.contains("damaged") && !log.contains(" ERROR "), "{log}");
    followers.assert_none_failed_but(&[&lost]);
}

/// What only the start has used is given back: `memory.rs` of the daemon.
#[test]
fn a_daemon_at_rest_keeps_less_than_its_start_took() {
    let fleet = Fleet::start(2);
    fleet.wait_until_whole();
    wait_until("each daemon gives back what its start used", SOON, || {
        let sizes = [1, 2].map(|index| {
            let pid = fleet[index].pid();
            (proc::memory(pid).resident_kib, proc::peak_resident_kib(pid))
        });
        if sizes.iter().all(|(now, peak)| now * 10 < peak * 8) {
            return Ok(());
        }
        Err(format!("resident now, and at most, in KiB: {sizes:?}"))
    });
}
