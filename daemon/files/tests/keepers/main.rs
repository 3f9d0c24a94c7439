//! Runs keepers of one share through drawn faults, each run from its seed, and looks at every
//! invariant after every event:
//! `MEMBERD_SIM_SEEDS=100000 cargo test -p memberd-files --test keepers drawn`.

#![cfg(test)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test's world is small, and a broken one should stop the run"
)]

mod counts;
mod disk;
mod history;
mod world;

use memberd_files::{Answer, Content, KeeperMutant as Mutant, KeeperRole};
use rand::RngExt;
use std::time::Duration;
use world::{MEMBERS, World, ms, path};

/// The seeds to run: the chosen one, or these, or as many as the environment requests.
fn seeds(most: u64) -> std::ops::Range<u64> {
    let number = |variable: &str| std::env::var(variable).ok()?.parse::<u64>().ok();
    match number("MEMBERD_SIM_SEED") {
        Some(only) => only..only + 1,
        None => 0..most.max(number("MEMBERD_SIM_SEEDS").unwrap_or(0)),
    }
}

/// Draws faults for a while, then heals all, and looks at what is left.
fn run(seed: u64, mutant: Option<Mutant>) -> World {
    let mut world = World::new(seed, mutant);
    world.run_for(Duration::from_secs(3));
    for _ in 0..world.rng.random_range(4..14) {
        fault(&mut world);
        let pause = world.rng.random_range(5..2_500);
        world.run_for(ms(pause));
    }
    heal(&mut world);
    if world.history.broken.is_none() {
        expect_end(&mut world);
    }
    world
}

fn fault(world: &mut World) {
    let keepers = world.keepers();
    let any = world.rng.random_range(0..MEMBERS);
    let keeper = keepers[world.rng.random_range(0..keepers.len())];
    match world.rng.random_range(0..13) {
        0 | 1 => {
            world.crash(keeper);
            let after = ms(world.rng.random_range(1..3_000));
            world.start_later(keeper, after);
        }
        2 => {
            for keeper in keepers {
                world.crash(keeper);
                let after = ms(world.rng.random_range(1..2_000));
                world.start_later(keeper, after);
            }
        }
        3 => world.wipe(keeper),
        4 | 5 => {
            for other in (0..MEMBERS).filter(|other| *other != keeper) {
                world.cut.insert((keeper, other));
                world.cut.insert((other, keeper));
            }
            world.away.insert(keeper);
        }
        6 => {
            world.cut.insert((keeper, any));
        }
        7 => world.loss = [0.0, 0.1, 0.3][world.rng.random_range(0..3)],
        8 => world.slow = [0.0, 0.05, 0.2][world.rng.random_range(0..3)],
        9 => {
            world.crash(keeper);
            world.away.insert(keeper);
        }
        10 => world.agree(),
        _ => mend(world),
    }
    if world.rng.random_bool(0.5) {
        world.agree();
    }
    let members_left = MEMBERS - world.away.len();
    if members_left < 3 {
        mend(world);
    }
}

/// Everything that was cut off or down comes back.
fn mend(world: &mut World) {
    world.cut.clear();
    world.away.clear();
    for i in 0..MEMBERS {
        world.start(i);
    }
}

fn heal(world: &mut World) {
    (world.loss, world.slow) = (0.0, 0.0);
    mend(world);
    for _ in 0..40 {
        world.agree();
        world.run_for(Duration::from_secs(3));
        if world.is_whole() || world.history.broken.is_some() {
            break;
        }
    }
    world.client_rate = false;
    world.show_newest();
    world.run_for(Duration::from_secs(4));
    // A client that asked until now may have changed something a moment ago.
    for _ in 0..100 {
        if world.is_whole() {
            break;
        }
        world.run_for(ms(40));
    }
}

