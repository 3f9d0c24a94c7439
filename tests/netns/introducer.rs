//! The introducer is gone for a while. Only joins depend on it.

use memberd_tests::trials::introducer;
use memberd_tests::{Fleet, Network};

/// The lists are whole when the introducer is back.
#[test]
fn a_group_goes_on_without_its_introducer() {
    let Some(network) = Network::if_possible(11) else { return };
    let mut fleet = Fleet::within(network, 10);
    fleet.form();
    let absence = introducer::absence(&mut fleet, |fleet| {
        let mut followers = fleet.follow();
        let crash = fleet.crash(&[2]).remove(0);
        followers.assert_crash_noticed(&crash.id, crash.at, &["vm2"]);

        fleet.add().start();
        let output = fleet[11].ctl(&["join"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(&fleet[1].settings.address.to_string()), "{said}");
        fleet[11].kill();
        assert_eq!(fleet.wait_until_whole().len(), 8);
    });
    absence.noticed.assert_in_time();

    fleet[11].start();
    let output = fleet[11].ctl(&["join"]);
    assert!(output.status.success(), "{output:?}");
    fleet.restart(&[2]);
    assert_eq!(fleet.wait_until_whole().len(), 11);
}
