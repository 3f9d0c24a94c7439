//! A machine whose network interface goes down and up, or gets another address, while its daemon
//! keeps running.

use memberd_tests::control::incarnation;
use memberd_tests::wait::{IN_SOME_LIST, SOON, holds};
use memberd_tests::{Fleet, Followers, Network, wait_until};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Longer than two failure timeouts, so that every consequence of a fault is seen.
const WATCHED: Duration = Duration::from_secs(5);

/// How soon after the network is back its machine is in every list again.
const BACK: Duration = Duration::from_secs(10);

/// The machine.
const CHANGED: usize = 5;

fn fleet() -> Option<Fleet> {
    let mut fleet = Fleet::within(Network::if_possible(8)?, 8);
    fleet.form();
    Some(fleet)
}

/// The lists of all but the changed machine.
fn followers(fleet: &Fleet) -> Followers {
    let others = fleet.daemons().iter().filter(|daemon| daemon.name() != fleet[CHANGED].name());
    Followers::of(others.map(|daemon| (daemon.name(), daemon.control())))
}

/// Breaks something, and asserts that the machine fails in time and nobody else does.
fn assert_failed_in_time(fleet: &Fleet, followers: &mut Followers, break_it: &str) -> String {
    let lost = fleet.id(CHANGED);
    let broken = Instant::now();
    fleet.network().ip(CHANGED, break_it);
    followers.assert_crash_noticed(&lost, broken, &[]);
    fleet.assert_quiet_for(followers, WATCHED, &[&lost]);
    fleet[CHANGED].wait_until_logged("cannot send datagrams");
    lost
}

/// Mends it, and asserts that all lists are whole soon. The machine then has a larger incarnation,
/// and all others have the same.
fn assert_back_by_itself(fleet: &Fleet, followers: &mut Followers, lost: &str, mend: &str) {
    let mended = Instant::now();
    fleet.network().ip(CHANGED, mend);
    let ids = fleet.wait_until_whole_within(BACK);
    println!("in every list again {:.2?} later", mended.elapsed());
    let back = ids.iter().find(|id| id.starts_with("vm5@")).unwrap();
    assert!(incarnation(back) > incarnation(lost), "{back} after {lost}");
    fleet.assert_quiet_for(followers, IN_SOME_LIST, &[lost]);
}

/// It fails in time, and it comes back by itself when the interface is up.
#[test]
fn a_machine_whose_interface_goes_down_fails_and_returns() {
    let Some(fleet) = fleet() else { return };
    let mut followers = followers(&fleet);
    let lost = assert_failed_in_time(&fleet, &mut followers, "link set eth0 down");
    assert_back_by_itself(&fleet, &mut followers, &lost, "link set eth0 up");
}

/// It fails in time, and it comes back by itself when it has the address again.
#[test]
fn a_machine_that_loses_its_address_fails_and_returns() {
    let Some(fleet) = fleet() else { return };
    let mut followers = followers(&fleet);
    let lost =
        assert_failed_in_time(&fleet, &mut followers, "address delete 10.88.0.5/24 dev eth0");
    assert_back_by_itself(&fleet, &mut followers, &lost, "address add 10.88.0.5/24 dev eth0");
}

/// OPERATIONS.md describes a machine that moved. Its daemon reports it, and becomes a member under
/// the new address once the settings have it.
#[test]
fn a_machine_with_a_new_address_joins_once_it_is_set() {
    let Some(mut fleet) = fleet() else { return };
    let mut followers = followers(&fleet);
    let change = "address delete 10.88.0.5/24 dev eth0\naddress add 10.88.0.55/24 dev eth0\n";
    let lost = assert_failed_in_time(&fleet, &mut followers, change);
    fleet[CHANGED].wait_until_logged("10.88.0.5 is no longer an address of this machine");
    let warnings = fleet[CHANGED].control().status().unwrap().warnings;
    assert!(
        warnings.iter().any(|warning| warning.contains("10.88.0.5 is no longer an address of")),
        "{warnings:?}"
    );

    fleet[CHANGED].signal(nix::sys::signal::Signal::SIGTERM);
    fleet[CHANGED].wait_for_end(SOON);
    fleet[CHANGED].settings.address =
        SocketAddr::new("10.88.0.55".parse().unwrap(), fleet[CHANGED].settings.address.port());
    fleet[CHANGED].start();
    let joined = fleet[CHANGED].ctl(&["join"]);
    assert!(joined.status.success(), "{joined:?}");
    let ids = fleet.wait_until_whole();
    let back = ids
        .iter()
        .find(|id| id.starts_with("vm5@10.88.0.55:"))
        .unwrap_or_else(|| panic!("{ids:?}"));
    assert!(incarnation(back) > incarnation(&lost), "{back} after {lost}");
    wait_until("vm5 is in every list once", SOON, || {
        let all = fleet[1].control().list(true).map_err(|error| error.to_string())?;
        let entries = all.iter().filter(|member| member.name == "vm5").count();
        holds(entries == 1, || format!("{all:?}"))
    });
    followers.assert_none_failed_but(&[&lost]);
}
