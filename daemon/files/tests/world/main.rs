//! Runs whole members through drawn faults, each run from its seed, and looks at every invariant
//! after every step: `MEMBERD_SIM_SEEDS=100000 cargo test -p memberd-files --test world drawn`.
//!
//! The invariants, and what looks at them:
//!
//! - (a) no acknowledged byte is lost or changed: `lists`, `names`; `truth` at each copy that goes
//! - (b) what is committed lies on the disks of all keepers, and of enough holders: `truth`
//! - (c) after quiet all copies are there and equal, and the catalogs byte for byte: `quiet`
//! - (d) a file is seen whole, old or new: `content`, `operations`
//! - (e) appends are linearizable, under their conditions and tokens: `lists`
//! - (f) of racing renames one wins, and (g) what was deleted does not come back: `names`
//! - (h) every extent of a file has a copy, at any time: `truth`
//! - (i) repair copies what was lost and little more, and nothing after a restart: `quiet`
//! - (k) jobs, messages and memory are bounded, and quiet is quiet: `machine`, `sim`, `quiet`
//! - (l) a ballot has one primary, and all apply the same entries in one order: `truth`
//! - (m) what a store said to be durable is there when it opens again: `facts`

#![cfg(test)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test's world is small, and a broken one should stop the run"
)]

mod clients;
mod content;
mod facts;
mod faults;
mod group;
mod lists;
mod machine;
mod names;
mod network;
mod operations;
mod quiet;
mod setup;
mod sim;
mod story;
mod truth;
mod views;

use memberd_files::{FilePath, Name, ShareName};
use setup::{Mutant, Setup};
use std::time::Duration;
use story::story;

const SECOND: Duration = Duration::from_secs(1);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

fn index(name: &Name) -> usize {
    name.as_str()[2..].parse().unwrap()
}

fn share() -> ShareName {
    ShareName::new("s").unwrap()
}

fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

/// The seeds to run: the chosen one, or as many as the environment requests, or these.
fn seeds(most: u64) -> std::ops::Range<u64> {
    let number = |variable: &str| std::env::var(variable).ok()?.parse::<u64>().ok();
    match number("MEMBERD_SIM_SEED") {
        Some(only) => only..only + 1,
        None => 0..number("MEMBERD_SIM_SEEDS").unwrap_or(most),
    }
}

/// No drawn run breaks an invariant, and each comes to rest with all copies equal.
#[test]
fn drawn_faults_break_nothing() {
    let mut total = story::Total::default();
    for seed in seeds(400) {
        let world = story(seed, Mutant::None);
        if let Some(broken) = &world.broken {
            panic!("{broken}");
        }
        total.add(&world);
    }
    println!("{total:?}");
    total.expect_work();
}

/// Runs seeds with a rule switched off until an invariant breaks, or what is asserted inside.
fn is_found(mutant: Mutant, most: u64) {
    for seed in 0..most {
        let broken = std::panic::catch_unwind(|| story(seed, mutant).broken);
        let asserted = |_| Some("an assertion inside failed".to_owned());
        if let Some(broken) = broken.unwrap_or_else(asserted) {
            println!("{mutant:?}: found by seed {seed}: {broken}");
            return;
        }
    }
    panic!("{mutant:?}: not found by {most} seeds");
}

#[test]
fn two_copies_that_count_as_three_are_found() {
    is_found(Mutant::TwoCopies, 50);
}

#[test]
fn an_fsync_that_is_tried_again_is_found() {
    is_found(Mutant::RetrySync, 300);
}

#[test]
fn places_by_ones_own_list_are_found() {
    is_found(Mutant::PlaceByOwnList, 200);
}

#[test]
fn keepers_that_fence_nobody_are_found() {
    is_found(Mutant::NoFence, 1_000);
}
