//! Connections to a leader that are closed and refused: by a machine whose process ended, and by a
//! firewall. What one voter sees alone changes nothing, and is not asked about without end.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use world::environment::seeds;
use world::faults::Fault;
use world::measure::fleet;
use world::{SECOND, World, ms};

/// How many messages a voter sends at most that was refused: its one question to the four others,
/// repeated each 50 ms for 400 ms.
const ASKS: u64 = 4 * 9;

/// How often it asks the leader for a newer view within two leases.
const FETCHES: u64 = 3;

fn term(world: &World) -> u64 {
    world.invariants.newest().unwrap().term.0
}

/// The others hear the leader, and say no.
#[test]
fn a_refusal_between_two_unseats_nobody() {
    let rest = fleet(5, 5, 1);
    for seed in seeds(0..20) {
        let mut world = rest.clone();
        world.reseed(seed);
        let (leader, before) = (world.leader().unwrap(), term(&world));
        let voter = (leader + 1 + seed as usize % 4) % 5;
        let sent = world.machines[voter].sent;
        world.act(Fault::Reject(leader, voter));
        world.run_for(SECOND + ms(500));
        let asked = world.machines[voter].sent - sent;
        assert!(asked <= ASKS, "seed {seed}: {asked} messages");
        // Then it waits for two leases, as ever when it hears nothing.
        world.run_for(3 * SECOND);
        let asked_later = world.machines[voter].sent - sent - asked;
        assert!(asked_later <= FETCHES, "seed {seed}: {asked_later} messages");
        world.run_for(6 * SECOND);
        world.expect_sound();
        assert_eq!((world.leader(), term(&world)), (Some(leader), before), "seed {seed}");
        assert_eq!(world.exclusive().len(), 1, "seed {seed}");
    }
}

/// A majority that a firewall keeps from the leader elects another one, as after its crash.
#[test]
fn a_leader_that_is_refused_to_a_majority_is_replaced() {
    let rest = fleet(5, 5, 1);
    for seed in seeds(0..20) {
        let mut world = rest.clone();
        world.reseed(seed);
        let (leader, before) = (world.leader().unwrap(), term(&world));
        for voter in (0..5).filter(|i| *i != leader) {
            world.act(Fault::Reject(leader, voter));
        }
        world.must(ms(500), "another leader", |world| term(world) > before);
        world.run_for(6 * SECOND);
        world.act(Fault::Heal);
        world.must(20 * SECOND, "one exclusive leader of all", |world| {
            world.exclusive().len() == 1 && world.is_whole() && world.agree()
        });
        world.expect_sound();
    }
}

/// A voter that is restarted quickly is missed by nobody. A leader is replaced or stands again.
#[test]
fn a_quick_restart_is_harmless() {
    let rest = fleet(5, 5, 1);
    for seed in seeds(0..20) {
        for (leads, back) in [(false, 10), (false, 300), (true, 10), (true, 300)] {
            let mut world = rest.clone();
            world.reseed(seed);
            let (leader, before) = (world.leader().unwrap(), term(&world));
            let restarted = if leads { leader } else { (leader + 1) % 5 };
            world.act(Fault::Kill(restarted));
            world.run_for(ms(back));
            world.act(Fault::Start(restarted));
            world.must(5 * SECOND, "an exclusive leader", |world| {
                !world.exclusive().is_empty() && (!leads || term(world) > before)
            });
            world.must(4 * SECOND, "a view of all", |world| world.is_whole() && world.agree());
            world.expect_sound();
            assert_eq!(term(&world) > before, leads, "seed {seed}, back after {back} ms");
        }
    }
}
