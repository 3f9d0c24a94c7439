//! Lists that differ become whole again: after splits, lost updates and corruption.

#![cfg(test)]
#![allow(clippy::cast_possible_truncation, reason = "a test's numbers are small")]

mod world;

use memberd_membership::{Claim, FailureEvidence, List, Update};
use std::net::SocketAddr;
use world::prelude::*;

with_each_detector!(
    two_halves_are_soon_whole_after_a_split,
    a_tenth_rejoins_and_nine_tenths_keep_their_incarnations,
    three_sides_are_soon_whole_after_a_split,
    one_member_alone_is_soon_back_after_a_split,
    splits_heal_soon_at_10_percent_loss,
    a_split_that_comes_and_goes_ends_in_whole_lists,
    a_member_that_missed_a_rumour_soon_agrees,
    a_corrupted_list_soon_agrees_with_the_others,
    a_member_that_never_was_is_soon_in_no_list,
);

/// Splits a group for a while by the side that each is on, heals it, and expects every list whole
/// in time, and quiet after that. Returns the world, which describes itself if an expectation
/// fails, and which members rejoined.
fn split_and_heal(
    detector: &Detector,
    size: usize,
    seed: u64,
    time: Duration,
    loss: f64,
    side: impl Fn(usize) -> u8,
) -> (World, Vec<bool>) {
    let mut world = World::formed(size, seed, detector.settings.clone());
    world.network = Network { loss, jitter: ms(1), ..Network::default() };
    world.run_for(ms(seed * 83));
    let before: Vec<_> = world.machines.iter().map(|machine| machine.last).collect();
    let sides: Vec<u8> = (0..size).map(side).collect();
    world.split(&sides);
    world.run_for(time);
    for i in 0..size {
        let own = sides.iter().filter(|side| **side == sides[i]).count();
        assert_eq!(world.up_in_list(i).len(), own, "vm{i} holds its own side up");
    }
    world.heal();
    let all = world.all_but(&[]);
    let took = world.run_until_whole(&all, detector.heals);
    println!(
        "{size} members, {:?} apart for {time:?}, {} % loss: whole {took:?} after the heal",
        counts(&sides),
        loss * 100.0
    );
    let healed = world.now;
    world.run_for(20 * SECOND);
    assert_eq!(world.failures_since(healed), []);
    assert!(world.whole(&all), "and they stay whole");
    let rejoined = (0..size).map(|i| world.machines[i].last != before[i]).collect();
    (world, rejoined)
}

fn counts(sides: &[u8]) -> Vec<usize> {
    (0..4)
        .map(|side| sides.iter().filter(|own| **own == side).count())
        .filter(|count| *count > 0)
        .collect()
}

/// For how long the network is split with this seed.
fn split_time(detector: &Detector, seed: u64) -> Duration {
    if long() || seed == 4 { 600 * SECOND } else { detector.many }
}

fn two_halves_are_soon_whole_after_a_split(detector: &Detector) {
    for seed in seeds(1..6) {
        let (size, time) = ([40, 70, 100][seed as usize % 3], split_time(detector, seed));
        let (_world, rejoined) = split_and_heal(detector, size, seed, time, 0.0, |i| (i % 2) as u8);
        let of = |side: usize| {
            rejoined.iter().skip(side).step_by(2).filter(|rejoined| **rejoined).count()
        };
        assert!(of(0) == 0 || of(1) == 0, "only one half rejoins: {} and {}", of(0), of(1));
    }
}

fn a_tenth_rejoins_and_nine_tenths_keep_their_incarnations(detector: &Detector) {
    for seed in seeds(1..6) {
        let (size, time) = ([40, 70, 100][seed as usize % 3], split_time(detector, seed));
        let (_world, rejoined) =
            split_and_heal(detector, size, seed, time, 0.0, |i| u8::from(i % 10 == 3));
        for (i, rejoined) in rejoined.iter().enumerate() {
            assert_eq!(*rejoined, i % 10 == 3, "vm{i}");
        }
    }
}

fn three_sides_are_soon_whole_after_a_split(detector: &Detector) {
    for seed in seeds(1..6) {
        let (size, time) = ([40, 70, 100][seed as usize % 3], split_time(detector, seed));
        split_and_heal(detector, size, seed, time, 0.0, |i| (i % 3) as u8);
    }
}

/// The split takes 10 s or 10 min. Only that member takes a new incarnation.
fn one_member_alone_is_soon_back_after_a_split(detector: &Detector) {
    for seed in seeds(1..6) {
        let (size, time) = ([40, 70, 100][seed as usize % 3], split_time(detector, seed));
        let (_world, rejoined) =
            split_and_heal(detector, size, seed, time, 0.0, |i| u8::from(i == 11));
        assert!(
            rejoined.iter().enumerate().all(|(i, rejoined)| *rejoined == (i == 11)),
            "{rejoined:?}"
        );
    }
}

fn splits_heal_soon_at_10_percent_loss(detector: &Detector) {
    for seed in seeds(1..5) {
        let parts = [2, 3, 10, 4][seed as usize % 4];
        split_and_heal(detector, 60, seed, 2 * detector.many, 0.1, |i| {
            (if parts == 10 { usize::from(i % 10 == 0) } else { i % parts }) as u8
        });
    }
}

