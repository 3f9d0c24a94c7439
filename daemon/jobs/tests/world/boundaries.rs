//! A short run without other faults, and a crash at each input and output of it: of the machine
//! whose it is, of others with it, of the leader too; or all of these stop, and wake as zombies.
//! However that goes, every line is counted once.
//!
//! `MEMBERD_SIM_SEEDS=1 cargo test -p memberd-jobs --test world boundary` takes every boundary; CI
//! takes some.

use super::faults::CrashAt;
use super::setup::Setup;
use super::sim::World;
use super::story::{self, SECOND_US};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// How many boundaries CI takes of a run.
const SOME: u64 = 100;

fn world(query: &str, crash_at: Option<CrashAt>) -> World {
    let mut setup = Setup::draw(3);
    setup.machines = 6;
    query.clone_into(&mut setup.spec.query);
    setup.spec.partitions = 3;
    setup.spec.every_ms = 700;
    setup.spec.lateness_ms = 300;
    setup.spec.retain_ms = 20_000;
    (setup.losses, setup.doubles, setup.refusals) = (0.0, 0.0, 0.0);
    setup.write_us = 150_000;
    let mut world = World::new(setup);
    world.crash_at = crash_at;
    world
}

/// How many inputs and outputs the run has.
fn boundaries(query: &str) -> u64 {
    let mut world = world(query, None);
    world.run(4 * SECOND_US);
    world.boundary
}

/// A short run of a job that is cancelled in it.
fn ending(query: &str, crash_at: Option<CrashAt>) -> World {
    let mut world = world(query, crash_at);
    world.at(2_000_000, super::sim::Happening::Cancel);
    world
}

/// While a job ends, everybody may crash too: each row is in the sink before its last line.
#[test]
fn the_end_of_a_job_may_crash_at_any_boundary() {
    crash_at_the_end("count");
}

#[test]
fn the_end_of_lists_may_crash_at_any_boundary() {
    crash_at_the_end("top");
}

fn crash_at_the_end(query: &str) {
    let mut whole = ending(query, None);
    whole.run(2 * SECOND_US);
    let first = whole.boundary;
    while !whole.has_ended() {
        assert!(whole.broken.is_none(), "{:?}", whole.broken);
        whole.run(10_000);
    }
    let all = whole.boundary;
    let step = if super::number("MEMBERD_SIM_SEEDS").is_some() { 1 } else { (all - first) / SOME };
    for boundary in (first..=all).step_by(step.max(1) as usize) {
        for zombies in [false, true] {
            let crash = CrashAt { boundary, others: 2, leader: true, zombies, then: None };
            let mut world = ending(query, Some(crash));
            world.run(whole.now_us);
            assert!(world.crash_at.is_none(), "boundary {boundary} did not come");
            world.run(2 * SECOND_US);
            story::end(&mut world);
            if let Some(broken) = world.broken {
                panic!("boundary {boundary} of {all}, zombies {zombies}: {broken}");
            }
        }
    }
    println!("{first}..{all} boundaries of the end of a job");
}

fn crash_everywhere(query: &str, others: usize, leader: bool, zombies: bool) {
    let all = boundaries(query);
    let step = if super::number("MEMBERD_SIM_SEEDS").is_some() { 1 } else { all / SOME };
    let mut runs = 0;
    for boundary in (1..=all).step_by(step.max(1) as usize) {
        let crash = CrashAt { boundary, others, leader, zombies, then: None };
        let mut world = world(query, Some(crash));
        world.run(4 * SECOND_US);
        assert!(world.crash_at.is_none(), "boundary {boundary} did not come");
        story::end(&mut world);
        if let Some(broken) = world.broken {
            panic!("boundary {boundary} of {all}, {others} others, {leader}, {zombies}: {broken}");
        }
        runs += 1;
    }
    println!("{runs} of {all} boundaries, {others} others, leader {leader}, zombies {zombies}");
}

/// A second crash while the first is recovered from: one that never came is no failure.
#[test]
fn two_crashes_may_come_at_any_two_boundaries() {
    let all = boundaries("count");
    let rng = &mut SmallRng::seed_from_u64(1);
    let (mut runs, mut second) = (0, 0);
    for _ in 0..super::number("MEMBERD_SIM_SEEDS").unwrap_or(SOME) {
        let draw = |rng: &mut SmallRng, boundary| CrashAt {
            boundary,
            others: rng.random_range(0..2),
            leader: rng.random_bool(0.5),
            zombies: rng.random_bool(0.3),
            then: None,
        };
        let first = rng.random_range(1..=all);
        let next = first + rng.random_range(1..400);
        let then = Some(Box::new(draw(rng, next)));
        let crash = CrashAt { then, ..draw(rng, first) };
        let mut world = world("count", Some(crash.clone()));
        world.run(5 * SECOND_US);
        second += u64::from(world.crash_at.is_none());
        story::end(&mut world);
        if let Some(broken) = world.broken {
            panic!("{crash:?} of {all}: {broken}");
        }
        runs += 1;
    }
    println!("{runs} pairs of {all} boundaries, of which {second} came");
    assert!(2 * second > runs, "hardly any second crash");
}

#[test]
fn one_worker_may_crash_at_any_boundary() {
    crash_everywhere("count", 0, false, false);
}

#[test]
fn two_workers_may_crash_at_any_boundary() {
    crash_everywhere("count", 1, false, false);
}

#[test]
fn three_workers_may_crash_at_any_boundary() {
    crash_everywhere("count", 2, false, false);
}

#[test]
fn three_and_the_leader_may_crash_at_any_boundary() {
    crash_everywhere("count", 2, true, false);
}

#[test]
fn three_and_the_leader_may_wake_as_zombies() {
    crash_everywhere("count", 2, true, true);
}

#[test]
fn one_worker_may_crash_at_any_boundary_of_lists() {
    crash_everywhere("top", 0, false, false);
}

#[test]
fn three_and_the_leader_may_crash_with_lists() {
    crash_everywhere("top", 2, true, false);
}

#[test]
fn three_and_the_leader_may_wake_as_zombies_of_lists() {
    crash_everywhere("top", 2, true, true);
}
