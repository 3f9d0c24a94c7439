//! A network that is split in halves for 20 s.

use memberd_tests::trials::split;
use memberd_tests::{Fleet, Network};
use std::time::Duration;

/// How soon after the heal every list is whole again.
const WHOLE: Duration = Duration::from_secs(5);

/// Nobody comes back under an older incarnation.
#[test]
fn a_split_in_halves_heals_by_itself() {
    let Some(network) = Network::if_possible(20) else { return };
    let mut fleet = Fleet::within(network, 20);
    fleet.form();
    let healed = split::halves(&fleet, Duration::from_secs(20));
    assert!(healed.whole <= WHOLE, "every list was whole only {:?} after the heal", healed.whole);
    assert!(
        healed.renewed <= 10,
        "{} members took new incarnations, more than one half",
        healed.renewed
    );
    let mut followers = fleet.follow();
    // Longer than two failure timeouts, so that every consequence of the split is seen.
    fleet.assert_quiet_for(&mut followers, Duration::from_secs(4), &[]);
    fleet.wait_until_whole();
}