fn a_split_that_comes_and_goes_ends_in_whole_lists(detector: &Detector) {
    for seed in seeds(1..5) {
        let mut world = World::formed(40, seed, detector.settings.clone());
        for round in 0..8_u64 {
            let sides: Vec<u8> = (0..40).map(|i| ((i / (1 + round % 3)) % 2) as u8).collect();
            world.split(&sides);
            world.run_for(ms(700 * (round + 1) + seed * 91));
            world.heal();
            world.run_for(ms(300 * (8 - round)));
        }
        let took = world.run_until_whole(&world.all_but(&[]), detector.heals);
        println!("seed {seed}: whole {took:?} after the last heal");
    }
}

fn a_member_that_missed_a_rumour_soon_agrees(detector: &Detector) {
    for (seed, size) in seeds(1..13).zip([10, 40, 100].into_iter().cycle()) {
        let mut world = World::formed(size, seed, detector.settings.clone());
        world.run_for(ms(seed * 47));
        let ring = world.ring(0);
        // Once far from the crashed member, once its neighbour; a join as well as a crash.
        let (crashed, uninformed) = (ring[0], ring[if seed % 2 == 0 { size / 2 } else { 3 }]);
        world.keep_uninformed(uninformed, true);
        world.crash(crashed);
        let newcomer = world.add_machine();
        world.start(newcomer, &[ring[1]]);
        let others = world.all_but(&[crashed, uninformed]);
        let informed = |world: &World| {
            others.iter().all(|i| !world.holds_up(*i, crashed) && world.holds_up(*i, newcomer))
        };
        world.run_until(detector.every_list, "all others know", informed);
        // Until the updates ride on no heartbeat any more.
        world.run_for(detector.settings.group.interval() * 3);
        world.keep_uninformed(uninformed, false);
        let took = world.run_until_whole(&world.all_but(&[crashed]), detector.agrees);
        println!("{size} members, seed {seed}: agreed after {took:?}");
    }
}

/// A list of a whole group in which one entry is another.
fn list_with(size: usize, changed: Option<Update>, lacks: Option<usize>) -> List {
    let mut list = List::new();
    for entry in whole_list(size)
        .iter()
        .filter(|entry| lacks.is_none_or(|lacks| entry.identity.name != name(lacks)))
    {
        list.merge(entry.to_update(), Instant::EPOCH);
    }
    if let Some(update) = changed {
        list.set(update, Instant::EPOCH);
    }
    list
}

/// A group in which one member's list is corrupted from the start; it is expected to agree in time,
/// with nobody gone for good.
fn corrupted_lists_agree(
    detector: &Detector,
    size: usize,
    seed: u64,
    what: &str,
    holder: usize,
    corrupted: &List,
) {
    let whole = whole_list(size);
    let mut world = World::assumed(size, seed, detector.settings.clone(), |i| {
        if i == holder { corrupted.clone() } else { whole.clone() }
    });
    world.corrupted = true;
    let took = world.run_until_whole(&world.all_but(&[]), detector.agrees);
    println!("{size} members, {what}: agreed after {took:?}");
    world.run_for(20 * SECOND);
    assert!(world.whole(&world.all_but(&[])), "{what}");
    let lost = world
        .seen
        .iter()
        .find(|seen| matches!(seen.event, Event::Superseded { .. } | Event::JoinFailed(_)));
    assert!(lost.is_none(), "{what}: {lost:?}");
}

fn a_corrupted_list_soon_agrees_with_the_others(detector: &Detector) {
    for size in [10, 40, 100] {
        for seed in seeds(1..7) {
            let (holder, subject) = (seed as usize % size, (3 * seed as usize + 1) % size);
            if holder == subject {
                continue;
            }
            let of = |address, incarnation, claim| {
                Update::new(Identity { name: name(subject), address, incarnation }, claim)
            };
            let incarnation = first_incarnation();
            corrupted_lists_agree(
                detector,
                size,
                seed,
                "a member is missing",
                holder,
                &list_with(size, None, Some(subject)),
            );
            for bit in [0, 5, 20] {
                let flipped =
                    of(address(subject), Incarnation(incarnation.0 ^ (1 << bit)), Claim::Alive);
                let what = format!("bit {bit} of an incarnation is wrong");
                corrupted_lists_agree(
                    detector,
                    size,
                    seed,
                    &what,
                    holder,
                    &list_with(size, Some(flipped), None),
                );
            }
            let evidence = FailureEvidence { detected_by: name(holder), silent_ms: 1_750 };
            let failed = of(address(subject), incarnation, Claim::Failed(evidence));
            corrupted_lists_agree(
                detector,
                size,
                seed,
                "a live member is failed",
                holder,
                &list_with(size, Some(failed), None),
            );
            let left = of(address(subject), incarnation, Claim::Left);
            corrupted_lists_agree(
                detector,
                size,
                seed,
                "a live member has left",
                holder,
                &list_with(size, Some(left), None),
            );
            // Larger than the right one, so that it spreads, and smaller.
            for wrong in [address(size + 7), SocketAddr::from(([9, 9, 9, 9], 8946))] {
                let elsewhere = of(wrong, incarnation, Claim::Alive);
                corrupted_lists_agree(
                    detector,
                    size,
                    seed,
                    "an address is wrong",
                    holder,
                    &list_with(size, Some(elsewhere), None),
                );
            }
        }
    }
}

fn a_member_that_never_was_is_soon_in_no_list(detector: &Detector) {
    for size in [10, 40, 100] {
        for seed in seeds(1..7) {
            let identity = Identity {
                name: name(size + 5),
                address: address(size + 5),
                incarnation: first_incarnation(),
            };
            let ghost = list_with(size, Some(Update::new(identity, Claim::Alive)), None);
            corrupted_lists_agree(
                detector,
                size,
                seed,
                "there is a member that never was",
                seed as usize % size,
                &ghost,
            );
        }
    }
}
