//! A fleet whose detector is SWIM, and one that is changed to it and back by a restart of all.

use memberd_control::message::MemberStatus;
use memberd_tests::fleet::Crash;
use memberd_tests::wait::{KILLED, SOON, holds, wait_exactly};
use memberd_tests::{Fleet, Followers, Network, Settings, wait_until};
use nix::sys::signal::Signal;
use std::thread;
use std::time::{Duration, Instant};

const MEMBERS: u8 = 10;
const SWIM: &str = "detector = \"swim\"";

/// The longest pause between two tries to join, and the time for the last one.
const TRIED_AGAIN: Duration = Duration::from_secs(12);

/// What SWIM promises of a crash: some list, and every list.
const PROMISED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(15));

/// Longer than the ring's timeout. SWIM leaves a member that long, and two seconds more.
const STANDS_STILL: Duration = Duration::from_secs(3);

/// A fleet with these settings. There is none without network namespaces.
fn fleet(set: impl Fn(&mut Settings)) -> Option<Fleet> {
    let mut fleet = Fleet::within(Network::if_possible(MEMBERS)?, MEMBERS);
    fleet.daemons_mut().iter_mut().for_each(|daemon| set(&mut daemon.settings));
    fleet.form();
    Some(fleet)
}

/// The settings change on all machines. Nobody takes them in before its restart.
fn configure(fleet: &mut Fleet, lines: &[&'static str]) {
    for daemon in fleet.daemons_mut() {
        daemon.settings.group = lines.to_vec();
        daemon.write_settings();
        daemon.reload();
    }
}

/// Stops these as systemd does, and starts them again.
fn restart(fleet: &mut Fleet, numbers: &[usize]) {
    for number in numbers {
        fleet[*number].signal(Signal::SIGTERM);
    }
    for number in numbers {
        fleet[*number].wait_for_end(KILLED);
        fleet[*number].launch_as_configured();
    }
    numbers.iter().for_each(|number| fleet[*number].wait_until_it_answers());
}

/// All lists are whole soon after the last restart, which is now.
fn assert_soon_whole(fleet: &Fleet) {
    let restarted = Instant::now();
    fleet.wait_until_whole_within(TRIED_AGAIN);
    eprintln!("all lists are whole {:?} after the last restart", restarted.elapsed());
}

/// Nobody noticed a failure. A member that leaves while others are back already may have missed
/// their leave, and says that they were restarted.
fn assert_nobody_was_missed(fleet: &Fleet) {
    for daemon in fleet.daemons() {
        let noticed = daemon.log().changes().into_iter().find(|line| line.noticed_by.is_some());
        assert_eq!(noticed, None, "{}", daemon.name());
    }
}

/// Each leaves and joins, so nobody is reported failed.
#[test]
fn a_fleet_changes_its_detector_and_back_at_once() {
    let Some(mut fleet) = fleet(|settings| settings.join_on_start = true) else { return };
    let all: Vec<usize> = (1..=MEMBERS.into()).collect();
    for lines in [&[SWIM][..], &[]] {
        configure(&mut fleet, lines);
        fleet[2].wait_until_logged("a changed setting needs a restart to take effect");
        restart(&mut fleet, &all);
        assert_soon_whole(&fleet);
    }
    assert_nobody_was_missed(&fleet);
}

/// The new settings come to one machine after the other, and to the introducer last. Whoever has
/// them is refused until then, and says why.
#[test]
fn machines_with_a_new_detector_wait_for_the_introducer() {
    let Some(mut fleet) = fleet(|settings| settings.join_on_start = true) else { return };
    configure(&mut fleet, &[SWIM]);
    for number in (2..=MEMBERS.into()).rev() {
        restart(&mut fleet, &[number]);
        let why = "detector is swim here and ring in the group: they must agree";
        wait_until("it is refused", SOON, || {
            let status = fleet[number].control().status().map_err(|error| error.to_string())?;
            let warned = status.warnings.iter().any(|warning| warning.contains(why));
            holds(warned, || format!("{} warns of {:?}", status.phase, status.warnings))
        });
        let list = fleet[1].control().alive().unwrap();
        assert!(!list.iter().any(|id| id.starts_with(&format!("vm{number}@"))), "{list:?}");
    }
    restart(&mut fleet, &[1]);
    assert_soon_whole(&fleet);
    assert_nobody_was_missed(&fleet);
}

/// Asserts that a crash comes into the lists of so many as promised, and prints how soon.
fn assert_noticed(followers: &mut Followers, crash: &Crash, survivors: usize) {
    let times = wait_exactly("the crash is in every list", PROMISED.1, || {
        let failed = |id: &str, status| id == crash.id && status == MemberStatus::Failed;
        let seen = followers.seen().iter().filter(|seen| failed(&seen.id, seen.status));
        let times: Vec<Duration> = seen.map(|seen| seen.at - crash.at).collect();
        holds(times.len() >= survivors, || format!("in {} of {survivors}", times.len()))?;
        Ok(times)
    });
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    eprintln!("{} is in the first list after {first:?}, in every one after {last:?}", crash.name);
    assert!(*first <= PROMISED.0 && *last <= PROMISED.1, "{first:?} {last:?}");
}

#[test]
fn swim_notices_three_crashes_in_time_and_forgives_a_pause() {
    let Some(mut fleet) = fleet(|settings| settings.group = vec![SWIM]) else { return };
    let mut followers = fleet.follow();
    fleet[4].signal(Signal::SIGSTOP);
    let crashes = fleet.crash(&[2, 5, 8]);
    thread::sleep(STANDS_STILL);
    fleet[4].signal(Signal::SIGCONT);
    for crash in &crashes {
        assert_noticed(&mut followers, crash, fleet.running_numbers().len());
    }
    let ids: Vec<&str> = crashes.iter().map(|crash| crash.id.as_str()).collect();
    followers.assert_none_failed_but(&ids);
}
