//! Four crashes at once, of ring neighbours and of random members in turn, within the promised
//! bounds.

use memberd_tests::trials::crashes;
use memberd_tests::{Fleet, Network, size};

fn rounds_of_four_crashes_are_noticed_in_time(members: u8) {
    let Some(network) = Network::if_possible(members) else { return };
    let mut fleet = Fleet::within(network, members);
    fleet.form();
    let crashes = crashes::rounds(&mut fleet, size::rounds(4));
    crashes.assert_in_time();
    assert_eq!(crashes.false_failures, 0, "live members were reported failed");
}

#[test]
fn four_of_ten_that_crash_at_once_are_noticed_in_time() {
    rounds_of_four_crashes_are_noticed_in_time(10);
}

#[test]
fn four_of_fifty_that_crash_at_once_are_noticed_in_time() {
    rounds_of_four_crashes_are_noticed_in_time(50);
}
