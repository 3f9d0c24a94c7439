//! Runs whole fleets with a durable job through drawn faults, each from its seed, and looks at
//! every invariant after every step:
//! `MEMBERD_SIM_SEEDS=100000 cargo test -p memberd-jobs --test world drawn`.
//!
//! `oracle.rs` has the list of invariants. `MEMBERD_SIM_SEED=7` runs one seed, and prints all that
//! happens.

#![cfg(test)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test's world is small, and a broken one should stop the run"
)]

mod boundaries;
mod faults;
mod group;
mod lines;
mod listing;
mod network;
mod oracle;
mod setup;
mod shadow;
mod sim;
mod store;
mod story;
mod sums;

use memberd_jobs::{Entry, Image, Mutant};
use story::story;

/// A log with an image alone.
fn image_log(image: &Image) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 1];
    ciborium::into_writer(&Entry::Image(image.clone()), &mut bytes).unwrap();
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds to run: the chosen one, or as many as the environment requests, or these.
fn seeds(most: u64) -> std::ops::Range<u64> {
    match number("MEMBERD_SIM_SEED") {
        Some(only) => only..only + 1,
        None => 0..number("MEMBERD_SIM_SEEDS").unwrap_or(most),
    }
}

/// No drawn run breaks an invariant, and each comes to rest with all lines in the sink.
#[test]
fn drawn_faults_break_nothing() {
    let mut total = story::Total::default();
    for seed in seeds(500) {
        let (world, settled_ms) = story(seed, None);
        if let Some(broken) = &world.broken {
            panic!("{broken}");
        }
        total.add(&world, settled_ms);
    }
    println!("{total:?}");
    total.expect_work();
}

/// Runs seeds with a rule switched off until an invariant breaks.
fn is_found(mutant: Mutant, most: u64, invariants: &[&str]) {
    found(&format!("{mutant:?}"), most, invariants, |seed| story(seed, Some(mutant)).0.broken);
}

fn found(
    mutant: &str,
    most: u64,
    invariants: &[&str],
    run: impl Fn(u64) -> Option<String> + std::panic::RefUnwindSafe,
) {
    let mut others = Vec::new();
    for seed in 0..most {
        let broken = std::panic::catch_unwind(|| run(seed));
        let broken = broken.unwrap_or_else(|_| Some("an assertion inside failed".to_owned()));
        let Some(broken) = broken else { continue };
        if invariants.iter().any(|invariant| broken.contains(invariant)) {
            println!("{mutant}: found by seed {seed}: {broken}");
            return;
        }
        others.push(broken);
    }
    panic!("{mutant}: not found by {most} seeds; but {:?}", others.first());
}

#[test]
fn a_log_that_nobody_fences_is_found() {
    is_found(Mutant::NoFence, 300, &["I3"]);
}

#[test]
fn an_acknowledgement_before_the_append_is_found() {
    is_found(Mutant::AckBeforeAppend, 20, &["I5"]);
}

#[test]
fn cursors_and_sums_in_two_writes_are_found() {
    is_found(Mutant::TwoWrites, 20, &["I2"]);
}

#[test]
fn deltas_that_count_anywhere_are_found() {
    is_found(Mutant::IgnoreCursor, 50, &["I1", "I2"]);
}

#[test]
fn appends_without_a_condition_are_found() {
    is_found(Mutant::BlindAppend, 300, &["I1"]);
}

#[test]
fn rows_that_go_wherever_the_sink_ends_are_found() {
    is_found(Mutant::BlindSink, 300, &["I4"]);
}

#[test]
fn rows_before_the_record_of_their_place_are_found() {
    is_found(Mutant::SinkFirst, 50, &["I4"]);
}

#[test]
fn a_watermark_that_believes_the_future_is_found() {
    is_found(Mutant::NoClockCap, 50, &["I6"]);
}

#[test]
fn a_watermark_that_passes_new_files_is_found() {
    is_found(Mutant::NoAnnouncing, 500, &["I6"]);
}

#[test]
fn cursors_that_are_dropped_too_early_are_found() {
    is_found(Mutant::HastyDrop, 50, &["I9"]);
}

#[test]
fn cursors_that_are_never_dropped_are_found() {
    is_found(Mutant::NeverDrop, 50, &["I9"]);
}

/// Rotation without end leaves no cursors: as many after a minute as after a quarter of it.
#[test]
fn rotation_does_not_add_cursors() {
    for seed in 0..4 {
        let (short, long) = (15, 60);
        let [few, many] = [short, long].map(|seconds| {
            let (world, most) = story::with_rotation(seed, None, seconds);
            assert_eq!(world.broken, None);
            let files: usize = world.machines.iter().map(|machine| machine.files.len()).sum();
            println!("seed {seed}: {files} files in {seconds} s, at most {most} cursors too many");
            most
        });
        assert!(many <= 2 * few + 20, "seed {seed}: {few}, then {many}");
    }
}

/// They depend on the order in which they are added, and owners add in another one than the file.
#[test]
fn sums_of_floats_are_found() {
    found("float sums", 20, &["I2"], |seed| story::with_floats(seed).broken);
}

#[test]
fn late_lines_that_nobody_hears_of_are_found() {
    is_found(Mutant::SilentLate, 20, &["I2"]);
}

#[test]
fn a_last_line_before_all_rows_is_found() {
    is_found(Mutant::HastyTrailer, 50, &["I4"]);
}

#[test]
fn windows_beyond_their_limits_without_a_word_are_found() {
    let run = |seed| story::with_limits(seed, Some(Mutant::SilentLimit)).broken;
    found("SilentLimit", 20, &["I2"], run);
}

/// A window with more groups than it may have stops the job, and the sink says so.
#[test]
fn a_window_beyond_its_limits_stops_the_job() {
    for seed in 0..40 {
        let world = story::with_limits(seed, None);
        if let Some(broken) = &world.broken {
            panic!("{broken}");
        }
        assert!(world.oracle.stopped.is_some() && world.has_ended(), "seed {seed}");
        let text = String::from_utf8(world.oracle.text.clone()).unwrap();
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("# stopped ") && last.ends_with(" more than 3 groups"), "{last}");
    }
}

#[test]
fn lists_before_all_partitions_have_closed_are_found() {
    let run = |seed| story::with_lists(seed, Some(Mutant::HastyList)).broken;
    found("HastyList", 20, &["I4"], run);
}

#[test]
fn lists_that_late_lines_do_not_change_are_found() {
    let run = |seed| story::with_lists(seed, Some(Mutant::StaleList)).broken;
    found("StaleList", 20, &["I4"], run);
}

/// Lists that take more memory than they may stop the job, and the sink says so.
#[test]
fn lists_beyond_their_memory_stop_the_job() {
    for seed in 0..40 {
        let world = story::with_little_memory(seed);
        if let Some(broken) = &world.broken {
            panic!("{broken}");
        }
        assert!(world.oracle.stopped.is_some() && world.has_ended(), "seed {seed}");
        let text = String::from_utf8(world.oracle.text.clone()).unwrap();
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("# stopped ") && last.ends_with(" a shorter retain"), "{last}");
    }
}

#[test]
fn two_leaders_that_write_the_table_are_found() {
    is_found(Mutant::TableUnfenced, 500, &["I3", "I7"]);
}
