//! The promises in time: how soon after a crash of the leader there is another, how short a planned
//! hand-over is, and that nothing is written at rest.

#![cfg(test)]
#![allow(clippy::cast_precision_loss, reason = "a test's numbers are small")]

mod world;

use std::time::Duration;
use world::environment::seeds;
use world::faults::Fault;
use world::measure::{cost_at_rest, fleet, hand_over, leader_ends};

const NAMED: Duration = Duration::from_millis(2_000);
/// The same where the machine of the leader stays up, and says so.
const NAMED_AFTER_KILL: Duration = Duration::from_millis(300);
const EXCLUSIVE: Duration = Duration::from_millis(3_200);
const HAND_OVER: Duration = Duration::from_millis(50);

#[test]
fn a_crashed_leader_is_replaced_in_time() {
    for size in [3, 5, 10] {
        let rest = fleet(size, size, size as u64);
        for seed in seeds(0..40) {
            let (named, exclusive) = leader_ends(&rest, seed, Fault::Crash);
            assert!(named <= NAMED, "{size} members, seed {seed}: named after {named:?}");
            assert!(exclusive <= EXCLUSIVE, "{size} members, seed {seed}: after {exclusive:?}");
        }
    }
}

/// The kernel closes its connections and refuses new ones, which is noticed long before the ring
/// misses its heartbeats. The lease is the same.
#[test]
fn a_killed_leader_is_replaced_before_the_ring_knows() {
    for size in [3, 5, 10] {
        let rest = fleet(size, size, size as u64);
        for seed in seeds(0..40) {
            let (named, exclusive) = leader_ends(&rest, seed, Fault::Kill);
            assert!(named <= NAMED_AFTER_KILL, "{size} members, seed {seed}: after {named:?}");
            assert!(exclusive <= EXCLUSIVE, "{size} members, seed {seed}: after {exclusive:?}");
        }
    }
}

#[test]
fn a_planned_hand_over_takes_no_lease() {
    let rest = fleet(5, 5, 1);
    for seed in seeds(0..20) {
        let gap = hand_over(&rest, seed);
        assert!(gap < HAND_OVER, "seed {seed}: {gap:?}");
    }
}

/// The leader asks 8 voters each 750 ms, each answers, and others have nothing to do.
#[test]
fn at_rest_only_leases_are_renewed_and_nothing_is_written() {
    let cost = cost_at_rest(&fleet(12, 12, 1));
    assert_eq!(cost.writes, 0);
    assert!(cost.leader <= 8.0 / 0.75 * 1.05, "the leader sends {:.1} a second", cost.leader);
    assert!(cost.voter <= 1.0 / 0.75 * 1.05, "a voter sends {:.2} a second", cost.voter);
    assert!(cost.other < 0.05, "others send {:.2} a second", cost.other);
}
