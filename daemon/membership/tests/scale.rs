//! Tests that a member's cost does not grow with the group, and that an update reaches a thousand
//! members as soon as ten.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use world::prelude::*;

with_each_detector!(
    four_crashes_among_1000_are_in_every_list_in_250_ms,
    four_crashes_among_1000_spread_in_250_ms_under_loss,
    three_hundred_join_at_once_through_one_introducer,
    a_wave_of_restarts_leaves_every_list_whole,
    a_wave_of_crashes_and_restarts_leaves_every_list_whole,
    joins_and_crashes_at_10_percent_loss_end_in_whole_lists,
);

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
fn four_of_1000_crash(detector: &Detector, loss: f64, seed: u64) {
    let mut world = World::formed(1_000, seed, detector.settings.clone());
    world.network.loss = loss;
    world.run_for(SECOND + ms(seed * 170));
    let ring = world.ring(0);
    let step = [1, 200][seed as usize % 2];
    let victims: Vec<usize> = (0..4).map(|i| ring[(100 + i * step) % 1_000]).collect();
    let crashed = world.now;
    for victim in &victims {
        world.crash(*victim);
    }
    world.run_for(detector.settings.group.patience() + SECOND);
    let survivors = world.all_but(&victims);
    for victim in &victims {
        let noticed = world.noticed(*victim, crashed, &survivors);
        let (first, every) = noticed.unwrap_or_else(|| panic!("vm{victim} is not in every list"));
        println!(
            "{} % loss, seed {seed}: first list {first:?}, every list {every:?}",
            loss * 100.0
        );
        assert!(
            first <= detector.some_list && every - first <= ms(250),
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
fn four_crashes_among_1000_are_in_every_list_in_250_ms(detector: &Detector) {
    seeds(1..3).for_each(|seed| four_of_1000_crash(detector, 0.0, seed));
}

/// They are in every list 250 ms after the first, at 10 percent loss.
fn four_crashes_among_1000_spread_in_250_ms_under_loss(detector: &Detector) {
    seeds(1..3).for_each(|seed| four_of_1000_crash(detector, 0.1, seed));
}

/// Starts everybody but the introducers at the same moment. Every list is whole in half of the time
/// in which lists that differ agree: with heartbeats that is 1 s.
fn join_at_once(detector: &Detector, size: usize, introducers: &[usize], seed: u64) {
    let mut world = World::with(size, seed, detector.settings.clone());
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
    let took = world.run_until_whole(&world.all_but(&[]), detector.agrees / 2);
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

fn three_hundred_join_at_once_through_one_introducer(detector: &Detector) {
    seeds(1..2).for_each(|seed| join_at_once(detector, 300, &[0], seed));
}

#[test]
fn three_hundred_join_at_once_through_three_introducers() {
    seeds(1..2).for_each(|seed| join_at_once(&Detector::ring(), 300, &[0, 1, 2], seed));
}

/// Restarts half of 300 members, one every 40 ms, each down for 300 ms.
fn rolling_restart(detector: &Detector, seed: u64, stop: impl Fn(&mut World, usize)) {
    let mut world = World::formed(300, seed, detector.settings.clone());
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
fn a_wave_of_restarts_leaves_every_list_whole(detector: &Detector) {
    for seed in seeds(1..2) {
        rolling_restart(detector, seed, World::leave);
    }
}

/// Half of 300 members crash and restart.
fn a_wave_of_crashes_and_restarts_leaves_every_list_whole(detector: &Detector) {
    for seed in seeds(1..2) {
        rolling_restart(detector, seed, World::crash);
    }
}

fn joins_and_crashes_at_10_percent_loss_end_in_whole_lists(detector: &Detector) {
    for seed in seeds(1..4) {
        let mut world = World::formed(100, seed, detector.settings.clone());
        world.network = Network { loss: 0.1, jitter: ms(3), ..Network::default() };
        for _ in 0..20 {
            let newcomer = world.add_machine();
            world.start(newcomer, &[0, 1, 2]);
        }
        for victim in [40, 50, 60, 70] {
            world.crash(victim);
        }
        world.run_until_whole(&world.all_but(&[40, 50, 60, 70]), detector.every_list);
    }
}
