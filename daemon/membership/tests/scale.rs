//! Tests that a member's cost does not grow with the group, and that an update reaches a thousand
//! members as soon as ten.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use world::prelude::*;

#[test]
fn an_idle_member_sends_as_much_among_1000_as_among_10() {
    for size in [10, 100, 1_000] {
        let mut world = World::formed(size, 1, Settings::default());
        let (sent, bytes, woken) = (world.sent, world.sent_bytes, world.woken);
        world.run_for(30 * SECOND);
        let each_interval = |count: u64| count as f64 / size as f64 / (30.0 / 0.6);
        let (per_interval, wakes) =
            (each_interval(world.sent - sent), each_interval(world.woken - woken));
        println!("{size} members: woken {wakes:.2} times an interval");
        assert!(wakes <= 2.0, "{size} members: woken {wakes} times an interval");
        let on_the_wire = (world.sent_bytes - bytes) as f64 / (world.sent - sent) as f64 + 28.0;
        println!(
            "{size} members: {per_interval:.2} datagrams each an interval, {on_the_wire:.1} bytes \
            each"
        );
        assert!((per_interval - 4.0).abs() < 0.05, "{size} members: {per_interval}");
        assert!(on_the_wire < 65.0, "{size} members: {on_the_wire} bytes");
    }
}

/// Crashes four neighbours, or four distant members, of 1,000.
fn four_of_1000_crash(loss: f64, seed: u64) {
    let mut world = World::formed(1_000, seed, Settings::default());
    world.network.loss = loss;
    world.run_for(SECOND + ms(seed * 170));
    let ring = world.ring(0);
    let step = [1, 200][seed as usize % 2];
    let victims: Vec<usize> = (0..4).map(|i| ring[(100 + i * step) % 1_000]).collect();
    let crashed = world.now;
    for victim in &victims {
        world.crash(*victim);
    }
    world.run_for(3 * SECOND);
    let survivors = world.all_but(&victims);
    for victim in &victims {
        let noticed = world.noticed(*victim, crashed, &survivors);
        let (first, every) = noticed.unwrap_or_else(|| panic!("vm{victim} is not in every list"));
        println!(
            "{} % loss, seed {seed}: first list {first:?}, every list {every:?}",
            loss * 100.0
        );
        assert!(
            first <= 2 * SECOND && every - first <= ms(250),
            "vm{victim}: first list {first:?}, every list {every:?}"
        );
    }
    let falsely = world
        .failures_since(crashed)
        .into_iter()
        .find(|(.., failed)| !victims.iter().any(|victim| name(*victim) == *failed));
    assert_eq!(falsely, None);
}

/// The time counts from the first list.
#[test]
fn four_crashes_among_1000_are_in_every_list_in_250_ms() {
    seeds(1..4).for_each(|seed| four_of_1000_crash(0.0, seed));
}

/// They are in every list 250 ms after the first, at 10 percent loss.
#[test]
fn four_crashes_among_1000_spread_in_250_ms_under_loss() {
    seeds(1..4).for_each(|seed| four_of_1000_crash(0.1, seed));
}

/// Starts everybody but the introducers at the same moment.
fn join_at_once(size: usize, introducers: &[usize], seed: u64) {
    let mut world = World::new(size, seed);
    world.start(introducers[0], introducers);
    world.run_for(SECOND * 3);
    for introducer in &introducers[1..] {
        world.start(*introducer, introducers);
    }
    world.run_for(SECOND * 3);
    let began = world.now;
    for i in world.all_but(introducers) {
        world.start(i, introducers);
    }
    let sent = world.sent;
    let took = world.run_until_whole(&world.all_but(&[]), SECOND);
    let each = (world.sent - sent) / size as u64;
    println!(
        "{size} through {introducers:?}: every list whole after {took:?}, {each} datagrams each, \
        at most {} things at once",
        world.most_at_once
    );
    assert!(each <= 300, "{each} datagrams each");
    world.run_for(10 * SECOND);
    assert_eq!(world.failures_since(began), []);
    assert!(world.whole(&world.all_but(&[])));
    assert!(
        world.most_at_once <= 2 * size + 200,
        "{} datagrams and events after one input",
        world.most_at_once
    );
}

#[test]
fn three_hundred_join_at_once_through_one_introducer_within_1_s() {
    seeds(1..3).for_each(|seed| join_at_once(300, &[0], seed));
}

/// They join at once.
#[test]
fn three_hundred_join_through_three_introducers_within_1_s() {
    seeds(1..3).for_each(|seed| join_at_once(300, &[0, 1, 2], seed));
}

/// Restarts half of 300 members, one every 40 ms, each down for 300 ms.
fn rolling_restart(seed: u64, stop: impl Fn(&mut World, usize)) {
    let mut world = World::formed(300, seed, Settings::default());
    let start = world.now;
    let pause = ms(40);
    for round in 0..150 + 8 {
        if round < 150 {
            stop(&mut world, 2 * round);
        }
        if let Some(back) = round.checked_sub(8) {
            world.crash(2 * back);
            world.start_remembering(2 * back, &[1], &[3, 5, 7]);
        }
        world.run_for(pause);
    }
    let took = world.run_until_whole(&world.all_but(&[]), 3 * SECOND);
    println!("seed {seed}: every list whole {took:?} after the last was started");
    world.run_for(10 * SECOND);
    assert!(world.whole(&world.all_but(&[])));
    let restarted = |failed: &Name| failed.as_str()[2..].parse::<usize>().unwrap() % 2 == 0;
    let falsely = world.failures_since(start).into_iter().find(|(.., failed)| !restarted(failed));
    assert_eq!(falsely, None, "those that run on never fail");
    let gave_up = world.seen.iter().find(|seen| matches!(seen.event, Event::JoinFailed(_)));
    assert!(gave_up.is_none(), "{gave_up:?}");
}

/// Half of 300 members restart.
#[test]
fn a_wave_of_restarts_leaves_every_list_whole() {
    for seed in seeds(1..3) {
        rolling_restart(seed, World::leave);
    }
}

/// Half of 300 members crash and restart.
#[test]
fn a_wave_of_crashes_and_restarts_leaves_every_list_whole() {
    for seed in seeds(1..3) {
        rolling_restart(seed, World::crash);
    }
}

#[test]
fn joins_and_crashes_at_10_percent_loss_end_in_whole_lists() {
    for seed in seeds(1..4) {
        let mut world = World::formed(100, seed, Settings::default());
        world.network = Network { loss: 0.1, jitter: ms(3), ..Network::default() };
        for _ in 0..20 {
            let newcomer = world.add_machine();
            world.start(newcomer, &[0, 1, 2]);
        }
        for victim in [40, 50, 60, 70] {
            world.crash(victim);
        }
        world.run_until_whole(&world.all_but(&[40, 50, 60, 70]), 3 * SECOND);
    }
}
