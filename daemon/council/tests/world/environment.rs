//! Reads from the environment which seeds run:
//!
//! - `MEMBERD_SIM_SEED=7` runs only what has this seed; a failed run prints its own;
//! - `MEMBERD_SIM_SEEDS=100000` goes through all seeds below that, where CI takes a few hundred.

/// The variable that picks one seed.
pub const SEED: &str = "MEMBERD_SIM_SEED";

/// The variable that asks for many seeds.
pub const SEEDS: &str = "MEMBERD_SIM_SEEDS";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds to run: the chosen one, or these, or as many as the environment requests.
pub fn seeds(range: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match number(SEED) {
        Some(only) => only..only + 1,
        None => range.start..range.end.max(number(SEEDS).unwrap_or(0)),
    }
}

/// Whether every case is wanted, and not only a part of them.
pub fn all() -> bool {
    number(SEEDS).is_some()
}

/// Whether one seed alone is wanted.
pub fn is_one() -> bool {
    number(SEED).is_some()
}

/// The threads that go through the seeds: all processors only if many seeds are wanted.
pub fn threads() -> usize {
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if number(SEEDS).is_some() { all } else { 1 }
}
