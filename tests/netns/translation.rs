//! A machine whose address is translated on the way: others reach it at one that it does not have.

use memberd_tests::{Fleet, Network};
use std::net::IpAddr;

/// The machine behind the translation.
const INSIDE: usize = 3;
/// The address that its daemon binds.
const BOUND: &str = "10.99.0.3";

/// Gives the machine the bound address. A translation, one to one, stands before it: what comes for
/// its public address goes to the bound one, and what leaves from there seems to come from the
/// public one.
fn translate(network: &Network, public: IpAddr) {
    network.ip(INSIDE, &format!("address add {BOUND}/32 dev lo"));
    network.nft(
        INSIDE,
        &format!(
            "table ip translation {{\n\
             chain in {{ type nat hook prerouting priority dstnat;\n\
             ip daddr {public} dnat to {BOUND}; }}\n\
             chain out {{ type nat hook postrouting priority srcnat;\n\
             ip saddr {BOUND} oifname eth0 snat to {public}; }}\n\
             }}\n"
        ),
    );
}

/// It joins, is searched, searches, and its crash is noticed, as with any other.
#[test]
fn a_member_behind_address_translation_is_like_any_other() {
    let Some(network) = Network::if_possible(4) else { return };
    let mut fleet = Fleet::within(network, 4);
    let public = fleet[INSIDE].settings.address;
    translate(fleet.network(), public.ip());
    fleet[INSIDE].settings.bind = Some(BOUND.parse().unwrap());
    for daemon in fleet.daemons_mut() {
        daemon.set_keys("a");
    }
    fleet.form();
    let ids = fleet.wait_until_whole();
    assert!(ids.iter().any(|id| id.contains(&public.to_string())), "{ids:?}");
    for number in [1, INSIDE] {
        let output = fleet[number].ctl(&["grep", "-c", "memberd starting"]);
        let counts = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(counts.lines().count(), 4, "{output:?}");
        assert!(output.status.success(), "{output:?}");
    }
    let followers = &mut fleet.follow();
    let crash = fleet.crash(&[INSIDE]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm3"]);
    fleet.restart(&[INSIDE]);
    assert_eq!(fleet.wait_until_whole().len(), 4);
}
