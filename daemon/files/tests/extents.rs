//! Drawn schedules of writes, reads and faults over simulated machines:
//! `MEMBERD_SIM_SEEDS=100000 cargo test -p memberd-files --test extents`.

#![cfg(test)]

mod extents_world;

use extents_world::environment::seeds;
use extents_world::{SECOND, World};
use memberd_files::{ExtentMutant, ExtentSettings};
use rand::RngExt;

/// What the runs did, so that nobody takes runs without any work for sound ones.
#[derive(Debug, Default)]
struct Total {
    runs: u64,
    writes: u64,
    acknowledged: u64,
    reads: u64,
    events: u64,
}

/// Clients and faults for a minute, quiet, reads of all, and that twice.
fn story(seed: u64, mutant: Option<ExtentMutant>) -> World {
    let settings = ExtentSettings { mutant, ..ExtentSettings::default() };
    let mut world = World::new(5 + (seed % 4) as usize, (seed % 5) as usize, seed, settings);
    for _ in 0..2 {
        world.is_calm = false;
        world.network.loss = if world.rng.random_bool(0.5) { 0.02 } else { 0.0 };
        world.network.twice = world.network.loss;
        let end = world.now + 60 * SECOND;
        world.clients_until(end);
        world.faults_until(end, 2);
        world.run(60 * SECOND);
        world.calm();
        world.run(100 * SECOND);
        if world.violation.is_none() {
            world.read_all();
        }
        for _ in 0..60 {
            if world.violation.is_some() || world.not_whole().is_empty() {
                break;
            }
            world.run(30 * SECOND);
        }
        if let Some(first) = world.not_whole().first().cloned() {
            world.broken(format!("after quiet not whole: {first}"));
        }
        world.check_refused();
    }
    if world.violation.is_none() {
        // What was deleted is found by the daily question.
        world.run(27 * 3600 * SECOND);
        let garbage = world.garbage();
        if garbage > 0 {
            world.broken(format!("{garbage} extents lie around after hours"));
        }
    }
    world
}

#[test]
fn drawn_schedules_break_nothing() {
    let mut total = Total::default();
    for seed in seeds(0..40) {
        let world = story(seed, None);
        assert_eq!(world.violation, None);
        total.runs += 1;
        total.writes += world.operations.len() as u64;
        total.acknowledged +=
            world.operations.values().filter(|one| one.result == Some(Ok(()))).count() as u64;
        total.reads += world.history.reads;
        total.events += world.events;
    }
    println!("{total:?}");
    if total.runs > 1 {
        assert!(total.acknowledged > 40 * total.runs, "hardly anything was written: {total:?}");
        assert!(total.reads > 20 * total.runs, "hardly anything was read: {total:?}");
    }
}

/// Runs seeds with a rule switched off until an invariant breaks.
fn is_found(mutant: ExtentMutant, most: u64, words: &str) {
    for seed in 0..most {
        let world = story(seed, Some(mutant));
        if let Some(violation) = &world.violation {
            println!("{mutant:?}: found: {violation}");
            assert!(violation.contains(words), "{mutant:?}: found otherwise: {violation}");
            return;
        }
    }
    panic!("{mutant:?}: not found by {most} seeds");
}

#[test]
fn two_copies_that_count_as_three_are_found() {
    is_found(ExtentMutant::TwoCopies, 20, "published with 2 copies of 3");
}

#[test]
fn places_by_ones_own_list_are_found() {
    is_found(ExtentMutant::PlaceByOwnList, 300, "published with");
}

#[test]
fn an_ambiguous_upload_that_is_removed_is_found() {
    is_found(ExtentMutant::DeleteAmbiguous, 60, "no copy any more");
}

#[test]
fn a_holder_that_is_recorded_early_is_found() {
    is_found(ExtentMutant::RecordEarly, 60, "is recorded and never had it");
}
