//! Links that fail while machines do not.

use memberd_tests::{Fleet, Network};
use std::time::Duration;

/// Longer than two failure timeouts, so that every consequence of a fault is seen.
const WATCHED: Duration = Duration::from_secs(5);

/// The links carry one way, or not at all.
#[test]
fn broken_links_between_neighbours_fail_nobody() {
    let Some(network) = Network::if_possible(8) else { return };
    let mut fleet = Fleet::within(network, 8);
    fleet.form();
    let before = fleet.wait_until_whole();
    let ring = fleet.ring();
    let mut followers = fleet.follow();
    fleet.network().cut_one_way(&ring[0..1], &ring[1..2]);
    fleet.network().cut(&ring[4..5], &ring[5..6]);
    fleet.assert_quiet_for(&mut followers, WATCHED, &[]);
    fleet.network().heal();
    assert_eq!(fleet.wait_until_whole(), before, "nobody has a new incarnation");
}

#[test]
fn a_deaf_machine_fails_nobody_in_the_lists_of_the_others() {
    let Some(network) = Network::if_possible(8) else { return };
    let mut fleet = Fleet::within(network, 8);
    fleet.form();
    let before = fleet.wait_until_whole();
    let others: Vec<usize> = (1..=8).filter(|number| *number != 5).collect();
    let observers = others.iter().map(|number| (fleet[*number].name(), fleet[*number].control()));
    let mut followers = memberd_tests::Followers::of(observers);
    fleet.network().cut_one_way(&others, &[5]);
    fleet.assert_quiet_for(&mut followers, WATCHED, &[]);
    fleet.network().heal();
    assert_eq!(fleet.wait_until_whole(), before, "nobody has a new incarnation");
    followers.assert_none_failed_but(&[]);
}

#[test]
fn a_machine_that_is_cut_off_is_failed_and_comes_back_by_itself() {
    let Some(network) = Network::if_possible(8) else { return };
    let mut fleet = Fleet::within(network, 8);
    fleet.form();
    let lost = fleet.id(5);
    let others: Vec<usize> = (1..=8).filter(|number| *number != 5).collect();
    let observers = others.iter().map(|number| (fleet[*number].name(), fleet[*number].control()));
    let mut followers = memberd_tests::Followers::of(observers);
    let cut = std::time::Instant::now();
    fleet.network().cut(&others, &[5]);
    followers.assert_crash_noticed(&lost, cut, &[]);
    fleet.assert_quiet_for(&mut followers, WATCHED, &[&lost]);
    fleet.network().heal();
    let after = fleet.wait_until_whole();
    assert!(!after.contains(&lost), "a failed incarnation came back");
    followers.assert_none_failed_but(&[&lost]);
}
