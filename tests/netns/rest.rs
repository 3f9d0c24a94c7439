//! What a large fleet costs each of its machines while nothing happens.

use memberd_tests::trials::rest;
use memberd_tests::{Fleet, Network, size};

/// The most memory that may be resident, in KiB. Most of it is the program itself, which is five
/// times as large without optimisation.
const MOST_KIB: u64 = if cfg!(debug_assertions) { 40 * 1_024 } else { 8 * 1_024 };

/// The most of a processor's time that a member may take.
const MOST_TIME: f64 = if cfg!(debug_assertions) { 0.005 } else { 0.003 };

/// It also sends few datagrams.
#[test]
fn a_member_at_rest_takes_little_time_and_memory() {
    let members = size::members_at_rest(30);
    let Some(network) = Network::if_possible(members) else { return };
    let mut fleet = Fleet::within(network, members);
    fleet.form();
    rest::calm();
    let rest = rest::cost(&fleet, size::span(30));
    assert!(rest.datagrams <= 7.0, "{rest:?}");
    assert!(rest.processor <= MOST_TIME, "{rest:?}");
    assert!(rest.peak_kib <= MOST_KIB, "{rest:?}");
}
