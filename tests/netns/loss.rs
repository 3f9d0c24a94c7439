//! A network that loses 10 and 30 percent of all frames. Live members do not fail, and crashes are
//! noticed in time.

use memberd_tests::trials::loss;
use memberd_tests::{Fleet, Network, size};

const MEMBERS: u8 = 20;

/// How many live members are reported failed, at rest for a while and then in rounds of crashes.
fn false_failures_at(percent: u8) -> Option<usize> {
    let mut fleet = Fleet::within(Network::if_possible(MEMBERS)?, MEMBERS);
    fleet.form();
    let watched = loss::watch(&fleet, percent, size::span(30));
    fleet.wait_until_whole();
    let crashes = loss::crash_rounds(&mut fleet, percent, size::rounds(4) / 2);
    crashes.assert_in_time();
    Some(watched.false_failures + crashes.false_failures)
}

/// Nobody who is alive is listed as failed, and crashes are noticed in time.
#[test]
fn at_10_percent_loss_crashes_are_noticed_and_nobody_fails() {
    let wrong = false_failures_at(10);
    assert!(wrong.is_none_or(|wrong| wrong == 0), "{wrong:?} live members were reported failed");
}

/// Hardly anybody who is alive is listed as failed, and crashes are noticed in time.
#[test]
fn at_30_percent_loss_crashes_are_noticed() {
    let Some(wrong) = false_failures_at(30) else { return };
    println!("{wrong} live members were reported failed at 30 % loss");
    // In the simulator a hundred members have none in an hour. One is allowed for a machine that
    // cannot keep up.
    assert!(wrong <= 1, "{wrong} live members were reported failed");
}
