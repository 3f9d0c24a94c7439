//! Tests more crashes at once than there are monitors: they are noticed later, but never missed.
//! Flapping members disturb nobody else.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use world::prelude::*;

with_each_detector!(
    five_to_eleven_crashes_of_12_are_in_every_list,
    five_to_forty_nine_crashes_of_50_are_in_every_list,
    crashes_of_many_fail_nobody_else_under_loss,
    flapping_members_do_not_delay_the_news_of_a_crash,
);

/// Three times the patience: once for members that were heard, once for members that the ring then
/// moves on to, and once for all others.
fn three_timeouts(detector: &Detector) -> Duration {
    detector.settings.group.patience() * 3
}

/// Crashes this many members of a group at the same moment, neighbours on the ring or not. Returns
/// how long it took until every list was right.
fn crash_many(
    detector: &Detector,
    size: usize,
    count: usize,
    seed: u64,
    loss: f64,
    limit: Duration,
) -> Duration {
    let mut world = World::formed(size, seed, detector.settings.clone());
    world.network = Network { loss, ..Network::default() };
    world.run_for(ms(seed * 77));
    let ring = world.ring(0);
    // The victims are the ring from a random place on, or every third member of it and then the
    // next ones.
    let step = [1, 3][seed as usize % 2];
    let mut victims: Vec<usize> = Vec::new();
    for place in (0..step).flat_map(|first| (first..size).step_by(step)).take(count) {
        victims.push(ring[(place + seed as usize * 5) % size]);
    }
    let crashed = world.now;
    for victim in &victims {
        world.crash(*victim);
    }
    let survivors = world.all_but(&victims);
    let took = world.run_until_whole(&survivors, limit);
    world.run_for(20 * SECOND);
    assert!(world.whole(&survivors));
    let falsely = world
        .failures_since(crashed)
        .into_iter()
        .find(|(.., failed)| !victims.iter().any(|victim| name(*victim) == *failed));
    assert_eq!(falsely, None, "{count} of {size}");
    took
}

/// All lists are right after three timeouts.
fn five_to_eleven_crashes_of_12_are_in_every_list(detector: &Detector) {
    for count in 5..=11 {
        let slowest = seeds(0..12)
            .map(|seed| crash_many(detector, 12, count, seed, 0.0, three_timeouts(detector)))
            .max();
        println!("{count} of 12: every list right after {slowest:?} at most");
    }
}

/// All lists are right after three timeouts.
fn five_to_forty_nine_crashes_of_50_are_in_every_list(detector: &Detector) {
    for count in [5, 8, 12, 25, 40, 45, 48, 49] {
        let slowest = seeds(0..6)
            .map(|seed| crash_many(detector, 50, count, seed, 0.0, three_timeouts(detector)))
            .max();
        println!("{count} of 50: every list right after {slowest:?} at most");
    }
}

/// The network loses 10 and 30 percent.
fn crashes_of_many_fail_nobody_else_under_loss(detector: &Detector) {
    for (loss, count) in [(0.1, 25), (0.1, 40), (0.3, 12), (0.3, 25), (0.3, 40)] {
        let slowest = seeds(0..6)
            .map(|seed| crash_many(detector, 50, count, seed, loss, detector.many))
            .max();
        println!(
            "{count} of 50 at {} % loss: every list right after {slowest:?} at most",
            loss * 100.0
        );
    }
}

/// The last list is right within 20 s.
#[test]
fn nine_hundred_and_ninety_nine_crashes_of_1000_are_listed() {
    let took = crash_many(&Detector::ring(), 1_000, 999, 1, 0.0, 20 * SECOND);
    println!("999 of 1,000: the last list is right after {took:?}");
}

fn flapping_members_do_not_delay_the_news_of_a_crash(detector: &Detector) {
    for seed in seeds(0..6) {
        let mut world = World::formed(40, seed, detector.settings.clone());
        let flapping = [2, 12, 22, 32];
        let (victim, began) = (7, world.now);
        let mut crashed = Duration::ZERO;
        for half in 0..50 {
            if half == 25 {
                world.crash(victim);
                crashed = world.now;
            }
            for flapper in flapping {
                if half % 2 == 0 {
                    world.crash(flapper);
                } else {
                    world.start_remembering(flapper, &[0], &[1, 3]);
                }
            }
            world.run_for(ms(500));
        }
        let mut gone = flapping.to_vec();
        gone.push(victim);
        let (first, every) = world
            .noticed(victim, crashed, &world.all_but(&gone))
            .expect("every list has the crash");
        println!("seed {seed}: first list {first:?}, every list {every:?}");
        assert!(first <= detector.some_list && every <= first + ms(250), "{first:?}, {every:?}");
        world.run_until_whole(&world.all_but(&[victim]), 3 * SECOND);
        let falsely = world
            .failures_since(began)
            .into_iter()
            .find(|(.., failed)| !gone.iter().any(|gone| name(*gone) == *failed));
        assert_eq!(falsely, None, "those that run on never fail");
    }
}
