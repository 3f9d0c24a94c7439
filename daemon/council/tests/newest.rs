//! The newest view is on one machine alone, which has no seat, and the view before can decide
//! nothing any more. The voters get it from there, and soon.

#![cfg(test)]

mod world;

use std::time::Duration;
use world::environment::seeds;
use world::faults::Fault;
use world::measure::settle;
use world::process::Setup;
use world::{SECOND, World, ms};

/// How long a failure takes to be in each list.
const LISTED: Duration = ms(1_750);

/// How long the lists of machines that start take at most.
const JOINED: Duration = ms(500);

/// Within this time after the lists are right somebody is exclusive.
const LIMIT: Duration = Duration::from_secs(5);

/// Machines of which three have seats, at rest.
fn fleet(size: usize) -> World {
    let mut world = World::new(size, size, 1, Setup::new(3, &[0, 1, 2], None));
    settle(&mut world, 3, 60 * SECOND);
    world.run_for(2 * SECOND);
    world
}

/// A voter fails, and the leader decides that another machine has its seat. In that moment all
/// others but one without a seat fail as well, and then, once that one has the view, the leader. It
/// never returns. Returns those that may be back. The voters among them are a majority of the new
/// council, and not of the old one.
fn only_one_has_the_newest(world: &mut World) -> Vec<usize> {
    let leader = world.leader().unwrap();
    let failed = *world.council().iter().find(|seat| **seat != leader).unwrap();
    world.act(Fault::Crash(failed));
    world.must(4 * SECOND, "another in its seat", |world| !world.council().contains(&failed));
    world.expect_sound();
    let newest = world.invariants.newest().unwrap().clone();
    let holder =
        (0..world.machines.len()).rfind(|i| *i != failed && !world.council().contains(i)).unwrap();
    let others: Vec<usize> =
        (0..world.machines.len()).filter(|i| ![leader, failed, holder].contains(i)).collect();
    others.iter().for_each(|i| world.act(Fault::Crash(*i)));
    world.must(ms(500), "the view on the last one", |world| world.view(holder) == Some(&newest));
    world.act(Fault::Crash(leader));
    world.expect_sound();
    let lacks = |i: &usize| world.view(*i).unwrap().number < newest.number;
    assert!(others.iter().all(lacks), "they failed too late");
    others
}

/// They are back this long after the leader failed, and then somebody is exclusive in time. Whom
/// each asks first depends on the names there are.
fn are_told(back: Duration, limit: Duration) {
    for size in 5..=14 {
        let rest = fleet(size);
        for seed in seeds(0..5) {
            let mut world = rest.clone();
            world.reseed(seed);
            let others = only_one_has_the_newest(&mut world);
            world.run_for(back);
            others.iter().for_each(|i| world.act(Fault::Start(*i)));
            world.must(limit, "an exclusive leader", |world| world.exclusive().len() == 1);
            world.must(SECOND, "the same view everywhere", World::agree);
            world.expect_sound();
        }
    }
}

/// The machine that has the view has asked in vain for so long that it hardly asks any more.
#[test]
fn voters_that_return_late_are_told_by_one_that_has_no_seat() {
    are_told(100 * SECOND, JOINED + LIMIT);
}

/// They are back before any list has them as failed.
#[test]
fn voters_that_return_at_once_are_told_by_one_without_a_seat() {
    are_told(ms(200), LISTED + LIMIT);
}
