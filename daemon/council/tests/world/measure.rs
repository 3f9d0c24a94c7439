//! Measures how soon there is a leader again, what agreement costs at rest, and how many views a
//! change of many members makes. It owns the figures.

use super::faults::Fault;
use super::process::{Setup, index};
use super::{SECOND, World, ms};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A disk as in the field: a write takes a few milliseconds.
const WRITE: Duration = Duration::from_millis(5);

/// A fleet of this size at rest, with its full council.
pub fn fleet(size: usize, members: usize, seed: u64) -> World {
    let setup = Setup::new(9, &[0, 1, 2], None);
    let mut world = World::new(size, members, seed, setup);
    for machine in &mut world.machines {
        machine.disk.speed.mean = WRITE;
    }
    settle(&mut world, members.min(9), 60 * SECOND);
    world.run_for(2 * SECOND);
    world
}

/// Runs until the newest view has everybody and a full council, and everybody has it. Returns how
/// long that took.
pub fn settle(world: &mut World, council: usize, limit: Duration) -> Duration {
    let start = world.now;
    while !(world.is_whole() && world.council().len() == council && world.agree()) {
        assert!(world.now - start < limit, "no rest: {}", world.describe());
        world.run_for(ms(20));
        world.expect_sound();
    }
    world.must(10 * SECOND, "an exclusive leader", |world| world.exclusive().len() == 1);
    world.expect_sound();
    world.now - start
}

/// The times from the end of a leader until every voter that runs has a view of its successor, and
/// until that is exclusive.
pub fn leader_ends(
    rest: &World,
    seed: u64,
    fault: impl Fn(usize) -> Fault,
) -> (Duration, Duration) {
    let mut world = rest.clone();
    world.reseed(seed);
    let phase = SmallRng::seed_from_u64(seed).random::<f64>();
    world.run_for((3 * SECOND).mul_f64(phase));
    let leader = world.leader().unwrap();
    let old = world.invariants.newest().unwrap().term;
    let crashed = world.now;
    world.act(fault(leader));
    let voters: Vec<usize> = world.council().into_iter().filter(|i| *i != leader).collect();
    world.must(20 * SECOND, "a successor in every view", |world| {
        voters.iter().all(|i| world.view(*i).is_some_and(|view| view.term > old))
    });
    let named = world.now - crashed;
    world.must(20 * SECOND, "an exclusive successor", |world| !world.exclusive().is_empty());
    world.expect_sound();
    (named, world.now - crashed)
}

/// How long nobody is exclusive while a leader hands over by plan.
pub fn hand_over(rest: &World, seed: u64) -> Duration {
    let mut world = rest.clone();
    world.reseed(seed);
    world.network.delay = Duration::ZERO;
    world.network.jitter = Duration::ZERO;
    let phase = SmallRng::seed_from_u64(seed).random::<f64>();
    world.run_for(SECOND.mul_f64(phase));
    let leader = world.leader().unwrap();
    let began = world.now;
    world.act(Fault::HandOver(leader, None));
    world.must(5 * SECOND, "another exclusive leader", |world| {
        world.exclusive().first().is_some_and(|one| one.machine != leader)
    });
    world.expect_sound();
    world.now - began
}

/// What agreement costs at rest, each second.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub leader: f64,
    /// The mean of the other voters, and of the members without a seat.
    pub voter: f64,
    pub other: f64,
    pub writes: u64,
}

pub fn cost_at_rest(rest: &World) -> Cost {
    let mut world = rest.clone();
    let span = 60 * SECOND;
    let before: Vec<(u64, u64)> =
        world.machines.iter().map(|machine| (machine.sent, machine.writes)).collect();
    world.run_for(span);
    world.expect_sound();
    let leader = world.leader().unwrap();
    let voters: Vec<usize> = world.council().into_iter().filter(|i| *i != leader).collect();
    let sent = |i: usize| (world.machines[i].sent - before[i].0) as f64 / span.as_secs_f64();
    let mean = |those: &[usize]| {
        those.iter().map(|i| sent(*i)).fold(0.0, |sum, one| sum + one) / those.len().max(1) as f64
    };
    let others: Vec<usize> =
        (0..world.machines.len()).filter(|i| *i != leader && !voters.contains(i)).collect();
    let writes = world.machines.iter().zip(&before).map(|(machine, (_, was))| machine.writes - was);
    Cost { leader: sent(leader), voter: mean(&voters), other: mean(&others), writes: writes.sum() }
}

/// Many machines join, or fail, at one moment. Returns how many views that made, and how long it
/// took until all have the last.
pub fn many(size: usize, members: usize, faults: &[Fault], seed: u64) -> (usize, Duration) {
    let mut world = fleet(size, members, seed);
    let before = world.invariants.decided();
    for fault in faults {
        world.act(fault.clone());
    }
    world.run_for(ms(100));
    let took = settle(&mut world, 9, 60 * SECOND);
    (world.invariants.decided() - before, took + ms(100))
}

/// The machines of a fleet that may crash while its council keeps a majority.
pub fn outside_council(world: &World) -> Vec<usize> {
    let newest = world.invariants.newest().unwrap();
    let council: Vec<usize> = newest.council.iter().map(|seat| index(&seat.name)).collect();
    (0..world.machines.len()).filter(|i| !council.contains(i)).collect()
}

/// The value below which this many percent of the values lie.
pub fn quantile(values: &[Duration], percent: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len().saturating_sub(1) * percent).div_ceil(100);
    sorted.get(index).copied().unwrap_or_default()
}
