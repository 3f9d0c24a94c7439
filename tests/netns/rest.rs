//! What a large fleet costs each of its machines while nothing happens.

use crate::size;
use memberd_tests::trials::rest;
use memberd_tests::{Fleet, Network};

#[test]
fn a_member_at_rest_takes_few_datagrams_little_time_and_little_memory() {
    let members = size::members_at_rest();
    let Some(network) = Network::if_possible(members) else { return };
    let mut fleet = Fleet::within(network, members);
    fleet.form();
    let rest = rest::rest(&fleet, size::span());
    println!("{rest:?}");
    assert!(rest.datagrams <= 7.0, "{rest:?}");
    assert!(rest.processor <= 0.003, "{rest:?}");
    assert!(rest.peak_kib <= 8 * 1024, "{rest:?}");
}
