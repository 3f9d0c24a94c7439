//! The loss of a majority for good: an operator names the lost, and the rest goes on in a new
//! lineage. Whoever returns sits down as a newcomer.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use memberd_council::{Event, RecoveryError};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use world::environment::seeds;
use world::faults::Fault;
use world::measure::{fleet, settle};
use world::{SECOND, World, ms};

/// What came of the recoveries that were asked for at a machine.
fn outcome(world: &World, i: usize) -> Option<Result<(), RecoveryError>> {
    world.seen.iter().rev().find_map(|(_, by, event)| match event {
        Event::Recovered(result) if *by == i => Some(result.clone().map(|_| ())),
        _ => None,
    })
}

fn recover(world: &mut World, i: usize, lost: &[usize]) -> Result<(), RecoveryError> {
    world.act(Fault::Recover(i, lost.to_vec()));
    world.must(9 * SECOND, "the end of the recovery", |world| outcome(world, i).is_some());
    world.expect_sound();
    outcome(world, i).unwrap()
}

/// Every set of three of five is lost, and one of the other two recovers. The lost come back with
/// the files of the old lineage.
#[test]
fn a_lost_majority_is_recovered_and_may_come_back() {
    let rest = fleet(5, 5, 1);
    for seed in seeds(0..10) {
        let lost: Vec<usize> = (0..3).map(|place| (seed as usize + place * 2) % 5).collect();
        let kept: Vec<usize> = (0..5).filter(|i| !lost.contains(i)).collect();
        let mut world = rest.clone();
        world.reseed(seed);
        world.run_for(ms(seed * 77));
        lost.iter().for_each(|i| world.act(Fault::Crash(*i)));
        world.run_for(ms(seed * 700));
        assert_eq!(recover(&mut world, kept[0], &lost), Ok(()), "seed {seed}");
        world.must(8 * SECOND, "an exclusive leader of the rest", |world| {
            world.exclusive().first().is_some_and(|one| one.lineage.recoveries == 1)
        });
        world.expect_sound();
        lost.iter().for_each(|i| world.act(Fault::Start(*i)));
        settle(&mut world, 5, 60 * SECOND);
        assert!((0..5).all(|i| world.view(i).unwrap().lineage.recoveries == 1));
    }
}

#[test]
fn no_majority_is_recovered_from_and_nobody_who_answers_is_lost() {
    let rest = fleet(5, 5, 2);
    let mut world = rest.clone();
    [0, 1].iter().for_each(|i| world.act(Fault::Crash(*i)));
    assert!(recover(&mut world, 2, &[0, 1]).is_err(), "a majority is there");
    let mut world = rest.clone();
    [0, 1, 2].iter().for_each(|i| world.act(Fault::Crash(*i)));
    world.run_for(4 * SECOND);
    assert!(recover(&mut world, 3, &[0, 1, 2, 4]).is_err(), "vm4 answers");
    let mut world = rest.clone();
    [0, 1, 2].iter().for_each(|i| world.act(Fault::Crash(*i)));
    world.run_for(4 * SECOND);
    assert!(recover(&mut world, 3, &[0, 1]).is_err(), "vm2 is silent and was not named");
    assert!(world.view(3).unwrap().lineage.recoveries == 0);
}

/// The lost were only stopped: when they go on, they are no leaders beside the new one.
#[test]
fn a_majority_that_was_only_stopped_is_set_aside() {
    let rest = fleet(5, 5, 3);
    for seed in seeds(0..10) {
        let lost: Vec<usize> = (0..3).map(|place| (seed as usize + place) % 5).collect();
        let kept: Vec<usize> = (0..5).filter(|i| !lost.contains(i)).collect();
        let mut world = rest.clone();
        world.reseed(seed);
        world.run_for(ms(seed * 77));
        lost.iter().for_each(|i| world.act(Fault::Stop(*i, 30 * SECOND + ms(seed * 10))));
        world.run_for(3 * SECOND);
        assert_eq!(recover(&mut world, kept[0], &lost), Ok(()), "seed {seed}");
        world.run_for(30 * SECOND);
        settle(&mut world, 5, 60 * SECOND);
    }
}

/// The coordinator crashes at some moment of its recovery and is back soon, as are the lost. Either
/// there is a new lineage, or nobody is frozen in the old one.
#[test]
fn a_recovery_that_breaks_off_leaves_nobody_behind() {
    let rest = fleet(5, 5, 4);
    for seed in seeds(0..20) {
        let lost: Vec<usize> = (0..3).map(|place| (seed as usize + place * 2) % 5).collect();
        let kept: Vec<usize> = (0..5).filter(|i| !lost.contains(i)).collect();
        let mut world = rest.clone();
        world.reseed(seed);
        lost.iter().for_each(|i| world.act(Fault::Crash(*i)));
        world.run_for(2 * SECOND);
        world.act(Fault::Recover(kept[0], lost.clone()));
        world.run_for(ms(400 + seed * 997 % 7_500));
        world.act(Fault::Crash(kept[0]));
        world.run_for(ms(seed * 31 % 700));
        world.act(Fault::Start(kept[0]));
        lost.iter().for_each(|i| world.act(Fault::Start(*i)));
        settle(&mut world, 5, 60 * SECOND);
    }
}

/// Two operators recover, each on another machine, while links between those break and join again
/// and machines start again. The lost stay away. There is never more than one exclusive leader.
#[test]
fn two_recoveries_make_no_two_leaders() {
    let rest = fleet(7, 7, 5);
    for seed in seeds(0..60) {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut all: Vec<usize> = (0..7).collect();
        all.shuffle(&mut rng);
        let (lost, kept) = all.split_at(4);
        let mut world = rest.clone();
        world.reseed(seed);
        lost.iter().for_each(|i| world.act(Fault::Crash(*i)));
        world.run_for(2 * SECOND);
        world.act(Fault::Recover(kept[0], lost.to_vec()));
        world.run_for(ms(rng.random_range(0..9_000)));
        world.act(Fault::Recover(kept[1], lost.to_vec()));
        for _ in 0..rng.random_range(0..8) {
            let (one, other) = (rng.random_range(0..3), rng.random_range(0..3));
            world.act(match rng.random_range(0..5) {
                0 => Fault::Cut(kept[one], kept[other]),
                1 => Fault::Heal,
                2 => Fault::Crash(kept[one]),
                3 => Fault::Stop(kept[one], ms(rng.random_range(100..5_000))),
                _ => Fault::Recover(kept[one], lost.to_vec()),
            });
            world.run_for(ms(rng.random_range(0..2_500)));
            kept.iter().for_each(|i| world.act(Fault::Start(*i)));
        }
        world.act(Fault::Heal);
        for _ in 0..200 {
            world.run_for(ms(100));
            assert!(world.exclusive().len() <= 1, "seed {seed}: {}", world.describe());
        }
        world.expect_sound();
    }
}