/// All that was acknowledged is there, and says the same when it is asked again.
fn expect_end(world: &mut World) {
    if !world.is_whole() {
        let statuses: Vec<_> = world
            .machines
            .iter()
            .map(|machine| machine.keeper.as_ref().map(memberd_files::Keeper::status))
            .collect();
        world.history.break_it(format!("not whole at the end: {statuses:?}"));
        return;
    }
    let keepers = world.keepers();
    let primary = keepers.iter().find_map(|i| {
        let keeper = world.machines[*i].keeper.as_ref()?;
        (keeper.status().role == KeeperRole::Primary).then(|| keeper.catalog().cloned())?
    });
    let catalog = primary.unwrap();
    for (operation, answer) in world.history.answers().clone() {
        let again: Option<Answer> = catalog.operation(operation);
        if again != Some(answer) {
            let what = format!("{operation:?} was answered {answer:?}, and is {again:?} now");
            world.history.break_it(what);
        }
    }
    let contents = catalog.contents(&path("/s/log"), 0).map(|contents| contents.content);
    if let Ok(Content::Inline(bytes)) = contents {
        world.history.check_end(&bytes);
    }
}

/// No drawn run breaks an invariant, and each comes to rest with whole and equal keepers.
#[test]
fn drawn_faults_break_nothing() {
    let (mut answers, mut reads, mut ballots, mut runs) = (0, 0, 0, 0);
    for seed in seeds(500) {
        let world = run(seed, None);
        if let Some(broken) = &world.history.broken {
            panic!("MEMBERD_SIM_SEED={seed}: {broken}");
        }
        answers += world.history.answers().len() as u64;
        reads += world.history.reads;
        ballots += world.history.ballots;
        runs += 1;
    }
    println!("{runs} runs: {answers} answers, {reads} reads, {ballots} reigns");
    assert!(runs < 2 || answers > 50 * runs, "the runs did hardly anything");
    assert!(runs < 2 || reads > 10 * runs && ballots > 2 * runs, "hardly anybody was primary");
}

/// A primary that lost its disk is back before any view changes: the next keeper claims.
#[test]
fn a_primary_without_its_disk_is_followed_by_another() {
    for seed in 0..20 {
        let mut world = World::new(seed, None);
        world.run_for(Duration::from_secs(3));
        let is_primary = |world: &World, i: usize| {
            let keeper = world.machines[i].keeper.as_ref();
            keeper.is_some_and(|keeper| keeper.status().role == KeeperRole::Primary)
        };
        let primary = world.keepers().into_iter().find(|i| is_primary(&world, *i));
        let Some(primary) = primary else { continue };
        world.show_newest();
        world.run_for(ms(200));
        world.wipe(primary);
        world.start(primary);
        world.show_newest();
        world.run_for(Duration::from_secs(8));
        world.client_rate = false;
        world.run_for(Duration::from_secs(4));
        assert_eq!(world.history.broken, None);
        assert!(world.is_whole(), "seed {seed}: nobody is primary, or somebody lacks the catalog");
    }
}

/// Runs seeds with a rule switched off until an invariant breaks, or what a keeper asserts itself.
fn is_found(mutant: Mutant, most: u64) {
    for seed in 0..most {
        let broken = std::panic::catch_unwind(|| run(seed, Some(mutant)).history.broken);
        let asserted = |_| Some("a keeper's own assertion failed".to_owned());
        if let Some(broken) = broken.unwrap_or_else(asserted) {
            println!("{mutant:?}: found by seed {seed}: {broken}");
            return;
        }
    }
    panic!("{mutant:?}: not found by {most} seeds");
}

#[test]
fn an_answer_before_all_keepers_have_it_is_found() {
    is_found(Mutant::AnswerBeforeAll, 200);
}

#[test]
fn an_answer_before_the_write_is_found() {
    is_found(Mutant::AnswerBeforeWrite, 200);
}

#[test]
fn entries_of_an_older_ballot_are_found() {
    is_found(Mutant::NoFence, 1_000);
}

#[test]
fn entries_that_newcomers_lack_are_found() {
    is_found(Mutant::NewcomersDoNotCount, 1_000);
}

#[test]
fn a_primary_that_does_not_wait_for_leases_is_found() {
    is_found(Mutant::NoGrace, 1_000);
}

#[test]
fn a_primary_that_brings_nobody_level_is_found() {
    is_found(Mutant::NoLevel, 1_000);
}
